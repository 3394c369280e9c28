"""Keys of the viewer that are ours while a panel is open."""

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["ViewerKeys"]


class ViewerKeys:
    """Binds keys of a viewer and gives them back.

    Parameters
    ----------
    viewer
        The napari viewer or its model.
    actions
        What is called, by key in napari's writing ("Alt-1").
    """

    def __init__(self, viewer: Any, actions: Mapping[str, Callable[[], Any]]) -> None:
        self._viewer = viewer
        self._bound: list[str] = []
        for key, action in actions.items():
            viewer.bind_key(key, _ignoring_viewer(action), overwrite=True)
            self._bound.append(key)

    def close(self) -> None:
        """Unbind."""
        while self._bound:
            self._viewer.bind_key(self._bound.pop(), None)


def _ignoring_viewer(action: Callable[[], Any]) -> Callable[[Any], None]:
    # napari takes a generator for a key that is held: the action's result must not reach it
    def call(viewer: Any) -> None:
        action()

    return call
