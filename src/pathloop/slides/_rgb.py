"""From what files store (grey, palette, RGBA, YCbCr, 16 bits) to RGB uint8."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PixelKind", "over_white", "sixteen_bit_top"]


@dataclass(frozen=True, slots=True, eq=False)
class PixelKind:
    """How stored samples become RGB.

    Attributes
    ----------
    samples
        Samples a pixel: 1 grey or palette index, 2 grey and alpha, 3 RGB, 4 RGB and alpha (or something to ignore).
    top
        The stored value that means full brightness (255 for 8 bits, up to 65535 for 16).
    white_is_zero
        Grey values run from white to black.
    palette
        (n, 3) uint8, or None.
    ycbcr
        The three samples are full-range YCbCr (ITU-R BT.601, as JFIF has it), not RGB.
    alpha
        None: an extra sample is ignored; ``straight`` or ``premultiplied`` otherwise.
    """

    samples: int
    top: int = 255
    white_is_zero: bool = False
    palette: NDArray[np.uint8] | None = None
    ycbcr: bool = False
    alpha: str | None = None

    @property
    def stored_as_rgb(self) -> bool:
        """True where the stored samples are RGB uint8 already."""
        return self.samples == 3 and self.top == 255 and not self.ycbcr

    def to_rgb(self, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
        """(h, w, samples) uint8 or uint16 as (h, w, 3) uint8 RGB."""
        if self.palette is not None:
            return np.asarray(self.palette[np.minimum(pixels[..., 0], len(self.palette) - 1)])
        eight = _eight_bits(pixels, self.top)
        colours = eight[..., : 1 if self.samples < 3 else 3]
        if self.white_is_zero:
            colours = np.uint8(255) - colours
        if self.samples < 3:
            colours = np.repeat(colours, 3, axis=2)
        if self.ycbcr:
            colours = _ycbcr_to_rgb(colours)
        if self.alpha is not None and self.samples in (2, 4):
            return over_white(colours, eight[..., -1], premultiplied=self.alpha == "premultiplied")
        return np.asarray(np.ascontiguousarray(colours), np.uint8)


def over_white(colours: NDArray[np.uint8], alpha: NDArray[np.uint8], *, premultiplied: bool) -> NDArray[np.uint8]:
    """RGB (h, w, 3) with alpha (h, w), both uint8, laid over white."""
    if alpha.size == 0 or alpha.min() == 255:
        return np.ascontiguousarray(colours)
    cover = alpha[..., None].astype(np.uint32)
    weighted = colours.astype(np.uint32) * (255 if premultiplied else cover)
    laid: NDArray[np.uint8] = np.minimum((weighted + 255 * (255 - cover) + 127) // 255, 255).astype(np.uint8)
    return laid


def sixteen_bit_top(largest: int) -> int:
    """Full brightness of 16-bit data whose largest value is known: cameras store 8, 10, 12, 14 or 16 bits in 16."""
    return next(top for top in (255, 1023, 4095, 16_383, 65_535) if largest <= top)


def _eight_bits(pixels: NDArray[np.uint8] | NDArray[np.uint16], top: int) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    scaled = (pixels.astype(np.uint32) * 255 + top // 2) // top
    return np.asarray(np.minimum(scaled, 255), np.uint8)


def _ycbcr_to_rgb(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """JFIF 1.02's equations in 16-bit fixed point."""
    y, cb, cr = (pixels[..., index].astype(np.int32) - (0, 128, 128)[index] for index in range(3))
    half = 1 << 15
    red = y + ((91_881 * cr + half) >> 16)
    green = y + ((-22_554 * cb - 46_802 * cr + half) >> 16)
    blue = y + ((116_130 * cb + half) >> 16)
    rgb: NDArray[np.uint8] = np.clip(np.stack([red, green, blue], axis=-1), 0, 255).astype(np.uint8)
    return rgb
