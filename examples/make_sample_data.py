"""Draw the sample slide and its truth again: ``python examples/make_sample_data.py [FOLDER]``."""

import sys
from pathlib import Path

from pathloop.synth import write_slide

SHAPE = (2600, 3400)
UM_PER_PX = 0.5
SEED = 20


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "sample_data"
    write_slide(
        folder / "colon_sample.tif", SHAPE, um_per_px=UM_PER_PX, seed=SEED, truth_dir=folder / "truth", abnormal=0.3
    )
    for file in sorted(folder.rglob("*.tif")):
        print(f"{file}: {file.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
