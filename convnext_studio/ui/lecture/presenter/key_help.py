"""A page with the keys of the presenter."""

from html import escape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

from convnext_studio.ui.lecture.presenter.keys import BINDINGS


class KeyHelp(QLabel):
    """An overlay that closes on any key."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._behind = parent
        self.setAutoFillBackground(True)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setAccessibleName("Keys")
        rows = "".join(
            f"<tr><td><b>{_spaced(binding.shown)}</b>&nbsp;&nbsp;</td><td>{escape(binding.text)}</td></tr>"
            for binding in BINDINGS
        )
        self.setText(f"<table align='center' cellpadding='4' cellspacing='4'>{rows}</table>")
        self.hide()

    def open(self, text_px: int) -> None:
        """Show the keys."""
        font = self.font()
        font.setPixelSize(max(8, round(text_px * 0.85)))
        self.setFont(font)
        self.setGeometry(self._behind.rect())
        self.raise_()
        self.show()


def _spaced(keys: str) -> str:
    """Keep the gaps between keys, which HTML would collapse."""
    return escape(keys).replace("  ", "&nbsp;&nbsp; ")
