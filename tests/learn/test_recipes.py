"""Recipes end to end on drawn folders: from a configuration to a model folder that loads."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from training_sets import ALL_KINDS, GLAND, JOINT, NUCLEI, NUCLEI_TYPE, TINY, TYPED, classes, config, write_set

from pathloop.core import DataError, Event, JobFinished, LabelSchema, Message, ModelError, TrainingError
from pathloop.learn import RECIPES, DataConfig, TrainConfig
from pathloop.learn._pool import SamplePool
from pathloop.learn.recipes._data import data_sources, load_images
from pathloop.networks import CARD_NAME, WEIGHTS_NAME, read_card, write_card
from pathloop.networks.multitask import MultiTaskNetwork
from pathloop.networks.weights import load_model

pytestmark = pytest.mark.slow

KEYS = {
    "message": {"text", "level"},
    "step": {"step", "n_steps", "loss", "losses", "learning_rate", "samples_per_s", "eta_s"},
    "evaluated": {"step", "metrics", "is_best"},
    "checkpoint": {"step", "path"},
    "finished": {"path", "summary"},
}


def run(recipe: str, settings: TrainConfig) -> list[Event]:
    return list(RECIPES.resolve(recipe)(settings))


def lines(folder: Path) -> list[dict[str, object]]:
    text = (folder / "events.jsonl").read_text(encoding="utf-8")

    def no_constant(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return [json.loads(line, parse_constant=no_constant) for line in text.splitlines()]


def settings_of(folder: Path, data: DataConfig, labels: LabelSchema = JOINT, **changes: object) -> TrainConfig:
    fast = {"batch": 3, "patch_batch": 2, "steps": 2, "checkpoint_every": 1}
    return config(labels, output=folder, data=(data,), **(fast | changes))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataConfig:
    folder = tmp_path_factory.mktemp("set")
    return write_set(folder, tasks=("nuclei", "gland", "nuclei_type"), tissue=True)


@pytest.fixture(scope="module")
def parent(data: DataConfig, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    """The output folder of a short training run, and its events."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("runs") / "parent"
    return folder, run("train", settings_of(folder, data, ALL_KINDS))


def test_train_leaves_events_settings_and_a_model(parent: tuple[Path, list[Event]]) -> None:
    folder, events = parent
    written = lines(folder)
    assert [line["kind"] for line in written] == [event.kind for event in events]
    for line in written:
        assert set(line) == KEYS[str(line["kind"])] | {"kind"}
    assert {"step", "evaluated", "checkpoint", "finished"} <= {str(line["kind"]) for line in written}
    last = events[-1]
    assert isinstance(last, JobFinished)
    assert last.path == folder / "model"
    network, card = load_model(last.path)
    assert network.config == TINY
    assert card.name == "model"
    assert card.training["steps"] == 2
    assert card.training_data[0].tasks == ("gland", "nuclei", "tissue")
    assert card.training_data[0].n_images == 2
    assert TrainConfig.model_validate_json((folder / "config.json").read_text(encoding="utf-8")).labels == card.labels
    assert sorted(file.name for file in folder.iterdir()) == [
        "checkpoint.safetensors",
        "config.json",
        "events.jsonl",
        "model",
    ]


def test_validation_metrics_are_in_events_and_card(parent: tuple[Path, list[Event]]) -> None:
    folder, _ = parent
    metrics = next(line["metrics"] for line in lines(folder) if line["kind"] == "evaluated")
    assert set(metrics) == {"folder/nuclei", "folder/gland", "folder/tissue"}
    assert {"pq", "dice", "object_dice", "n"} == set(metrics["folder/nuclei"])
    assert {"f1", "accuracy", "n"} == set(metrics["folder/tissue"])
    assert read_card(folder / "model").metrics["folder (validation fold)"]["nuclei"] == metrics["folder/nuclei"]


def test_type_tasks_are_left_to_the_subtyping_stage(parent: tuple[Path, list[Event]]) -> None:
    """A model lists no classes that nothing has trained."""
    folder, events = parent
    assert read_card(folder / "model").labels == JOINT
    assert any(isinstance(event, Message) and "nuclei_type" in event.text for event in events)


def test_subtype_moves_nothing_but_the_type_decoders(
    parent: tuple[Path, list[Event]], data: DataConfig, tmp_path: Path
) -> None:
    model = parent[0] / "model"
    settings = settings_of(tmp_path / "types", data, ALL_KINDS, steps=3, validate_every=1, init_from=str(model))
    events = run("subtype", settings)
    last = events[-1]
    assert isinstance(last, JobFinished)
    network, card = load_model(last.path)
    before = load_model(model)[0].state_dict()
    after = network.state_dict()
    assert {name for name in after if name not in before} == {name for name in after if ".nuclei_type." in name}
    assert all(torch.equal(after[name], value) for name, value in before.items())
    checkpoint_steps = [line["step"] for line in lines(tmp_path / "types") if line["kind"] == "checkpoint"]
    assert checkpoint_steps == [1, 2, 3]
    evaluated = [line for line in lines(tmp_path / "types") if line["kind"] == "evaluated"]
    assert all(0 <= line["metrics"]["folder/nuclei_type"]["f1"] <= 1 for line in evaluated)
    assert card.parent == read_card(model).checksum
    assert card.labels == ALL_KINDS
    assert [source.tasks for source in card.training_data] == [("gland", "nuclei", "tissue"), ("nuclei_type",)]


@pytest.mark.slow
def test_subtype_learns_the_types(parent: tuple[Path, list[Event]], data: DataConfig, tmp_path: Path) -> None:
    """The two kinds of nuclei differ in colour: a frozen network's features tell them apart."""
    settings = settings_of(
        # 60 steps are at the limit: processors round differently
        tmp_path,
        data,
        ALL_KINDS,
        steps=120,
        validate_every=120,
        batch=4,
        patch_px=64,
        init_from=str(parent[0] / "model"),
    )
    evaluated = [event for event in run("subtype", settings) if event.kind == "evaluated"]
    assert evaluated[-1].metrics["folder/nuclei_type"]["f1"] > 0.75


@pytest.mark.slow
def test_subtype_takes_scale_and_architecture_from_the_parent(
    parent: tuple[Path, list[Event]], data: DataConfig, tmp_path: Path
) -> None:
    settings = settings_of(
        tmp_path, data, TYPED, steps=1, init_from=str(parent[0] / "model"), architecture="cerberus", um_per_px=0.25
    )
    last = run("subtype", settings)[-1]
    assert isinstance(last, JobFinished)
    card = read_card(last.path)
    assert card.architecture == TINY
    assert card.um_per_px == 0.5
    assert card.labels == TYPED


def test_what_subtype_refuses(parent: tuple[Path, list[Event]], data: DataConfig, tmp_path: Path) -> None:
    model = str(parent[0] / "model")
    other = NUCLEI_TYPE.model_copy(update={"name": "lumen", "output": "instance", "of": None, "classes": classes("x")})
    wider = JOINT.tasks[2].model_copy(update={"classes": classes("a", "b")})
    cases = [
        (settings_of(tmp_path, data, ALL_KINDS), "needs init_from"),
        (settings_of(tmp_path, data, JOINT, init_from=model), "task with output 'type'"),
        (settings_of(tmp_path, data, LabelSchema(tasks=(*TYPED.tasks, other)), init_from=model), "no task 'lumen'"),
        (
            settings_of(tmp_path, data, LabelSchema(tasks=(*TYPED.tasks, wider)), init_from=model),
            "'tissue' with other classes",
        ),
    ]
    for settings, clue in cases:
        with pytest.raises(TrainingError, match=clue):
            run("subtype", settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_train_starts_from_a_parent(parent: tuple[Path, list[Event]], data: DataConfig, tmp_path: Path) -> None:
    """Learning rate almost zero: the parent's weights, and its branches, come through."""
    model = parent[0] / "model"
    settings = settings_of(tmp_path, data, steps=1, learning_rate=1e-12, init_from=str(model))
    run("train", settings)
    before, after = (load_model(folder)[0] for folder in (model, tmp_path / "model"))
    for name, value in before.named_parameters():
        torch.testing.assert_close(dict(after.named_parameters())[name], value, rtol=0, atol=1e-3)


def test_train_starts_the_encoder_from_a_file(data: DataConfig, tmp_path: Path) -> None:
    """Learning rate almost zero: the encoder's weights come through, and everything else is as without them."""
    encoder = MultiTaskNetwork(TINY, JOINT).encoder
    torch.save(encoder.state_dict(), tmp_path / "resnet18.pth")
    settings = settings_of(
        tmp_path / "run", data, steps=1, learning_rate=1e-12, encoder_from=str(tmp_path / "resnet18.pth")
    )
    run("train", settings)
    network, card = load_model(tmp_path / "run" / "model")
    for name, value in encoder.named_parameters():
        torch.testing.assert_close(dict(network.encoder.named_parameters())[name], value, rtol=0, atol=1e-3)
    assert card.training["encoder_from"] == "resnet18.pth"
    torch.manual_seed(settings.seed)
    untouched = MultiTaskNetwork(TINY, JOINT).neck.weight
    torch.testing.assert_close(network.neck.weight, untouched, rtol=0, atol=1e-3)


def test_an_encoder_that_does_not_fit_leaves_nothing_behind(data: DataConfig, tmp_path: Path) -> None:
    other = TINY.model_copy(update={"encoder": "resnet34"})
    torch.save(MultiTaskNetwork(other, JOINT).encoder.state_dict(), tmp_path / "resnet34.pth")
    settings = settings_of(tmp_path / "run", data, encoder_from=str(tmp_path / "resnet34.pth"))
    with pytest.raises(ModelError, match=r"resnet34\.pth: not the weights of a resnet18; unknown: layer1\.2"):
        run("train", settings)
    assert not (tmp_path / "run").exists()


def test_what_is_made_from_research_only_weights_is_research_only(
    parent: tuple[Path, list[Event]], data: DataConfig, tmp_path: Path
) -> None:
    folder = shutil.copytree(parent[0] / "model", tmp_path / "bound")
    card = read_card(folder)
    assert not card.is_research_only
    write_card(folder, card.model_copy(update={"licence": "CC BY-NC-SA 4.0", "intended_use": "Research only."}))
    run("train", settings_of(tmp_path / "child", data, steps=1, init_from=str(folder)))
    run("subtype", settings_of(tmp_path / "types", data, ALL_KINDS, steps=1, init_from=str(folder)))
    for child in ("child", "types"):
        made = read_card(tmp_path / child / "model")
        assert made.is_research_only
        assert (made.licence, made.intended_use) == ("CC BY-NC-SA 4.0", "Research only.")
        assert made.parent == card.checksum


def test_small_mixed_batch_warns(data: DataConfig, tmp_path: Path) -> None:
    events = RECIPES.resolve("train")(settings_of(tmp_path, data, batch=2))
    found = [event for event in (next(events), next(events)) if isinstance(event, Message)]
    events.close()
    assert found[-1].level == "warning"
    assert "2 can miss some of 2 tasks" in found[-1].text


@pytest.mark.slow
def test_closing_a_recipe_leaves_a_checkpoint_to_resume_from(data: DataConfig, tmp_path: Path) -> None:
    settings = settings_of(tmp_path, data, steps=3, checkpoint_every=100)
    events = RECIPES.resolve("train")(settings)
    for event in events:
        if event.kind == "step":
            break
    events.close()
    assert (tmp_path / "checkpoint.safetensors").is_file()
    assert not (tmp_path / "model").exists()
    steps = [event.step for event in run("train", settings) if event.kind == "step"]
    assert steps == [2, 3]
    assert [line["step"] for line in lines(tmp_path) if line["kind"] == "step"] == [1, 2, 3]


def test_other_settings_leave_the_folder_as_it_was(parent: tuple[Path, list[Event]], data: DataConfig) -> None:
    folder = parent[0]
    before = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    with pytest.raises(TrainingError, match="other settings"):
        run("train", settings_of(folder, data, ALL_KINDS, seed=99))
    assert {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()} == before


def test_output_that_is_a_file(data: DataConfig, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(TrainingError, match="cannot be written"):
        run("train", settings_of(tmp_path / "file", data))


def test_no_patient_is_in_two_folds(data: DataConfig, tmp_path: Path) -> None:
    parts = []
    for fold in range(3):
        changes = {"train_folds": (fold,), "validation_folds": ((fold + 1) % 3,)}
        train, held = load_images(settings_of(tmp_path, data, **changes))
        parts.append({one.item.group for one in train})
        assert not parts[-1] & {item.group for item in held}
        assert len(train) == len(held) == 2
    assert set.union(*parts) == {"case0", "case1", "case2"}
    assert sum(len(part) for part in parts) == 3


@pytest.mark.slow
def test_one_fold_takes_everything_and_keeps_the_latest_model(data: DataConfig, tmp_path: Path) -> None:
    changes = {"n_folds": 1, "train_folds": (0,), "validation_folds": (), "validate_every": 1}
    settings = settings_of(tmp_path, data, **changes)
    assert len(load_images(settings)[0]) == 6
    run("train", settings)
    assert read_card(tmp_path / "model").training["steps"] == 2


def test_a_set_named_twice_is_dealt_once(data: DataConfig, tmp_path: Path) -> None:
    alone, held_alone = load_images(settings_of(tmp_path, data))
    nuclei = data.model_copy(update={"tasks": ("nuclei",)})
    empty = data.model_copy(update={"tasks": ("lumen",), "absent": ("lumen",), "weight": 0.5})
    labels = LabelSchema(tasks=(NUCLEI, GLAND.model_copy(update={"name": "lumen"})))
    settings = settings_of(tmp_path, nuclei).model_copy(update={"data": (nuclei, empty), "labels": labels})
    train, held = load_images(settings)
    assert [one.item.name for one in train] == [one.item.name for one in alone] * 2
    assert [item.name for item in held] == [item.name for item in held_alone]
    assert all("lumen" not in item.labels for item in held)
    assert all(not one.item.labels["lumen"].any() for one in train[len(alone) :])
    assert [one.trains(labels) for one in train] == [["nuclei"]] * len(alone) + [["lumen"]] * len(alone)
    assert {source.n_images for source in data_sources(train, settings)} == {len(alone)}
    assert SamplePool(train, labels, 0.5).dense_tasks == ["nuclei", "lumen"]


def test_images_of_two_folders_with_equal_names_are_counted_each(data: DataConfig, tmp_path: Path) -> None:
    other = write_set(tmp_path / "other", tasks=("nuclei", "gland"))
    settings = settings_of(tmp_path, data).model_copy(update={"data": (data, other)})
    train, _ = load_images(settings)
    names = [one.item.name for one in train]
    assert len(set(names)) < len(names)
    assert [source.n_images for source in data_sources(train, settings)] == [len(names)]


def test_absent_tasks_that_cannot_be(data: DataConfig, tmp_path: Path) -> None:
    for absent, clue in (("gland", "is annotated for it"), ("tissue", "only object tasks"), ("nerve", "only object")):
        wrong = data.model_copy(update={"absent": (absent,)})
        with pytest.raises(TrainingError, match=clue):
            load_images(settings_of(tmp_path, wrong))


def test_strata_choose_images_after_the_deal(tmp_path: Path) -> None:
    data = write_set(tmp_path / "set")
    index = data.path / "index.csv"
    lines = index.read_text(encoding="utf-8").splitlines()
    rows = [lines[0], *(line.replace("all", "brain" if n % 2 else "lung") for n, line in enumerate(lines[1:]))]
    index.write_text("\n".join(rows) + "\n", encoding="utf-8")
    whole, _ = load_images(settings_of(tmp_path, data))
    brain, _ = load_images(settings_of(tmp_path, data.model_copy(update={"strata": ("brain",)})))
    assert [one.item.name for one in brain] == [one.item.name for one in whole if one.item.stratum == "brain"]
    assert 0 < len(brain) < len(whole)
    with pytest.raises(TrainingError, match=r"has no liver; its strata are brain, lung"):
        load_images(settings_of(tmp_path, data.model_copy(update={"strata": ("brain", "liver")})))


def test_images_of_the_test_folds_are_not_opened(tmp_path: Path) -> None:
    data = write_set(tmp_path / "set")
    settings = settings_of(tmp_path / "run", data)
    train, held = load_images(settings)
    used = {one.item.name for one in train} | {item.name for item in held}
    unused = [file for file in (tmp_path / "set" / "images").iterdir() if f"images/{file.stem}" not in used]
    assert len(unused) == 2
    for file in unused:
        file.write_bytes(b"damaged")
    assert len(load_images(settings)[0]) == len(train)
    for file in (tmp_path / "set" / "images").iterdir():
        file.write_bytes(b"damaged")
    with pytest.raises(DataError):
        load_images(settings)


def test_empty_training_fold(data: DataConfig, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no image falls into the training folds"):
        load_images(settings_of(tmp_path, data, train_folds=(), validation_folds=(0,)))


def test_model_files_of_a_run(parent: tuple[Path, list[Event]]) -> None:
    assert sorted(file.name for file in (parent[0] / "model").iterdir()) == [CARD_NAME, WEIGHTS_NAME]
