"""What the project says about a run: whether its result is there, and what a person wants to know of it later."""

import shutil
from collections.abc import Mapping
from typing import Any

from pathloop.core import Rect
from pathloop.predict import TileJob, tiles_to_run
from pathloop.store import Project, RunRecord

__all__ = ["is_segmented", "run_parameters"]


def run_parameters(job: TileJob) -> dict[str, Any]:
    """What a person wants to know about a run later; the key holds what the result depends on."""
    region = job.region
    return {
        "model": job.card.name,
        "model_version": job.card.version,
        "model_checksum": job.card.checksum,
        "tasks": list(job.tasks),
        "engine": job.choice.summary,
        "reason": job.choice.reason,
        "region": [region.y, region.x, region.height, region.width],
        "tissue_mask": job.tissue is not None,
        "tissue_map": job.patch_task is not None,
        "core_px": job.core_px,
        "margin_px": job.margin_px,
        "srgb": job.slide.is_srgb,
        "n_tiles": len(tiles_to_run(job)),
    }


def is_segmented(project: Project, slide_id: str, run_key: str, parameters: Mapping[str, Any]) -> bool:
    """Whether the slide holds all of a run's result; scratch files that a kill left behind are then removed.

    Parameters
    ----------
    project
        Open for reading or writing.
    run_key, parameters
        Of the run that is wanted; the parameters are those of ``run_parameters``.
    """
    runs = project.runs(slide_id)
    own = next((run for run in runs if run.run_key == run_key), None)
    if own is None or own.state != "finished":
        return False
    others = [run for run in runs if run is not own]
    if parameters["tissue_map"] and _map_replaced(project, own, others, Rect(*parameters["region"])):
        return False
    shutil.rmtree(own.folder, ignore_errors=True)
    return True


def _map_replaced(project: Project, own: RunRecord, others: list[RunRecord], region: Rect) -> bool:
    """Whether another run wrote the tissue map in this region since; unlike object layers, maps keep no record."""
    tissue = project.tissue(own.slide_id)
    if tissue is None:
        return True
    if tissue.run_key == own.run_key:
        return False
    later = [
        run
        for run in others
        if run.parameters.get("tissue_map")
        and (run.run_key == tissue.run_key or (run.finished or "") >= (own.finished or ""))
    ]
    return any(Rect(*run.parameters["region"]).intersect(region).area for run in later)
