"""The ``pathloop`` command."""

from pathloop.cli._main import main

__all__ = ["main"]
