"""The preview of the export panel: a picture, the first numbers, or the names of the arrays."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QFontDatabase, QImage, QPixmap
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from convnext_studio.export.views import table_text
from convnext_studio.ui.plots.saving.view_saver import ViewContents

_SHOWN_ROWS, _SHOWN_COLUMNS = 12, 6
NO_VALUES = "This view has no values to save."
NO_VALUES_AT_ALL = "The visible views have no values to save."


class ExportPreview(QLabel):
    """A label with what a file will contain; it never asks for more room than there is."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setWordWrap(True)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)

    def show_sentence(self, text: str) -> None:
        """Show a title, or why there is no preview."""
        parent = self.parentWidget()
        if parent is not None:
            self.setFont(parent.font())
        self.setText(text)

    def show_picture(self, picture: QImage) -> None:
        """Show a picture as large as it fits."""
        ratio = self.devicePixelRatioF()
        fitting = picture.scaled(
            self.size() * ratio,
            Qt.AspectRatioMode.KeepAspectRatio,
            Qt.TransformationMode.SmoothTransformation,
        )
        fitting.setDevicePixelRatio(ratio)
        self.setPixmap(QPixmap.fromImage(fitting))

    def show_arrays(self, contents: Sequence[ViewContents]) -> None:
        """List the arrays of several views by name."""
        self.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        lines = [f"{each.name}\n    {described(each.values)}" for each in contents if each.values is not None]
        self.setText("\n".join(lines) or NO_VALUES_AT_ALL)

    def show_numbers(self, values: NDArray[Any]) -> None:
        """Show the first numbers of an array."""
        first = values.reshape(-1, *values.shape[-2:])[0] if values.ndim >= 2 else values
        corner = first[:_SHOWN_ROWS, :_SHOWN_COLUMNS] if first.ndim == 2 else first[:_SHOWN_ROWS]
        self.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.setText(table_text(corner, "   "))


def described(values: NDArray[Any]) -> str:
    """Return the shape and the type of an array in words."""
    return f"{' × '.join(map(str, values.shape))} values of {values.dtype}"
