"""Weights of other programs: converted networks give what the originals give, and wrong files are named in one line."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from network_tasks import THREE_KINDS
from published_cerberus import OUR_NAMES, PublishedCerberus, ResNet, published_state, settled, write_published
from safetensors.torch import save_file
from torch import Tensor, nn

from pathloop.core import ModelError
from pathloop.networks import CERBERUS, FAST, WEIGHTS_NAME, find_model, models_folder, read_card
from pathloop.networks.foreign import add_weights, convert_weights, load_encoder
from pathloop.networks.multitask import MultiTaskNetwork, n_parameters
from pathloop.networks.weights import load_model

State = dict[str, Tensor]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHLOOP_CONFIG", str(tmp_path / "config"))


@pytest.fixture(scope="module")
def original() -> PublishedCerberus:
    return settled(PublishedCerberus())


@pytest.fixture(scope="module")
def file(original: PublishedCerberus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_published(tmp_path_factory.mktemp("download") / "weights.tar", original)


@pytest.fixture(scope="module")
def converted(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("converted") / "model"
    convert_weights(file, folder)
    return folder


def assert_alike(folder: Path, original: PublishedCerberus, pixels: Tensor) -> None:
    """All heads, to the rounding of float32 sums in another order."""
    network, _ = load_model(folder)
    with torch.inference_mode():
        found, expected = network(pixels / 255), original(pixels)
    assert set(found) == set(OUR_NAMES)
    for task, logits in found.items():
        want = expected[OUR_NAMES[task]]
        assert float(want.std()) > 0.02
        torch.testing.assert_close(logits, want, rtol=1e-4, atol=1e-4 * float(want.abs().max()))


def test_all_heads_give_what_the_original_gives(converted: Path, original: PublishedCerberus) -> None:
    assert_alike(converted, original, torch.randint(0, 256, (2, 3, 144, 144)).float())


def test_tissue_of_a_patch_is_that_of_its_central_window(converted: Path, original: PublishedCerberus) -> None:
    """The published network crops the middle 9 x 9 of the 28 x 28 cells of its 448 px; it is our middle window."""
    network, _ = load_model(converted)
    pixels = torch.randint(0, 256, (1, 3, 448, 448)).float()
    with torch.inference_mode():
        found = network(pixels / 255, ["tissue"])["tissue"]
        maps = original.backbone(pixels / 255)
        expected = original.decoder_head["Patch-Class"](maps[-1][:, :, 9:18, 9:18])
    assert found.shape == (1, 9, 3, 3)
    torch.testing.assert_close(found[:, :, 1:2, 1:2], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bias", [False, True])
def test_names_below_x_do_not_matter_and_biases_before_a_norm_are_kept(tmp_path: Path, bias: bool) -> None:
    other = settled(PublishedCerberus(nested=False, bias=bias), seed=2)
    path = tmp_path / "weights.tar"
    torch.save(other.state_dict(), path)  # neither wrapped nor of several GPUs
    convert_weights(path, tmp_path / "model")
    assert_alike(tmp_path / "model", other, torch.randint(0, 256, (1, 3, 144, 144)).float())


def test_the_file_holds_what_the_facts_say(original: PublishedCerberus, converted: Path) -> None:
    assert n_parameters(load_model(converted)[0]) == 27_863_548
    assert n_parameters(original) == 27_863_548 + 513_000


def test_the_card(converted: Path, file: Path) -> None:
    card = read_card(converted)
    assert card.architecture == CERBERUS
    assert card.licence == "CC BY-NC-SA 4.0"
    assert card.is_research_only
    assert not read_card(find_model("fast")).is_research_only
    assert "Graham et al. 2023" in card.training_data[0].attribution
    assert (card.um_per_px, card.architecture.cell_px) == (0.5, 144)
    assert card.training["converted_from"] == file.name
    classes = {task.name: [one.name for one in task.classes] for task in card.labels.tasks}
    assert classes["nuclei_type"] == ["neutrophil", "epithelial", "lymphocyte", "plasma", "eosinophil", "connective"]
    assert classes["gland_type"] == ["gland", "surface_epithelium"]
    assert classes["tissue"] == [
        "background", "abnormal_epi", "normal_epi", "inflammatory", "muscle", "stroma", "debris", "mucous", "adipose",
    ]  # fmt: skip
    for task in card.labels.tasks:
        assert len({one.color for one in task.classes}) == len(task.classes)
    gland, lumen, nuclei = (card.labels[task].post for task in ("gland", "lumen", "nuclei"))
    assert (gland.kernel_px, gland.interior_threshold, gland.min_interior_px) == (11, 0.55, 1000)
    assert (lumen.kernel_px, lumen.interior_threshold, lumen.min_interior_px, lumen.clip_to) == (3, 0.5, 150, "gland")
    assert (nuclei.kernel_px, nuclei.interior_threshold, nuclei.min_interior_px) == (3, 0.5, 4)


def test_added_weights_are_known_by_name_and_twice_is_once(file: Path) -> None:
    name, place, card = add_weights(file)
    assert (name, place) == ("cerberus", models_folder() / "cerberus")
    assert read_card(find_model("cerberus")) == card
    before = (place / WEIGHTS_NAME).read_bytes()
    assert add_weights(file)[:2] == (name, place)
    assert (place / WEIGHTS_NAME).read_bytes() == before
    assert add_weights(file, "mine")[0] == "mine"
    assert sorted(path.name for path in models_folder().iterdir()) == ["cerberus", "mine"]


def shortened(state: State) -> None:
    del state["module.decoder_head.Gland#TYPE.2.block.1.conv.weight"]


def without_map(state: State) -> None:
    del state["module.conv_map.weight"]


def reshaped(state: State) -> None:
    state["module.decoder_head.Patch-Class.conv2.weight"] = torch.zeros(8, 256, 1, 1)


def foreign_layer(state: State) -> None:
    state["module.decoder_head.Nuclei.4.block.0.conv.weight"] = torch.zeros(1)


def second_last_layer(state: State) -> None:
    state["module.output_head.Lumen.INST.x.7.weight"] = torch.zeros(3, 96, 1, 1)


def without_a_head(state: State) -> None:
    for name in [name for name in state if "output_head.Nuclei#TYPE" in name]:
        del state[name]


def not_finite(state: State) -> None:
    state["module.conv_map.weight"] = torch.full((256, 512, 1, 1), torch.nan)


@pytest.mark.parametrize(
    ("change", "clue"),
    [
        (shortened, "missing: decoder_head.Gland#TYPE.2.block.1.conv.weight"),
        (without_map, "missing: conv_map.weight"),
        (reshaped, "decoder_head.Patch-Class.conv2.weight is 8 x 256 x 1 x 1 instead of 9 x 256 x 1 x 1"),
        (foreign_layer, "unknown: decoder_head.Nuclei.4.block.0.conv.weight"),
        (second_last_layer, "unknown: output_head.Lumen.INST.x.7.weight"),
        (without_a_head, "missing: output_head.Nuclei#TYPE.TYPE.x.(first).weight"),
        (not_finite, "conv_map.weight holds numbers that are not finite"),
    ],
)
def test_what_is_wrong_with_a_file_is_named(
    original: PublishedCerberus, tmp_path: Path, change: Callable[[State], None], clue: str
) -> None:
    state = published_state(original)
    change(state)
    torch.save({"desc": state}, tmp_path / "weights.tar")
    with pytest.raises(ModelError) as caught:
        add_weights(tmp_path / "weights.tar")
    message = str(caught.value)
    assert clue in message
    assert "\n" not in message
    assert not models_folder().exists()


class Trap:
    """What a pickle may do when it is read."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.target,)


def test_a_pickle_that_would_run_code_runs_none(tmp_path: Path) -> None:
    torch.save({"desc": {"conv_map.weight": torch.zeros(1), "trap": Trap(tmp_path / "sprung")}}, tmp_path / "a.tar")
    (tmp_path / "b.tar").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    for name in ("a.tar", "b.tar"):
        with pytest.raises(ModelError, match=name):
            add_weights(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "content", [[1, 2], {}, {"desc": {}}, {"desc": {"a": 3}}, {"epoch": 3}, torch.zeros(3), {"conv1.weight": None}]
)
def test_files_that_hold_no_weights(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "weights.tar")
    with pytest.raises(ModelError, match=r"weights\.tar"):
        convert_weights(tmp_path / "weights.tar", tmp_path / "model")
    assert not (tmp_path / "model").exists()


@given(st.binary(max_size=200))
@settings(max_examples=50)
def test_any_bytes_end_in_a_model_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "weights.tar"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"weights\.tar"):
        convert_weights(path, path.parent / "model")


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.999])
def test_a_download_that_broke_off(file: Path, tmp_path: Path, keep: float) -> None:
    content = file.read_bytes()
    (tmp_path / "weights.tar").write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ModelError, match=r"weights\.tar"):
        add_weights(tmp_path / "weights.tar")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.tar"):
        convert_weights(tmp_path / "none.tar", tmp_path / "model")


# encoders


def resnet(blocks: tuple[int, ...], seed: int = 4) -> ResNet:
    """Built with torchvision's stride."""
    torch.manual_seed(seed)
    network = ResNet(blocks, stem_stride=2)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2)
    return network.eval()


def test_a_torchvision_resnet_becomes_the_encoder(tmp_path: Path) -> None:
    source = resnet((2, 2, 2, 2))
    # files of before torch 0.4 have no counters
    old = {name: value for name, value in source.state_dict().items() if "num_batches" not in name}
    torch.save(old, tmp_path / "resnet18.pth")
    save_file(source.state_dict(), str(tmp_path / "resnet18.safetensors"))
    x = torch.rand(1, 3, 64, 64)
    for name in ("resnet18.pth", "resnet18.safetensors"):
        network = MultiTaskNetwork(FAST, THREE_KINDS).eval()
        before = network.neck.weight.clone()
        load_encoder(network, tmp_path / name)
        with torch.inference_mode():
            for found, expected in zip(network.encoder(x), source(x), strict=True):
                torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
        assert torch.equal(network.neck.weight, before)


def test_the_stride_of_the_stem_does_not_matter(tmp_path: Path) -> None:
    source = resnet((3, 4, 6, 3))
    torch.save(source.state_dict(), tmp_path / "resnet34.pth")
    network = MultiTaskNetwork(CERBERUS, THREE_KINDS).eval()
    load_encoder(network, tmp_path / "resnet34.pth")
    x = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        expected = F.relu(source.bn1(F.conv2d(x, source.conv1.weight, None, 1, 3)))
        torch.testing.assert_close(network.encoder(x)[0], expected, rtol=1e-4, atol=1e-4)


def test_another_encoder_is_refused_and_changes_nothing(tmp_path: Path, file: Path) -> None:
    torch.save(resnet((3, 4, 6, 3)).state_dict(), tmp_path / "resnet34.pth")
    network = MultiTaskNetwork(FAST, THREE_KINDS)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ModelError, match=r"not the weights of a resnet18; unknown: layer1\.2\.") as caught:
        load_encoder(network, tmp_path / "resnet34.pth")
    assert "\n" not in str(caught.value)
    with pytest.raises(ModelError, match=r"missing: conv1\.weight"):
        load_encoder(network, file)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
