"""The reviewed regions of a project as the training sets that fine-tuning and comparisons read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from pathloop.interchange.training import SplitPlan, TrainingRegion, write_training_set
from pathloop.loop._export_training import training_regions
from pathloop.store import Project

__all__ = ["HALO_UM", "WrittenRegion", "write_regions"]

HALO_UM = 128.0
"""Width of the rim around a region that the network sees and nobody scores: 256 px at 0.5 um per px."""


@dataclass(frozen=True, slots=True)
class WrittenRegion:
    """A region that was written.

    Parameters
    ----------
    name, patient
        As in the set.
    provenance
        Where it is, and who reviewed it.
    tasks
        What is reviewed in it.
    """

    name: str
    patient: str
    provenance: dict[str, Any]
    tasks: tuple[str, ...]


def write_regions(
    project: Project,
    folder: Path,
    *,
    held_out: bool,
    change: Callable[[TrainingRegion], TrainingRegion | None] = lambda region: region,
) -> list[WrittenRegion]:
    """Write the done regions of all slides, with their rims, as a training set. One region is in memory at a time.

    Parameters
    ----------
    held_out
        The held-out regions, or those to train on.
    change
        Applied to every region before it is written; None leaves it out.

    Returns
    -------
    list of WrittenRegion
        Empty where there was none; then nothing is written.

    Raises
    ------
    ProjectError, UsageError
        As `training_regions`.
    """
    written: list[WrittenRegion] = []

    def noted() -> Iterator[TrainingRegion]:
        for record in project.slides():
            for region in training_regions(project, record, None, {}, held_out=held_out, halo_um=HALO_UM):
                changed = change(region)
                if changed is not None:
                    tasks = (*changed.tasks, *(() if changed.tissue is None else ("tissue",)))
                    written.append(WrittenRegion(changed.name, changed.group, dict(changed.provenance), tasks))
                    yield changed

    regions = noted()
    first = next(regions, None)
    if first is not None:
        about = {"project": str(project.uuid)}
        write_training_set(folder, chain([first], regions), plan=SplitPlan(shares={"train": 1.0}), about=about)
    return written
