"""Slides whose colours are the maps of a network, an engine that reads them off, and their objects worked out whole."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pathloop.core import ClassSpec, LabelSchema, PostProcessing, Rect, Scale, TaskSpec
from pathloop.loop import SegmentRequest, segment
from pathloop.networks import WEIGHTS_NAME, ModelCard, NetworkConfig, write_card
from pathloop.predict import ENGINES
from pathloop.rasters import write_tiff_pyramid
from pathloop.slides import open_slide
from pathloop.targets import clip_labels, decode_instances

UM_PER_PX = 0.5
SHAPE = (330, 410)
"""Of the slide that most tests share."""
CHANNELS = {"nuclei": 0, "gland": 1, "lumen": 2}
TISSUES = ("background", "red", "green", "blue")


def _classes(*names: str) -> tuple[ClassSpec, ...]:
    return tuple(ClassSpec(name=name, color=(10 * index, 50, 200)) for index, name in enumerate(names))


def _instance(name: str, **post: object) -> TaskSpec:
    return TaskSpec(name=name, output="instance", classes=_classes(name), post=PostProcessing(**post))  # type: ignore[arg-type]


PLAIN = LabelSchema(
    tasks=(
        _instance("nuclei", grow_px=2, min_interior_px=4, min_size_px=12),
        _instance("gland", grow_px=6, closing_px=2, min_interior_px=50, min_size_px=400),
        _instance("lumen", grow_px=2, closing_px=1, min_size_px=30, clip_to="gland"),
        TaskSpec(name="tissue", output="patch", classes=_classes(*TISSUES)),
    )
)
TYPED = LabelSchema(
    tasks=(
        *PLAIN.tasks,
        TaskSpec(name="nuclei_type", output="type", of="nuclei", classes=_classes("epithelial", "other")),
    )
)


def drawn_model(folder: Path, labels: LabelSchema = PLAIN, **changes: object) -> Path:
    """A model folder for the engine "drawn"; it has no real weights, and that engine asks for none."""
    folder.mkdir(parents=True)
    (folder / WEIGHTS_NAME).write_bytes(b"none")
    card = ModelCard(
        name="drawn",
        version="1",
        summary="Reads the maps off the colours.",
        architecture=NetworkConfig(patch_window=2),
        labels=labels,
        um_per_px=UM_PER_PX,
        margin_px=32,
        checksum=hashlib.sha256(b"none").hexdigest(),
    )
    write_card(folder, card.model_copy(update=changes))
    return folder


class DrawnEngine:
    """One colour channel a task; counts the tiles that it runs."""

    tiles_run = 0

    def __init__(self, folder: Path, tasks: tuple[str, ...], choice: object) -> None:
        self._tasks = tasks

    def run(self, pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.generic]]:
        type(self).tiles_run += 1
        return maps_of(pixels, self._tasks)


ENGINES.add("drawn", f"{__name__}:DrawnEngine")


def maps_of(pixels: NDArray[np.uint8], tasks: tuple[str, ...]) -> dict[str, NDArray[np.generic]]:
    """The maps of any number of pixels."""
    out: dict[str, NDArray[np.generic]] = {}
    for task in tasks:
        if task in CHANNELS:
            value = pixels[..., CHANNELS[task]].astype(np.int16)
            interior = np.clip(2 * (value - 128), 0, 255)
            out[task] = np.stack([interior, np.minimum(value, 255 - value)]).astype(np.uint8)
        elif task == "nuclei_type":
            # two classes, and none where the green channel is at its lowest
            green = pixels[..., 1]
            out[task] = np.where(green > 128, 1, np.where(green > 60, 2, 0)).astype(np.uint8)[None]
        else:
            height, width = pixels.shape[0] // 64, pixels.shape[1] // 64
            means = pixels[: height * 64, : width * 64].reshape(height, 64, width, 64, 3).mean(axis=(1, 3)) / 255
            rest = 1 - means.max(axis=-1, keepdims=True)
            out[task] = np.moveaxis(np.concatenate([rest, means], axis=-1), -1, 0).astype(np.float32)
    return out


def draw_blobs(shape: tuple[int, int], *, seed: int = 0, um_per_px: float | Scale = UM_PER_PX) -> NDArray[np.uint8]:
    """An RGB image of smooth blobs: small ones in red, large ones in green, some in blue."""
    rng = np.random.default_rng(seed)
    scale = um_per_px if isinstance(um_per_px, Scale) else Scale.isotropic(um_per_px)
    channels = []
    for sigma_um in (2.0, 14.0, 5.0):
        noise = ndimage.gaussian_filter(rng.standard_normal(shape), (sigma_um / scale.y, sigma_um / scale.x))
        channels.append(128 + 90 * noise / noise.std())
    return np.clip(np.rint(np.stack(channels, axis=-1)), 0, 255).astype(np.uint8)


def write_blobs(
    path: Path, shape: tuple[int, int], *, seed: int = 0, um_per_px: float | Scale | None = UM_PER_PX
) -> Path:
    """A lossless slide of blobs."""
    image = draw_blobs(shape, seed=seed, um_per_px=um_per_px or UM_PER_PX)
    write_tiff_pyramid(path, image, shape=shape, um_per_px=um_per_px, compression="deflate")
    return path


def drawn_request(slide: Path, project: Path, model: Path, **changes: object) -> SegmentRequest:
    """A request that runs the engine "drawn" on small tiles, glass and all; blobs are no H&E, which is not said."""
    fields: dict[str, object] = {"slides": (slide,), "project": project, "model": str(model), "engine": "drawn"}
    fields |= {"use_tissue_mask": False, "tile_px": 256, "look_first": False}
    return SegmentRequest(**fields | changes)  # type: ignore[arg-type]


def run(request: SegmentRequest) -> list[object]:
    """All events of a request."""
    return list(segment(request))


@dataclass(frozen=True)
class Expected:
    """A slide's objects at level 0, and its maps, worked out in one piece."""

    labels: dict[str, NDArray[np.int32]]
    tissue: NDArray[np.int64]
    nuclei_types: NDArray[np.generic]


def expected_objects(path: Path, labels: LabelSchema = PLAIN, um_per_px: float | None = None) -> Expected:
    """Decode the whole slide's maps at once and take the nearest model pixel for each level-0 pixel."""
    with open_slide(path, um_per_px=um_per_px) as slide:
        shape, scale = slide.shape, slide.scale
        pixels = slide.read(Rect(0, 0, *slide.shape_at(UM_PER_PX)), UM_PER_PX)
    assert scale is not None
    maps = maps_of(pixels, labels.names)
    found = {task: decode_instances(*maps[task], labels[task].post) for task in ("nuclei", "gland", "lumen")}
    found["lumen"] = clip_labels(found["lumen"], found["gland"])
    rows = nearest(shape[0], scale.y, pixels.shape[0])
    cols = nearest(shape[1], scale.x, pixels.shape[1])
    level0 = {task: ids[rows][:, cols] for task, ids in found.items()}
    # the network sees mirrored pixels beyond the slide's edge
    border = [(0, -side % 64) for side in pixels.shape[:2]]
    padded = np.pad(pixels, [*border, (0, 0)], mode="reflect")
    tissue = maps_of(padded, ("tissue",))["tissue"].argmax(axis=0) + 1
    types = maps_of(pixels, ("nuclei_type",))["nuclei_type"][0]
    return Expected(level0, tissue, types)


def nearest(size: int, um_per_px: float, model_size: int) -> NDArray[np.int64]:
    """The model pixel whose area holds the centre of each level-0 pixel."""
    edges = np.arange(1, model_size) * UM_PER_PX / um_per_px
    return np.searchsorted(edges, np.arange(size) + 0.5, side="right")
