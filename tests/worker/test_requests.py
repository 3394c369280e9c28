"""What the long-lived worker understands."""

import dataclasses
import json

import pytest

from pathloop.core import Rect, UsageError
from pathloop.loop import MapsRequest, SegmentJobRequest
from pathloop.worker._requests import (
    Gentleness,
    Look,
    Maps,
    Order,
    Prepare,
    Quit,
    SegmentRun,
    job_of,
    parse_request,
    rect,
)

MAPS = {"do": "maps", "job": 5, "slide": "a.svs", "rect": [1, 2, 3, 4], "folder": "f"}
SEGMENT = {"do": "segment", "job": 2, "slide": "a.svs", "project": "p", "slide_id": "a"}


def line(**values):
    return json.dumps(values).encode()


@pytest.mark.parametrize(("read", "asked"), [(SegmentRun, SegmentJobRequest), (Maps, MapsRequest)])
def test_a_request_has_the_fields_of_the_client(read, asked):
    fields = {field.name: field.default for field in dataclasses.fields(asked)}
    assert set(read.model_fields) == {"do", "job", *fields}
    for name, default in fields.items():
        field = read.model_fields[name]
        assert field.is_required() == (default is dataclasses.MISSING)
        assert field.is_required() or field.default == default


def test_every_request_is_read():
    assert parse_request(b'{"do": "prepare", "job": 1}\n') == Prepare(do="prepare", job=1)
    run = parse_request(line(**SEGMENT, region=[1, 2, 3, 4], um_per_px=1, tasks=["nuclei"]))
    assert (run.slide.name, rect(run.region), run.tasks, run.um_per_px) == ("a.svs", Rect(1, 2, 3, 4), ("nuclei",), 1.0)
    maps = parse_request(line(**MAPS, first=[0, 0, 9, 9], tasks=["gland"]))
    assert (maps.rect, rect(maps.first), maps.folder.name) == ((1, 2, 3, 4), Rect(0, 0, 9, 9), "f")
    assert parse_request(line(do="look", view=None)) == Look(do="look", view=None)
    for do in ("pause", "resume", "cancel"):
        assert parse_request(line(do=do, job=3)) == Order(do=do, job=3)
    assert parse_request(line(do="gentle", on=True)) == Gentleness(do="gentle", on=True)
    assert parse_request(line(do="quit")) == Quit(do="quit")


@pytest.mark.parametrize(
    ("text", "job", "message"),
    [
        (b"dance\n", 0, "Invalid JSON"),
        (b"\xff\n", 0, "request: "),
        (b"[1]", 0, "request: "),
        (line(job=4), 4, "'do'"),
        (line(do="dance", job=4), 4, "'dance'"),
        (line(do="pause", job="x"), 0, "job: Input should be a valid integer"),
        (line(do="look", view=[1, 2, 3]), 0, "look.view"),
        (line(do="look", view=[1, 2, -3, 4]), 0, "at least 0"),
        (line(do="gentle", on=1), 0, "on: Input should be a valid boolean"),
        (line(do="segment", job=7, slide="a.svs"), 7, "project: Field required; segment.slide_id: Field required"),
        (line(**SEGMENT, colour=1), 2, "colour: Extra inputs are not permitted"),
        (line(**SEGMENT, live=True, region=[0, 0, 5, 5]), 2, "takes no region"),
        (line(**SEGMENT | {"slide_id": "../a"}), 2, "slide_id: "),
        (line(do="maps", job=5, slide="a.svs", folder="f"), 5, "maps.rect: Field required"),
        (line(**MAPS | {"rect": None}), 5, "maps.rect"),
        (line(**MAPS, first=[0, 0, 5]), 5, "maps.first"),
        (line(**MAPS | {"rect": [0, 0, -1, 5]}), 5, "at least 0"),
        (line(**MAPS, live=True), 5, "live: Extra inputs are not permitted"),
    ],
)
def test_a_wrong_line_is_refused_in_one_line(text, job, message):
    with pytest.raises(UsageError) as refused:
        parse_request(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert job_of(text) == job
