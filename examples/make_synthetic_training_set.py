"""Draw the synthetic part of the bundled model's training set: 140 pieces of colon with exact labels.

    python examples/make_synthetic_training_set.py FOLDER

The bundled sample slide has another seed and is not among them.
"""

import sys
from pathlib import Path

import cv2
import numpy as np

from pathloop.synth import draw_colon

N_IMAGES = 140
FIRST_SEED = 1000


def main(folder: Path) -> None:
    for name in ("images", "labels/nuclei", "labels/gland", "labels/lumen", "labels/tissue"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    for index in range(N_IMAGES):
        abnormal = float(rng.choice([0, 0.35, 0.35, 1.0]))
        shape = (512, 512) if index % 2 else (900, 640)
        drawn = draw_colon(shape, um_per_px=0.5, seed=FIRST_SEED + index, outline=index % 3 == 0, abnormal=abnormal)
        name = f"synth_{index:03d}.png"
        cv2.imwrite(str(folder / "images" / name), cv2.cvtColor(drawn.image, cv2.COLOR_RGB2BGR))
        for task in ("nuclei", "gland", "lumen"):
            cv2.imwrite(str(folder / "labels" / task / name), drawn.labels[task].astype(np.uint16))
        cv2.imwrite(str(folder / "labels" / "tissue" / name), drawn.tissue)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
