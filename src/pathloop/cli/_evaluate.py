"""`pathloop evaluate`: any label images against their truths."""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pathloop.cli._evaluation_options import DESCRIPTION, EPILOG, add_options
from pathloop.cli._evaluation_report import as_csv, as_json
from pathloop.cli._evaluation_sections import Evaluation
from pathloop.cli._evaluation_text import as_text
from pathloop.cli._evaluation_typed import (
    class_files,
    missing_confidences,
    with_object_classes,
    with_point_classes,
    without_unknown_types,
)
from pathloop.core import DataError, UsageError, write_text
from pathloop.interchange import (
    FilePair,
    PointTable,
    files_beside,
    pair_files,
    read_confidence,
    read_label_image,
    read_points,
    read_probabilities,
)
from pathloop.metrics import (
    DEFAULT_RADIUS_PX,
    ClassEvaluation,
    ClassScores,
    ObjectEvaluation,
    PointEvaluation,
    label_centroids,
    score_classes,
    score_objects,
    score_points,
)
from pathloop.rasters import label_components, overlap_table

__all__ = ["add_parser", "run"]

CLASS_TASK = "tissue"
# The challenge that defined the object Hausdorff distance is about glands; for 100,000 nuclei it takes minutes.
HAUSDORFF_TASKS = ("gland", "lumen")
MAX_CLASS_CODE = 255


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the sub-command to ``subparsers`` (what ``ArgumentParser.add_subparsers`` returns)."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "evaluate",
        help="score label images against truths",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
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
    if not all(np.isfinite(rate) and rate >= 0 for rate in args.false_positives):
        raise UsageError("--false-positives takes numbers of false positives per image, 0 or more")
    pairs = pair_files(args.pred, args.truth, task=args.task)
    evaluation, notes = _evaluate(pairs, args)
    if args.csv is not None:
        write_text(args.csv, as_csv(evaluation))
    how = {"task": args.task, "notes": notes, "class_names": args.class_names, "rates": args.false_positives}
    print(as_json(evaluation, **how) if args.json else as_text(evaluation, **how, per_image=args.per_image))
    return 0


def _evaluate(pairs: tuple[FilePair, ...], args: argparse.Namespace) -> tuple[Evaluation, list[str]]:
    tables = [pair for pair in pairs if _is_table(pair.truth)]
    _check_options(args, points=bool(tables))
    if tables and len(tables) < len(pairs):
        other = next(pair for pair in pairs if not _is_table(pair.truth))
        raise DataError(f"{tables[0].truth} is a point table, {other.truth} is not; evaluate them apart")
    if tables:
        return _evaluate_points(pairs, args)
    if args.radius is not None:
        raise UsageError(f"--radius is for truths that are point tables (.csv); {pairs[0].truth} is an image")
    if args.task == CLASS_TASK:
        return _evaluate_classes(pairs, args), []
    return _evaluate_objects(pairs, args)


def _check_options(args: argparse.Namespace, *, points: bool) -> None:
    """Refuse files that would go unused."""
    tissue = args.task == CLASS_TASK
    for name in ("confidence", "probabilities"):
        if getattr(args, name) is not None and (points or not tissue):
            raise UsageError(
                f"--{name} is for task {CLASS_TASK}; confidences of objects are a column of --pred-classes, "
                "those of points a column of their table"
            )
    if (args.pred_classes is not None or args.truth_classes is not None) and (points or tissue):
        raise UsageError(
            "--pred-classes and --truth-classes are for label images of objects; points have a column type, "
            f"and images of task {CLASS_TASK} are class codes themselves"
        )


def _check_components(files: Iterable[Path | None], args: argparse.Namespace) -> None:
    """Refuse tables by id for objects that get new ids."""
    table = next((path for path in files if path is not None and _is_table(path)), None)
    if args.components and table is not None:
        raise UsageError(f"{table}: a table by id, but --components numbers objects anew; give images of class codes")


def _evaluate_points(pairs: tuple[FilePair, ...], args: argparse.Namespace) -> tuple[PointEvaluation, list[str]]:
    if args.task == CLASS_TASK:
        raise UsageError(f"task {CLASS_TASK} has no objects to match with points; give images of class codes")
    radius = DEFAULT_RADIUS_PX if args.radius is None else args.radius
    if not (np.isfinite(radius) and radius > 0):
        raise UsageError(f"--radius must be a positive number of pixels, got {radius:g}")
    rows, typed = [], [False, False]
    for pair in pairs:
        pred, truth = _predicted_points(pair.pred, args), read_points(pair.truth)
        scores = score_points(pred.yx, truth.yx, radius_px=radius, name=pair.name)
        rows.append(with_point_classes(scores, pred, truth, radius))
        typed = [known or any(table.types) for known, table in zip(typed, (pred, truth), strict=True)]
    return PointEvaluation(without_unknown_types(rows, known=all(typed)), radius), missing_confidences(rows)


def _evaluate_classes(pairs: tuple[FilePair, ...], args: argparse.Namespace) -> ClassEvaluation:
    sure_files = _files_of_codes(args.confidence, pairs, "confidence")
    likely_files = _files_of_codes(args.probabilities, pairs, "probabilities")
    rows: list[ClassScores] = []
    for (pair, pred, truth), sure, likely in zip(_images(pairs), sure_files, likely_files, strict=True):
        for path, image in ((pair.pred, pred), (pair.truth, truth)):
            if image.size and image.max() > MAX_CLASS_CODE:
                raise DataError(f"{path}: holds {image.max()}, more than a class code can be ({MAX_CLASS_CODE})")
        confidence = None if sure is None else read_confidence(sure)
        if confidence is not None and confidence.shape != pred.shape:
            raise DataError(f"{sure} has {_size(confidence)} and {pair.pred} has {_size(pred)} pixels (height x width)")
        probabilities = None if likely is None else read_probabilities(likely, (pred.shape[0], pred.shape[1]))
        if probabilities is not None and truth.max(initial=0) > len(probabilities):
            raise DataError(f"{likely}: has {len(probabilities)} channels, but {pair.truth} holds class {truth.max()}")
        before = rows[0].scores if rows else None
        if before is not None and probabilities is not None and before.n_classes != len(probabilities):
            raise DataError(f"{likely}: has {len(probabilities)} channels, others have {before.n_classes}")
        rows.append(score_classes(pred, truth, name=pair.name, confidence=confidence, probabilities=probabilities))
    return ClassEvaluation(tuple(rows))


def _files_of_codes(paths: list[Path] | None, pairs: tuple[FilePair, ...], name: str) -> tuple[Path | None, ...]:
    if paths is None:
        return (None,) * len(pairs)
    return files_beside(paths, pairs, option=f"--{name}", endings=(name, CLASS_TASK))


def _evaluate_objects(pairs: tuple[FilePair, ...], args: argparse.Namespace) -> tuple[ObjectEvaluation, list[str]]:
    hausdorff = args.task in HAUSDORFF_TASKS if args.hausdorff is None else args.hausdorff
    rows, in_parts = [], []
    for (pair, pred, truth), files in zip(_images(pairs), class_files(pairs, args), strict=True):
        labels = []
        for path, image in ((pair.pred, pred), (pair.truth, truth)):
            parts = _mask_parts(image)
            if parts is not None and args.components:
                image = parts
            elif parts is not None and parts.max() > 1:
                in_parts.append(f"{path} holds one object in {parts.max()} separate parts")
            labels.append(image)
        table = overlap_table(*labels)
        scores = score_objects(*labels, name=pair.name, hausdorff=hausdorff, table=table)
        if files is not None:
            _check_components((files.pred, files.truth), args)
            scores = with_object_classes(scores, files, (labels[0], labels[1]), table, args)
        rows.append(scores)
    return ObjectEvaluation(tuple(rows)), [*_parts_note(in_parts), *missing_confidences(rows)]


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


def _predicted_points(path: Path, args: argparse.Namespace) -> PointTable:
    if _is_table(path):
        return read_points(path)
    labels = read_label_image(path)
    parts = _mask_parts(labels) if args.components else None
    centres = label_centroids(labels if parts is None else parts)
    return PointTable(centres, ("",) * len(centres))


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
