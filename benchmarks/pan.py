"""Frames of a scripted pan over a slide: nothing running, against segmenting or fine-tuning going on meanwhile.

usage: python benchmarks/pan.py SLIDE [--um-per-px F] [--frames N] [--beside segmenting|training]
                                                           (under Xvfb: software OpenGL; read the ratio)

All pans are the same, on the same layers, in one process. Beside segmenting, the first begins once the first tiles are
on screen and the other one when the run is paused; beside training, one before, one while, and one while it is paused.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import napari
import numpy as np
from qtpy.QtWidgets import QApplication

from pathloop.core import Rect, StepDone, outcome
from pathloop.gui._current import session_for
from pathloop.gui._start import add_panels
from pathloop.loop import SegmentRequest, segment
from pathloop.loop.correct import accept_region, add_regions
from pathloop.loop.tuning import TuneRequest, prepare, read_events, start_process, wish_for
from pathloop.store import Project, Region


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


def beside_segmenting(viewer, panels, session, frames):
    """Frames while the slide is segmented, and while that run is paused."""
    conductor = panels["Segment"].presenter.conductor
    wait(lambda: conductor.computing.engine)
    panels["Segment"].presenter.choose_place("slide")
    panels["Segment"].presenter.run()
    wait(lambda: any(len(session.frame(task)) for task in session.tasks))
    pan(viewer, session, 20)
    busy = pan(viewer, session, frames)
    assert conductor.state == "running", "the run ended before the pan: take a larger slide"
    conductor.pause()
    wait(lambda: conductor.state == "paused")
    return pan(viewer, session, frames), busy


def beside_training(viewer, session, frames, run):
    """Frames before, while and after a fine-tuning run trains; it is paused for the last."""
    pan(viewer, session, 20)
    before = pan(viewer, session, frames)
    start_process(run)
    wait(lambda: any(isinstance(event, StepDone) for event in read_events(run.folder)))
    busy = pan(viewer, session, frames)
    assert run.state == "running", "the run ended before the pan"
    wish_for(run, "pause")
    wait(lambda: run.state == "paused")
    after = pan(viewer, session, frames)
    wish_for(run, "cancel")
    wait(lambda: not run.is_alive)
    return np.concatenate([before, after]), busy


def reviewed_project(slide):
    """A project beside the slide, segmented, with one region done; a run that waits to be started."""
    path = slide.with_suffix(".pathloop")
    for _ in segment(SegmentRequest((slide,), path, use_tissue_mask=False)):
        pass
    with Project.open(path, write=True) as project:
        [record] = project.slides()
        states = dict.fromkeys(project.tasks(record.slide_id), "todo")
        region = Region(0, record.slide_id, Rect(0, 0, 1000, 1000), states=states)
        accept_region(project, add_regions(project, record.slide_id, [region])[1][0].id)
    return outcome(prepare(TuneRequest(path, steps=2000)), lambda event: None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("slide", type=Path)
    parser.add_argument("--um-per-px", type=float)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--beside", choices=("segmenting", "training"), default="segmenting")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        slide = Path(shutil.copy(options.slide, folder))
        run = reviewed_project(slide) if options.beside == "training" else None
        viewer = napari.Viewer(show=True)
        panels = add_panels(viewer)
        session = session_for(viewer)
        panels["Slides"].window().resize(1366, 768)
        session.open_slide(slide, um_per_px=options.um_per_px)
        wait(lambda: session.current is not None)
        if run is None:
            idle, busy = beside_segmenting(viewer, panels, session, options.frames)
        else:
            wait(lambda: len(session.tasks) and all(len(session.frame(task)) for task in session.tasks))
            idle, busy = beside_training(viewer, session, options.frames, run)
        print(f"{'':10} {'median':>8} {'p95':>8} {'worst':>8}   ms a frame")
        for name, times in (("idle", idle), (options.beside, busy)):
            print(f"{name:10} {np.median(times):8.1f} {np.percentile(times, 95):8.1f} {times.max():8.1f}")
        print(f"p95 {options.beside} / idle: {np.percentile(busy, 95) / np.percentile(idle, 95):.2f}")
        session.close()
        viewer.close()


if __name__ == "__main__":
    main()
