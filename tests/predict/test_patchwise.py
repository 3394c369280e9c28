"""Patch by patch: the maps are those of plain forward passes over 448 px with centre crops."""

import numpy as np
import pytest
import torch

from pathloop.core import ClassSpec, LabelSchema, TaskSpec, UsageError
from pathloop.loop import core_size
from pathloop.networks import CERBERUS, ModelCard, find_model, read_card
from pathloop.networks.multitask import MultiTaskNetwork
from pathloop.networks.weights import load_model, save_model
from pathloop.predict import PATCH_CORE_PX, PATCH_MARGIN_PX, EngineChoice, PatchwiseEngine, load_engine
from pathloop.synth import draw_colon


def classes(*names):
    return tuple(ClassSpec(name=name, color=(1, 2, 3)) for name in names)


KINDS = LabelSchema(
    tasks=(
        TaskSpec(name="nuclei", output="instance", classes=classes("nucleus")),
        TaskSpec(name="nuclei_type", output="type", of="nuclei", classes=classes("a", "b", "c")),
        TaskSpec(name="tissue", output="patch", classes=classes("x", "y", "z")),
    )
)


class Places:
    """Says of every patch where it was cut from: the pixels hold their own place."""

    def run(self, pixels):
        row, col = pixels[224, 224, :2]
        return {"nuclei": pixels.transpose(2, 0, 1)[:2], "tissue": np.tile([row, col], (3, 3, 1)).transpose(2, 0, 1)}


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (2, 3), (5, 5)])
def test_every_core_comes_from_the_patch_around_it(rows, cols):
    height, width = rows * 144 + 304, cols * 144 + 304
    ys, xs = np.mgrid[:height, :width]
    pixels = np.stack([ys, xs, ys], axis=-1)
    out = PatchwiseEngine(Places()).run(pixels)
    inner = np.s_[:, PATCH_MARGIN_PX:-PATCH_MARGIN_PX, PATCH_MARGIN_PX:-PATCH_MARGIN_PX]
    np.testing.assert_array_equal(out["nuclei"][inner], pixels.transpose(2, 0, 1)[:2][inner])
    assert not out["nuclei"][:, :PATCH_MARGIN_PX].any()
    assert out["tissue"].shape == (2, rows + 2, cols + 2)
    for row in range(rows):
        for col in range(cols):
            assert tuple(out["tissue"][:, row + 1, col + 1]) == (row * 144 + 224, col * 144 + 224)


@pytest.mark.slow
def test_maps_are_those_of_plain_forward_passes(tmp_path):
    config = CERBERUS.model_copy(update={"encoder": "resnet18"})
    torch.manual_seed(2)
    network = MultiTaskNetwork(config, KINDS)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 1, 3)
    card = ModelCard(
        name="random", version="1", summary="Random.", architecture=config, labels=KINDS, um_per_px=0.5, margin_px=144
    )
    save_model(tmp_path, network.eval(), card)
    network, _ = load_model(tmp_path)
    pixels = draw_colon((448, 592), seed=3).image
    choice = EngineChoice("torch", "cpu", "fp32", "asked for", patchwise=True)
    found = load_engine(tmp_path, KINDS.names, choice).run(pixels)
    for col in range(2):
        x = torch.from_numpy(pixels[:, col * 144 : col * 144 + 448].copy()).permute(2, 0, 1)[None] / 255
        with torch.inference_mode():
            logits = network(x, ["nuclei", "nuclei_type"])
            deepest = network.encoder(x)[-1]
            tissue = torch.softmax(network.heads["tissue"](deepest[:, :, 9:18, 9:18]), dim=1)
        nuclei = torch.softmax(logits["nuclei"], dim=1)[0, 1:, 152:296, 152:296].numpy()
        own = np.s_[:, 152:296, col * 144 + 152 : col * 144 + 296]
        assert nuclei.std() > 0.02
        assert np.abs(found["nuclei"][own] / 255 - nuclei).max() <= 0.51 / 255
        types = logits["nuclei_type"][0].argmax(dim=0)[152:296, 152:296].numpy()
        # equal logits aside
        assert (found["nuclei_type"][own][0] != types).mean() < 1e-3
        np.testing.assert_allclose(found["tissue"][:, 1, col + 1], tissue[0, :, 0, 0], atol=1e-5)


def test_cores_of_the_published_tiling():
    card = read_card(find_model("fast"))
    other = card.model_copy(update={"architecture": CERBERUS, "margin_px": 144})
    assert core_size(1024, other, patchwise=True) == 5 * PATCH_CORE_PX
    assert core_size(448, other, patchwise=True) == PATCH_CORE_PX
    assert core_size(1024, other) == 720
    with pytest.raises(UsageError, match="at least 448"):
        core_size(447, other, patchwise=True)
    with pytest.raises(UsageError, match="'fast' cannot be run patchwise: its tissue cells are 128 px"):
        core_size(1024, card, patchwise=True)
