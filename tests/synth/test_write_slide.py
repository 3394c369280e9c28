"""Synthetic slides on disk."""

import numpy as np
import openslide
import pytest
import tifffile

from pathloop.core import UsageError
from pathloop.synth import TRUTH_LAYERS, draw_colon, sample_slide_path, write_slide
from pathloop.synth import _slide as module


def test_a_slide_of_one_piece_is_the_drawing(tmp_path):
    path = tmp_path / "one.tif"
    write_slide(path, (700, 900), um_per_px=0.5, seed=3, truth_dir=tmp_path / "truth")
    drawn = draw_colon((700, 900), um_per_px=0.5, seed=3)
    assert np.abs(tifffile.imread(path).astype(int) - drawn.image).mean() < 5
    for layer in ("nuclei", "gland", "lumen"):
        assert np.array_equal(tifffile.imread(tmp_path / "truth" / f"one_{layer}.tif"), drawn.labels[layer])
        assert tifffile.imread(tmp_path / "truth" / f"one_{layer}.tif").dtype == np.uint32
    assert np.array_equal(tifffile.imread(tmp_path / "truth" / "one_tissue.tif"), drawn.tissue)
    with openslide.OpenSlide(path) as slide:
        assert slide.dimensions == (900, 700)
        assert float(slide.properties["openslide.mpp-x"]) == 0.5


def test_a_mosaic_keeps_objects_whole_and_ids_unique(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_WHOLE_PX", 400)
    monkeypatch.setattr(module, "_PIECE_PX", 520)
    shape = (1033, 1511)
    write_slide(tmp_path / "m.tif", shape, seed=1, truth_dir=tmp_path)
    layers = {layer: tifffile.imread(tmp_path / f"m_{layer}.tif") for layer in TRUTH_LAYERS}
    assert all(pixels.shape == shape for pixels in layers.values())
    height, width = shape[0] // 2, shape[1] // 3
    for layer in ("nuclei", "gland", "lumen"):
        labels = layers[layer]
        assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
        # an id lies in one piece only
        seen: set[int] = set()
        for row in range(2):
            for column in range(3):
                piece = labels[row * height : (row + 1) * height, column * width : (column + 1) * width]
                ids = set(np.unique(piece[piece > 0]))
                assert not ids & seen
                seen |= ids
        assert len(seen) == labels.max()
    assert (layers["gland"][layers["lumen"] > 0] > 0).all()
    # the picture shows its truth: nuclei are dark, glass is bright, also in flipped pieces
    image = tifffile.imread(tmp_path / "m.tif").mean(axis=-1)
    assert image[layers["nuclei"] > 0].mean() < 150
    assert image[layers["tissue"] == 0].mean() > 230


def test_equal_seeds_write_equal_files(tmp_path):
    for name in ("a", "b"):
        write_slide(tmp_path / name / "s.tif", (200, 300), seed=7)
    assert (tmp_path / "a" / "s.tif").read_bytes() == (tmp_path / "b" / "s.tif").read_bytes()


def test_an_empty_slide_is_refused(tmp_path):
    with pytest.raises(UsageError, match="at least 1 x 1"):
        write_slide(tmp_path / "x.tif", (0, 5))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_large_slide_needs_little_memory(tmp_path):
    import tracemalloc

    tracemalloc.start()
    write_slide(tmp_path / "large.tif", (6000, 20000), seed=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1e9
    with openslide.OpenSlide(tmp_path / "large.tif") as slide:
        assert slide.dimensions == (20000, 6000)


def test_the_sample_slide_opens_and_fits_its_truth():
    path = sample_slide_path()
    with openslide.OpenSlide(path) as slide:
        width, height = slide.dimensions
        assert 0.49 < float(slide.properties["openslide.mpp-x"]) < 0.51
        assert slide.level_count > 1
        image = np.asarray(slide.read_region((0, 0), 0, (width, height)))[..., :3].mean(axis=-1)
    layers = {layer: tifffile.imread(path.parent / "truth" / f"{path.stem}_{layer}.tif") for layer in TRUTH_LAYERS}
    assert all(pixels.shape == (height, width) for pixels in layers.values())
    assert image[layers["nuclei"] > 0].mean() < image[layers["tissue"] > 0].mean() - 50
    assert image[layers["lumen"] > 0].mean() > image[layers["gland"] > 0].mean() + 30
    assert sum(file.stat().st_size for file in path.parent.rglob("*") if file.is_file()) < 5e6
