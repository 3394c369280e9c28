"""What the worker process can be asked for."""

from dataclasses import dataclass
from pathlib import Path

from pathloop.core import Rect
from pathloop.loop._plan import DEFAULT_TILE_PX
from pathloop.networks import DEFAULT_MODEL

__all__ = ["MapsRequest", "SegmentJobRequest"]


@dataclass(frozen=True, slots=True)
class SegmentJobRequest:
    """A run over one slide, by the worker process, into the run's folder of a project.

    Parameters
    ----------
    slide
        The slide file.
    project
        Project folder; the worker writes below its ``runs`` only.
    slide_id
        The slide in the project.
    um_per_px
        Beats the slide's own scale; None = as it says.
    model
        Known model's name or a model folder.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    tasks
        Tasks to run; None = all of the model's.
    region
        Level-0 pixels; None = the whole slide.
    use_tissue_mask
        Leave out tiles without tissue.
    tile_px
        Side of a network input tile, margin included.
    force
        Run although the slide is far coarser than the model.
    live
        Run only tiles that meet the view, wait when there are none, until cancelled; takes no region.
    view
        What is on the screen, level-0 pixels; None = nothing yet.
    """

    slide: Path
    project: Path
    slide_id: str
    um_per_px: float | None = None
    model: str = DEFAULT_MODEL
    device: str = "auto"
    tasks: tuple[str, ...] | None = None
    region: Rect | None = None
    use_tissue_mask: bool = True
    tile_px: int = DEFAULT_TILE_PX
    force: bool = False
    live: bool = False
    view: Rect | None = None


@dataclass(frozen=True, slots=True)
class MapsRequest:
    """The network's maps of a region, by the worker process, into files of a folder.

    Parameters
    ----------
    slide
        The slide file.
    rect
        The region, level-0 pixels; cut to the slide.
    folder
        An existing folder of this request alone; it gets ``maps_0.npz``, ``maps_1.npz``, ... in the order in which
        they are told.
    um_per_px
        Beats the slide's own scale; None = as it says.
    model
        Known model's name or a model folder.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    tasks
        Tasks to make maps of; the type tasks of those come along. None = all of the model's.
    first
        Level-0 pixels that are wanted first; None = the region from its centre outwards.
    """

    slide: Path
    rect: Rect
    folder: Path
    um_per_px: float | None = None
    model: str = DEFAULT_MODEL
    device: str = "auto"
    tasks: tuple[str, ...] | None = None
    first: Rect | None = None
