"""An export never writes into the project that it reads, and the tissue map speaks of every tile that ran."""

from pathlib import Path

import numpy as np
import pytest
from drawn_slides import drawn_request

from pathloop.core import Message, Rect, UsageError
from pathloop.loop import ExportRequest, export, segment
from pathloop.store import Project


def test_export_into_the_project_is_refused(tmp_path: Path, slide: Path, model: Path) -> None:
    project = tmp_path / "p.pathloop"
    roi = Rect(-10, 0, 400, 300)
    request = drawn_request(slide, project, model, roi=roi)
    events = list(segment(request))
    assert any(isinstance(event, Message) and "cut to the slide" in event.text for event in events)
    before = sorted(project.rglob("*"))
    for place in (project, project / "out"):
        with pytest.raises(UsageError, match="inside the project"):
            list(export(ExportRequest(project, "csv", place)))
    assert sorted(project.rglob("*")) == before
    with Project.open(project, write=False) as opened:
        tissue = opened.tissue(opened.slides()[0].slide_id)
    assert tissue is not None
    # the region is 390 x 300 px at the model's scale: every cell that it touches has a class
    cell = tissue.cell_px[0]
    assert np.all(tissue.codes[: int(330 // cell), : int(300 // cell)] > 0)
