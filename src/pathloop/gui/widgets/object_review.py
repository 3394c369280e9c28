"""What people say of the object on the card: accept, lock, class, and a question to a pathologist."""

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QInputDialog, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from pathloop.gui.objects import ObjectsPresenter, Review, ReviewPresenter
from pathloop.gui.widgets.object_table import color_chip

__all__ = ["ObjectReview"]

NO_CLASS = "no class"


class ObjectReview(QWidget):
    """Shows a `Review` and says what the user wants; implements `ReviewView`.

    Parameters
    ----------
    objects
        Whose selected objects.
    """

    def __init__(self, objects: ObjectsPresenter) -> None:
        super().__init__()
        self.setObjectName("pathloop_object_review")
        self._is_locked = False
        self._question = ""
        self.accept, self.lock, self.ask = (self._button(name) for name in ("accept", "lock", "ask"))
        self.ask.setText("Ask...")
        self.ask.setAccessibleName("Ask a pathologist")
        self.classes = QComboBox()
        self.classes.setObjectName("pathloop_review_class")
        self.classes.setAccessibleName("Class of the object")
        self.classes.setToolTip("Select an object first")
        self.classes.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.classes.setMinimumContentsLength(7)
        self.question = QLabel()
        self.question.setObjectName("pathloop_review_question")
        self.question.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.question.setTextFormat(Qt.TextFormat.PlainText)
        said, asked = QHBoxLayout(), QHBoxLayout()
        said.addWidget(self.accept)
        said.addWidget(self.lock)
        said.addWidget(self.classes, 1)
        asked.addWidget(self.question, 1)
        asked.addWidget(self.ask)
        inside = QVBoxLayout(self)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(3)
        inside.addLayout(said)
        inside.addLayout(asked)
        self.presenter = ReviewPresenter(objects, self)
        self.accept.clicked.connect(lambda: self.presenter.accept())
        self.lock.clicked.connect(lambda: self.presenter.lock(locked=not self._is_locked))
        self.classes.activated.connect(lambda _: self.presenter.choose_class(self.classes.currentData()))
        self.ask.clicked.connect(self._ask)

    def show_review(self, review: Review | None) -> None:
        """See `ReviewView`."""
        self.setVisible(review is not None)
        if review is None:
            return
        self._is_locked, self._question = review.is_locked, review.question or ""
        many = f" {review.n:,}" if review.n > 1 else ""
        these = f"these {review.n:,} objects" if many else "this object"
        locked = "Locked: unlock first" if review.is_locked else ""
        done = "Accepted already" if review.is_accepted else ""
        self.accept.setText("✓ Accepted" if review.is_accepted else f"Accept{many}")
        self._enable(self.accept, review.problem or locked or done, f"Say that {these} need no change")
        self.lock.setText(f"{'Unlock' if review.is_locked else 'Lock'}{many}")
        tip = "Allow changes again" if review.is_locked else f"Protect {these} from every change"
        self._enable(self.lock, review.problem, tip)
        with QSignalBlocker(self.classes):
            self._fill(review)
        none = "" if review.classes else "This task has no classes"
        self._enable(self.classes, review.problem or locked or none, f"Give {these} another class")
        words = "No question" if review.question is None else f"? {' '.join(review.question.split())}"
        self.question.setText(words)
        by = f" ({review.asked})" if review.asked else ""
        self.question.setToolTip("" if review.question is None else f"A pathologist is asked{by}: {review.question}")
        self._enable(self.ask, review.problem, "Ask a pathologist about this object. Empty: take the question back")

    def _fill(self, review: Review) -> None:
        self.classes.clear()
        if not review.class_code:
            self.classes.addItem(NO_CLASS, 0)
        for choice in review.classes:
            self.classes.addItem(choice.title.replace("_", " "), choice.key)
            if choice.color is not None:
                self.classes.setItemIcon(self.classes.count() - 1, color_chip(choice.color))
        self.classes.setCurrentIndex(self.classes.findData(review.class_code))

    def _enable(self, widget: QWidget, reason: str, tip: str) -> None:
        widget.setEnabled(not reason)
        widget.setToolTip(reason or tip)

    def _button(self, name: str) -> QPushButton:
        button = QPushButton(name.capitalize())
        button.setObjectName(f"pathloop_review_{name}")
        button.setToolTip("Select an object first")
        return button

    def _ask(self) -> None:
        title, label = "Ask a pathologist", "What is the question? Leave it empty to take it back."
        text, is_given = QInputDialog.getMultiLineText(self, title, label, self._question)
        if is_given:
            self.presenter.ask(text)
