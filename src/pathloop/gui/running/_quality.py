"""What is wrong with the slide on screen, looked for as soon as it is there: before anyone trusts a result."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pathloop.core import SlideError
from pathloop.gui._opened import OpenedSlide
from pathloop.gui._session import Session
from pathloop.gui.display import label_colormap, scale_and_units
from pathloop.slides import QUALITY_COLORS, QualityNote, is_fault, quality_steps

__all__ = ["QualityWatch"]

LAYER = "quality"
ALPHA = 0.45


class QualityWatch:
    """Looks at every slide that comes to the front, in the background, and says what it found.

    Parameters
    ----------
    session
        The viewer's session.
    told
        Called on the main thread with the sentences of the current slide ("" = nothing against it, or not known yet)
        and whether there is a place to show.
    """

    def __init__(self, session: Session, told: Callable[[str, bool], Any]) -> None:
        self._session, self._told = session, told
        self._notes: dict[Any, QualityNote | None] = {}
        self._layers: dict[Any, Any] = {}
        self._is_over = False
        session.current_changed.connect(self._refresh)
        session.scale_changed.connect(self._rescaled)
        session.slide_closed.connect(self._forget)
        session.closing.append(self._end)
        self._refresh()

    @property
    def note(self) -> QualityNote | None:
        """Of the current slide; None until it is there."""
        opened = self._session.current
        return None if opened is None else self._notes.get(_key(opened))

    def show_where(self, *, on: bool) -> None:
        """Lay what was found over the slide, or take it away."""
        opened, note = self._session.current, self.note
        if opened is None or note is None:
            return
        self._take_away(opened)
        if on:
            layers = self._session.viewer.layers
            chosen = set(layers.selection)
            self._layers[id(opened)] = self._session.viewer.add_layer(_layer(opened, note))
            layers.selection = chosen

    @property
    def is_shown(self) -> bool:
        """Whether the current slide's faults lie over it."""
        opened = self._session.current
        layer = None if opened is None else self._layers.get(id(opened))
        return layer is not None and layer in self._session.viewer.layers

    def _forget(self, opened: OpenedSlide) -> None:
        self._notes.pop(_key(opened), None)
        self._take_away(opened)

    def _take_away(self, opened: OpenedSlide) -> None:
        layer = self._layers.pop(id(opened), None)
        if layer is not None and layer in self._session.viewer.layers:
            self._session.viewer.layers.remove(layer)

    def _rescaled(self) -> None:
        # what was found at another scale lies elsewhere now
        if self._session.current is not None:
            self._take_away(self._session.current)
        self._refresh()

    def _end(self) -> None:
        self._is_over = True

    def _refresh(self) -> None:
        opened, note = self._session.current, self.note
        has_place = note is not None and bool(is_fault(note.codes).any())
        self._told("" if note is None else "\n".join(note.sentences), has_place)
        if opened is None or _key(opened) in self._notes:
            return
        key = _key(opened)
        self._notes[key] = None

        def done(found: QualityNote | None) -> None:
            if found is None:
                self._notes.pop(key, None)  # looked at anew when it comes back
                return
            self._notes[key] = found
            self._refresh()

        self._session.background.run(lambda: self._look(opened), done)

    def _look(self, opened: OpenedSlide) -> QualityNote | None:
        """In a thread: the note, or None where the slide or the window was closed meanwhile."""
        steps = quality_steps(opened.slide)
        try:
            while not self._is_over:
                next(steps)
        except StopIteration as end:
            note: QualityNote = end.value
            return note
        except SlideError:
            return None
        steps.close()
        return None


def _key(opened: OpenedSlide) -> tuple[Any, ...]:
    return opened.path, opened.scale, id(opened.slide)


def _layer(opened: OpenedSlide, note: QualityNote) -> Any:
    from napari.layers import Labels

    table = np.zeros((256, 4), np.float32)
    for code, color in enumerate(QUALITY_COLORS[1:], 1):  # 0 is napari's background and stays clear
        table[code] = (*(value / 255 for value in color), ALPHA)
    size, units = scale_and_units(opened.scale)
    # napari wants the centre of the first pixel
    places = zip(note.origin, note.downsample, size, strict=True)
    layer = Labels(
        np.where(is_fault(note.codes), note.codes, 0).astype(np.uint8),
        name=f"{opened.name} - {LAYER}",
        colormap=label_colormap(table),
        scale=[step * each for step, each in zip(note.downsample, size, strict=True)],
        translate=[(origin + step / 2 - 0.5) * each for origin, step, each in places],
        units=units,
        opacity=1.0,
        metadata={"pathloop": {"slide": opened.name, "task": LAYER}},
    )
    layer.editable = False
    return layer
