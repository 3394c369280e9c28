"""How much of a region the model is unsure of, from the uncertainty map that segmenting left behind."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pathloop.loop.queue._calibration import Calibration
from pathloop.loop.queue._grid import Candidate, Samples
from pathloop.loop.queue._score import Score
from pathloop.loop.queue._words import percent
from pathloop.store import UncertaintyMap

__all__ = ["entropy_score"]

UNSURE = 0.5
"""Stored uncertainty from which on a place counts as unsure: entropy as a share of that of three classes alike. Two
classes alike have 0.63; a place is the mean of 16 x 16 model pixels, and half is exceeded where most of them waver."""

OFTEN_WRONG = 0.2
"""With a calibration: share of wrong pixels from which on a place counts."""

WEIGHT = 1.0


def entropy_score(
    uncertainty: UncertaintyMap,
    calibration: Calibration | None,
    samples: Samples,
    tissue: NDArray[np.bool_],
    candidates: Sequence[Candidate],
) -> Score:
    """Share of a region's tissue of which the model is unsure, or where it is expected to be wrong often.

    Parameters
    ----------
    uncertainty
        The slide's map.
    calibration
        Of the model that made it; None = the map is taken as it is.
    samples, tissue
        Where the slide is looked at, and which of the points are tissue.
    candidates
        Of the same slide.
    """
    if calibration is None:
        # compared as the share that the byte stands for, so that the limit means what it says
        counts = np.arange(256) / 255 > UNSURE
    else:
        counts = calibration.table() > OFTEN_WRONG
    seen = samples.of(uncertainty.values, uncertainty.cell_px, uncertainty.origin_px)
    shares = samples.share(counts[seen], among=tissue)
    values = np.array([shares[one.row, one.col] for one in candidates])
    return Score("entropy", values, tuple(_words(share, calibration) for share in values), WEIGHT)


def _words(share: float, calibration: Calibration | None) -> str:
    if round(100 * share) == 0:
        return ""
    if calibration is None:
        return f"the model is unsure of {percent(share)} of the tissue in this region"
    more = percent(OFTEN_WRONG)
    return f"in {percent(share)} of the tissue in this region more than {more} of the pixels are expected to be wrong"
