"""What `pathloop evaluate` asks for, and what its help says."""

import argparse
from pathlib import Path

from pathloop.metrics import DEFAULT_RADIUS_PX, FROC_RATES

__all__ = ["DESCRIPTION", "EPILOG", "add_options"]

DESCRIPTION = """\
Score label images against their truths: Dice, object Dice, PQ and AJI per image and as means over the images that are
not empty in both, F1 (IoU > 0.5) and PQ pooled over images, and the GlaS challenge's own definitions. No size filter.

Files are paired by path relative to the folder, else by stem; a trailing _TASK does not count, and of a folder that
holds such files only those are taken. Label images are single-channel TIFF or PNG: 0 = background, one number an
object. A mask (0/1, 0/255) is one object, unless --components splits it.

Truths may be point tables (CSV with columns x,y in pixels): then the centres of the predicted objects, or predicted
points, are matched one to one within --radius, and F1, precision and recall are reported.

Task tissue compares class codes pixel by pixel: Dice and Jaccard of every class, their means, accuracy, mF1 and the
confusion; pixels with code 0 (not run, not annotated) on either side are left out.

What more is printed if you say more:
  classes      --pred-classes and --truth-classes (objects), a column type in both tables (points): mPQ, mPQ+, mF1,
               F1 and PQ of every class, confusion. A match then needs the class too
  confidences  a column confidence or score in the files of --pred-classes (objects) or in the predicted points: AP,
               mAP where classes are known, FROC, calibration error
               --confidence (tissue): calibration error; --probabilities (tissue): AP of every class, mAP
"""

EPILOG = """\
class files, one for each pair, found by the same name (also with _objects, _classes, _types or _TASK at its end):
  CSV          columns id,class, and if there confidence (or score) and task: what 'pathloop export --format csv' and
               training sets write
  TIFF, PNG    class codes: an object has the code that most of its pixels have; --class-names names the codes
An object without a class is in no number by class, and neither is a prediction that matches it.

examples:
  pathloop export study.pathloop --format labels-tiff -o labels
  pathloop evaluate --pred labels --truth annotations --task gland
  pathloop evaluate --pred masks --truth annotations --task gland --components
  pathloop evaluate --pred labels --truth points --task nuclei --radius 6 --json > nuclei.json
  pathloop evaluate --pred a_gland.tif b_gland.tif --truth a.png b.png --task gland --csv rows.csv

  pathloop export study.pathloop --format csv -o tables
  pathloop evaluate --pred labels --pred-classes tables --truth set/nuclei/instances \\
                    --truth-classes set/nuclei/objects --task nuclei
  pathloop evaluate --pred labels --truth annotations --task tissue --class-names tumour stroma other
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add all options."""
    parser.add_argument(
        "--pred", nargs="+", type=Path, required=True, metavar="PATH", help="predictions: one folder, or files"
    )
    parser.add_argument(
        "--truth", nargs="+", type=Path, required=True, metavar="PATH", help="truths: one folder, or files"
    )
    parser.add_argument("--task", required=True, help="nuclei, gland, lumen, tissue, or another task's name")
    parser.add_argument(
        "--components", action="store_true", help="split masks (one value) into their 4-connected components"
    )
    parser.add_argument(
        "--radius",
        type=float,
        metavar="PX",
        help=f"largest distance of a matched point, in pixels of the image (default {DEFAULT_RADIUS_PX:g}: 3.3 um at "
        "0.55 um per px, as in Sirinukunwattana et al. 2016)",
    )
    parser.add_argument(
        "--hausdorff",
        action=argparse.BooleanOptionalAction,
        help="compute the object Hausdorff distance, which is slow (default: for gland and lumen only)",
    )
    parser.add_argument("--per-image", action="store_true", help="list every image, even if there are more than 20")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write one row an image to this CSV file")
    _add_class_options(parser)


def _add_class_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("classes and confidences")
    group.add_argument(
        "--pred-classes",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="of the predicted objects: folder, or files",
    )
    group.add_argument(
        "--truth-classes", nargs="+", type=Path, metavar="PATH", help="of the true objects: folder, or files"
    )
    group.add_argument(
        "--class-names",
        nargs="+",
        default=(),
        metavar="NAME",
        help="names of the codes 1, 2, ...",
    )
    group.add_argument(
        "--confidence",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="tissue: how sure each predicted code is; folder, or files (also named _confidence) of single-channel "
        "images, 0 to 1 as floating point, or 8 or 16 bit where the largest value means 1",
    )
    group.add_argument(
        "--probabilities",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="tissue: how likely each class is; folder, or files (also named _probabilities): TIFF with one channel a "
        "class, code 1 first, valued as for --confidence",
    )
    group.add_argument(
        "--false-positives",
        nargs="+",
        type=float,
        default=FROC_RATES,
        metavar="N",
        help="false positives per image at which FROC is read (default: 0.25 0.5 1 2 4 8, as in CAMELYON16)",
    )
