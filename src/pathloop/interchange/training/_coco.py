"""COCO: one JSON file of images, annotations and categories."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from pathloop.core import Rect
from pathloop.interchange.training._files import write_png
from pathloop.interchange.training._layout import Piece, TrainingOptions, cut_pieces
from pathloop.interchange.training._region import SPLITS, TrainingRegion, TrainingTask
from pathloop.interchange.training._rle import object_runs, runs_to_text
from pathloop.rasters import Outline, trace_outlines

__all__ = ["CocoSet"]

_WAITING = ".waiting"
_UNCLASSED = "unclassified"


class CocoSet:
    """``<task>/images/<name>.png`` and ``<task>/annotations.json``, the same again by split."""

    summary = """\
* `<task>/images/<name>.png` (RGB); `<task>/annotations.json` (all) and `<task>/annotations_train.json`,
  `annotations_val.json`, `annotations_test.json` (by split, the same ids).
* Categories are the task's classes. Without classes there is one, named as the task; where several classes exist,
  objects without a known one are in the last category, `unclassified`.
* `segmentation`: compressed run lengths of exactly the object's pixels, holes and parts included. As polygons (if
  asked for), objects without a hole have one polygon a part along the edges of their pixels.
* Coordinates are (x, y) with (0, 0) at the outer corner of the first pixel: 0.5 more than with pixel centres at whole
  numbers. `bbox` is [x, y, width, height] in the same, `area` the number of pixels, `iscrowd` always 0.
* Beside what COCO names, images have `region`, `rect` (y, x, height, width in the region), `split` and `um_per_px`,
  annotations have `project_id` and `state`.

COCO cannot ignore pixels. A region that was not reviewed everywhere is cut into the largest rectangles that were
(`<name>~1`, `<name>~2`, ...); what lies outside them is left out, objects on their edges are cut. `manifest.json` gives
each rectangle and what was dropped. The tissue map is no set of objects and is left out.
"""

    def __init__(self, folder: Path, options: TrainingOptions) -> None:
        self._folder = folder
        self._options = options
        self._images: dict[str, list[dict[str, Any]]] = {}
        self._categories: dict[str, list[dict[str, Any]]] = {}
        self._next_annotation: dict[str, int] = {}

    def add(self, region: TrainingRegion) -> dict[str, Any]:
        """Write the images, and the annotations of each into a file that waits for its split."""
        entries: list[dict[str, Any]] = []
        dropped: list[str] = []
        for name, task in sorted(region.tasks.items()):
            self._categories.setdefault(name, _categories(name, task))
            pieces, lost = cut_pieces(region, name, self._options.min_side_px)
            dropped += lost
            for piece in pieces:
                self._add(name, task, piece, region)
                entries.append(piece.entry(name))
        return {"images": entries, "dropped": dropped}

    def _add(self, name: str, task: TrainingTask, piece: Piece, region: TrainingRegion) -> None:
        images = self._images.setdefault(name, [])
        image = {
            "id": len(images) + 1,
            "file_name": f"{piece.name}.png",
            "height": piece.rect.height,
            "width": piece.rect.width,
            "region": region.name,
            "rect": [piece.rect.y, piece.rect.x, piece.rect.height, piece.rect.width],
            "um_per_px": region.um_per_px,
        }
        images.append(image)
        write_png(self._folder / name / "images" / f"{piece.name}.png", piece.image)
        waiting = self._folder / name / _WAITING / str(image["id"])
        waiting.parent.mkdir(parents=True, exist_ok=True)
        first = self._next_annotation.get(name, 1)
        as_polygons = self._options.coco_segmentation == "polygon"
        with waiting.open("w", encoding="utf-8", newline="\n") as stream:
            for annotation in _annotations(piece, task, as_polygons=as_polygons):
                stream.write(_json({"id": first, "image_id": image["id"], **annotation}) + "\n")
                first += 1
        self._next_annotation[name] = first

    def finish(self, splits: Mapping[str, str]) -> None:
        """Join the annotations, all of them and those of each split."""
        for name, images in self._images.items():
            for image in images:
                image["split"] = splits[image["region"]]
            folder = self._folder / name
            self._join(name, images, folder / "annotations.json")
            for split in SPLITS:
                chosen = [image for image in images if image["split"] == split]
                if chosen:
                    self._join(name, chosen, folder / f"annotations_{split}.json")
            for image in images:
                (folder / _WAITING / str(image["id"])).unlink()
            (folder / _WAITING).rmdir()

    def _join(self, name: str, images: list[dict[str, Any]], path: Path) -> None:
        info = {"description": f"{name}, corrected in pathloop", "version": "1.0"}
        with path.open("w", encoding="utf-8", newline="\n") as stream:
            stream.write(f'{{"info":{_json(info)},"licenses":[],\n"categories":{_json(self._categories[name])},\n')
            stream.write('"images":[\n' + ",\n".join(map(_json, images)) + '\n],\n"annotations":[')
            self._append(stream, name, images)
            stream.write("\n]}\n")

    def _append(self, stream: TextIO, name: str, images: list[dict[str, Any]]) -> None:
        separator = "\n"
        for image in images:
            with (self._folder / name / _WAITING / str(image["id"])).open(encoding="utf-8") as lines:
                for line in lines:
                    stream.write(separator + line.rstrip("\n"))
                    separator = ",\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _categories(name: str, task: TrainingTask) -> list[dict[str, Any]]:
    names = [one.name for one in task.classes] or [name]
    colors = [list(one.color) for one in task.classes] or [[128, 128, 128]]
    if len(names) > 1:
        names.append(_UNCLASSED)
        colors.append([128, 128, 128])
    return [
        {"id": number, "name": one, "supercategory": name, "color": color}
        for number, (one, color) in enumerate(zip(names, colors, strict=True), start=1)
    ]


def _annotations(piece: Piece, task: TrainingTask, *, as_polygons: bool) -> Iterator[dict[str, Any]]:
    labels, ids = piece.numbered.labels, piece.numbered.ids.tolist()
    several = len(task.classes) > 1
    outlines: dict[int, Outline] = dict(trace_outlines(labels)) if as_polygons else {}
    for number, (top, left, bottom, right), counts in object_runs(labels):
        box = Rect.from_bounds(top, left, bottom, right)
        polygons = _polygons(outlines.get(number, ()))
        code = task.code_of(ids[number - 1]) if several else 1
        yield {
            "category_id": code or len(task.classes) + 1,
            "segmentation": polygons or {"size": list(labels.shape), "counts": runs_to_text(counts)},
            "bbox": [box.x, box.y, box.width, box.height],
            "area": sum(counts[1::2]),
            "iscrowd": 0,
            "project_id": ids[number - 1],
            "state": task.state_of(ids[number - 1]),
        }


def _polygons(outline: Outline) -> list[list[int]]:
    """x, y, x, y, ... of every part; none where a part has a hole, which COCO's polygons cannot have."""
    if any(len(part) > 1 for part in outline):
        return []
    return [part[0][:, ::-1].ravel().tolist() for part in outline]
