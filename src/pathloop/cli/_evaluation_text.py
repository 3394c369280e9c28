"""The tables that `pathloop evaluate` prints for people."""

import math
from collections.abc import Sequence

from pathloop.cli._evaluation_report import Evaluation, Row, Value, class_rows, image_row, summary_row
from pathloop.metrics import ClassEvaluation, ClassScores, ObjectEvaluation, ObjectScores, PointEvaluation, PointScores

__all__ = ["as_text"]

MAX_ROWS_UNASKED = 20


def as_text(evaluation: Evaluation, *, task: str, notes: Sequence[str] = (), per_image: bool = False) -> str:
    """Aligned tables; images are listed where there are at most 20 of them or ``per_image`` asks for it."""
    blocks = []
    if per_image or len(evaluation.images) <= MAX_ROWS_UNASKED:
        blocks.append(_table([_shown(row) for row in evaluation.images]))
    if isinstance(evaluation, ObjectEvaluation):
        blocks.append(_object_text(evaluation, task))
    elif isinstance(evaluation, PointEvaluation):
        blocks.append(_point_text(evaluation, task))
    else:
        blocks.append(_class_text(evaluation, task))
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
        "pooled over images, IoU > 0.5",
        f"  F1                      {text['f1']}  (TP {text['tp']}, FP {text['fp']}, FN {text['fn']})",
        f"  precision               {text['precision']}",
        f"  recall                  {text['recall']}",
        f"  PQ = DQ x SQ            {text['pq_pooled']} = {text['dq_pooled']} x {text['sq_pooled']}",
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


def _class_text(evaluation: ClassEvaluation, task: str) -> str:
    numbers = summary_row(evaluation)
    text = {key: _show(value) for key, value in numbers.items()}
    classes = _table([{**row, "code": f"class {row['code']}"} for row in class_rows(evaluation)])
    return "\n".join(
        [
            f"{task}: {_count(numbers['n_images'], 'image')}, {text['n_px']} pixels compared, pooled",
            "",
            *([classes, ""] if classes else []),
            f"mean Dice      {text['mean_dice']}",
            f"mean Jaccard   {text['mean_jaccard']}",
            f"accuracy       {text['accuracy']}",
            f"coverage       {text['coverage']}  (share of the annotated pixels that have a prediction)",
        ]
    )


def _shown(scores: ObjectScores | PointScores | ClassScores) -> Row:
    """The columns that fit a terminal; CSV and JSON have them all."""
    row = image_row(scores)
    hidden = {"jaccard", "pixel_precision", "pixel_recall", "conformity", "dq", "sq", "glas_f1"}
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
