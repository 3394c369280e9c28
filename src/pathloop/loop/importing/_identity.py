"""Which object of the project a feature is, and of which task it would be a new one."""

import re
from uuid import UUID

from pathloop.core import DataError, UsageError
from pathloop.interchange import GeoJSONObject, object_uuid
from pathloop.store import Project

__all__ = ["Key", "Names", "Owners", "told_key"]

Key = tuple[str, int]
"""Task and id of an object."""

USUAL_TASKS = ("nuclei", "gland", "lumen")
_TASK_NAME = re.compile(r"[a-z][a-z0-9_]*")
OUR_VERSION = 5  # of the UUIDs that pathloop makes; what is drawn in QuPath has another


def told_key(item: GeoJSONObject) -> Key | None:
    """Task and id as a file's metadata tell them; a hint, for people can copy metadata."""
    number = item.metadata.get("id", "")
    task = item.metadata.get("task", "")
    return (task, int(number)) if task and number.isascii() and number.isdigit() else None


class Owners:
    """Finds objects of a slide by their UUID.

    Parameters
    ----------
    project, slide_id
        Whose objects.
    """

    def __init__(self, project: Project, slide_id: str) -> None:
        self._project, self._slide_id = project, slide_id
        self._others = [one.slide_id for one in project.slides() if one.slide_id != slide_id]
        self._all: dict[UUID, Key] | None = None

    def find(self, item: GeoJSONObject) -> Key | None:
        """The object that a feature is; None if it has no UUID of this slide. The object may be gone.

        Raises
        ------
        DataError
            If it is an object of another slide of the project.
        """
        if item.uuid is None or item.uuid.version != OUR_VERSION:
            return None
        told = told_key(item)
        if told is not None and object_uuid(self._project.uuid, self._slide_id, *told) == item.uuid:
            return told
        found = self._table().get(item.uuid)
        if found is None and told is not None:
            for other in self._others:
                if object_uuid(self._project.uuid, other, *told) == item.uuid:
                    raise DataError(f"holds {told[0]} {told[1]} of slide {other!r}; import it with --slide {other}")
        return found

    def _table(self) -> dict[UUID, Key]:
        if self._all is None:
            self._all = {
                object_uuid(self._project.uuid, self._slide_id, task, number): (task, number)
                for task in self._project.tasks(self._slide_id)
                for part in self._project.iter_objects(self._slide_id, task)
                for number in part.ids.tolist()
            }
        return self._all


class Names:
    """The tasks of a project, and the names of their classes.

    Parameters
    ----------
    project
        Whose.
    default
        Task of outlines that do not tell theirs; None = they have none.

    Raises
    ------
    UsageError
        If ``default`` is no name of a task of objects.
    """

    def __init__(self, project: Project, default: str | None) -> None:
        if default is not None and (default == "tissue" or not _TASK_NAME.fullmatch(default)):
            raise UsageError(f"{default!r} is no task of objects; give --task nuclei, gland, lumen or another name")
        self.default = default
        tasks = dict.fromkeys(USUAL_TASKS)
        tasks |= dict.fromkeys(task for slide in project.slides() for task in project.tasks(slide.slide_id))
        self._classes = {task: [spec.name for spec in project.classes(task)] for task in tasks}

    def task_of(self, item: GeoJSONObject) -> str | None:
        """Task of a feature that is no object yet: as its metadata say, as its class says, else the default."""
        told = item.metadata.get("task")
        if told in self._classes:
            return told
        name = (item.class_name or "").strip().casefold()
        meant = [
            task
            for task, classes in self._classes.items()
            if name == task or name in (one.casefold() for one in classes)
        ]
        return meant[0] if len(meant) == 1 else self.default

    def class_of(self, task: str, name: str | None) -> str | None:
        """A class by its name in the project, whatever its case there; a task's own name stands for its first class."""
        classes, name = self._classes.get(task, []), (name or "").strip()
        if not name or name in classes:
            return name or None
        alike = [one for one in classes if one.casefold() == name.casefold()]
        if alike:
            return alike[0]
        return None if name.casefold() == task else name
