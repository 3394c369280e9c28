"""How often the quality note is wrong: false flags on good images, and what it finds of faults made on them.

    python benchmarks/quality.py [--hull] [--every 6]

--hull makes the outline of ordinary stains in `slides/_stain.py` from one half of the cases of the open images (every
set weighs what it holds) and prints it. Without, the other half is noted as it is (false flags by set, of any kind) and
with faults made on it: blurred by a Gaussian of 1 to 8 px of 0.5 um, kept as JPEG; brown for eosin or for dense
hematoxylin, grey, inverted, paler and darker. Images come from PATHLOOP_DATA; nothing is written but temporary files.
"""

import argparse
import csv
import os
import tempfile
import zlib
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from pathloop.slides import open_slide, quality_note
from pathloop.slides._stain import stain_place
from pathloop.slides._tissue import find_tissue, optical_density, overview

SETS = {"ebhi_seg": 1.0, "cpm_sbu": 0.5, "dsb2018_color": None}
"""um per px where the list states none; EBHI-Seg's is an estimate, that of dsb2018_color is not known."""
HULL_DROPPED = 0.02
HEMATOXYLIN, EOSIN, BROWN = np.array([(0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78)])
"""Ruifrok and Johnston 2001."""


def listed(data, *, every):
    """Set, case, path and um per px."""
    for kind, usual in SETS.items():
        with (data / kind / "index.csv").open(encoding="utf-8") as stream:
            for row in list(csv.DictReader(stream))[:: every if kind == "ebhi_seg" else 1]:
                yield kind, row["case"], data / kind / row["image"], float(row["um_per_px"] or 0) or usual
    for path in sorted((data / "crc_tissue_samples").rglob("*.*")):
        if path.suffix in (".tif", ".png") and not path.name.startswith("BACK"):
            yield "crc_tissue_samples", path.name, path, 0.5


def is_for_making(case):
    """One half of the cases."""
    return zlib.crc32(case.encode()) % 2 == 0


def read(path):
    """RGB pixels."""
    return np.asarray(Image.open(path).convert("RGB"))


class Noted:
    """Notes of images in memory, by way of a file."""

    def __init__(self, folder):
        self.folder = folder

    def opened(self, rgb, um_per_px, quality=None):
        """An open slide of the pixels; JPEG where a quality is given."""
        path = self.folder / ("a.png" if quality is None else "a.jpg")
        Image.fromarray(rgb).save(path, **({} if quality is None else {"quality": quality}))
        return open_slide(path, um_per_px=um_per_px)

    def shares(self, rgb, um_per_px, quality=None):
        """Share of the tissue by fault; None where there is no tissue."""
        with self.opened(rgb, um_per_px, quality) as slide:
            note = quality_note(slide)
        return note.shares if sum(note.shares.values()) else None


def place_of(slide):
    """Where an image lies in the plane of stains; None without tissue."""
    seen = overview(slide, 8.0)
    tissue, _ = find_tissue(seen.rgb, seen.um_per_px)
    return stain_place(optical_density(seen.rgb)[tissue].mean(axis=0)) if tissue.sum() >= 8 else None


def without_outermost(found):
    """Places without the share that lies farthest out for the set's own spread."""
    apart = found - np.median(found, axis=0)
    distance = np.einsum("ij,jk,ik->i", apart, np.linalg.inv(np.cov(apart.T)), apart)
    return found[distance <= np.quantile(distance, 1 - HULL_DROPPED)]


def make_hull(images, noted):
    """The convex hull of the places of the images for making, without the outermost of them."""
    places: dict[str, list] = {}
    for kind, case, path, um_per_px in images:
        if is_for_making(case):
            with noted.opened(read(path), um_per_px) as slide:
                if (place := place_of(slide)) is not None:
                    places.setdefault(kind, []).append(place)
    kept = np.concatenate([without_outermost(np.array(found)) for found in places.values()])
    hull = cv2.approxPolyDP(cv2.convexHull(kept.astype(np.float32)), 0.01, closed=True)[:, 0]
    print(f"{len(kept)} images; HULL = np.array({np.round(hull, 3).tolist()}, np.float32)")


def unmixed(rgb):
    """Amounts of hematoxylin and eosin, and a function that puts stains together."""
    density = -np.log10((rgb.astype(float) + 1) / 256)
    third = np.cross(HEMATOXYLIN, EOSIN)
    amounts = np.clip(density @ np.linalg.inv(np.stack([HEMATOXYLIN, EOSIN, third / np.linalg.norm(third)])), 0, None)

    def mixed(*parts):
        total = sum(amount[..., None] * stain for amount, stain in parts)
        return np.clip(256 * 10**-total - 1, 0, 255).astype(np.uint8)

    return amounts[..., 0], amounts[..., 1], mixed


def stain_faults(rgb):
    """Images with another stain, and with H&E paler and darker."""
    blue, pink, mixed = unmixed(rgb)
    dense = np.clip(blue - np.median(blue), 0, None)
    yield "brown nuclei", mixed((blue * 0.35, HEMATOXYLIN), (dense * 1.3, BROWN))
    yield "brown for eosin", mixed((blue * 0.5, HEMATOXYLIN), (pink, BROWN))
    yield "brown for eosin, strong blue", mixed((blue, HEMATOXYLIN), (pink * 0.8, BROWN))
    yield "magenta for eosin", mixed((blue, HEMATOXYLIN), (pink, np.array([0.175, 0.972, 0.155])))
    yield "blue-green for eosin", mixed((blue * 0.5, HEMATOXYLIN), (pink, np.array([0.85, 0.5, 0.15])))
    yield "grey", np.repeat(rgb.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    yield "inverted", 255 - rgb
    yield "H&E at half strength", mixed((blue * 0.5, HEMATOXYLIN), (pink * 0.5, EOSIN))
    yield "H&E at 1.6 times", mixed((blue * 1.6, HEMATOXYLIN), (pink * 1.6, EOSIN))


def blurred(rgb, um_per_px, sigma):
    """Out of focus by ``sigma`` px of 0.5 um."""
    return cv2.GaussianBlur(rgb, (0, 0), sigma * 0.5 / (um_per_px or 0.25))


def report(images, noted):
    """Print all rates."""
    checked = [image for image in images if not is_for_making(image[1])]
    rates: dict[tuple[str, str, str], list[float]] = {}

    def add(made, kind, shares):
        for fault, share in (shares or {}).items():
            rates.setdefault((made, kind, fault), []).append(share)

    for kind, _, path, um_per_px in checked:
        rgb = read(path)
        add("as it is", kind, noted.shares(rgb, um_per_px))
        for sigma in (1.0, 1.5, 2.0, 3.0, 4.0, 8.0):
            add(f"blurred {sigma:g} px", kind, noted.shares(blurred(rgb, um_per_px, sigma), um_per_px, quality=85))
        for name, other in stain_faults(rgb):
            add(name, kind, noted.shares(other, um_per_px))
    faults = ("out of focus", "pen", "fold", "stain unlike H&E")
    print(f"{'share of images flagged':32s}{'set':20s}{'images':>7s}" + "".join(f"{fault:>18s}" for fault in faults))
    for made, kind in dict.fromkeys((made, kind) for made, kind, _ in rates):
        flagged = {fault: np.mean(np.array(rates[made, kind, fault]) >= 0.1) for fault in faults}
        n = len(rates[made, kind, "pen"])
        print(f"{made:32s}{kind:20s}{n:7d}" + "".join(f"{flagged[fault]:18.1%}" for fault in faults))


def main():
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hull", action="store_true")
    parser.add_argument("--every", type=int, default=6, help="of EBHI-Seg's images (default: %(default)s)")
    options = parser.parse_args()
    data = Path(os.environ.get("PATHLOOP_DATA", "../shared/data")) / "open"
    images = list(listed(data, every=options.every))
    with tempfile.TemporaryDirectory() as folder:
        (make_hull if options.hull else report)(images, Noted(Path(folder)))


if __name__ == "__main__":
    main()
