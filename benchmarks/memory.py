"""Memory, disk and time of segmenting slides of growing size: flat, below 2 bytes a pixel, and linear?

    python benchmarks/memory.py [--sides 10000 20000 40000] [--share 0.3]

Drawn slides (a mosaic of pieces of colon, of which ``--share`` are there and the others glass; 0.5 um per px) through
`pathloop segment`, all tasks, with the engine that the CPU gets. Memory is the highest PSS over the process and its
children, sampled every half second; disk the highest size of the project folder meanwhile, scratch files included.
Linux only.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from pathloop.core import Rect, Scale
from pathloop.rasters import write_tiff_pyramid
from pathloop.slides import open_slide, tissue_mask
from pathloop.synth import _slide as drawing

SAMPLE_S, UM_PER_PX = 0.5, 0.5


def write_sparse(path, side, share):
    """A mosaic as `write_slide` draws it, in which only a share of the pieces is left."""
    mosaic = drawing._mosaic((side, side), UM_PER_PX, seed=1, abnormal=0.35)
    (height, width), grid = mosaic.piece, mosaic.choice.shape[:2]
    rank = np.random.default_rng(1).permutation(grid[0] * grid[1]).reshape(grid)
    gone = np.argwhere(rank >= round(share * rank.size))
    places = [Rect(row * height, column * width, height, width) for row, column in gone.tolist()]

    def read(rect):
        pixels = mosaic.read("image", rect)
        for place in places:
            pixels[place.intersect(rect).relative_to(rect).slices] = mosaic.glass
        return pixels

    write_tiff_pyramid(path, read, shape=(side, side), um_per_px=Scale.isotropic(UM_PER_PX))


def pss(process):
    """Bytes over a process and its children."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return total


def disk(folder):
    """Bytes that its files take."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).stat().st_blocks * 512
            except FileNotFoundError:
                continue
    return total


def main():
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", type=int, nargs="+", default=[10_000, 20_000, 40_000])
    parser.add_argument("--share", type=float, default=0.3, help="of the pieces that are there")
    options = parser.parse_args()
    print(" side px  tissue     mm2  seconds   s/mm2  PSS MiB  bytes/px")
    for side in options.sides:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            path, project = folder / "slide.tif", folder / "slide.pathloop"
            write_sparse(path, side, options.share)
            with open_slide(path) as slide:
                mask = tissue_mask(slide)
                share, area = float(mask.mask.mean()), mask.area_mm2
            began, most, most_disk, polled = time.perf_counter(), 0, 0, 0
            command = [sys.executable, "-m", "pathloop", "segment", str(path), "-o", str(project), "--device", "cpu"]
            process = psutil.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            while process.poll() is None:
                most = max(most, pss(process))
                if polled % 20 == 0:
                    most_disk = max(most_disk, disk(project))
                polled += 1
                time.sleep(SAMPLE_S)
            seconds = time.perf_counter() - began
            last = process.stdout.read().splitlines()[-1:]
            most_disk = max(most_disk, disk(project))
            if process.returncode:
                sys.exit(f"segment failed: {last}")
            print(
                f"{side:8d} {share:7.0%} {area:7.1f} {seconds:8.0f} {seconds / area:7.2f} {most / 2**20:8.0f}"
                f" {most_disk / side**2:9.3f}   {' '.join(last)[:70]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
