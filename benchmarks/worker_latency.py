"""How long a user waits for the first tile, and for a whole screen: a cold worker, a second start, and a warm one.

    python benchmarks/worker_latency.py SLIDE [--um-per-px 0.25] [--device cpu] [--repeats 3]

The view is 1200 x 800 screen pixels at 1 um per px on the part of the slide that holds most tissue; the run is live.
"cold": no converted network in the cache, a new process. "second start": a new process, everything else is there.
"warm": the process was prepared, and each repeat is a new project. Times count from the request (for new processes:
from the start of the process) to the event that the client hears.
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from scipy import ndimage

from pathloop.core import Assembled, Event, Failed, Rect, RunIdle, TileDone, WorkerPrepared
from pathloop.loop import SegmentJobRequest, WorkerClient
from pathloop.slides import Slide, open_slide, tissue_mask
from pathloop.store import Project

SCREEN = (800, 1200)
UM_PER_SCREEN_PX = 1.0


class Ear:
    """Hears the worker and notes when."""

    def __init__(self) -> None:
        self._told = threading.Condition()
        self._heard: list[tuple[float, int, object]] = []
        self.client = WorkerClient(self._event, self._exit)

    def _event(self, job: int, event: Event | dict[str, object]) -> None:
        with self._told:
            self._heard.append((time.perf_counter(), job, event))
            self._told.notify()

    def _exit(self, code: int, text: str) -> None:
        self._event(-1, Failed(text, code))

    def when(self, job: int, *kinds: type[Event]) -> float:
        """Time of a job's first event of these kinds."""
        with self._told:
            while True:
                for moment, number, event in self._heard:
                    if isinstance(event, Failed):
                        raise SystemExit(event.message)
                    if number == job and isinstance(event, kinds):
                        return moment
                self._told.wait()

    def count(self, job: int) -> int:
        with self._told:
            return sum(number == job and isinstance(event, TileDone) for _, number, event in self._heard)


def busiest_view(slide: Slide) -> Rect:
    """The view that holds most tissue, level-0 pixels."""
    assert slide.scale is not None
    found = tissue_mask(slide)
    height, width = (max(1, round(side * UM_PER_SCREEN_PX / slide.scale.um_per_px)) for side in SCREEN)
    size = [max(1, round(side / step)) for side, step in zip((height, width), found.downsample, strict=True)]
    share = ndimage.uniform_filter(found.mask.astype(np.float32), size, mode="constant")
    row, col = np.unravel_index(int(share.argmax()), share.shape)
    centre = (row + 0.5) * found.downsample[0], (col + 0.5) * found.downsample[1]
    view = Rect(round(centre[0] - height / 2), round(centre[1] - width / 2), height, width)
    return view.intersect(Rect(0, 0, *slide.shape))


def request(path: Path, um_per_px: float | None, device: str, folder: Path) -> SegmentJobRequest:
    """A live run in a new project."""
    with open_slide(path, um_per_px=um_per_px) as slide, Project.create(folder / "p.pathloop") as project:
        assert slide.scale is not None, "give --um-per-px"
        record = project.add_slide(
            path.resolve(),
            fingerprint=slide.fingerprint,
            shape=slide.shape,
            um_per_px_y=slide.scale.y,
            um_per_px_x=slide.scale.x,
            reader=slide.format,
        )
        view = busiest_view(slide)
        return SegmentJobRequest(
            path, project.path, record.slide_id, um_per_px=um_per_px, device=device, live=True, view=view
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slide", type=Path)
    parser.add_argument("--um-per-px", type=float)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rows: dict[str, list[tuple[float, float]]] = {"cold": [], "second start": [], "warm": []}
    n_tiles = 0
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory(prefix="pathloop-") as cache:
            os.environ["PATHLOOP_CACHE"] = cache
            for name in rows:
                with tempfile.TemporaryDirectory(prefix="pathloop-") as folder:
                    asked = request(options.slide, options.um_per_px, options.device, Path(folder))
                    ear = Ear()
                    if name == "warm":
                        ear.when(ear.client.prepare(device=options.device), WorkerPrepared)
                    started = time.perf_counter()
                    job = ear.client.segment(asked)
                    first = ear.when(job, TileDone) - started
                    # a slide that fits on the screen is assembled without a rest
                    screen = ear.when(job, RunIdle, Assembled) - started
                    rows[name].append((first, screen))
                    n_tiles = ear.count(job)
                    ear.client.stop()
    print(f"{options.slide.name}: {n_tiles} tiles in view, median of {options.repeats} (range), seconds")
    print(f"{'':14s} {'first tile':>22s} {'whole screen':>22s}")
    for name, times in rows.items():
        cells = [
            f"{statistics.median(column):6.2f} ({min(column):.2f} .. {max(column):.2f})"
            for column in zip(*times, strict=True)
        ]
        print(f"{name:14s} {cells[0]:>22s} {cells[1]:>22s}")


if __name__ == "__main__":
    main()
