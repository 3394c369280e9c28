"""What the user has set in napari's preferences, with defaults where napari's settings are not at hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

__all__ = ["GuiSettings", "ReadingSettings", "RunningSettings", "ViewSettings", "read_settings"]


@dataclass(frozen=True, slots=True)
class ReadingSettings:
    """How slides are read.

    Parameters
    ----------
    direct_zarr
        Hand napari the file's own zarr arrays, where a format has them, instead of dask arrays.
    """

    direct_zarr: bool = False


@dataclass(frozen=True, slots=True)
class RunningSettings:
    """How the model runs.

    Parameters
    ----------
    device
        What the panel begins with.
    """

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """How things look at first.

    Parameters
    ----------
    style
        Objects filled or as outlines.
    opacity
        Of objects, 0..1.
    scale_bar, overview
        Whether they are shown.
    """

    style: Literal["fill", "outline"] = "fill"
    opacity: float = 0.9
    scale_bar: bool = True
    overview: bool = True


@dataclass(frozen=True, slots=True)
class GuiSettings:
    """All settings; the names are those of ``configurations`` in the manifest."""

    reading: ReadingSettings = field(default_factory=ReadingSettings)
    running: RunningSettings = field(default_factory=RunningSettings)
    view: ViewSettings = field(default_factory=ViewSettings)
    keys: Mapping[str, str] = field(default_factory=dict)
    """Keys that the user chose, by action; what is not named is as by default."""


def read_settings() -> GuiSettings:
    """What napari's preferences say; what they do not know is as by default."""
    try:
        from napari.settings import get_plugin_settings

        found: Any = get_plugin_settings("pathloop")
    except (ImportError, KeyError):
        return GuiSettings()
    sections = {}
    for section in fields(GuiSettings):
        if section.name == "keys":
            continue
        default = getattr(GuiSettings(), section.name)
        own = getattr(found, section.name, None)
        values = {one.name: getattr(own, one.name, getattr(default, one.name)) for one in fields(default)}
        sections[section.name] = type(default)(**values)
    return GuiSettings(**sections, keys=_texts(getattr(found, "keys", None)))


def _texts(section: Any) -> dict[str, str]:
    values = section.model_dump() if hasattr(section, "model_dump") else {}
    return {name: value for name, value in values.items() if isinstance(value, str)}
