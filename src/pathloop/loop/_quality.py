"""What a slide's quality note says before a run, and its mask as files."""

import time
from collections.abc import Generator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import Event, Message, Rect, StageProgress, atomic_path, write_json
from pathloop.slides import QUALITY_COLORS, QUALITY_NAMES, QualityNote, Slide, is_fault, quality_steps

__all__ = ["quality_messages", "write_quality"]

QUIET_S = 1.0
"""Progress is told of what takes longer."""
PICTURE_PX = 1600


def quality_messages(slide: Slide, region: Rect) -> Generator[Event, None, tuple[str, ...]]:
    """Warn of what is wrong with a region of a slide; returns the sentences, with the slide's name.

    Yields
    ------
    Event
        `StageProgress` where it takes longer than a second, then a `Message` a fault.
    """
    whole = region == Rect(0, 0, *slide.shape)
    steps, began = quality_steps(slide, roi=None if whole else region), time.monotonic()
    while True:
        try:
            event = next(steps)
        except StopIteration as end:
            note: QualityNote = end.value
            break
        if time.monotonic() - began > QUIET_S:
            yield event
    told = tuple(f"{slide.path.name}: {sentence}" for sentence in note.sentences)
    for text in told:
        yield Message(text, level="warning")
    return told


def write_quality(
    slide: Slide, name: str, folder: Path, roi: Rect | None = None
) -> Generator[Event, None, QualityNote]:
    """Write a slide's quality note to a folder.

    ``<name>_quality.tif``: uint8 codes of the grid (8 um a pixel); ``<name>_quality.json``: what they mean, shares and
    sentences; ``<name>_quality.png``: the slide with the codes over it.

    Yields
    ------
    StageProgress
        While the slide is looked at.
    """
    import tifffile

    note = yield from quality_steps(slide, roi=roi)
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / f"{name}_quality"
    with atomic_path(base.with_suffix(".tif")) as temporary:
        tifffile.imwrite(temporary, note.codes, compression="zlib")
    write_json(base.with_suffix(".json"), _facts(note))
    coded, picture = cv2.imencode(".png", _picture(slide, note)[..., ::-1])
    assert coded
    with atomic_path(base.with_suffix(".png")) as temporary:
        temporary.write_bytes(picture.tobytes())
    yield StageProgress(slide.path.name, "quality note", 1, 1)
    return note


def _facts(note: QualityNote) -> dict[str, object]:
    """Schema 1: see docs/reference/json.md."""
    return {
        "version": 1,
        "codes": {str(code): name for code, name in enumerate(QUALITY_NAMES)},
        "origin_px_level0": list(note.origin),
        "step_px_level0": list(note.downsample),
        "shares": note.shares,
        "sentences": list(note.sentences),
    }


def _picture(slide: Slide, note: QualityNote) -> NDArray[np.uint8]:
    """The noted part of the slide, what is wrong with it coloured."""
    rows, columns = note.codes.shape
    step = note.downsample
    height, width = rows * step[0], columns * step[1]
    factor = max(1.0, max(height, width) / PICTURE_PX)
    size = max(1, round(width / factor)), max(1, round(height / factor))
    place = Rect(round(note.origin[0] / factor), round(note.origin[1] / factor), size[1], size[0])
    image = slide.read_downsampled(place, factor) if factor > 1 else slide.read_level(0, place)
    codes = np.asarray(cv2.resize(note.codes, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    colors = np.array(QUALITY_COLORS, np.float32)[codes]
    share = np.where(is_fault(codes), 0.45, 0.0).astype(np.float32)[..., None]
    mixed: NDArray[np.uint8] = (image * (1 - share) + colors * share).astype(np.uint8)
    return mixed
