"""Open napari with pathloop's panels and, if given, a slide."""

from pathlib import Path
from typing import Any

__all__ = ["PANELS", "add_panels", "start"]

PANELS = ("Slides", "Segment", "Look", "Objects", "Queue", "Correct", "Train")
"""Display names of the widgets in the manifest, in the order of the tabs."""


def add_panels(viewer: Any) -> dict[str, Any]:
    """Dock all panels on the right, as tabs.

    Returns
    -------
    dict
        Panel by display name.
    """
    panels = {}
    for name in PANELS:
        dock, panels[name] = viewer.window.add_plugin_dock_widget("pathloop", name, tabify=name != "Slides")
        # napari's title names the plugin too, which does not fit on a tab
        dock.setWindowTitle(name)
    return panels


def start(slide: Path | None = None, project: Path | None = None) -> int:
    """Open a window and stay until it closes.

    Parameters
    ----------
    slide
        A slide to open.
    project
        Where its work is kept; None = where it is found.
    """
    import napari

    from pathloop.gui._current import session_for

    viewer = napari.Viewer(title="pathloop")
    add_panels(viewer)
    if slide is not None:
        session_for(viewer).open_slide(slide, project=project)
    napari.run()
    return 0
