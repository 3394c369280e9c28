"""``pathloop log``."""

import argparse
import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pathloop.cli._options import Subparsers
from pathloop.core import UsageError
from pathloop.store import Change, JournalEntry, ObjectChange, ObjectRow, Project, named

EPILOG = """\
Every stroke, acceptance, import, merge and run is one line; an undo is a line as well, for the journal only grows.
The last column names the models whose predictions were changed. The project is only read, also while napari has it
open.

JSON (--json): one object a line, oldest first; keys in docs/reference/json.md.

examples:
  pathloop log study.pathloop --last 20
  pathloop log study.pathloop --who bo --slide B-12
  pathloop log study.pathloop --objects --json > journal.jsonl
"""


def add_parser(commands: Subparsers) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "log",
        help="say who changed what, when and with which tool",
        description="The journal of a project: who, when, which tool, what, and which model's prediction it was.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("project", type=Path, metavar="PROJECT")
    parser.add_argument("--slide", metavar="ID", help="only this slide of the project")
    parser.add_argument("--last", type=int, metavar="N", help="only the last N lines")
    parser.add_argument("--who", metavar="NAME", help="only what this person did")
    parser.add_argument("--objects", action="store_true", help="also every object, cell, region and question")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.last is not None and options.last < 1:
        raise UsageError(f"--last needs a number of at least 1, got {options.last}")
    with Project.open(options.project, write=False) as project:
        if options.slide is not None:
            project.slide(options.slide)
        entries: Iterable[JournalEntry] = project.journal(options.slide)
        if options.who is not None:
            entries = (one for one in entries if one.who.casefold() == options.who.casefold())
        if options.last is not None:
            entries = deque(entries, maxlen=options.last)
        if options.json:
            for entry in entries:
                print(json.dumps(_values(project, entry, with_objects=options.objects), ensure_ascii=False))
        else:
            _print_table(project, list(entries), with_objects=options.objects)
    return 0


def _values(project: Project, entry: JournalEntry, *, with_objects: bool) -> dict[str, Any]:
    values = asdict(entry) | {"models": list(entry.models)}
    if not with_objects:
        return values
    change = project.journal_change(entry.number)
    return values | {
        "objects": [
            {
                "task": one.task,
                "id": one.id,
                "uuid": str(project.object_uuid(entry.slide_id, one.task, one.id)),
                "before": _row_values(project, one.task, one.before),
                "after": _row_values(project, one.task, one.after),
            }
            for one in change.objects
        ],
        "cells": [
            {
                "row": one.row,
                "col": one.col,
                "before": None if one.before is None else asdict(one.before),
                "after": None if one.after is None else asdict(one.after),
            }
            for one in change.cells
        ],
        "regions": [one.id for one in change.regions],
        "flags": [
            {
                "task": one.task,
                "id": one.id,
                "before": one.before.comment if one.before else None,
                "after": one.after.comment if one.after else None,
            }
            for one in change.flags
        ],
    }


def _row_values(project: Project, task: str, row: ObjectRow | None) -> dict[str, Any] | None:
    if row is None:
        return None
    top, left, bottom, right = row.box
    return {
        "rect": [top, left, bottom - top, right - left],
        "area_px": row.area_px,
        "class": project.classes(task)[row.class_code - 1].name if row.class_code else None,
        "state": row.state,
        "locked": row.locked,
    }


def _print_table(project: Project, entries: list[JournalEntry], *, with_objects: bool) -> None:
    if not entries:
        print("the journal has no such line" if any(True for _ in project.journal()) else "the journal is empty")
        return
    head = ("no", "when (UTC)", "who", "slide", "tool", "what", "predicted by")
    rows = [head, *(_row(entry) for entry in entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    for number, row in enumerate(rows):
        cells = [row[0].rjust(widths[0]), *(cell.ljust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        print("  ".join(cells).rstrip())
        if with_objects and number:
            for line in _lines(project, project.journal_change(entries[number - 1].number)):
                print(" " * (widths[0] + 2) + line)


def _row(entry: JournalEntry) -> tuple[str, ...]:
    what = entry.summary if entry.target is None else f"{entry.kind} of {entry.target}: {entry.summary}"
    when = entry.at[:19].replace("T", " ")
    return str(entry.number), when, entry.who, entry.slide_id, entry.tool, what, ", ".join(entry.models) or "-"


def _lines(project: Project, change: Change) -> Iterator[str]:
    """One line an object, cell, region and question."""
    for one in change.objects:
        yield f"{named(one.task, one.id)}: {_difference(project, one)}"
    for cell in change.cells:
        before, after = (said.class_name if said else "as predicted" for said in (cell.before, cell.after))
        yield f"tissue cell in row {cell.row}, column {cell.col}: {before} -> {after}"
    for region in change.regions:
        verb = "added" if region.before is None else "removed" if region.after is None else "changed"
        yield f"region {region.id}: {verb}"
    for flag in change.flags:
        words = "answered" if flag.after is None else f"asked: {flag.after.comment}"
        yield f"{named(flag.task, flag.id)}: {words}"


def _difference(project: Project, one: ObjectChange) -> str:
    if one.before is None:
        assert one.after is not None
        return f"added, {one.after.area_px:,} px"
    if one.after is None:
        return f"deleted, {one.before.area_px:,} px"
    before, after = (_row_values(project, one.task, row) for row in (one.before, one.after))
    assert before is not None
    assert after is not None
    parts = []
    if before["area_px"] != after["area_px"]:
        parts.append(f"{before['area_px']:,} -> {after['area_px']:,} px")
    elif before["rect"] != after["rect"]:
        parts.append("moved")
    for key, name in (("class", "class "), ("state", "")):
        if before[key] != after[key]:
            parts.append(f"{name}{before[key] or 'none'} -> {after[key] or 'none'}")
    if before["locked"] != after["locked"]:
        parts.append("locked" if after["locked"] else "unlocked")
    return ", ".join(parts) or "outline changed"
