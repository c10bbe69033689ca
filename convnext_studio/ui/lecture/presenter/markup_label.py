"""The label for what the text of a lecture's step may contain: emphasis, weight and code."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

from convnext_studio.lecture.markup import line_to_html, to_html


class MarkupLabel(QLabel):
    """A label that shows a lecture's markup, and everything else in the text as it is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setWordWrap(True)
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)

    def show_line(self, text: str) -> None:
        """Show one line, without the margins of a paragraph."""
        self.setText(line_to_html(text))

    def show_markup(self, text: str) -> None:
        """Show another text, as it is written in the file."""
        self.setText(to_html(text))
