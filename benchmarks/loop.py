"""Does the loop help? A simulated annotator corrects regions to their true masks, the model is fine-tuned on them.

    python benchmarks/loop.py SCENARIO [--data ../shared/data] [--regions 1 5 20] [--orders random ranked thorough]
                              [--seeds 0 1 2] [--variant NAME] [--results FILE]
    python benchmarks/loop.py table [--results FILE]
    python benchmarks/loop.py organ-parent --parent FOLDER

SCENARIO: ``glas`` (the bundled model goes to another hospital; a third of the patients is never trained on), ``cpm``
(nuclei; glioma is the new organ of a ``--parent`` that never saw it: ``organ-parent`` trains that in about 20 minutes),
``stain`` (patients that the bundled model never saw, their stain shifted). An image is a region. Every fine-tuning run
is the product's own recipe with its defaults and the product's own engine scores; one row a run goes into FILE (JSON
lines), and a run that is there is not done again, so that it can be stopped at any time. A row names the model that
it began from (weights and constants); ``table`` shows those of one model, the bundled one by default. ``all``
regions are all images of the training patients. Orders are strategies of `pathloop rank` (``ranked``: difficulty);
``hardest`` is difficulty as it was before patients took turns, and is in old rows only.

Variants of ``quick``: ``quick`` (as shipped), ``with-data`` (ebhi_seg or cpm_sbu mixed in), ``no-replay``,
``no-parent`` (nobody is asked where there is no truth), ``no-return`` (always 50 % of the way from the parent),
``plain`` (none of the three). Others: ``full``; ``ceiling`` (the recipe `train` from the parent, 1,200 steps, nothing
done against forgetting: with ``--regions all`` the end of the gap that shares are of); ``scratch`` (`train` from random
weights, as many steps as ``full``).
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

EDIT_IOU = 0.85
"""Outlines that are this close are left alone."""
TEST_SHARE = 3
CEILING_STEPS = 1200
NEW_ORGAN = "glioma"
ORDERS = {"random": None, "ranked": "difficulty", "thorough": "thorough"}
"""Strategies of `pathloop rank` by the order's name."""


def parser():
    """The command line."""
    out = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out.add_argument("scenario", choices=("glas", "cpm", "stain", "table", "organ-parent"))
    out.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared" / "data")
    out.add_argument("--regions", nargs="+", default=["1", "5", "20"])
    out.add_argument("--orders", nargs="+", choices=ORDERS, default=["random", "ranked"])
    out.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    out.add_argument("--variant", default="quick")
    out.add_argument("--parent", type=Path, help="model folder to start from; the bundled model by default")
    out.add_argument("--steps", type=int)
    out.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="change keys of [fit], for trials")
    out.add_argument("--test-images", type=int, help="score on this many images only, for trials")
    out.add_argument("--models", type=Path, metavar="FOLDER", help="keep the candidates there, and take those that are")
    out.add_argument("--results", type=Path, default=Path("loop-results.jsonl"))
    return out


# data


def listed(scenario, data, seed):
    """Records to train on, to test on, and to see what is forgotten; patients are never in two of them."""
    from pathloop.interchange import list_dataset

    ebhi = list_dataset("ebhi_seg", data / "open" / "ebhi_seg")
    unseen = _unseen_ebhi(ebhi)
    if scenario == "glas":
        records = list_dataset("glas", data / "restricted" / "glas")
        train, test = _parted(records, seed)
        return train, test, unseen[:: max(1, len(unseen) // 40)]
    if scenario == "cpm":
        records = list_dataset("cpm_sbu", data / "open" / "cpm_sbu")
        train, test = _parted([one for one in records if one.stratum == NEW_ORGAN], seed)
        return train, test, [one for one in records if one.stratum != NEW_ORGAN]
    train, test = _parted(unseen, seed)
    return train[:60], test[:40], unseen[:: max(1, len(unseen) // 40)]


def _unseen_ebhi(records):
    """Images of patients that the bundled model never saw (benchmarks/fast_test_images.csv)."""
    import csv

    with (Path(__file__).parent / "fast_test_images.csv").open(encoding="utf-8") as stream:
        names = {row["name"] for row in csv.DictReader(stream) if row["kind"] == "ebhi_seg"}
    return [one for one in records if one.name in names]


def _parted(records, seed):
    groups = sorted({one.group for one in records})
    random.Random(seed).shuffle(groups)
    held = set(groups[: max(1, len(groups) // TEST_SHARE)])
    return [one for one in records if one.group not in held], [one for one in records if one.group in held]


def loaded(record, scenario, task):
    """The image with the truth of one task, its stain shifted where the scenario says so."""
    from pathloop.interchange import load_record

    item = load_record(record)
    ignore = {key: value for key, value in (item.ignore or {}).items() if key == task} or None
    image = shifted(item.image) if scenario == "stain" else item.image
    return replace(item, image=image, labels={task: item.labels[task]}, ignore=ignore, tissue=None)


def shifted(image):
    """Another laboratory: more haematoxylin, less and redder eosin, a yellowish background."""
    from pathloop.rasters import STAIN_OD, density_to_rgb, rgb_to_density

    unmix = np.linalg.inv(STAIN_OD)
    amounts = rgb_to_density(image) @ unmix.astype(np.float32)
    amounts = amounts * np.array([1.45, 0.6, 1.0], np.float32) + np.array([0.02, 0.05, 0.0], np.float32)
    return density_to_rgb(amounts @ STAIN_OD.astype(np.float32) + np.array([0.0, 0.02, 0.10], np.float32))


# the order in which regions are corrected


def ordered(records, order, seed, options, task, scratch):
    """The records by lot, or as a strategy of `pathloop rank` puts them."""
    shuffled = sorted(records, key=lambda one: one.name)
    random.Random(1000 + seed).shuffle(shuffled)
    return shuffled if order == "random" else ranked(shuffled, ORDERS[order], options, task, scratch)


def ranked(records, strategy, options, task, scratch):
    """Images by the first of their regions; all are slides of one project, their patients told by their names."""
    import cv2

    from pathloop.core import outcome
    from pathloop.loop import SegmentRequest, segment
    from pathloop.loop.queue import NetworkPass, RankRequest
    from pathloop.loop.queue._rank import in_order
    from pathloop.store import Project

    people = sorted({one.group for one in records})
    places, scales = {}, {}
    for number, record in enumerate(records):
        item = loaded(record, options.scenario, task)
        path = scratch / f"TCGA-00-{people.index(record.group):04d}-{number:03d}.png"
        cv2.imwrite(str(path), item.image[..., ::-1])
        places[path.stem] = number
        scales.setdefault(item.um_per_px, []).append(path)
    folder = scratch / "rank.pathloop"
    for um_per_px, paths in scales.items():
        request = SegmentRequest(
            tuple(paths), folder, model=str(parent_of(options)), um_per_px=um_per_px, use_tissue_mask=False
        )
        for _ in segment(request):
            pass
    with Project.open(folder, write=False) as project:
        network = NetworkPass(model=str(parent_of(options)))
        request = RankRequest(folder, strategy=strategy, network=network, count=len(records), region_um=300.0)
        found = outcome(in_order(project, request), told_if_message)
    first = dict.fromkeys(places[found.candidates[index].slide_id] for index in found.ranking.order.tolist())
    return [records[number] for number in [*first, *(one for one in range(len(records)) if one not in first)]]


def told_if_message(event):
    """Print what ranking has to say."""
    if event.kind == "message":
        print(event.text, file=sys.stderr)


# training and scoring


def write_set(folder, items, task):
    """The corrected regions as fine-tuning reads them."""
    from pathloop.interchange.training import SplitPlan, TrainingRegion, TrainingTask, write_training_set

    regions = [
        TrainingRegion(
            name=f"r{number:03d}",
            group=item.group,
            image=item.image,
            um_per_px=item.um_per_px,
            tasks={
                task: TrainingTask(
                    item.labels[task],
                    review=None if not item.ignore else (~item.ignore[task]).astype(np.uint8),
                )
            },
        )
        for number, item in enumerate(items)
    ]
    write_training_set(folder, regions, plan=SplitPlan(shares={"train": 1.0}))


def candidate(options, parent, items, task, folder, seed):
    """Fine-tune; the model folder, and seconds of training."""
    from pathloop.core import JobFinished
    from pathloop.learn import RECIPES, TUNING, DataConfig, TrainConfig, TuneConfig, default_fit
    from pathloop.networks import read_card

    write_set(folder / "set", items, task)
    card, variant = read_card(parent), options.variant
    recipe = "full" if variant in ("full", "scratch") else "quick"
    fit = default_fit(recipe, card, len(items))
    changes = dict(one.split("=") for one in options.set)
    if options.steps:
        changes["steps"] = options.steps
    fit = fit.__class__.model_validate(fit.model_dump() | changes)
    if variant in ("no-parent", "plain"):
        fit = fit.model_copy(update={"distil": 0.0})
    began = time.monotonic()
    if variant in ("scratch", "ceiling"):
        long = {
            "steps": CEILING_STEPS,
            "batch": 4,
            "learning_rate": 5e-4,
            "encoder_rate": 1.0,
            "ema": 0.99,
            "patience": 0,
        }
        if variant == "ceiling" and not changes:
            fit = fit.model_copy(update=long)
        config = TrainConfig(
            output=folder / "run",
            architecture=card.architecture,
            labels=card.labels,
            data=(DataConfig(kind="pathloop_set", path=folder / "set"),),
            n_folds=1,
            validation_folds=(),
            fit=fit.model_copy(update={"validate_every": fit.steps}),
            seed=seed,
            init_from=str(parent) if variant == "ceiling" else None,
        )
        events = RECIPES.resolve("train")(config)
    else:
        old = "cpm_sbu" if task == "nuclei" else "ebhi_seg"
        mixed = (DataConfig(kind=old, path=options.data / "open" / old),) if variant == "with-data" else ()
        config = TuneConfig(
            recipe=recipe,
            output=folder / "run",
            parent=parent,
            regions=folder / "set",
            fit=fit,
            seed=seed,
            with_data=mixed,
            replay=0.0 if variant in ("no-replay", "plain") else TuneConfig.model_fields["replay"].default,
            max_forgetting=9.0 if variant in ("no-return", "plain") else 0.008,
        )
        events = TUNING.resolve(recipe)(config)
    told = {}
    for event in events:
        if isinstance(event, JobFinished):
            told = {key: event.summary.get(key) for key in ("share", "forgetting")}
            model = event.path
    return model, {"train_s": round(time.monotonic() - began, 1), "steps": fit.steps, **told}


def kept_or_made(options, parent, row, items, task, folder):
    """The candidate of a row: that of `--models`, with the parent's constants as they are now, or a new one."""
    from pathloop.networks import read_card, write_card

    if options.models is None:
        return candidate(options, parent, items, task, folder, row["seed"])
    names = ("scenario", "variant", "seed", "order", "regions", "steps_asked")
    parts = [read_card(parent).checksum[:8], *(str(row[name]) for name in names), *row["changes"]]
    place = options.models / "-".join(parts)
    if not (place / "told.json").is_file():
        model, told = candidate(options, parent, items, task, folder, row["seed"])
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(model, place)
        (place / "told.json").write_text(json.dumps(told))
    card = read_card(place)
    tasks = tuple(read_card(parent).labels[one.name] for one in card.labels.tasks)
    write_card(place, card.model_copy(update={"labels": card.labels.model_copy(update={"tasks": tasks})}))
    return place, json.loads((place / "told.json").read_text())


def train_organ_parent(data, folder):
    """A model of nuclei that has seen all sets but the new organ; not resumable."""
    from pathloop.interchange import list_dataset
    from pathloop.learn import RECIPES, DataConfig, FitConfig, TrainConfig
    from pathloop.networks import find_model, read_card

    records = [one for kind in ("cpm_sbu", "dsb2018_color") for one in list_dataset(kind, data / "open" / kind)]
    items = [loaded(one, "", "nuclei") for one in records if one.stratum != NEW_ORGAN]
    with tempfile.TemporaryDirectory() as scratch:
        write_set(Path(scratch) / "set", items, "nuclei")
        config = TrainConfig(
            name="no-" + NEW_ORGAN,
            output=folder,
            labels={"tasks": (read_card(find_model("fast")).labels["nuclei"],)},
            data=(DataConfig(kind="pathloop_set", path=Path(scratch) / "set"),),
            n_folds=1,
            validation_folds=(),
            fit=FitConfig(
                steps=1200,
                batch=8,
                patch_px=256,
                schedule="cosine",
                warmup_steps=50,
                dice=0.5,
                ema=0.99,
                validate_every=1200,
                validation_images=1,
            ),
        )
        for event in RECIPES.resolve("train")(config):
            print(event)


def scores(folder, items, task):
    """Means over images of PQ and Dice, pooled F1, and edits that are needed for each image."""
    from pathloop.learn import predicted, score_image
    from pathloop.networks import read_card
    from pathloop.predict import choose_engine, load_engine

    card = read_card(folder)
    clip = card.labels[task].post.clip_to
    engine = load_engine(folder, tuple(one for one in (task, clip) if one), choose_engine("cpu"))
    cell, rows, edits = card.architecture.cell_px, [], []
    for item in items:
        zoom = item.um_per_px / card.um_per_px
        prediction = predicted(engine.run, item.image, card.labels, zoom=zoom, cell_px=cell)
        row = score_image(prediction, item, card.labels, cell_px=cell, tasks=[task])
        rows.append(row.objects[task])
        edits.append(edits_needed(row.found[task], item.labels[task]))
    from pathloop.metrics import summarise_objects

    total = summarise_objects(rows)
    found = {"pq": total.pq, "dice": total.dice, "f1": total.detection.f1, "edits": float(np.mean(edits))}
    return {key: round(float(value), 4) for key, value in found.items()}


def upcoming(options, model, chosen, n, task):
    """Edits that the next five regions of the order need: what an annotator does in the round that comes."""
    following = [] if n == "all" else chosen[int(n) : int(n) + 5]
    items = [loaded(one, options.scenario, task) for one in following]
    return {"next_edits": scores(model, items, task)["edits"] if items else None}


def kept(parent, model, items, task):
    """Dice of the masks of the other tasks with the parent's on the same images: what nobody reviewed should stay."""
    from pathloop.learn import predicted
    from pathloop.networks import read_card
    from pathloop.predict import choose_engine, load_engine

    card = read_card(parent)
    there = read_card(model).labels
    others = tuple(one.name for one in card.labels.instance_tasks if one.name != task and one.name in there)
    if not others:
        return {}
    engines = [load_engine(one, others, choose_engine("cpu")) for one in (parent, model)]
    sums = {name: [0, 0] for name in others}
    for item in items[:: max(1, len(items) // 6)]:
        zoom = item.um_per_px / card.um_per_px
        found = [
            predicted(one.run, item.image, card.labels, zoom=zoom, cell_px=card.architecture.cell_px) for one in engines
        ]
        for name in others:
            first, second = (one.maps[name].astype(int).sum(axis=0) > 127 for one in found)
            sums[name][0] += 2 * int((first & second).sum())
            sums[name][1] += int(first.sum() + second.sum())
    return {name: round(both / max(1, either), 4) for name, (both, either) in sums.items()}


def edits_needed(found, truth):
    """Objects to delete, to draw and to redraw."""
    from pathloop.metrics import match_objects
    from pathloop.rasters import overlap_table

    table = overlap_table(found, truth)
    matches = match_objects(table)
    n = len(matches.ious)
    return len(table.first_ids) - n + len(table.second_ids) - n + int((matches.ious < EDIT_IOU).sum())


def main():
    """Run what is missing."""
    options = parser().parse_args()
    if options.scenario == "table":
        print_table(options.results, parent_mark(options))
        return 0
    if options.scenario in ("cpm", "organ-parent") and options.parent is None:
        sys.exit(f"{options.scenario} needs --parent FOLDER of the model that never saw the organ")
    if options.scenario == "organ-parent":
        train_organ_parent(options.data, options.parent)
        return 0
    sys.stdout.reconfigure(line_buffering=True)
    task = "nuclei" if options.scenario == "cpm" else "gland"
    parent, mark = parent_of(options), parent_mark(options)
    lines = options.results.read_text().splitlines() if options.results.exists() else []
    there = {key_of(json.loads(line)) for line in lines}
    for seed in options.seeds:
        train, test, old = listed(options.scenario, options.data, seed)
        test = test[: options.test_images]
        images = [loaded(one, options.scenario, task) for one in test]
        checks = [loaded(one, "", task) for one in old]
        for order in options.orders:
            jobs = [(0, "none"), *((one, order) for one in options.regions)]
            chosen = None
            for n, name in jobs:
                row = {
                    "parent": mark,
                    "scenario": options.scenario,
                    "seed": seed,
                    "order": name,
                    "regions": n if n == "all" else int(n),
                    "variant": "none" if n == 0 else options.variant,
                    "changes": options.set,
                    "steps_asked": options.steps,
                    "n_test": len(images),
                }
                if key_of(row) in there:
                    continue
                with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as scratch:
                    folder, model = Path(scratch), parent
                    if n != 0:
                        chosen = chosen or ordered(train, order, seed, options, task, folder)
                        picked = chosen if n == "all" else chosen[: int(n)]
                        items = [loaded(one, options.scenario, task) for one in picked]
                        model, told = kept_or_made(options, parent, row, items, task, folder)
                        row |= told | {"regions_used": len(items)}
                    row |= {"test": scores(model, images, task), "old": scores(model, checks, task)}
                    row |= upcoming(
                        options, model, chosen or ordered(train, "random", seed, options, task, folder), n, task
                    )
                    row["kept"] = kept(parent, model, images, task)
                there.add(key_of(row))
                with options.results.open("a") as stream:
                    stream.write(json.dumps(row) + "\n")
                print(json.dumps(row))
    return 0


def parent_of(options):
    """The model to start from."""
    from pathloop.networks import find_model

    return options.parent or find_model("fast")


def parent_mark(options):
    """What tells it from others: its weights and its constants."""
    from pathloop.networks import read_card

    card = read_card(parent_of(options))
    return hashlib.sha256(f"{card.checksum}{card.labels.model_dump_json()}".encode()).hexdigest()[:8]


def key_of(row):
    """What makes a run another run."""
    names = ("parent", "scenario", "seed", "order", "regions", "variant", "changes", "steps_asked", "n_test")
    return json.dumps([row[name] for name in names])


def print_table(results, parent):
    """Means over seeds, and the share of the gap in PQ between the parent and its ceiling that is closed."""
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    rows = [row for row in rows if row["parent"] == parent]
    groups = {}
    for row in rows:
        groups.setdefault((row["scenario"], row["variant"], str(row["regions"]), row["order"]), []).append(row)
    print(
        "scenario variant     regions order    n    PQ   closed   F1   Dice  edits  next  old Dice  old PQ"
        "  share  train s  kept"
    )
    for (scenario, variant, regions, order), found in sorted(groups.items(), key=_place):
        mean = {key: np.mean([one["test"][key] for one in found]) for key in ("pq", "f1", "dice", "edits")}
        old = {key: np.mean([one["old"][key] for one in found]) for key in ("pq", "dice")}
        share = np.mean([one.get("share") or 0.0 for one in found])
        seconds = [one["train_s"] for one in found if one.get("train_s")]
        following = [one["next_edits"] for one in found if one.get("next_edits") is not None]
        kept = {key: np.mean([one["kept"][key] for one in found]) for key in found[0]["kept"]}
        what = f"{scenario:8s} {variant:11s} {regions:>7s} {order:8s} {len(found)}"
        good = f"{mean['pq']:.3f}  {_closed(found, rows)}  {mean['f1']:.3f}  {mean['dice']:.3f}"
        work = f"{mean['edits']:5.1f} {np.mean(following) if following else 0:5.1f}"
        past = f"{old['dice']:.3f}     {old['pq']:.3f}   {share:.2f}   {np.mean(seconds) if seconds else 0:6.0f}"
        print(f"{what}  {good}  {work}  {past}   {', '.join(f'{key} {value:.2f}' for key, value in kept.items())}")


def _place(one):
    scenario, variant, regions, order = one[0]
    return scenario, variant, 1e9 if regions == "all" else int(regions), order


def _closed(found, rows):
    """Over the seeds that have both ends: the gain so far by the gain of the ceiling."""
    gains, gaps = [], []
    for one in found:
        ends = {
            row["variant"]: row["test"]["pq"]
            for row in rows
            if (row["scenario"], row["seed"], row["n_test"]) == (one["scenario"], one["seed"], one["n_test"])
            and (row["variant"], str(row["regions"])) in (("none", "0"), ("ceiling", "all"))
        }
        if len(ends) == 2:
            gains.append(one["test"]["pq"] - ends["none"])
            gaps.append(ends["ceiling"] - ends["none"])
    return f"{sum(gains) / sum(gaps):5.0%}" if gaps else "    -"


if __name__ == "__main__":
    sys.exit(main())
