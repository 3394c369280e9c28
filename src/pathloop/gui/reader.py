"""napari's way in: slides and project folders by drag and drop, File > Open and ``viewer.open``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["get_project_reader", "get_slide_reader"]

LayerData = tuple[Any, dict[str, Any], str]
Reader = Callable[[Any], list[LayerData]]
NOTHING_TO_ADD: list[Any] = [(None,)]
"""What tells napari that a reader has done its work without giving layers."""


def get_slide_reader(path: str | list[str]) -> Reader | None:
    """The reader of one slide, or None for a stack of files and for folders that are no OME-Zarr or DICOM slide.

    napari asks about every folder, whatever its name.
    """
    from pathloop.slides import is_slide_folder

    if isinstance(path, list) or (Path(path).is_dir() and not is_slide_folder(Path(path))):
        return None
    return _read_slide


def get_project_reader(path: str | list[str]) -> Reader | None:
    """The reader of a project folder, or None where the path is none."""
    from pathloop.slides import is_slide_folder

    is_folder = isinstance(path, str) and Path(path).is_dir()
    return _read_project if is_folder and not is_slide_folder(Path(str(path))) else None


def _read_slide(path: str) -> list[LayerData]:
    """The slide as an image layer.

    Raises
    ------
    SlideError
        If it cannot be read; the message says what to do.
    """
    from pathloop.gui.opening import open_slide_layer, read_settings, with_unit_of

    session = _session()
    if session is not None and session.shows(Path(path)):
        return NOTHING_TO_ADD
    data, options = open_slide_layer(Path(path), direct_zarr=read_settings().reading.direct_zarr)
    if session is not None:
        options = with_unit_of(session.current, options)
    return [(data, options, "image")]


def _read_project(path: str) -> list[LayerData]:
    """Open the slide of a project that was open last, with what the project holds of it.

    Raises
    ------
    ProjectError
        If it is no project, has no slides, or its slides are not where they were.
    """
    from pathloop.gui.opening import last_slide

    project = Path(path)
    slide = last_slide(project)
    session = _session()
    if session is None:
        return _read_slide(str(slide))
    session.open_slide(slide, project=project)
    return NOTHING_TO_ADD


def _session() -> Any | None:
    """The session of the viewer that is asked to open something; None outside napari's window."""
    from napari import current_viewer

    from pathloop.gui._current import session_for

    viewer = current_viewer()
    return None if viewer is None else session_for(viewer)
