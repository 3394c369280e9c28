"""Models that the user adds and exports: copies under a name, whole or not at all, never over another model."""

import shutil
from pathlib import Path

import pytest
import torch
from network_tasks import SMALL, THREE_KINDS, card

from pathloop.core import ModelError, UsageError
from pathloop.networks import (
    CARD_NAME,
    WEIGHTS_NAME,
    add_model,
    added_models,
    bundled_models,
    export_model,
    find_model,
    known_models,
    models_folder,
    read_card,
    write_card,
)
from pathloop.networks.multitask import MultiTaskNetwork
from pathloop.networks.weights import load_model, save_model


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATHLOOP_CONFIG", str(tmp_path / "config"))


def model(folder: Path, seed: int = 1) -> Path:
    """A small model folder; another seed gives other weights."""
    torch.manual_seed(seed)
    save_model(folder, MultiTaskNetwork(SMALL, THREE_KINDS).eval(), card())
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    """Content by path of all files below a folder, hidden ones included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_added_model_is_known_by_name_and_independent_of_its_source(tmp_path: Path) -> None:
    source = model(tmp_path / "source")
    before = everything(source)
    assert added_models() == {}
    name, place = add_model(source, "colon-2")
    assert everything(source) == before
    shutil.rmtree(source)
    assert (name, place) == ("colon-2", models_folder() / "colon-2")
    assert known_models() == bundled_models() | {"colon-2": place}
    assert find_model("colon-2") == place
    network, found = load_model("colon-2")
    assert found.name == "colon-2"
    assert network.labels == THREE_KINDS


def test_export_gives_the_same_model_back(tmp_path: Path) -> None:
    add_model(model(tmp_path / "source"), "colon-2")
    out = export_model("colon-2", tmp_path / "stick" / "colon-2")
    assert everything(out) == everything(find_model("colon-2"))
    assert add_model(out) == ("colon-2", find_model("colon-2"))


def test_the_same_model_again_changes_nothing_and_another_is_refused(tmp_path: Path) -> None:
    add_model(model(tmp_path / "one", 1), "mine")
    before = everything(models_folder())
    add_model(tmp_path / "one", "mine")
    with pytest.raises(ModelError, match="--name"):
        add_model(model(tmp_path / "two", 2), "mine")
    assert everything(models_folder()) == before


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "add", "export", "x" * 65, "a b"])
def test_names_that_cannot_be_a_folder_or_a_word_are_refused(tmp_path: Path, name: str) -> None:
    source = model(tmp_path / "source")
    if name:
        with pytest.raises(UsageError, match="--name"):
            add_model(source, name)
    else:  # the card's own
        assert add_model(source, name)[0] == card().name
        return
    assert not models_folder().exists()


def test_bundled_names_stay_the_bundled_models(tmp_path: Path) -> None:
    bundled = next(iter(bundled_models()))
    source = model(tmp_path / "source")
    with pytest.raises(ModelError, match="bundled"):
        add_model(source, bundled)
    # somebody copies a folder of that name by hand
    shutil.copytree(source, models_folder() / bundled)
    assert find_model(bundled) == known_models()[bundled] == bundled_models()[bundled]


def test_a_damaged_model_is_not_copied(tmp_path: Path) -> None:
    source = model(tmp_path / "source")
    with (source / WEIGHTS_NAME).open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(ModelError, match="checksum"):
        add_model(source, "mine")
    with pytest.raises(ModelError, match="checksum"):
        export_model(source, tmp_path / "out")
    assert not models_folder().exists()
    assert not (tmp_path / "out").exists()


def test_export_overwrites_nothing(tmp_path: Path) -> None:
    source = model(tmp_path / "source")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    before = everything(tmp_path)
    for target in (tmp_path / "full", tmp_path / "file", source, source / "inside"):
        with pytest.raises(ModelError, match=target.name):
            export_model(source, target)
    assert everything(tmp_path) == before
    (tmp_path / "empty").mkdir()
    assert read_card(export_model(source, tmp_path / "empty")).name == card().name


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = model(tmp_path / "source")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copytree", full)
    with pytest.raises(ModelError, match="No space left"):
        add_model(source, "mine")
    assert list(models_folder().iterdir()) == []


def test_an_unfinished_copy_is_no_model(tmp_path: Path) -> None:
    source = model(tmp_path / "source")
    shutil.copytree(source, models_folder() / ".mine-x.copying")
    (models_folder() / "half").mkdir()
    shutil.copy(source / WEIGHTS_NAME, models_folder() / "half")
    assert added_models() == {}


def test_only_the_name_of_the_card_changes(tmp_path: Path) -> None:
    source = model(tmp_path / "source")
    write_card(source, read_card(source).model_copy(update={"summary": "Über Drüsen", "limits": ("blood",)}))
    _, place = add_model(source, "mine")
    expected = read_card(source).model_copy(update={"name": "mine"})
    assert read_card(place) == expected
    assert (place / CARD_NAME).is_file()
