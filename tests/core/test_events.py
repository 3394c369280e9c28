"""Events there and back: what is written is what is read."""

import dataclasses
import json
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pathloop import core
from pathloop.core import DataError, Event, JobFinished, Rect, RunStarted, StepDone, TileDone, events_from_json

FINITE = st.floats(allow_nan=False, allow_infinity=False)
# a class with slots is a copy of the class as written, which may still be about
KINDS = [kind for kind in Event.__subclasses__() if getattr(core, kind.__name__) is kind]
VALUES = {
    str: st.text(),
    int: st.integers(-(2**53), 2**53),
    float: FINITE,
    bool: st.booleans(),
    Path: st.just(Path("a") / "b.svs"),
    Rect: st.builds(Rect, *[st.integers(-9999, 9999)] * 2, *[st.integers(0, 9999)] * 2),
    float | None: st.none() | FINITE,
    Path | None: st.none() | st.just(Path("runs")),
    tuple[str, ...]: st.lists(st.text()).map(tuple),
    dict[str, float]: st.dictionaries(st.text(), FINITE),
    dict[str, dict[str, float]]: st.dictionaries(st.text(), st.dictionaries(st.text(), FINITE)),
    dict[str, Any]: st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.text())),
}


def events():
    kinds = []
    for kind in KINDS:
        hints = typing.get_type_hints(kind)
        kinds.append(st.builds(kind, **{field.name: VALUES[hints[field.name]] for field in dataclasses.fields(kind)}))
    return st.one_of(kinds)


@given(events())
def test_an_event_comes_back(event):
    line = event.to_json()
    assert "\n" not in line
    assert events_from_json(line) == event
    assert events_from_json(line.encode()) == event


def test_kinds_are_unique():
    kinds = {kind.kind for kind in KINDS}
    assert kinds == {kind.kind for kind in Event.__subclasses__()}
    assert len(kinds) == len(KINDS)
    assert "event" not in kinds


def test_keys_of_other_versions_do_no_harm():
    event = TileDone("a.svs", 1, 2, 3, 4, 0.5, 1.5, None)
    values = json.loads(event.to_json()) | {"job": 3, "colour": "red"}
    assert events_from_json(json.dumps(values)) == event
    older = {"kind": "run_started", "slide": "a", "run_key": "k", "n_tiles": 1, "n_done": 0, "area_mm2": 1}
    older |= {"engine": "e", "reason": "r"}
    assert events_from_json(json.dumps(older)) == RunStarted("a", "k", 1, 0, 1.0, "e", "r")


def test_numpy_numbers_are_numbers():
    event = JobFinished(Path("p"), {"objects": np.int64(3)})
    assert events_from_json(event.to_json()) == JobFinished(Path("p"), {"objects": 3})
    losses = {"nuclei": float("nan")}
    assert np.isnan(events_from_json(StepDone(1, 2, 0.1, losses, 0.1, 1, 1).to_json()).losses["nuclei"])
    with pytest.raises(TypeError, match="cannot write object as JSON"):
        JobFinished(Path("p"), {"what": object()}).to_json()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "line of JSON"),
        ("[1]", "unknown kind of event None"),
        ('{"kind": "event"}', "unknown kind of event 'event'"),
        ('{"kind": "dance"}', "unknown kind of event 'dance'"),
        ('{"kind": ["stage"]}', "unknown kind of event"),
        ('{"kind": "failed", "message": "m"}', "event 'failed': exit_code: Field required"),
        ('{"kind": "failed", "message": "m", "exit_code": "x"}', "event 'failed': exit_code: "),
        (b"\xff", "line of JSON"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(line, message):
    with pytest.raises(DataError, match=message.replace("[", r"\[")):
        events_from_json(line)
