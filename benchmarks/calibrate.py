"""How often a model is wrong where it says that it is unsure, and how often its objects are right; into its card.

    python benchmarks/calibrate.py [--model fast] [--images benchmarks/fast_test_images.csv] [--write]

The uncertainty map holds the entropy of pixels, averaged over 16 model px. Half of the listed patients give the curve
from that to the share of wrong pixels (rising: isotonic regression), which --write puts into the card, where the queue
of regions reads it; the other half tells what that is worth: the expected calibration error with the curve, against
taking the entropy itself for the share of wrong pixels. Objects: their confidence (mean inside probability) against
whether they match a true object at IoU > 0.5; those that mostly lie where the truth is unknown are left out. Their
curves are made and checked in the same way, and written from all patients. Data come from PATHLOOP_DATA.
"""

import argparse
import csv
import os
import zlib
from pathlib import Path

import cv2
import numpy as np
from scipy.ndimage import sum_labels
from scipy.optimize import isotonic_regression

from pathloop.interchange import list_dataset, load_record
from pathloop.learn import predicted
from pathloop.learn._scoring import decode
from pathloop.metrics import match_objects, reliability
from pathloop.networks import find_model, read_card, write_card
from pathloop.predict import UNCERTAINTY_STEP_PX, choose_engine, load_engine
from pathloop.rasters import cut_maps, overlap_table

TASKS = {"ebhi_seg": ("gland", "lumen"), "cpm_sbu": ("nuclei",), "dsb2018_color": ("nuclei",)}
POINTS = 17
"""Of the curve, at equal steps of entropy."""
OBJECT_POINTS = 21
"""Of the curves of objects, at equal steps of confidence from 0.5 on."""


def listed(path, data):
    """The listed images, one after the other."""
    with path.open(encoding="utf-8") as stream:
        wanted = {(row["kind"], row["name"]) for row in csv.DictReader(stream)}
    for kind in TASKS:
        for record in list_dataset(kind, data / "open" / kind):
            if (record.kind, record.name) in wanted:
                yield load_record(record)


def steps_of(prediction, item, tasks):
    """Entropy and share of wrong pixels of each full step of the uncertainty map."""
    height, width = prediction.image.shape[:2]
    entropy, wrong = np.zeros((height, width)), np.zeros((height, width), bool)
    known = np.ones((height, width), bool)
    for task in tasks:
        inside, edge = (one.astype(float) / 255 for one in prediction.maps[task])
        shares = np.stack([inside, edge, np.clip(1 - inside - edge, 0, 1)])
        own = -(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=0) / np.log(3)
        entropy = np.maximum(entropy, own)
        truth = cv2.resize((item.labels[task] > 0).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        wrong |= (inside + edge > 0.5) != (truth > 0)
        if item.ignore and task in item.ignore:
            unknown = item.ignore[task].astype(np.uint8)
            known &= cv2.resize(unknown, (width, height), interpolation=cv2.INTER_NEAREST) == 0
    step = UNCERTAINTY_STEP_PX
    rows, cols = height // step, width // step

    def means(array):
        return array[: rows * step, : cols * step].reshape(rows, step, cols, step).mean(axis=(1, 3)).ravel()

    full = means(known) == 1
    return np.clip(means(entropy)[full], 0, 1), means(wrong)[full]


def objects_of(prediction, item, task, labels):
    """Confidence of each object, and whether it is right."""
    drawn = decode(prediction, labels)[task]
    inside, _ = cut_maps(*prediction.maps[task], labels[task].post)
    found = cv2.resize(drawn.astype(np.float32), item.image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    found = found.astype(np.int32)
    table = overlap_table(found, item.labels[task])
    ids = table.first_ids
    right = np.isin(np.arange(len(ids)), match_objects(table).pred_index)
    counts = sum_labels(inside, drawn, ids)
    confidence = sum_labels(np.where(inside, prediction.maps[task][0] / 255, 0), drawn, ids) / np.maximum(counts, 1)
    unknown = (item.ignore or {}).get(task, np.zeros(found.shape, bool))
    judged = (counts > 0) & (sum_labels(~unknown, found, ids) * 2 > table.first_areas_px)
    return confidence[judged], right[judged]


def rising_curve(said, there, points):
    """Isotonic regression, at given points."""
    order = np.argsort(said, kind="stable")
    return np.interp(points, said[order], isotonic_regression(np.asarray(there, float)[order]).x)


def main():
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="fast")
    parser.add_argument("--images", type=Path, default=Path(__file__).with_name("fast_test_images.csv"))
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    folder = find_model(options.model)
    card = read_card(folder)
    engine = load_engine(folder, card.labels.names, choose_engine("cpu"))
    cell = card.architecture.cell_px
    halves, objects = ([], []), {}
    for item in listed(options.images, Path(os.environ.get("PATHLOOP_DATA", "../shared/data"))):
        zoom = item.um_per_px / card.um_per_px
        prediction = predicted(engine.run, item.image, card.labels, zoom=zoom, cell_px=cell)
        tasks = TASKS[item.source]
        half = zlib.crc32(item.group.encode()) % 2
        halves[half].append(steps_of(prediction, item, tasks))
        for task in tasks:
            objects.setdefault(task, ([], []))[half].append(objects_of(prediction, item, task, card.labels))
    fit, check = map(pooled, halves)
    points = np.linspace(0, 1, POINTS)
    curve = rising_curve(*fit, points)
    print("entropy -> wrong:", "  ".join(f"{x:.2f} {y:.3f}" for x, y in zip(points, curve, strict=True)))
    said = np.interp(check[0], points, curve)
    print(f"steps of the other patients: {len(said)}; wrong {check[1].mean():.4f}")
    with_curve, without = reliability(said, check[1]).ece, reliability(*check).ece
    print(f"calibration error with the curve {with_curve:.4f}, of the entropy itself {without:.4f}")
    curves = {"entropy": points.round(4).tolist(), "error": curve.round(4).tolist()}
    curves["objects"] = {task: object_curve(task, *map(pooled, parts)) for task, parts in objects.items()}
    if options.write:
        write_card(folder, card.model_copy(update={"training": card.training | {"calibration": curves}}))


def pooled(parts):
    """Pairs of arrays as one pair."""
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def object_curve(task, fit, check):
    """What the card says of a task's objects; prints what it is worth."""
    points = np.linspace(0.5, 1, OBJECT_POINTS)
    own = reliability(np.interp(check[0], points, rising_curve(*fit, points)), check[1]).ece
    both = pooled((fit, check))
    found = reliability(*both)
    print(f"{task}: {found.n} objects, ECE {found.ece:.3f} (other half: {reliability(*check).ece:.3f},", end=" ")
    print(f"with the curve {own:.3f}), Brier {found.brier:.3f}")
    for low, n, x, y in zip(found.edges, found.counts, found.confidence, found.accuracy, strict=False):
        if n:
            print(f"   from {low:.2f}: {n:5d} objects, said {x:.3f}, right {y:.3f}")
    return {"confidence": points.round(4).tolist(), "right": rising_curve(*both, points).round(4).tolist()}


if __name__ == "__main__":
    main()
