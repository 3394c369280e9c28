"""Sizes, shapes and branches of the multi-task network."""

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from network_tasks import PAPER, RELEASED, SMALL, THREE_KINDS, instance
from torch import Tensor

from pathloop.core import LabelSchema, ModelError
from pathloop.networks import CERBERUS, FAST, NetworkConfig
from pathloop.networks._rows import pick_rows
from pathloop.networks.multitask import InferenceNetwork, MultiTaskNetwork, forward_tiles, n_parameters


def settled(network: MultiTaskNetwork) -> MultiTaskNetwork:
    """Batch norm with statistics and weights that are not 0 and 1, in evaluation mode."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.eval()


@pytest.fixture(scope="module")
def small() -> MultiTaskNetwork:
    torch.manual_seed(3)
    return settled(MultiTaskNetwork(SMALL, THREE_KINDS))


def test_published_parameter_count() -> None:
    with torch.device("meta"):
        network = MultiTaskNetwork(CERBERUS, PAPER)
    assert n_parameters(network) == 26_601_049
    assert n_parameters(network.encoder) == pytest.approx(21.285e6, abs=500)
    assert n_parameters(network.neck) == 512 * 256
    assert {n_parameters(decoder) for decoder in network.decoders.values()} == {1_255_872}
    assert n_parameters(network.heads["tissue"]) == pytest.approx(0.135e6, abs=500)


def test_released_parameter_count() -> None:
    with torch.device("meta"):
        network = MultiTaskNetwork(CERBERUS, RELEASED)
    assert n_parameters(network) == 27_863_548
    # what the released file holds besides: the encoder's unused classifier
    assert n_parameters(network) + 512 * 1000 + 1000 == pytest.approx(28.38e6, abs=10_000)


def multiply_adds(network: MultiTaskNetwork, side: int) -> dict[str, int]:
    """Of all convolutions on one square input, by the first two parts of their names."""
    counts: dict[str, int] = {}

    def count(name: str, conv: torch.nn.Conv2d, out: Tensor) -> None:
        each = conv.in_channels // conv.groups * conv.kernel_size[0] * conv.kernel_size[1]
        part = ".".join(name.split(".")[:2]) if name.startswith(("decoders", "heads")) else name.split(".")[0]
        counts[part] = counts.get(part, 0) + out.numel() * each

    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda conv, _, out, name=name: count(name, conv, out))
    network(torch.zeros(1, 3, side, side, device="meta"))
    return counts


def test_multiply_adds_of_the_published_design() -> None:
    """The derived cost of a 448 px patch: encoder 58.6, a decoder 24.0, a head 1.3, together 185 GMAC."""
    with torch.device("meta"):
        network = MultiTaskNetwork(CERBERUS, RELEASED).eval()
    counts = multiply_adds(network, 448)
    assert counts["encoder"] == pytest.approx(58.6e9, rel=0.001)
    for task in network.decoders:
        assert counts[f"decoders.{task}"] == pytest.approx(24.0e9, rel=0.002)
    assert counts["heads.gland"] == pytest.approx(1.3e9, rel=0.03)
    assert sum(counts.values()) == pytest.approx(185e9, rel=0.003)
    # per output pixel: the published 144 of 448 px, and large tiles with the same margin
    for side, per_px in ((448, 8.94e6), (1024, 1.87e6), (2048, 1.27e6)):
        total = sum(counts.values()) * (side / 448) ** 2
        assert total / (side - 304) ** 2 == pytest.approx(per_px, rel=0.005)


def test_fast_takes_a_quarter_of_the_decoders_work() -> None:
    with torch.device("meta"):
        full, fast = MultiTaskNetwork(CERBERUS, RELEASED).eval(), MultiTaskNetwork(FAST, RELEASED).eval()
    counts = multiply_adds(full, 576), multiply_adds(fast, 576)
    assert counts[0]["decoders.gland"] == 4 * counts[1]["decoders.gland"]


@pytest.mark.parametrize(("height", "width"), [(144, 144), (448, 448), (1008, 720)])
def test_shapes_of_the_published_design(height: int, width: int) -> None:
    with torch.device("meta"):
        network = MultiTaskNetwork(CERBERUS, RELEASED).eval()
    out = network(torch.zeros(2, 3, height, width, device="meta"))
    assert {task: tuple(value.shape) for task, value in out.items()} == {
        "gland": (2, 3, height, width),
        "lumen": (2, 3, height, width),
        "nuclei": (2, 3, height, width),
        "nuclei_type": (2, 7, height, width),
        "gland_type": (2, 3, height, width),
        "tissue": (2, 9, height // 144, width // 144),
    }
    maps = network.encoder(torch.zeros(1, 3, height, width, device="meta"))
    assert [(one.shape[1], height // one.shape[2]) for one in maps] == [(64, 1), (64, 2), (128, 4), (256, 8), (512, 16)]


def test_encoder_is_the_published_resnet34() -> None:
    with torch.device("meta"):
        encoder = MultiTaskNetwork(CERBERUS, PAPER).encoder
    blocks = [len(stage) for stage in (encoder.layer1, encoder.layer2, encoder.layer3, encoder.layer4)]
    assert blocks == [3, 4, 6, 3]
    assert encoder.conv1.stride == (1, 1)
    assert encoder.conv1.kernel_size == (7, 7)


def test_every_parameter_belongs_to_the_trunk_or_to_one_branch(small: MultiTaskNetwork) -> None:
    owners: dict[int, int] = {}
    for task in THREE_KINDS.names:
        for module in small.branch(task):
            for parameter in module.parameters():
                owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    assert set(owners.values()) == {1}
    trunk = n_parameters(small.encoder) + n_parameters(small.neck)
    assert trunk + sum(p.numel() for p in small.parameters() if id(p) in owners) == n_parameters(small)


@pytest.mark.parametrize("stem_stride", [1, 2])
def test_output_shapes(stem_stride: int) -> None:
    config = NetworkConfig(encoder="resnet18", stem_stride=stem_stride, patch_window=2)
    network = MultiTaskNetwork(config, THREE_KINDS).eval()
    height, width = 64, 128
    assert config.total_stride == 16 * stem_stride
    with torch.inference_mode():
        maps = network.encoder(torch.rand(3, 3, height, width))
        out = network(torch.rand(3, 3, height, width))
    assert [tuple(one.shape[1:]) for one in maps] == [
        (channels, height // (stem_stride * 2**level), width // (stem_stride * 2**level))
        for level, channels in enumerate((64, 64, 128, 256, 512))
    ]
    assert out["nuclei"].shape == (3, 3, height, width)
    assert out["nuclei_type"].shape == (3, 3, height, width)
    assert out["tissue"].shape == (3, 3, height // config.cell_px, width // config.cell_px)


def test_cell_sizes_of_the_two_designs() -> None:
    assert (CERBERUS.cell_px, FAST.cell_px) == (144, 128)
    assert (CERBERUS.total_stride, FAST.total_stride) == (16, 32)


def test_wrong_side_names_the_size_to_pad_to(small: MultiTaskNetwork) -> None:
    with pytest.raises(ModelError, match=r"65 x 100 px.*multiples of 32.*\(96, 128\)"):
        small(torch.zeros(1, 3, 65, 100))


def test_other_neck_width_is_refused() -> None:
    with pytest.raises(ValueError, match="neck_channels must be 256"):
        NetworkConfig(neck_channels=128)


def test_only_asked_branches_run(small: MultiTaskNetwork) -> None:
    ran: list[str] = []
    handles = [
        module.register_forward_hook(lambda *_, name=name: ran.append(name))
        for name, module in small.named_modules()
        if name in ("neck", "heads.nuclei", "heads.nuclei_type", "heads.tissue")
    ]
    small(torch.zeros(1, 3, 64, 64), ["tissue"])
    assert ran == ["heads.tissue"]
    small(torch.zeros(1, 3, 64, 64), ["nuclei"])
    assert ran == ["heads.tissue", "neck", "heads.nuclei"]
    for handle in handles:
        handle.remove()


def test_rows_none_equals_all_rows_and_subsets_equal_their_own_batch(small: MultiTaskNetwork) -> None:
    x = torch.rand(5, 3, 64, 64)
    with torch.inference_mode():
        everything = small(x)
        listed = small.forward_rows(x, dict.fromkeys(THREE_KINDS.names, torch.arange(5)))
        rows = torch.tensor([3, 1])
        some = small.forward_rows(x, {"nuclei": rows, "tissue": torch.tensor([], dtype=torch.int64)})
    for task in THREE_KINDS.names:
        torch.testing.assert_close(listed[task], everything[task])
    torch.testing.assert_close(some["nuclei"], everything["nuclei"][rows], rtol=1e-4, atol=1e-5)
    assert set(some) == {"nuclei"}


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_picked_rows_and_their_gradient_are_those_of_plain_indexing(layout: torch.memory_format) -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(5, 4, 3, 2, generator=generator, dtype=torch.float64).to(memory_format=layout)
    index = torch.tensor([3, 0, 4])
    weights = torch.randn(3, 4, 3, 2, generator=generator, dtype=torch.float64)
    ours, plain = x.clone().requires_grad_(), x.clone().requires_grad_()
    picked = pick_rows(ours, index)
    assert picked.is_contiguous(memory_format=layout)
    assert torch.equal(picked, plain[index])
    (picked * weights).sum().backward()
    (plain[index] * weights).sum().backward()
    assert ours.grad is not None
    assert torch.equal(ours.grad, plain.grad)
    assert torch.autograd.gradcheck(lambda one: pick_rows(one, index), (ours,))


def test_decoder_statistics_see_only_the_rows_that_own_the_task(small: MultiTaskNetwork) -> None:
    """Batch norm of a decoder in training: as if it had run on its own rows alone."""
    x = torch.rand(4, 3, 64, 64)
    rows = torch.tensor([0, 2])
    small.decoders["nuclei"].train()
    with torch.no_grad():
        maps = [one[rows] for one in small.encoder(x)]
        alone = small.heads["nuclei"](small.decoders["nuclei"](small.neck(maps[-1]), maps))
        alone = F.interpolate(alone, scale_factor=2.0, mode="bilinear", align_corners=False)
        found = small.forward_rows(x, {"nuclei": rows})["nuclei"]
        other = small.forward_rows(torch.cat([x[:1], torch.rand(1, 3, 64, 64), x[2:3]]), {"nuclei": rows})["nuclei"]
    small.decoders["nuclei"].eval()
    torch.testing.assert_close(found, alone, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(other, found, rtol=1e-4, atol=1e-5)


def patch_logits(head: torch.nn.Module, deepest: Tensor) -> Tensor:
    """The published patch head, written out: mean, batch norm, two fully connected layers."""
    bn1, _, _, fc1, bn2, _, fc2 = head.layers
    x = deepest.mean(dim=(2, 3))
    x = torch.relu((x - bn1.running_mean) / torch.sqrt(bn1.running_var + 1e-5) * bn1.weight + bn1.bias)
    x = x @ fc1.weight[:, :, 0, 0].T
    x = torch.relu((x - bn2.running_mean) / torch.sqrt(bn2.running_var + 1e-5) * bn2.weight + bn2.bias)
    return x @ fc2.weight[:, :, 0, 0].T + fc2.bias


def test_patch_head_one_window_and_grid() -> None:
    config = CERBERUS.model_copy(update={"encoder": "resnet18"})
    network = settled(MultiTaskNetwork(config, THREE_KINDS))
    head = network.heads["tissue"]
    deepest = torch.rand(1, 512, 18, 27)
    with torch.inference_mode():
        grid = head(deepest)
        assert grid.shape == (1, 3, 2, 3)
        for row in range(2):
            for col in range(3):
                window = deepest[:, :, 9 * row : 9 * row + 9, 9 * col : 9 * col + 9]
                torch.testing.assert_close(grid[:, :, row, col], patch_logits(head, window))
                torch.testing.assert_close(grid[:, :, row : row + 1, col : col + 1], head(window))


def test_inference_network_quantises_within_half_a_unit(small: MultiTaskNetwork) -> None:
    pixels = torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8)
    out = forward_tiles(InferenceNetwork(small), pixels)
    with torch.inference_mode():
        logits = small(pixels.permute(0, 3, 1, 2).float() / 255)
    prob = torch.softmax(logits["nuclei"], dim=1)[:, 1:]
    assert out["nuclei"].dtype == torch.uint8
    assert out["nuclei"].shape == (2, 2, 64, 96)
    assert float((out["nuclei"].float() - prob * 255).abs().max()) <= 0.5 + 1e-3
    assert out["nuclei_type"].shape == (2, 1, 64, 96)
    np.testing.assert_array_equal(out["nuclei_type"][:, 0], logits["nuclei_type"].argmax(dim=1))
    torch.testing.assert_close(out["tissue"], torch.softmax(logits["tissue"], dim=1))
    torch.testing.assert_close(out["tissue"].sum(dim=1), torch.ones(2, 1, 1))


def test_certain_pixels_do_not_wrap_around() -> None:
    network = MultiTaskNetwork(SMALL, LabelSchema(tasks=(instance("nuclei"),))).eval()
    final = network.heads["nuclei"].layers[-1]
    torch.nn.init.zeros_(final.weight)
    final.bias.data = torch.tensor([0.0, 40.0, 0.0])
    out = forward_tiles(InferenceNetwork(network), torch.zeros(1, 32, 32, 3, dtype=torch.uint8))["nuclei"]
    assert set(out[:, 0].unique().tolist()) == {255}
    assert set(out[:, 1].unique().tolist()) == {0}


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, pathloop.networks; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
