"""`pathloop evaluate`: any label images against their truths."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.cli._evaluation_report import Evaluation, as_csv, as_json
from pathloop.cli._evaluation_text import as_text
from pathloop.core import DataError, UsageError, write_text
from pathloop.interchange import FilePair, pair_files, read_label_image, read_points
from pathloop.metrics import (
    DEFAULT_RADIUS_PX,
    ClassEvaluation,
    ObjectEvaluation,
    PointEvaluation,
    label_centroids,
    score_classes,
    score_objects,
    score_points,
)
from pathloop.rasters import label_components

__all__ = ["add_parser", "run"]

CLASS_TASK = "tissue"
# The challenge that defined the object Hausdorff distance is about glands; for 100,000 nuclei it takes minutes.
HAUSDORFF_TASKS = ("gland", "lumen")
MAX_CLASS_CODE = 255

DESCRIPTION = """\
Score label images against their truths: Dice, object Dice and PQ per image and as means over the images that are not
empty in both, F1 (IoU > 0.5) and PQ pooled over images, and the GlaS challenge's own definitions. No size filter.

Files are paired by path relative to the folder, else by stem; a trailing _TASK does not count, and of a folder that
holds such files only those are taken. Label images are single-channel TIFF or PNG: 0 = background, one number an
object. A mask (0/1, 0/255) is one object, unless --components splits it.

Truths may be point tables (CSV with columns x,y in pixels): then the centres of the predicted objects, or predicted
points, are matched one to one within --radius, and F1, precision and recall are reported.

Task tissue compares class codes pixel by pixel: Dice and Jaccard of every class, their means, accuracy; pixels with
code 0 (not run, not annotated) on either side are left out.
"""

EPILOG = """\
examples:
  pathloop export study.pathloop --format labels-tiff -o labels
  pathloop evaluate --pred labels --truth annotations --task gland
  pathloop evaluate --pred masks --truth annotations --task gland --components
  pathloop evaluate --pred labels --truth points --task nuclei --radius 6 --json > nuclei.json
  pathloop evaluate --pred a_gland.tif b_gland.tif --truth a.png b.png --task gland --csv rows.csv
"""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the sub-command to ``subparsers`` (what ``ArgumentParser.add_subparsers`` returns)."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evaluate",
        help="score label images against truths",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--pred", nargs="+", type=Path, required=True, metavar="PATH", help="predictions: one folder, or files"
    )
    parser.add_argument(
        "--truth", nargs="+", type=Path, required=True, metavar="PATH", help="truths: one folder, or files"
    )
    parser.add_argument("--task", required=True, help="nuclei, gland, lumen, tissue, or another task's name")
    parser.add_argument(
        "--components", action="store_true", help="split masks (one value) into their 4-connected components"
    )
    parser.add_argument(
        "--radius",
        type=float,
        metavar="PX",
        help=f"largest distance of a matched point, in pixels of the image (default {DEFAULT_RADIUS_PX:g}: 3.3 um at "
        "0.55 um per px, as in Sirinukunwattana et al. 2016)",
    )
    parser.add_argument(
        "--hausdorff",
        action=argparse.BooleanOptionalAction,
        help="compute the object Hausdorff distance, which is slow (default: for gland and lumen only)",
    )
    parser.add_argument("--per-image", action="store_true", help="list every image, even if there are more than 20")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write one row an image to this CSV file")
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Evaluate and print.

    Raises
    ------
    DataError
        If a file is missing, ambiguous, unpaired, no label image, or differs in shape from its partner.
    UsageError
        If options make no sense together.
    """
    pairs = pair_files(args.pred, args.truth, task=args.task)
    evaluation, notes = _evaluate(pairs, args)
    if args.csv is not None:
        write_text(args.csv, as_csv(evaluation))
    if args.json:
        print(as_json(evaluation, task=args.task, notes=notes))
    else:
        print(as_text(evaluation, task=args.task, notes=notes, per_image=args.per_image))
    return 0


def _evaluate(pairs: tuple[FilePair, ...], args: argparse.Namespace) -> tuple[Evaluation, list[str]]:
    tables = [pair for pair in pairs if _is_table(pair.truth)]
    if tables and len(tables) < len(pairs):
        other = next(pair for pair in pairs if not _is_table(pair.truth))
        raise DataError(f"{tables[0].truth} is a point table, {other.truth} is not; evaluate them apart")
    if tables:
        return _evaluate_points(pairs, args), []
    if args.radius is not None:
        raise UsageError(f"--radius is for truths that are point tables (.csv); {pairs[0].truth} is an image")
    if args.task == CLASS_TASK:
        return _evaluate_classes(pairs), []
    return _evaluate_objects(pairs, args)


def _evaluate_points(pairs: tuple[FilePair, ...], args: argparse.Namespace) -> PointEvaluation:
    if args.task == CLASS_TASK:
        raise UsageError(f"task {CLASS_TASK} has no objects to match with points; give images of class codes")
    radius = DEFAULT_RADIUS_PX if args.radius is None else args.radius
    if not (np.isfinite(radius) and radius > 0):
        raise UsageError(f"--radius must be a positive number of pixels, got {radius:g}")
    rows = (
        score_points(_predicted_points(pair.pred, args), read_points(pair.truth).yx, radius_px=radius, name=pair.name)
        for pair in pairs
    )
    return PointEvaluation(tuple(rows), radius)


def _evaluate_classes(pairs: tuple[FilePair, ...]) -> ClassEvaluation:
    rows = []
    for pair, pred, truth in _images(pairs):
        for path, image in ((pair.pred, pred), (pair.truth, truth)):
            if image.size and image.max() > MAX_CLASS_CODE:
                raise DataError(f"{path}: holds {image.max()}, more than a class code can be ({MAX_CLASS_CODE})")
        rows.append(score_classes(pred, truth, name=pair.name))
    return ClassEvaluation(tuple(rows))


def _evaluate_objects(pairs: tuple[FilePair, ...], args: argparse.Namespace) -> tuple[ObjectEvaluation, list[str]]:
    hausdorff = args.task in HAUSDORFF_TASKS if args.hausdorff is None else args.hausdorff
    rows, in_parts = [], []
    for pair, pred, truth in _images(pairs):
        labels = []
        for path, image in ((pair.pred, pred), (pair.truth, truth)):
            parts = _mask_parts(image)
            if parts is not None and args.components:
                image = parts
            elif parts is not None and parts.max() > 1:
                in_parts.append(f"{path} holds one object in {parts.max()} separate parts")
            labels.append(image)
        rows.append(score_objects(*labels, name=pair.name, hausdorff=hausdorff))
    return ObjectEvaluation(tuple(rows)), _parts_note(in_parts)


def _parts_note(in_parts: list[str]) -> list[str]:
    if not in_parts:
        return []
    more = f" (and {len(in_parts) - 1} more files like it)" if len(in_parts) > 1 else ""
    return [f"{in_parts[0]}{more}; if it is a mask of several objects, add --components"]


def _images(pairs: tuple[FilePair, ...]) -> Iterator[tuple[FilePair, NDArray[Any], NDArray[Any]]]:
    """Read one pair at a time."""
    for pair in pairs:
        if _is_table(pair.pred):
            raise DataError(f"{pair.pred}: is a table, but the truth {pair.truth} is an image; give a label image")
        pred, truth = read_label_image(pair.pred), read_label_image(pair.truth)
        if pred.shape != truth.shape:
            raise DataError(
                f"{pair.pred} has {_size(pred)} and {pair.truth} has {_size(truth)} pixels (height x width); "
                "give both at the same level and region"
            )
        yield pair, pred, truth


def _predicted_points(path: Path, args: argparse.Namespace) -> NDArray[np.float64]:
    if _is_table(path):
        return read_points(path).yx
    labels = read_label_image(path)
    parts = _mask_parts(labels) if args.components else None
    return label_centroids(labels if parts is None else parts)


def _mask_parts(labels: NDArray[Any]) -> NDArray[np.int32] | None:
    """The components of an image that holds a single value beside 0; None if it holds more."""
    largest = labels.max(initial=0)
    if largest == 0 or not ((labels == 0) | (labels == largest)).all():
        return None
    return label_components(labels != 0)[0]


def _is_table(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _size(image: NDArray[Any]) -> str:
    return f"{image.shape[0]} x {image.shape[1]}"
