"""What the long-lived worker understands."""

import dataclasses
import json

import pytest

from pathloop.core import Rect, UsageError
from pathloop.loop import SegmentJobRequest
from pathloop.worker._requests import Gentleness, Look, Order, Prepare, Quit, SegmentRun, job_of, parse_request, rect

SEGMENT = {"do": "segment", "job": 2, "slide": "a.svs", "project": "p", "slide_id": "a"}


def line(**values):
    return json.dumps(values).encode()


def test_a_run_has_the_fields_of_the_client():
    fields = {field.name: field.default for field in dataclasses.fields(SegmentJobRequest)}
    assert set(SegmentRun.model_fields) == {"do", "job", *fields}
    for name, default in fields.items():
        field = SegmentRun.model_fields[name]
        assert field.is_required() == (default is dataclasses.MISSING)
        assert field.is_required() or field.default == default


def test_every_request_is_read():
    assert parse_request(b'{"do": "prepare", "job": 1}\n') == Prepare(do="prepare", job=1)
    run = parse_request(line(**SEGMENT, region=[1, 2, 3, 4], um_per_px=1, tasks=["nuclei"]))
    assert (run.slide.name, rect(run.region), run.tasks, run.um_per_px) == ("a.svs", Rect(1, 2, 3, 4), ("nuclei",), 1.0)
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
    ],
)
def test_a_wrong_line_is_refused_in_one_line(text, job, message):
    with pytest.raises(UsageError) as refused:
        parse_request(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert job_of(text) == job
