"""What torchrun tells a process that it started. Imports no torch."""

import os

__all__ = ["is_first_process", "process_number"]


def is_first_process() -> bool:
    """Whether this process is the one that writes, prints and validates; true where torchrun started none."""
    return process_number("RANK", 0) == 0


def process_number(name: str, default: int) -> int:
    """One of ``RANK``, ``WORLD_SIZE`` and ``LOCAL_RANK``."""
    try:
        return int(os.environ.get(name, default))
    except ValueError:
        return default
