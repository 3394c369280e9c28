"""Opening a 100,000 px slide in napari, through dask and straight from zarr: time until it is seen, memory, panning.

    python benchmarks/open_slide.py            needs a display, or xvfb-run on the path

The slide is a pyramidal JPEG TIFF whose tiles repeat a few drawn squares, encoded once. Each route runs in a fresh
process with a real window. "Seen" counts from opening the file to the first drawn canvas; a pan step is 150 screen
pixels at 1:1, drawn. Memory is the resident set of the whole process, Qt and napari included.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SIDE_PX = 100_000
TILE_PX = 512
PAN_STEPS = 40
PAN_PX = 150


PANELS = "dask, panels open"


def write_slide(path: Path, side: int) -> None:
    """The pyramid, tile by tile from ready bytes."""
    import imagecodecs
    import tifffile

    from pathloop.synth import draw_colon

    pixels = draw_colon((2 * TILE_PX, 2 * TILE_PX), um_per_px=0.5, seed=1).image
    squares = [pixels[y : y + TILE_PX, x : x + TILE_PX] for y in (0, TILE_PX) for x in (0, TILE_PX)]
    encoded = [
        imagecodecs.jpeg_encode(one.copy(), level=60, colorspace="RGB", outcolorspace="YCBCR", subsampling="420")
        for one in squares
    ]

    def tiles(size: int) -> Iterator[bytes]:
        across = -(-size // TILE_PX)
        for number in range(across * across):
            yield encoded[(number * 7 + number // across) % len(encoded)]

    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        number, size = 0, side
        while True:
            writer.write(
                tiles(size),
                shape=(size, size, 3),
                dtype="uint8",
                tile=(TILE_PX, TILE_PX),
                photometric="ycbcr",
                subsampling=(2, 2),
                compression="jpeg",
                subfiletype=int(number > 0),
                resolution=(20_000 / 4**number, 20_000 / 4**number),
                resolutionunit="centimeter",
                metadata=None,
            )
            if size <= 1024:
                return
            number, size = number + 1, -(-size // 4)


def measure(path: Path, route: str) -> dict[str, float]:
    """One window; runs in a process of its own."""
    import napari
    import numpy as np
    import psutil
    from qtpy.QtWidgets import QApplication

    from pathloop.gui._current import session_for
    from pathloop.gui._start import add_panels
    from pathloop.gui.opening import slide_layer_data
    from pathloop.slides import open_slide

    viewer = napari.Viewer(show=True)

    def rest() -> None:
        for _ in range(200 if route == PANELS else 50):
            QApplication.processEvents()
            time.sleep(0.01)

    rest()
    process = psutil.Process()
    empty = process.memory_info().rss
    if route == PANELS:
        add_panels(viewer)
        session = session_for(viewer)
        rest()
        start = time.perf_counter()
        session.open_slide(path)
        while session.current is None:
            QApplication.processEvents()
        slide = session.current.slide
    else:
        start = time.perf_counter()
        slide = open_slide(path)
        data, options = slide_layer_data(slide, direct_zarr=route == "zarr")
        viewer.add_image(data, **options)
    QApplication.processEvents()
    picture = np.asarray(viewer.screenshot(flash=False))
    seen = time.perf_counter() - start
    if picture[..., :3].std() < 10:
        raise SystemExit("the canvas is empty")
    camera = viewer.scene.camera
    camera.zoom = 1 / slide.scale.um_per_px
    QApplication.processEvents()
    frames = []
    for step in range(PAN_STEPS):
        started = time.perf_counter()
        centre = np.asarray(camera.center[-2:]) + slide.scale.um_per_px * PAN_PX * np.array([step % 2, 1])
        camera.center = tuple(float(value) for value in centre)
        QApplication.processEvents()
        frames.append(time.perf_counter() - started)
    megabytes = process.memory_info().rss / 1e6
    if route == PANELS:
        session.close()
    viewer.close()
    slide.close()
    return {
        "seen_s": seen,
        "empty_mb": empty / 1e6,
        "rss_mb": megabytes,
        "pan_median_ms": 1e3 * float(np.median(frames)),
        "pan_p95_ms": 1e3 * float(np.quantile(frames, 0.95)),
        "pan_worst_ms": 1e3 * max(frames),
    }


def run(path: Path, route: str) -> dict[str, float]:
    """Measure one route in a fresh process."""
    command = [sys.executable, __file__, "--measure", str(path), "--route", route]
    if not os.environ.get("DISPLAY") and sys.platform == "linux":
        command = ["xvfb-run", "-a", "-s", "-screen 0 1366x768x24", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr[-2000:])
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--side", type=int, default=SIDE_PX, help="pixels a side (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="windows a route, alternating (default: %(default)s)")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--route", default="dask", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.route)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.tif"
        started = time.perf_counter()
        write_slide(path, options.side)
        size = path.stat().st_size / 1e9
        print(f"{options.side:,} px a side, {size:.2f} GB, written in {time.perf_counter() - started:.0f} s")
        print(f"{shutil.disk_usage(folder).free / 1e9:.0f} GB free")
        rows: dict[str, list[dict[str, float]]] = {"dask": [], "zarr": [], PANELS: []}
        for _ in range(options.rounds):
            for route, found in rows.items():
                found.append(run(path, route))
    print("| route | seen, s | RSS, MB (napari alone) | pan median, ms | pan p95, ms | worst, ms |")
    print("|---|---|---|---|---|---|")
    for route, found in rows.items():
        best = {key: sorted(one[key] for one in found)[len(found) // 2] for key in found[0]}
        print(
            f"| {route} | {best['seen_s']:.2f} | {best['rss_mb']:.0f} ({best['empty_mb']:.0f}) |"
            f" {best['pan_median_ms']:.0f} | {best['pan_p95_ms']:.0f} | {best['pan_worst_ms']:.0f} |"
        )


if __name__ == "__main__":
    main()
