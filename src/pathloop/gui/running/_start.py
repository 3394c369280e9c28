"""What a run begins with: the command, and a place in a project for what comes out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pathloop.core import Rect
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.loop import DEFAULT_TILE_PX, ProposedProject, SegmentJobRequest, propose_project
from pathloop.store import Project

__all__ = [
    "Command",
    "NewestOnly",
    "SlideToRun",
    "UnopenedSlide",
    "place_in_project",
    "request_of",
    "unfinished_command",
]


@dataclass(frozen=True, slots=True)
class Command:
    """What the user asked for.

    Parameters
    ----------
    regions
        Level-0 rectangles, one run each; None = the whole slide.
    use_tissue_mask
        Leave glass out.
    model, device, tasks
        As in `pathloop.loop.SegmentRequest`.
    tile_px
        Side of a tile, margin included.
    """

    regions: tuple[Rect | None, ...]
    use_tissue_mask: bool
    model: str
    device: str = "auto"
    tasks: tuple[str, ...] | None = None
    tile_px: int = DEFAULT_TILE_PX


@dataclass(frozen=True, slots=True)
class UnopenedSlide:
    """A slide of a project that is not in the window.

    Parameters
    ----------
    path, project_path, slide_id
        Its file, its project, and what that calls it.
    given_um_per_px
        What it is opened with; None = the file's own.
    """

    path: Path
    project_path: Path
    slide_id: str
    given_um_per_px: float | None = None


SlideToRun = OpenedSlide | UnopenedSlide


class NewestOnly:
    """Lets the newest of several answers through, and none that was dropped."""

    def __init__(self) -> None:
        self._number = 0

    def only(self, call: Callable[[], None]) -> Callable[[], None]:
        """A call that does nothing once there is a newer one, or it was dropped."""
        self.drop()
        number = self._number
        return lambda: call() if number == self._number else None

    def drop(self) -> None:
        """Wait for no answer any more."""
        self._number += 1


def unfinished_command(opened: OpenedSlide) -> Command | None:
    """The command that goes on with the newest unfinished run of a slide; None where there is none."""
    if not opened.desk.unfinished:
        return None
    parameters = opened.desk.unfinished[-1].parameters
    region = Rect(*parameters["region"])
    whole = region == Rect(0, 0, *opened.slide.shape)
    return Command(
        regions=(None if whole else region,),
        use_tissue_mask=bool(parameters["tissue_mask"]),
        model=str(parameters.get("model_folder") or parameters["model"]),
        device=str(parameters["engine"]).split()[1],
        tasks=tuple(parameters["tasks"]),
        tile_px=int(parameters["core_px"]) + 2 * int(parameters["margin_px"]),
    )


def request_of(
    command: Command, opened: SlideToRun, region: Rect | None, *, live: bool, view: Rect | None
) -> SegmentJobRequest:
    """What the worker is asked for one region of a slide that is on record in a project."""
    assert opened.project_path is not None
    assert opened.slide_id is not None
    return SegmentJobRequest(
        slide=opened.path,
        project=opened.project_path,
        slide_id=opened.slide_id,
        um_per_px=opened.given_um_per_px,
        model=command.model,
        device=command.device,
        tasks=command.tasks,
        region=region,
        use_tissue_mask=command.use_tissue_mask,
        tile_px=command.tile_px,
        live=live,
        view=view,
    )


def place_in_project(
    session: Session,
    opened: OpenedSlide,
    then: Callable[[], None],
    *,
    failed: Callable[[str], None],
    told: Callable[[str], None],
) -> None:
    """Make sure that a project knows the slide; it is made beside the slide where there is none.

    Parameters
    ----------
    session, opened
        Whose slide.
    then
        Called when the slide is on record.
    failed
        Told in words why nothing can be recorded.
    told
        Told where a new project is, if that is not beside the slide.
    """
    if opened.project_path is not None:
        _record(session, opened, then, failed)
        return

    def make(place: ProposedProject) -> None:
        if place.reason:
            told(place.reason)
        session.open_project(
            place.path,
            create=True,
            then=lambda: _record(session, opened, then, failed),
            opened=opened,
            failed=lambda error: failed(str(error)),
        )

    session.background.run(lambda: propose_project(opened.path), make, lambda error: failed(str(error)))


def _record(session: Session, opened: OpenedSlide, then: Callable[[], None], failed: Callable[[str], None]) -> None:
    scale, slide = opened.scale, opened.slide
    if scale is None:
        failed("the um per px of this slide is not known: fill it in under Slides")
        return
    if not opened.is_writer or opened.project_path is None:
        failed(opened.project_reason or "this project is open for reading only")
        return

    def add(project: Project) -> str:
        return project.add_slide(
            slide.path.resolve(),
            fingerprint=slide.fingerprint,
            shape=slide.shape,
            um_per_px_y=scale.y,
            um_per_px_x=scale.x,
            reader=slide.format,
        ).slide_id

    def done(slide_id: str) -> None:
        opened.slide_id = slide_id
        session.project_changed.emit()
        then()

    session.projects.use(opened.project_path, add, done, lambda error: failed(str(error)))
