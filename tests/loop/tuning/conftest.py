"""A segmented slide of blobs with done regions, held-out ones among them, and models that are as good, or worse."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import drawn_slides
from tuning_kit import HELD, TASKS, TRAIN, with_weights

import pathloop.learn._check_set as check_set
from pathloop.loop.correct import accept_region, add_regions
from pathloop.store import Project, Region


@pytest.fixture(autouse=True)
def small_drawings(monkeypatch):
    monkeypatch.setattr(check_set, "CHECK_PX", 128)
    monkeypatch.setattr(check_set, "CHECK_IMAGES", 1)


@pytest.fixture
def done(segmented, tmp_path):
    """A project folder whose regions are done as the model of the slide predicted them."""
    path = tmp_path / "done.pathloop"
    shutil.copytree(segmented[0], path)
    with Project.open(path, write=True) as project:
        slide_id = project.slides()[0].slide_id
        states = dict.fromkeys(TASKS, "todo")
        asked = [Region(0, slide_id, rect, states=states) for rect in TRAIN]
        asked += [Region(0, slide_id, rect, holdout=True, states=states) for rect in HELD]
        _, regions = add_regions(project, slide_id, asked)
        for region in regions:
            accept_region(project, region.id)
    return path


@pytest.fixture
def worse(tmp_path):
    """A model that finds nothing."""
    return with_weights(drawn_slides.drawn_model(tmp_path / "worse", name="worse"), b"worse")


@pytest.fixture
def other(tmp_path):
    """A model with weights of its own that is exactly as good as the one of the slide."""
    return with_weights(drawn_slides.drawn_model(tmp_path / "other", name="other"), b"other")
