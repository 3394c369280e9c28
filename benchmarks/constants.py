"""Post-processing constants of a task: scores on validation patients with other values, the network run once.

    python benchmarks/constants.py TASK KIND [--model fast] [--fold 4] KEY=VALUE[,VALUE...] ...

All combinations of the given values are tried, e.g. `gland ebhi_seg interior_threshold=0.6,0.7,0.8 grow_px=6,7,8`.
Patients are those of the fold that the model's last run validated on, without the listed test images. Odd and even
images are scored apart: what helps one half alone is chance. Data come from PATHLOOP_DATA.
"""

import argparse
import csv
import itertools
import os
from pathlib import Path

from pathloop.interchange import assign_folds, list_dataset, load_record
from pathloop.learn import predicted, score_image
from pathloop.metrics import summarise_objects
from pathloop.networks import find_model, read_card
from pathloop.predict import choose_engine, load_engine

KINDS = ("ebhi_seg", "cpm_sbu", "dsb2018_color")
N_FOLDS, SEED = 6, 5


def validation(data, kind, fold, images):
    """The images of one set that fall into the fold; the folds are dealt over all sets, as in training."""
    with images.open(encoding="utf-8") as stream:
        tested = {(row["kind"], row["name"]) for row in csv.DictReader(stream)}
    records = [one for each in KINDS for one in list_dataset(each, data / "open" / each)]
    strata = [f"{one.kind}/{one.stratum}" for one in records]
    folds = assign_folds([one.group for one in records], strata, n_folds=N_FOLDS, seed=SEED)
    for one in records:
        if one.kind == kind and folds[one.group] == fold and (one.kind, one.name) not in tested:
            yield load_record(one)


def scores(pairs, card, task, post):
    """One line: PQ, F1, Dice and object Dice over (image, prediction)."""
    specs = tuple(one.model_copy(update={"post": post}) if one.name == task else one for one in card.labels.tasks)
    labels, cell = card.labels.model_copy(update={"tasks": specs}), card.architecture.cell_px
    rows = [score_image(found, item, labels, cell_px=cell, tasks=[task]).objects[task] for item, found in pairs]
    total = summarise_objects(rows)
    return f"{total.pq:.4f} {total.detection.f1:.4f} {total.dice:.4f} {total.object_dice:.4f}"


def main():
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("changes", nargs="+", metavar="KEY=VALUE[,VALUE...]")
    parser.add_argument("--model", default="fast")
    parser.add_argument("--fold", type=int, default=4)
    parser.add_argument("--images", type=Path, default=Path(__file__).with_name("fast_test_images.csv"))
    options = parser.parse_args()
    data = Path(os.environ.get("PATHLOOP_DATA", "../shared/data"))
    folder = find_model(options.model)
    card = read_card(folder)
    post = card.labels[options.task].post
    tasks = tuple(one for one in (options.task, post.clip_to) if one)
    engine = load_engine(folder, tasks, choose_engine("cpu"))
    pairs = []
    for item in validation(data, options.kind, options.fold, options.images):
        if options.task in item.labels:
            zoom = item.um_per_px / card.um_per_px
            found = predicted(engine.run, item.image, card.labels, zoom=zoom, cell_px=card.architecture.cell_px)
            pairs.append((item, found))
    keys = [one.split("=")[0] for one in options.changes]
    values = [one.split("=")[1].split(",") for one in options.changes]
    print(f"{len(pairs)} images; PQ, F1, Dice, object Dice of the even ones and of the odd ones")
    for chosen in [(), *itertools.product(*values)]:
        changes = dict(zip(keys, chosen, strict=False))
        other = post.__class__.model_validate(post.model_dump() | changes)
        halves = "   ".join(scores(pairs[start::2], card, options.task, other) for start in (0, 1))
        print(halves, " ", changes or "as the card has them", flush=True)


if __name__ == "__main__":
    main()
