"""Fixtures of the store's tests; makes the helpers beside them importable, whatever pytest's import mode."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pathloop.store import Project

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """An open project with one slide ``s``."""
    from drawn_objects import add_slide

    with Project.create(tmp_path / "p.pathloop") as project:
        add_slide(project)
        yield project
