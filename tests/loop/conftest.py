"""Slides, models and projects that several tests share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import drawn_slides


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return drawn_slides.drawn_model(tmp_path_factory.mktemp("model") / "drawn")


@pytest.fixture(scope="session")
def typed_model(tmp_path_factory):
    return drawn_slides.drawn_model(tmp_path_factory.mktemp("model") / "typed", drawn_slides.TYPED)


@pytest.fixture(scope="session")
def slide(tmp_path_factory):
    return drawn_slides.write_blobs(tmp_path_factory.mktemp("slide") / "blobs.tif", drawn_slides.SHAPE)


@pytest.fixture(scope="session")
def segmented(slide, model, tmp_path_factory):
    """A finished project, only read, and the events that made it."""
    project = tmp_path_factory.mktemp("project") / "blobs.pathloop"
    return project, drawn_slides.run(drawn_slides.drawn_request(slide, project, model))
