"""Patients are parted once there are enough of them: those to learn from, and those to judge by."""

import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pathloop.core import Rect, Scale
from pathloop.loop.queue import Candidate, Ranking
from pathloop.loop.queue._offer import offered
from pathloop.loop.queue._roles import _roles as roles_of
from pathloop.store import Region, SlideRecord

PROJECT = uuid.UUID(int=7)
TASKS = ("gland",)


def slides(*names):
    return [SlideRecord(name, Path(name), name, (2000, 2000), Scale(0.5, 0.5), "tiff") for name in names]


def region(slide_id, *, number=1, holdout=False, state="done"):
    rect = Rect(0, 100 * number, 100, 100)
    return Region(number, slide_id, rect, origin="ranked", holdout=holdout, states={"gland": state})


def test_few_patients_are_not_parted():
    assert roles_of(PROJECT, slides("a", "b", "c"), []) == dict.fromkeys("abc", "both")
    # four slides, but of two patients
    few = slides("TCGA-AA-0001-x", "TCGA-AA-0001-y", "TCGA-BB-0002-x", "TCGA-BB-0002-y")
    assert set(roles_of(PROJECT, few, []).values()) == {"both"}


def test_a_quarter_of_many_patients_judges():
    names = [f"s{number}" for number in range(400)]
    roles = roles_of(PROJECT, slides(*names), [])
    assert {*roles.values()} == {"train", "held"}
    assert 60 < sum(role == "held" for role in roles.values()) < 140


@pytest.mark.parametrize("n", [4, 5, 7])
def test_somebody_always_judges_and_somebody_always_teaches(n):
    for seed in range(40):
        found = roles_of(uuid.UUID(int=seed), slides(*(f"s{number}" for number in range(n))), [])
        assert "held" in found.values()


def test_slides_of_one_patient_have_one_role():
    names = [f"TCGA-AA-{number:04d}-{part}" for number in range(30) for part in "xy"]
    roles = roles_of(PROJECT, slides(*names), [])
    assert all(roles[name[:-1] + "x"] == roles[name[:-1] + "y"] for name in names)


def test_a_patients_lot_does_not_depend_on_the_others():
    many = roles_of(PROJECT, slides(*(f"s{number}" for number in range(40))), [])
    more = roles_of(PROJECT, slides(*(f"s{number}" for number in range(60))), [])
    assert all(more[name] == role for name, role in many.items())


def test_the_regions_that_there_are_decide():
    names = [f"s{number}" for number in range(6)]
    there = [
        region("s0"),
        region("s1", holdout=True),
        region("s2"),
        region("s2", number=2, holdout=True),
        # offered and not taken up: it gives way, and decides nothing
        region("s3", state="todo"),
    ]
    roles = roles_of(PROJECT, slides(*names), there)
    assert (roles["s0"], roles["s1"], roles["s2"]) == ("train", "held", "both")
    assert roles["s3"] == roles_of(PROJECT, slides(*names), there[:4])["s3"]


def test_regions_follow_the_roles():
    candidates = [
        Candidate(slide_id, Rect(0, 200 * number, 200, 200), 0, number, 1.0)
        for slide_id in ("learn", "judge", "both")
        for number in range(8)
    ]
    n = len(candidates)
    ranking = Ranking(np.linspace(1, 0, n), ((),) * n, np.arange(n))
    roles = {"learn": "train", "judge": "held"}
    tasks = dict.fromkeys(("learn", "judge", "both"), TASKS)
    queue = offered(candidates, ranking, [], count=16, project=PROJECT, tasks=tasks, roles=roles)
    assert not any(one.holdout for one in queue if one.slide_id == "learn")
    assert all(one.holdout for one in queue if one.slide_id == "judge")
    assert sum(one.holdout for one in queue) == 4
    there = [replace(one, id=number) for number, one in enumerate(queue, 1)]
    again = offered(candidates, ranking, there, count=16, project=PROJECT, tasks=tasks, roles=roles)
    assert {one.rect for one in again if one.holdout} == {one.rect for one in queue if one.holdout}
