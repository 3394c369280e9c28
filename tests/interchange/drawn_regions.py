"""Regions with corrected labels, drawn or random."""

from typing import Any

import cv2
import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pathloop.core import ClassSpec
from pathloop.interchange import TISSUE_CLASSES, TrainingRegion, TrainingTask, TrainingTissue

CLASSES = (ClassSpec(name="Tumor", color=(200, 0, 0)), ClassSpec(name="Stroma", color=(0, 200, 0)))
TISSUE = tuple(ClassSpec(name=name, color=(9, 9, index)) for index, name in enumerate(TISSUE_CLASSES))

label_images = hnp.arrays(
    np.int32,
    hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14),
    elements=st.sampled_from([0, 0, 3, 8, 70_000, 2**31 - 1]),
)


def discs(shape: tuple[int, int], n: int, rng: np.random.Generator, radius: tuple[int, int] = (4, 12)) -> np.ndarray:
    """Up to n discs that may touch and cover each other; large ids with gaps."""
    labels = np.zeros(shape, np.int32)
    for number in range(n):
        mask = np.zeros(shape, np.uint8)
        centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        cv2.circle(mask, centre, int(rng.integers(*radius)), 1, -1)
        labels[mask > 0] = 100_000 + 7 * number
    return labels


def noise(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (*shape, 3)).astype(np.uint8)


def ids_of(labels: np.ndarray) -> list[int]:
    return [value for value in np.unique(labels).tolist() if value]


def plain_region(labels: np.ndarray, name: str = "a", **changes: Any) -> TrainingRegion:
    """One task without classes, reviewed everywhere unless said otherwise."""
    review = changes.pop("review", None)
    task = TrainingTask(labels, review=review)
    image = noise(labels.shape, np.random.default_rng(labels.size))
    return TrainingRegion(
        **{"name": name, "group": "p", "image": image, "um_per_px": 0.5, "tasks": {"nuclei": task}} | changes
    )


def drawn_region(number: int, *, group: str | None = None, shape: tuple[int, int] = (160, 200)) -> TrainingRegion:
    """Nuclei of two classes (one has none), glands without classes and a tissue map; a corner is not reviewed."""
    rng = np.random.default_rng(number)
    nuclei, gland = discs(shape, 30, rng), discs(shape, 3, rng, (20, 35))
    codes = {object_id: index % 3 for index, object_id in enumerate(ids_of(nuclei))}
    states = dict.fromkeys(ids_of(nuclei)[::2], "accepted")
    review = np.ones(shape, np.uint8)
    review[: shape[0] // 4, : shape[1] // 4] = 0
    tissue = (np.arange(shape[0])[:, None] * 5 // shape[0]).astype(np.uint8).repeat(shape[1], axis=1)
    return TrainingRegion(
        name=f"slide {number}_r1",
        group=group or f"patient {number}",
        image=noise(shape, rng),
        um_per_px=0.5,
        tasks={"nuclei": TrainingTask(nuclei, CLASSES, codes, states, review), "gland": TrainingTask(gland)},
        tissue=TrainingTissue(tissue, TISSUE, review),
        provenance={"slide": f"slide {number}", "rect": [0, 0, *shape], "who": "A. Pathologist", "model": "fast 1"},
    )
