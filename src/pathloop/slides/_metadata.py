"""Physical scale and objective power, from each place where a file may state them."""

import math
import re
import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import Any

from pathloop.core import Scale, UsageError

__all__ = [
    "aperio_facts",
    "image_scale",
    "imagej_scale",
    "ome_facts",
    "ome_zarr_scale",
    "openslide_facts",
    "tiff_scale",
    "usable_scale",
]

# um per unit. Both micro signs (U+00B5, U+03BC) and ImageJ's escaped spelling occur in files.
UM_PER_UNIT = {
    "pm": 1e-6,
    "picometer": 1e-6,
    "å": 1e-4,
    "angstrom": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "um": 1.0,
    "\u00b5m": 1.0,
    "\u03bcm": 1.0,
    "\\u00b5m": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "m": 1e6,
    "meter": 1e6,
    "inch": 25_400.0,
    "in": 25_400.0,
    "pt": 25_400.0 / 72,
}
TIFF_UNITS = {2: 25_400.0, 3: 10_000.0}  # ResolutionUnit: inch, centimetre; 1 = none


def usable_scale(y: float | None, x: float | None) -> Scale | None:
    """A scale from um per px, or None where a value is missing or outside 0.05 .. 20 (a 72 dpi tag)."""
    if y is None or x is None:
        return None
    try:
        return Scale(y, x)
    except UsageError:
        return None


def aperio_facts(description: str) -> tuple[Scale | None, float | None]:
    """Scale and objective power from Aperio's ``...|AppMag = 20|MPP = 0.4990|...``."""
    fields = dict(re.findall(r"\|\s*([^=|]+?)\s*=\s*([^|]*)", description))
    um_per_px = _number(fields.get("MPP"))
    return usable_scale(um_per_px, um_per_px), _number(fields.get("AppMag"))


def ome_facts(xml: str, shape: tuple[int, int]) -> tuple[Scale | None, float | None]:
    """Scale and objective power from OME-XML, for the first image of the given (height, width)."""
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return None, None
    pixels = [element for element in root.iter() if _local_name(element) == "Pixels"]
    sized = [each for each in pixels if (each.get("SizeY"), each.get("SizeX")) == (str(shape[0]), str(shape[1]))]
    powers = (_number(each.get("NominalMagnification")) for each in root.iter() if _local_name(each) == "Objective")
    power = next((each for each in powers if each), None)
    if not sized:
        return None, power
    y, x = (_in_um(sized[0].get(f"PhysicalSize{axis}"), sized[0].get(f"PhysicalSize{axis}Unit", "um")) for axis in "YX")
    return usable_scale(y, x), power


def ome_zarr_scale(size: tuple[float, float], units: tuple[Any, Any]) -> Scale | None:
    """Scale from the (y, x) pixel size of an OME-Zarr image and its axes' units; without units it says nothing."""
    y, x = (_in_um(str(each), str(unit or "")) for each, unit in zip(size, units, strict=True))
    return usable_scale(y, x)


def imagej_scale(metadata: Mapping[str, Any], resolution: tuple[Any, Any]) -> Scale | None:
    """Scale from ImageJ's unit and the (y, x) TIFF resolutions, which are pixels per that unit."""
    unit = UM_PER_UNIT.get(str(metadata.get("unit", "")).strip().lower())
    if unit is None:
        return None
    y, x = (_per_pixel(each, unit) for each in resolution)
    return usable_scale(y, x)


def tiff_scale(resolution: tuple[Any, Any], unit: Any) -> Scale | None:
    """Scale from the (y, x) resolution tags, which are pixels per ResolutionUnit."""
    um = TIFF_UNITS.get(int(unit)) if unit is not None else None
    if um is None:
        return None
    y, x = (_per_pixel(each, um) for each in resolution)
    return usable_scale(y, x)


def openslide_facts(properties: Mapping[str, str]) -> tuple[Scale | None, float | None]:
    """Scale and objective power from OpenSlide's properties."""
    scale = usable_scale(_number(properties.get("openslide.mpp-y")), _number(properties.get("openslide.mpp-x")))
    if scale is None:
        unit = {"inch": 2, "centimeter": 3}.get(properties.get("tiff.ResolutionUnit", "").lower())
        numbers = tuple(_number(properties.get(f"tiff.{axis}Resolution")) for axis in "YX")
        scale = tiff_scale((numbers[0], numbers[1]), unit)
    return scale, _number(properties.get("openslide.objective-power"))


def image_scale(data: bytes) -> Scale | None:
    """Scale from a PNG's pHYs chunk or a JPEG's JFIF density."""
    if data.startswith(b"\x89PNG"):
        at = data.find(b"pHYs", 0, 65_536)
        if at > 0 and len(data) >= at + 13:
            x, y, unit = struct.unpack(">IIB", data[at + 4 : at + 13])
            return usable_scale(_per_pixel(y, 1e6), _per_pixel(x, 1e6)) if unit == 1 else None
    if data[6:11] == b"JFIF\0" and len(data) >= 18:
        unit, x, y = struct.unpack(">BHH", data[13:18])
        return tiff_scale((y, x), {1: 2, 2: 3}.get(unit))
    return None


def _local_name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _number(text: Any) -> float | None:
    try:
        value = float(str(text).strip())
    except ValueError:
        return None
    return value if math.isfinite(value) and value > 0 else None


def _in_um(size: str | None, unit: str) -> float | None:
    value, factor = _number(size), UM_PER_UNIT.get(unit.strip().lower())
    return None if value is None or factor is None else value * factor


def _per_pixel(resolution: Any, um_per_unit: float) -> float | None:
    """Pixel size (um) from pixels per unit, which TIFF stores as a pair (numerator, denominator)."""
    if resolution is None:
        return None
    top, bottom = resolution if isinstance(resolution, tuple) else (resolution, 1)
    return um_per_unit * bottom / top if top > 0 and bottom > 0 else None
