"""Losses: hand-worked values, numpy written from the formulas, and what unknown pixels do."""

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from training_sets import ALL_KINDS

from pathloop.learn._losses import cross_entropy, soft_dice, subtype_loss, task_loss

Floats = NDArray[np.float64]


def softmax(logits: Floats) -> Floats:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def numpy_cross_entropy(logits: Floats, target: NDArray[np.uint8]) -> float:
    samples = []
    for one, truth in zip(softmax(logits), target, strict=True):
        known = [-math.log(one[truth[y, x], y, x]) for y, x in np.ndindex(truth.shape) if truth[y, x] != 255]
        if known:
            samples.append(sum(known) / len(known))
    return sum(samples) / len(samples) if samples else 0.0


def numpy_dice(logits: Floats, target: NDArray[np.uint8]) -> float:
    prob, known = softmax(logits), target != 255
    terms = []
    for k in range(1, logits.shape[1]):
        y, p = (target == k)[known].astype(float), prob[:, k][known]
        terms.append(1 - (2 * (y * p).sum() + 1e-3) / (y.sum() + p.sum() + 1e-3))
    return float(np.mean(terms))


def numpy_subtype(logits: Floats, target: NDArray[np.uint8]) -> float:
    """The formula of the paper's subtyping decoder, term by term."""
    prob = np.moveaxis(softmax(logits), 1, -1)
    v = (target > 0) & (target != 255)
    total = 0.0
    for k in range(1, logits.shape[1]):
        v_k = target == k
        if v_k.any():
            total -= np.log(prob[v_k][:, k]).sum() / v_k.sum()
        y, p = (target[v] == k).astype(float), prob[v][:, k]
        total += 1 - (2 * (y * p).sum() + 1e-3) / (y.sum() + p.sum() + 1e-3)
    return float(total)


@pytest.fixture
def case(rng: np.random.Generator) -> tuple[Floats, NDArray[np.uint8]]:
    """Three samples of which one is all unknown, four classes of which one never occurs."""
    logits = rng.normal(0, 2, (3, 4, 5, 6))
    target = rng.choice(np.array([0, 1, 2, 255], np.uint8), (3, 5, 6))
    target[1] = 255
    return logits, target


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(cross_entropy, numpy_cross_entropy), (soft_dice, numpy_dice), (subtype_loss, numpy_subtype)],
    ids=["cross entropy", "dice", "subtype"],
)
def test_parity_with_numpy(ours, theirs, case: tuple[Floats, NDArray[np.uint8]]) -> None:
    logits, target = case
    found = float(ours(torch.from_numpy(logits), torch.from_numpy(target)))
    assert found == pytest.approx(theirs(logits, target), rel=1e-9)


def test_cross_entropy_by_hand() -> None:
    # first sample: p(true) = 1/2 and 3/4; second: 1/2 at its one known pixel; samples count alike
    logits = torch.log(torch.tensor([[[[1.0, 3.0]], [[1.0, 1.0]]], [[[1.0, 9.0]], [[1.0, 1.0]]]]))
    target = torch.tensor([[[0, 0]], [[1, 255]]], dtype=torch.uint8)
    expected = ((math.log(2) + math.log(4 / 3)) / 2 + math.log(2)) / 2
    assert float(cross_entropy(logits, target)) == pytest.approx(expected, rel=1e-6)


def test_dice_by_hand() -> None:
    # one foreground class, p = 1/2 at two pixels, one of them true
    found = soft_dice(torch.zeros(1, 2, 1, 2), torch.tensor([[[1, 0]]], dtype=torch.uint8))
    assert float(found) == pytest.approx(1 - (2 * 0.5 + 1e-3) / (1 + 1 + 1e-3), rel=1e-6)


def test_subtype_by_hand() -> None:
    # p = (1/2, 1/4, 1/4) everywhere: class 1 at two pixels, class 2 at one, one pixel outside objects
    logits = torch.log(torch.tensor([2.0, 1.0, 1.0])).view(1, 3, 1, 1).expand(1, 3, 1, 4)
    target = torch.tensor([[[1, 1, 2, 0]]], dtype=torch.uint8)
    entropy = 2 * math.log(4)
    dice = 1 - (2 * 0.5 + 1e-3) / (2 + 0.75 + 1e-3) + 1 - (2 * 0.25 + 1e-3) / (1 + 0.75 + 1e-3)
    assert float(subtype_loss(logits, target)) == pytest.approx(entropy + dice, rel=1e-6)


def test_subtype_weighs_rare_classes_like_common_ones() -> None:
    logits = torch.zeros(1, 3, 1, 100, requires_grad=True)
    target = torch.ones(1, 1, 100, dtype=torch.uint8)
    target[..., 0] = 2
    entropy = subtype_loss(logits, target)
    entropy.backward()
    pull = logits.grad.abs().sum(dim=(0, 1, 2))
    assert float(pull[0]) > 50 * float(pull[1])


@pytest.mark.parametrize("loss", [cross_entropy, soft_dice, subtype_loss])
def test_all_unknown_is_zero_with_finite_gradients(loss) -> None:
    logits = torch.randn(2, 3, 4, 4, requires_grad=True)
    value = loss(logits, torch.full((2, 4, 4), 255, dtype=torch.uint8))
    assert float(value.detach()) == 0
    value.backward()
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("loss", [cross_entropy, soft_dice, subtype_loss])
def test_unknown_pixels_neither_count_nor_pull(loss) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 4, generator=generator)
    target = torch.randint(1, 3, (2, 4, 4), generator=generator, dtype=torch.uint8)
    target[:, 1:3, 2] = 255
    unknown = (target == 255)[:, None].expand_as(logits)
    changed = torch.where(unknown, logits + 7, logits).requires_grad_()
    value = loss(changed, target)
    assert float(value.detach()) == float(loss(logits, target))
    value.backward()
    assert not changed.grad[unknown].any()
    assert changed.grad[~unknown].all()


def test_background_takes_no_part_in_subtyping() -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    target = torch.zeros(1, 4, 4, dtype=torch.uint8)
    target[0, 0, 0] = 1
    subtype_loss(logits, target).backward()
    assert logits.grad[0, :, 0, 0].abs().sum() > 0
    logits.grad[0, :, 0, 0] = 0
    assert not logits.grad.any()


def test_dice_on_and_off() -> None:
    logits = torch.randn(2, 3, 4, 4)
    target = torch.randint(0, 3, (2, 4, 4), dtype=torch.uint8)
    entropy, dice = cross_entropy(logits, target), soft_dice(logits, target)

    def loss(task: str, weight: float) -> float:
        return float(task_loss(task, logits, target, labels=ALL_KINDS, dice=weight))

    assert loss("nuclei", 0.0) == float(entropy)
    assert loss("nuclei", 0.5) == pytest.approx(float(entropy + 0.5 * dice))
    assert loss("tissue", 0.5) == float(entropy)
    assert loss("nuclei_type", 0.0) == float(subtype_loss(logits, target))


def test_loss_of_bf16_logits_is_taken_in_fp32() -> None:
    logits = torch.randn(1, 3, 4, 4).bfloat16()
    target = torch.randint(0, 3, (1, 4, 4), dtype=torch.uint8)
    assert task_loss("nuclei", logits, target, labels=ALL_KINDS, dice=1.0).dtype == torch.float32
