"""One unit for all layers: napari draws nothing right where some are in um and others in pixels."""

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from pathloop.core import Scale

if TYPE_CHECKING:
    from pathloop.gui._session import Session

__all__ = ["UnitKeeper", "unit_of", "with_unit_of"]


def unit_of(scale: Scale | None) -> str:
    """The unit of a slide's layers: um where the scale is known, else pixels."""
    return "pixel" if scale is None else "um"


def with_unit_of(current: Any | None, options: dict[str, Any]) -> dict[str, Any]:
    """A new image layer's options with the unit of the slide that is shown now, an `OpenedSlide`.

    napari draws as soon as a layer comes, before anybody else can make units equal; once the new slide is current,
    `UnitKeeper` gives it its own.
    """
    return options if current is None else options | {"units": (unit_of(current.scale),) * 2}


class UnitKeeper:
    """Gives every layer the unit of the current slide, um where its scale is known and pixels where it is not.

    Only the name of the unit changes, no number: where units differ, napari takes the numbers as they are too, but
    loses what is on screen. Slides that are not current are hidden; they get their own unit back with the view.

    Parameters
    ----------
    session
        The viewer's session.
    """

    def __init__(self, session: "Session") -> None:
        self._session = session
        self._own: WeakKeyDictionary[Any, tuple[Any, ...]] = WeakKeyDictionary()
        self._signals: tuple[Any, ...] = (session.current_changed, session.scale_changed)
        for signal in self._signals:
            signal.connect(self.share)
        session.viewer.layers.events.inserted.connect(self._on_inserted)
        self.share()

    def share(self) -> None:
        """Bring all layers to the current slide's unit."""
        opened = self._session.current
        if opened is None:
            return
        unit = unit_of(opened.scale)
        for layer in self._session.viewer.layers:
            if not all(one.is_compatible_with(unit) for one in layer.units):
                self._own.setdefault(layer, tuple(layer.units))
                layer.units = (unit,) * len(layer.units)

    def own(self, layer: Any) -> tuple[Any, ...]:
        """The units that a layer came with."""
        return self._own.get(layer, tuple(layer.units))

    def close(self) -> None:
        """Stop."""
        for signal in self._signals:
            signal.disconnect(self.share, missing_ok=True)
        self._session.viewer.layers.events.inserted.disconnect(self._on_inserted)

    def _on_inserted(self, event: Any) -> None:
        self.share()
