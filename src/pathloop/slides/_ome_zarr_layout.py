"""What an OME-Zarr folder holds: the slide, its levels and their axes, and the label and macro images beside it."""

import contextlib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from pathloop.core import PathloopError, Scale, SlideError
from pathloop.slides._levels import shrinking
from pathloop.slides._metadata import ome_zarr_scale

__all__ = ["Multiscale", "OmeZarrLayout", "damage_as", "is_ome_zarr", "ome_zarr_layout"]

VERSIONS = {2: "0.4", 3: "0.5"}
"""OME-Zarr version by the version of zarr that it stands on."""

ROOTS = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
CHANNELS = (1, 3, 4)
STACKS = {"z": "focal planes", "t": "time points", "c": "channels"}
RED_GREEN_BLUE = ["FF0000", "00FF00", "0000FF"]
ASSOCIATED = ("label", "macro", "thumbnail")


@dataclass(frozen=True, slots=True, eq=False)
class Multiscale:
    """One image.

    Attributes
    ----------
    arrays
        Its levels as zarr arrays, finest first.
    axes
        Names of the arrays' axes in their order, from ``t c z y x``.
    scale
        um per px of the first level, None where it states none.
    steps
        Pixel size of each level, (y, x), in the unit of the image.
    """

    arrays: tuple[Any, ...]
    axes: tuple[str, ...]
    scale: Scale | None
    steps: tuple[tuple[float, float], ...]

    def shape(self, level: int) -> tuple[int, int]:
        """(height, width) of a level, px."""
        return self.size(level, "y"), self.size(level, "x")

    def size(self, level: int, axis: str) -> int:
        """Size of a level along an axis; 1 where it has no such axis."""
        return int(self.arrays[level].shape[self.axes.index(axis)]) if axis in self.axes else 1


@dataclass(frozen=True, slots=True, eq=False)
class OmeZarrLayout:
    """The slide, and other images of the folder by name, which are opened when they are asked for."""

    slide: Multiscale
    associated: dict[str, str]


@contextlib.contextmanager
def damage_as(path: Path) -> Iterator[None]:
    """Turn whatever zarr and its codecs raise into a SlideError."""
    try:
        yield
    except PathloopError:
        raise
    except Exception as error:  # codecs raise classes of their own, damaged metadata anything at all
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise SlideError(f"{path}: this OME-Zarr is damaged or not supported ({reason})") from error


def is_ome_zarr(path: Path) -> bool:
    """Whether a folder is an OME-Zarr picture or plate; False for labels and other zarr. Reads its metadata only."""
    if not path.is_dir() or not any((path / name).is_file() for name in ROOTS):
        return False
    try:
        root = zarr.open(path, mode="r", use_consolidated=False)
        facts = _facts(root) if isinstance(root, zarr.Group) else {}
    except Exception:  # noqa: BLE001 - damaged metadata raises anything at all; opening it says what is wrong
        return path.suffix.lower() == ".zarr"
    is_image = any(key in facts for key in ("multiscales", "plate", "well", "bioformats2raw.layout"))
    return is_image and "image-label" not in facts


def ome_zarr_layout(path: Path) -> OmeZarrLayout:
    """Find the slide in a folder.

    Raises
    ------
    SlideError
        If the folder holds labels, a plate, a stack or channels rather than an RGB-like image, or is damaged.
    """
    with damage_as(path):
        if not any((path / name).is_file() for name in (".zgroup", "zarr.json")):
            raise SlideError(f"{path}: a zarr array without OME-Zarr metadata; save it as OME-Zarr 0.4 or 0.5")
        root = zarr.open(path, mode="r", use_consolidated=False)
        if not isinstance(root, zarr.Group):
            raise SlideError(f"{path}: a zarr array without OME-Zarr metadata; save it as OME-Zarr 0.4 or 0.5")
        facts = _facts(root)
        _refuse_others(facts, path)
        if "multiscales" in facts:
            return OmeZarrLayout(multiscale(root, path), {})
        return _series(root, path)


def multiscale(group: Any, path: Path) -> Multiscale:
    """The image of a group; SlideError where it is not an RGB-like picture."""
    facts = _facts(group)
    images = facts.get("multiscales")
    if not isinstance(images, list) or not images:
        raise SlideError(f"{path}: this zarr holds no OME-Zarr image")
    image = images[0]
    _check_version(str(facts.get("version", image.get("version", ""))), group, path)
    axes = tuple(str(each["name"]) if isinstance(each, Mapping) else str(each) for each in image["axes"])
    if not {"y", "x"} <= set(axes) or len(set(axes)) < len(axes) or not set(axes) <= set("tczyx"):
        raise SlideError(f"{path}: the axes {', '.join(axes)} are not those of a picture (y, x, and t, c, z at most)")
    datasets = image["datasets"]
    arrays = tuple(_array(group, str(each["path"]), len(axes), path) for each in datasets)
    scales = [_transform(each, image, len(axes)) for each in datasets]
    found = Multiscale(arrays, axes, None, ())
    kept = [
        index
        for index in shrinking([found.shape(level) for level in range(len(arrays))])
        if _lies_on_first(scales[index], scales[0], axes)
    ]
    sizes = tuple((scales[i][0][axes.index("y")], scales[i][0][axes.index("x")]) for i in kept)
    units = [each.get("unit") if isinstance(each, Mapping) else None for each in image["axes"]]
    scale = ome_zarr_scale(sizes[0], (units[axes.index("y")], units[axes.index("x")]))
    found = Multiscale(tuple(arrays[index] for index in kept), axes, scale, sizes)
    _check_picture(found, facts.get("omero"), path)
    return found


def _facts(group: Any) -> Mapping[str, Any]:
    """The OME metadata of a group: in its attributes (0.4), or under ``ome`` in them (0.5)."""
    attributes = group.attrs.asdict()
    facts = attributes.get("ome") if group.metadata.zarr_format == 3 else attributes
    return facts if isinstance(facts, Mapping) else {}


def _refuse_others(facts: Mapping[str, Any], path: Path) -> None:
    if "image-label" in facts or ("labels" in facts and "multiscales" not in facts):
        raise SlideError(f"{path}: holds labels, not a picture; 'pathloop import' takes them into a project")
    if "plate" in facts or "well" in facts:
        inside = "A/1/0" if "plate" in facts else "0"
        raise SlideError(f"{path}: a plate of many images, not a slide; open one of them, such as {path / inside}")
    if "multiscales" not in facts and "bioformats2raw.layout" not in facts:
        raise SlideError(f"{path}: a zarr group without OME-Zarr metadata; save it as OME-Zarr 0.4 or 0.5")


def _check_version(version: str, group: Any, path: Path) -> None:
    known = VERSIONS[group.metadata.zarr_format]
    if version and version != known and not version.startswith(f"{known}."):
        raise SlideError(f"{path}: OME-Zarr {version} is not supported; save it as 0.4 or 0.5")


def _array(group: Any, name: str, n_axes: int, path: Path) -> Any:
    try:
        array = group[name]
    except KeyError as error:
        raise SlideError(f"{path}: level {name!r} is missing; copy the folder again from its source") from error
    if not isinstance(array, zarr.Array) or array.ndim != n_axes:
        raise SlideError(f"{path}: level {name!r} is damaged (it does not have {n_axes} axes)")
    return array


def _transform(dataset: Mapping[str, Any], image: Mapping[str, Any], n_axes: int) -> tuple[list[float], list[float]]:
    """Pixel size and place of the first pixel along each axis, the image's own transformations applied last."""
    scale, shift = [1.0] * n_axes, [0.0] * n_axes
    for each in (*dataset.get("coordinateTransformations", ()), *image.get("coordinateTransformations", ())):
        if each["type"] == "scale":
            factors = [float(value) for value in each["scale"]]
            scale = [a * b for a, b in zip(scale, factors, strict=True)]
            shift = [a * b for a, b in zip(shift, factors, strict=True)]
        elif each["type"] == "translation":
            shift = [a + float(b) for a, b in zip(shift, each["translation"], strict=True)]
    return scale, shift


def _lies_on_first(
    level: tuple[list[float], list[float]], first: tuple[list[float], list[float]], axes: tuple[str, ...]
) -> bool:
    """Whether a level begins where the first does; programs differ by half a pixel in what they write."""
    places = [axes.index(axis) for axis in "yx"]
    return all(abs(level[1][at] - first[1][at]) <= abs(level[0][at]) for at in places)


def _check_picture(image: Multiscale, omero: Any, path: Path) -> None:
    stack = {axis: image.size(0, axis) for axis in "tz" if image.size(0, axis) > 1}
    channels = image.size(0, "c")
    if stack or channels not in CHANNELS:
        what = ", ".join(f"{size} {STACKS[axis]}" for axis, size in (stack or {"c": channels}).items())
        raise SlideError(f"{path}: not an RGB image but a stack of {what}; export one RGB plane of it")
    dtypes = {array.dtype.newbyteorder("=") for array in image.arrays}
    if len(dtypes) > 1 or not dtypes <= {np.dtype(np.uint8), np.dtype(np.uint16)}:
        found = ", ".join(sorted(map(str, dtypes)))
        raise SlideError(f"{path}: not an RGB-like image (values are {found}, not 8- or 16-bit unsigned integers)")
    if any(image.size(level, "c") != channels for level in range(len(image.arrays))):
        raise SlideError(f"{path}: this OME-Zarr is damaged (its levels differ in their channels)")
    if channels > 1 and not _are_colours(omero):
        raise SlideError(
            f"{path}: not an RGB image: its channels are not red, green and blue but stains; export it as RGB"
        )


def _are_colours(omero: Any) -> bool:
    """Whether the first three channels may be red, green and blue: said so, or nothing said that tells them apart."""
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    if not isinstance(channels, list):
        return True
    codes = [str(each.get("color", "")).lstrip("#").upper()[:6] for each in channels[:3] if isinstance(each, Mapping)]
    return codes == RED_GREEN_BLUE or len(set(codes)) <= 1


def _series(root: zarr.Group, path: Path) -> OmeZarrLayout:
    """A folder of several images, as bioformats2raw writes it: the largest is the slide, names tell the others."""
    names = _image_names(path / "OME" / "METADATA.ome.xml")
    is_group = any((path / "OME" / name).is_file() for name in (".zgroup", "zarr.json"))
    listed = _facts(root["OME"]).get("series", ()) if is_group else ()
    order = [str(each) for each in listed] or sorted(
        (each.name for each in path.iterdir() if each.name.isdigit()), key=int
    )
    shapes = {key: _first_area(root[key]) for key in order if key in root}
    if not shapes:
        raise SlideError(f"{path}: this OME-Zarr holds no image")
    main = max(shapes, key=lambda key: shapes[key])
    associated: dict[str, str] = {}
    for index, key in enumerate(order):
        said = (names[index] if index < len(names) else "").lower()
        name = next((one for one in ASSOCIATED if one in said), None)
        if key != main and key in shapes and name and name not in associated:
            associated[name] = key
    return OmeZarrLayout(multiscale(root[main], path / main), associated)


def _first_area(group: Any) -> int:
    """Number of pixels of a group's first level; 0 where it holds no image."""
    images = _facts(group).get("multiscales")
    if not images:
        return 0
    array = group[str(images[0]["datasets"][0]["path"])]
    return int(np.prod(array.shape[-2:], dtype=np.int64))


def _image_names(xml: Path) -> list[str]:
    try:
        root = ElementTree.fromstring(xml.read_bytes())
    except (OSError, ElementTree.ParseError):
        return []
    return [each.get("Name", "") for each in root.iter() if each.tag.rpartition("}")[2] == "Image"]
