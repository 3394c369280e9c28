"""Makes the writers of test slides importable; a session whose slide is shown."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "slides"))


@pytest.fixture
def opened(session, small_slide):
    """The small slide, shown; 0.5 um per px."""
    session.open_slide(small_slide)
    session.background.flush()
    assert session.current is not None
    return session.current
