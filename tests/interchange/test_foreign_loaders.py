"""Exports opened by the tools that they are for, where those are installed; the other tests need none of them."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn_features import crop, table_of
from drawn_regions import discs, drawn_region, ids_of

from pathloop.core import Scale
from pathloop.interchange import TrainingOptions, write_labels_zarr, write_training_set

pytestmark = pytest.mark.slow
REGIONS = [drawn_region(n, shape=(200, 260)) for n in range(7)]

PYCOCOTOOLS = """
from pycocotools import mask
from pycocotools.coco import COCO
coco = COCO(folder + "/nuclei/annotations.json")
out = {}
for one in coco.anns.values():
    found = coco.annToMask(one)
    assert int(found.sum()) == one["area"]
    assert mask.toBbox(coco.annToRLE(one)).tolist() == one["bbox"]
    image = coco.imgs[one["image_id"]]
    key = image["file_name"]
    if key not in out:
        out[key] = np.zeros(found.shape, int)
    out[key][found > 0] = one["project_id"]
result = {key: int((value * weights(value.shape)).sum()) for key, value in out.items()}
"""
CELLPOSE = """
from cellpose import io
images, labels, names, more_images, more_labels, more_names = io.load_train_test_data(
    folder + "/nuclei/train", folder + "/nuclei/val", mask_filter="_masks")
pairs = zip([*names, *more_names], [*images, *more_images], [*labels, *more_labels])
result = {}
for name, image, label in pairs:
    assert image.shape == (*label.shape, 3), image.shape
    result[os.path.basename(name)] = int((label.astype(int) * weights(label.shape)).sum())
"""
STARDIST = """
from pathlib import Path
from stardist import edt_prob, fill_label_holes, star_dist
from stardist.matching import label_are_sequential, matching
from tifffile import imread
result = {}
for path in sorted(Path(folder).glob("nuclei/*/masks/*.tif")):
    label, image = imread(path), imread(path.parent.parent / "images" / path.name)
    assert label_are_sequential(label) and image.shape == (*label.shape, 3)
    assert fill_label_holes(label).shape == label.shape
    assert star_dist(label, 32, mode="cpp").shape == (*label.shape, 32)
    assert 0 <= edt_prob(label).min() <= edt_prob(label).max() == 1
    assert matching(label, label).f1 == 1
    result[path.name] = int((label.astype(int) * weights(label.shape)).sum())
"""
NNUNET = """
os.environ.setdefault("nnUNet_raw", folder)
from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity
from nnunetv2.imageio.natural_image_reader_writer import NaturalImage2DIO
if __name__ == "__main__":
    result = {}
    for name in sorted(os.listdir(folder)):
        if name.startswith("Dataset"):
            verify_dataset_integrity(os.path.join(folder, name), num_processes=1)
            cases = sorted(os.listdir(os.path.join(folder, name, "labelsTr")))
            label, _ = NaturalImage2DIO().read_seg(os.path.join(folder, name, "labelsTr", cases[0]))
            result[name] = [len(cases), int(label.max())]
"""
OME_ZARR = """
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader
nodes = [node for node in Reader(parse_url(folder))() if node.data]
result = {node.metadata["name"]: [list(node.data[0].shape), len(node.data), int(np.asarray(node.data[0]).max())]
          for node in nodes}
"""
OME_MODELS = """
import zarr
from ome_zarr_models.v05.image import Image
from ome_zarr_models.v05.labels import Labels
group = zarr.open_group(folder, mode="r")
assert Image.from_zarr(group).labels.label_paths == Labels.from_zarr(group["labels"]).label_paths
result = sorted(Labels.from_zarr(group["labels"]).label_paths)
"""
NAPARI_OME_ZARR = """
import contextlib, io
from napari.components import ViewerModel
from napari_ome_zarr import napari_get_reader
viewer = ViewerModel()
with contextlib.redirect_stdout(io.StringIO()):
    layers = napari_get_reader(folder)(folder)
for data, meta, kind in layers:
    viewer._add_layer_from_data(data, meta, kind)
result = {}
for layer in viewer.layers:
    if type(layer).__name__ == "Labels":
        result[layer.name.split("/")[-1]] = [list(layer.data[0].shape), layer.scale.tolist(), str(layer.units[0]),
                                             int(np.asarray(layer.data[0]).max())]
result["images"] = sum(type(layer).__name__ == "Image" for layer in viewer.layers)
"""
FRAME = """
import json, os, sys
import numpy as np
folder = sys.argv[1]
def weights(shape):
    return np.arange(1, shape[0] * shape[1] + 1).reshape(shape) % 1009
{code}
if __name__ == "__main__":
    with open(sys.argv[2], "w") as stream:
        json.dump(result, stream)
"""


def weighed(labels: np.ndarray) -> int:
    """A sum that differs wherever labels differ in value or place; the foreign side computes the same."""
    places = np.arange(1, labels.size + 1).reshape(labels.shape) % 1009
    return int((labels.astype(np.int64) * places).sum())


def numbered(labels: np.ndarray) -> np.ndarray:
    return np.searchsorted([0, *ids_of(labels)], labels)


def opened_by(tool: str, code: str, folder: Path, tmp_path: Path) -> Any:
    """What the tool's own loader finds, in a process of its own: its warnings are not ours."""
    if importlib.util.find_spec(tool) is None:
        pytest.skip(f"{tool} is not installed; its format is checked by rules of our own elsewhere")
    script, result = tmp_path / "load.py", tmp_path / "result.json"
    script.write_text(FRAME.format(code=code), encoding="utf-8")
    command = [sys.executable, "-W", "ignore", str(script), str(folder), str(result)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip(f"{tool} is installed in part: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(result.read_text(encoding="utf-8"))


def pieces(folder: Path, ending: str) -> dict[str, np.ndarray]:
    """File name -> labels of the rectangle of the region, by the manifest."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    by_name = {region.name: region for region in REGIONS}
    found = {}
    for row in manifest["regions"]:
        for one in row["images"]:
            if one["task"] == "nuclei":
                top, left, height, width = one["rect"]
                labels = by_name[row["name"]].tasks["nuclei"].labels[top : top + height, left : left + width]
                found[one["file"] + ending] = (row["split"], labels)
    return found


@pytest.mark.parametrize("kind", ["rle", "polygon"])
def test_coco(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "set"
    write_training_set(folder, REGIONS, flavour="coco", options=TrainingOptions(coco_segmentation=kind))
    found = opened_by("pycocotools", PYCOCOTOOLS, folder, tmp_path)
    assert found == {name: weighed(labels) for name, (_, labels) in pieces(folder, ".png").items()}


def test_cellpose(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_training_set(folder, REGIONS, flavour="cellpose")
    found = opened_by("cellpose", CELLPOSE, folder, tmp_path)
    wanted = {name: labels for name, (split, labels) in pieces(folder, ".png").items() if split != "test"}
    assert found == {name: weighed(numbered(labels)) for name, labels in wanted.items()}


def test_stardist(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_training_set(folder, REGIONS, flavour="stardist")
    found = opened_by("stardist", STARDIST, folder, tmp_path)
    assert found == {name: weighed(numbered(labels)) for name, (_, labels) in pieces(folder, ".tif").items()}


def test_nnunet(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    write_training_set(folder, REGIONS, flavour="nnunet")
    found = opened_by("nnunetv2", NNUNET, folder, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    n_cases = sum(row["split"] != "test" for row in manifest["regions"])
    # gland: gland, boundary; nuclei: two classes, boundary, ignore; tissue: three classes beside background, ignore
    assert found == {
        "Dataset501_gland": [n_cases, 2],
        "Dataset502_nuclei": [n_cases, 4],
        "Dataset503_tissue": [n_cases, 4],
    }


@pytest.fixture
def ome_zarr(tmp_path: Path) -> tuple[Path, np.ndarray]:
    labels = discs((900, 1300), 50, np.random.default_rng(1), (5, 50))
    path = tmp_path / "slide.ome.zarr"
    picture = np.full((90, 130, 3), 200, np.uint8)
    layers = {"nuclei": crop(labels), "gland": crop(labels)}
    objects = {"nuclei": table_of(labels)}
    write_labels_zarr(
        path, layers, shape=labels.shape, um_per_px=Scale(0.25, 0.5), picture=picture, objects=objects, origin=(10, 20)
    )
    return path, labels


def test_ome_zarr_reader(ome_zarr: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    path, labels = ome_zarr
    found = opened_by("ome_zarr", OME_ZARR, path, tmp_path)
    layer = [[900, 1300], 4, int(labels.max())]
    assert found == {"picture": [[3, 90, 130], 4, 200], "nuclei": layer, "gland": layer}


def test_ome_zarr_models(ome_zarr: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    assert opened_by("ome_zarr_models", OME_MODELS, ome_zarr[0], tmp_path) == ["gland", "nuclei"]


def test_napari_ome_zarr(ome_zarr: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    path, labels = ome_zarr
    found = opened_by("napari_ome_zarr", NAPARI_OME_ZARR, path, tmp_path)
    layer = [[900, 1300], [0.25, 0.5], "micrometer", int(labels.max())]
    assert found == {"nuclei": layer, "gland": layer, "images": 3}
