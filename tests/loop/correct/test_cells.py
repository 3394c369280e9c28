"""Cells of the tissue map."""

import numpy as np
import pytest
from corrected_project import KEY

from pathloop.core import ClassSpec, UsageError
from pathloop.loop.correct import redo, set_cells, undo
from pathloop.store import Project, TissueCell, TissueMap


def said(project: Project) -> dict[tuple[int, int], tuple[str, int]]:
    """Corrected cells of the map as everybody sees it: class and state."""
    tissue = project.tissue("s")
    assert tissue is not None
    states = tissue.states
    if states is None:
        return {}
    return {
        (row, col): (tissue.class_names[tissue.codes[row, col] - 1], int(states[row, col]))
        for row, col in np.argwhere(states > 0).tolist()
    }


def test_cells_are_said_taken_back_and_left_to_the_model_again(project: Project) -> None:
    project.register_classes("tissue", [ClassSpec(name="tumour", color=(200, 0, 0))])
    done = set_cells(project, "s", {(0, 0): "tumour", (0, 1): " tumour", (3, 4): "necrosis"}, who="me")
    assert done is not None
    assert (done.entry.tool, done.entry.summary) == ("tissue", "2 cells tumour, 1 cell necrosis")
    assert said(project) == {(0, 0): ("tumour", 1), (0, 1): ("tumour", 1), (3, 4): ("necrosis", 1)}
    tissue = project.tissue("s")
    assert tissue is not None
    assert tissue.class_names == ("stroma", "tumour", "necrosis")
    assert tissue.class_colors[:2] == ((9, 9, 9), (200, 0, 0))
    assert project.predicted_tissue("s").codes.max() == 1  # type: ignore[union-attr]
    assert set_cells(project, "s", {(0, 0): "tumour"}) is None
    set_cells(project, "s", {(0, 0): None, (0, 1): "stroma"}, state="accepted")
    assert said(project) == {(0, 1): ("stroma", 2), (3, 4): ("necrosis", 1)}
    undo(project, "s")
    undo(project, "s")
    assert said(project) == {}
    redo(project, "s")
    assert project.tissue_cells("s")[3, 4] == TissueCell("necrosis")


def test_wrong_cells_are_refused(project: Project) -> None:
    for cell in ((11, 0), (0, 12), (-1, 0)):
        with pytest.raises(UsageError, match="the tissue map has 11 x 12 cells, none at row"):
            set_cells(project, "s", {cell: "tumour"})
    with pytest.raises(UsageError, match="edited or accepted, not 'predicted'"):
        set_cells(project, "s", {(0, 0): "tumour"}, state="predicted")
    with pytest.raises(UsageError, match="needs a name"):
        set_cells(project, "s", {(0, 0): " "})
    assert said(project) == {}


def test_a_later_map_in_another_grid_leaves_corrected_cells_where_they_are(project: Project) -> None:
    set_cells(project, "s", {(2, 3): "tumour"})
    codes = np.full((22, 24), 2, np.uint8)
    codes[:, :12] = 1
    project.write_tissue("s", TissueMap(codes, ("a", "b"), ((1, 1, 1), (2, 2, 2)), (50.0, 50.0), (0.0, 0.0), KEY))
    tissue = project.tissue("s")
    assert tissue is not None
    assert (tissue.codes.shape, tissue.cell_px) == ((11, 12), (100.0, 100.0))
    assert [tissue.class_names[code - 1] for code in tissue.codes[2, [2, 3, 5, 6]]] == ["a", "tumour", "a", "b"]
    # and cells are counted in the grid that everybody sees, also when nothing is said of any more
    set_cells(project, "s", {(10, 11): "tumour"})
    assert said(project) == {(2, 3): ("tumour", 1), (10, 11): ("tumour", 1)}
    set_cells(project, "s", {(2, 3): None, (10, 11): None})
    assert project.tissue("s").codes.shape == (11, 12)  # type: ignore[union-attr]
    with pytest.raises(UsageError, match="corrected in another grid"):
        project.set_tissue_grid("s", (50.0, 50.0), (0.0, 0.0))


def test_a_slide_without_a_map_needs_a_grid_first(project: Project) -> None:
    other = project.add_slide(
        __import__("pathlib").Path("t.tif"), fingerprint="g", shape=(250, 90), um_per_px_y=1, um_per_px_x=1, reader="x"
    ).slide_id
    with pytest.raises(UsageError, match="slide 't' has no tissue map yet"):
        set_cells(project, other, {(0, 0): "tumour"})
    project.set_tissue_grid(other, (100.0, 100.0), (0.0, 0.0))
    with pytest.raises(UsageError, match="has 3 x 1 cells"):
        set_cells(project, other, {(0, 1): "tumour"})
    set_cells(project, other, {(2, 0): "tumour"})
    tissue = project.tissue(other)
    assert tissue is not None
    assert tissue.codes.tolist() == [[0], [0], [1]]
    undo(project, other)
    assert project.tissue(other) is None
