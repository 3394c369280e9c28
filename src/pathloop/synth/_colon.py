"""A drawn piece of colon mucosa with exact truth."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pathloop.core import Scale, UsageError
from pathloop.synth._canvas import Canvas, Structure
from pathloop.synth._crypts import Crypt, place_crypts
from pathloop.synth._epithelium import claim_crypts, paint_crypts, paint_surface
from pathloop.synth._ground import paint_ground, place_mucus, vessels
from pathloop.synth._layout import lay_out
from pathloop.synth._noise import grain, smooth_noise
from pathloop.synth._stain import draw_stain, photograph, stain_nuclei
from pathloop.synth._stroma import paint_cells, paint_vessel_walls

__all__ = ["SynthSlide", "draw_colon"]


@dataclass(frozen=True, slots=True)
class SynthSlide:
    """A synthetic image and its truth.

    Parameters
    ----------
    image
        (H, W, 3) uint8 RGB.
    labels
        "nuclei", "gland", "lumen": (H, W) int32, 0 = background, ids 1..n without gaps, each one 4-connected part. A
        gland includes its lumina; a lumen belongs to the one gland around it.
    nucleus_classes
        (n + 1,) uint8, code in `NUCLEUS_CLASSES` of every nucleus id; 0 for the background.
    tissue
        (H, W) uint8, codes of `TISSUES`.
    structure
        (H, W) uint8, codes of `STRUCTURES`.
    um_per_px
        Pixel size.
    """

    image: npt.NDArray[np.uint8]
    labels: dict[str, npt.NDArray[np.int32]]
    nucleus_classes: npt.NDArray[np.uint8]
    tissue: npt.NDArray[np.uint8]
    structure: npt.NDArray[np.uint8]
    um_per_px: float


def draw_colon(
    shape: tuple[int, int],
    *,
    um_per_px: float = 0.5,
    seed: int = 0,
    outline: bool = True,
    abnormal: float = 0.35,
    stain_seed: int | None = None,
) -> SynthSlide:
    """Draw a piece of colon wall, mucosal surface on top, stained with haematoxylin and eosin.

    The whole image is held in memory, about 60 bytes per pixel while drawing: use `write_slide` for large slides.

    Parameters
    ----------
    shape
        (H, W) px, both >= 1. Below about 400 um the piece holds mucosa only.
    um_per_px
        Pixel size, 0.05 .. 20.
    seed
        Equal seeds give equal images.
    outline
        Surround the tissue with glass, so that no object touches the image's edge; else tissue fills the image
        and its edges cut objects.
    abnormal
        Fraction of the mucosa with abnormal glands, 0 .. 1.
    stain_seed
        Seed of the stain's colours; default ``seed``. Pieces of one slide share it.

    Raises
    ------
    UsageError
        If a value lies outside its range.
    """
    Scale.isotropic(um_per_px)
    if min(shape) < 1 or not 0 <= abnormal <= 1:
        raise UsageError(f"a drawing needs a shape of at least (1, 1) and abnormal in 0..1, got {shape} and {abnormal}")
    rng = np.random.default_rng(seed)
    stain = draw_stain(np.random.default_rng(seed if stain_seed is None else stain_seed))
    layout = lay_out(rng, shape, um_per_px=um_per_px, outline=outline, abnormal=abnormal)
    canvas = Canvas.blank(layout.structure(), um_per_px)
    place_mucus(rng, canvas, layout)
    crypts = claim_crypts(canvas, place_crypts(rng, layout))
    texture = 0.6 * grain(rng, shape, canvas.px(0.5)) + 0.6 * smooth_noise(rng, shape, canvas.px(6))
    ground = paint_ground(rng, canvas, layout)
    paint_surface(rng, canvas, layout, texture)
    paint_crypts(rng, canvas, crypts, texture)
    paint_vessel_walls(rng, canvas, vessels(rng, canvas, layout))
    paint_cells(rng, canvas, layout, ground)
    stain_nuclei(canvas, grain(rng, shape, canvas.px(0.45)))
    image = photograph(rng, canvas, stain)
    labels = {"nuclei": canvas.nuclei, "gland": canvas.gland, "lumen": canvas.lumen}
    return SynthSlide(
        image, labels, np.array(canvas.classes, np.uint8), _tissue(canvas, crypts), canvas.structure, um_per_px
    )


def _tissue(canvas: Canvas, crypts: list[Crypt]) -> npt.NDArray[np.uint8]:
    of_structure = np.ones(int(Structure.LUMEN) + 1, np.uint8)
    of_structure[[Structure.GLASS, Structure.NORMAL, Structure.ABNORMAL]] = 0, 2, 3
    tissue = of_structure[canvas.structure]
    # a lumen takes the class of the gland around it
    of_gland = np.array([1] + [3 if crypt.abnormal else 2 for crypt in crypts], np.uint8)
    inside = canvas.lumen > 0
    tissue[inside] = of_gland[canvas.gland[inside]]
    return tissue
