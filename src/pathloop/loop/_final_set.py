"""The final refinement's set: every region of a project, verified, and how all of it came about."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pathloop import __version__
from pathloop.interchange.training import SplitPlan, TrainingRegion
from pathloop.loop._export_training import patient_of, training_regions
from pathloop.loop.correct import RegionReview, require_verified, review_regions
from pathloop.loop.tuning import model_history
from pathloop.store import Project, SlideRecord

__all__ = ["FinalSet"]


class FinalSet:
    """All regions of a project, held out or not, as they were verified.

    Parameters
    ----------
    project
        Open for reading or writing.
    records
        Its slides that hold anything; regions of the others must be verified too.
    patients
        Patient by slide, as `read_patients` gives it.

    Raises
    ------
    ProjectError
        If nobody has verified one of the regions as it is now.
    """

    def __init__(self, project: Project, records: Sequence[SlideRecord], patients: Mapping[str, str]) -> None:
        self._project, self._records, self._patients = project, records, patients
        self._reviews = {one.region.id: one for one in review_regions(project)}
        require_verified(list(self._reviews.values()))

    def regions(self) -> Iterator[TrainingRegion]:
        """Each region with who verified it, when, and whether it measured models."""
        for record in self._records:
            for region in training_regions(self._project, record, None, self._patients, held_out=None):
                review = self._reviews[region.provenance["region"]]
                yield replace(region, provenance={**region.provenance, **_signed(review)})

    def plan(self) -> SplitPlan:
        """Patients of whom every region was held out are the test set; the others are dealt as always."""
        holdouts: dict[str, set[bool]] = {}
        slides = {record.slide_id: record for record in self._project.slides()}
        for review in self._reviews.values():
            patient = patient_of(slides[review.region.slide_id], self._patients)
            holdouts.setdefault(patient, set()).add(review.region.holdout)
        held = sorted(patient for patient, found in holdouts.items() if found == {True})
        return SplitPlan() if len(held) == len(holdouts) else SplitPlan(keep=dict.fromkeys(held, "test"))

    def about(self) -> dict[str, Any]:
        """Who did, verified and trained what, as plain JSON values."""
        entries = list(self._project.journal())
        models = model_history(self._project.path)
        return {
            "version": __version__,
            "final": True,
            "journal": entries[-1].number if entries else 0,
            "people": sorted({one.who for one in entries if one.kind != "run"}),
            "verified_by": sorted({one.verified_by for one in self._reviews.values()}),
            "models": [one.model_dump(mode="json", exclude={"gains"}) for one in models],
        }


def _signed(review: RegionReview) -> dict[str, Any]:
    return {
        "held_out": review.region.holdout,
        "verified_by": review.verified_by,
        "verified_at": review.verified_at,
    }
