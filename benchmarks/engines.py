"""Engines and precisions side by side on one input tile: seconds, mm2 per minute, and the ratio to the first row.

python benchmarks/engines.py [--model fast] [--tile-px 1024] [--repeats 5]
"""

import argparse
import statistics
import time

import numpy as np

from pathloop.networks import find_model, read_card
from pathloop.predict import EngineChoice, load_engine
from pathloop.synth import draw_colon


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="fast")
    parser.add_argument("--tile-px", type=int, default=1024)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    folder = find_model(options.model)
    card = read_card(folder)
    side = options.tile_px
    pixels = draw_colon((side, side), um_per_px=card.um_per_px, outline=False).image
    mm2 = (side * card.um_per_px / 1000) ** 2
    choices = [
        EngineChoice(engine, "cpu", precision, "benchmark")
        for engine in ("torch", "openvino")
        for precision in ("fp32", "bf16")
    ]
    engines = [load_engine(folder, card.labels.names, choice) for choice in choices]
    seconds: list[list[float]] = [[] for _ in engines]
    first = None
    for engine in engines:
        maps = engine.run(pixels)
        first = maps if first is None else first
    # interleaved, so that a slow moment of the machine hits all of them
    for _ in range(options.repeats):
        for row, engine in zip(seconds, engines, strict=True):
            started = time.perf_counter()
            engine.run(pixels)
            row.append(time.perf_counter() - started)
    base = statistics.median(seconds[0])
    print(f"{'engine':22s} {'s/tile':>8s} {'s/mm2':>8s} {'ratio':>7s}  mean difference of the maps (of 255)")
    for choice, row, engine in zip(choices, seconds, engines, strict=True):
        middle = statistics.median(row)
        maps = engine.run(pixels)
        differences = [
            np.abs(maps[task].astype(float) - first[task].astype(float)).mean()
            for task in maps
            if maps[task].dtype == np.uint8
        ]
        print(
            f"{choice.summary:22s} {middle:8.3f} {middle / mm2:8.2f} {base / middle:7.2f}  {np.mean(differences):.3f}"
        )


if __name__ == "__main__":
    main()
