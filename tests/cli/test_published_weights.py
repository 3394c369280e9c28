"""The published Cerberus weights, from the downloaded file to typed objects and nine tissue classes in exports."""

import csv
import json
import re

import pytest
import torch
from command_runs import call
from published_cerberus import PublishedCerberus, settled, write_published

from pathloop.core import Rect
from pathloop.loop import SegmentRequest, segment
from pathloop.networks import find_model, read_card
from pathloop.slides import open_slide
from pathloop.store import Project
from pathloop.synth import write_slide

pytestmark = pytest.mark.slow

NUCLEI = ["neutrophil", "epithelial", "lymphocyte", "plasma", "eosinophil", "connective"]


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """A slide, a download of random weights that see glands and all types of nuclei, an own models folder."""
    folder = tmp_path_factory.mktemp("published")
    write_slide(folder / "colon.tif", (144, 144), seed=5)
    network = settled(PublishedCerberus())
    with open_slide(folder / "colon.tif") as slide:
        pixels = torch.from_numpy(slide.read(Rect(0, 0, 144, 144), 0.5)).permute(2, 0, 1)[None].float()
    with torch.no_grad():
        logits = network(pixels)
        for task, kind in (("Nuclei", "INST"), ("Nuclei#TYPE", "TYPE")):
            last, spread = network.output_head[task][kind].x[-1], 4 / logits[task].std()
            last.bias.copy_(spread * (last.bias - logits[task].mean(dim=(0, 2, 3))))
            last.weight *= spread
        network.output_head["Gland"]["INST"].x[-1].bias.copy_(torch.tensor([0.0, 30.0, 0.0]))
    write_published(folder / "weights.tar", network)
    (folder / "settings.yml").write_text("not: needed\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATHLOOP_CONFIG", str(folder / "config"))
        yield folder


def test_the_licence_is_shown_kept_and_marked_wherever_models_are_listed(added, capsys):
    assert call("models", "add", added / "weights.tar") == 0
    said = capsys.readouterr().out
    assert "licence of these weights: CC BY-NC-SA 4.0" in said
    assert "Graham et al. 2023" in said
    assert "--model cerberus" in said
    assert read_card(find_model("cerberus")).licence == "CC BY-NC-SA 4.0"
    assert call("models") == 0
    listed = capsys.readouterr().out
    assert re.search(r"^cerberus +.*\[research only, CC BY-NC-SA 4\.0\]$", listed, re.MULTILINE)
    assert listed.count("research only") == 1
    assert call("models", "--json") == 0
    rows = {row["name"]: row["licence"] for row in json.loads(capsys.readouterr().out)["models"]}
    assert rows == {"fast": "CC BY 4.0", "cerberus": "CC BY-NC-SA 4.0"}
    assert call("models", "cerberus") == 0
    assert "licence   CC BY-NC-SA 4.0 (research only)" in capsys.readouterr().out
    # the folder that they came in means the same
    assert call("models", "add", added) == 0
    assert "added as 'cerberus'" in capsys.readouterr().out
    # what is taken along elsewhere keeps it
    assert call("models", "export", "cerberus", added / "stick") == 0
    assert read_card(added / "stick").is_research_only


@pytest.mark.parametrize(("tile_px", "patchwise"), [(432, False), (448, True)])
def test_types_and_tissue_classes_come_out(added, tmp_path, tile_px, patchwise):
    if not (added / "config").exists():
        assert call("models", "add", added / "weights.tar") == 0
    request = SegmentRequest(
        slides=(added / "colon.tif",),
        project=tmp_path / "p",
        model="cerberus",
        use_tissue_mask=False,
        tile_px=tile_px,
        patchwise=patchwise,
        # converting a network of this size for the other engine takes half a minute
        device="cpu",
        engine="torch",
    )
    list(segment(request))
    with Project.open(tmp_path / "p", write=False) as project:
        (slide,) = project.slides()
        tissue = project.tissue(slide.slide_id)
        assert set(project.tasks(slide.slide_id)) == {"nuclei", "gland", "lumen"}
        assert len(tissue.class_names) == 9
        assert tissue.codes.shape == (1, 1)
        assert tissue.cell_px == (144, 144)
    for kind in ("csv", "geojson"):
        assert call("export", tmp_path / "p", "--format", kind, "-o", tmp_path / kind) == 0
    with (tmp_path / "csv" / "colon_objects.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    nuclei = [row["class"] for row in rows if row["task"] == "nuclei"]
    assert len(nuclei) > 5
    assert set(nuclei) <= {*NUCLEI, ""}
    assert len({*nuclei} - {""}) > 1
    assert {row["class"] for row in rows if row["task"] == "gland"} <= {"gland", "surface_epithelium", ""}
    assert any(row["task"] == "gland" for row in rows)
    names = {
        feature["properties"]["classification"]["name"]
        for path in (tmp_path / "geojson").rglob("*.geojson")
        for feature in json.loads(path.read_text())["features"]
        if "classification" in feature["properties"]
    }
    assert names & set(NUCLEI)


def test_patchwise_is_for_the_published_design(added, tmp_path, capsys):
    assert call("segment", added / "colon.tif", "-o", tmp_path / "p", "--model", "fast", "--patchwise") == 2
    assert "'fast' cannot be run patchwise" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_wrong_files_are_named_in_one_line(added, capsys):
    (added / "notes.txt").write_text("not weights")
    assert call("models", "add", added / "notes.txt") == 1
    said = capsys.readouterr().err
    assert "notes.txt" in said
    assert len(said.strip().splitlines()) == 1
    assert call("models", "add", added / "weights.tar", "--name", "a b") == 2
