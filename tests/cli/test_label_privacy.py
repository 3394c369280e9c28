"""A slide whose label shows a name: no command shows, logs or exports label or macro."""

import io
import json
import sqlite3
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import tifffile
import zarr
from command_runs import SMALL, call
from PIL import Image

from pathloop.core import Rect
from pathloop.slides import open_slide
from pathloop.slides._slide import Slide
from pathloop.synth import write_slide

pytestmark = pytest.mark.slow

NAME = "Mustermann"
LABEL, MACRO = (201, 7, 123), (7, 201, 99)
FORMATS = ("labels-tiff", "labels-zarr", "geojson", "csv", "parquet", "training")


@pytest.fixture(scope="module")
def slide(tmp_path_factory) -> Path:
    """An SVS with a label and a macro of colours that occur nowhere else, and a name in their descriptions."""
    folder = tmp_path_factory.mktemp("private")
    write_slide(folder / "drawn.tif", (400, 500), seed=5)
    with open_slide(folder / "drawn.tif") as drawn:
        pixels = drawn.read(Rect(0, 0, *drawn.shape))
    base = "Aperio Image Library v11\n500x400 (256x256)|AppMag = 20|MPP = 0.5"
    path = folder / "a.svs"
    common = {"photometric": "rgb", "metadata": None}
    with tifffile.TiffWriter(path) as writer:
        writer.write(pixels, tile=(256, 256), compression="deflate", description=base, **common)
        writer.write(pixels[::8, ::8], rowsperstrip=16, description=base, **common)
        for kind, name, color in ((1, "label", LABEL), (9, "macro", MACRO)):
            image = np.full((60, 80, 3), color, np.uint8)
            text = f"Aperio\n{name} {NAME} 80x60"
            writer.write(image, rowsperstrip=60, subfiletype=kind, description=text, **common)
    return path


def contents(path: Path) -> list[bytes]:
    """A file's bytes, and what they hold packed: pictures, zlib, zip, zarr chunks."""
    data = path.read_bytes()
    found = [data]
    if path.suffix in (".tif", ".tiff"):
        found.append(tifffile.imread(path).tobytes())
    elif path.suffix in (".png", ".jpg", ".jpeg"):
        found.append(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).tobytes())
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as packed:
            found += [packed.read(name) for name in packed.namelist()]
    elif path.suffix == ".parquet":
        found.append(str(pyarrow.parquet.read_table(path).to_pydict()).encode())
    elif path.name == "project.db":
        with sqlite3.connect(path) as database:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for row in database.execute(f"SELECT * FROM {table}"):
                    for value in row:
                        found.append(value if isinstance(value, bytes) else str(value).encode())
                        try:
                            found.append(zlib.decompress(found[-1]))
                        except zlib.error:
                            continue
    elif path.name == "zarr.json" and json.loads(data)["node_type"] == "array":
        array = zarr.open_array(path.parent, mode="r")
        if array.dtype == np.uint8:
            found.append(np.moveaxis(array[:], 0, -1).tobytes() if array.ndim == 3 else array[:].tobytes())
    return found


def assert_private(found: list[bytes], where: object) -> None:
    for data in found:
        assert NAME.encode() not in data, where
        for color in (LABEL, MACRO):
            assert bytes(color) * 4 not in data, where


def test_the_search_finds_them_where_they_are(slide, tmp_path):
    assert NAME.encode() in slide.read_bytes()
    with open_slide(slide) as opened:
        for name, color in (("label", LABEL), ("macro", MACRO)):
            Image.fromarray(opened.read_associated(name)).save(tmp_path / f"{name}.png")
            with pytest.raises(AssertionError):
                assert_private(contents(tmp_path / f"{name}.png"), name)
            assert opened.read_associated(name)[0, 0].tolist() == list(color)


def test_no_command_shows_logs_or_exports_them(slide, tmp_path, monkeypatch, capfd):
    def never(self: Slide, name: str) -> None:
        raise AssertionError(f"read {name!r} unasked")

    for reader in Slide.__subclasses__():
        monkeypatch.setattr(reader, "read_associated", never)
    monkeypatch.chdir(tmp_path)
    assert call("info", slide) == 0
    assert call("info", slide, "--json") == 0
    assert call("--debug", "segment", slide, *SMALL, "--json") == 0
    for name in FORMATS:
        assert call("export", "a.pathloop", "--format", name, "-o", f"out-{name}") in (0, 1)  # training: none reviewed
    assert call("log", "a.pathloop") == 0
    assert call("rank", "a.pathloop") == 0
    assert call("quality", slide, "-o", "quality") == 0
    assert list(Path("quality").iterdir())
    out, errors = capfd.readouterr()
    assert "label, macro" in out
    assert "read 'label'" not in errors
    assert "read 'macro'" not in errors
    assert_private([out.encode(), errors.encode()], "what was printed")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".tif", ".geojson", ".csv", ".db", ".json"}
    for path in files:
        assert_private(contents(path), path)
