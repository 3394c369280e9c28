"""A training set in the layout of the tool that is to learn from it."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pathloop.core import ClassSpec, UsageError, file_sha256, new_folder, read_json, write_json, write_text
from pathloop.interchange.training._coco import CocoSet
from pathloop.interchange.training._files import write_table
from pathloop.interchange.training._layout import SetWriter, TrainingOptions
from pathloop.interchange.training._native import NativeSet
from pathloop.interchange.training._nnunet import NnUnetSet
from pathloop.interchange.training._pair_sets import CellposeSet, StarDistSet
from pathloop.interchange.training._region import TrainingRegion
from pathloop.interchange.training._splits import SplitPlan, deal_splits

__all__ = ["SET_FORMAT", "SET_VERSION", "TRAINING_FLAVOURS", "TrainingFlavour", "write_training_set"]

TrainingFlavour = Literal["pathloop", "nnunet", "cellpose", "stardist", "coco"]
SET_FORMAT = "pathloop training set"
SET_VERSION = 1
MANIFEST = "manifest.json"

_WRITERS: dict[str, Callable[[Path, TrainingOptions], SetWriter]] = {
    "pathloop": NativeSet,
    "nnunet": NnUnetSet,
    "cellpose": CellposeSet,
    "stardist": StarDistSet,
    "coco": CocoSet,
}
TRAINING_FLAVOURS: tuple[str, ...] = tuple(_WRITERS)


def write_training_set(
    folder: Path,
    regions: Iterable[TrainingRegion],
    *,
    flavour: TrainingFlavour = "pathloop",
    plan: SplitPlan | None = None,
    options: TrainingOptions | None = None,
    about: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write regions with their corrected labels for training; the folder appears whole or not at all.

    One region is in memory at a time. The same regions, in any order, give the same splits; in the same order the
    same files, byte by byte.

    Every flavour has, beside its own files (listed in the set's ``README.md`` and in the documentation's
    ``training-set.md``):

    * ``splits.csv``: name, group, stratum and split of every region; a patient is in one split.
    * ``manifest.json``: format and version, flavour, about, tasks (their classes, code 1 first), regions (with what was
      dropped and why) and files (SHA-256 by path).
    * ``README.md``: the layout and what was decided, for whoever finds the folder.

    Parameters
    ----------
    folder
        To be made. A set that lies there is replaced, if nothing was added to it.
    regions
        At least one; names and classes as `TrainingRegion` and `TrainingTask` say.
    flavour
        ``pathloop``, ``nnunet``, ``cellpose``, ``stardist`` or ``coco``.
    plan
        How patients are dealt where the regions do not say; default 70, 15 and 15 %.
    options
        What single flavours can be asked for.
    about
        Plain JSON values for the manifest: project, who, when, program.

    Returns the paths of all files, sorted.

    Raises UsageError if something else lies at ``folder``, there is no region, regions contradict each other (names,
    classes, splits of a patient), or nothing could be written in this flavour.
    """
    if flavour not in _WRITERS:
        raise UsageError(f"unknown flavour {flavour!r}; known: {', '.join(_WRITERS)}")
    told = _plain(about or {})
    _check_replaceable(folder)
    plan = plan or SplitPlan()
    with new_folder(folder) as building:
        writer = _WRITERS[flavour](building, options or TrainingOptions())
        ledger = _Ledger(plan)
        for region in regions:
            ledger.enter(region)
            ledger.rows[-1] |= writer.add(region)
        if not any(row["images"] for row in ledger.rows):
            why = "; ".join(f"{row['name']}: {text}" for row in ledger.rows for text in row["dropped"])
            raise UsageError(f"{folder}: no region with labels to write as {flavour} ({why or 'none was given'})")
        ledger.deal()
        writer.finish({row["name"]: row["split"] for row in ledger.rows})
        _write_lists(building, flavour, ledger, told, writer.summary)
    return sorted(path for path in folder.rglob("*") if path.is_file())


@dataclass(slots=True)
class _Ledger:
    """What is known of the regions so far."""

    plan: SplitPlan
    rows: list[dict[str, Any]] = field(default_factory=list)
    contents: list[Mapping[str, float]] = field(default_factory=list)
    classes: dict[str, tuple[ClassSpec, ...]] = field(default_factory=dict)
    fixed: dict[str, str] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def enter(self, region: TrainingRegion) -> None:
        """Note a region down; refuse it if it contradicts an earlier one."""
        if region.name.casefold() in self._names:
            raise UsageError(f"{region.name}: two regions have this name (upper and lower case count as equal)")
        self._names.add(region.name.casefold())
        legends = {name: task.classes for name, task in region.tasks.items()}
        if region.tissue is not None:
            legends["tissue"] = region.tissue.classes
        for name, classes in legends.items():
            if self.classes.setdefault(name, classes) != classes:
                raise UsageError(f"{region.name}: the classes of {name} differ from those of earlier regions")
        if region.split is not None:
            before = self.fixed.setdefault(region.group, self.plan.keep.get(region.group, region.split))
            if before != region.split:
                raise UsageError(
                    f"{region.name}: patient {region.group!r} is in {before}, so this region cannot be in"
                    f" {region.split}; a patient has one split"
                )
        self.contents.append(region.contents())
        self.rows.append(
            {
                "name": region.name,
                "group": region.group,
                "stratum": region.stratum,
                "um_per_px": region.um_per_px,
                "height": region.image.shape[0],
                "width": region.image.shape[1],
                "provenance": dict(region.provenance),
            }
        )

    def deal(self) -> None:
        """Give every row its split."""
        splits = deal_splits([row["group"] for row in self.rows], self.contents, self.plan, self.fixed)
        for row in self.rows:
            row["split"] = splits[row["group"]]


def _write_lists(folder: Path, flavour: str, ledger: _Ledger, about: Mapping[str, Any], summary: str) -> None:
    columns = ("name", "group", "stratum", "split")
    write_table(folder / "splits.csv", columns, ([row[column] for column in columns] for row in ledger.rows))
    write_text(folder / "README.md", _readme(flavour, ledger, summary))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    manifest = {
        "format": SET_FORMAT,
        "format_version": SET_VERSION,
        "flavour": flavour,
        "about": about,
        "tasks": {
            name: [{"name": one.name, "color": list(one.color)} for one in classes]
            for name, classes in sorted(ledger.classes.items())
        },
        "regions": ledger.rows,
        "files": {path.relative_to(folder).as_posix(): file_sha256(path) for path in files},
    }
    write_json(folder / MANIFEST, manifest)


def _readme(flavour: str, ledger: _Ledger, summary: str) -> str:
    counts = {split: sum(row["split"] == split for row in ledger.rows) for split in ("train", "val", "test")}
    said = ", ".join(f"{n} {split}" for split, n in counts.items())
    dropped = [f"* {row['name']}: {text}" for row in ledger.rows for text in row["dropped"]]
    parts = [
        f"# Training set ({flavour})",
        f"Regions: {len(ledger.rows)} ({said}); patients: {len({row['group'] for row in ledger.rows})}. `splits.csv`"
        " says which patient is in which split, never one in two; `manifest.json` where everything comes from.",
        summary.strip(),
    ]
    if dropped:
        parts += ["Left out:", "\n".join(dropped)]
    return "\n\n".join(parts) + "\n"


def _plain(about: Mapping[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(dict(about), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"what the manifest is to say holds what JSON cannot ({error})") from error
    return dict(about)


def _check_replaceable(folder: Path) -> None:
    """Refuse a folder that holds anything but a set as it was written."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder}: is a file; name a new folder")
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    if not there:
        return
    known: set[str] = set()
    if MANIFEST in there:
        found = read_json(folder / MANIFEST)
        if isinstance(found, dict) and found.get("format") == SET_FORMAT and isinstance(found.get("files"), dict):
            known = {MANIFEST, *found["files"]}
    if there - known:
        raise UsageError(f"{folder}: holds {min(there - known)}, which is no part of a training set; name a new folder")
