"""The small form "Export": the project's objects to files of other tools."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from magicgui import magic_factory
from magicgui.widgets import Container

from pathloop.core import Event
from pathloop.gui._current import session_for
from pathloop.loop import EXPORT_FORMATS, ExportRequest, export

if TYPE_CHECKING:
    import napari.viewer

__all__ = ["make_export_form"]

NOTHING = "Nothing was segmented yet: press Run in the panel Segment, then export"


@magic_factory(
    call_button="Export",
    format={
        "choices": EXPORT_FORMATS,
        "tooltip": "labels-tiff: id images; geojson: outlines for QuPath; csv: a table",
    },
    folder={"mode": "d", "tooltip": "The files are written here"},
    only_this_slide={"tooltip": "Leave out the project's other slides"},
    with_tissue={"tooltip": "geojson: also write the tissue map as regions"},
)
def _export_form(
    viewer: "napari.viewer.Viewer",
    format: str = "geojson",
    folder: Path = Path("pathloop-export"),
    only_this_slide: bool = True,  # noqa: FBT001, FBT002 - a tick box
    with_tissue: bool = False,  # noqa: FBT001, FBT002 - a tick box
) -> None:
    """Write what the current slide's project holds."""
    session = session_for(viewer)
    opened = session.current
    if opened is None or opened.project_path is None or opened.slide_id is None:
        session.say(NOTHING, "warning")
        return
    request = ExportRequest(
        opened.project_path,
        format,  # type: ignore[arg-type]
        folder,
        slide_id=opened.slide_id if only_this_slide else None,
        with_tissue=with_tissue,
    )

    def work() -> list[Event]:
        return list(export(request))

    def done(events: list[Event]) -> None:
        names = getattr(events[-1], "summary", {}).get("files", [])
        session.say(f"Exported to {folder.resolve()}: {', '.join(names)}")

    session.background.run(work, done)


def make_export_form() -> "Container[Any]":
    """The form, as napari asks for it."""
    return _export_form()
