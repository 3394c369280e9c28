"""Pictures for reports: the canvas with the slide's name and a scale bar, or a plot; written atomically as PNG."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QFont, QImage, QPainter

from pathloop.core import DataError, atomic_path

__all__ = ["captioned", "scale_bar", "write_png"]

STEPS = (1, 2, 5)
STRIP_SHARE = 0.06  # of the picture's height


def scale_bar(width_um: float) -> float:
    """A round length, 1, 2 or 5 times a power of ten, of about a fifth of a width; both um.

    Examples
    --------
    >>> scale_bar(1100.0)
    200.0
    """
    wanted = width_um / 5
    power = 10.0 ** math.floor(math.log10(wanted))
    return max(step * power for step in STEPS if step * power <= wanted * (1 + 1e-9))


def captioned(pixels: NDArray[np.uint8], title: str, um_per_px: float | None) -> QImage:
    """A picture over a strip with its title and a scale bar.

    Parameters
    ----------
    pixels
        (h, w, 3 or 4) uint8.
    title
        Written at the left of the strip.
    um_per_px
        Size of a pixel; None leaves the bar out.
    """
    height, width = pixels.shape[:2]
    rgb = np.ascontiguousarray(pixels[..., :3], np.uint8)
    source = QImage(rgb.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
    strip = max(28, round(STRIP_SHARE * height))
    image = QImage(width, height + strip, QImage.Format.Format_RGB888)
    image.fill(QColor(255, 255, 255))
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.drawImage(0, 0, source)
    font = QFont()
    font.setPixelSize(round(strip * 0.42))
    painter.setFont(font)
    painter.setPen(QColor(0, 0, 0))
    margin = strip // 3
    bar_px = 0.0
    if um_per_px is not None:
        length = scale_bar(width * um_per_px)
        bar_px = length / um_per_px
        text = f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"
        left = width - margin - bar_px
        painter.fillRect(QRectF(left, height + strip * 0.72, bar_px, max(3.0, strip * 0.1)), QColor(0, 0, 0))
        painter.drawText(
            QRectF(left - width, height, bar_px + 2 * width, strip * 0.7), Qt.AlignmentFlag.AlignCenter, text
        )
    place = QRectF(margin, height, max(width - bar_px - 4 * margin, 1), strip)
    fitted = painter.fontMetrics().elidedText(title, Qt.TextElideMode.ElideMiddle, int(place.width()))
    painter.drawText(place, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, fitted)
    painter.end()
    return image


def write_png(path: Path, image: Any) -> Path:
    """Write a QImage; returns the path. May be called from any thread.

    Raises
    ------
    DataError
        If it cannot be written.
    """
    with atomic_path(path) as temporary:
        if not image.save(str(temporary), "PNG"):
            raise DataError(f"{path}: the picture could not be written; choose another folder")
    return path
