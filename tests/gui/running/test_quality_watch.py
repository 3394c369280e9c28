"""What the panel Segment says of a slide's quality, and where it shows it."""

import cv2
import numpy as np
import pytest
from PIL import Image

from pathloop.gui.running import QualityWatch
from pathloop.slides import QUALITY_NAMES
from pathloop.synth import draw_colon

SIDE = 2048


@pytest.fixture(scope="module")
def half_blurred(tmp_path_factory):
    image = draw_colon((SIDE, SIDE), um_per_px=0.5, seed=4, outline=False).image
    image[:, : SIDE // 2] = cv2.GaussianBlur(image, (0, 0), 4)[:, : SIDE // 2]
    path = tmp_path_factory.mktemp("blurred") / "blurred.png"
    Image.fromarray(image).save(path)
    return path


def opened(session, path):
    session.open_slide(path, um_per_px=0.5)
    session.background.flush()
    return session.current


def test_a_good_slide_leaves_the_panel_as_it_is(session, small_slide):
    told = []
    watch = QualityWatch(session, lambda text, place: told.append((text, place)))
    opened(session, small_slide)
    assert watch.note is not None
    assert set(told) == {("", False)}


def test_faults_are_said_and_shown_where_they_are(session, half_blurred):
    told = []
    watch = QualityWatch(session, lambda text, place: told.append((text, place)))
    slide = opened(session, half_blurred)
    text, has_place = told[-1]
    assert "of the tissue is out of focus, mostly in the left part: nuclei there will be missed" in text
    assert has_place
    assert not watch.is_shown
    before = list(session.viewer.layers)
    watch.show_where(on=True)
    (layer,) = (one for one in session.viewer.layers if one not in before)
    assert watch.is_shown
    assert layer.metadata["pathloop"]["task"] == "quality"
    code = QUALITY_NAMES.index("out of focus")
    assert set(np.unique(layer.data)) == {0, code}
    assert layer.colormap.map(np.array([0, code]))[:, 3].tolist() == pytest.approx([0.0, 0.45])
    # a place in the blurred part and one in the sharp part, by world coordinates
    for x, value in ((100, code), (SIDE - 100, 0)):
        world = slide.layer.data_to_world((700, x))[-2:]
        row, column = np.round(layer.world_to_data(world)).astype(int)
        assert layer.data[row, column] == value
    watch.show_where(on=False)
    assert list(session.viewer.layers) == before


def test_the_layer_goes_with_its_slide(session, half_blurred):
    watch = QualityWatch(session, lambda *_: None)
    slide = opened(session, half_blurred)
    watch.show_where(on=True)
    session.close_slide(slide)
    session.background.flush()
    assert [layer.name for layer in session.viewer.layers] == []


def test_closing_the_window_does_not_wait(session, half_blurred):
    watch = QualityWatch(session, lambda *_: None)
    slide = opened(session, half_blurred)
    session.closing[-1]()
    assert watch._look(slide) is None


def test_another_scale_takes_the_old_places_away(session, half_blurred):
    watch = QualityWatch(session, lambda *_: None)
    session.open_slide(half_blurred)
    session.background.flush()
    session.current.scale = None
    watch.show_where(on=True)
    n = len(session.viewer.layers)
    session.set_scale(0.25)
    session.background.flush()
    assert not watch.is_shown
    assert len(session.viewer.layers) == n - 1
