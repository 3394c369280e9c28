"""A head that nothing trained is no result: the model leaves it out and says so."""

from pathlib import Path

import pytest
from training_sets import NUCLEI, classes, config, write_set

from pathloop.core import LabelSchema, Message, PostProcessing, TaskSpec
from pathloop.learn import RECIPES
from pathloop.networks.weights import load_model

pytestmark = pytest.mark.slow

OWNER = TaskSpec(name="organ", output="instance", classes=classes("organ"))
CLIPPED = NUCLEI.model_copy(update={"post": PostProcessing(clip_to="organ")})


def test_tasks_without_labels_are_left_out_of_the_model(tmp_path: Path) -> None:
    data = write_set(tmp_path / "set", tasks=("nuclei",))
    settings = config(
        LabelSchema(tasks=(CLIPPED, OWNER)), output=tmp_path / "run", data=(data,), batch=3, steps=1, checkpoint_every=1
    )
    events = list(RECIPES.resolve("train")(settings))
    warnings = [event.text for event in events if isinstance(event, Message) and event.level == "warning"]
    assert any("organ: no image is labelled for it" in text for text in warnings)
    network, card = load_model(tmp_path / "run" / "model")
    assert card.labels.names == ("nuclei",)
    assert card.labels["nuclei"].post.clip_to is None
    assert not [name for name in network.state_dict() if "organ" in name]


def test_tasks_that_the_parent_trained_are_kept(tmp_path: Path) -> None:
    both = write_set(tmp_path / "both", tasks=("nuclei", "gland"))
    gland = TaskSpec(name="gland", output="instance", classes=classes("gland"))
    labels = LabelSchema(tasks=(NUCLEI, gland))
    list(RECIPES.resolve("train")(config(labels, output=tmp_path / "parent", data=(both,), batch=3, steps=1)))
    one = write_set(tmp_path / "one", tasks=("nuclei",))
    child = config(
        labels, output=tmp_path / "child", data=(one,), batch=3, steps=1, init_from=str(tmp_path / "parent" / "model")
    )
    list(RECIPES.resolve("train")(child))
    assert load_model(tmp_path / "child" / "model")[1].labels.names == ("nuclei", "gland")
