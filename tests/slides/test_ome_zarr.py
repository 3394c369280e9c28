"""OME-Zarr slides, both versions: the conformance class, and what real writers do differently."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from slide_files import picture, write_ome_zarr
from slide_reader_tests import SlideReaderTests

from pathloop.core import Rect, SlideError
from pathloop.slides import is_ome_zarr, open_slide

COLOURS = {"channels": [{"color": "FF0000"}, {"color": "00FF00"}, {"color": "0000FF"}]}
STAINS = {"channels": [{"color": "0000FF", "label": "DAPI"}, {"color": "00FF00"}, {"color": "FF0000"}]}


def whole(path: Path) -> np.ndarray:
    with open_slide(path) as slide:
        return slide.read(Rect(0, 0, *slide.shape))


class TestVersion04(SlideReaderTests):
    """As bioformats2raw writes it: zarr 2, five axes, one plane a chunk."""

    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        path = tmp_path_factory.mktemp("four") / "slide.ome.zarr"
        return write_ome_zarr(path, picture(), version="0.4", axes="tczyx", omero=COLOURS)

    def test_facts(self, slide) -> None:
        assert slide.format == "ome-zarr"
        assert [level.downsample for level in slide.levels] == [(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)]
        assert (slide.scale.y, slide.scale.x) == (0.25, 0.25)
        assert slide.associated == ()
        assert slide.levels[0].tile == (256, 256)
        np.testing.assert_array_equal(slide.read(Rect(0, 0, *slide.shape)), picture())


class TestVersion05(SlideReaderTests):
    """zarr 3, shards, colours last: such levels need no copy."""

    @pytest.fixture(scope="class")
    @classmethod
    def slide_path(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        return write_ome_zarr(tmp_path_factory.mktemp("five") / "slide.zarr", picture(), axes="yxc", shards=True)

    def test_facts(self, slide) -> None:
        assert len(slide.levels) == 3
        assert all(level.zarr is not None for level in slide.levels)
        np.testing.assert_array_equal(slide.read(Rect(0, 0, *slide.shape)), picture())


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("axes", ["tczyx", "czyx", "cyx", "yxc", "zyxc", "tyx", "yx"])
def test_axes(tmp_path: Path, version: str, axes: str) -> None:
    image = picture() if "c" in axes else picture()[..., 0]
    path = write_ome_zarr(tmp_path / "a.zarr", image, version=version, axes=axes)
    expected = image if "c" in axes else np.repeat(image[..., None], 3, axis=2)
    np.testing.assert_array_equal(whole(path), expected)


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
@pytest.mark.parametrize("bits", [12, 16])
def test_16_bits_keep_their_brightness(tmp_path: Path, dtype: str, bits: int) -> None:
    deep = np.rint(picture().astype(float) / 255 * (2**bits - 1)).astype(dtype)
    path = write_ome_zarr(tmp_path / "a.zarr", deep, version="0.4", axes="cyx", levels=0)
    assert np.abs(whole(path).astype(int) - picture()).max() <= 1


def test_transparent_pixels_lie_on_white(tmp_path: Path) -> None:
    alpha = np.full((300, 420, 1), 255, np.uint8)
    alpha[:100], alpha[100:200] = 0, 128
    pixels = whole(write_ome_zarr(tmp_path / "a.zarr", np.concatenate([picture(), alpha], axis=2), axes="cyx"))
    assert (pixels[:100] == 255).all()
    np.testing.assert_array_equal(pixels[200:], picture()[200:])
    blend = 255 + (picture()[100:200].astype(float) - 255) * 128 / 255
    assert np.abs(pixels[100:200] - blend).max() <= 0.51


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("micrometer", 1.0),
        ("nanometer", 1000.0),
        ("millimeter", 1e-3),
        ("meter", 1e-6),
        ("angstrom", 1e4),
        ("inch", 1 / 25_400),
    ],
)
def test_units(tmp_path: Path, unit: str, factor: float) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", picture(80, 90), levels=0, um=(0.25 * factor, 0.5 * factor), unit=unit)
    with open_slide(path) as slide:
        assert (slide.scale.y, slide.scale.x) == pytest.approx((0.25, 0.5))


@pytest.mark.parametrize("unit", [None, "pixel", "second"])
def test_without_a_length_the_scale_is_not_known(tmp_path: Path, unit: str | None) -> None:
    with open_slide(write_ome_zarr(tmp_path / "a.zarr", picture(80, 90), levels=0, unit=unit)) as slide:
        assert slide.scale is None


def edit(path: Path, change) -> None:
    """Change the OME metadata of a 0.5 store."""
    values = json.loads((path / "zarr.json").read_text())
    change(values["attributes"]["ome"])
    (path / "zarr.json").write_text(json.dumps(values))


def test_the_image_s_own_transformation_comes_last(tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", picture(), um=(1.0, 1.0))
    scale = [{"type": "scale", "scale": [0.23, 0.46, 1.0]}]
    edit(path, lambda ome: ome["multiscales"][0].update(coordinateTransformations=scale))
    with open_slide(path) as slide:
        assert (slide.scale.y, slide.scale.x) == pytest.approx((0.23, 0.46))
        assert [level.downsample for level in slide.levels] == [(1.0, 1.0), (2.0, 2.0), (4.0, 4.0)]


def test_levels_that_lie_elsewhere_are_left_out(tmp_path: Path) -> None:
    """Half a pixel is a matter of taste, ten are another place."""
    path = write_ome_zarr(tmp_path / "a.zarr", picture())

    def move(ome) -> None:
        for level, shift in ((1, 0.125), (2, 10.0)):
            dataset = ome["multiscales"][0]["datasets"][level]
            dataset["coordinateTransformations"].append({"type": "translation", "translation": [shift, shift, 0.0]})

    edit(path, move)
    with open_slide(path) as slide:
        assert [level.shape for level in slide.levels] == [(300, 420), (150, 210)]


def test_chunks_that_are_not_stored_have_the_fill_value(tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", picture())
    (path / "0" / "c" / "0" / "1" / "0").unlink()
    pixels = whole(path)
    assert (pixels[:64, 64:128] == 255).all()
    np.testing.assert_array_equal(pixels[64:], picture()[64:])


def bioformats2raw(path: Path, version: str = "0.4") -> Path:
    """Three images in one folder: the slide, its label and its macro, named in OME-XML."""
    root = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    layout = {"bioformats2raw.layout": 3}
    root.attrs.update(layout if version == "0.4" else {"ome": {**layout, "version": "0.5"}})
    for index, image in enumerate((picture(seed=1)[:50, :60], picture(), picture(seed=2)[:40, :90])):
        write_ome_zarr(path / str(index), image, version=version, axes="tczyx", levels=0, omero=COLOURS)
    (path / "OME").mkdir()
    names = "".join(
        f'<Image ID="Image:{i}" Name="{name}"/>' for i, name in enumerate(("label image", "", "macro image"))
    )
    xml = f'<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{names}</OME>'
    (path / "OME" / "METADATA.ome.xml").write_text(xml)
    return path


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_several_images_in_one_folder(tmp_path: Path, version: str) -> None:
    path = bioformats2raw(tmp_path / "a.zarr", version)
    np.testing.assert_array_equal(whole(path), picture())
    with open_slide(path) as slide:
        assert slide.associated == ("label", "macro")
        np.testing.assert_array_equal(slide.read_associated("label"), picture(seed=1)[:50, :60])


def test_labels_beside_the_picture_change_nothing(tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", picture())
    with open_slide(path) as slide:
        before = slide.fingerprint
    labels = zarr.open_group(path / "labels", mode="w", zarr_format=3)
    labels.attrs["ome"] = {"version": "0.5", "labels": ["nuclei"]}
    edit(path, lambda ome: ome.update(omero=COLOURS))
    with open_slide(path) as slide:
        assert slide.fingerprint == before
    with pytest.raises(SlideError, match=r"holds labels, not a picture.*pathloop import"):
        open_slide(path / "labels")
    assert is_ome_zarr(path)
    assert not is_ome_zarr(path / "labels")


def test_fingerprints_tell_slides_of_one_scanner_apart(tmp_path: Path) -> None:
    """Same size, same metadata, other pixels, also where chunks are not compressed and only a corner differs."""
    found = set()
    for index in range(3):
        image = picture()
        image[:5, :5] = index
        with open_slide(write_ome_zarr(tmp_path / f"{index}.zarr", image)) as slide:
            found.add(slide.fingerprint)
    assert len(found) == 3


REFUSED = {
    "five channels": ({"axes": "cyx"}, np.zeros((80, 90, 5), np.uint8), "stack of 5 channels"),
    "two channels": ({"axes": "cyx"}, np.zeros((80, 90, 2), np.uint8), "stack of 2 channels"),
    "stains": ({"axes": "cyx", "omero": STAINS}, picture(80, 90), "not red, green and blue but stains"),
    "floats": ({"axes": "yxc"}, np.zeros((80, 90, 3), np.float32), "values are float32"),
    "label image": ({"axes": "yx", "image-label": {}}, np.zeros((80, 90), np.uint8), "holds labels"),
    "version": ({"version": "0.3"}, picture(80, 90), "OME-Zarr 0.3 is not supported"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_words(tmp_path: Path, name: str) -> None:
    options, image, match = REFUSED[name]
    path = write_ome_zarr(tmp_path / "a.zarr", image, levels=0, **options)
    with pytest.raises(SlideError, match=match) as error:
        open_slide(path)
    assert "\n" not in str(error.value)
    assert "a.zarr" in str(error.value)


@pytest.mark.parametrize("axis", ["z", "t"])
def test_stacks_are_refused_in_words(tmp_path: Path, axis: str) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", np.zeros((80, 90, 3), np.uint8), axes="cyx", levels=0)
    edit(path, lambda ome: ome["multiscales"][0]["axes"].__setitem__(0, {"name": axis, "type": "space"}))
    with pytest.raises(SlideError, match=r"stack of 3 .*export one RGB plane"):
        open_slide(path)


@pytest.mark.parametrize("key", ["plate", "well"])
def test_plates_are_refused_in_words(tmp_path: Path, key: str) -> None:
    zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3).attrs["ome"] = {"version": "0.5", key: {}}
    with pytest.raises(SlideError, match="a plate of many images"):
        open_slide(tmp_path / "a.zarr")
    assert is_ome_zarr(tmp_path / "a.zarr")


def test_other_zarr_is_refused_in_words(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "array.zarr", shape=(5, 5), dtype="u1")
    zarr.open_group(tmp_path / "group.zarr", mode="w")
    for name in ("array.zarr", "group.zarr"):
        with pytest.raises(SlideError, match="without OME-Zarr metadata"):
            open_slide(tmp_path / name)
        assert not is_ome_zarr(tmp_path / name)
    assert not is_ome_zarr(tmp_path)


def test_damage_is_said_in_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = write_ome_zarr(tmp_path / "a.zarr", picture())
    chunk = path / "0" / "c" / "1" / "1" / "0"
    chunk.write_bytes(chunk.read_bytes()[:20])
    with open_slide(path) as slide:
        with pytest.raises(SlideError, match="damaged") as error:
            slide.read(Rect(0, 0, 100, 100))
        assert "\n" not in str(error.value)
        assert slide.read_level(0, Rect(260, 260, 10, 10)).shape == (10, 10, 3)
    shutil.rmtree(path / "1")
    with pytest.raises(SlideError, match="level '1' is missing"):
        open_slide(path)
    (path / "zarr.json").write_text("{")
    with pytest.raises(SlideError, match="damaged or not supported"):
        open_slide(path)
    assert capfd.readouterr() == ("", "")
