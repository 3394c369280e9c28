"""QuPath's GeoJSON files, written and read (forms of QuPath 0.2 to 0.7 are understood, those of 0.4 on written).

Coordinates in files: level-0 pixels, (x, y), origin at the outer corner of the image's first pixel. Outlines in
memory are the same numbers as (y, x), see `pathloop.rasters.trace_outlines`.
"""

import gzip
import io
import json
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from pathloop.core import DataError, UsageError, atomic_path
from pathloop.interchange._geojson_feature import FeatureError, GeoJSONObject, feature_objects, feature_of
from pathloop.interchange._json_stream import JSONStreamError, iter_features
from pathloop.interchange._object_table import OutlinedObject, SlideIdentity

__all__ = ["read_geojson", "write_geojson"]

_GZIP_ABOVE_BYTES = 100_000_000
_SUFFIX = ".geojson"


def write_geojson(
    path: Path,
    objects: Iterable[OutlinedObject],
    *,
    slide: SlideIdentity,
    detection_tasks: frozenset[str] = frozenset({"nuclei"}),
    gzip_above_bytes: int = _GZIP_ABOVE_BYTES,
) -> Path:
    """Write objects as one FeatureCollection that QuPath 0.4 and later import by drag and drop.

    Written one object at a time and atomically: if ``objects`` raises, the old file stays. The same objects give the
    same bytes. Every object is written.

    Parameters
    ----------
    path
        Ends in ``.geojson``.
    objects
        What to write, in this order.
    slide
        Makes the UUIDs, and turns areas into um2 where the scale is known.
    detection_tasks
        Tasks whose objects become detections (light, for many objects); all others become annotations, which can be
        edited in QuPath but are slow by the hundred thousand.
    gzip_above_bytes
        If the text is larger, ``<path>.gz`` is written instead.

    Returns
    -------
    Path
        The file written. A file of the other form, from an earlier export, is removed.

    Raises
    ------
    UsageError
        If the path has another suffix.
    DataError
        If an object has no outline.
    """
    if path.suffix != _SUFFIX:
        raise UsageError(f"{path}: the name of a GeoJSON file must end in {_SUFFIX}")
    packed = path.with_name(path.name + ".gz")
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name[:60]}-", dir=path.parent) as folder:
        plain = Path(folder) / "plain"
        with plain.open("w", encoding="utf-8", newline="\n") as stream:
            try:
                _write_collection(stream, objects, slide, detection_tasks)
            except FeatureError as error:
                raise DataError(f"{path}: {error}") from error
        is_packed = plain.stat().st_size > gzip_above_bytes
        written, other = (packed, path) if is_packed else (path, packed)
        with atomic_path(written) as temporary:
            if is_packed:
                _pack(plain, temporary)
            else:
                plain.replace(temporary)
    other.unlink(missing_ok=True)
    return written


def _write_collection(
    stream: TextIO, objects: Iterable[OutlinedObject], slide: SlideIdentity, detection_tasks: frozenset[str]
) -> None:
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")).encode
    stream.write('{"type":"FeatureCollection","features":[')
    separator = "\n"
    for item in objects:
        stream.write(separator + encode(feature_of(item, slide, detection_tasks)))
        separator = ",\n"
    stream.write("\n]}\n")


def _pack(plain: Path, target: Path) -> None:
    # No name and no time inside, so that equal text gives equal bytes.
    with (
        plain.open("rb") as source,
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw, mtime=0) as sink,
    ):
        shutil.copyfileobj(source, sink, 1 << 20)


def read_geojson(path: Path) -> Iterator[GeoJSONObject]:
    """Read objects one at a time from what QuPath or `write_geojson` wrote.

    Understood: FeatureCollection, array of features, single bare feature; plain, gzip or zip (all members that end in
    ``.geojson`` or ``.json``), told by content and not by name; classes as string, object or with the packed
    ``colorRGB`` of old; measurements as object or as list of name and value; children, which follow their parent;
    nuclei of cells. Rings that are not closed are taken as closed.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    DataError
        While iterating, as soon as something is found that is none of this; the feature is named by its number.
        Whoever stores objects must do so in one transaction.
    """
    feature = 0
    try:
        for stream in _texts(path):
            for value in iter_features(stream):
                feature += 1
                yield from feature_objects(value)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except FeatureError as error:
        raise DataError(f"{path}: feature {feature}: {error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not readable as GeoJSON (not UTF-8 text)") from error
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        raise DataError(f"{path}: not readable ({error})") from error
    except JSONStreamError as error:
        raise DataError(f"{path}: not readable as GeoJSON ({error})") from error


def _texts(path: Path) -> Iterator[TextIO]:
    """The JSON texts of a file."""
    with path.open("rb") as raw:
        start = raw.read(4)
        raw.seek(0)
        if start == b"PK\x03\x04":
            yield from _members(raw)
        elif start[:2] == b"\x1f\x8b":
            with gzip.open(raw) as unpacked:
                yield io.TextIOWrapper(unpacked, encoding="utf-8")
        else:
            yield io.TextIOWrapper(raw, encoding="utf-8")


def _members(raw: BinaryIO) -> Iterator[TextIO]:
    with zipfile.ZipFile(raw) as archive:
        names = sorted(
            name
            for name in archive.namelist()
            if name.lower().endswith((_SUFFIX, ".json")) and not name.startswith("__MACOSX/")
        )
        if not names:
            raise zipfile.BadZipFile("the archive holds no .geojson or .json file")
        for name in names:
            with archive.open(name) as member:
                yield io.TextIOWrapper(member, encoding="utf-8")
