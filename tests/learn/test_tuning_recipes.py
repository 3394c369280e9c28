"""Fine-tuning recipes on a drawn set of reviewed regions: what moves, what stays, what the card says."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training_sets import JOINT, STILL, TINY, classes, drawn, training_image

import pathloop.learn._check_set as check_set
from pathloop.core import ClassSpec, Event, JobFinished, Message, TaskSpec, TrainingError
from pathloop.interchange.training import (
    SplitPlan,
    TrainingRegion,
    TrainingTask,
    TrainingTissue,
    write_training_set,
)
from pathloop.learn import TUNING, FitConfig, TuneConfig, drawn_images, old_data
from pathloop.learn._config import DataConfig
from pathloop.learn._validate import validate
from pathloop.learn._weights import between
from pathloop.learn.recipes._tuning import forgetting
from pathloop.networks import ModelCard
from pathloop.networks.multitask import MultiTaskNetwork
from pathloop.networks.weights import load_model, save_model

pytestmark = pytest.mark.slow

VESSEL = TaskSpec(name="vessels", output="instance", classes=classes("vessel"))
KINDS = TaskSpec(name="nuclei_type", output="type", of="nuclei", classes=classes("round", "dark"))


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    torch.manual_seed(4)
    folder = tmp_path_factory.mktemp("parent")
    card = ModelCard(
        name="old", version="1", summary="Old.", architecture=TINY, labels=JOINT, um_per_px=0.5, margin_px=32
    )
    save_model(folder, MultiTaskNetwork(TINY, JOINT), card)
    return folder


@pytest.fixture(autouse=True)
def small_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_set, "CHECK_PX", 128)
    monkeypatch.setattr(check_set, "REPLAY_PX", 128)
    monkeypatch.setattr(check_set, "REPLAY_IMAGES", 1)


def regions_set(folder: Path, tasks: tuple[str, ...], *, tissue: bool = False) -> Path:
    regions = []
    for seed in range(2):
        image, labels, stripes = drawn(seed, side=96)
        labels["vessels"] = labels["gland"]
        codes = {int(i): int(labels["nuclei_type"][labels["nuclei"] == i][0]) for i in np.unique(labels["nuclei"]) if i}
        legend = (ClassSpec(name="round", color=(1, 0, 0)), ClassSpec(name="dark", color=(2, 0, 0)))
        regions.append(
            TrainingRegion(
                name=f"r{seed}",
                group=f"p{seed}",
                image=image,
                um_per_px=0.5,
                tasks={
                    task: TrainingTask(labels[task], legend, codes) if task == "nuclei" else TrainingTask(labels[task])
                    for task in tasks
                },
                tissue=TrainingTissue(
                    stripes + np.uint8(1),
                    tuple(ClassSpec(name=name, color=(0, 0, 0)) for name in ("background", "stroma", "epithelium")),
                )
                if tissue
                else None,
            )
        )
    write_training_set(folder, regions, plan=SplitPlan(shares={"train": 1.0}))
    return folder


SHORT = FitConfig(
    steps=2, batch=2, patch_px=32, patch_batch=2, patch_side_px=64, precision="fp32", workers=0, log_every=1,
    distil=1.0, ema=0.5, learning_rate=1e-2,
)  # fmt: skip


def tune(recipe: str, tmp_path: Path, parent: Path, **changes: object) -> tuple[list[Event], TuneConfig]:
    values = {"fit": SHORT, "augment": STILL, "output": tmp_path / "run", "parent": parent, "recipe": recipe}
    config = TuneConfig.model_validate(values | changes)
    return list(TUNING.resolve(recipe)(config)), config


def changed(parent: Path, model: Path) -> set[str]:
    old, new = load_model(parent)[0].state_dict(), load_model(model)[0].state_dict()
    return {name for name, value in old.items() if name in new and not torch.equal(value, new[name])}


def test_quick_moves_reviewed_branches_and_the_encoder_alone(tmp_path: Path, parent: Path) -> None:
    regions = regions_set(tmp_path / "set", ("gland",))
    events, config = tune("quick", tmp_path, parent, regions=regions, held_out=regions, name="new")
    last = events[-1]
    assert isinstance(last, JobFinished)
    names = changed(parent, last.path)
    assert any(name.startswith("decoders.gland") for name in names)
    assert not any("nuclei" in name or "tissue" in name for name in names)
    assert {"encoder.layer1.0.conv1.weight", "encoder.layer4.0.conv1.weight"} <= names
    # not even by the look at the held-out regions before the first step
    assert not [name for name in names if "running" in name or "num_batches" in name]
    assert next(event.step for event in events if event.kind == "evaluated") == 0
    card = load_model(last.path)[1]
    assert (card.name, card.parent) == ("new", load_model(parent)[1].checksum)
    assert card.training["recipe"] == "quick"
    assert card.training["base"] == "old"
    assert card.training["tasks"] == ["gland"]
    assert 0 < card.training["share"] <= 1
    assert any(event.kind == "evaluated" and "pathloop_set/gland" in event.metrics for event in events)
    assert not (config.output / "events.jsonl").exists()


def test_full_moves_the_encoder(tmp_path: Path, parent: Path) -> None:
    regions = regions_set(tmp_path / "set", ("gland", "nuclei"), tissue=True)
    events, _ = tune("full", tmp_path, parent, regions=regions, max_forgetting=1.0, replay=0.0)
    names = changed(parent, events[-1].path)
    assert "encoder.layer1.0.conv1.weight" in names
    text = next(event.text for event in events if isinstance(event, Message))
    assert "gland" in text
    assert "nuclei" in text
    assert "tissue" in text


@pytest.mark.parametrize("recipe", ["subtype", "new-task"])
def test_a_new_decoder_leaves_all_others_bit_by_bit(tmp_path: Path, parent: Path, recipe: str) -> None:
    task = KINDS if recipe == "subtype" else VESSEL
    regions = regions_set(tmp_path / "set", ("nuclei",) if recipe == "subtype" else ("vessels",))
    events, _ = tune(recipe, tmp_path, parent, regions=regions, task=task)
    network, card = load_model(events[-1].path)
    assert changed(parent, events[-1].path) == set()
    assert card.labels.names == (*JOINT.names, task.name)
    assert card.labels[task.name].classes == task.classes
    assert any(name.startswith(f"decoders.{task.name}") for name in network.state_dict())


def test_corrected_cells_train_the_tissue_head_beside_a_new_decoder(tmp_path: Path, parent: Path) -> None:
    regions = regions_set(tmp_path / "set", ("vessels",), tissue=True)
    events, _ = tune("new-task", tmp_path, parent, regions=regions, task=VESSEL)
    assert {name.split(".")[1] for name in changed(parent, events[-1].path)} <= {"tissue"}


@pytest.mark.parametrize(
    ("recipe", "tasks", "task", "problem"),
    [
        ("quick", ("vessels",), None, "no region is reviewed for a task of 'old'"),
        ("full", ("vessels",), None, "no region is reviewed for a task of 'old'"),
        ("subtype", ("gland",), KINDS, "no reviewed region holds nuclei with classes"),
        ("subtype", ("gland",), None, "subtyping needs a task of classes"),
        ("new-task", ("gland",), VESSEL, "no region is reviewed for vessels"),
        ("new-task", ("gland",), JOINT["gland"], "a new task needs the name of objects"),
    ],
)
def test_what_cannot_be_learnt_is_said(
    tmp_path: Path, parent: Path, recipe: str, tasks: tuple[str, ...], task: TaskSpec | None, problem: str
) -> None:
    regions = regions_set(tmp_path / "set", tasks)
    with pytest.raises(TrainingError, match=problem):
        tune(recipe, tmp_path, parent, regions=regions, task=task)


def test_candidate_is_drawn_back_until_old_skills_stay(tmp_path: Path, parent: Path) -> None:
    regions = regions_set(tmp_path / "set", ("gland",))
    events, config = tune("quick", tmp_path, parent, regions=regions, max_forgetting=0.0, replay=0.0)
    told = events[-1].summary
    # the same from the checkpoint: the farthest share that loses nothing, else the one that loses least
    network, card = load_model(parent)
    checks, old = drawn_images(JOINT, card.um_per_px), {k: v.clone() for k, v in network.state_dict().items()}
    stored = load_file(config.output / "checkpoint.safetensors")
    end = {name: stored[f"average.{name}"] for name in old}
    before, losses = validate(network.eval(), checks, card.um_per_px), {}
    for share in (0.5, 0.4, 0.25, 0.1):
        network.load_state_dict(between(old, end, share))
        losses[share] = forgetting(before, validate(network.eval(), checks, card.um_per_px))
    wanted = max((one for one, lost in losses.items() if lost <= 0), default=min(losses, key=lambda one: losses[one]))
    assert told["share"] == wanted
    assert told["forgetting"] == pytest.approx(losses[wanted], abs=1e-4)


def test_forgetting_is_the_largest_loss() -> None:
    before = {"a/gland": {"dice": 0.9}, "b/gland": {"dice": 0.8}, "b/tissue": {"f1": 0.9}, "c/gland": {"n": 1.0}}
    after = {"a/gland": {"dice": 0.95}, "b/gland": {"dice": 0.7}, "b/tissue": {"f1": 0.1}, "c/gland": {"dice": 0.1}}
    assert forgetting(before, after) == pytest.approx(0.1)
    assert forgetting(before, before) == 0.0
    assert forgetting({}, {}) == 0.0


def test_drawings_are_the_same_for_every_model_and_others_than_those_replayed() -> None:
    first, second = drawn_images(JOINT, 0.5), drawn_images(JOINT, 0.5)
    assert all(np.array_equal(a.image, b.image) for a, b in zip(first, second, strict=True))
    assert {*first[0].labels} == {"nuclei", "gland"}
    # classes of other names are unknown; "background" is of both
    assert {*np.unique(first[0].tissue)} <= {0, 255}
    replayed = drawn_images(JOINT, 0.5, replay=True)
    assert not any(np.array_equal(one.image, other.image) for one in first for other in replayed)


def test_given_data_is_parted_by_patient(tmp_path: Path) -> None:
    from training_sets import write_set

    data = write_set(tmp_path, n=12)
    mixed, checks = old_data([data], JOINT)
    train = {one.item.group for one in mixed}
    held = {one.group for one in checks}
    assert train
    assert held
    assert not train & held
    assert len(train) + len(held) == 6


def test_given_data_without_the_models_tasks_is_refused(tmp_path: Path) -> None:
    from training_sets import write_set

    data = write_set(tmp_path, n=6, tasks=("nuclei_type",))
    with pytest.raises(ValueError, match="holds none of the tasks"):
        old_data([DataConfig(kind="folder", path=data.path, um_per_px=0.5)], JOINT)
    assert training_image(0).group == "patient 0"
