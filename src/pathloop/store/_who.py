"""Whose name stands in the journal."""

import getpass
import os

__all__ = ["who_am_i"]

NAME_VARIABLE = "PATHLOOP_USER"


def who_am_i() -> str:
    """The name of whoever works here: ``PATHLOOP_USER`` where that is set, else the account's name."""
    named = os.environ.get(NAME_VARIABLE, "").strip()
    if named:
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name
        return "unknown"
