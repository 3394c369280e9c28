"""Correct the glands of an image against its true masks, with real mouse and key events, as a pathologist would.

    python benchmarks/pathologist.py IMAGE TRUTH --um-per-px 0.62 [--shots FOLDER]

IMAGE lies beside its segmented project (IMAGE.pathloop, see `pathloop segment`), which is copied and left alone;
TRUTH is an image of ids. Needs a display or Xvfb. The hand knows the truth and the tools: it deletes what is no gland,
merges parts, cuts what is one object too few, asks the network for missed glands and draws round those that it does not
find, then paints and erases along outlines that are off. It works from coarse points, as hands do.

Printed: PQ, F1 and Dice before and after; actions by tool; clicks, drags, keys; how long each mouse event took until it
was drawn, and each key or release until it was saved (what the program costs); and the time that a person would need by
the keystroke-level model (Card, Moran & Newell 1980: 0.28 s a key, 1.1 s to point, 0.1 s a press, 1.35 s to think
before each object; 0.9 s for 100 px of a drawn line).
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "gui" / "correcting"))

THINK_S, POINT_S, PRESS_S, KEY_S, LINE_S_PER_PX = 1.35, 1.1, 0.1, 0.28, 0.009
GOOD_IOU = 0.85
"""Outlines that are this close are left alone."""


def score(labels, truth):
    """PQ, F1 and Dice, for print."""
    from pathloop.metrics import panoptic_counts
    from pathloop.rasters import overlap_table

    counts = panoptic_counts(overlap_table(labels.astype(np.int32), truth.astype(np.int32)))
    dice = 2 * ((labels > 0) & (truth > 0)).sum() / max((labels > 0).sum() + (truth > 0).sum(), 1)
    return f"PQ {counts.pq:.3f}  F1 {counts.dq:.3f}  Dice {dice:.3f}  objects {len(np.unique(labels)) - 1}"


def iou(one, other):
    """Of two masks."""
    return (one & other).sum() / max((one | other).sum(), 1)


def contour(mask, every):
    """The outline of a mask's largest part, a point every so many px of its length: (N, 2), (y, x)."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return max(found, key=len)[::every, 0, ::-1]


class Hand:
    """Mouse and keys, counted and timed."""

    def __init__(self, viewer, session, corrector):
        from mouse import Mouse, wait

        self.mouse, self.wait = Mouse(viewer, session), wait
        self.session, self.corrector = session, corrector
        self.counts, self.tools = Counter(), Counter()
        self.person_s, self.waits, self.moves = 0.0, [], []
        send = self.mouse._send

        def timed(kind, place, button, buttons):
            self._sent = time.perf_counter()
            send(kind, place, button, buttons)
            if buttons:
                self.moves.append(time.perf_counter() - self._sent)

        self.mouse._send = timed

    @property
    def labels(self):
        """Glands as the window shows them."""
        return self.corrector.window.tasks["gland"].labels

    def _settled(self, began=None):
        """From a key, or the release of the button, until the journal has it."""
        self.wait(lambda: self.session.journal.state == "saved")
        self.waits.append(time.perf_counter() - (began or self._sent))

    def think(self, tool):
        """Decide on an object."""
        self.person_s += THINK_S
        self.tools[tool] += 1

    def key(self, name):
        """Press a key."""
        from qtpy.QtCore import Qt

        began = time.perf_counter()
        self.mouse.key(getattr(Qt.Key, f"Key_{name}"))
        self.counts["keys"] += 1
        self.person_s += KEY_S
        self._settled(began)

    def tool(self, name, key):
        """Choose a tool, if it is not the chosen one."""
        if self.corrector.tool != name:
            self.key(key)

    def point(self, y, x):
        """Hold the mouse over a place."""
        self.mouse.move(y, x)
        self.person_s += POINT_S

    def click(self, y, x):
        """Click."""
        self.mouse.click(y, x)
        self.counts["clicks"] += 1
        self.person_s += POINT_S + PRESS_S
        self._settled()

    def drag(self, points):
        """Draw a line."""
        self.mouse.drag([tuple(map(float, one)) for one in points], steps=3)
        self.counts["drags"] += 1
        length = float(np.abs(np.diff(np.asarray(points, float), axis=0)).sum())
        self.person_s += POINT_S + 2 * PRESS_S + LINE_S_PER_PX * length
        self._settled()


def inner_point(mask):
    """The pixel deepest inside a mask."""
    deep = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    return np.unravel_index(int(deep.argmax()), deep.shape)


def shares(labels, truth):
    """For each predicted object the true ones in it, with the share of each true one's area that it holds."""
    table = {}
    areas = dict(zip(*np.unique(truth, return_counts=True), strict=True))
    for number in np.unique(labels[labels > 0]).tolist():
        ids, counts = np.unique(truth[labels == number], return_counts=True)
        table[number] = {int(i): c / areas[i] for i, c in zip(ids, counts, strict=True) if i}
    return table


def delete_strangers(hand, truth):
    """Objects of which less than a quarter is gland."""
    for number in np.unique(hand.labels[hand.labels > 0]).tolist():
        mask = hand.labels == number
        if (truth[mask] > 0).mean() < 0.25:
            hand.think("delete")
            hand.point(*inner_point(mask))
            hand.key("D")


def cut_joined(hand, truth):
    """Objects that hold most of several glands, cut along the middle between them."""
    for number, held in shares(hand.labels, truth).items():
        parts = [one for one, share in held.items() if share > 0.4]
        while len(parts) > 1:
            one = parts.pop()
            mask = hand.labels == number
            near = ndimage.distance_transform_edt(truth != one)
            others = ndimage.distance_transform_edt(~np.isin(truth, parts))
            side = (near < others) & mask
            edge = side & ndimage.binary_dilation(mask & ~side)
            places = np.argwhere(edge)
            if len(places) < 3:
                continue
            middle = places.mean(axis=0)
            _, _, axes = np.linalg.svd(places - middle, full_matrices=False)
            along = (places - middle) @ axes[0]
            # a hand's line: bends where the gap does, and reaches over both ends
            stops = np.linspace(along.min(), along.max(), 5)
            line = [places[np.abs(along - stop).argmin()] for stop in stops]
            line = [middle + axes[0] * (along.min() - 8), *line, middle + axes[0] * (along.max() + 8)]
            hand.think("split")
            hand.tool("split", "S")
            hand.drag(np.clip(line, 0, np.array(truth.shape) - 1))


def merge_parts(hand, truth):
    """Objects that are mostly parts of the same gland."""
    for one in np.unique(truth[truth > 0]).tolist():
        ids = []
        for number in np.unique(hand.labels[truth == one]).tolist():
            mask = hand.labels == number
            if number and (truth[mask] == one).mean() > 0.6 and mask.sum() > 60:
                ids.append(number)
        if len(ids) > 1:
            hand.think("merge")
            hand.tool("merge", "G")
            hand.drag([inner_point(hand.labels == number) for number in ids])


def find_missed(hand, truth):
    """Glands that nothing matches: the network's outline where it has one, else drawn."""
    for one in np.unique(truth[truth > 0]).tolist():
        mask = truth == one
        ids, counts = np.unique(hand.labels[mask], return_counts=True)
        best = max((iou(hand.labels == number, mask) for number in ids if number), default=0.0)
        if best > 0.35 or mask.sum() < 60:
            continue
        for number in [int(i) for i, c in zip(ids, counts, strict=True) if i]:
            mine = hand.labels == number
            if (truth[mine] == one).mean() > 0.5:  # a poor piece of it is in the way
                hand.think("delete")
                hand.point(*inner_point(mine))
                hand.key("D")
        place = inner_point(mask & (hand.labels == 0))
        hand.think("find")
        before = hand.labels.copy()
        hand.tool("wand", "W")
        hand.click(*place)
        hand.key("Return")
        found = (hand.labels != before) & (hand.labels > 0)
        if iou(found, mask) > 0.55:
            continue
        if found.any():
            hand.tools["find, refused"] += 1
            hand.mouse.key(*_undo())
            hand.counts["keys"] += 1
            hand.person_s += KEY_S
            hand.wait(lambda: hand.session.journal.state == "saved")
        hand.think("lasso")
        hand.tool("lasso", "Q")
        hand.drag(contour(mask, every=10))


def _undo():
    from qtpy.QtCore import Qt

    return Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier


def mend_outlines(hand, truth, brush_px):
    """Paint what is missing at matched glands and erase what is too much, along the pieces that are broad enough."""
    for one in np.unique(truth[truth > 0]).tolist():
        mask = truth == one
        ids, counts = np.unique(hand.labels[mask], return_counts=True)
        known = [(int(c), int(i)) for i, c in zip(ids, counts, strict=True) if i]
        if not known:
            continue
        number = max(known)[1]
        if iou(hand.labels == number, mask) > GOOD_IOU:
            continue
        for tool, key, where in (
            ("brush", "P", mask & (hand.labels == 0)),
            ("eraser", "E", (hand.labels == number) & (truth != one)),
        ):
            core = ndimage.binary_erosion(where, iterations=max(brush_px // 3, 1))
            pieces, n = ndimage.label(core)
            for piece in range(1, n + 1):
                places = np.argwhere(pieces == piece)
                if len(places) < 12:
                    continue
                hand.think(tool)
                hand.tool(tool, key)
                start = np.argwhere((hand.labels == number) & mask)
                if len(start) == 0:
                    break
                begin = start[((start - places[0]) ** 2).sum(axis=1).argmin()] if tool == "brush" else places[0]
                hand.drag([begin, *sweep(places, brush_px)])


def mend_warnings(hand, presenter):
    """Crumbs and loose pieces that the hand left: the first of each kind is chosen, the rest go with it."""
    from qtpy.QtCore import Qt

    hand.wait(lambda: True)
    for kind in ("crumb", "pieces"):
        time.sleep(0.3)
        hand.wait(lambda: True)
        found = [i for i, one in enumerate(presenter.hints.hints) if one.kind == kind]
        if found:
            hand.think("mend all")
            hand.person_s += POINT_S + PRESS_S + KEY_S
            hand.counts["clicks"] += 1
            hand.counts["keys"] += 1
            presenter.go_to_hint(found[0])
            hand.mouse.key(Qt.Key.Key_U, Qt.KeyboardModifier.ShiftModifier)
            hand.wait(lambda: hand.session.journal.state == "saved")


def sweep(places, step):
    """A path over a piece: to and fro, row by row of the brush."""
    path = []
    for i, y in enumerate(range(int(places[:, 0].min()), int(places[:, 0].max()) + 1, max(step - 2, 2))):
        columns = places[places[:, 0] == y][:, 1]
        if columns.size:
            ends = [(y, int(columns.min())), (y, int(columns.max()))]
            path += ends if i % 2 == 0 else ends[::-1]
    return path or [tuple(places[0])]


def main() -> None:
    """Correct one image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path)
    parser.add_argument("truth", type=Path)
    parser.add_argument("--um-per-px", type=float)
    parser.add_argument("--shots", type=Path, help="folder for a picture of the window after each step")
    options = parser.parse_args()
    os.environ["PATHLOOP_CONFIG"] = tempfile.mkdtemp()
    truth = cv2.imread(str(options.truth), cv2.IMREAD_UNCHANGED)
    truth = (truth if truth.ndim == 2 else truth[..., 0]).astype(np.int32)
    import napari

    from pathloop.core import Rect
    from pathloop.gui._current import session_for
    from pathloop.gui._start import add_panels

    with tempfile.TemporaryDirectory() as folder:
        image = Path(shutil.copy(options.image, folder))
        shutil.copytree(options.image.with_suffix(".pathloop"), image.with_suffix(".pathloop"))
        viewer = napari.Viewer()
        viewer.window.resize(1366, 768)
        panels = add_panels(viewer)
        session = session_for(viewer)
        corrector = panels["Correct"].presenter.corrector
        hand = Hand(viewer, session, corrector)
        session.open_slide(image)
        hand.wait(lambda: session.current is not None and session.current.slide_id and len(session.frame("gland")))
        panels["Correct"].presenter.opener.open(Rect(0, 0, *truth.shape), ("gland",))
        hand.wait(lambda: corrector.window is not None)
        session.go_to(Rect(0, 0, *truth.shape))
        began = time.perf_counter()
        hand.wait(lambda: not panels["Correct"].presenter.assistant.reason(), 60)
        print(f"the network's maps were there after {time.perf_counter() - began:.1f} s")
        corrector.sketch.layer.visible = True
        for layer in corrector.window.tasks.values():
            layer.layer.brush_size = 14
        print(f"before           {score(hand.labels, truth)}")
        steps = {
            "delete": lambda: delete_strangers(hand, truth),
            "split": lambda: cut_joined(hand, truth),
            "merge": lambda: merge_parts(hand, truth),
            "find and lasso": lambda: find_missed(hand, truth),
            "brush and erase": lambda: mend_outlines(hand, truth, 14),
            "mend": lambda: mend_warnings(hand, panels["Correct"].presenter),
        }
        for i, (name, step) in enumerate([("start", lambda: None), *steps.items()]):
            step()
            if name != "start":
                print(f"{name:16} {score(hand.labels, truth)}")
            if options.shots:
                options.shots.mkdir(parents=True, exist_ok=True)
                hand.wait(lambda: True)
                viewer.screenshot(
                    str(options.shots / f"{image.stem}_{i}_{name.replace(' ', '_')}.png"),
                    canvas_only=False,
                    flash=False,
                )
        print("objects touched:", ", ".join(f"{name} {n}" for name, n in hand.tools.items()))
        print(", ".join(f"{n} {name}" for name, n in hand.counts.items()))
        waits, moves = 1e3 * np.array(hand.waits), 1e3 * np.array(hand.moves)
        print(
            f"drawn after each mouse event: median {np.median(moves):.0f} ms, p95 {np.percentile(moves, 95):.0f} ms; "
            f"saved after a key or release: median {np.median(waits):.0f} ms, p95 {np.percentile(waits, 95):.0f} ms; "
            f"a person: about {hand.person_s:.0f} s by the model"
        )
        session.close()
        viewer.close()


if __name__ == "__main__":
    main()
