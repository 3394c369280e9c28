"""The tables that `pathloop evaluate` prints for people."""

import math
from collections.abc import Callable, Sequence

from pathloop.cli._evaluation_meanings import meanings
from pathloop.cli._evaluation_report import class_rows, image_row, summary_row
from pathloop.cli._evaluation_sections import Evaluation, Row, Section, Value, sections
from pathloop.metrics import (
    FROC_RATES,
    ClassEvaluation,
    ClassScores,
    ObjectEvaluation,
    ObjectScores,
    PointEvaluation,
    PointScores,
)

__all__ = ["as_text"]

MAX_ROWS_UNASKED = 20


def as_text(
    evaluation: Evaluation,
    *,
    task: str,
    notes: Sequence[str] = (),
    per_image: bool = False,
    class_names: Sequence[str] = (),
    rates: Sequence[float] = FROC_RATES,
) -> str:
    """Aligned tables, then what their numbers mean.

    Images are listed where there are at most 20 of them or ``per_image`` asks for it. ``class_names`` are those of the
    codes 1, 2, ...; ``rates`` the false positives per image of FROC.
    """
    blocks = []
    if per_image or len(evaluation.images) <= MAX_ROWS_UNASKED:
        blocks.append(_table([_shown(row) for row in evaluation.images]))
    if isinstance(evaluation, ObjectEvaluation):
        blocks.append(_object_text(evaluation, task))
    elif isinstance(evaluation, PointEvaluation):
        blocks.append(_point_text(evaluation, task))
    else:
        blocks.append(_class_text(evaluation, task, class_names))
    more = sections(evaluation, class_names=class_names, rates=rates)
    blocks += [_SECTION_TEXTS[key](section) for key, section in more.items()]
    blocks.append(meanings(evaluation, more))
    blocks += [f"note: {note}" for note in notes]
    return "\n\n".join(blocks)


def _object_text(evaluation: ObjectEvaluation, task: str) -> str:
    numbers = summary_row(evaluation)
    text = {key: _show(value) for key, value in numbers.items()}
    empty = f", {text['n_empty_in_both']} of them empty in both and in no mean" if numbers["n_empty_in_both"] else ""
    failures = (
        f"  ({_count(numbers['conformity_failures'], 'failure')}: no pixel in common)"
        if numbers["conformity_failures"]
        else ""
    )
    lines = [
        f"{task}: {_count(numbers['n_images'], 'image')}{empty}",
        "",
        "means over images",
        f"  Dice                    {text['dice']}",
        f"  object Dice             {text['object_dice']}",
        f"  PQ                      {text['pq']}",
        f"  Jaccard                 {text['jaccard']}",
        f"  pixel precision         {text['pixel_precision']}",
        f"  pixel recall            {text['pixel_recall']}",
        f"  conformity              {text['conformity']}{failures}",
        f"  AJI                     {text['aji']}",
        f"  pixel accuracy          {text['pixel_accuracy']}",
        "pooled over images, IoU > 0.5",
        f"  F1                      {text['f1']}  (TP {text['tp']}, FP {text['fp']}, FN {text['fn']})",
        f"  precision               {text['precision']}",
        f"  recall                  {text['recall']}",
        f"  PQ = DQ x SQ            {text['pq_pooled']} = {text['dq_pooled']} x {text['sq_pooled']}",
        f"  AJI                     {text['aji_pooled']}",
        f"  pixel accuracy          {text['pixel_accuracy_pooled']}",
        "the GlaS challenge's definitions",
        f"  glas_f1                 {text['glas_f1']}",
        f"  glas_object_dice        {text['glas_object_dice']}",
    ]
    if numbers["glas_object_hausdorff_px"] is not None:
        alone = numbers["glas_objects_without_partner"]
        left_out = f"  ({alone} objects without any partner left out)" if alone else ""
        lines.append(f"  glas_object_hausdorff   {text['glas_object_hausdorff_px']} px{left_out}")
    return "\n".join(lines)


def _point_text(evaluation: PointEvaluation, task: str) -> str:
    numbers = summary_row(evaluation)
    text = {key: _show(value) for key, value in numbers.items()}
    return "\n".join(
        [
            f"{task}: {_count(numbers['n_images'], 'image')}, points matched within {evaluation.radius_px:g} px",
            "",
            "pooled over images",
            f"  F1              {text['f1']}  (TP {text['tp']}, FP {text['fp']}, FN {text['fn']})",
            f"  precision       {text['precision']}",
            f"  recall          {text['recall']}",
            f"  mean distance   {text['mean_distance_px']} px",
            "mean over images",
            f"  F1              {text['mean_f1']}",
        ]
    )


def _class_text(evaluation: ClassEvaluation, task: str, class_names: Sequence[str]) -> str:
    numbers = summary_row(evaluation)
    text = {key: _show(value) for key, value in numbers.items()}
    classes = _table([{**row, "code": f"class {row['code']}"} for row in class_rows(evaluation, class_names)])
    return "\n".join(
        [
            f"{task}: {_count(numbers['n_images'], 'image')}, {text['n_px']} pixels compared, pooled",
            "",
            *([classes, ""] if classes else []),
            f"mean Dice      {text['mean_dice']}",
            f"mean Jaccard   {text['mean_jaccard']}",
            f"mF1            {text['mf1']}",
            *([] if numbers["map"] is None else [f"mAP            {text['map']}"]),
            f"accuracy       {text['accuracy']}",
            f"coverage       {text['coverage']}  (share of the annotated pixels that have a prediction)",
        ]
    )


def _types_text(section: Section) -> str:
    lines = ["by class, a match needs the class too", "", _table(section["classes"]), ""]
    names = {"mpq": "mPQ", "mpq_plus": "mPQ+", "mf1": "mF1", "map": "mAP"}
    lines += [f"{name:<25} {_show(section[key])}" for key, name in names.items() if section[key] is not None]
    lines += [
        "pairs, whatever their classes",
        f"  accuracy                {_show(section['accuracy_matched'])}",
        f"  mF1                     {_show(section['mf1_matched'])}",
        *(_confusion_lines(section["confusion"])),
    ]
    if section["n_unknown"]:
        lines.append(f"({_count(section['n_unknown'], 'true one')} of unknown class left out, with what matches them)")
    return "\n".join(lines)


def _confusion_text(section: Section) -> str:
    return "\n".join(_confusion_lines(section))


def _confusion_lines(section: Section) -> list[str]:
    names = section["classes"]
    rows: list[Row] = [
        {"": f"  {name}", **{f"as {other}": n for other, n in zip(names, line, strict=True)}}
        for name, line in zip(names, section["matrix"], strict=True)
    ]
    return ["confusion: a row a true class, a column a predicted one", _table(rows)] if rows else []


def _scored_text(section: Section) -> str:
    froc = [
        f"  {_show(point['sensitivity'])}  at {point['false_positives_per_image']:g} false positives per image"
        for point in section["froc"]
    ]
    return "\n".join(
        [
            "by score, over all images",
            f"  AP              {_show(section['ap'])}",
            f"  FROC score      {_show(section['froc_score'])}  (mean of these sensitivities)",
            *froc,
        ]
    )


def _calibration_text(section: Section) -> str:
    return "\n".join(
        [
            f"confidences against how often they are right ({section['n']} predictions)",
            f"  ECE             {_show(section['ece'])}",
            f"  MCE             {_show(section['mce'])}",
            f"  Brier           {_show(section['brier'])}",
        ]
    )


_SECTION_TEXTS: dict[str, Callable[[Section], str]] = {
    "types": _types_text,
    "scored": _scored_text,
    "calibration": _calibration_text,
    "confusion": _confusion_text,
}


def _shown(scores: ObjectScores | PointScores | ClassScores) -> Row:
    """The columns that fit a terminal; CSV and JSON have them all."""
    row = image_row(scores)
    hidden = {"jaccard", "pixel_precision", "pixel_recall", "conformity", "dq", "sq", "glas_f1", "pixel_accuracy"}
    if isinstance(scores, ObjectScores):
        hidden |= {"precision", "recall"} | ({"glas_object_hausdorff_px"} if scores.hausdorff is None else set())
    names = {"name": "image", "glas_object_hausdorff_px": "hausdorff_px"}
    return {names.get(key, key): value for key, value in row.items() if key not in hidden}


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [columns, *([_show(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(line[at]) for line in cells) for at in range(len(columns))]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )
        for line in cells
    )


def _show(value: Value) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _count(n: Value, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
