"""Synthetic colon: the truth is exact and the picture shows it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from pathloop.core import UsageError
from pathloop.rasters import STAIN_OD, rgb_to_density
from pathloop.synth import NUCLEUS_CLASSES, STRUCTURES, TISSUES, draw_colon

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def slide():
    return draw_colon((1400, 1500), um_per_px=0.5, seed=1)


def haematoxylin(image):
    return (rgb_to_density(image) @ np.linalg.inv(STAIN_OD))[..., 0]


def check_truth(slide):
    for name, labels in slide.labels.items():
        assert labels.dtype == np.int32
        ids = np.unique(labels)
        assert np.array_equal(ids[ids > 0], np.arange(1, labels.max() + 1)), name
        # as many 4-connected parts of equal id as ids: cut between different ids, then count
        same_row = (labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] > 0)
        same_column = (labels[1:] == labels[:-1]) & (labels[1:] > 0)
        index = np.arange(labels.size).reshape(labels.shape)
        starts = np.concatenate([index[:, 1:][same_row], index[1:][same_column]])
        ends = np.concatenate([index[:, :-1][same_row], index[:-1][same_column]])
        graph = np.ones(len(starts), np.int8), (starts, ends)
        count, _ = connected_components(coo_matrix(graph, (labels.size, labels.size)), directed=False)
        assert count - (labels == 0).sum() == labels.max(), name
    gland, lumen, nuclei = (slide.labels[name] for name in ("gland", "lumen", "nuclei"))
    assert (gland[lumen > 0] > 0).all()
    pairs = np.unique(np.stack([lumen[lumen > 0], gland[lumen > 0]]), axis=1)
    assert pairs.shape[1] == lumen.max(), "a lumen lies in one gland"
    assert not (nuclei[lumen > 0] > 0).any()
    assert slide.nucleus_classes.shape == (nuclei.max() + 1,)
    assert slide.nucleus_classes[0] == 0
    assert (slide.nucleus_classes[1:] > 0).all()
    assert slide.nucleus_classes.max(initial=0) < len(NUCLEUS_CLASSES)
    assert slide.tissue.max() < len(TISSUES)
    assert slide.structure.max() < len(STRUCTURES)
    assert (slide.tissue[gland > 0] >= 2).all()
    assert np.array_equal(slide.tissue == 0, slide.structure == 0)
    assert not (nuclei[slide.tissue == 0] > 0).any()


def test_truth_is_consistent(slide):
    check_truth(slide)
    assert slide.labels["nuclei"].max() > 1000
    assert slide.labels["gland"].max() > 10
    assert slide.labels["lumen"].max() > 10
    assert set(np.unique(slide.tissue)) == {0, 1, 2, 3}
    assert set(slide.nucleus_classes) == set(range(len(NUCLEUS_CLASSES)))


def test_nuclei_are_darker_than_what_surrounds_them(slide):
    stain = haematoxylin(slide.image)
    nuclei = slide.labels["nuclei"]
    ring = ndimage.binary_dilation(nuclei > 0, iterations=5) & ~ndimage.binary_dilation(nuclei > 0, iterations=1)
    inside = ndimage.mean(stain, nuclei, np.arange(1, nuclei.max() + 1))
    assert np.mean(inside > stain[ring].mean() + 2 * stain[ring].std()) > 0.97
    # by class: lymphocytes are darker than fibroblasts
    of_class = {
        name: inside[slide.nucleus_classes[1:] == code].mean() for code, name in enumerate(NUCLEUS_CLASSES) if code
    }
    assert of_class["lymphocyte"] > of_class["connective"]


def test_lumina_and_glass_are_bright(slide):
    lightness = slide.image.mean(axis=-1)
    gland, lumen = slide.labels["gland"], slide.labels["lumen"]
    in_lumen = ndimage.median(lightness, lumen, np.arange(1, lumen.max() + 1))
    epithelium = lightness[(gland > 0) & (lumen == 0)]
    assert (in_lumen > np.quantile(epithelium, 0.9)).all()
    assert lightness[slide.structure == 0].mean() > 235


def test_abnormal_epithelium_is_darker(slide):
    stain = haematoxylin(slide.image)
    epithelium = (slide.labels["gland"] > 0) & (slide.labels["lumen"] == 0)
    assert stain[epithelium & (slide.tissue == 3)].mean() > stain[epithelium & (slide.tissue == 2)].mean()


def test_outlined_tissue_touches_no_edge(slide):
    for labels in (*slide.labels.values(), slide.tissue):
        assert not np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]).any()


def test_unoutlined_tissue_fills_the_image():
    slide = draw_colon((500, 400), seed=2, outline=False)
    check_truth(slide)
    assert (slide.tissue > 0).all()


def test_equal_seeds_draw_equal_slides_and_others_do_not():
    first, again, other = (draw_colon((300, 700), seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(first.image, again.image)
    assert all(np.array_equal(first.labels[name], again.labels[name]) for name in first.labels)
    assert not np.array_equal(first.image, other.image)


def test_stain_seed_changes_colours_only():
    first, other = (draw_colon((400, 400), seed=5, stain_seed=seed) for seed in (1, 2))
    assert all(np.array_equal(first.labels[name], other.labels[name]) for name in first.labels)
    assert not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_share_of_abnormal_glands(share):
    slide = draw_colon((900, 900), seed=3, abnormal=share)
    found = set(np.unique(slide.tissue[slide.labels["gland"] > 0]))
    assert found == ({3} if share else {2})


@settings(max_examples=12)
@given(
    height=st.integers(1, 260),
    width=st.integers(1, 260),
    um_per_px=st.sampled_from([0.25, 0.5, 1.0, 2.5]),
    seed=st.integers(0, 1000),
    outline=st.booleans(),
)
@pytest.mark.slow
def test_any_shape_and_scale(height, width, um_per_px, seed, outline):
    slide = draw_colon((height, width), um_per_px=um_per_px, seed=seed, outline=outline)
    assert slide.image.shape == (height, width, 3)
    check_truth(slide)


@pytest.mark.parametrize("shape", [(1, 1), (1, 700), (700, 1), (3, 5)])
def test_tiny_shapes(shape):
    slide = draw_colon(shape)
    assert slide.image.shape == (*shape, 3)
    check_truth(slide)


@pytest.mark.slow
def test_physical_size_does_not_depend_on_the_pixel_size():
    areas = []
    for um_per_px, side in ((0.25, 1600), (0.5, 800)):
        slide = draw_colon((side, side), um_per_px=um_per_px, seed=9, abnormal=0.0)
        nuclei = slide.labels["nuclei"]
        epithelial = np.flatnonzero(slide.nucleus_classes == NUCLEUS_CLASSES.index("epithelial"))
        areas.append(np.median(np.bincount(nuclei.ravel())[epithelial]) * um_per_px**2)
    assert areas[0] == pytest.approx(areas[1], rel=0.2)
    # epithelial nuclei of the colon: about 25 to 45 um2
    assert 20 < areas[0] < 50


@pytest.mark.parametrize("options", [{"abnormal": 1.5}, {"um_per_px": 0.001}, {"shape": (0, 5)}])
def test_wrong_options_are_refused(options):
    with pytest.raises(UsageError):
        draw_colon(**{"shape": (10, 10), **options})
