"""The card of one object: a picture of it on the slide, and what is known."""

import html
from typing import TypeVar

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter, QPainterPath, QPaintEvent, QPen
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from pathloop.gui.objects._card import Card
from pathloop.gui.objects._thumbnail import Thumbnail

__all__ = ["ObjectCard", "ObjectPicture"]

HINT = "Click an object on the slide, or a row of the table, to see it here."
SIDE = 132
W = TypeVar("W", bound=QWidget)


class ObjectPicture(QWidget):
    """Draws a `Thumbnail`: the outline once dark, once light, so that it shows on any stain."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pathloop_object_picture")
        self.setAccessibleName("Picture of the object")
        self.setToolTip("The object on the slide, with its outline.")
        self.setFixedSize(SIDE, SIDE)
        self._image: QImage | None = None
        self._path = QPainterPath()
        self._color: QColor | None = None
        self._width_um: float | None = None

    def sizeHint(self) -> QSize:
        """A square."""
        return QSize(SIDE, SIDE)

    def set_color(self, color: tuple[int, int, int] | None) -> None:
        """Of the outline."""
        self._color = None if color is None else QColor(*color)

    def clear(self) -> None:
        """Nothing to show yet."""
        self._image, self._path = None, QPainterPath()
        self.update()

    def show_thumbnail(self, thumbnail: Thumbnail) -> None:
        """Show a picture."""
        height, width = thumbnail.rgb.shape[:2]
        image = QImage(thumbnail.rgb.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        self._image = image.copy()  # the bytes are Python's
        path = QPainterPath()
        for ring in thumbnail.rings:
            points = [QPointF(x * SIDE, y * SIDE) for y, x in ring.tolist()]
            path.moveTo(points[0])
            for point in points[1:]:
                path.lineTo(point)
            path.closeSubpath()
        self._path = path
        self._width_um = thumbnail.width_um
        text = "The object on the slide, with its outline."
        if thumbnail.width_um is not None:
            text += f" The picture is {thumbnail.width_um:,.0f} µm wide."
        self.setToolTip(text if thumbnail.rings else f"{text} Its outline is not at hand.")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Picture and outline."""
        if self._image is None:
            return
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(QRectF(0, 0, SIDE, SIDE), self._image)
        for color, width in ((QColor(0, 0, 0, 150), 3.5), (self._color or QColor(255, 255, 255), 1.75)):
            painter.setPen(QPen(color, width))
            painter.drawPath(self._path)
        painter.end()


class ObjectCard(QWidget):
    """Shows a `Card`; says which arrow was pressed."""

    step_asked = Signal(int)
    go_asked = Signal()
    follow_changed = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("pathloop_object_card")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.picture = ObjectPicture(self)
        self._title = QLabel()
        self._title.setObjectName("pathloop_card_title")
        self._place = QLabel()
        self._place.setObjectName("pathloop_card_place")
        self._hint = QLabel(HINT)
        self._hint.setWordWrap(True)
        self._hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._facts: list[QLabel] = []
        self._previous = self._button("◀", "pathloop_card_previous", "Previous object")
        self._next = self._button("▶", "pathloop_card_next", "Next object")
        self._go = self._button("Go to", "pathloop_card_go", "Bring this object into the middle of the view")
        self._follow = QCheckBox("Follow")
        self._follow.setObjectName("pathloop_card_follow")
        self._follow.setToolTip("Bring each object into view when stepping with the arrows.")
        self._previous.clicked.connect(lambda: self.step_asked.emit(-1))
        self._next.clicked.connect(lambda: self.step_asked.emit(1))
        self._go.clicked.connect(lambda: self.go_asked.emit())
        self._follow.toggled.connect(self.follow_changed.emit)
        self._lay_out()
        self.show_card(None)

    def add(self, widget: W) -> W:
        """Show something else of the object below the rest."""
        self._inside.addWidget(widget)
        return widget

    def show_card(self, card: Card | None) -> None:
        """Show an object's facts; None: a hint."""
        self._body.setVisible(card is not None)
        self._hint.setVisible(card is None)
        if card is None:
            self.picture.clear()
            return
        self._title.setText(f"<b>{card.title}</b>")
        self._place.setText(card.place)
        self.picture.set_color(card.color)
        for number, (name, value) in enumerate(card.facts):
            bold = f"<b>{html.escape(value)}</b>"
            self._fact(number).setText(f"{name}: {bold}" if name else bold)
            self._facts[number].setToolTip(f"{name}: {value}" if name else value)
        for number, label in enumerate(self._facts):
            label.setVisible(number < len(card.facts))
        self.picture.setAccessibleDescription(", ".join(f"{name}: {value}" for name, value in card.facts))

    def _button(self, text: str, name: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setText(text)
        button.setObjectName(name)
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button

    def _fact(self, number: int) -> QLabel:
        while len(self._facts) <= number:
            label = QLabel()
            # long names are cut off, and whole in the tooltip: they must not make the panel wider
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self._lines.addWidget(label)
            self._facts.append(label)
        return self._facts[number]

    def _lay_out(self) -> None:
        self._body = QWidget(self)
        top, steps = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self._title)
        top.addStretch(1)
        top.addWidget(self._place)
        for each in (self._previous, self._next, self._go, self._follow):
            steps.addWidget(each)
        steps.addStretch(1)
        self._lines = QVBoxLayout()
        self._lines.setSpacing(2)
        facts = QVBoxLayout()
        facts.addLayout(self._lines)
        facts.addStretch(1)
        below = QHBoxLayout()
        below.addWidget(self.picture, 0, Qt.AlignmentFlag.AlignTop)
        below.addLayout(facts, 1)
        inside = self._inside = QVBoxLayout(self._body)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addLayout(top)
        inside.addLayout(below)
        inside.addLayout(steps)
        outside = QVBoxLayout(self)
        outside.setContentsMargins(0, 4, 0, 0)
        outside.addWidget(self._hint)
        outside.addWidget(self._body)
