"""Objects and labels come in together, or not at all."""

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from drawn_objects import SHAPE, WHOLE, add_slide, assert_consistent, fill, measure, run_key, squares
from hypothesis import given, settings
from hypothesis import strategies as st

from pathloop.core import Instances, Rect, UsageError
from pathloop.store import Project

pytestmark = pytest.mark.slow

corner_lists = st.lists(st.tuples(st.integers(0, 14), st.integers(0, 12)), unique=True, max_size=20).map(
    lambda cells: [(100 * y + 3, 100 * x + 7) for y, x in sorted(cells)]
)


def test_objects_come_back_as_they_went_in(project: Project) -> None:
    stored = fill(project, [(10, 10), (500, 500), (1480, 1280)])
    loaded = project.objects("s", "nuclei")
    for name in Instances.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(stored, name))
        assert getattr(loaded, name).dtype == getattr(stored, name).dtype
    assert_consistent(project)
    assert project.counts("s", "nuclei").predicted == project.counts("s", "nuclei").total == 3
    assert project.tasks("s") == ["nuclei"]
    assert project.areas("s", "nuclei") == [WHOLE]


@settings(max_examples=6)
@given(
    first=corner_lists, second=corner_lists, y=st.integers(0, 1400), x=st.integers(0, 1200), side=st.integers(1, 900)
)
def test_replacing_keeps_what_is_outside_and_never_reuses_an_id(
    tmp_path_factory: pytest.TempPathFactory,
    first: list[tuple[int, int]],
    second: list[tuple[int, int]],
    y: int,
    x: int,
    side: int,
) -> None:
    area = Rect(y, x, side, side).intersect(WHOLE)
    with Project.create(tmp_path_factory.mktemp("h") / "p.pathloop") as project:
        add_slide(project)
        old = fill(project, first)
        fits = [(a + 9, b + 9) for a, b in second]
        fits = [c for c in fits if c[0] >= y and c[1] >= x and c[0] + 20 <= area.bottom and c[1] + 20 <= area.right]
        new = fill(project, fits, key="b", area=area)
        inside = (old.boxes[:, :2] >= (area.y, area.x)).all(1) & (old.boxes[:, 2:] <= (area.bottom, area.right)).all(1)
        assert_consistent(project)
        assert set(project.objects("s", "nuclei").ids) == set(old.ids[~inside]) | set(new.ids)
        assert not set(new.ids) & set(old.ids)
        # a square that meets a kept one lost 121 of its 400 pixels at most, so none is dropped
        assert len(new) == len(fits)
        near = project.objects("s", "nuclei", area=area)
        meets = (near.boxes[:, :2] < (area.bottom, area.right)).all(1) & (near.boxes[:, 2:] > (area.y, area.x)).all(1)
        assert meets.all()


def test_a_new_object_that_loses_more_than_half_to_a_kept_one_is_dropped(project: Project) -> None:
    [kept] = fill(project, [(95, 100)]).ids
    stored = fill(project, [(103, 102), (112, 140)], key="b", area=Rect(100, 100, 400, 400))
    assert len(stored) == 1
    assert stored.boxes.tolist() == [[112, 140, 132, 160]]
    assert_consistent(project)
    assert (project.labels("s", "nuclei").read(Rect(95, 100, 20, 20)) == kept).all()


def test_ids_grow_after_everything_was_deleted(project: Project) -> None:
    fill(project, [(0, 0), (100, 100)])
    fill(project, [], key="b")
    assert len(project.objects("s", "nuclei")) == 0
    assert project.next_free_id("s", "nuclei") == 3
    assert fill(project, [(0, 0)], key="c").ids.tolist() == [3]


def test_a_run_keeps_its_first_id_until_another_run_takes_it(project: Project) -> None:
    assert project.begin_run("s", run_key("a"), {}, tasks=["nuclei"]).first_ids == {"nuclei": 1}
    fill(project, [(0, 0)], key="b", area=Rect(0, 0, 50, 50))
    assert project.begin_run("s", run_key("a"), {}, tasks=["nuclei"]).first_ids == {"nuclei": 1}
    replacement = project.replace_predicted("s", "nuclei", run_key=run_key("a"), area=Rect(600, 600, 50, 50))
    assert replacement.first_id == 2


def test_leaving_without_a_commit_puts_everything_back(project: Project) -> None:
    fill(project, [(10, 10), (700, 700)])
    before = project.objects("s", "nuclei")
    project.begin_run("s", run_key("b"), {}, tasks=["nuclei"])
    with project.replace_predicted("s", "nuclei", run_key=run_key("b"), area=WHOLE) as replacement:
        replacement.write(WHOLE, squares([(15, 15)], first_id=replacement.first_id))
        assert project.pending("s") == ["nuclei"]
    assert project.pending("s") == []
    assert_consistent(project)
    np.testing.assert_array_equal(project.objects("s", "nuclei").ids, before.ids)


def test_wrong_blocks_and_tables_are_refused(project: Project) -> None:
    fill(project, [(10, 10)])
    project.begin_run("s", run_key("b"), {}, tasks=["nuclei"])
    area = Rect(0, 0, 100, 100)
    with project.replace_predicted("s", "nuclei", run_key=run_key("b"), area=area) as replacement:
        with pytest.raises(UsageError, match="beyond the area"):
            replacement.write(Rect(90, 90, 20, 20), np.zeros((20, 20), np.int32))
        with pytest.raises(UsageError, match="new ids start at 2"):
            replacement.write(area, np.ones((100, 100), np.int32))
        with pytest.raises(UsageError, match="beyond the area"):
            replacement.commit(measure(squares([(90, 90)], first_id=2)))
        with pytest.raises(UsageError, match="same id"):
            replacement.commit(Instances.concatenate([measure(squares([(20, 20)], first_id=2))] * 2))
    with pytest.raises(UsageError, match="over"):
        replacement.commit(Instances.empty())
    with pytest.raises(UsageError, match="no task 'gland'"):
        project.replace_predicted("s", "gland", run_key=run_key("b"), area=area)
    with pytest.raises(UsageError, match="no task"):
        project.replace_predicted("s", "nuclei", run_key=run_key("b"), area=Rect(5000, 0, 10, 10))
    assert_consistent(project)


KILLED = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, {root!r})
    import pathloop.store._replacement as module
    from pathloop.core import Rect
    from pathloop.store import Project
    from drawn_objects import WHOLE, measure, run_key, squares

    def die(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGKILL)

    project = Project.open(Path({path!r}), write=True)
    project.begin_run("s", run_key("b"), {{}}, tasks=["nuclei"])
    labels = squares({corners!r}, first_id=project.next_free_id("s", "nuclei"))
    replacement = project.replace_predicted("s", "nuclei", run_key=run_key("b"), area=WHOLE)
    if {moment!r} == "saving":
        save = module.save_chunks
        module.save_chunks = lambda *args: (save(*args), die())
    if {moment!r} == "committing":
        module.insert_objects = die
    if {moment!r} == "committed":
        module.tidy = die
    with replacement:
        replacement.write(Rect(0, 0, 700, 1300), labels[:700])
        if {moment!r} == "writing":
            die()
        replacement.write(Rect(700, 0, 800, 1300), labels[700:])
        replacement.commit(measure(labels))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("moment", ["saving", "writing", "committing", "committed"])
def test_after_a_kill_the_old_or_the_new_is_there(project: Project, moment: str) -> None:
    fill(project, [(10, 10), (700, 700)])
    project.close()
    corners = [(15, 15), (690, 690), (1200, 600)]
    root = str(Path(__file__).parent)
    code = textwrap.dedent(KILLED).format(root=root, path=str(project.path), corners=corners, moment=moment)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    with Project.open(project.path, write=False) as reader:  # nobody writes: it tidies up as well
        assert reader.pending("s") == []
        assert len(reader.objects("s", "nuclei")) == (3 if moment == "committed" else 2)
        assert_consistent(reader)
    with Project.open(project.path, write=True) as again:
        assert again.pending("s") == []
        assert_consistent(again)
        copies = {one.parent.name for one in (again.path / "slides" / "s" / "journal").glob("*/*")}
        assert copies == ({"nuclei-1", "nuclei-2"} if moment == "committed" else {"nuclei-1"})
        if moment != "committed":
            assert again.objects("s", "nuclei").ids.tolist() == [1, 2]
            fill(again, corners, key="b")
        assert again.objects("s", "nuclei").ids.tolist() == [3, 4, 5]
        assert_consistent(again)


def test_a_reader_in_another_process_works_while_we_write(project: Project) -> None:
    fill(project, [(10, 10)])
    code = f"""
import sys
from pathlib import Path
from pathloop.core import Rect
from pathloop.store import Project
for _ in range(20):
    with Project.open(Path({str(project.path)!r}), write=False) as reader:
        assert len(reader.objects("s", "nuclei")) == 1
        assert reader.labels("s", "nuclei").read(Rect(0, 0, 1500, 1300)).shape == {SHAPE}
"""
    with subprocess.Popen([sys.executable, "-W", "error", "-c", code]) as reader:
        turns = 0
        while reader.poll() is None:
            fill(project, [(10 + turns % 40, 10)], key="bc"[turns % 2])
            turns += 1
            time.sleep(0.01)
        assert reader.returncode == 0
    assert turns > 1
    assert_consistent(project)
