"""Patients in splits: never in two, the same for any order, close to what was asked for."""

from pathlib import Path

import numpy as np
import pytest
from drawn_regions import plain_region
from hypothesis import given
from hypothesis import strategies as st

from pathloop.core import DataError, UsageError
from pathloop.interchange import SplitPlan, TrainingRegion, read_splits, write_training_set


def region(name: str, group: str, **changes: object) -> TrainingRegion:
    return plain_region(np.ones((4, 4), np.int32), name, group=group, **changes)


def splits_of(folder: Path, regions: list[TrainingRegion], **options: object) -> dict[str, str]:
    write_training_set(folder, regions, **options)
    return read_splits(folder)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["polyp", "normal"])), min_size=1, max_size=14),
    st.integers(0, 3),
    st.randoms(use_true_random=False),
)
def test_a_patient_has_one_split_for_any_order(tmp_path_factory, rows, seed, random) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path_factory.mktemp("set")
    regions = [region(f"r{n}", f"p{group}", stratum=stratum) for n, (group, stratum) in enumerate(rows)]
    plan = SplitPlan(seed=seed)
    first = splits_of(folder / "a", regions, plan=plan)
    random.shuffle(regions)
    assert splits_of(folder / "b", regions, plan=plan) == first
    assert set(first) == {f"p{group}" for group, _ in rows}
    assert set(first.values()) <= {"train", "val", "test"}


def test_shares_hold_in_every_stratum(tmp_path: Path) -> None:
    regions = [
        region(f"{stratum}{n}_{k}", f"{stratum}{n}", stratum=stratum)
        for stratum in ("polyp", "normal")
        for n in range(20)
        for k in range(2)
    ]
    found = splits_of(tmp_path / "a", regions, plan=SplitPlan({"train": 6, "val": 2, "test": 2}))
    for stratum in ("polyp", "normal"):
        counts = [
            sum(s == split and g.startswith(stratum) for g, s in found.items()) for split in ("train", "val", "test")
        ]
        assert counts == [12, 4, 4]
    again = splits_of(tmp_path / "b", regions, plan=SplitPlan({"train": 6, "val": 2, "test": 2}, seed=1))
    assert again != found


def test_few_patients_first_train_then_validate_then_test(tmp_path: Path) -> None:
    counts = []
    for n in range(1, 6):
        found = list(splits_of(tmp_path / str(n), [region(f"r{k}", f"p{k}") for k in range(n)]).values())
        counts.append(tuple(found.count(split) for split in ("train", "val", "test")))
    assert counts == [(1, 0, 0), (2, 0, 0), (2, 1, 0), (2, 1, 1), (3, 1, 1)]


def test_a_split_without_a_share_gets_nobody(tmp_path: Path) -> None:
    regions = [region(f"r{k}", f"p{k}") for k in range(12)]
    found = splits_of(tmp_path / "a", regions, plan=SplitPlan({"train": 0.5, "test": 0.5}))
    assert sorted(found.values()) == ["test"] * 6 + ["train"] * 6


def test_fixed_and_kept_splits_stay_while_slides_are_added(tmp_path: Path) -> None:
    regions = [region(f"r{k}", f"p{k}") for k in range(10)]
    first = splits_of(tmp_path / "a", regions)
    more = [*regions, *(region(f"n{k}", f"new{k}") for k in range(20)), region("h", "held", split="test")]
    second = splits_of(tmp_path / "b", more, plan=SplitPlan(keep=first))
    assert {group: second[group] for group in first} == first
    assert second["held"] == "test"
    counts = [list(second.values()).count(split) for split in ("train", "val", "test")]
    assert counts == pytest.approx([31 * 0.7, 31 * 0.15, 31 * 0.15], abs=1.5)


def test_a_patient_cannot_be_in_two_splits(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"b: patient 'p' is in train, so this region cannot be in test"):
        write_training_set(tmp_path / "a", [region("a", "p", split="train"), region("b", "p", split="test")])
    plan = SplitPlan(keep={"p": "val"})
    with pytest.raises(UsageError, match="'p' is in val"):
        write_training_set(tmp_path / "a", [region("a", "p", split="train")], plan=plan)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"shares": {"train": 1, "dev": 1}}, "unknown split 'dev'"),
        ({"shares": {"train": -1}}, "from 0 on"),
        ({"shares": {"train": 0}}, "at least one above 0"),
        ({"shares": {}}, "at least one above 0"),
        ({"keep": {"p": "holdout"}}, "unknown split 'holdout'"),
    ],
)
def test_plans_that_are_none(arguments: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        SplitPlan(**arguments)


def test_tables_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"splits\.csv: no such file"):
        read_splits(tmp_path)
    for text, words in (
        ("name,group,split\na,p,train\nb,p,test\n", "patient 'p' has the split 'test'"),
        ("name,group,split\na,p,dev\n", "'dev'"),
        ("name,split\na,train\n", "not readable"),
    ):
        (tmp_path / "splits.csv").write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=words):
            read_splits(tmp_path)
