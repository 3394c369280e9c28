"""Validation scores of networks whose answer is known: heads that say the same everywhere."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_sets import ALL_KINDS, TINY, training_image

from pathloop.learn._validate import predict_image, validate
from pathloop.networks.multitask import MultiTaskNetwork


def constant(**answers: int) -> MultiTaskNetwork:
    """A network that answers one channel of each named task everywhere, and channel 0 of the others."""
    network = MultiTaskNetwork(TINY, ALL_KINDS).eval()
    for task in ALL_KINDS.names:
        last = network.heads[task].layers[-1]
        torch.nn.init.zeros_(last.weight)
        last.bias.data.zero_()
        last.bias.data[answers.get(task, 0)] = 30.0
    return network


TASKS = ("nuclei", "gland", "nuclei_type")


def test_types_are_scored_on_the_pixels_of_true_objects() -> None:
    item = training_image(0, TASKS)
    # a typed pixel outside every nucleus, and an unknown half
    types = item.labels["nuclei_type"].copy()
    types[item.labels["nuclei"] == 0] = 2
    types[:10] = 255
    unknown = np.zeros((80, 80), bool)
    unknown[40:] = True
    item = replace(item, labels=item.labels | {"nuclei_type": types}, ignore={"nuclei_type": unknown})
    scores = validate(constant(nuclei_type=1), [item], 0.5)["folder/nuclei_type"]
    held = types[10:40][item.labels["nuclei"][10:40] > 0]
    ones, twos = np.count_nonzero(held == 1), np.count_nonzero(held == 2)
    assert ones > 50
    assert twos > 50
    # class 1: all found, the others taken for it; class 2: none found
    assert scores == {
        "n": ones + twos,
        "accuracy": pytest.approx(ones / (ones + twos)),
        "f1": pytest.approx((2 * ones / (2 * ones + twos) + 0) / 2),
    }


def test_pixels_without_a_predicted_type_are_misses() -> None:
    scores = validate(constant(), [training_image(0, TASKS)], 0.5)["folder/nuclei_type"]
    assert scores["f1"] == scores["accuracy"] == 0
    assert scores["n"] > 100


def test_cells_are_scored_where_their_class_is_clear() -> None:
    item = training_image(0, (), tissue=True, side=96)
    assert item.tissue is not None
    assert validate(constant(tissue=1), [item], 0.5)["folder/tissue"] == {
        "n": 9.0,
        "accuracy": pytest.approx(1 / 3),
        # class 1: three of nine; the others: none
        "f1": pytest.approx(2 * 3 / (9 + 3) / 3),
    }
    unclear = replace(item, tissue=np.full((96, 96), 255, np.uint8))
    assert validate(constant(), [unclear], 0.5)["folder/tissue"] == {"n": 0.0}


def test_objects_missed_score_zero() -> None:
    scores = validate(constant(), [training_image(0), training_image(1)], 0.5)
    assert scores["folder/nuclei"] == {"dice": 0.0, "pq": 0.0, "object_dice": 0.0, "n": 2.0}


def test_undefined_scores_are_left_out() -> None:
    """No object in truth and prediction: nothing to measure, and no NaN in events and cards."""
    item = training_image(0)
    empty = replace(item, labels={"nuclei": np.zeros((80, 80), np.int32)})
    assert validate(constant(), [empty], 0.5) == {"folder/nuclei": {"n": 1.0}}


def test_images_without_the_models_tasks_are_passed_over() -> None:
    assert validate(constant(), [training_image(0, ())], 0.5) == {}


def test_unknown_pixels_are_no_false_positives() -> None:
    item = training_image(0, ("gland",))
    everywhere = {"gland": np.ones((80, 80), bool)}
    found = validate(constant(gland=1), [replace(item, ignore=everywhere)], 0.5)["folder/gland"]
    assert found == {"n": 1.0}
    assert validate(constant(gland=1), [item], 0.5)["folder/gland"]["dice"] > 0


@pytest.mark.parametrize("um_per_px", [0.25, 0.5, 1.0])
@pytest.mark.slow
def test_images_are_brought_to_the_models_scale(um_per_px: float) -> None:
    item = replace(training_image(0, TASKS), um_per_px=um_per_px)
    side = round(80 * um_per_px / 0.5)
    found = predict_image(constant(), item.image, zoom=um_per_px / 0.5, tasks=[*TASKS, "tissue"])
    assert found.image.shape == (side, side, 3)
    assert found.maps["gland"].shape == (2, side, side)
    assert found.types["nuclei_type"].shape == (side, side)
    assert found.cells["tissue"].shape == (3, -(-side // 32), -(-side // 32))
    scores = validate(constant(nuclei_type=1), [item], 0.5)["folder/nuclei_type"]
    assert scores["n"] == np.count_nonzero(item.labels["nuclei_type"])
