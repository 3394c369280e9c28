"""What exports cost at 10,000, 100,000 and 1,000,000 objects: seconds, size of the file, peak memory of the process.

    python benchmarks/exporting.py [--objects 10000 100000 1000000] [--formats geojson csv parquet]

A grey slide of about 200 px an object, its objects discs of about 9 px on a grid, imported as a label image. Every
export is the command line in a process of its own; memory is that process's highest resident size. "bare" is the
command with nothing to do (`pathloop export --help`): what Python and its libraries take by themselves.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from importing import prepare

from pathloop.core import Scale
from pathloop.loop.importing import ImportRequest, import_file
from pathloop.rasters import write_tiff_pyramid

STEP = 14
"""Distance of neighbours on the grid, px."""


def discs(per_row):
    """Label image of a grid of discs, read by rectangle; nothing slide-sized is made."""
    y, x = np.indices((STEP, STEP))
    disc = (y - STEP / 2) ** 2 + (x - STEP / 2) ** 2 < 4.5**2

    def read(rect):
        rows, columns = np.arange(rect.y, rect.bottom), np.arange(rect.x, rect.right)
        ids = 1 + (rows // STEP)[:, None] * per_row + (columns // STEP)[None]
        return np.where(disc[np.ix_(rows % STEP, columns % STEP)], ids, 0).astype(np.uint32)

    return read


def filled(folder, n):
    """A project with about n objects."""
    per_row = int(np.ceil(np.sqrt(n)))
    side = per_row * STEP
    project, labels = prepare(folder, side), folder / "grey_nuclei.tif"
    write_tiff_pyramid(labels, discs(per_row), shape=(side, side), um_per_px=Scale.isotropic(0.5))
    for _ in import_file(ImportRequest(project, labels, task="nuclei")):
        pass
    return project


def measured(arguments):
    """Seconds and peak MiB of the command line."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "pathloop", *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(arguments)}: exit status {process.returncode}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def main():
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--formats", nargs="+", default=["geojson", "csv", "parquet"])
    options = parser.parse_args()
    seconds, memory = measured(["export", "--help"])
    print(f"bare{'':24} {seconds:7.1f} s {'':9} {memory:7.0f} MiB", flush=True)
    for n in options.objects:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            project = filled(folder, n)
            for kind in options.formats:
                out = folder / kind
                seconds, memory = measured(["export", str(project), "--format", kind, "-o", str(out)])
                size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6
                print(f"{n:9,d} objects  {kind:10} {seconds:7.1f} s {size:7.1f} MB {memory:7.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
