"""How often a model is wrong where it says that it is unsure, and how often its objects are right; into its card.

    python benchmarks/calibrate.py [--model fast] [--images benchmarks/fast_test_images.csv] [--write]

The uncertainty map holds the entropy of pixels, averaged over 16 model px. Half of the listed patients give the curve
from that to the share of wrong pixels (rising: isotonic regression), which --write puts into the card, where the queue
of regions reads it; the other half tells what that is worth: the expected calibration error with the curve, against
taking the entropy itself for the share of wrong pixels. Objects: their confidence (mean inside probability) against
whether they match a true object at IoU > 0.5, on all listed patients. Data come from PATHLOOP_DATA.
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
from pathloop.learn import predicted, score_image
from pathloop.metrics import match_objects, reliability
from pathloop.networks import find_model, read_card, write_card
from pathloop.predict import UNCERTAINTY_STEP_PX, choose_engine, load_engine
from pathloop.rasters import overlap_table

TASKS = {"ebhi_seg": ("gland", "lumen"), "cpm_sbu": ("nuclei",), "dsb2018_color": ("nuclei",)}
POINTS = 17
"""Of the curve, at equal steps of entropy."""


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


def objects_of(found, maps, truth):
    """Confidence of each object, and whether it is right."""
    table = overlap_table(found, truth)
    ids = table.first_ids
    inside = cv2.resize(maps[0], found.shape[::-1], interpolation=cv2.INTER_LINEAR) / 255
    core = np.where(inside > 0.5, found, 0)
    counts = sum_labels(np.ones_like(inside), core, ids)
    confidence = sum_labels(inside, core, ids) / np.maximum(counts, 1)
    right = np.isin(np.arange(len(ids)), match_objects(table).pred_index)
    return confidence[counts > 0], right[counts > 0]


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
        halves[zlib.crc32(item.group.encode()) % 2].append(steps_of(prediction, item, tasks))
        found = score_image(prediction, item, card.labels, cell_px=cell, tasks=tasks).found
        for task in tasks:
            objects.setdefault(task, []).append(objects_of(found[task], prediction.maps[task], item.labels[task]))
    fit, check = (tuple(np.concatenate(part) for part in zip(*half, strict=True)) for half in halves)
    order = np.argsort(fit[0])
    rising = isotonic_regression(fit[1][order]).x
    points = np.linspace(0, 1, POINTS)
    curve = np.interp(points, fit[0][order], rising)
    print("entropy -> wrong:", "  ".join(f"{x:.2f} {y:.3f}" for x, y in zip(points, curve, strict=True)))
    said = np.interp(check[0], points, curve)
    print(f"steps of the other patients: {len(said)}; wrong {check[1].mean():.4f}")
    with_curve, without = reliability(said, check[1]).ece, reliability(*check).ece
    print(f"calibration error with the curve {with_curve:.4f}, of the entropy itself {without:.4f}")
    for task, parts in objects.items():
        found = reliability(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        print(f"{task}: {found.n} objects, ECE {found.ece:.3f}, Brier {found.brier:.3f}")
        for low, n, x, y in zip(found.edges, found.counts, found.confidence, found.accuracy, strict=False):
            if n:
                print(f"   from {low:.2f}: {n:5d} objects, said {x:.3f}, right {y:.3f}")
    if options.write:
        curves = {"entropy": points.round(4).tolist(), "error": curve.round(4).tolist()}
        write_card(folder, card.model_copy(update={"training": card.training | {"calibration": curves}}))


if __name__ == "__main__":
    main()
