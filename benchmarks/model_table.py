"""The table of a model card: a model's scores on every set that is at hand.

    python benchmarks/model_table.py --model fast [--images benchmarks/fast_test_images.csv] [--write]

Open sets are scored on listed images; GlaS and CRCHistoPhenotypes (research only, never trained on) whole, as a
zero-shot test; tissue without glands tells how much of it is called gland. A list, because folds depend on the sets
that a run names and on how patients are told apart: the runs that made `fast` did not deal them all alike. Its list
holds the images of patients that no run trained or validated on. Data come from PATHLOOP_DATA. --write puts the numbers
into the card of a model folder; they replace those that are there.
"""

import argparse
import csv
import os
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pathloop.core import LabelSchema
from pathloop.interchange import TrainingImage, iter_dataset, list_dataset, load_record, read_points
from pathloop.learn._validate import decode, predict_image, validate
from pathloop.metrics import PointEvaluation, label_centroids, score_objects, score_points, summarise_objects
from pathloop.networks import find_model, read_card
from pathloop.networks.multitask import MultiTaskNetwork
from pathloop.networks.weights import load_model

NO_GLANDS = ("glioma", "head_neck")
NO_GLANDS_CRC = ("ADI", "BACK", "DEB", "LYM", "MUC", "MUS", "STR")
"""Tissue classes of NCT-CRC-HE: fat, glass, debris, lymphocytes, mucus, muscle, stroma; 0.5 um per px."""
POINT_UM_PER_PX = 0.55
POINT_RADIUS_PX = 6.0
"""Sirinukunwattana et al. 2016: a detection counts within 6 px at 20x."""

Metrics = dict[str, dict[str, float]]


def test_images(listed: Path, data: Path) -> list[TrainingImage]:
    """The listed images of the open sets."""
    with listed.open(encoding="utf-8") as stream:
        wanted = {(row["kind"], row["name"]) for row in csv.DictReader(stream)}
    kinds = sorted({kind for kind, _ in wanted})
    records = [record for kind in kinds for record in list_dataset(kind, data / "open" / kind)]
    return [load_record(record) for record in records if (record.kind, record.name) in wanted]


def score_glas(network: MultiTaskNetwork, um_per_px: float, data: Path) -> Metrics:
    rows = []
    for item in iter_dataset("glas", data / "restricted" / "glas"):
        found = _objects(network, item.image, item.um_per_px / um_per_px, ["gland"])["gland"]
        rows.append(score_objects(found, item.labels["gland"], name=item.name))
    summary = summarise_objects(rows)
    return {
        "gland": {
            "dice": summary.dice,
            "pq": summary.pq,
            "object_dice": summary.object_dice,
            "f1": summary.detection.f1,
            "glas_f1": summary.glas_detection.f1,
            "glas_object_dice": summary.glas_object_dice.value,
            "n": float(len(rows)),
        }
    }


def score_empty(network: MultiTaskNetwork, um_per_px: float, listed: list[TrainingImage], data: Path) -> Metrics:
    """Share of the area that is called gland in tissue that has none."""
    images = [(one.image, one.um_per_px) for one in listed if one.stratum in NO_GLANDS]
    for path in sorted((data / "open" / "crc_tissue_samples").rglob("*.tif")):
        if path.name.startswith(NO_GLANDS_CRC):
            images.append((np.asarray(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), np.uint8), 0.5))
    found = [_objects(network, image, scale / um_per_px, ["gland"])["gland"] > 0 for image, scale in images]
    return {"gland": {"false_area": float(np.mean([mask.mean() for mask in found])), "n": float(len(images))}}


def score_centres(network: MultiTaskNetwork, um_per_px: float, data: Path) -> Metrics:
    folder = data / "restricted" / "crchistophenotypes"
    rows = []
    with (folder / "index.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            image = cv2.cvtColor(cv2.imread(str(folder / row["image"])), cv2.COLOR_BGR2RGB)
            found = _objects(network, np.asarray(image, np.uint8), POINT_UM_PER_PX / um_per_px, ["nuclei"])["nuclei"]
            truth = read_points(folder / row["points"]).yx
            rows.append(score_points(label_centroids(found), truth, radius_px=POINT_RADIUS_PX, name=row["image"]))
    pooled = PointEvaluation(tuple(rows), POINT_RADIUS_PX).detection
    return {"nuclei": {"f1": pooled.f1, "precision": pooled.precision, "recall": pooled.recall, "n": float(len(rows))}}


def _objects(
    network: MultiTaskNetwork, image: NDArray[np.uint8], zoom: float, tasks: list[str]
) -> dict[str, NDArray[np.int32]]:
    labels: LabelSchema = network.labels
    found = decode(predict_image(network, image, zoom=zoom, tasks=tasks), labels)
    size = image.shape[1::-1]
    return {
        task: np.asarray(cv2.resize(ids.astype(np.float32), size, interpolation=cv2.INTER_NEAREST)).astype(np.int32)
        for task, ids in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="fast")
    parser.add_argument("--images", type=Path, default=Path(__file__).with_name("fast_test_images.csv"))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    data = Path(os.environ.get("PATHLOOP_DATA", "../shared/data"))
    network, card = load_model(options.model)
    table: dict[str, Metrics] = {}
    images = test_images(options.images, data)
    tested = validate(network, images, card.um_per_px)
    for key, values in tested.items():
        source, _, task = key.partition("/")
        table.setdefault(f"{source} (test patients)", {})[task] = values
    table["tissue without glands"] = score_empty(network, card.um_per_px, images, data)
    table["GlaS (zero-shot)"] = score_glas(network, card.um_per_px, data)
    table["CRCHistoPhenotypes centres (zero-shot)"] = score_centres(network, card.um_per_px, data)
    for name, tasks in table.items():
        for task, values in tasks.items():
            print(f"{name:42s} {task:8s} " + "  ".join(f"{key} {value:.3f}" for key, value in values.items()))
    if options.write:
        from pathloop.networks import write_card

        folder = find_model(options.model)
        write_card(folder, read_card(folder).model_copy(update={"metrics": table}))


if __name__ == "__main__":
    main()
