"""The tour of the window, in six steps, for new users."""

from collections.abc import Callable

from msgspec import Struct
from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip
from convnext_studio.ui.widgets.overlay_sheet import Overlay

FRAME_PX = 3
GAP_PX = 14
CARD_CHARACTERS = 58


class Step(Struct, frozen=True):
    """A step of the tour.

    Attributes
    ----------
    target
        What the card points at: the name of a dock, ``network`` for the strip, or ``menus``.
    heading, text
        Heading and text of the card.
    """

    target: str
    heading: str
    text: str


STEPS = (
    Step(
        "network",
        "The network",
        (
            "The network from left to right, as a picture passes through it. Click a stage or "
            "press 1 to 4, and every panel shows what that stage makes of the picture. Enter shows "
            "the blocks of a stage."
        ),
    ),
    Step(
        "picture",
        "Your picture",
        (
            "Drop a picture anywhere on the window, paste one, or press Ctrl+O. The box is what "
            "the network sees. Click inside it to see what the unit at that position sees."
        ),
    ),
    Step(
        "feature_maps",
        "What a stage makes of it",
        (
            "One small map for each channel, with a colour bar for the scale. Click a map to see "
            "it on the picture, its numbers, and where it is strongest in all opened pictures."
        ),
    ),
    Step(
        "receptive_field",
        "How far it sees",
        (
            "Where a change of the picture would change one unit, measured and averaged over "
            "pictures. “Whole input” also shows, as a dashed box, the most that the unit could see."
        ),
    ),
    Step(
        "attribution",
        "Why it decided so",
        (
            "Which parts of the picture speak for a class, by a method of your choice. “Evidence” "
            "measures whether the map can be trusted."
        ),
    ),
    Step(
        "menus",
        "Everything else",
        (
            "Ctrl+Shift+P finds any command, node, class or picture by a few letters, and Ctrl+/ "
            "lists the shortcuts. The ? in a panel's title, or Shift+F1, explains what the panel "
            "shows and what it does not mean."
        ),
    ),
)

_CHANGES = (QEvent.Type.Show, QEvent.Type.Hide, QEvent.Type.Resize, QEvent.Type.Move)


class Tour(Overlay):
    """An overlay card beside the widget that it explains, with a frame around that widget.

    Parameters
    ----------
    locate
        Returns the widget of a step's target, or None if it is not visible.
    messages
        The message bar, which the card never covers.
    """

    ended = Signal()
    stays = True  # The user may try out what the card says.

    def __init__(self, window: QWidget, locate: Callable[[str], QWidget | None], messages: QWidget) -> None:
        super().__init__(window, "Tour")
        self._locate = locate
        self._messages = messages
        messages.installEventFilter(self)
        self._index = 0
        self._frame = _Frame(window)
        self.heading = PlainLabel()
        self.heading.setProperty("heading", True)
        self.text = PlainLabel()
        self.text.setWordWrap(True)
        self.count = PlainLabel()
        self.count.setProperty("muted", True)
        self.skip = _button("Skip", "End the tour (Esc); you can start it again from the Help menu")
        self.back = _button("Back", "The previous step")
        self.next = _button("Next", "The next step (Enter)")
        self.skip.clicked.connect(self.close_sheet)
        self.back.clicked.connect(lambda: self._go(-1))
        self.next.clicked.connect(lambda: self._go(1))
        row = QHBoxLayout()
        row.addWidget(self.count)
        row.addStretch()
        for button in (self.skip, self.back, self.next):
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 12, 14, 10)
        layout.setSpacing(8)
        layout.addWidget(self.heading)
        layout.addWidget(self.text)
        layout.addLayout(row)
        self.setFocusProxy(self.next)

    @property
    def step(self) -> Step:
        """The current step."""
        return STEPS[self._index]

    def start(self) -> None:
        """Start at the first step."""
        self._index = 0
        self._show_step()
        if not self.isVisible():
            self.open()

    def close_sheet(self) -> None:
        """End the tour."""
        self._frame.hide()
        super().close_sheet()
        self.ended.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Move the card out of the way of a message."""
        if watched is self._messages and event.type() in _CHANGES and self.isVisible():
            QTimer.singleShot(0, self, self.place)  # The window has not laid out the message yet.
        return super().eventFilter(watched, event)

    def place(self) -> None:
        """Place the card beside its target if the window has room there, or else inside it."""
        window = self.host
        self.setFixedWidth(self.fontMetrics().averageCharWidth() * CARD_CHARACTERS)
        size = QSize(self.width(), self.heightForWidth(self.width()))
        self.resize(size)
        target = self._locate(self.step.target)
        if target is None:
            self._frame.hide()
            self.move(window.rect().center() - QPoint(size.width() // 2, size.height() // 2))
            return
        around = QRect(target.mapTo(window, QPoint()), target.size())
        card = beside(around, size, window.rect())
        if self._messages.isVisible():
            told = QRect(self._messages.mapTo(window, QPoint()), self._messages.size())
            card = above(told, card, window.rect())
        self.move(card.topLeft())
        self._frame.surround(around)
        self.raise_()

    def _go(self, step: int) -> None:
        if self._index + step == len(STEPS):
            self.close_sheet()
            return
        self._index = max(self._index + step, 0)
        self._show_step()
        self.place()
        self.next.setFocus(Qt.FocusReason.OtherFocusReason)

    def _show_step(self) -> None:
        self.heading.setText(self.step.heading)
        self.text.setText(self.step.text)
        self.count.setText(f"{self._index + 1} of {len(STEPS)}")
        self.back.setEnabled(self._index > 0)
        self.skip.setVisible(self._index + 1 < len(STEPS))
        self.next.setText("Next" if self._index + 1 < len(STEPS) else "Done")
        self.setAccessibleDescription(f"{self.step.heading}. {self.step.text}")


class _Frame(QWidget):
    """A frame around the target that lets mouse events through."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def surround(self, around: QRect) -> None:
        self.setGeometry(around)
        self.show()
        self.raise_()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Link), FRAME_PX))
        inset = FRAME_PX / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 5, 5)


def beside(target: QRect, card: QSize, room: QRect) -> QRect:
    """Place a card to the right, left, below or above a target without covering it, or else in its corner."""
    top = min(max(target.top(), room.top()), room.bottom() - card.height())
    left = min(max(target.left() + GAP_PX, room.left()), room.right() - card.width())
    places = (
        QPoint(target.right() + GAP_PX, top),
        QPoint(target.left() - GAP_PX - card.width(), top),
        QPoint(left, target.bottom() + GAP_PX),
        QPoint(left, target.top() - GAP_PX - card.height()),
    )
    for place in places:
        if room.contains(QRect(place, card)):
            return QRect(place, card)
    corner = target.intersected(room).bottomRight() - QPoint(card.width() + GAP_PX, card.height() + GAP_PX)
    return QRect(corner, card)


def above(bar: QRect, card: QRect, room: QRect) -> QRect:
    """Move a card that covers a bar above that bar, if there is room."""
    moved = QRect(QPoint(card.left(), bar.top() - GAP_PX - card.height()), card.size())
    return moved if card.intersects(bar) and room.contains(moved) else card


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(plain_tip(tip))
    button.setAutoDefault(True)
    return button
