"""Makes the helpers beside these tests importable."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import planted


@pytest.fixture
def project_path(tmp_path):
    """A project whose difficulty is planted; see `planted`."""
    return planted.make(tmp_path / "planted.pathloop")
