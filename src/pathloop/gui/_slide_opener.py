"""Opening slide files in the background, each once."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pathloop.gui.opening import open_slide_layer, with_unit_of

if TYPE_CHECKING:
    from pathloop.gui._session import Session

__all__ = ["SlideOpener"]


class SlideOpener:
    """Opens slides of a session.

    Parameters
    ----------
    session
        It takes a layer of ours for a slide as soon as that is in its viewer.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._opening: set[Path] = set()
        self._wanted: dict[Path, Path] = {}

    def open(self, path: Path, um_per_px: float | None, project: Path | None) -> None:
        """See `Session.open_slide`."""
        if self.shows(path):
            return
        session, key = self._session, path.resolve()
        direct = session.settings.reading.direct_zarr
        self._opening.add(key)

        def work() -> tuple[Any, dict[str, Any]]:
            return open_slide_layer(path, um_per_px=um_per_px, direct_zarr=direct)

        def done(found: tuple[Any, dict[str, Any]]) -> None:
            self._opening.discard(key)
            if project is not None:
                self._wanted[key] = project
            levels, options = found
            session.viewer.add_image(levels, **with_unit_of(session.current, options))

        def failed(error: Exception) -> None:
            self._opening.discard(key)
            session.report(error)

        session.background.run(work, done, failed)

    def shows(self, path: Path) -> bool:
        """See `Session.shows`."""
        key = path.resolve()
        known = next((one for one in self._session.opened if one.path == key), None)
        if known is not None:
            self._session.set_current(known)
        return known is not None or key in self._opening

    def wanted_project(self, path: Path) -> Path | None:
        """Where the work on a slide shall be kept, as it was said when it was opened; asked for once."""
        return self._wanted.pop(path, None)
