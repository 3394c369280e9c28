"""Which regions a person should look at first, and why, in words. Importing it loads no torch, OpenVINO or Qt."""

from pathloop.loop.queue._calibration import Calibration, read_calibration
from pathloop.loop.queue._grid import REGION_UM, Candidate
from pathloop.loop.queue._kept import is_kept
from pathloop.loop.queue._network import FEATURES
from pathloop.loop.queue._offer import HOLDOUT_STEP
from pathloop.loop.queue._rank import propose, rank
from pathloop.loop.queue._request import NetworkPass, RankRequest, Strategy, Work
from pathloop.loop.queue._roles import ENOUGH_PATIENTS
from pathloop.loop.queue._score import Ranking, Score
from pathloop.loop.queue._storing import region_from_values, region_values, store_queue
from pathloop.loop.queue._strategies import STRATEGIES
from pathloop.loop.queue._thumbnail import THUMBNAIL_PX, region_thumbnail

__all__ = [
    "ENOUGH_PATIENTS",
    "FEATURES",
    "HOLDOUT_STEP",
    "REGION_UM",
    "STRATEGIES",
    "THUMBNAIL_PX",
    "Calibration",
    "Candidate",
    "NetworkPass",
    "RankRequest",
    "Ranking",
    "Score",
    "Strategy",
    "Work",
    "is_kept",
    "propose",
    "rank",
    "read_calibration",
    "region_from_values",
    "region_thumbnail",
    "region_values",
    "store_queue",
]
