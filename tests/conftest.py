"""Fixtures that every room's tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "pathloop", deadline=None, max_examples=25, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("pathloop")


def real_data() -> Path:
    """The folder of real images: PATHLOOP_DATA, else ../shared/data beside the repository."""
    return Path(os.environ.get("PATHLOOP_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real images, or a skip that says how to get it."""
    folder = real_data()
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}: set PATHLOOP_DATA to their folder")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(20261120)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    # converted networks stay out of the user's cache; one for all rooms, since the first conversion takes seconds
    before = os.environ.get("PATHLOOP_CACHE")
    os.environ["PATHLOOP_CACHE"] = str(tmp_path_factory.getbasetemp() / "engine-cache")
    yield
    if before is None:
        del os.environ["PATHLOOP_CACHE"]
    else:
        os.environ["PATHLOOP_CACHE"] = before
