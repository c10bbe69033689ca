"""A slim bar that reports failures and successes in place of dialogs."""

from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from convnext_studio.ui.widgets.elided_label import ElidedLabel


@dataclass(frozen=True, slots=True)
class Notice:
    """A message to the person.

    Attributes
    ----------
    topic
        What it is about. A new notice on a topic replaces the previous one, and a success withdraws it.
    message, hint
        What happened, and what to do about it.
    details
        Further sentences for the tool tip of the bar; without any, it shows the whole text.
    good
        Whether it reports a success.
    """

    topic: str
    message: str
    hint: str = ""
    details: tuple[str, ...] = ()
    good: bool = False

    @property
    def text(self) -> str:
        """Message and hint as one line."""
        return f"{self.message} {self.hint}".rstrip()


class MessageBar(QFrame):
    """A bar with the latest notice, until it is dismissed or withdrawn. The window shows and hides the bar."""

    shown = Signal(bool)  # whether there is a notice

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("message_bar")
        self.setAccessibleName("Messages")
        self._notices: dict[str, Notice] = {}
        self._label = ElidedLabel()
        close = QPushButton("Dismiss")
        close.setAccessibleName("Dismiss the message")
        close.setToolTip("Hide this message")
        close.clicked.connect(self._dismiss)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 3, 6, 3)
        layout.addWidget(self._label, 1)
        layout.addWidget(close)

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

    def _dismiss(self) -> None:
        self._notices.popitem()
        self._show_latest()

    def _show_latest(self) -> None:
        latest = next(reversed(self._notices.values()), None)
        if latest is not None:
            self._label.setText(latest.text)
            self.setToolTip("\n".join(latest.details or (latest.text,)))
            self.setProperty("good", latest.good)
            self.style().polish(self)
        self.shown.emit(latest is not None)
