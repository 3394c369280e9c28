"""The aggregated Jaccard index of two label images."""

from dataclasses import dataclass

import numpy as np

from pathloop.metrics._ratios import ratio
from pathloop.rasters import OverlapTable

__all__ = ["AggregatedJaccard", "aggregated_jaccard"]


@dataclass(frozen=True, slots=True)
class AggregatedJaccard:
    """What the aggregated Jaccard index is made of. Add parts to pool images.

    Parameters
    ----------
    intersection_px, union_px
        Pixels of the intersections, and of the unions and of the predicted objects that no true object chose.
    """

    intersection_px: int
    union_px: int

    def __add__(self, other: "AggregatedJaccard") -> "AggregatedJaccard":
        return AggregatedJaccard(self.intersection_px + other.intersection_px, self.union_px + other.union_px)

    @property
    def value(self) -> float:
        """AJI, 0..1; NaN where both are empty, 0 where one is or nothing overlaps."""
        return ratio(self.intersection_px, self.union_px)


def aggregated_jaccard(table: OverlapTable) -> AggregatedJaccard:
    """Aggregated Jaccard index (Kumar et al. 2017, *A dataset and a technique for generalized nuclear segmentation
    for computational pathology*, IEEE TMI 36, 1550-1560, algorithm 1).

    Every true object takes the predicted object with which its IoU is largest; their intersections and unions are
    summed. The area of predicted objects that none took is added to the union, and so is that of true objects that
    nothing overlaps. As in the paper several true objects may take the same predicted one, whose area then counts
    each time; of equal IoUs the one with the smallest id is taken.

    Parameters
    ----------
    table
        Overlaps of (prediction, truth).
    """
    order = np.lexsort((table.first_index, -table.ious, table.second_index))
    truths, start = np.unique(table.second_index[order], return_index=True)
    chosen = order[start]
    untaken = np.ones(len(table.first_ids), bool)
    untaken[table.first_index[chosen]] = False
    unmet = np.ones(len(table.second_ids), bool)
    unmet[truths] = False
    union = table.unions_px[chosen].sum() + table.first_areas_px[untaken].sum() + table.second_areas_px[unmet].sum()
    return AggregatedJaccard(int(table.overlaps_px[chosen].sum()), int(union))
