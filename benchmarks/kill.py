"""kill -9 of napari at random moments of a scripted hour of correcting: is anything lost but the stroke in progress?

    python benchmarks/kill.py --times 50 --edits 200

Each round starts napari (it needs a display or Xvfb) on a drawn slide, corrects it by script in an edit window, kills
the process at a random moment, opens the project again and checks that

* every edit that the window called saved is in the journal,
* at most the edit in progress is missing,
* labels, object rows and measurements equal a replay of the journal from the first predictions.

Exits with 1 if any of that fails.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pathloop.core import ClassSpec, Rect
from pathloop.objects import Measurer
from pathloop.slides import open_slide
from pathloop.store import Project
from pathloop.synth import write_slide

SHAPE = (900, 800)
TASKS = {"nuclei": "nucleus", "gland": "gland"}
START_S = 180
KINDS = ("brush", "brush", "erase", "lasso", "delete", "accept", "class", "split", "undo", "undo", "redo")


def prepare(folder: Path) -> Path:
    """A drawn slide and a project that holds its true objects as predictions."""
    import tifffile

    slide = folder / "drawn.tif"
    write_slide(slide, SHAPE, seed=5, truth_dir=folder / "truth")
    with open_slide(slide) as opened, Project.create(slide.with_suffix(".pathloop")) as project:
        slide_id = project.add_slide(
            slide,
            fingerprint=opened.fingerprint,
            shape=opened.shape,
            um_per_px_y=opened.scale.y,
            um_per_px_x=opened.scale.x,
            reader=opened.format,
        ).slide_id
        project.begin_run(slide_id, "a" * 64, {"model": "drawn"}, tasks=list(TASKS))
        for task, name in TASKS.items():
            labels = tifffile.imread(folder / "truth" / f"drawn_{task}.tif").astype(np.int32)
            project.register_classes(
                task, [ClassSpec(name=name, color=(0, 158, 115)), ClassSpec(name="other", color=(0, 114, 178))]
            )
            measurer = Measurer()
            measurer.add(labels, y=0, x=0)
            n = len(measurer.ids)
            whole = Rect(0, 0, *labels.shape)
            with project.replace_predicted(slide_id, task, run_key="a" * 64, area=whole) as replacement:
                replacement.write(whole, labels)
                replacement.commit(measurer.instances(confidences=np.ones(n), class_codes=np.ones(n, np.int16)))
        project.finish_run(slide_id, "a" * 64, remove_folder=True)
    return slide


# the process that is killed


def correct(slide: Path, log: Path, n_edits: int, seed: int) -> None:
    """Correct by script in a real window until the edits are done; ``log`` says what was begun and what is saved."""
    os.environ["PATHLOOP_CONFIG"] = tempfile.mkdtemp()
    import napari
    from qtpy.QtWidgets import QApplication

    from pathloop.gui._current import session_for
    from pathloop.gui.correcting import CorrectPresenter, keys_of

    with log.open("a", buffering=1) as out:
        viewer = napari.Viewer(show=True)
        session = session_for(viewer)
        session.open_slide(slide)
        while not (session.current and session.current.slide_id):
            QApplication.processEvents()
        session.conductor = _NoNetwork()
        presenter = CorrectPresenter(session, _Silent(), keys_of({}))
        presenter.opener.open(Rect(0, 0, *SHAPE))
        while presenter.corrector.window is None:
            QApplication.processEvents()
        session.journal.committed.connect(lambda opened, committed: out.write(f"saved {committed.entry.number}\n"))
        rng = random.Random(seed)
        out.write("ready\n")
        for number in range(n_edits):
            session.journal.settle(10)
            out.write(f"begun {number}\n")
            _edit(presenter, rng)
            QApplication.processEvents()
        session.journal.settle(10)
        out.write("done\n")
        session.close()


def _edit(presenter, rng) -> None:
    from pathloop.core import PathloopError

    corrector = presenter.corrector
    task = rng.choice(list(TASKS))
    corrector.choose_task(task)
    own = corrector.window.tasks[task]
    y, x = rng.uniform(20, SHAPE[0] - 20), rng.uniform(20, SHAPE[1] - 20)
    ids = sorted(own.rows)
    if ids:
        box = own.rows[rng.choice(ids)].box
        near = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    else:
        near = (y, x)
    kind = rng.choice(
        ["brush", "brush", "erase", "lasso", "delete", "accept", "class", "split", "undo", "undo", "redo"]
    )
    try:
        if kind in ("brush", "erase"):
            number = 0 if kind == "erase" else (own.at(*near) or own.new_id())
            with own.layer.block_history():
                own.layer.paint(near, number)
                own.layer.paint((near[0] + 5, near[1] + 5), number)
        elif kind == "lasso":
            presenter.finish_line("lasso", np.array([(y, x), (y, x + 15), (y + 12, x + 14), (y + 13, x - 2)]))
        elif kind in ("delete", "accept"):
            presenter.act(kind, near)
        elif kind == "class":
            presenter.choose_class_number(rng.choice([1, 2]), near)
        elif kind == "split":
            presenter.finish_line("split", np.array([(near[0] - 90, near[1]), (near[0] + 90, near[1] + 3)]))
        else:
            presenter.act(kind)
    except PathloopError:
        pass  # a refusal changes nothing


class _NoNetwork:
    def __init__(self):
        self.listeners = []

    def maps(self, request):
        return 1

    def cancel_job(self, job):
        pass


class _Silent:
    def __getattr__(self, name):
        if name.startswith("show_"):
            return lambda *values: None
        raise AttributeError(name)


# the one that kills and checks


def replayed(project: Project, slide_id: str, task: str, base: np.ndarray) -> np.ndarray:
    """Labels as the journal says, from the first predictions."""
    labels = base.copy()
    runs = {entry.number for entry in project.journal(slide_id) if entry.kind == "run"}
    for entry in project.journal(slide_id):
        if entry.number in runs:
            continue
        if entry.target in runs:  # the predictions went, or came back
            labels = np.zeros_like(base) if entry.kind == "undo" else base.copy()
            continue
        for one in project.journal_change(entry.number).pixels:
            if one.task == task:
                part = labels[one.rect.slices]
                differs = one.before != one.after
                assert (part[differs] == one.before[differs]).all(), f"entry {entry.number} does not follow"
                part[differs] = one.after[differs]
    return labels


def check(slide: Path, log: Path, base: dict[str, np.ndarray]) -> dict[str, int]:
    """What came of a killed session; AssertionError if anything is wrong."""
    lines = log.read_text().splitlines()
    saved = {int(line.split()[1]) for line in lines if line.startswith("saved") and line.split()[1:]}
    begun = sum(line.startswith("begun") for line in lines)
    with Project.open(slide.with_suffix(".pathloop"), write=True) as project:
        slide_id = project.slides()[0].slide_id
        entries = {entry.number for entry in project.journal(slide_id) if entry.kind != "run"}
        assert saved <= entries, f"saved and lost: {sorted(saved - entries)}"
        assert len(entries - saved) <= 1, f"{len(entries - saved)} entries that nobody was told of"
        for task, first in base.items():
            labels = project.labels(slide_id, task).read(Rect(0, 0, *SHAPE))
            assert np.array_equal(labels, replayed(project, slide_id, task, first)), f"{task} is not the replay"
            measurer = Measurer()
            measurer.add(labels, y=0, x=0)
            rows = project.objects(slide_id, task)
            measured = measurer.instances()
            assert np.array_equal(rows.ids, measured.ids), f"{task}: rows and pixels name other objects"
            assert np.array_equal(rows.boxes, measured.boxes), f"{task}: boxes"
            assert np.array_equal(rows.areas_px, measured.areas_px), f"{task}: areas"
    return {"begun": begun, "saved": len(saved), "entries": len(entries)}


def one_round(slide: Path, folder: Path, base: dict[str, np.ndarray], n_edits: int, seed: int) -> dict[str, int]:
    """Start, let it work for a random while, kill, check."""
    log = folder / f"log-{seed}.txt"
    log.touch()
    command = [sys.executable, __file__, "--child", str(slide), str(log), str(n_edits), str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    deadline = time.monotonic() + START_S
    while "ready" not in log.read_text():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise RuntimeError(f"napari did not start: {process.communicate()[1].decode()[-1000:]}")
        time.sleep(0.02)
    wanted = random.Random(seed).uniform(0, n_edits)
    while process.poll() is None and log.read_text().count("begun") <= wanted:
        time.sleep(0.002)
    time.sleep(random.Random(seed + 1).uniform(0, 0.05))
    if hasattr(signal, "SIGKILL"):
        process.send_signal(signal.SIGKILL)
    else:
        process.kill()
    process.communicate()
    return check(slide, log, base)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--edits", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", nargs=4, metavar=("SLIDE", "LOG", "EDITS", "SEED"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        slide, log, edits, seed = options.child
        correct(Path(slide), Path(log), int(edits), int(seed))
        return 0
    failed = 0
    print(f"{'round':>5} {'begun':>6} {'saved':>6} {'in the journal':>15}")
    for number in range(options.times):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            slide = prepare(folder)
            with Project.open(slide.with_suffix(".pathloop"), write=False) as project:
                slide_id = project.slides()[0].slide_id
                base = {task: project.labels(slide_id, task).read(Rect(0, 0, *SHAPE)) for task in TASKS}
            try:
                found = one_round(slide, folder, base, options.edits, options.seed + number)
                print(f"{number:>5} {found['begun']:>6} {found['saved']:>6} {found['entries']:>15}", flush=True)
            except AssertionError as error:
                failed += 1
                print(f"{number:>5} LOST: {error}", flush=True)
    print(f"{options.times - failed} of {options.times} rounds lost nothing but the edit in progress")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
