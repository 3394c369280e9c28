"""Magnification, scale bar, ruler, units, what is on screen."""

import numpy as np
import pytest
from slide_files import picture, write_svs

from pathloop.core import Rect, Scale
from pathloop.gui.opening import fit_to_screen, screen_rect
from pathloop.gui.opening._magnification import ViewTools
from pathloop.gui.opening._ruler import length_text


@pytest.fixture
def tools(session):
    session.viewer.canvas.size = (600, 800)
    made = ViewTools(session)
    yield made
    made.close()


def test_magnification_is_um_on_screen(tools, session, opened):
    assert tools.magnify(20)
    assert session.viewer.scene.camera.zoom == 2.0  # screen px a um: 0.5 um a screen px
    assert tools.magnification == 20
    session.viewer.keymap[next(key for key in session.viewer.keymap if str(key) == "Alt+4")](session.viewer)
    assert tools.magnification == 40


def test_magnification_needs_a_scale(tools, session, said, tmp_path):
    assert not tools.magnify(20)
    assert "Open a slide first" in said[-1][1]
    session.open_slide(write_svs(tmp_path / "u.svs", picture(), mpp=False))
    session.background.flush()
    assert not tools.magnify(20)
    assert "um per px" in said[-1][1]
    assert tools.magnification is None


def test_keys_and_scale_bar_are_given_back(session):
    bar = session.viewer.canvas.overlays.scale_bar
    tools = ViewTools(session)
    assert bar.visible
    assert bar.box
    assert len(session.viewer.keymap) == 5
    tools.close()
    assert not bar.visible
    assert not session.viewer.keymap


def test_what_is_on_screen(tools, session, opened):
    camera = session.viewer.scene.camera
    camera.center, camera.zoom = (150.0, 125.0), 8.0  # um; 600 x 800 px of canvas are 75 x 100 um
    rect = screen_rect(session.viewer, opened.layer, opened.slide.shape)
    assert rect == Rect(225, 150, 151, 201)
    camera.center = (1e5, 1e5)
    assert screen_rect(session.viewer, opened.layer, opened.slide.shape) is None


def test_fit_shows_all_of_one_slide(tools, session, opened):
    session.viewer.add_image(np.zeros((10, 10)), scale=(1e4, 1e4))
    fit_to_screen(session.viewer, opened.layer, opened.slide.shape)
    assert screen_rect(session.viewer, opened.layer, opened.slide.shape) == Rect(0, 0, *opened.slide.shape)
    np.testing.assert_allclose(session.viewer.scene.camera.zoom, 0.95 * 600 / 300)


@pytest.mark.parametrize(
    ("line", "scale", "text"),
    [
        ([[0, 0], [30, 40]], None, "50 px"),
        ([[0, 0], [30, 40]], Scale(0.5, 0.5), "25.0 um"),
        ([[0, 0], [0, 1000]], Scale(0.25, 0.5), "500 um"),
        ([[0, 0], [1000, 0], [1000, 4000]], Scale(0.5, 0.5), "2.5 mm"),
    ],
)
def test_lengths_in_words(line, scale, text):
    assert length_text(np.array(line), scale) == text


def test_ruler_follows_its_lines(tools, session, opened, said):
    tools.ruler.start()
    layer = session.viewer.layers["ruler"]
    assert layer.mode == "add_line"
    assert session.viewer.layers.selection.active is layer
    layer.add_lines(np.array([[0, 0], [0, 100]]))
    assert list(layer.features["length"]) == ["50.0 um"]
    layer.data = [np.array([[0, 0], [0, 200]])]
    layer.refresh()
    assert list(layer.features["length"]) == ["100 um"]
    tools.ruler.start()
    assert len(session.viewer.layers) == 2
    session.viewer.layers.remove(layer)
    tools.ruler.start()
    assert len(session.viewer.layers) == 2


def test_ruler_needs_a_slide(tools, said):
    tools.ruler.start()
    assert "Open a slide first" in said[-1][1]


def test_one_unit_for_all(tools, session, opened, tmp_path):
    plain = session.viewer.add_labels(np.zeros((9, 9), int))
    assert [str(unit) for unit in plain.units] == ["micrometer"] * 2
    session.open_slide(write_svs(tmp_path / "u.svs", picture(), mpp=False))
    session.background.flush()
    assert {str(unit) for layer in session.viewer.layers for unit in layer.units} == {"pixel"}
    np.testing.assert_allclose(opened.layer.scale, 0.5)
    session.set_current(opened)
    assert {str(unit) for layer in session.viewer.layers for unit in layer.units} == {"micrometer"}
