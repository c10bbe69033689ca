"""A toast over the status bar that reports failures and successes in place of dialogs."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from msgspec.structs import force_setattr
from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QEnterEvent, QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from convnext_studio.common.foreign.foreign_text import sentence
from convnext_studio.ui.widgets.elided_label import ElidedLabel, plain_tip
from convnext_studio.ui.widgets.text_size import scaled_px

GOOD_MS = 6000
_MARGIN_PX = 6
_MOST_LINES = 8
_CHANGES_PLACE = (QEvent.Type.Resize, QEvent.Type.FontChange, QEvent.Type.Show)


class Notice(Struct, frozen=True):
    """A message to the person.

    Attributes
    ----------
    topic
        What it is about. A new notice on a topic replaces the previous one, and a success withdraws it.
    message, hint
        What happened, and what to do about it.
    details
        Further sentences, such as a reason for each file that could not be opened.
    good
        Whether it reports a success, which is shown for a few seconds only.
    path
        The file or folder that it is about, which can then be shown in the file manager.
    offer
        What can be done at once, as the text of a button; empty for nothing.
    """

    topic: str
    message: str
    hint: str = ""
    details: tuple[str, ...] = ()
    good: bool = False
    path: str = ""
    offer: str = ""

    def __post_init__(self) -> None:
        # They may quote texts from files and from other programs, which can be of any length.
        force_setattr(self, "message", sentence(self.message))
        force_setattr(self, "hint", sentence(self.hint))
        force_setattr(self, "details", tuple(map(sentence, self.details)))

    @property
    def text(self) -> str:
        """Message and hint as one line."""
        return f"{self.message} {self.hint}".rstrip()

    @property
    def whole_text(self) -> str:
        """Message and hint, and below them the details that they do not repeat."""
        lines = [line for line in self.details if line not in (self.message, self.text)]
        return "\n".join((self.text, *lines))


class MessageBar(QFrame):
    """A toast with the latest notice, above everything else at the bottom of the window.

    It lies over the window and takes no room in it, so that nothing moves when it comes and goes. A success
    goes by itself; a failure stays until it is dismissed or withdrawn.

    Attributes
    ----------
    width_for
        Returns how wide a message may be that wants a width, because of what else is at the bottom of the
        window.
    """

    shown = Signal(bool)  # whether there is a notice
    offer_taken = Signal(object)  # Notice

    def __init__(self, window: QWidget | None = None) -> None:
        super().__init__(window)
        self.setObjectName("message_bar")
        self.setAccessibleName("Messages")
        self.setAutoFillBackground(True)
        self._notices: dict[str, Notice] = {}
        self.width_for: Callable[[int], int] = lambda wanted_px: wanted_px
        self._going = QTimer(self, singleShot=True, interval=GOOD_MS)
        self._going.timeout.connect(self._go)
        self._label = ElidedLabel(wants_room=True)
        self._details = QPlainTextEdit()
        self._details.setReadOnly(True)
        self._details.setFrameShape(QFrame.Shape.NoFrame)
        self._details.setAccessibleName("The whole message")
        self._details.setToolTip("The whole message; select a part of it to copy that")
        self.details = _button("Details", "Show the whole message, with the reason for every file")
        self.details.setCheckable(True)
        self.details.toggled.connect(self._show_details)
        self.offer = _button("", "Do this now")
        self.offer.setAccessibleName("Do what the message offers")
        self.offer.clicked.connect(self._take_offer)
        self.folder = _button("Show in folder", "Open the folder of the file in the file manager")
        self.folder.clicked.connect(lambda: show_in_folder(self._latest.path) if self._latest else None)
        self.copy = _button("Copy", "Copy the whole message to the clipboard")
        self.copy.clicked.connect(self._copy)
        self.dismiss = _button("Dismiss", "Hide this message (Esc)")
        self.dismiss.setAccessibleName("Dismiss the message")
        self.dismiss.clicked.connect(self.dismiss_latest)
        self._lay_out()
        self.hide()
        if window is not None:
            window.installEventFilter(self)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(10, 2, 4, 2)
        row.setSpacing(4)
        row.addWidget(self._label, 1)
        for button in (self.offer, self.details, self.folder, self.copy, self.dismiss):
            row.addWidget(button)
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._details)
        column.addLayout(row)
        self._details.hide()

    @property
    def text(self) -> str:
        """The text shown, or empty if there is no notice."""
        return self._label.text() if self._notices else ""

    def tell(self, notice: Notice) -> None:
        """Show a notice in front of those on other topics."""
        self._notices.pop(notice.topic, None)
        self._notices[notice.topic] = notice
        self._show_latest()

    def withdraw(self, topic: str) -> None:
        """Remove the notice on a topic, because a later action succeeded."""
        if self._notices.pop(topic, None) is not None:
            self._show_latest()

    def dismiss_latest(self) -> bool:
        """Hide the notice that is shown, and return whether there was one."""
        if not self._notices:
            return False
        self._notices.popitem()
        self._show_latest()
        return True

    @property
    def _latest(self) -> Notice | None:
        return next(reversed(self._notices.values()), None)

    def _show_latest(self) -> None:
        latest = self._latest
        self._going.stop()
        if latest is not None:
            self._label.setText(latest.text)
            self._details.setPlainText(latest.whole_text)
            self.setToolTip(plain_tip("\n".join(latest.details[:_MOST_LINES] or (latest.text,))))
            self.offer.setText(latest.offer)
            self.offer.setVisible(bool(latest.offer))
            self.folder.setVisible(bool(latest.path))
            self.copy.setVisible(not latest.good)
            self.details.setChecked(False)
            self.setProperty("good", latest.good)
            self.style().polish(self)
            if latest.good:
                self._going.start()
        self.setVisible(latest is not None)
        if latest is not None:
            self._place()
        self.shown.emit(latest is not None)

    def _go(self) -> None:
        """Remove a success after its time, unless the pointer is over it."""
        if self.underMouse():
            self._going.start()
        elif (latest := self._latest) is not None and latest.good:
            self.dismiss_latest()

    def _take_offer(self) -> None:
        latest = self._latest
        if latest is not None:
            self.withdraw(latest.topic)
            self.offer_taken.emit(latest)

    def _copy(self) -> None:
        if self._latest is not None:
            QGuiApplication.clipboard().setText(self._latest.whole_text)

    def _show_details(self, are_shown: bool) -> None:
        self._details.setVisible(are_shown)
        self._place()

    def follow(self) -> None:
        """Take another width, because `width_for` has changed."""
        if self._notices:
            self._place()

    def _place(self) -> None:
        """Lie at the bottom left of the window, as wide as the message needs or the window allows."""
        window, latest = self.parentWidget(), self._latest
        if window is None or latest is None:
            return
        margin = scaled_px(_MARGIN_PX)
        room = window.rect().adjusted(margin, margin, -margin, -1)
        self.details.setVisible(len(latest.details) > 1)
        room.setWidth(min(self.width_for(room.width()), room.width()))
        if self.sizeHint().width() > room.width():
            self.details.setVisible(True)  # The text has to be shortened.
        line_px = self._details.fontMetrics().lineSpacing()
        lines = min(max(2, len(latest.details) + 1), _MOST_LINES)
        self._details.setFixedHeight(min(lines * line_px + 12, room.height() // 2))
        self._column.activate()
        wanted = self.sizeHint()
        wanted.setWidth(room.width() if self.details.isChecked() else self.width_for(wanted.width()))
        size = wanted.boundedTo(QSize(room.width(), room.height()))
        self.setGeometry(QRect(QPoint(room.left(), room.bottom() + 1 - size.height()), size))
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the size of the window."""
        if watched is self.parentWidget() and event.type() in _CHANGES_PLACE and self._notices:
            self._place()
        return super().eventFilter(watched, event)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the size of the text."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and self._notices:
            QTimer.singleShot(0, self, self._place)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Keep a success for as long as the pointer is over it."""
        super().enterEvent(event)
        if self._going.isActive():
            self._going.start()


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(plain_tip(tip))
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button


def show_in_folder(path: str) -> bool:
    """Open the folder of a file, or a folder itself, in the file manager; return whether that was possible."""
    place = Path(path)
    folder = place if place.is_dir() else place.parent
    return QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder.absolute())))
