"""What bringing outlines back costs: a first import, the unchanged ring, and a ring with some outlines edited.

    python benchmarks/importing.py [--objects 100000] [--side 20000] [--profile]

A grey slide of the given side, an empty project, and a GeoJSON file of round outlines of 30 corners. Printed: seconds
of each step as a user's command would take, and per 1,000 outlines. The floor is what reading the JSON alone takes.
"""

import argparse
import cProfile
import json
import pstats
import tempfile
import time
from pathlib import Path

import numpy as np

from pathloop.core import Scale
from pathloop.loop import ExportRequest, export
from pathloop.loop.importing import ImportRequest, import_file
from pathloop.rasters import write_tiff_pyramid
from pathloop.slides import open_slide
from pathloop.store import Project


def prepare(folder: Path, side: int) -> Path:
    """A grey slide and an empty project that knows it."""
    slide = folder / "grey.tif"
    write_tiff_pyramid(
        slide, lambda rect: np.full((*rect.shape, 3), 200, np.uint8), shape=(side, side), um_per_px=Scale.isotropic(0.5)
    )
    with open_slide(slide) as opened, Project.create(slide.with_suffix(".pathloop")) as project:
        project.add_slide(
            slide,
            fingerprint=opened.fingerprint,
            shape=opened.shape,
            um_per_px_y=opened.scale.y,
            um_per_px_x=opened.scale.x,
            reader=opened.format,
        )
    return slide.with_suffix(".pathloop")


def write_outlines(path: Path, side: int, n: int) -> None:
    """Circles of 30 corners on a grid, as QuPath would write detections."""
    per_row = int(np.ceil(np.sqrt(n)))
    step = side / per_row
    angles = np.linspace(0, 2 * np.pi, 30, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1) * min(step * 0.4, 9)
    features = []
    for number in range(n):
        centre = ((number % per_row + 0.5) * step, (number // per_row + 0.5) * step)
        ring = np.round(circle + centre, 2).tolist()
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [[*ring, ring[0]]]},
                "properties": {"objectType": "detection", "classification": {"name": "nucleus"}},
            }
        )
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def main() -> None:
    """Measure all steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--profile", action="store_true", help="where the time goes, for each import")
    options = parser.parse_args()

    def timed(label, act, *, profile=options.profile):
        profiler = cProfile.Profile()
        began = time.perf_counter()
        if profile:
            profiler.enable()
        found = act()
        profiler.disable()
        seconds = time.perf_counter() - began
        print(f"{label:34} {seconds:8.1f} s {1e3 * seconds / options.objects * 1e3:8.1f} ms per 1,000", flush=True)
        if profile:
            pstats.Stats(profiler).sort_stats("cumtime").print_stats(35)
        return found

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = prepare(folder, options.side)
        outlines = folder / "outlines.geojson"
        write_outlines(outlines, options.side, options.objects)
        timed("reading the JSON alone", lambda: json.loads(outlines.read_bytes()), profile=False)
        run = lambda path: list(import_file(ImportRequest(project, path, task="nuclei")))[-1].summary  # noqa: E731
        print(timed("first import", lambda: run(outlines)))
        timed(
            "export",
            lambda: list(export(ExportRequest(project, "geojson", folder / "out"))),
            profile=False,
        )
        ring = folder / "out" / "grey.geojson"
        print(timed("unchanged ring", lambda: run(ring)))
        value = json.loads(ring.read_bytes())
        features = value["features"] if isinstance(value, dict) else value
        for feature in features[:: max(len(features) // 1000, 1)]:
            rings = feature["geometry"]["coordinates"]
            rings[0] = [[x + 2, y] for x, y in rings[0]]
        ring.write_text(json.dumps(value))
        print(timed("ring with 1,000 outlines moved", lambda: run(ring)))


if __name__ == "__main__":
    main()
