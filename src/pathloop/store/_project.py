"""The project folder."""

import contextlib
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pathloop.core import ClassSpec, ProjectError, ProjectLock, Rect, Scale, UsageError
from pathloop.rasters import LabelPyramid, create_label_pyramid, open_label_pyramid
from pathloop.store import _classes, _runs, _slides
from pathloop.store._contents import Contents
from pathloop.store._corrections import Corrections
from pathloop.store._database import Database, check_database, open_database
from pathloop.store._folder import DATABASE, LOCK, is_free, make_folder
from pathloop.store._layers import find_layer, next_free_id
from pathloop.store._project_maps import Maps
from pathloop.store._records import RunRecord, SlideRecord
from pathloop.store._recovery import is_half_done, recover
from pathloop.store._replacement import Replacement

__all__ = ["Project"]


class Project(Corrections, Contents, Maps):
    """A project: slides, their objects and label pyramids, maps and runs. Opened by ``create`` or ``open``.

    One process writes, any number read meanwhile. Every change is on disk when the call returns.

    Parameters
    ----------
    path
        The ``.pathloop`` folder.
    database
        Its open database.
    lock
        The held lock, or None where the project is open for reading.

    Attributes
    ----------
    uuid : uuid.UUID
        What the project is, wherever the folder lies.
    """

    def __init__(self, path: Path, database: Database, lock: ProjectLock | None) -> None:
        super().__init__()
        self.path = path
        self._database = database
        self._lock = lock
        self.uuid = uuid.UUID(str(database.rows("SELECT value FROM meta WHERE key = 'uuid'")[0][0]))

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make an empty project and open it for writing. It appears whole or not at all.

        Raises
        ------
        ProjectError
            If something is there already, or the folder cannot be written.
        """
        make_folder(path.resolve())
        return cls.open(path, write=True)

    @classmethod
    def open(cls, path: Path, *, write: bool) -> Self:
        """Open a project; ``with Project.open(...) as project`` closes it.

        Opening undoes what a killed process left half done, and writes what it only noted; for reading as well, where
        nobody writes at the moment.

        Raises
        ------
        ProjectLockedError
            If ``write`` and another process writes; the message names it.
        ProjectError
            If it is no project, damaged, of a newer version, or cannot be written.
        """
        path = path.resolve()
        if not path.is_dir():
            raise ProjectError(f"{path}: {'not a project folder' if path.exists() else 'no such project folder'}")
        if not write:
            database = open_database(path / DATABASE, write=False)
            if is_half_done(database):
                database.close()
                with contextlib.suppress(ProjectError):  # somebody writes now, or we may not: then as it is
                    cls.open(path, write=True).close()
                database = open_database(path / DATABASE, write=False)
            return cls(path, database, None)
        check_database(path / DATABASE)  # no lock file into a folder that is no project
        with contextlib.ExitStack() as stack:
            lock = stack.enter_context(ProjectLock(path / LOCK))
            database = stack.enter_context(contextlib.closing(open_database(path / DATABASE, write=True)))
            project = cls(path, database, lock)
            recover(database)
            project.apply_journal()
            stack.pop_all()
        return project

    @classmethod
    def open_or_create(cls, path: Path) -> Self:
        """Open for writing, after making the project where there is nothing or an empty folder."""
        if is_free(path):
            try:
                return cls.create(path)
            except ProjectError:
                if not (path / DATABASE).exists():  # else another process was faster
                    raise
        return cls.open(path, write=True)

    @property
    def is_writer(self) -> bool:
        """Whether this project is open for writing."""
        return self._lock is not None

    def close(self) -> None:
        """Close the database and give the lock back."""
        self._database.close()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # slides and classes

    def add_slide(
        self,
        path: Path,
        *,
        fingerprint: str,
        shape: tuple[int, int],
        um_per_px_y: float,
        um_per_px_x: float,
        reader: str,
    ) -> SlideRecord:
        """Record a slide, or find it again by path and fingerprint, or by fingerprint alone where it was moved.

        Raises
        ------
        ProjectError
            If another file lay at this path, or size or scale contradict objects that the slide has already.
        """
        self._must_write()
        scale = Scale(um_per_px_y, um_per_px_x)
        return _slides.add_slide(self._database, SlideRecord("", path, fingerprint, shape, scale, reader))

    def slides(self) -> list[SlideRecord]:
        """All slides, in the order in which they were added."""
        return _slides.find_slides(self._database)

    def slide(self, slide_id: str) -> SlideRecord:
        """One slide; ProjectError if the project has no such slide."""
        return _slides.find_slide(self._database, slide_id)

    def register_classes(self, task: str, classes: Sequence[ClassSpec]) -> NDArray[np.int16]:
        """(len(classes) + 1,) int16: the project's code of each code of a model; new names get new codes."""
        self._must_write()
        return _classes.register_classes(self._database, task, classes)

    def classes(self, task: str) -> tuple[ClassSpec, ...]:
        """The classes of an object task; the first has code 1."""
        return _classes.read_classes(self._database, task)

    # runs

    def begin_run(
        self, slide_id: str, run_key: str, parameters: Mapping[str, Any], *, tasks: Sequence[str]
    ) -> RunRecord:
        """Record that a run begins, with the first free id of each object task; make its folder.

        The same key gives the same run as it stands, unless another run replaced a part of it: then it begins anew.
        """
        self._must_write()
        return _runs.begin_run(self._database, slide_id, run_key, parameters, tasks=tasks)

    def finish_run(self, slide_id: str, run_key: str, *, remove_folder: bool = False) -> RunRecord:
        """Record that a run is complete; on request remove its folder of scratch files."""
        self._must_write()
        record = _runs.finish_run(self._database, slide_id, run_key)
        if remove_folder and record.folder.exists():
            shutil.rmtree(record.folder)
        return record

    def run(self, slide_id: str, run_key: str) -> RunRecord:
        """One run of a slide; ProjectError if there is none with that key."""
        return _runs.find_run(self._database, slide_id, run_key)

    def runs(self, slide_id: str) -> list[RunRecord]:
        """All runs of a slide, in the order in which they were first begun."""
        return _runs.find_runs(self._database, slide_id)

    # objects and labels

    def replace_predicted(self, slide_id: str, task: str, *, run_key: str, area: Rect) -> Replacement:
        """The way in which a run's objects and labels come into the project; see ``Replacement``.

        Parameters
        ----------
        run_key
            A run that was begun with this task.
        area
            Level-0 pixels; cut to the slide.

        Raises
        ------
        UsageError
            If nothing of the area lies in the slide, or the run was begun without the task.
        """
        self._must_write()
        slide, run = self.slide(slide_id), self.run(slide_id, run_key)
        area = area.intersect(Rect(0, 0, *slide.shape))
        self._make_room({}, ())
        layer = find_layer(self._database, slide_id, task)
        if area.area == 0 or layer is None or task not in run.first_ids:
            raise UsageError(f"run {run_key[:12]} of slide {slide_id!r} has no task {task!r} in this area of the slide")
        if layer.labels.exists():
            pyramid = open_label_pyramid(layer.labels, write=True)
        else:
            attributes = {"task": task, "slide": slide_id}
            pyramid = create_label_pyramid(layer.labels, slide.shape, scale=slide.scale, attributes=attributes)
        first_id = max(run.first_ids[task], next_free_id(self._database, layer))
        number = _runs.run_number(self._database, slide_id, run_key)
        return Replacement(
            self._database, pyramid, layer, run=number, area=area, first_id=first_id, under_way=self._under_way
        )

    def labels(self, slide_id: str, task: str) -> LabelPyramid:
        """The label pyramid, for reading; ProjectError where the task was not segmented yet."""
        if self.is_writer:
            self.apply_journal()
        return self.open_labels(slide_id, task)

    def object_uuid(self, slide_id: str, task: str, object_id: int) -> uuid.UUID:
        """An object's name outside the project (UUID version 5)."""
        return uuid.uuid5(self.uuid, f"{slide_id}/{task}/{object_id}")

    def _slide_folder(self, slide_id: str) -> Path:
        return self.path / "slides" / self.slide(slide_id).slide_id

    def _must_write(self) -> None:
        if self._lock is None:
            raise ProjectError(f"{self.path}: is open for reading only")
        if not (self.path / DATABASE).exists():  # what is open would be written all the same, and be lost
            raise ProjectError(
                f"{self.path}: no such project folder any more; put it back, or check that the drive is there"
            )
