"""How many tiles are read, in the network and post-processed at the same time."""

import os
from dataclasses import dataclass

from pathloop.predict._engine import EngineChoice

__all__ = ["Lanes", "lanes_of"]


@dataclass(frozen=True, slots=True)
class Lanes:
    """Threads of each stage; as many tiles are on their way in it, never more.

    Parameters
    ----------
    readers
        Reading; one more tile than that is read ahead.
    networks
        In the network: with two, one tile is copied while the other is computed.
    posters
        Cutting maps into objects.
    """

    readers: int
    networks: int
    posters: int


MOST_READERS, MOST_POSTERS, USUAL_TILE_PX = 4, 8, 2048


def lanes_of(choice: EngineChoice, tile_px: int) -> Lanes:
    """Stages that keep up with the network of a device.

    On the CPU the network itself takes all cores. Beside a GPU they are free, and one core alone could neither decode
    nor post-process as fast as it computes. Of tiles larger than 2,048 px fewer are on their way, for memory's sake.
    """
    if choice.device == "cpu":
        return Lanes(1, 1, 1)
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def threads(most: int) -> int:
        return max(1, min(most, most * USUAL_TILE_PX**2 // tile_px**2))

    readers, posters = threads(min(MOST_READERS, n_cores // 4)), threads(min(MOST_POSTERS, n_cores // 2))
    # other engines were not written for two threads
    n_networks = 2 if (choice.engine, choice.device) == ("torch", "cuda") else 1
    return Lanes(readers, n_networks, posters)
