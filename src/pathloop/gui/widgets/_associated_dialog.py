"""Label and macro images, in a window of their own that nothing else sees."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QVBoxLayout, QWidget

__all__ = ["AssociatedDialog"]

SIDE_PX = 420


class AssociatedDialog(QDialog):
    """Shows pictures and forgets them when it is closed. They never become layers.

    Parameters
    ----------
    parent
        The window in front of which it opens.
    name
        What the slide is called.
    pictures
        (h, w, 3) uint8 by name.
    """

    def __init__(self, parent: QWidget, name: str, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
        super().__init__(parent)
        self.setObjectName("pathloop-associated")
        self.setWindowTitle(f"{name}: label and macro")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        layout = QVBoxLayout(self)
        layout.addWidget(QLabel("These may show a patient's name. They are not kept anywhere."))
        row = QHBoxLayout()
        for title, pixels in pictures.items():
            column = QVBoxLayout()
            column.addWidget(QLabel(title.capitalize()))
            picture = QLabel()
            picture.setAccessibleName(title)
            height, width = pixels.shape[:2]
            image = QImage(np.ascontiguousarray(pixels).data, width, height, 3 * width, QImage.Format.Format_RGB888)
            pixmap = QPixmap.fromImage(image.copy())
            if max(height, width) > SIDE_PX:
                pixmap = pixmap.scaled(
                    SIDE_PX,
                    SIDE_PX,
                    Qt.AspectRatioMode.KeepAspectRatio,
                    Qt.TransformationMode.SmoothTransformation,
                )
            picture.setPixmap(pixmap)
            column.addWidget(picture)
            column.addStretch(1)
            row.addLayout(column)
        layout.addLayout(row)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout.addWidget(buttons)
