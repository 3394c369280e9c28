"""Real windows: what the canvas shows."""

import numpy as np
import pytest
from drawn_ids import SCALE, frame_of, write

from pathloop.core import Rect
from pathloop.gui._background import InlineBackground
from pathloop.gui.display import IdPyramid, SlideLayers
from pathloop.loop import FIRST_PREVIEW_ID

pytestmark = pytest.mark.slow

SHAPE = (600, 600)
STROMA = (0, 114, 178)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def _slicing(request):
    from napari.settings import get_settings

    settings = get_settings().experimental
    settings.async_ = request.param
    yield
    # other tests of this process come after, and napari's own fixture leaves it as it is
    get_settings().experimental.async_ = settings.async_ = False


@pytest.mark.gui
@pytest.mark.usefixtures("_slicing")
def test_canvas_shows_fills_outlines_and_arriving_tiles(make_napari_viewer, tmp_path, qtbot):
    viewer = make_napari_viewer(show=True)
    white = np.full((*SHAPE, 3), 255, np.uint8)
    viewer.add_image([white, white[::2, ::2]], name="s", scale=(SCALE.y, SCALE.x), units="um", rgb=True)
    ids = np.zeros(SHAPE, np.int32)
    ids[260:340, 260:340] = 2  # stroma
    background = InlineBackground()
    layers = SlideLayers(viewer, background, "s", SHAPE, SCALE)
    pyramid = IdPyramid(SHAPE, write(tmp_path / "landed", ids))
    layers.show_task("nuclei", pyramid, frame_of(ids))
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 300 * SCALE.y, 300 * SCALE.x), 2 / SCALE.y

    def seen(y, x):
        """Colour of a level-0 position, two screen pixels each."""
        picture = viewer.screenshot(canvas_only=True, flash=False)
        middle = np.array(picture.shape[:2]) / 2
        row, col = (middle + 2 * (np.array((y, x)) - 300)).astype(int)
        return picture[row, col, :3].astype(int)

    def shows(y, x, color):
        background.flush()
        assert np.abs(seen(y, x) - color).max() <= 6

    filled = np.array(STROMA) * 0.45 + 255 * 0.55
    qtbot.waitUntil(lambda: shows(300, 300, filled), timeout=10_000)
    shows(260.25, 300, STROMA)
    shows(250, 300, (255, 255, 255))
    layers.style("outline")
    qtbot.waitUntil(lambda: shows(300, 300, (255, 255, 255)), timeout=10_000)
    shows(260.25, 300, STROMA)

    layers.style("fill")
    drawn = np.zeros(SHAPE, np.int32)
    drawn[200:230, 200:230] = FIRST_PREVIEW_ID + 2
    tile, camera = Rect(100, 100, 150, 150), viewer.scene.camera.model_dump()
    pyramid.set_previews([(write(tmp_path / "preview", drawn), [tile])])
    layers.update_frame("nuclei", frame_of(ids, drawn))
    layers.tiles_arrived("nuclei", [tile])
    qtbot.waitUntil(lambda: shows(215, 215, filled), timeout=10_000)
    shows(300, 300, filled)
    after = viewer.scene.camera.model_dump()
    assert after["center"] == camera["center"]
    assert after["zoom"] == camera["zoom"]

    layers.colour_by("review")
    layers.selected("nuclei", [2])
    qtbot.waitUntil(lambda: shows(300, 300, np.array((0, 255, 255)) * 0.75 + 255 * 0.25), timeout=10_000)
    layers.peek(on=True)
    qtbot.waitUntil(lambda: shows(300, 300, (255, 255, 255)), timeout=10_000)
    layers.remove()
