"""Pictures of objects over slides."""

import cv2
import numpy as np
from drawn_slides import SHAPE
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from project_views import all_labels, opened
from scipy import ndimage

from pathloop.loop import draw_overlay, write_overlays
from pathloop.slides import open_slide


@given(
    labels=arrays(np.int32, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 2)),
    thickness=st.integers(1, 3),
)
def test_outlines_lie_inside_objects_along_their_edges(labels, thickness):
    image = np.full((*labels.shape, 3), 200, np.uint8)
    before = image.copy()
    drawn = draw_overlay(image, {"a": labels}, {"a": (1, 2, 3)}, thickness=thickness)
    np.testing.assert_array_equal(image, before)
    painted = (drawn == (1, 2, 3)).all(axis=-1)
    # the picture's own edge is no outline
    cross = np.zeros((2 * thickness + 1,) * 2, bool)
    cross[thickness], cross[:, thickness] = True, True
    lowest = ndimage.minimum_filter(labels, footprint=cross, mode="nearest")
    highest = ndimage.maximum_filter(labels, footprint=cross, mode="nearest")
    np.testing.assert_array_equal(painted, (labels > 0) & (lowest != highest))


def test_pictures_of_a_project(segmented, slide, tmp_path):
    with opened(segmented[0]) as project, open_slide(slide) as opened_slide:
        written = write_overlays(project, "blobs", opened_slide, tmp_path)
    assert [path.name for path in written] == ["blobs_overview.png", "blobs_tissue.png", "blobs_detail.png"]
    assert sorted(written) == sorted(tmp_path.iterdir())
    pictures = {path.stem: cv2.imread(str(path))[..., ::-1] for path in written}
    # below the picture are a legend and a scale bar
    assert {picture.shape for picture in pictures.values()} == {(SHAPE[0] + 44, SHAPE[1], 3)}
    with opened(segmented[0]) as project:
        color = project.classes("gland")[0].color
    painted = (pictures["blobs_overview"][: SHAPE[0]] == color).all(axis=-1)
    gland = all_labels(segmented[0])["gland"]
    assert painted.any()
    assert (gland[painted] > 0).all()
