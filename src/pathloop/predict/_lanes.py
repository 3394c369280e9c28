"""How many tiles are read, in the network and post-processed at the same time."""

import os
from dataclasses import dataclass

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


def lanes_of(device: str) -> Lanes:
    """Stages that keep up with the network of a device.

    On the CPU the network itself takes all cores. Beside a GPU they are free, and one core alone could neither decode
    nor post-process as fast as it computes.
    """
    if device == "cpu":
        return Lanes(1, 1, 1)
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Lanes(max(1, n_cores // 4), 2 if device == "cuda" else 1, max(1, n_cores // 2))
