"""Talking to the long-lived worker in tests: a client that remembers what it heard."""

import contextlib
import threading

from pathloop.core import Assembled, RunStarted, TileDone
from pathloop.loop import WorkerClient, land
from pathloop.slides import open_slide
from pathloop.store import Project

PATIENCE_S = 120
"""The worker is niced: on a machine that is busy with other tests it may take long."""


class Heard:
    """Everything that a client was told, in order; exits are ("exit", code, text)."""

    def __init__(self):
        self._told = threading.Condition()
        self.all = []

    def event(self, job, event):
        with self._told:
            self.all.append((job, event))
            self._told.notify()

    def exit(self, code, text):
        with self._told:
            self.all.append(("exit", code, text))
            self._told.notify()

    def wait(self, wanted, timeout=PATIENCE_S):
        """The first thing told, or to be told, that is wanted."""
        with self._told:
            assert self._told.wait_for(lambda: any(map(wanted, self.all)), timeout), self.all
            return next(filter(wanted, self.all))

    def last(self, job, *kinds, timeout=PATIENCE_S):
        """The first event of these kinds of a job."""
        return self.wait(lambda told: told[0] == job and isinstance(told[1], kinds), timeout)[1]

    def of(self, job, *kinds):
        with self._told:
            return [told[1] for told in self.all if told[0] == job and isinstance(told[1], kinds)]

    def tiles(self, job):
        return [(event.row, event.col) for event in self.of(job, TileDone)]

    def wait_for_tiles(self, job, count, timeout=PATIENCE_S):
        with self._told:
            done = self._told.wait_for(
                lambda: len([t for t in self.all if t[0] == job and isinstance(t[1], TileDone)]) >= count, timeout
            )
            assert done, self.all


@contextlib.contextmanager
def conversation():
    """A client with its own process, and what it heard."""
    heard = Heard()
    client = WorkerClient(heard.event, heard.exit)
    try:
        yield client, heard
    finally:
        client.stop()


def make_project(path, slide_path):
    """A project that knows the slide; its id there."""
    with Project.create(path) as project, open_slide(slide_path) as slide:
        return project.add_slide(
            slide.path.resolve(),
            fingerprint=slide.fingerprint,
            shape=slide.shape,
            um_per_px_y=slide.scale.y,
            um_per_px_x=slide.scale.x,
            reader=slide.format,
        ).slide_id


def take_over(path, slide_id, started, assembled):
    """Do what the window does with a run: begin it and land its result."""
    assert isinstance(started, RunStarted)
    assert isinstance(assembled, Assembled)
    with Project.open(path, write=True) as project:
        run = project.begin_run(slide_id, started.run_key, started.parameters, tasks=started.instance_tasks)
        assert run.folder == started.folder
        for _ in land(project, slide_id, started.run_key, assembled.folder):
            pass
