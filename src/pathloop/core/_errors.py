"""Every error that pathloop raises on purpose.

    PathloopError
    +-- UsageError            the caller asked for something that cannot be meant   (exit code 2)
    +-- SlideError            a slide cannot be opened or read
    |   +-- SlideNotFoundError
    |   +-- UnknownScaleError no um per px in the file and none was given
    +-- ModelError            a model file, card or input does not fit
    +-- ProjectError          a project folder cannot be used
    |   +-- ProjectLockedError
    +-- DataError             a label image, table, index or configuration is wrong
    +-- TrainingError         training cannot start or go on

A message is one line, names the file, and says what to do.
"""

__all__ = [
    "DataError",
    "ModelError",
    "PathloopError",
    "ProjectError",
    "ProjectLockedError",
    "SlideError",
    "SlideNotFoundError",
    "TrainingError",
    "UnknownScaleError",
    "UsageError",
]


class PathloopError(Exception):
    """Base of every error raised on purpose; its message is fit for a user."""


class UsageError(PathloopError, ValueError):
    """Options or arguments that contradict each other or make no sense."""


class SlideError(PathloopError):
    """A slide cannot be opened or read."""


class SlideNotFoundError(SlideError, FileNotFoundError):
    """The slide's path does not exist."""


class UnknownScaleError(SlideError):
    """The slide states no usable um per px and none was given."""


class ModelError(PathloopError):
    """A model's weights, card or input do not fit together."""


class ProjectError(PathloopError):
    """A project folder cannot be opened, read or written."""


class ProjectLockedError(ProjectError):
    """Another process holds the project's lock."""


class DataError(PathloopError, ValueError):
    """A label image, table, index or configuration file is wrong."""


class TrainingError(PathloopError):
    """Training cannot start, go on or resume."""
