"""What a model's outputs mean: tasks, classes and the constants that turn maps into objects."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pathloop.core._config import StrictConfig

__all__ = ["ClassSpec", "LabelSchema", "PostProcessing", "TaskSpec"]

OutputKind = Literal["instance", "type", "patch"]


class ClassSpec(StrictConfig):
    """One class of a task.

    Parameters
    ----------
    name
        Shown to users and written to exports.
    color
        sRGB, each 0..255. The bundled palette is Okabe and Ito's, which stays distinct for colour-blind eyes.
    """

    name: str = Field(min_length=1)
    color: tuple[int, int, int]

    @model_validator(mode="after")
    def _in_range(self) -> Self:
        if not all(0 <= value <= 255 for value in self.color):
            raise ValueError(f"color of {self.name!r} must hold three values in 0..255")
        return self


class PostProcessing(StrictConfig):
    """Constants that turn interior and boundary probabilities into objects, in pixels at the model's scale.

    Defaults follow the published Cerberus post-processing where it states a value.

    Parameters
    ----------
    kernel_px
        Side of the elliptic kernel that erodes an object to its interior and dilates it to its boundary band.
    interior_threshold
        A pixel is interior where its interior probability exceeds this and its boundary probability does not
        exceed ``boundary_threshold``.
    boundary_threshold
        See above.
    mask_threshold
        A pixel belongs to the mask where interior + boundary probability exceeds this.
    grow_px
        R: every mask pixel joins the nearest interior pixel within this distance.
    closing_px
        Radius of the closing of each object by itself; 0 = none.
    min_interior_px
        Interior components smaller than this are dropped before they may grow.
    min_confidence
        Interior components whose mean interior probability does not exceed this are dropped as well; 0 = none.
    min_size_px
        Objects smaller than this are dropped, after they were joined over tiles.
    fill_holes
        Fill background that one object encloses.
    clip_to
        Task whose objects cut this task's objects ("gland" for lumina), or None.
    """

    kernel_px: int = Field(default=3, ge=1)
    interior_threshold: float = Field(default=0.5, ge=0, le=1)
    boundary_threshold: float = Field(default=0.5, ge=0, le=1)
    mask_threshold: float = Field(default=0.5, ge=0, le=1)
    grow_px: int = Field(default=1, ge=0, le=64)
    closing_px: int = Field(default=0, ge=0, le=32)
    min_interior_px: int = Field(default=1, ge=1)
    min_confidence: float = Field(default=0.0, ge=0, le=1)
    min_size_px: int = Field(default=1, ge=1)
    fill_holes: bool = True
    clip_to: str | None = None

    def scaled(self, factor: float) -> "PostProcessing":
        """The same constants for pixels that are ``1 / factor`` as large (``factor`` = old / new um per px)."""

        def length(value: int) -> int:
            return round(value * factor)

        def area(value: int) -> int:
            return max(1, round(value * factor * factor))

        kernel = max(1, round((self.kernel_px - 1) * factor) + 1)
        return self.model_copy(
            update={
                "kernel_px": kernel,
                "grow_px": length(self.grow_px),
                "closing_px": length(self.closing_px),
                "min_interior_px": area(self.min_interior_px),
                "min_size_px": area(self.min_size_px),
            }
        )


class TaskSpec(StrictConfig):
    """One task of a model.

    Parameters
    ----------
    name
        Lower-case identifier: ``nuclei``, ``gland``, ``lumen``, ``tissue``.
    output
        ``instance`` (head with background, eroded interior, boundary), ``type`` (dense classes of another
        task's objects) or ``patch`` (one class a cell of the tissue map).
    classes
        For ``instance``: the one class of its objects. For ``type`` and ``patch``: all classes; code 0 of a
        ``type`` head is "none" and is not listed, code 0 of a written tissue map is "not run".
    of
        For ``type``: the object task that it classifies.
    post
        Constants for ``instance`` tasks.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    output: OutputKind
    classes: tuple[ClassSpec, ...] = Field(min_length=1)
    of: str | None = None
    post: PostProcessing = PostProcessing()

    @property
    def n_channels(self) -> int:
        """Channels of the head."""
        if self.output == "instance":
            return 3
        return len(self.classes) + (1 if self.output == "type" else 0)


class LabelSchema(StrictConfig):
    """All tasks of a model, in the order of its heads."""

    tasks: tuple[TaskSpec, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = [task.name for task in self.tasks]
        if len(set(names)) != len(names):
            raise ValueError("task names must differ")
        objects = {task.name for task in self.tasks if task.output == "instance"}
        for task in self.tasks:
            if task.output == "type" and task.of not in objects:
                raise ValueError(f"type task {task.name!r} must name an instance task in 'of'")
            if task.post.clip_to is not None and task.post.clip_to not in objects:
                raise ValueError(f"task {task.name!r} clips to {task.post.clip_to!r}, which is no instance task")
        return self

    def __getitem__(self, name: str) -> TaskSpec:
        for task in self.tasks:
            if task.name == name:
                return task
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(task.name == name for task in self.tasks)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all tasks."""
        return tuple(task.name for task in self.tasks)

    @property
    def instance_tasks(self) -> tuple[TaskSpec, ...]:
        """The tasks that yield objects."""
        return tuple(task for task in self.tasks if task.output == "instance")
