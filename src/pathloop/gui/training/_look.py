"""Looking at a region of the comparison: going there, and both models' outlines on the slide."""

from typing import TYPE_CHECKING

from pathloop.core import Rect
from pathloop.gui._near import bring_near
from pathloop.gui.training._overlay import Objects, SwapOverlay, read_objects

if TYPE_CHECKING:
    from pathloop.gui.training._presenter import TrainPresenter

__all__ = ["RegionLook"]


class RegionLook:
    """Shows one region at a time.

    Parameters
    ----------
    presenter
        Whose comparison.
    """

    def __init__(self, presenter: "TrainPresenter") -> None:
        self._presenter = presenter
        self.overlay = SwapOverlay(presenter.session)
        self._place = ""

    def look(self, place: str) -> None:
        """Go to a region by its number in the comparison, and show both models' objects; once more: take them away."""
        presenter = self._presenter
        opened, run, comparison = presenter.opened, presenter.content.run, presenter.content.comparison
        if opened is None or run is None or comparison is None or not place:
            return
        if place == self._place and self.overlay.sides:
            self.leave()
            presenter.view.show_note("All layers are shown again.")
            return
        row = comparison.regions[int(place)]
        if row.slide_id != opened.slide_id:
            presenter.view.show_note(f"This region is on slide {row.slide_id}: open it first.")
            return
        self._place = place
        rect = Rect(*row.rect)
        names = {"parent": comparison.parent.name, "candidate": comparison.candidate.name}
        bring_near(presenter.session, rect)

        def show(objects: Objects) -> None:
            if self._place != place or presenter.opened is not opened:  # gone elsewhere meanwhile
                return
            if objects:
                self.overlay.show(opened, rect, objects, names)
                presenter.view.show_note(
                    f"Only outlines of {names['candidate']} are shown here. Hold O to see those of {names['parent']};"
                    " click the line again to see everything."
                )
            else:
                presenter.view.show_note("The tissue map has no outlines to show.")

        path = run.comparison.parent / f"{row.region}.npz"
        presenter.session.background.run(lambda: read_objects(path, row.task), show, presenter.failed)

    def leave(self) -> None:
        """Take both models' objects off the slide."""
        self._place = ""
        self.overlay.clear()
