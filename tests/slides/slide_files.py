"""Slides written for the tests: one picture, many files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

OME_HEAD = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
APERIO = "Aperio Image Library v11.2.1\n{width}x{height} (64x64) JPEG/RGB Q=90|AppMag = 20|MPP = 0.4990"


def picture(height: int = 300, width: int = 420, seed: int = 7) -> Picture:
    """Smooth coloured blobs with some grain: compresses without falling apart, aliases if subsampled."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 255, (height // 12 + 2, width // 12 + 2, 3)).astype(np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.integers(-12, 12, (height, width, 1)), 0, 255).astype(np.uint8)


def halves(image: Picture, count: int) -> list[Picture]:
    """The image and ``count`` reductions by 2 (sizes rounded down)."""
    levels = [image]
    for _ in range(count):
        height, width = levels[-1].shape[0] // 2 * 2, levels[-1].shape[1] // 2 * 2
        levels.append(cv2.resize(levels[-1][:height, :width], (width // 2, height // 2), interpolation=cv2.INTER_AREA))
    return levels


def write_svs(
    path: Path, image: Picture, *, levels: int = 2, compression: str = "deflate", mpp: bool = True, **more: Any
) -> Path:
    """Aperio: tiled base, thumbnail strip, tiled levels, label and macro strips."""
    pyramid = halves(image, levels)
    base = APERIO.format(width=image.shape[1], height=image.shape[0])
    base = base if mpp else base.partition("|MPP")[0]
    small = image[::8, ::8]
    with tifffile.TiffWriter(path) as writer:
        common: dict[str, Any] = {"photometric": "rgb", "metadata": None, **more}
        writer.write(pyramid[0], tile=(64, 64), compression=compression, description=base, **common)
        writer.write(small, rowsperstrip=16, description=base.replace("\n", "\nthumb -> "), **common)
        for level in pyramid[1:]:
            writer.write(level, tile=(64, 64), compression=compression, description=base, **common)
        writer.write(small[:10], rowsperstrip=16, subfiletype=1, description="Aperio\nlabel 1x1", **common)
        writer.write(small[:12], rowsperstrip=16, subfiletype=9, description="Aperio\nmacro 1x1", **common)
    return path


def write_ome(
    path: Path, image: Picture, *, levels: int = 2, um: tuple[float, float] = (0.25, 0.25), unit: str = "µm"
) -> Path:
    """OME-TIFF whose levels lie in SubIFDs."""
    pyramid = halves(image, levels)
    metadata = {
        "axes": "YXS",
        "PhysicalSizeY": um[0],
        "PhysicalSizeX": um[1],
        "PhysicalSizeYUnit": unit,
        "PhysicalSizeXUnit": unit,
    }
    with tifffile.TiffWriter(path, ome=True, bigtiff=True) as writer:
        options: dict[str, Any] = {"tile": (64, 64), "compression": "deflate", "photometric": "rgb"}
        writer.write(pyramid[0], subifds=levels, metadata=metadata, **options)
        for level in pyramid[1:]:
            writer.write(level, subfiletype=1, **options)
    return path


def write_pyramid(path: Path, image: Picture, *, levels: int = 2, um_per_px: float = 0.5, **options: Any) -> Path:
    """Plain TIFF with one page a level, as libvips writes it."""
    resolution = (10_000 / um_per_px, 10_000 / um_per_px)
    with tifffile.TiffWriter(path) as writer:
        for index, level in enumerate(halves(image, levels)):
            writer.write(
                level,
                **{"tile": (64, 64), "compression": "deflate", "photometric": "rgb", **options},
                subfiletype=int(index > 0),
                resolution=tuple(each / 2**index for each in resolution),
                resolutionunit="centimeter",
                metadata=None,
            )
    return path


def write_tiff(path: Path, image: NDArray[Any], **options: Any) -> Path:
    """One plain TIFF page."""
    tifffile.imwrite(path, image, **{"metadata": None, **options})
    return path


def write_image(path: Path, image: Picture, *options: int) -> Path:
    """PNG, JPEG, WebP or BMP, by the suffix."""
    channels = image.shape[2] if image.ndim == 3 else 1
    order: Callable[[Picture], Picture] = {
        1: lambda a: a,
        3: lambda a: a[..., ::-1],
        4: lambda a: a[..., [2, 1, 0, 3]],
    }[channels]
    assert cv2.imwrite(str(path), order(image), list(options))
    return path


def write_scn(path: Path, image: Picture, *, corners: list[tuple[int, int]], collection: tuple[int, int]) -> Path:
    """Leica SCN: the image scanned at each (y, x) corner in a larger, else empty collection; two levels and a macro.

    Places in level-0 pixels of 500 nm.
    """
    nm = 500
    pyramid = halves(image, 1)
    macro = np.full((40, 40, 3), 200, np.uint8)
    (height, width), (all_h, all_w) = image.shape[:2], collection
    view = (
        '<image name="i" uuid="u"><creationDate>2020-01-01T00:00:00Z</creationDate><device model="m" version="1"/>'
        '<pixels sizeX="{w}" sizeY="{h}">{dimensions}</pixels>'
        '<view sizeX="{vw}" sizeY="{vh}" offsetX="{vx}" offsetY="{vy}" spacingZ="0"/>'
        "<scanSettings><objectiveSettings><objective>20</objective></objectiveSettings><illuminationSettings>"
        "<numericalAperture>0.4</numericalAperture><illuminationSource>brightfield</illuminationSource>"
        "</illuminationSettings></scanSettings></image>"
    )
    dimension = '<dimension sizeX="{w}" sizeY="{h}" r="{r}" ifd="{ifd}"/>'
    main = "".join(
        dimension.format(w=level.shape[1], h=level.shape[0], r=index, ifd=index) for index, level in enumerate(pyramid)
    )
    description = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01" uuid="u">'
        f'<collection name="c" uuid="u" sizeX="{all_w * nm}" sizeY="{all_h * nm}">'
        + view.format(
            w=40, h=40, dimensions=dimension.format(w=40, h=40, r=0, ifd=2), vw=all_w * nm, vh=all_h * nm, vx=0, vy=0
        )
        + "".join(
            view.format(w=width, h=height, dimensions=main, vw=width * nm, vh=height * nm, vx=left * nm, vy=top * nm)
            for top, left in corners
        )
        + "</collection></scn>"
    )
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for index, level in enumerate([*pyramid, macro]):
            writer.write(
                level,
                tile=(64, 64),
                photometric="rgb",
                compression="deflate",
                description=description if index == 0 else None,
                resolution=(20_000 / 2**index, 20_000 / 2**index),
                resolutionunit="centimeter",
                metadata=None,
            )
    return path


def write_ome_zarr(
    path: Path,
    image: NDArray[Any],
    *,
    version: str = "0.5",
    axes: str = "yxc",
    levels: int = 2,
    um: tuple[float, float] = (0.25, 0.25),
    unit: str | None = "micrometer",
    shards: bool = False,
    **more: Any,
) -> Path:
    """OME-Zarr, written through zarr alone: an (h, w, c) or (h, w) image with these axes; ``more`` is metadata."""
    zarr_format = 3 if version.startswith("0.5") else 2
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)
    datasets = []
    for index, level in enumerate(halves(image, levels) if levels else [image]):
        whole = level if level.ndim == 3 else level[..., None]
        order = ["yxc".index(axis) for axis in axes if axis in "yxc"]
        pixels = whole.transpose([*order, *({0, 1, 2} - set(order))])
        if "c" not in axes:
            pixels = pixels[..., 0]
        pixels = pixels.reshape([whole.shape["yxc".index(axis)] if axis in "yxc" else 1 for axis in axes])
        chunks = tuple(
            64 if axis in "yx" else 1 if axes.startswith("t") else size
            for axis, size in zip(axes, pixels.shape, strict=True)
        )
        options: dict[str, Any] = {
            "shards": tuple(2 * c if a in "yx" else c for a, c in zip(axes, chunks, strict=True))
        }
        array = group.create_array(
            str(index),
            shape=pixels.shape,
            chunks=chunks,
            dtype=pixels.dtype,
            fill_value=255,
            **(options if shards else {}),
            **({"dimension_names": list(axes)} if zarr_format == 3 else {}),
            chunk_key_encoding={"name": "default" if zarr_format == 3 else "v2", "separator": "/"},
        )
        array[:] = pixels
        step = {"y": um[0] * 2**index, "x": um[1] * 2**index}
        datasets.append(
            {
                "path": str(index),
                "coordinateTransformations": [{"type": "scale", "scale": [step.get(axis, 1.0) for axis in axes]}],
            }
        )
    kinds = {"t": "time", "c": "channel"}
    described = [
        {"name": axis, "type": kinds.get(axis, "space"), **({"unit": unit} if unit and axis in "yx" else {})}
        for axis in axes
    ]
    multiscales = [{"name": "slide", "axes": described, "datasets": datasets}]
    if zarr_format == 3:
        group.attrs["ome"] = {"version": version, "multiscales": multiscales, **more}
    else:
        multiscales[0]["version"] = version
        group.attrs.update({"multiscales": multiscales, **more})
    return path
