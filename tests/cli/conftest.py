"""Helpers beside this file, and a cache of converted networks that is not the user's."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


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
