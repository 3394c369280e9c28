"""The loop's second half: fine-tune on reviewed regions, compare, promote, roll back. Loads no torch."""

from pathloop.loop.tuning._compare import CompareRequest, compare, compare_on
from pathloop.loop.tuning._comparison import (
    ENOUGH,
    Comparison,
    Gain,
    RegionScore,
    TaskComparison,
    read_comparison,
    write_comparison,
)
from pathloop.loop.tuning._current import ModelEntry, current_model, model_history, model_of_project
from pathloop.loop.tuning._prepare import prepare, same_run
from pathloop.loop.tuning._promote import Promotion, comparison_of, promote, repredict, rollback, why_not
from pathloop.loop.tuning._recipe_data import TuneRequest
from pathloop.loop.tuning._runs import (
    RunFacts,
    RunState,
    TuneRun,
    find_tune_run,
    read_events,
    read_tune_config,
    tune_runs,
    wish_for,
)
from pathloop.loop.tuning._stale import StaleSlide, scale_to_give, stale_slides
from pathloop.loop.tuning._tune import start_process, tune
from pathloop.loop.tuning._words import comparison_text, gain_text, plan_text, rounds_text, verdict

__all__ = [
    "ENOUGH",
    "CompareRequest",
    "Comparison",
    "Gain",
    "ModelEntry",
    "Promotion",
    "RegionScore",
    "RunFacts",
    "RunState",
    "StaleSlide",
    "TaskComparison",
    "TuneRequest",
    "TuneRun",
    "compare",
    "compare_on",
    "comparison_of",
    "comparison_text",
    "current_model",
    "find_tune_run",
    "gain_text",
    "model_history",
    "model_of_project",
    "plan_text",
    "prepare",
    "promote",
    "read_comparison",
    "read_events",
    "read_tune_config",
    "repredict",
    "rollback",
    "rounds_text",
    "same_run",
    "scale_to_give",
    "stale_slides",
    "start_process",
    "tune",
    "tune_runs",
    "verdict",
    "why_not",
    "wish_for",
    "write_comparison",
]
