"""Reduced levels that are built into the cache, for slides that have none."""

import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from slide_files import picture, write_image, write_pyramid, write_tiff
from slide_reader_tests import SlideReaderTests

from pathloop.core import JobFinished, ProjectLock, ProjectLockedError, Rect, StageProgress
from pathloop.slides import build_pyramid, open_slide, remove_pyramids, stored_pyramids
from pathloop.slides._pyramid_store import pyramid_path


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("PATHLOOP_CACHE", str(folder))
    return folder


def large(height: int = 1201, width: int = 2603) -> np.ndarray:
    return np.tile(picture(), (height // 300 + 1, width // 420 + 1, 1))[:height, :width]


def halved(image: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 with numpy alone."""
    height, width = image.shape[:2]
    even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge").astype(int)
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2] + 2) // 4


WRITERS = {
    "tiles.tif": lambda path: write_tiff(path, large(), tile=(256, 256), photometric="rgb"),
    "strips.tif": lambda path: write_tiff(path, large(), rowsperstrip=7, photometric="rgb"),
    "one_strip.tif": lambda path: write_tiff(path, large(), photometric="rgb"),
    "a.png": lambda path: write_image(path, large()),
}


class TestBuilt(SlideReaderTests):
    """A slide with levels of its own, but no small one, and two that were built."""

    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_tiff(tmp_path_factory.mktemp("built") / "a.tif", picture(), photometric="rgb", tile=(64, 64))

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def cache(cls, tmp_path_factory: pytest.TempPathFactory, slide_path: Path):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATHLOOP_CACHE", str(tmp_path_factory.mktemp("cache")))
            for place in ("_build_pyramid.SMALL_LEVEL_PX", "_slide.SMALL_LEVEL_PX", "_build_pyramid.COARSEST_PX"):
                patch.setattr(f"pathloop.slides.{place}", 150)
            list(build_pyramid(slide_path))
            yield

    def test_facts(self, slide) -> None:
        assert [level.shape for level in slide.levels] == [(300, 420), (150, 210), (75, 105)]
        assert [level.downsample for level in slide.levels] == [(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)]
        assert slide.levels[2].zarr is not None


@pytest.mark.parametrize("name", WRITERS)
def test_levels_are_means_and_level_0_is_as_it_was(tmp_path: Path, name: str) -> None:
    path = WRITERS[name](tmp_path / name)
    content = path.read_bytes()
    with open_slide(path) as before:
        fingerprint = before.fingerprint
        assert len(before.levels) == 1
    *progress, last = build_pyramid(path)
    assert isinstance(last, JobFinished)
    assert all(isinstance(event, StageProgress) for event in progress)
    assert all(a.done < b.done for a, b in pairwise(progress))
    assert progress[-1].done == progress[-1].total
    with open_slide(path) as slide:
        assert [level.shape for level in slide.levels] == [(1201, 2603), (601, 1302), (301, 651)]
        np.testing.assert_array_equal(slide.read(Rect(0, 0, *slide.shape)), large())
        expected = large()
        for index in (1, 2):
            expected = halved(expected)
            np.testing.assert_array_equal(slide.read_level(index, Rect(0, 0, *slide.levels[index].shape)), expected)
            np.testing.assert_array_equal(slide.levels[index].dask.compute(scheduler="sync"), expected)
        assert slide.fingerprint == fingerprint
    assert path.read_bytes() == content


def test_it_is_found_wherever_the_slide_goes_and_by_no_other(tmp_path: Path) -> None:
    path = WRITERS["tiles.tif"](tmp_path / "a.tif")
    list(build_pyramid(path))
    other = write_tiff(tmp_path / "b.tif", large()[::-1].copy(), tile=(256, 256), photometric="rgb")
    with open_slide(path.rename(tmp_path / "moved.tif")) as slide, open_slide(other) as unlike:
        assert (len(slide.levels), len(unlike.levels)) == (3, 1)


def test_listed_and_removed(tmp_path: Path, cache: Path) -> None:
    path = WRITERS["tiles.tif"](tmp_path / "a.tif")
    assert stored_pyramids() == []
    assert remove_pyramids([]) == 0
    list(build_pyramid(path))
    (one,) = stored_pyramids()
    assert (one.slide, one.shapes, one.n_bytes) == (path, ((601, 1302), (301, 651)), one.path.stat().st_size)
    assert one.path.is_relative_to(cache)
    assert remove_pyramids([one]) == one.n_bytes
    assert stored_pyramids() == []
    with open_slide(path) as slide:
        assert len(slide.levels) == 1


@pytest.mark.parametrize("how", ["one small level", "small image", "built before"])
def test_nothing_to_build(tmp_path: Path, how: str) -> None:
    if how == "one small level":
        path = write_pyramid(tmp_path / "a.tif", large(), levels=1)
    elif how == "small image":
        path = write_image(tmp_path / "a.png", picture())
    else:
        path = WRITERS["tiles.tif"](tmp_path / "a.tif")
        list(build_pyramid(path))
    before = stored_pyramids()
    message, last = build_pyramid(path)
    assert "nothing to build" in message.text
    assert last.summary["built"] == 0
    assert stored_pyramids() == before


def test_cancelling_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    path = WRITERS["tiles.tif"](tmp_path / "a.tif")
    events = build_pyramid(path)
    assert [next(events).done, next(events).done] == [0, 1]
    events.close()
    assert [each.name for each in (cache / "pyramids").iterdir()] == [".lock"]
    list(build_pyramid(path))
    assert len(stored_pyramids()) == 1


KILLED = """
import sys, time
from pathlib import Path
from pathloop.slides import build_pyramid
for event in build_pyramid(Path(sys.argv[1])):
    if event.done == 1:
        print("half", flush=True)
        time.sleep(60)
"""


def test_a_killed_build_looks_like_none_and_is_cleared_away(tmp_path: Path, cache: Path) -> None:
    path = WRITERS["tiles.tif"](tmp_path / "a.tif")
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        with pytest.raises(ProjectLockedError):
            list(build_pyramid(path))
    finally:
        process.kill()
        process.communicate()
    assert len(list((cache / "pyramids").glob(".*.zip"))) == 1
    assert stored_pyramids() == []
    with open_slide(path) as slide:
        assert len(slide.levels) == 1
    for _ in range(50):
        try:
            remove_pyramids([])
            break
        except ProjectLockedError:
            time.sleep(0.1)
    assert [each.name for each in (cache / "pyramids").iterdir()] == [".lock"]


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    path = WRITERS["tiles.tif"](tmp_path / "a.tif")
    list(build_pyramid(path))
    (one,) = stored_pyramids()
    one.path.write_bytes(one.path.read_bytes()[:-1000])
    with open_slide(path) as slide:
        assert len(slide.levels) == 1
    (listed,) = stored_pyramids()
    assert listed.shapes == ()
    list(build_pyramid(path))
    with open_slide(path) as slide:
        assert len(slide.levels) == 3


def test_only_one_builds_at_a_time(tmp_path: Path, cache: Path) -> None:
    path = WRITERS["tiles.tif"](tmp_path / "a.tif")
    (cache / "pyramids").mkdir()
    with ProjectLock(cache / "pyramids" / ".lock"), pytest.raises(ProjectLockedError):
        list(build_pyramid(path))
    with open_slide(path) as slide:
        assert not pyramid_path(slide.fingerprint).exists()
