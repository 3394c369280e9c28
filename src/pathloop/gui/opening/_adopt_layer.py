"""The active image layer of another reader, as a slide of ours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pathloop.core import PathloopError, Scale
from pathloop.gui._session import Session
from pathloop.gui.opening._adopt import adopt, can_adopt
from pathloop.loop import propose_project

__all__ = ["adopt_active_layer", "adoptable_name"]


def adoptable_name(session: Session) -> str:
    """Name of the active layer, where it is an image that is no slide yet and could be one; else empty."""
    layer = session.viewer.layers.selection.active
    if layer is None or getattr(layer, "rgb", None) is None:
        return ""
    own = layer.metadata.get("pathloop") if isinstance(layer.metadata, dict) else None
    return "" if own or can_adopt(layer) else str(layer.name)


def adopt_active_layer(session: Session) -> None:
    """Open the active layer's pixels as a slide: its own file, or a copy made in the background."""
    layer = session.viewer.layers.selection.active
    reason = "Select an image layer first" if layer is None else can_adopt(layer)
    if layer is None or reason:
        session.say(reason, "warning")
        return
    scale = layer_scale(layer, session.units.own(layer))
    own = getattr(layer.source, "path", None)
    folder = Path(own).parent if own else Path.home() / "pathloop"
    name = str(layer.name)
    session.say(f"Reading {name!r} as a slide; the layer itself stays as it is.")

    def work() -> Path:
        if not own:
            folder.mkdir(parents=True, exist_ok=True)
        # the copy goes where its project will go
        return adopt(layer, propose_project(folder / f"{name}.tif").path.parent, scale)

    um_per_px = None if scale is None else scale.um_per_px
    session.background.run(work, lambda path: session.open_slide(path, um_per_px), session.report)


def layer_scale(layer: Any, units: Sequence[Any]) -> Scale | None:
    """Um per px of a layer whose own units are lengths; None where they are pixels."""
    values = []
    for step, unit in zip(layer.scale[-2:], units[-2:], strict=True):
        if not unit.is_compatible_with("um"):
            return None
        values.append(float((float(step) * unit).to("um").magnitude))
    try:
        return Scale(*values)
    except PathloopError:
        return None
