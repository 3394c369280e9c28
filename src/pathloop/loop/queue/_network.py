"""What only the network can say of regions: slides, models and engines are opened as they are needed."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.core import Event, Message, ModelError, Rect, Registry, StageProgress
from pathloop.loop._model_of import model_of
from pathloop.loop.queue._disagreement import WIDE_KERNEL_PX, Seen, flip_words, look, outline_words
from pathloop.loop.queue._grid import Candidate
from pathloop.loop.queue._request import Work
from pathloop.loop.queue._score import Score, saturated
from pathloop.loop.queue._windows import Window, open_recorded, window_of
from pathloop.networks import ModelCard, read_card
from pathloop.predict import Engine, EngineChoice, choose_engine, load_engine
from pathloop.slides import Slide
from pathloop.store import Project

__all__ = ["FEATURES", "NetworkLook"]

FEATURES = Registry("features", {"encoder": "pathloop.predict._features:EncoderFeatures"})
"""What turns pictures into features, by name; built as ``Features(model_folder, device)``. Loaded when first asked."""

FLIP_WEIGHT, OUTLINE_WEIGHT = 1.0, 0.7
HALF_OUTLINES = 3.0
"""Blurred outlines that make a score of one half."""


class NetworkLook:
    """Runs the network over candidates.

    Parameters
    ----------
    work
        Candidates, and how to run the network.

    Raises
    ------
    UsageError
        If the device or the engine is not there.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        network = work.network
        self._choice: EngineChoice = choose_engine(network.device, engine=network.engine, precision=network.precision)
        self._views = network.views or (8 if self._choice.device != "cpu" else 4)
        self._engines: dict[tuple[Path, tuple[str, ...]], Engine] = {}

    def disagreement(self, chosen: NDArray[np.int64]) -> Generator[Event, None, tuple[Score, Score]]:
        """What flips (and rotations) change, and outlines that are blurred; 0 and no words for all others.

        Yields
        ------
        Event
            `StageProgress` after every region. Closing stops before the next one.

        Raises
        ------
        SlideError, ProjectError, ModelError
            If a slide or a model is not here as it was when the slide was segmented.
        """
        n = len(self._work.candidates)
        flips, outlines = np.zeros(n), np.zeros(n)
        flips_said, outlines_said = [""] * n, [""] * n
        yield Message(
            f"the network looks at {len(chosen)} regions, each in {self._views} ways;"
            f" {self._choice.summary} ({self._choice.reason})"
        )
        stage = "flips" if self._views == 4 else "flips and rotations"
        for done, (index, place) in enumerate(self._places(chosen), start=1):
            seen = place.look(self._engine(place), views=self._views)
            flips[index] = max(seen.changes.values(), default=0.0)
            outlines[index] = sum(seen.blurred.values()) / HALF_OUTLINES
            flips_said[index], outlines_said[index] = flip_words(seen.changes), outline_words(seen.blurred)
            yield StageProgress(self._work.candidates[index].slide_id, stage, done, len(chosen))
        return (
            Score("flips", flips, tuple(flips_said), FLIP_WEIGHT),
            Score("outline", saturated(outlines), tuple(outlines_said), OUTLINE_WEIGHT),
        )

    def features(self, chosen: NDArray[np.int64]) -> Generator[Event, None, NDArray[np.float32] | None]:
        """(n, d) encoder features of some candidates in their order; None, with a word why, where there are none."""
        extractors: dict[Path, Any] = {}
        rows: dict[int, NDArray[np.float32]] = {}
        try:
            for done, (index, place) in enumerate(self._places(chosen), start=1):
                if place.folder not in extractors:
                    extractors[place.folder] = FEATURES.resolve("encoder")(place.folder, self._choice.device)
                rows[index] = extractors[place.folder].of(place.pixels(margin_px=0))
                yield StageProgress(self._work.candidates[index].slide_id, "features", done, len(chosen))
        except ModelError as error:
            yield Message(f"ordered without diversity: the encoder cannot be run ({error})", level="warning")
            return None
        if len(extractors) > 1:
            yield Message("ordered without diversity: slides of several models have no features in common")
            return None
        return np.stack([rows[index] for index in chosen.tolist()])

    def _places(self, chosen: NDArray[np.int64]) -> Iterator[tuple[int, "_Place"]]:
        """Some candidates, slide by slide, each slide open as long as it is looked at."""
        by_slide: dict[str, list[int]] = {}
        for index in chosen.tolist():
            by_slide.setdefault(self._work.candidates[index].slide_id, []).append(index)
        for slide_id, indexes in by_slide.items():
            folder = model_of(self._work.project, slide_id, self._work.network.model)
            card = read_card(folder)
            with open_recorded(self._work.slides[slide_id]) as slide:
                for index in indexes:
                    candidate = self._work.candidates[index]
                    yield index, _Place(self._work.project, slide, folder, card, candidate)

    def _engine(self, place: "_Place") -> Engine:
        key = place.folder, place.tasks
        if key not in self._engines:
            self._engines[key] = load_engine(*key, self._choice)
        return self._engines[key]


@dataclass(frozen=True, slots=True)
class _Place:
    """A candidate on its open slide, with the model that looks at it."""

    project: Project
    slide: Slide
    folder: Path
    card: ModelCard
    candidate: Candidate

    @property
    def tasks(self) -> tuple[str, ...]:
        """Object tasks of the model that the slide was segmented for.

        Raises
        ------
        ModelError
            If there is none.
        """
        known = self.project.tasks(self.candidate.slide_id)
        found = tuple(task.name for task in self.card.labels.instance_tasks if task.name in known)
        if not found:
            raise ModelError(
                f"model {self.card.name!r} has none of the tasks of slide {self.candidate.slide_id!r}"
                f" ({', '.join(known) or 'none'}); name another one with --model"
            )
        return found

    def pixels(self, *, margin_px: int) -> NDArray[np.uint8]:
        """The candidate's square."""
        window = window_of(self.candidate.rect, self.slide, self.card, margin_px=margin_px)
        return window.read(self.slide, self.card.um_per_px)

    def look(self, engine: Engine, *, views: int) -> Seen:
        """Run the views and compare."""
        window = window_of(self.candidate.rect, self.slide, self.card, margin_px=self.card.margin_px)
        wide = [task for task in self.tasks if self.card.labels[task].post.kernel_px >= WIDE_KERNEL_PX]
        objects = {task: self._ids(task, window) for task in wide}
        pixels = window.read(self.slide, self.card.um_per_px)
        return look(pixels, window, engine, self.card.labels, objects, views=views)

    def _ids(self, task: str, window: Window) -> NDArray[np.int32]:
        """Ids of the candidate's pixels at the model's scale: those of the level-0 pixel under each centre."""
        pyramid, scale = (
            self.project.labels(self.candidate.slide_id, task),
            self.project.slide(self.candidate.slide_id).scale,
        )
        places = []
        for start, stop, um, size in (
            (window.own.y, window.own.bottom, scale.y, pyramid.shape[0]),
            (window.own.x, window.own.right, scale.x, pyramid.shape[1]),
        ):
            level0 = np.floor((np.arange(start, stop) + 0.5) * (self.card.um_per_px / um)).astype(np.int64)
            places.append(np.clip(level0, 0, size - 1))
        rows, cols = places
        source = Rect.from_bounds(int(rows[0]), int(cols[0]), int(rows[-1]) + 1, int(cols[-1]) + 1)
        return np.asarray(pyramid.read(source)[np.ix_(rows - source.y, cols - source.x)], np.int32)
