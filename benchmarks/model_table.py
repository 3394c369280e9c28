"""The table of a model card: scores on every set that is at hand, with 95 % intervals over patients.

    python benchmarks/model_table.py [--models fast DIR ... classical] [--precision fp32|bf16]
                                     [--images benchmarks/fast_test_images.csv] [--sets NAME ...] [--write]

`classical` is benchmarks/classical.py: stain deconvolution, Otsu, watershed. The engine is the product's.
Open sets are scored on listed images: folds depend on the sets that a run names and on how patients are told apart,
and the runs that made `fast` did not deal them all alike; the list holds images of patients that no run trained or
validated on. GlaS and CRCHistoPhenotypes (research only, never trained on) are scored whole, as a zero-shot test;
tissue without glands tells how much of it is called gland. Lumina are derived from the image: those of
lumen_checked_images.csv were looked at, and every lumen of theirs is outlined or left open as unknown.
Data come from PATHLOOP_DATA. --write puts the numbers into the card of a model folder.
"""

import argparse
import csv
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import classical
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pathloop.interchange import TrainingImage, iter_dataset, list_dataset, load_record, read_points
from pathloop.learn import predicted, score_image
from pathloop.learn._scoring import ImagePrediction, decode
from pathloop.metrics import (
    ClassConfusion,
    Interval,
    ObjectScores,
    bootstrap_score,
    label_centroids,
    score_objects,
    score_points,
    summarise_objects,
)
from pathloop.networks import ModelCard, find_model, read_card, write_card
from pathloop.predict import choose_engine, load_engine

HERE = Path(__file__).parent
NO_GLANDS = ("glioma", "head_neck")
NO_GLANDS_CRC = ("ADI", "BACK", "DEB", "LYM", "MUC", "MUS", "STR")
"""Tissue classes of NCT-CRC-HE: fat, glass, debris, lymphocytes, mucus, muscle, stroma; 0.5 um per px."""
POINT_UM_PER_PX = 0.55
POINT_RADIUS_PX = 6.0
"""Sirinukunwattana et al. 2016: a detection counts within 6 px at 20x."""

Image = NDArray[np.uint8]
Found = dict[str, NDArray[np.int32]]
Metrics = dict[str, Interval | float]
Table = dict[str, dict[str, Metrics]]


class Model:
    """A model folder behind the product's engine."""

    def __init__(self, name: str, precision: str | None) -> None:
        self.card: ModelCard = read_card(find_model(name))
        choice = choose_engine("cpu", precision=precision)
        self.name = f"{name} ({choice.summary})"
        self.engine = load_engine(find_model(name), self.card.labels.names, choice)

    def objects(self, image: Image, um_per_px: float) -> Found:
        """Objects by task at the image's size."""
        prediction = self._predicted(image, um_per_px)
        size = image.shape[1::-1]
        return {
            task: np.asarray(cv2.resize(ids.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)).astype(np.int32)
            for task, ids in decode(prediction, self.card.labels).items()
        }

    def cells(self, item: TrainingImage) -> ClassConfusion:
        """The tissue map against the truth."""
        prediction = self._predicted(item.image, item.um_per_px)
        cell = self.card.architecture.cell_px
        return score_image(prediction, item, self.card.labels, cell_px=cell, tasks=["tissue"]).classes["tissue"]

    def _predicted(self, image: Image, um_per_px: float) -> ImagePrediction:
        zoom, cell = um_per_px / self.card.um_per_px, self.card.architecture.cell_px
        return predicted(self.engine.run, image, self.card.labels, zoom=zoom, cell_px=cell)


class Classical:
    """No learning at all."""

    name = "classical"
    card = None

    def objects(self, image: Image, um_per_px: float) -> Found:
        """Objects by task."""
        return classical.objects(image, um_per_px)


Subject = Model | Classical


def listed(path: Path, data: Path, kind: str) -> list[TrainingImage]:
    """The listed images of an open set."""
    with path.open(encoding="utf-8") as stream:
        wanted = {row["name"] for row in csv.DictReader(stream) if row["kind"] == kind}
    return [load_record(one) for one in list_dataset(kind, data / "open" / kind) if one.name in wanted]


def raw(item: TrainingImage) -> TrainingImage:
    """Glands as the annotators' mask has them: 4-connected parts, nothing split or left out."""
    return replace(item, labels={"gland": ndimage.label(item.labels["gland"] > 0)[0].astype(np.int32)}, ignore=None)


def score(subject: Subject, items: Iterable[TrainingImage], task: str) -> Metrics:
    """Objects of one task against the truth."""
    rows, groups = [], []
    for item in items:
        found, truth = subject.objects(item.image, item.um_per_px)[task], item.labels[task]
        unknown = (item.ignore or {}).get(task)
        if unknown is not None:
            found, truth = np.where(unknown, 0, found), np.where(unknown, 0, truth)
        rows.append(score_objects(found, truth, name=item.name))
        groups.append(item.group)
    summary = summarise_objects(rows)
    return {
        "dice": _mean(rows, groups, lambda row: row.pixels.dice),
        "pq": _mean(rows, groups, lambda row: row.objects.pq),
        "f1": _pooled_f1([row.objects.detection for row in rows], groups),
        "object_dice": _mean(rows, groups, lambda row: row.object_dice.value),
        "glas_f1": summary.glas_detection.f1,
        "glas_object_dice": summary.glas_object_dice.value,
        "n": float(len(rows)),
    }


def _mean(rows: list[ObjectScores], groups: list[str], value: Callable[[ObjectScores], float]) -> Interval:
    values = np.array([value(row) for row in rows])
    there = ~np.isnan(values)
    return bootstrap_score(np.stack([np.where(there, values, 0), there], axis=1), _ratio, groups=groups)


def _ratio(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[..., 0] / sums[..., 1])


def _pooled_f1(counts: list, groups: list[str]) -> Interval:
    return bootstrap_score(
        np.array([(2 * one.tp, 2 * one.tp + one.fp + one.fn) for one in counts]), _ratio, groups=groups
    )


def score_cells(model: Model, items: Iterable[TrainingImage]) -> Metrics:
    """Cells of the tissue map: mean F1 over the classes that the truth holds, and accuracy."""
    pooled = ClassConfusion.pooled([model.cells(item) for item in items])
    held = [code for code, row in zip(pooled.codes, pooled.matrix, strict=True) if row.sum()]
    f1 = float(np.mean([pooled.of_class(code).dice for code in held]))
    return {"f1": f1, "accuracy": pooled.accuracy, "n": float(pooled.n_compared)}


def score_empty(subject: Subject, items: list[TrainingImage], data: Path) -> Metrics:
    """Share of the area that is called gland in tissue that has none."""
    images = [(one.image, one.um_per_px) for one in items if one.stratum in NO_GLANDS]
    for path in sorted((data / "open" / "crc_tissue_samples").rglob("*.tif")):
        if path.name.startswith(NO_GLANDS_CRC):
            images.append((np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8), 0.5))
    shares = [float((subject.objects(image, scale)["gland"] > 0).mean()) for image, scale in images]
    return {"false_area": float(np.mean(shares)), "n": float(len(shares))}


def score_centres(subject: Subject, data: Path) -> Metrics:
    """Centres of nuclei within 6 px of the annotated ones."""
    folder = data / "restricted" / "crchistophenotypes"
    rows, groups = [], []
    with (folder / "index.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            image = np.asarray(cv2.cvtColor(cv2.imread(str(folder / row["image"])), cv2.COLOR_BGR2RGB), np.uint8)
            found = subject.objects(image, POINT_UM_PER_PX)["nuclei"]
            truth = read_points(folder / row["points"]).yx
            rows.append(score_points(label_centroids(found), truth, radius_px=POINT_RADIUS_PX, name=row["image"]))
            groups.append(row["image"])
    tp, fp, fn = (sum(getattr(row.detection, key) for row in rows) for key in ("tp", "fp", "fn"))
    f1 = _pooled_f1([row.detection for row in rows], groups)
    return {"f1": f1, "precision": tp / (tp + fp), "recall": tp / (tp + fn), "n": float(len(rows))}


def table_of(subject: Subject, images: Path, data: Path, sets: list[str]) -> Table:
    """All sets, or the named ones."""
    out: Table = {}
    if "ebhi_seg" in sets:
        ebhi = listed(images, data, "ebhi_seg")
        checked = {one.name for one in listed(HERE / "lumen_checked_images.csv", data, "ebhi_seg")}
        out["ebhi_seg (test patients)"] = {
            "gland": score(subject, ebhi, "gland"),
            "lumen": score(subject, ebhi, "lumen"),
        }
        if isinstance(subject, Model):
            out["ebhi_seg (test patients)"]["tissue"] = score_cells(subject, ebhi)
        out["ebhi_seg, 4-connected parts"] = {"gland": score(subject, map(raw, ebhi), "gland")}
        out["ebhi_seg, lumina looked at"] = {"lumen": score(subject, [x for x in ebhi if x.name in checked], "lumen")}
    for kind in ("cpm_sbu", "dsb2018_color"):
        if kind in sets:
            out[f"{kind} (test patients)"] = {"nuclei": score(subject, listed(images, data, kind), "nuclei")}
    if "empty" in sets:
        out["tissue without glands"] = {"gland": score_empty(subject, listed(images, data, "cpm_sbu"), data)}
    if "glas" in sets:
        out["GlaS (zero-shot)"] = {"gland": score(subject, iter_dataset("glas", data / "restricted" / "glas"), "gland")}
    if "crchistophenotypes" in sets:
        out["CRCHistoPhenotypes centres (zero-shot)"] = {"nuclei": score_centres(subject, data)}
    return out


SETS = ["ebhi_seg", "cpm_sbu", "dsb2018_color", "empty", "glas", "crchistophenotypes"]


def main() -> None:
    """Print the tables, and write that of a model into its card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["fast"])
    parser.add_argument("--precision", choices=("fp32", "bf16"))
    parser.add_argument("--images", type=Path, default=HERE / "fast_test_images.csv")
    parser.add_argument("--sets", nargs="+", default=SETS, choices=SETS)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    data = Path(os.environ.get("PATHLOOP_DATA", "../shared/data"))
    for name in options.models:
        subject = Classical() if name == "classical" else Model(name, options.precision)
        table = table_of(subject, options.images, data, options.sets)
        print(subject.name)
        for title, tasks in table.items():
            for task, values in tasks.items():
                print(f"  {title:38s} {task:7s} " + "  ".join(f"{key} {_text(value)}" for key, value in values.items()))
        if options.write and isinstance(subject, Model):
            numbers = {
                title: {task: {key: _value(one) for key, one in values.items()} for task, values in tasks.items()}
                for title, tasks in table.items()
            }
            write_card(find_model(name), subject.card.model_copy(update={"metrics": subject.card.metrics | numbers}))


def _value(value: Interval | float) -> float:
    return value.value if isinstance(value, Interval) else value


def _text(value: Interval | float) -> str:
    if isinstance(value, Interval):
        return f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"
    return f"{value:.3f}" if value < 1 else f"{value:g}"


if __name__ == "__main__":
    main()
