"""The layer of frames: over everything, read-only, out of the user's way."""

import numpy as np
import pytest
from napari.layers import Labels, Vectors
from queue_kit import UM_PER_PX

from pathloop.gui.queueing._lines import STATE_COLORS

pytestmark = pytest.mark.slow


@pytest.fixture
def layers(ranked):
    return ranked.session.viewer.layers


def frames(layers):
    found = [layer for layer in layers if isinstance(layer, Vectors)]
    assert len(found) <= 1
    return found[0] if found else None


def colors(layer):
    """Colours of what is drawn, without the lines that are kept in reserve."""
    return {tuple(round(255 * value) for value in color[:3]) for color in layer.edge_color.tolist() if color[3] > 0}


def n_lines(layer):
    return int((layer.edge_color[:, 3] > 0).sum())


def test_they_lie_on_top_and_nothing_is_selected_by_them(ranked, layers):
    assert layers[-1] is frames(layers)
    assert layers.selection.active is ranked.session.current.layer
    assert frames(layers).name == "drawn - queue"
    assert np.allclose(frames(layers).scale, UM_PER_PX)


def test_what_the_user_selected_stays_so(desk):
    opened = desk.open()
    other = desk.session.viewer.add_labels(np.zeros((9, 9), int))
    other.mode = "paint"
    layers = desk.session.viewer.layers
    layers.selection.update([opened.layer])
    selected = set(layers.selection)
    desk.actions.rank("difficulty", 8)
    assert set(layers.selection) == selected
    assert other.mode == "paint"
    assert layers.index(frames(layers)) == len(layers) - 1


def test_later_layers_come_below(ranked, layers):
    layers.append(Labels(np.zeros((9, 9), int), name="window"))
    ranked.session.background.flush()
    assert layers[-1] is frames(layers)
    assert layers.selection.active.name == "window"


def test_colours_follow_the_states(ranked, layers):
    assert colors(frames(layers)) == {STATE_COLORS["todo"]}
    ranked.presenter.select([ranked.view.rows[0].key])
    ranked.actions.mark("done")
    ranked.presenter.select([ranked.view.rows[1].key])
    ranked.actions.mark("done", "gland")
    assert colors(frames(layers)) == set(STATE_COLORS.values())


def test_the_selected_one_is_thick(ranked, layers):
    plain = n_lines(frames(layers))
    ranked.presenter.select([ranked.view.rows[0].key])
    assert n_lines(frames(layers)) > plain
    ranked.presenter.select([])
    assert n_lines(frames(layers)) == plain


def test_it_is_the_same_layer_throughout(ranked, layers):
    layer = frames(layers)
    events = []
    ranked.session.viewer.dims.events.connect(lambda event: events.append(event.type))
    for _ in range(4):
        ranked.presenter.step(1)
    # napari slices all layers anew when dims change
    assert events == []
    assert frames(layers) is layer
    ranked.actions.rank("random", 30)
    assert len(ranked.presenter.content.regions) > 20
    assert frames(layers) is layer


def test_widths_follow_the_zoom(ranked, layers):
    layer, camera = frames(layers), ranked.session.viewer.scene.camera
    before, zoom = layer.edge_width, camera.zoom
    camera.zoom = zoom * 4
    ranked.session.background.flush()
    assert layer.edge_width == pytest.approx(before / 4)


def test_a_scale_that_is_given_later_moves_them(ranked, layers):
    ranked.session.current.set_scale(ranked.session.current.scale.isotropic(2.0))
    ranked.session.scale_changed.emit()
    assert np.allclose(frames(layers).scale, 2.0)


def test_they_can_be_hidden_and_come_back(ranked, layers):
    ranked.presenter.show_frames(on=False)
    assert not frames(layers).visible
    ranked.presenter.step(1)
    assert not frames(layers).visible
    ranked.presenter.show_frames(on=True)
    assert frames(layers).visible


def test_a_layer_that_the_user_deletes_stays_away_until_asked_for(ranked, layers):
    layers.remove(frames(layers))
    assert ranked.view.frames is False
    ranked.presenter.step(1)
    assert frames(layers) is None
    ranked.presenter.show_frames(on=True)
    assert n_lines(frames(layers)) > 0


def test_another_slide_has_its_own_frames(ranked, layers, small_slide):
    first = ranked.session.current
    ranked.session.open_slide(small_slide)
    ranked.session.background.flush()
    assert not frames(layers).visible
    ranked.session.set_current(first)
    assert frames(layers).visible
    assert frames(layers).name == "drawn - queue"
    ranked.session.close_slide(first)
    assert not frames(layers).visible
    ranked.session.close_slide(ranked.session.current)
    assert frames(layers) is None


def test_they_go_with_the_panel(ranked, layers):
    ranked.presenter.close()
    assert frames(layers) is None
    ranked.session.viewer.scene.camera.zoom = 3
    layers.append(Labels(np.zeros((9, 9), int)))
    ranked.session.background.flush()
    assert frames(layers) is None
