"""Model folders: what is written loads again, and what is wrong is said in one line."""

import json
from pathlib import Path

import pytest
import torch
from network_tasks import SMALL, THREE_KINDS, card, instance, patch
from safetensors.torch import load_file, save_file

from pathloop.core import LabelSchema, ModelError, file_sha256
from pathloop.networks import CARD_NAME, WEIGHTS_NAME, ModelCard, bundled_models, find_model, read_card, write_card
from pathloop.networks.multitask import MultiTaskNetwork
from pathloop.networks.weights import load_model, save_model, traceable


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, MultiTaskNetwork]:
    """A model folder that tests only read, and its network."""
    folder = tmp_path_factory.mktemp("model") / "small"
    torch.manual_seed(1)
    network = MultiTaskNetwork(SMALL, THREE_KINDS)
    network.eval()
    save_model(folder, network, card())
    return folder, network


def link(source: Path, target: Path) -> Path:
    """A copy of a model folder that shares its files."""
    target.mkdir()
    for file in source.iterdir():
        (target / file.name).hardlink_to(file)
    return target


def failing(folder: Path | str) -> str:
    """The one line that loading raises."""
    with pytest.raises(ModelError) as caught:
        load_model(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_round_trip(saved: tuple[Path, MultiTaskNetwork]) -> None:
    folder, network = saved
    again, found = load_model(folder)
    assert not again.training
    assert found == card().model_copy(update={"checksum": file_sha256(folder / WEIGHTS_NAME)})
    state = again.state_dict()
    for name, value in network.state_dict().items():
        assert state[name].dtype == value.dtype
        # fp16 has 11 significant bits, and steps of 2^-24 near zero
        torch.testing.assert_close(state[name], value, rtol=2**-11, atol=2**-24)
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        for task, logits in network(x).items():
            scale = float(logits.abs().max())
            torch.testing.assert_close(again(x)[task], logits, rtol=0, atol=0.01 * scale)


def test_weights_are_half_precision_and_no_pickle(saved: tuple[Path, MultiTaskNetwork]) -> None:
    state = load_file(str(saved[0] / WEIGHTS_NAME))
    assert {value.dtype for value in state.values()} == {torch.float16, torch.int64}


def test_numbers_too_large_for_fp16_survive(tmp_path: Path) -> None:
    labels = LabelSchema(tasks=(patch("tissue", n=2),))
    network = MultiTaskNetwork(SMALL, labels).eval()
    network.encoder.bn1.running_var.fill_(1e6)
    save_model(tmp_path / "m", network, card(labels))
    again, _ = load_model(tmp_path / "m")
    assert float(again.encoder.bn1.running_var[0]) == 1e6


def test_card_round_trip(tmp_path: Path) -> None:
    write_card(tmp_path, card())
    text = (tmp_path / CARD_NAME).read_text(encoding="utf-8")
    assert ModelCard.model_validate(json.loads(text)) == card()


def test_damaged_weights_are_told_by_their_checksum(saved: tuple[Path, MultiTaskNetwork], tmp_path: Path) -> None:
    folder = link(saved[0], tmp_path / "m")
    content = bytearray((folder / WEIGHTS_NAME).read_bytes())
    content[-1] ^= 1
    (folder / WEIGHTS_NAME).unlink()
    (folder / WEIGHTS_NAME).write_bytes(content)
    assert "checksum" in failing(folder)


def test_checksum_of_another_file(saved: tuple[Path, MultiTaskNetwork], tmp_path: Path) -> None:
    folder = link(saved[0], tmp_path / "m")
    (folder / CARD_NAME).unlink()
    write_card(folder, card())
    assert WEIGHTS_NAME in failing(folder)


@pytest.mark.parametrize(
    ("labels", "clue"),
    [
        (LabelSchema(tasks=(*THREE_KINDS.tasks, instance("gland"))), "decoders.gland"),
        (LabelSchema(tasks=THREE_KINDS.tasks[:2]), "heads.tissue"),
        (LabelSchema(tasks=(*THREE_KINDS.tasks[:2], patch("tissue", n=4))), "heads.tissue"),
    ],
    ids=["more tasks", "fewer tasks", "more classes"],
)
def test_card_of_another_network(
    saved: tuple[Path, MultiTaskNetwork], tmp_path: Path, labels: LabelSchema, clue: str
) -> None:
    folder = link(saved[0], tmp_path / "m")
    checksum = read_card(folder).checksum
    (folder / CARD_NAME).unlink()
    write_card(folder, card(labels).model_copy(update={"checksum": checksum}))
    message = failing(folder)
    assert "does not fit its card" in message
    assert clue in message


@pytest.mark.parametrize(
    ("change", "clue"),
    [
        ({"um_per_px": -1}, "um_per_px"),
        ({"colour": "red"}, "colour"),
        ({"format_version": 2, "new_key": 1}, "format version 2"),
    ],
)
def test_wrong_card(saved: tuple[Path, MultiTaskNetwork], tmp_path: Path, change: dict[str, object], clue: str) -> None:
    folder = link(saved[0], tmp_path / "m")
    values = json.loads((folder / CARD_NAME).read_text(encoding="utf-8")) | change
    (folder / CARD_NAME).unlink()
    (folder / CARD_NAME).write_text(json.dumps(values), encoding="utf-8")
    message = failing(folder)
    assert CARD_NAME in message
    assert clue in message


@pytest.mark.parametrize("text", ["{", "[1, 2]", ""])
def test_card_that_is_no_card(saved: tuple[Path, MultiTaskNetwork], tmp_path: Path, text: str) -> None:
    folder = link(saved[0], tmp_path / "m")
    (folder / CARD_NAME).unlink()
    (folder / CARD_NAME).write_text(text, encoding="utf-8")
    assert CARD_NAME in failing(folder)


def test_weights_that_are_no_weights(saved: tuple[Path, MultiTaskNetwork], tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / WEIGHTS_NAME).write_bytes(b"not tensors")
    write_card(folder, card().model_copy(update={"checksum": file_sha256(folder / WEIGHTS_NAME)}))
    assert "not readable as weights" in failing(folder)
    save_file({"x": torch.zeros(1)}, str(folder / WEIGHTS_NAME))
    write_card(folder, card().model_copy(update={"checksum": file_sha256(folder / WEIGHTS_NAME)}))
    assert "does not fit its card" in failing(folder)


@pytest.mark.parametrize("missing", [CARD_NAME, WEIGHTS_NAME])
def test_missing_file(saved: tuple[Path, MultiTaskNetwork], tmp_path: Path, missing: str) -> None:
    folder = link(saved[0], tmp_path / "m")
    (folder / missing).unlink()
    message = failing(folder)
    assert "not a model folder" in message
    assert CARD_NAME in message
    assert WEIGHTS_NAME in message


def test_unknown_model() -> None:
    message = failing("no-such-model")
    assert "'no-such-model'" in message
    assert all(name in message for name in bundled_models())


def test_bundled_models_are_found_by_name(tmp_path: Path) -> None:
    for name, folder in bundled_models().items():
        assert find_model(name) == folder
        assert read_card(folder).name == name
    assert find_model(tmp_path) == tmp_path


def test_failed_write_leaves_the_old_model(tmp_path: Path, saved: tuple[Path, MultiTaskNetwork]) -> None:
    folder = link(saved[0], tmp_path / "m")
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    # weights that cannot be written: their name is taken by a folder
    (folder / WEIGHTS_NAME).unlink()
    (folder / WEIGHTS_NAME).mkdir()
    with pytest.raises(OSError, match=WEIGHTS_NAME):
        save_model(folder, saved[1], card())
    assert (folder / CARD_NAME).read_bytes() == before[CARD_NAME]
    assert sorted(file.name for file in folder.iterdir()) == sorted(before)


def test_traceable_example_fits(saved: tuple[Path, MultiTaskNetwork]) -> None:
    network, example = traceable(saved[0], ("nuclei", "tissue"))
    maps, cells = network(example)
    assert maps.shape == (1, 2, *example.shape[1:3])
    assert cells.shape == (1, 3, 2, 2)
