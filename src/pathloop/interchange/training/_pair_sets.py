"""Images beside label images: the layouts of Cellpose and of StarDist."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pathloop.interchange.training._files import write_ids, write_object_table, write_png, write_tif
from pathloop.interchange.training._layout import Piece, TrainingOptions, cut_pieces
from pathloop.interchange.training._region import TrainingRegion

__all__ = ["CellposeSet", "StarDistSet"]

_CUT = """\

Neither tool can ignore pixels. A region that was not reviewed everywhere is cut into the largest rectangles that
were (`<name>~1`, `<name>~2`, ...); what lies outside them is left out, objects on their edges are cut. `manifest.json`
gives each rectangle and what was dropped. The tissue map is no set of objects and is left out.
"""
# Cellpose takes files of such names for results of its own and not for images
_RESERVED = ("_masks", "_flows", "_flows_0", "_flows_1", "_flows_2", "_cp_output", "_cellprob")
_WAITING = ".waiting"


class _PairSet:
    """One folder a task; files wait in it until their split is known."""

    def __init__(self, folder: Path, options: TrainingOptions) -> None:
        self._folder = folder
        self._min_side_px = options.min_side_px
        self._waiting: list[tuple[str, Path, Path]] = []

    def _write(self, folder: Path, piece: Piece) -> list[Path]:
        raise NotImplementedError

    def add(self, region: TrainingRegion) -> dict[str, Any]:
        """Write image, label image and object table of every reviewed rectangle."""
        entries: list[dict[str, Any]] = []
        dropped: list[str] = []
        for name, task in sorted(region.tasks.items()):
            folder = self._folder / name
            pieces, lost = cut_pieces(region, name, self._min_side_px)
            dropped += lost
            for piece in pieces:
                waiting = folder / _WAITING
                for path in self._write(waiting, piece):
                    self._waiting.append((region.name, folder, path.relative_to(waiting)))
                write_object_table(folder / "objects" / f"{piece.name}.csv", piece.numbered, task)
                entries.append(piece.entry(name))
        return {"images": entries, "dropped": dropped}

    def finish(self, splits: Mapping[str, str]) -> None:
        """Move the files into ``train``, ``val`` and ``test``."""
        for region, folder, path in self._waiting:
            target = folder / splits[region] / path
            target.parent.mkdir(parents=True, exist_ok=True)
            (folder / _WAITING / path).rename(target)
        for folder in {folder for _, folder, _ in self._waiting}:
            for part in sorted((folder / _WAITING).rglob("*"), reverse=True):
                part.rmdir()
            (folder / _WAITING).rmdir()


class CellposeSet(_PairSet):
    """``<task>/<split>/<name>.png`` and ``<name>_masks.tif``."""

    summary = (
        """\
* `<task>/train/<name>.png` (RGB) and `<task>/train/<name>_masks.tif` (object numbers 1 .. n, 0 = none, 16 bit, or 32
  above 65,535 objects), likewise `val` and `test`. For example
  `cellpose --train --dir nuclei/train --test_dir nuclei/val --mask_filter _masks`.
* `<task>/objects/<name>.csv`: for each number the object's id in the project, class, review state and area; Cellpose
  itself knows no classes.
* A region whose name ends like a result of Cellpose (`_masks`, `_flows`, ...) gets `~image` behind it.
"""
        + _CUT
    )

    def _write(self, folder: Path, piece: Piece) -> list[Path]:
        name = piece.name + ("~image" if piece.name.endswith(_RESERVED) else "")
        image = folder / f"{name}.png"
        write_png(image, piece.image)
        return [image, write_ids(folder / f"{name}_masks", piece.numbered, only_tif=True)]


class StarDistSet(_PairSet):
    """``<task>/<split>/images/<name>.tif`` and ``<task>/<split>/masks/<name>.tif``."""

    summary = (
        """\
* `<task>/train/images/<name>.tif` (RGB) and `<task>/train/masks/<name>.tif` (object numbers 1 .. n, 0 = none, 16 bit,
  or 32 above 65,535 objects), likewise `val` and `test`; the layout of StarDist's examples.
* `<task>/objects/<name>.csv`: for each number the object's id in the project, class, review state and area; its
  `class_code` column is what a multi-class StarDist model wants.
"""
        + _CUT
    )

    def _write(self, folder: Path, piece: Piece) -> list[Path]:
        image = folder / "images" / f"{piece.name}.tif"
        write_tif(image, piece.image)
        return [image, write_ids(folder / "masks" / piece.name, piece.numbered, only_tif=True)]
