"""A person corrects a region with mouse and keys, in a process that will be killed.

python journey_child.py SLIDE LOG
"""

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ["PATHLOOP_CONFIG"] = tempfile.mkdtemp()

import napari
from mouse import Mouse, wait
from qtpy.QtCore import Qt

from pathloop.gui._current import session_for
from pathloop.gui._start import add_panels
from pathloop.store import Project

SHIFT = Qt.KeyboardModifier.ShiftModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


def free_square(labels, side=20):
    for y in range(120, 480, 3):
        for x in range(120, 380, 3):
            if not labels[y : y + side, x : x + side].any():
                return y, x
    raise AssertionError("no room")


def main(slide, log):
    out = log.open("a", buffering=1)
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    panels = add_panels(viewer)
    session = session_for(viewer)
    session.open_slide(slide)
    wait(lambda: session.current is not None and session.current.slide_id)
    wait(lambda: len(session.frame("nuclei")) > 0)
    with Project.open(slide.with_suffix(".pathloop"), write=False) as project:
        [region] = project.regions()
    panel = panels["Correct"]
    corrector = panel.presenter.corrector
    session.region_wanted.emit(region)
    wait(lambda: corrector.window is not None)
    corrector.choose_task("nuclei")
    own = corrector.window.tasks["nuclei"]
    mouse = Mouse(viewer, session)
    viewer.scene.camera.zoom = 8
    top, left = free_square(own.labels)
    y, x = top + own.rect.y, left + own.rect.x
    viewer.scene.camera.center = session.current.layer.data_to_world((y + 10.0, x + 10.0))
    time.sleep(0.2)
    wait(lambda: True)

    def saved(what):
        wait(lambda: session.journal.state == "saved")
        out.write(f"{what} {own.at(top + 10, left + 7)} {own.labels.sum()}\n")

    def key(name, modifier=Qt.KeyboardModifier.NoModifier):
        mouse.key(getattr(Qt.Key, f"Key_{name}"), modifier)

    key("Q")
    mouse.drag([(y + 2, x + 2), (y + 2, x + 17), (y + 17, x + 17), (y + 17, x + 2)])
    saved("lasso")
    key("P")
    mouse.drag([(y + 10, x + 10), (y + 10, x + 16)])
    saved("brush")
    key("E")
    mouse.drag([(y + 17, x + 3), (y + 17, x + 2)])
    saved("eraser")
    key("S")
    mouse.drag([(y - 6, x + 10), (y + 26, x + 10)])
    saved("split")
    key("G")
    mouse.drag([(y + 10, x + 6), (y + 10, x + 14)])
    saved("merge")
    mouse.move(y + 10, x + 7)
    key("T")
    saved("smooth")
    key("A")
    saved("accept")
    key("K")
    saved("lock")
    key("K")
    saved("unlock")
    panel.presenter.new_class("mitosis")
    wait(lambda: len(own.classes) == 2)
    mouse.move(y + 10, x + 7)
    key("2")
    saved("class")
    key("J")
    panel.presenter.choose_class(1)
    mouse.drag([(y + 10, x + 5), (y + 10, x + 9)])
    saved("class-brush")
    key("Y")
    assert panel.buttons["polygon"].isChecked()
    key("Z", CONTROL)
    saved("undo")
    key("Z", CONTROL | SHIFT)
    saved("redo")
    out.write("edited\n")
    while True:
        wait(lambda: True)
        time.sleep(0.05)


main(Path(sys.argv[1]), Path(sys.argv[2]))
