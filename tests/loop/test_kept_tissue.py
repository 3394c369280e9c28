"""The tissue map of a run: what a person has seen stays."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "correct"))

from corrected_project import make

from pathloop.core import ClassSpec, Rect
from pathloop.loop._maps import CellMap, RunMaps, write_maps
from pathloop.loop.correct import accept_region, add_regions
from pathloop.store import Region

CLASSES = (ClassSpec(name="tumour", color=(1, 1, 1)), ClassSpec(name="stroma", color=(9, 9, 9)))


def test_cells_of_regions_that_are_done_for_tissue_stay(tmp_path):
    """Cells of 100 px, all of them stroma; a second model says tumour everywhere, in cells of 50 px."""
    with make(tmp_path / "p.pathloop") as project:
        project.set_tissue_grid("s", (100.0, 100.0), (0.0, 0.0))
        places = [Region(0, "s", Rect(200, 300, 200, 100), states={"tissue": "todo"}) for _ in range(2)]
        add_regions(project, "s", [places[0], Region(0, "s", Rect(600, 600, 100, 100), states={"tissue": "todo"})])
        accept_region(project, 1)
        values = np.ones((22, 24), np.uint8)
        write_maps(project, "s", "b" * 64, RunMaps(CellMap(values, values > 0, (50.0, 50.0)), CLASSES, None))
        found = project.predicted_tissue("s")
        names = np.array(["", *found.class_names])[found.codes]
    wanted = np.full((22, 24), "tumour", dtype=names.dtype)
    wanted[4:8, 6:8] = "stroma"
    assert (names == wanted).all()
