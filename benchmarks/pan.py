"""Frames of a scripted pan over a slide: nothing running, against the worker segmenting the whole slide meanwhile.

usage: python benchmarks/pan.py SLIDE [--um-per-px F] [--frames N]       (under Xvfb: software OpenGL; read the ratio)

Both pans are the same, on the same layers, in one process; the second begins once the first tiles are on screen.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from pathloop.gui._current import session_for
from pathloop.gui._start import add_panels


def wait(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError
        QApplication.processEvents()
        time.sleep(0.005)


def pan(viewer, session, frames):
    """ms of each frame: the camera moves, everything that follows is handled and drawn."""
    height, width = session.current.slide.shape
    scale = session.current.scale.um_per_px
    camera, times = viewer.scene.camera, []
    camera.zoom = 1.0
    for index in range(frames):
        turn = 2 * np.pi * index / frames
        camera.center = (scale * height * (0.5 + 0.2 * np.sin(turn)), scale * width * (0.5 + 0.2 * np.cos(turn)))
        start = time.perf_counter()
        viewer.screenshot(canvas_only=True, flash=False)
        QApplication.processEvents()
        times.append(1000 * (time.perf_counter() - start))
        time.sleep(0.01)
    return np.array(times[5:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("slide", type=Path)
    parser.add_argument("--um-per-px", type=float)
    parser.add_argument("--frames", type=int, default=120)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        slide = Path(shutil.copy(options.slide, folder))
        viewer = napari.Viewer(show=True)
        panels = add_panels(viewer)
        session = session_for(viewer)
        panels["Slides"].window().resize(1366, 768)
        session.open_slide(slide, um_per_px=options.um_per_px)
        wait(lambda: session.current is not None)
        conductor = panels["Segment"].presenter.conductor
        wait(lambda: conductor.computing.engine)
        panels["Segment"].presenter.choose_place("slide")
        panels["Segment"].presenter.run()
        wait(lambda: any(len(session.frame(task)) for task in session.tasks))
        pan(viewer, session, 20)
        busy = pan(viewer, session, options.frames)
        assert conductor.state == "running", "the run ended before the pan: take a larger slide"
        conductor.pause()
        wait(lambda: conductor.state == "paused")
        idle = pan(viewer, session, options.frames)
        print(f"{'':8} {'median':>8} {'p95':>8} {'worst':>8}   ms a frame")
        for name, times in (("paused", idle), ("running", busy)):
            print(f"{name:8} {np.median(times):8.1f} {np.percentile(times, 95):8.1f} {times.max():8.1f}")
        print(f"p95 running / paused: {np.percentile(busy, 95) / np.percentile(idle, 95):.2f}")
        session.close()
        viewer.close()


if __name__ == "__main__":
    main()
