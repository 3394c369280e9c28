"""Helpers beside this file, and a cache of converted networks that is not the user's."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import drawn_slides


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # one for all rooms: the first conversion takes seconds
    before = os.environ.get("PATHLOOP_CACHE")
    os.environ["PATHLOOP_CACHE"] = str(tmp_path_factory.getbasetemp() / "engine-cache")
    yield
    if before is None:
        del os.environ["PATHLOOP_CACHE"]
    else:
        os.environ["PATHLOOP_CACHE"] = before


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
