"""Which engines are loaded, and which are used again."""

import dataclasses
import hashlib
from typing import ClassVar

import numpy as np
import pytest

from pathloop.core import ClassSpec, LabelSchema, TaskSpec
from pathloop.networks import WEIGHTS_NAME, ModelCard, NetworkConfig, read_card, write_card
from pathloop.predict import ENGINES, EngineChoice
from pathloop.worker._engines import KEPT, Engines

CHOICE = EngineChoice("counting", "cpu", "fp32", "asked for")


class Counting:
    """Says which tasks it runs, and counts how often it was loaded."""

    loaded: ClassVar = []

    def __init__(self, folder, tasks, choice):
        self.tasks = tasks
        self.loaded.append(tasks)

    def run(self, pixels):
        return dict.fromkeys(self.tasks)


ENGINES.add("counting", f"{__name__}:Counting")


@pytest.fixture
def loaded(monkeypatch):
    monkeypatch.setattr(Counting, "loaded", [])
    return Counting.loaded


@pytest.fixture
def model(tmp_path):
    def make(name):
        tasks = tuple(
            TaskSpec(name=task, output="instance", classes=(ClassSpec(name=task, color=(1, 2, 3)),))
            for task in ("nuclei", "gland", "lumen")
        )
        folder = tmp_path / name
        folder.mkdir()
        (folder / WEIGHTS_NAME).write_text(name)
        card = ModelCard(
            name=name,
            version="1",
            summary="None.",
            architecture=NetworkConfig(),
            labels=LabelSchema(tasks=tasks),
            um_per_px=0.5,
            margin_px=32,
            checksum=hashlib.sha256(name.encode()).hexdigest(),
        )
        write_card(folder, card)
        return folder, read_card(folder)

    return make


def tasks_of(engine):
    return tuple(engine.run(np.zeros((32, 32, 3), np.uint8)))


def test_maps_use_what_is_loaded_if_it_runs_their_tasks(loaded, model):
    engines, where = Engines(), model("a")
    every = ("nuclei", "gland", "lumen")
    engines.load(*where, every, CHOICE)
    assert tasks_of(engines.load_covering(*where, ("nuclei",), CHOICE)) == every
    # for another reason is not another engine
    other = dataclasses.replace(CHOICE, reason="no GPU")
    assert tasks_of(engines.load_covering(*where, ("lumen", "gland"), other)) == every
    assert loaded == [every]
    # a run always has the same engine, so that its result does not depend on what was done before
    assert tasks_of(engines.load(*where, ("nuclei", "gland"), CHOICE)) == ("nuclei", "gland")
    # the one that does less in vain
    assert tasks_of(engines.load_covering(*where, ("gland",), CHOICE)) == ("nuclei", "gland")
    assert loaded == [every, ("nuclei", "gland")]


def test_maps_load_only_what_is_asked_for(loaded, model):
    engines, where = Engines(), model("a")
    assert tasks_of(engines.load_covering(*where, ("nuclei",), CHOICE)) == ("nuclei",)
    assert tasks_of(engines.load_covering(*where, ("gland", "nuclei"), CHOICE)) == ("gland", "nuclei")
    assert tasks_of(engines.load(*where, ("nuclei",), CHOICE)) == ("nuclei",)
    assert loaded == [("nuclei",), ("gland", "nuclei")]


def test_engines_of_other_models_and_precisions_do_not_count(loaded, model):
    engines, one, other = Engines(), model("a"), model("b")
    engines.load(*one, ("nuclei", "gland"), CHOICE)
    engines.load_covering(*other, ("nuclei",), CHOICE)
    engines.load_covering(*one, ("nuclei",), dataclasses.replace(CHOICE, precision="bf16"))
    assert len(loaded) == 3


def test_what_was_used_last_is_kept(loaded, model):
    engines, models = Engines(), [model(name) for name in "abc"]
    assert KEPT == 2
    engines.load(*models[0], ("nuclei", "gland"), CHOICE)
    engines.load(*models[1], ("nuclei",), CHOICE)
    engines.load_covering(*models[0], ("nuclei",), CHOICE)
    engines.load(*models[2], ("nuclei",), CHOICE)
    assert len(loaded) == 3
    engines.load_covering(*models[0], ("gland",), CHOICE)
    assert len(loaded) == 3
    engines.load(*models[1], ("nuclei",), CHOICE)
    assert len(loaded) == 4
