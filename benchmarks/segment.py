"""Seconds per mm2 of tissue of whole runs, stage by stage: engines side by side, and the official mode.

    python benchmarks/segment.py [--side 3072] [--repeats 2]
        [--engines openvino:bf16:1024 openvino:fp32:1024 torch:fp32:1024]

A drawn slide that is all tissue (512 px JPEG tiles, 0.5 um per px) is segmented with the bundled model, all tasks,
from the file to the project; a row is engine, precision and side of the tiles. Rows are interleaved. "outside" are
core-seconds of everything but the network: reading, post-processing, joining, writing. ``official``: the published
way, `cerberus` with random weights in plain NCHW fp32 torch with the stock allocator, 448 px patches of which 144 px
are kept, in a process of its own; its s/mm2 is extrapolated from the median seconds of a few patches, without reading
or post-processing.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATCH_PX, CORE_PX, UM_PER_PX = 448, 144, 0.5
ROWS = ["openvino:bf16:1024", "openvino:fp32:1024", "torch:fp32:1024"]


class Clock:
    """Wall and thread seconds of wrapped functions."""

    def __init__(self):
        self.wall, self.cpu = {}, {}

    def reset(self):
        """Begin anew."""
        self.wall, self.cpu = {}, {}

    def wrap(self, owner, name, stage):
        """Count the time of a function as a stage."""
        whole = getattr(owner, name)

        def timed(*arguments, **options):
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                return whole(*arguments, **options)
            finally:
                self.wall[stage] = self.wall.get(stage, 0.0) + time.perf_counter() - wall
                self.cpu[stage] = self.cpu.get(stage, 0.0) + time.thread_time() - cpu

        setattr(owner, name, timed)


def official(n):
    """Median seconds of a published patch."""
    import torch

    from pathloop.learn import COLON_LABELS
    from pathloop.networks import CERBERUS
    from pathloop.networks.multitask import MultiTaskNetwork

    torch.manual_seed(0)
    network = MultiTaskNetwork(CERBERUS, COLON_LABELS).eval()
    pixels = torch.rand(1, 3, PATCH_PX, PATCH_PX)
    seconds = []
    with torch.no_grad():
        network(pixels)
        for _ in range(n):
            began = time.perf_counter()
            network(pixels)
            seconds.append(time.perf_counter() - began)
    print(statistics.median(seconds))


def one_run(slide, folder, engine, precision, tile_px, clock):
    """Stages of one run, seconds: wall and cores."""
    from pathloop.core import TileDone
    from pathloop.loop import SegmentRequest, segment

    clock.reset()
    wall, cpu = time.perf_counter(), time.process_time()
    request = SegmentRequest((slide,), folder, device="cpu", engine=engine, precision=precision, tile_px=tile_px)
    area = 0.0
    for event in segment(request):
        if isinstance(event, TileDone):
            area = event.done_mm2
    return time.perf_counter() - wall, time.process_time() - cpu, area, dict(clock.wall), dict(clock.cpu)


def main():
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=3072)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--engines", nargs="+", default=ROWS)
    parser.add_argument("--official-patches", type=int, default=6)
    parser.add_argument("--official-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.official_only:
        official(options.official_patches)
        return
    from pathloop.loop import _segment
    from pathloop.predict import _openvino, _pipeline, _torch
    from pathloop.synth import write_slide

    clock = Clock()
    clock.wrap(_pipeline, "_read", "read")
    clock.wrap(_pipeline._Recorder, "_record", "post-processing")
    clock.wrap(_openvino.OpenVinoEngine, "run", "network")
    clock.wrap(_torch.TorchEngine, "run", "network")
    clock.wrap(_segment, "load_engine", "loading")
    finish = _segment.finish_slide

    def finished(*arguments):
        wall, cpu = time.perf_counter(), time.thread_time()
        yield from finish(*arguments)
        clock.wall["writing"] = time.perf_counter() - wall
        clock.cpu["writing"] = time.thread_time() - cpu

    _segment.finish_slide = finished
    rows = {name: [] for name in options.engines}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slide = folder / "tissue.tif"
        write_slide(slide, (options.side, options.side), um_per_px=UM_PER_PX, seed=1)
        for repeat in range(options.repeats + 1):
            for row, found in rows.items():
                engine, precision, tile_px = row.split(":")
                project = folder / f"{engine}-{precision}-{tile_px}-{repeat}.pathloop"
                taken = one_run(slide, project, engine, precision, int(tile_px), clock)
                if repeat:  # the first one converts and fills caches
                    found.append(taken)
    command = [sys.executable, __file__, "--official-only", "--official-patches", str(options.official_patches)]
    patch = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    reference = patch / (CORE_PX * UM_PER_PX / 1000) ** 2
    print("s per mm2 (median); stages overlap in part; outside: core-seconds per mm2 of all but the network")
    names = ("read", "network", "post-processing", "writing")
    print(f"{'engine':20} {'all':>8} " + " ".join(f"{name:>15}" for name in names) + "  outside  official /")
    for row, found in rows.items():
        area = found[0][2]
        whole = statistics.median(one[0] - one[3]["loading"] for one in found) / area
        stages = [statistics.median(one[3].get(name, 0.0) for one in found) / area for name in names]
        outside = statistics.median(sum(one[4].get(name, 0.0) for name in names if name != "network") for one in found)
        numbers = " ".join(f"{value:15.2f}" for value in stages)
        print(f"{row:20} {whole:8.2f} {numbers} {outside / area:8.2f} {reference / whole:10.0f}x")
    print(f"{'official':20} {reference:7.1f}   ({patch:.2f} s a patch, network alone, extrapolated)")


if __name__ == "__main__":
    main()
