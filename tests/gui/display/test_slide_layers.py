"""A slide's layers in a viewer model: what is shown, where, and what the user may do to them."""

import time
from dataclasses import replace

import numpy as np
import pytest
from drawn_ids import CLASSES, SCALE, frame_of, random_ids, write
from napari.components import ViewerModel
from napari.layers import Labels

from pathloop.core import ClassSpec, Rect, Scale, UsageError
from pathloop.gui._background import InlineBackground
from pathloop.gui.display import TISSUE, UNCERTAINTY, Hit, IdPyramid, SlideLayers, colour
from pathloop.gui.display._codes import SELECTED, SELECTED_RIM
from pathloop.gui.display._refresh_queue import LONGEST_S, REST_MS
from pathloop.loop import FIRST_PREVIEW_ID, ObjectFrame
from pathloop.store import TissueMap, UncertaintyMap

pytestmark = pytest.mark.slow

SHAPE = (1200, 1000)
CODES = np.array([[0, 1], [2, 2]], np.uint8)
TISSUE_MAP = TissueMap(CODES, ("stroma", "epithelium"), ((1, 2, 3), (200, 0, 0)), (600.0, 500.0), (0, 0), "k")
UNCERTAINTY_MAP = UncertaintyMap(np.array([[0, 100], [200, 255]], np.uint8), "entropy", (600.0, 500.0), (8, 4), "k")


class Scene:
    """A viewer with a slide in it, and nuclei and glands over that."""

    def __init__(self, folder, rng):
        self.viewer = ViewerModel()
        pixels = np.zeros((*SHAPE, 3), np.uint8)
        self.image = self.viewer.add_image([pixels, pixels[::2, ::2]], name="s", scale=(0.25, 0.25), units="um")
        self.background = InlineBackground()
        self.layers = SlideLayers(self.viewer, self.background, "s", SHAPE, SCALE)
        self.nuclei = random_ids(rng, SHAPE, n=150)
        self.gland = np.zeros(SHAPE, np.int32)
        self.gland[100:600, 100:700] = 3
        self.pyramid = IdPyramid(SHAPE, write(folder / "nuclei", self.nuclei))
        self.frame = frame_of(self.nuclei)
        self.layers.show_task("nuclei", self.pyramid, self.frame)
        self.layers.show_task("gland", write(folder / "gland", self.gland), frame_of(self.gland, task="gland"))
        self.background.flush()

    def __getitem__(self, key):
        return self.viewer.layers[f"s - {key}"]

    @property
    def names(self):
        return [layer.name for layer in self.viewer.layers]

    def codes(self, task="nuclei", level=0):
        return np.asarray(self[task].data[level][:])

    def expected(self, by="class", hidden=frozenset()):
        """Codes of insides, the plain way."""
        made = colour(self.frame, by, hidden)
        table = np.zeros(self.nuclei.max() + 1, np.uint8)
        table[self.frame.instances.ids] = made.codes
        return table[self.nuclei]


def insides(codes):
    """Codes without the difference between insides and edges."""
    return np.where(
        (codes > 126) & (codes < SELECTED_RIM), codes - 126, np.where(codes == SELECTED_RIM, SELECTED, codes)
    )


@pytest.fixture
def scene(tmp_path, rng):
    return Scene(tmp_path, rng)


def test_layers_are_named_and_placed_like_the_slide(scene):
    layer = scene["nuclei"]
    assert scene.names == ["s", "s - gland", "s - nuclei"]
    assert layer.metadata["pathloop"] == {"slide": "s", "task": "nuclei"}
    assert not layer.editable
    np.testing.assert_array_equal(layer.scale, scene.image.scale)
    assert [str(unit) for unit in layer.units] == ["micrometer", "micrometer"]
    assert layer.multiscale
    assert layer.dtype == np.uint8
    assert layer.level_shapes[-1].max() <= 64
    # both have the centre of their first pixel at the origin of the world
    np.testing.assert_array_equal(layer.data_to_world((0, 0)), scene.image.data_to_world((0, 0)))
    np.testing.assert_array_equal(insides(scene.codes()), scene.expected())


def test_order_does_not_depend_on_when_layers_come(tmp_path, rng):
    scene = Scene(tmp_path, rng)
    scene.viewer.add_points(name="mine")
    scene.layers.show_uncertainty(UNCERTAINTY_MAP)
    scene.layers.show_task("lumen", None, ObjectFrame.empty("lumen"))
    scene.layers.show_task("blood_vessels", None, ObjectFrame.empty("blood_vessels"))
    scene.layers.show_tissue(TISSUE_MAP)
    order = ["tissue map", "uncertainty", "gland", "lumen", "blood_vessels", "nuclei"]
    assert scene.names == ["s", *(f"s - {name}" for name in order), "mine"]


def test_nothing_of_the_users_is_touched(tmp_path, rng):
    viewer = ViewerModel()
    viewer.add_image(np.zeros(SHAPE, np.uint8), name="s", scale=(0.25, 0.25), units="um")
    mine = viewer.add_labels(np.zeros(SHAPE, np.uint8), name="mine", scale=(0.25, 0.25), units="um")
    mine.mode = "paint"
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 33, 44), 5.5
    layers = SlideLayers(viewer, InlineBackground(), "s", SHAPE, SCALE)
    layers.show_task("nuclei", None, ObjectFrame.empty("nuclei"))
    layers.show_tissue(TISSUE_MAP)
    layers.show_uncertainty(UNCERTAINTY_MAP)
    assert viewer.layers.selection.active is mine
    assert set(viewer.layers.selection) == {mine}
    assert str(mine.mode) == "paint"
    layers.peek(on=True)
    layers.peek(on=False)
    layers.remove()
    assert viewer.layers.selection.active is mine
    assert str(mine.mode) == "paint"
    assert viewer.scene.camera.zoom == 5.5
    assert tuple(viewer.scene.camera.center)[1:] == (33, 44)


def test_no_selection_stays_no_selection(scene):
    scene.viewer.layers.selection.clear()
    scene.layers.show_tissue(TISSUE_MAP)
    assert not scene.viewer.layers.selection


@pytest.mark.parametrize("by", ["instance", "confidence", "area", "review", "class"])
def test_colour_by(scene, by):
    told = []
    scene.layers.legend_changed.connect(told.append)
    colormap = scene["nuclei"].colormap
    scene.layers.colour_by(by)
    scene.background.flush()
    np.testing.assert_array_equal(insides(scene.codes()), scene.expected(by))
    assert scene["nuclei"].colormap is colormap
    assert sorted(told) == ([] if by == "class" else ["gland", "nuclei"])
    assert scene.layers.legend("nuclei") == list(colour(scene.frame, by).legend)


def test_colormap_gives_each_code_its_colour(scene):
    entry = next(one for one in scene.layers.legend("nuclei") if one.label == "stroma")
    row = np.flatnonzero(scene.frame.instances.class_codes == entry.code)[0]
    code = colour(scene.frame, "class").codes[row]
    colors = scene["nuclei"].colormap.map(np.array([code, code + 126, 0, 255], np.uint8))
    np.testing.assert_allclose(colors[:2, :3] * 255, [entry.color] * 2, atol=0.5)
    assert 0 < colors[0, 3] < 1
    assert colors[1, 3] == 1
    assert colors[2, 3] == 0
    assert colors[3, 3] > 0.5


def test_other_classes_get_other_colours(scene):
    red = tuple(ClassSpec(name=one.name, color=(255, 0, 0)) for one in CLASSES)
    scene.layers.update_frame("nuclei", replace(scene.frame, classes=red))
    np.testing.assert_allclose(scene["nuclei"].colormap.map(np.uint8(2))[:3], (1, 0, 0))


def test_hidden_classes(scene):
    scene.layers.hide_class("nuclei", 2, hidden=True)
    scene.background.flush()
    np.testing.assert_array_equal(insides(scene.codes()), scene.expected(hidden=frozenset({2})))
    assert [one.code for one in scene.layers.legend("nuclei") if one.hidden] == [2]
    scene.layers.hide_class("nuclei", 2, hidden=False)
    np.testing.assert_array_equal(insides(scene.codes()), scene.expected())


def test_style_and_patterns(scene):
    scene.layers.style("outline")
    assert np.all(np.isin(scene.codes(), [0, *range(127, 253)]))
    scene.layers.style("fill")
    before = scene.codes()
    scene.layers.patterns(on=True)
    after = scene.codes()
    assert (after != before).any()
    assert np.all((after == before) | (after == 0))


def test_outlines_grow_thin_as_the_user_comes_near(scene):
    scene.layers.style("outline")
    for zoom, thinner in ((1.0, False), (1.8, False), (3.0, True), (1.8, True), (1.0, False)):
        scene.viewer.scene.camera.zoom = zoom / SCALE.y
        counts = [np.count_nonzero(scene.codes(level=level)) for level in (0, 1)]
        if zoom == 1.0:
            wide = counts
        assert (counts[0] < wide[0]) == thinner
        assert counts[1] == wide[1]


def test_selected_objects(scene):
    ids = scene.frame.instances.ids[[3, 8]]
    scene.layers.style("outline")
    scene.layers.selected("nuclei", ids)
    scene.background.flush()
    np.testing.assert_array_equal(np.isin(scene.codes(), (SELECTED, SELECTED_RIM)), np.isin(scene.nuclei, ids))
    scene.layers.colour_by("area")
    np.testing.assert_array_equal(np.isin(scene.codes(), (SELECTED, SELECTED_RIM)), np.isin(scene.nuclei, ids))
    scene.layers.selected("nuclei", [])
    assert scene.codes().max() < SELECTED_RIM


def refreshes(layer):
    """Counts how often a layer draws its data again."""
    seen = []
    layer.events.set_data.connect(lambda: seen.append(1))
    return seen


def test_refreshes_wait_and_go_one_by_one(scene):
    time.sleep(REST_MS / 1000)  # adding layers has moved the view
    nuclei, gland = refreshes(scene["nuclei"]), refreshes(scene["gland"])
    for style in ("outline", "fill", "outline"):
        scene.layers.style(style)
    scene.layers.tiles_arrived("nuclei", [Rect(0, 0, 100, 100)])
    assert (len(nuclei), len(gland)) == (0, 0)
    scene.background._timers.pop(0)()
    assert (len(nuclei), len(gland)) == (1, 0)
    scene.background.flush()
    assert (len(nuclei), len(gland)) == (1, 1)


def test_refreshes_wait_for_the_view_to_rest(scene):
    seen = refreshes(scene["nuclei"])
    scene.viewer.scene.camera.center = (0, 40, 50)
    scene.layers.tiles_arrived("nuclei", [Rect(0, 0, 100, 100)])
    for _ in range(3):
        scene.background._timers.pop(0)()
    assert len(seen) == 0
    scene.background.flush()
    assert len(seen) == 1


def test_refreshes_do_not_wait_for_ever(scene):
    seen = refreshes(scene["nuclei"])
    scene.layers.tiles_arrived("nuclei", [Rect(0, 0, 100, 100)])
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        scene.viewer.scene.camera.center = (0, 40 + 10 * (end - time.monotonic()), 50)
        time.sleep(0.02)
    scene.background._timers.pop(0)()
    assert len(seen) == 1


def test_what_changes_nothing_draws_nothing(scene):
    seen = refreshes(scene["nuclei"])
    scene.layers.style("fill")
    scene.layers.colour_by("class")
    scene.layers.patterns(on=False)
    scene.layers.hide_class("nuclei", 2, hidden=False)
    scene.layers.selected("nuclei", [])
    scene.layers.task_visible("nuclei", visible=True)
    scene.background.flush()
    assert seen == []


def test_tiles_arrive(scene, tmp_path, rng):
    shown = random_ids(rng, SHAPE, first=FIRST_PREVIEW_ID)
    preview, tile = write(tmp_path / "preview", shown), Rect(0, 0, 500, 500)
    visible = np.where(scene.codes() > 0, 1, 0)
    scene.pyramid.set_previews([(preview, [tile])])
    part = shown[tile.slices]
    scene.layers.update_frame("nuclei", frame_of(scene.nuclei, part))
    scene.layers.tiles_arrived("nuclei", [tile])
    scene.background.flush()
    visible[tile.slices] = part > 0
    np.testing.assert_array_equal(scene.codes() > 0, visible)
    y, x = (int(value) for value in np.argwhere(part)[0])
    hit = scene.layers.at(y, x)
    assert hit.id == part[y, x]


def test_parts_of_one_object_are_one(scene, tmp_path):
    root, part = FIRST_PREVIEW_ID, FIRST_PREVIEW_ID + 5
    ids = np.zeros(SHAPE, np.int32)
    ids[800:900, 400:500], ids[800:900, 500:600] = root, part
    only_root = np.where(ids == part, 0, ids)
    roots = np.array([part], np.int64), np.array([root], np.int64)
    scene.layers.show_task("nuclei", write(tmp_path / "p", ids), frame_of(only_root), roots)
    codes = scene.codes()
    assert (codes > 0).sum() == 100 * 200
    assert codes[850, 499] == codes[850, 500] == codes[850, 450] != codes[850, 400]
    assert scene.layers.at(850, 550) == Hit("nuclei", root, 0)
    assert scene.layers.read_ids("nuclei", Rect(850, 550, 1, 1)).item() == root


def test_hits_go_from_top_to_bottom(scene):
    on_both = np.argwhere((scene.nuclei > 0) & (scene.gland > 0))[5]
    only_gland = np.argwhere((scene.nuclei == 0) & (scene.gland > 0))[5]
    y, x = on_both.tolist()
    nucleus = int(scene.nuclei[y, x])
    row = int(scene.frame.rows(np.array([nucleus]))[0])
    assert scene.layers.at(y, x) == Hit("nuclei", nucleus, row)
    assert scene.layers.at(*only_gland) == Hit("gland", 3, 0)
    assert scene.layers.at(-5, 3) is None
    scene.layers.hide_class("nuclei", int(scene.frame.instances.class_codes[row]), hidden=True)
    assert scene.layers.at(y, x) == Hit("gland", 3, 0)
    scene.layers.task_visible("gland", visible=False)
    assert scene.layers.at(y, x) is None


def test_peek_and_hiding_restore_what_was(scene):
    scene.layers.show_tissue(TISSUE_MAP)
    scene["gland"].visible = False
    scene.layers.peek(on=True)
    scene.layers.peek(on=True)
    assert [layer.visible for layer in scene.viewer.layers] == [True, False, False, False]
    scene.layers.set_visible(visible=False)
    scene.layers.peek(on=False)
    scene.layers.show_uncertainty(UNCERTAINTY_MAP)
    scene.layers.task_visible("nuclei", visible=False)
    assert not any(layer.visible for layer in list(scene.viewer.layers)[1:])
    assert scene.layers.is_visible(UNCERTAINTY)
    scene.layers.set_visible(visible=True)
    shown = {layer.name for layer in scene.viewer.layers if layer.visible}
    assert shown == {"s", "s - tissue map", "s - uncertainty"}


def test_asking_again_leaves_the_users_choice_alone(scene):
    scene["nuclei"].visible = False
    scene.layers.task_visible("nuclei", visible=True)
    assert not scene["nuclei"].visible
    scene.layers.task_visible("nuclei", visible=False)
    scene.layers.task_visible("nuclei", visible=True)
    assert scene["nuclei"].visible


def test_a_deleted_layer_is_missed_and_comes_back(scene):
    scene.viewer.layers.remove(scene["nuclei"])
    scene.layers.update_frame("nuclei", scene.frame)
    scene.layers.tiles_arrived("nuclei", [Rect(0, 0, 9, 9)])
    scene.layers.colour_by("area")
    scene.layers.opacity("nuclei", 0.5)
    scene.layers.set_scale(None)
    scene.layers.peek(on=True)
    scene.layers.peek(on=False)
    scene.layers.task_visible("nuclei", visible=True)
    scene.background.flush()
    assert scene.names == ["s", "s - gland"]
    assert scene.layers.at(*np.argwhere((scene.nuclei > 0) & (scene.gland == 0))[0]) is None
    scene.layers.show_task("nuclei", scene.pyramid, scene.frame)
    assert scene.names == ["s", "s - gland", "s - nuclei"]
    assert scene["nuclei"].opacity == 0.5
    np.testing.assert_array_equal(insides(scene.codes()), scene.expected("area"))
    scene.viewer.layers.remove(scene["nuclei"])
    scene.layers.task_visible("nuclei", visible=False)
    scene.layers.task_visible("nuclei", visible=True)
    assert scene.names == ["s", "s - gland", "s - nuclei"]


def test_a_deleted_map_comes_back(scene):
    scene.layers.show_tissue(TISSUE_MAP)
    scene.viewer.layers.remove(scene["tissue map"])
    scene.layers.hide_class(TISSUE, 1, hidden=True)
    scene.layers.task_visible(TISSUE, visible=False)
    scene.layers.task_visible(TISSUE, visible=True)
    np.testing.assert_array_equal(scene["tissue map"].data, [[0, 0], [2, 2]])


def test_scale_can_change(scene):
    scene.layers.show_tissue(TISSUE_MAP)
    scene.image.scale, scene.image.units = (0.5, 0.4), ("um", "um")
    scene.layers.set_scale(Scale(0.5, 0.4))
    np.testing.assert_array_equal(scene["nuclei"].scale, (0.5, 0.4))
    np.testing.assert_allclose(scene["tissue map"].scale, (300, 200))
    scene.image.scale, scene.image.units = (1, 1), ("pixel", "pixel")
    scene.layers.set_scale(None)
    np.testing.assert_array_equal(scene["gland"].scale, (1, 1))
    assert {str(unit) for unit in scene["gland"].units} == {"pixel"}
    assert {str(unit) for unit in scene["tissue map"].units} == {"pixel"}


def test_maps_cover_the_slide(scene):
    scene.layers.show_tissue(TISSUE_MAP)
    scene.layers.show_uncertainty(UNCERTAINTY_MAP)
    tissue, uncertainty = scene["tissue map"], scene["uncertainty"]
    corner = np.array((-0.5, -0.5))  # of the first cell or pixel
    np.testing.assert_allclose(tissue.data_to_world(corner), scene.image.data_to_world(corner))
    np.testing.assert_allclose(tissue.data_to_world(corner + 2), scene.image.data_to_world(np.array(SHAPE) - 0.5))
    np.testing.assert_allclose(
        uncertainty.data_to_world(corner), scene.image.data_to_world(corner + UNCERTAINTY_MAP.origin_px)
    )
    assert not tissue.editable
    np.testing.assert_allclose(tissue.colormap.map(np.uint8(2))[:3] * 255, (200, 0, 0), atol=0.5)
    assert uncertainty.colormap.colors[0, 3] == 0
    np.testing.assert_array_equal(scene.image.scale, (0.25, 0.25))


def test_legends_of_maps(scene):
    assert scene.layers.legend(TISSUE) == scene.layers.legend(UNCERTAINTY) == scene.layers.legend("nothing") == []
    told = []
    scene.layers.legend_changed.connect(told.append)
    scene.layers.show_tissue(TISSUE_MAP)
    scene.layers.show_uncertainty(UNCERTAINTY_MAP)
    assert told == [TISSUE, UNCERTAINTY]
    assert [(one.code, one.label, one.badge, one.count) for one in scene.layers.legend(TISSUE)] == [
        (1, "stroma", "S", 1),
        (2, "epithelium", "E", 2),
    ]
    assert sum(one.count for one in scene.layers.legend(UNCERTAINTY)) == 4
    scene.layers.hide_class(TISSUE, 2, hidden=True)
    np.testing.assert_array_equal(scene["tissue map"].data, [[0, 1], [0, 0]])
    assert not scene["tissue map"].editable
    assert [one.hidden for one in scene.layers.legend(TISSUE)] == [False, True]
    scene.layers.show_tissue(None)
    assert scene.names == ["s", "s - uncertainty", "s - gland", "s - nuclei"]


def test_a_new_map_is_as_visible_as_the_old_one(scene):
    scene.layers.show_tissue(TISSUE_MAP)
    scene["tissue map"].visible = False
    scene.layers.show_tissue(TISSUE_MAP)
    assert not scene["tissue map"].visible


def test_copies_are_ordinary_layers(scene):
    rect = Rect(-20, 300, 400, 900)
    copy = scene.layers.copy_to_labels("nuclei", rect)
    assert type(copy) is Labels
    assert copy.name == "s - nuclei copy"
    assert copy.editable
    assert isinstance(copy.data, np.ndarray)
    np.testing.assert_array_equal(copy.data, scene.nuclei[:380, 300:1000])
    np.testing.assert_allclose(copy.data_to_world((0, 0)), scene.image.data_to_world((0, 300)))
    copy.data[0, 0] = 9
    assert scene.layers.copy_to_labels("gland").data.shape == SHAPE
    scene.layers.remove()
    assert scene.names == ["s", "s - nuclei copy", "s - gland copy"]


def test_copies_that_cannot_be(scene):
    with pytest.raises(UsageError, match="beside the slide"):
        scene.layers.copy_to_labels("nuclei", Rect(5000, 5000, 10, 10))
    with pytest.raises(UsageError, match="segment the slide"):
        scene.layers.copy_to_labels("lumen")
    big = SlideLayers(scene.viewer, scene.background, "big", (20_000, 100), None)
    big.show_task("nuclei", None, ObjectFrame.empty("nuclei"))
    with pytest.raises(UsageError, match="pick a region of at most 16384 px a side"):
        big.copy_to_labels("nuclei")


def test_unsorted_frames_are_refused(scene):
    with pytest.raises(UsageError, match="ascending"):
        scene.layers.update_frame("nuclei", scene.frame.take(np.array([1, 0])))


def test_remove_takes_everything_away(scene):
    scene.layers.show_tissue(TISSUE_MAP)
    scene.layers.style("outline")
    scene.layers.remove()
    scene.layers.update_frame("nuclei", scene.frame)
    scene.layers.tiles_arrived("nuclei", [Rect(0, 0, 5, 5)])
    scene.background.flush()
    scene.layers.remove()
    assert scene.names == ["s"]
    assert scene.layers.legend("nuclei") == []


def test_every_level_and_view_can_be_drawn(scene):
    """napari asks for levels and slices in its own ways; three-dimensional view included."""
    layer = scene["nuclei"]
    for level in range(len(layer.data)):
        layer.locked_data_level = level
        layer.refresh()
        assert layer.thumbnail.shape[2] == 4
    layer.locked_data_level = None
    scene.viewer.dims.ndisplay = 3
    scene.viewer.dims.ndisplay = 2
    assert layer.get_value((10, 10)) is None or isinstance(layer.get_value((10, 10)), tuple)


def test_thumbnail_follows(scene):
    thumbnail = scene["nuclei"].thumbnail.copy()
    scene.layers.colour_by("review")
    scene.background.flush()
    assert (scene["nuclei"].thumbnail != thumbnail).any()
