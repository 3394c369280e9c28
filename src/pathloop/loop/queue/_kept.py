"""Which regions ranking again leaves alone."""

from pathloop.store import Region

__all__ = ["OFFERED", "is_kept"]

OFFERED = ("ranked", "random")
"""How regions come about that ranking offers."""


def is_kept(region: Region) -> bool:
    """Whether ranking again leaves a region as it is: all but those that were offered and nobody has taken up."""
    is_free = region.state == "todo" and not region.assigned and region.flag is None
    return region.holdout or region.origin not in OFFERED or not is_free
