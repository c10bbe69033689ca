"""A clickable row that shows a class with its probability."""

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QMenu, QSizePolicy, QWidget

from convnext_studio.render import format_percent
from convnext_studio.ui.panels.base import COPY_AS_PYTHON
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.focus_ring import PAINTS_FOCUS
from convnext_studio.ui.widgets.text_size import follow_text


class PredictionRow(QAbstractButton):
    """A row with one class: its name, and its probability as a number and a bar. Checked while it is explained.

    Parameters
    ----------
    compact
        Whether the row is only as high as its text, for a list beside something else.
    """

    value_asked = Signal()  # how was this probability made?
    python_asked = Signal()  # the probabilities are to be copied as Python
    naming_asked = Signal()

    def __init__(self, parent: QWidget | None = None, *, compact: bool = False) -> None:
        super().__init__(parent)
        self._margin_px = 0 if compact else 2
        self._is_contrast = False
        self.target = 0
        self.label = ""
        self.probability = 0.0
        self._other: float | None = None
        self._compares = False
        self.setCheckable(True)
        self.setProperty(PAINTS_FOCUS, True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._is_compact = compact
        follow_text(self, self._limit_height)
        self.setAccessibleName("Predicted class")
        self.setToolTip("Click to explain this class")

    def _limit_height(self) -> None:
        self.setMinimumHeight(self.sizeHint().height())
        line = self.fontMetrics().height()
        self.setMaximumHeight(line + 10 if self._is_compact else 2 * line + 6)

    @property
    def percentage(self) -> str:
        """The probability as displayed, with that of the second network if there is one."""
        if not self._compares:
            return format_percent(self.probability)
        other = "–" if self._other is None else format_percent(self._other)
        return f"{format_percent(self.probability)} | {other}"

    def show_class(self, target: int, label: str, probability: float) -> None:
        """Show another class of one network."""
        self._compares = False
        self._show(target, label, probability)

    def compare_class(self, target: int, label: str, probability: float, other: float | None) -> None:
        """Show another class with its probabilities in two networks; None if the second does not have it."""
        self._compares, self._other = True, other
        self._show(target, label, probability)

    def _show(self, target: int, label: str, probability: float) -> None:
        before, name = (self.target, self.accessibleName()), f"{label}, {self.percentage}"
        self.target, self.label, self.probability = target, label, probability
        self.update()
        if (target, name) == before:  # Of a live source, many classes have the same percentage again and again.
            return
        self.setAccessibleName(name)
        tip = (
            f"{label} (class {target}), {self.percentage}\n"
            "Click to explain this class; double click or Shift+F2 to name it;\n"
            "Alt+click to see how the number was made"
        )
        self.setToolTip(plain_tip(tip))

    @property
    def is_contrast(self) -> bool:
        """Whether this is the class that the explained one is contrasted with."""
        return self._is_contrast

    def set_contrast(self, is_contrast: bool) -> None:
        """Set whether this is the class that the explained one is contrasted with."""
        if is_contrast != self._is_contrast:
            self._is_contrast = is_contrast
            self.update()

    def sizeHint(self) -> QSize:
        """Return the size for a line of text above a thin bar."""
        return QSize(160, self.fontMetrics().height() + 7 + 2 * self._margin_px)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Ask how the probability was made if Alt is held, otherwise click."""
        if event.modifiers() & Qt.KeyboardModifier.AltModifier and self.isDown():
            self.setDown(False)
            self.value_asked.emit()
        else:
            super().mouseReleaseEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer to explain the class, and to show how its probability was made."""
        self.menu().popup(event.globalPos())

    def menu(self) -> QMenu:
        """Return the context menu."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("&Explain this class").triggered.connect(lambda: self.clicked.emit(True))
        menu.addAction("&How was this number made?\tAlt+click").triggered.connect(
            lambda: self.value_asked.emit()
        )
        menu.addAction(COPY_AS_PYTHON).triggered.connect(lambda: self.python_asked.emit())
        return menu

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Ask for another name of the class; the first of the two clicks has chosen it."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.naming_asked.emit()
        else:
            super().mouseDoubleClickEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ask for another name of the class with Shift+F2."""
        if event.key() == Qt.Key.Key_F2 and event.modifiers() == Qt.KeyboardModifier.ShiftModifier:
            self.naming_asked.emit()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint name and number above the bar; the frame shows focus or hover."""
        with QPainter(self) as painter:
            self._paint(painter)

    def _paint(self, painter: QPainter) -> None:
        colours = theme.current()
        box = self.rect().adjusted(0, 0, -1, -1)
        if self.isChecked() or self.underMouse():
            painter.fillRect(self.rect(), QColor(colours.raised))
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.accent), 2))
            painter.drawRect(box.adjusted(1, 1, 0, 0))
        inner = self.rect().adjusted(6, self._margin_px, -6, -5 - self._margin_px)
        widest = "> 99.9 % | > 99.9 %" if self._compares else "> 99.9 %"
        number_width = self.fontMetrics().horizontalAdvance(widest) + 6
        name = self.fontMetrics().elidedText(
            f"≠ {self.label}" if self._is_contrast else self.label,
            Qt.TextElideMode.ElideRight,
            inner.width() - number_width,
        )
        painter.setPen(QColor(self._text_colour(colours)))
        painter.drawText(inner, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)
        painter.drawText(inner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self.percentage)
        bar = QRectF(inner.left(), inner.bottom() + 1.5, inner.width(), 3.0)
        painter.fillRect(bar, QColor(colours.border))
        if not self._compares:
            shares = [(bar, self.probability)]
        else:  # The bar of A above that of B.
            half = bar.height() / 2
            upper = QRectF(bar.left(), bar.top(), bar.width(), half)
            shares = [(upper, self.probability), (upper.translated(0.0, half), self._other or 0.0)]
        for number, (part, share) in enumerate(shares):
            part.setWidth(part.width() * share)
            colour = colours.accent if self.isChecked() else colours.muted
            painter.fillRect(part, QColor(colours.warning if number else colour))

    def _text_colour(self, colours: theme.Theme) -> str:
        if self._is_contrast:
            return colours.warning
        return colours.accent if self.isChecked() else colours.text
