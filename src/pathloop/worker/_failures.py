"""How a job that went wrong is reported."""

import traceback

from pathloop.core import Failed, PathloopError, UsageError

__all__ = ["failure"]


def failure(error: Exception) -> Failed:
    """The last event of a job that raised; what nobody foresaw also leaves its traceback on standard error."""
    if isinstance(error, PathloopError | OSError | MemoryError):
        text = " ".join(str(error).split()) or type(error).__name__
        return Failed(text, 2 if isinstance(error, UsageError) else 1)
    traceback.print_exception(error)
    return Failed(f"unforeseen {type(error).__name__}: {error}", 1)
