"""What a patient's slides are for: to learn from, to judge by, or both where there are too few patients."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal
from uuid import UUID

from pathloop.loop._export_training import patient_of
from pathloop.loop.queue._kept import is_kept
from pathloop.store import Project, Region, SlideRecord

__all__ = ["ENOUGH_PATIENTS", "Role", "slide_roles"]

Role = Literal["train", "held", "both"]
ENOUGH_PATIENTS = 4
"""With fewer patients, held-out regions are drawn from the slides of all of them."""
SHARE = 1 / 4


def slide_roles(project: Project) -> dict[str, Role]:
    """The role of every slide: regions of one patient resemble each other, so that a model is judged on others.

    A patient keeps the role that the regions give that there are; one that has none yet is drawn by a lot that never
    changes, every fourth to judge by. If the lot leaves nobody to judge by, the first one is taken.
    """
    return _roles(project.uuid, project.slides(), project.regions())


def _roles(project: UUID, slides: Sequence[SlideRecord], regions: Sequence[Region]) -> dict[str, Role]:
    patients = {one.slide_id: patient_of(one, {}) for one in slides}
    people = sorted(set(patients.values()), key=lambda name: _lot(project, name))
    if len(people) < ENOUGH_PATIENTS:
        return dict.fromkeys(patients, "both")
    found: dict[str, set[bool]] = {}
    for region in regions:
        if is_kept(region):
            found.setdefault(patients[region.slide_id], set()).add(region.holdout)
    roles: dict[str, Role] = {name: _role(project, name, found) for name in people}
    fresh = [name for name in people if name not in found]
    if "held" not in roles.values() and "both" not in roles.values() and fresh:
        roles[fresh[0]] = "held"
    return {slide_id: roles[name] for slide_id, name in patients.items()}


def _role(project: UUID, name: str, found: Mapping[str, set[bool]]) -> Role:
    flags = found.get(name)
    if flags is None:
        return "held" if _lot(project, name) < SHARE else "train"
    return "both" if len(flags) > 1 else "held" if True in flags else "train"


def _lot(project: UUID, name: str) -> float:
    """0..1, the same for ever."""
    digest = hashlib.sha256(f"{project}/{name}/hold-out".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64
