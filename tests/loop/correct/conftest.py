"""Fixtures of the corrections' tests; makes the helper beside them importable, whatever pytest's import mode."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pathloop.store import Project

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An open project with one slide ``s``, on which a run found four nuclei and two glands."""
    from corrected_project import make

    with make(tmp_path / "p.pathloop") as project:
        yield project
