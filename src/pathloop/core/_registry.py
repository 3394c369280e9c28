"""Names that stand for factories: engines, readers, recipes, synthetic stains."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from pathloop.core._errors import UsageError

__all__ = ["Registry"]


class Registry:
    """Maps a name to ``"package.module:attribute"``, imported only when it is asked for.

    Parameters
    ----------
    kind
        What the names are, for messages ("engine", "recipe").
    """

    def __init__(self, kind: str, entries: dict[str, str] | None = None) -> None:
        self.kind = kind
        self._entries = dict(entries or {})

    def add(self, name: str, target: str) -> None:
        """Register a name; the last registration of a name wins."""
        self._entries[name] = target

    def names(self) -> list[str]:
        """All names, in the order of registration."""
        return list(self._entries)

    def resolve(self, name: str) -> Callable[..., Any]:
        """Import and return what a name stands for.

        Raises
        ------
        UsageError
            If nobody registered the name.
        """
        if name not in self._entries:
            known = ", ".join(self._entries) or "none"
            raise UsageError(f"unknown {self.kind} {name!r}; known: {known}")
        module, _, attribute = self._entries[name].partition(":")
        found: Callable[..., Any] = getattr(import_module(module), attribute)
        return found
