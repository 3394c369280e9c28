"""The strategies that run the network: on drawn maps, whose answers are known, and on the bundled model."""

import gc

import cv2
import drawn_slides
import numpy as np
import planted
import pytest

from pathloop.core import Message, ModelError, ProjectError, Rect, SlideError, StageProgress
from pathloop.loop.queue import FEATURES, NetworkPass, RankRequest, rank, region_from_values
from pathloop.networks import bundled_models
from pathloop.predict import ENGINES
from pathloop.rasters import write_tiff_pyramid
from pathloop.slides import open_slide
from pathloop.store import Project

pytestmark = pytest.mark.slow

SHAPE = (400, 500)
REGION_UM = 50.0  # 100 px: 4 x 5 regions
FICKLE = [(1, 0), (2, 3), (0, 4)]
"""Regions in which the second engine answers by where a pixel lies in the picture."""
MARK = 255


class FickleEngine(drawn_slides.DrawnEngine):
    """Reads the maps off the colours; where blue is at its highest, glands end at the middle of what it is given."""

    def run(self, pixels):
        maps = drawn_slides.maps_of(pixels, self._tasks)
        marked = pixels[..., 2] == MARK
        marked[:, : pixels.shape[1] // 2] = False
        maps["gland"] = np.where(marked, np.uint8(0), maps["gland"])
        return maps


ENGINES.add("fickle", f"{__name__}:FickleEngine")


class MeanColours:
    """The mean colour of a picture: enough to tell drawn ones apart."""

    def __init__(self, folder, device):
        pass

    def of(self, pixels):
        return pixels.mean(axis=(0, 1)).astype(np.float32) - 128


@pytest.fixture
def drawn_features():
    before = FEATURES._entries["encoder"]
    FEATURES.add("encoder", f"{__name__}:MeanColours")
    yield
    FEATURES.add("encoder", before)


def marked_slide(path):
    """Blobs; no blue but in the fickle regions, where it is at its highest."""
    image = drawn_slides.draw_blobs(SHAPE, seed=4)
    image[..., 2] = 0
    for row, col in FICKLE:
        image[row * 100 : (row + 1) * 100, col * 100 : (col + 1) * 100, 2] = MARK
    write_tiff_pyramid(path, image, shape=SHAPE, um_per_px=0.5, compression="deflate")
    return path


@pytest.fixture(scope="module")
def fickle(tmp_path_factory, model):
    """A segmented project, read only by the tests, and its model."""
    folder = tmp_path_factory.mktemp("fickle")
    slide = marked_slide(folder / "blobs.tif")
    drawn_slides.run(drawn_slides.drawn_request(slide, folder / "p.pathloop", model))
    return folder / "p.pathloop", model


def looked_at(fickle, engine="fickle", **changes):
    path, model = fickle
    network = NetworkPass(**{"model": str(model), "engine": engine} | changes)
    request = RankRequest(path, strategy="thorough", count=20, network=network, region_um=REGION_UM, store=False)
    events = list(rank(request))
    return events, [region_from_values(values) for values in events[-1].summary["regions"]]


def reason(region, name):
    return next((one for one in region.reasons if one.score == name), None)


def test_an_engine_that_minds_no_flips_says_nothing_of_them(fickle, drawn_features):
    _, regions = looked_at(fickle, engine="drawn", views=8)
    assert all(reason(region, "flips") is None for region in regions)


@pytest.mark.parametrize("views", [4, 8])
def test_what_flips_change_is_found_and_measured(fickle, drawn_features, views):
    events, regions = looked_at(fickle, views=views)
    found = {region.rect: reason(region, "flips") for region in regions if not region.holdout}
    fickle_rects = [Rect(row * 100, col * 100, 100, 100) for row, col in FICKLE]
    for rect, flips in found.items():
        assert (flips is not None) == (rect in fickle_rects)
    with Project.open(fickle[0], write=False) as project, open_slide(project.slides()[0].path) as slide:
        for rect in set(fickle_rects) & set(found):
            share = changed_share(slide.read(rect), views)
            assert found[rect].value == pytest.approx(share, abs=1e-3)
            assert found[rect].words == f"flipping the picture changes {100 * share:.0f} % of the gland area"
    steps = [event for event in events if isinstance(event, StageProgress) and event.stage.startswith("flips")]
    assert [(step.done, step.total) for step in steps] == [(n + 1, 20) for n in range(20)]
    assert steps[0].stage == ("flips" if views == 4 else "flips and rotations")


def changed_share(pixels, views):
    """By hand: in each view the right half of the picture has no glands, wherever that half lies in the slide."""
    interior, boundary = drawn_slides.maps_of(pixels, ("gland",))["gland"].astype(int)
    mask = interior + boundary > 127.5
    masks = []
    for view in range(views):
        seen = mask.T if view & 4 else mask
        seen = seen[::-1] if view & 1 else seen
        seen = (seen[:, ::-1] if view & 2 else seen).copy()
        seen[:, seen.shape[1] // 2 :] = False
        seen = seen[:, ::-1] if view & 2 else seen
        seen = seen[::-1] if view & 1 else seen
        masks.append(seen.T if view & 4 else seen)
    differ = sum((masks[0] != one).sum() for one in masks[1:])
    return differ / sum((masks[0] | one).sum() for one in masks[1:])


def test_only_the_top_goes_through_the_network(fickle, drawn_features):
    drawn_slides.DrawnEngine.tiles_run = 0
    events, regions = looked_at(fickle, engine="drawn", top=5, views=4)
    assert drawn_slides.DrawnEngine.tiles_run == 20
    assert len(regions) == 20
    assert sum(isinstance(event, StageProgress) and event.stage == "features" for event in events) == 5


def test_regions_that_look_different_come_earlier(fickle, drawn_features):
    _, regions = looked_at(fickle, engine="drawn")
    unlike = [region for region in regions if reason(region, "diversity") is not None]
    assert unlike
    assert len(unlike) < len(regions)
    assert {reason(region, "diversity").words for region in unlike} == {
        "looks different from the regions chosen before it"
    }
    assert all(reason(region, "diversity").value >= 0.5 for region in unlike)


def test_without_features_it_goes_on_and_says_so(fickle):
    # the drawn model has no weights that an encoder could have
    events, regions = looked_at(fickle, engine="drawn", top=3)
    [warning] = [event for event in events if isinstance(event, Message) and event.level == "warning"]
    assert warning.text.startswith("ordered without diversity: the encoder cannot be run")
    assert len(regions) == 20
    assert all(reason(region, "diversity") is None for region in regions)


def test_cancelling_stops_after_the_region_in_work_and_stores_nothing(fickle):
    path, model = fickle
    drawn_slides.DrawnEngine.tiles_run = 0
    network = NetworkPass(model=str(model), engine="drawn", views=4)
    events = rank(RankRequest(path, strategy="thorough", network=network, region_um=REGION_UM))
    for event in events:
        if isinstance(event, StageProgress) and event.stage == "flips" and event.done == 2:
            break
    events.close()
    del events
    gc.collect()  # an open file would be warned about
    assert drawn_slides.DrawnEngine.tiles_run == 8
    with Project.open(path, write=True) as project:
        assert project.regions() == []


def test_blurred_outlines_are_counted(tmp_path, model):
    """Two glands: one whose inside is sure, and one in which inside and boundary are alike."""
    image = np.zeros((200, 400, 3), np.uint8)
    image[40:160, 40:160, 1] = 255
    image[40:160, 240:360, 1] = 190  # inside 124, boundary 65
    image = cv2.GaussianBlur(image, (0, 0), 1.5)
    slide = tmp_path / "two.tif"
    write_tiff_pyramid(slide, image, shape=(200, 400), um_per_px=0.5, compression="deflate")
    labels = drawn_slides.PLAIN
    tasks = tuple(
        task.model_copy(update={"post": task.post.model_copy(update={"interior_threshold": 0.4, "kernel_px": 11})})
        if task.name == "gland"
        else task
        for task in labels.tasks
    )
    folder = drawn_slides.drawn_model(tmp_path / "m", labels.model_copy(update={"tasks": tasks}))
    drawn_slides.run(drawn_slides.drawn_request(slide, tmp_path / "p.pathloop", folder))
    with Project.open(tmp_path / "p.pathloop", write=False) as project:
        assert project.counts("two", "gland").total == 2
    network = NetworkPass(model=str(folder), engine="drawn")
    request = RankRequest(tmp_path / "p.pathloop", strategy="thorough", network=network, region_um=100, store=False)
    *_, finished = rank(request)
    words = {
        tuple(values["rect"]): [one["words"] for one in values["reasons"] if one["score"] == "outline"]
        for values in finished.summary["regions"]
    }
    assert words == {
        (0, 0, 200, 200): [],
        (0, 200, 200, 200): ["the outline of 1 gland is blurred: boundary and inside compete"],
    }


def test_what_the_network_needs_must_be_there(tmp_path, model):
    path = planted.make(tmp_path / "p.pathloop")
    with pytest.raises(ModelError, match="'unknown', which segmented slide 'a', is not here"):
        planted.ranked(path, strategy="thorough", network=NetworkPass(engine="drawn"))
    with pytest.raises(SlideError, match="no such file"):
        planted.ranked(path, strategy="thorough", network=NetworkPass(engine="drawn", model=str(model)))
    assert planted.regions(path) == []


def test_another_file_at_the_slides_path_is_refused(tmp_path, model):
    slide = marked_slide(tmp_path / "blobs.tif")
    drawn_slides.run(drawn_slides.drawn_request(slide, tmp_path / "p.pathloop", model))
    drawn_slides.write_blobs(slide, SHAPE, seed=9)
    network = NetworkPass(engine="drawn", model=str(model))
    with pytest.raises(ProjectError, match="not the file that was segmented"):
        planted.ranked(tmp_path / "p.pathloop", strategy="thorough", network=network, region_um=REGION_UM)


def test_models_in_the_project_are_found_by_their_checksum(tmp_path, drawn_features):
    slide = marked_slide(tmp_path / "blobs.tif")
    path = tmp_path / "p.pathloop"
    with Project.create(path):
        pass
    (path / "models").mkdir(exist_ok=True)
    (path / "models" / "broken").mkdir()
    folder = drawn_slides.drawn_model(
        path / "models" / "own", training={"calibration": {"entropy": [0.0, 1.0], "error": [0.0, 0.9]}}
    )
    drawn_slides.run(drawn_slides.drawn_request(slide, path, folder))
    network = NetworkPass(engine="drawn", top=2)
    events, summary = planted.ranked(path, strategy="thorough", network=network, region_um=REGION_UM)
    assert summary["stored"]
    assert any("calibrated by the card of model 'drawn'" in getattr(event, "text", "") for event in events)
    words = [one["words"] for values in summary["regions"] for one in values["reasons"] if one["score"] == "entropy"]
    assert words
    assert all("are expected to be wrong" in one for one in words)


@pytest.mark.slow
def test_encoder_features_are_the_networks_own():
    torch = pytest.importorskip("torch")
    from pathloop.networks.weights import load_model
    from pathloop.predict._features import EncoderFeatures

    folder = bundled_models()["fast"]
    features = EncoderFeatures(folder, "cpu")
    pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    found = features.of(pixels)
    network, _ = load_model(folder)
    with torch.inference_mode():
        maps = network.encoder(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255)
    assert (found.shape, found.dtype) == ((features.size,), np.float32)
    np.testing.assert_allclose(found, maps[-1].mean(dim=(2, 3))[0].numpy(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ModelError, match="multiples of 32"):
        features.of(pixels[:90])


@pytest.mark.slow
def test_thorough_on_the_bundled_model(tmp_path):
    from pathloop.loop import SegmentRequest
    from pathloop.synth import write_slide

    slide = tmp_path / "colon.tif"
    write_slide(slide, (400, 500), seed=5)
    path = tmp_path / "p.pathloop"
    drawn_slides.run(SegmentRequest((slide,), path, device="cpu", tile_px=512))
    network = NetworkPass(device="cpu", top=3, views=4)
    _, summary = planted.ranked(path, strategy="thorough", network=network, region_um=100)
    assert summary["stored"]
    reasons = [one for values in summary["regions"] for one in values["reasons"]]
    assert any(one["score"] == "flips" for one in reasons)
    assert all(0 <= one["value"] <= 1 for one in reasons)
