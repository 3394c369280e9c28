"""A large image without small levels: the question in the panel Slides, and what building them does."""

import numpy as np
import pytest
import tifffile

from pathloop.gui.opening._small_levels import SmallLevels
from pathloop.slides import stored_pyramids


@pytest.fixture
def large(session, tmp_path, monkeypatch):
    monkeypatch.setenv("PATHLOOP_CACHE", str(tmp_path / "cache"))
    pixels = np.random.default_rng(1).integers(0, 255, (300, 9000, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "large.tif", pixels, photometric="rgb", tile=(256, 256))
    session.open_slide(tmp_path / "large.tif")
    session.background.flush()
    return session.current


def test_a_slide_with_small_levels_is_not_asked_about(opened, session):
    assert SmallLevels(session, lambda: None).state(opened).text == ""


def test_nothing_is_built_unasked(large, session):
    state = SmallLevels(session, lambda: None).state(large)
    assert "no small levels" in state.text
    assert state.can_build
    assert stored_pyramids() == []


def test_built_levels_come_into_the_layer(large, session):
    told = []
    levels = SmallLevels(session, lambda: told.append(levels.state(large).text))
    layer, before = large.layer, np.asarray(large.layer.data[0][:50, :60])
    levels.build()
    assert any("100 %" in text for text in told)
    assert levels.state(large).text == ""
    assert large.layer is layer
    assert [level.shape[1] for level in layer.data] == [9000, 4500, 2250, 1125, 563]
    np.testing.assert_array_equal(np.asarray(layer.data[0][:50, :60]), before)
    assert len(large.slide.levels) == 5
    assert len(stored_pyramids()) == 1


def test_stopped(large, session):
    levels = SmallLevels(session, lambda: levels.stop())
    levels.build()
    assert levels.state(large).can_build
    assert stored_pyramids() == []
    assert len(large.slide.levels) == 1
