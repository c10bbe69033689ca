"""A plot with its title above it and a line below, in which one reads what is under the pointer."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from convnext_studio.ui.plots.curve_data import Axes
from convnext_studio.ui.plots.curve_plot import CurvePlot
from convnext_studio.ui.widgets.elided_label import PlainLabel


class ReadPlot(QWidget):
    """A plot of a lecture: the wheel zooms, dragging moves, a double click fits, the legend hides.

    Parameters
    ----------
    name, axes
        Of the plot.
    lines
        How many lines of text there is room for below the plot, so that the plot does not move while one reads.

    Attributes
    ----------
    plot
        The plot.
    """

    def __init__(self, name: str, axes: Axes, lines: int = 1) -> None:
        super().__init__()
        self._lines = lines
        self.plot = CurvePlot(name, axes)
        self._title = PlainLabel()
        self._title.setTextFormat(Qt.TextFormat.PlainText)
        self._title.setWordWrap(True)
        self._title.hide()
        self._note = ""
        self._below = PlainLabel()
        self._below.setTextFormat(Qt.TextFormat.PlainText)
        self._below.setProperty("muted", True)
        self._below.setWordWrap(True)
        self._below.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self._below.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self._title)
        column.addWidget(self.plot, 1)
        column.addWidget(self._below)
        self.plot.pointed.connect(self._read)

    @property
    def title(self) -> str:
        """The text above the plot."""
        return self._title.text()

    def show_title(self, text: str) -> None:
        """Show a text above the plot."""
        self._title.setText(text)
        self._title.setVisible(bool(text))

    @property
    def note(self) -> str:
        """The text below the plot while the pointer reads nothing."""
        return self._note

    def show_note(self, text: str) -> None:
        """Show a text below the plot while the pointer reads nothing."""
        self._note = text
        self._read("")

    def _read(self, text: str) -> None:
        self._below.setText(text or self._note)

    def set_text_px(self, title_px: int, text_px: int) -> None:
        """Set the size of the title, and that of all other text."""
        for widget in (self, self._below, self.plot, *self.plot.findChildren(QWidget)):
            font = widget.font()
            font.setPixelSize(text_px)
            widget.setFont(font)
        font = self._title.font()
        font.setPixelSize(title_px)
        font.setBold(True)
        self._title.setFont(font)
        self._below.setFixedHeight(self._lines * self._below.fontMetrics().lineSpacing())
