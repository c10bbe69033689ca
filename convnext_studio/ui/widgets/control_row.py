"""Controls in panels of any width: a row that folds those that do not fit, and a layout of several rows."""

from msgspec import Struct, field
from PySide6.QtCore import QCoreApplication, QEvent, QObject, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QLabel,
    QLayout,
    QLayoutItem,
    QSizePolicy,
    QWidget,
    QWidgetItem,
)

from convnext_studio.ui.widgets.elided_label import PlainLabel
from convnext_studio.ui.widgets.popup import PopupButton
from convnext_studio.ui.widgets.text_size import scaled_px

_GAP_PX = 4
_MOST_KEPT_PX, _MOST_KEPT_CHARACTERS = 560, 40
_VISIBILITY = (QEvent.Type.ShowToParent, QEvent.Type.HideToParent)
_OTHER_SIZES = (
    QEvent.Type.LayoutRequest,
    QEvent.Type.FontChange,
    QEvent.Type.StyleChange,
    QEvent.Type.Polish,
    QEvent.Type.ParentChange,
)
"""After these, a control may want another size."""


class _Item(Struct, eq=False):
    """A control of the row.

    Attributes
    ----------
    label
        The word in front of the control in the row, or None.
    word
        The word in front of the control in the popup.
    stretch
        Its share of the room that is left over.
    is_kept
        Whether it stays in the row until only kept controls are left.
    is_rare
        Whether it is always in the popup.
    """

    control: QWidget
    label: QLabel | None
    word: str
    stretch: int
    is_kept: bool
    is_rare: bool
    is_folded: bool = False
    wanted: QSize = field(default_factory=QSize)
    label_px: int = 0
    row_px: int = 0
    folded_px: int = 0

    def measure(self) -> None:
        """Ask control and label what they want, which takes long enough to be done once for an arrangement."""
        self.wanted = wanted_size(self.control)
        self.label_px = 0 if self.label is None else self.label.sizeHint().width() + scaled_px(_GAP_PX)

    @property
    def width(self) -> int:
        """The width that control and label need for their whole texts in the row."""
        now_px = self.label_px + self.wanted.width()
        if not self.is_folded:
            self.row_px, self.folded_px = now_px, 0
        elif now_px != (self.folded_px or now_px):
            self.row_px, self.folded_px = 0, now_px  # It has another text or font.
        else:
            # In a popup that was never shown, a control still has the metrics of another font.
            self.folded_px = now_px
        return max(now_px, self.row_px)

    @property
    def least_width(self) -> int:
        """The width that it can be squeezed to; only what stretches can be squeezed."""
        squeezed_px = self.control.minimumSizeHint().expandedTo(self.control.minimumSize()).width()
        return min(self.width, squeezed_px) if self.stretch else self.width


class ControlRow(QWidget):
    """A row of controls, each as wide as its text needs; the last ones fold into a popup if there is no room.

    The popup lies over the panel, so that opening it never takes room from what the panel shows. Controls can
    be shown and hidden as in any layout. As in a layout, several changes are followed by one arrangement,
    before the row is next painted; a row that cannot be seen is not arranged at all.

    Attributes
    ----------
    more
        The button that opens the popup; hidden while nothing is folded.
    """

    def __init__(self, tip: str = "More controls", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._items: list[_Item] = []
        self._is_arranging = self._is_arranged = self._is_measured = False
        self._told: tuple[QSize, QSize] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.more = PopupButton("More", tip, self)
        self.more.setAccessibleName(tip)
        self.more.hide()
        self.hide()  # Without controls, it takes no room.

    # ------------------------------------------------------------------------------------------- filling it

    def add(
        self, control: QWidget, stretch: int = 0, *, word: str = "", kept: bool = False, rare: bool = False
    ) -> None:
        """Add a control.

        Parameters
        ----------
        stretch
            Its share of the room that is left over; 0 for its own width.
        word
            The label in front of it, in the row and in the popup. Without one, the popup uses the control's
            accessible name, as does the row for a slider.
        kept
            Whether it is folded only after all others; the first control is always kept.
        rare
            Whether it is always in the popup.
        """
        if isinstance(control, QAbstractSlider):  # It has no text of its own.
            word = word or control.accessibleName()
        label = None
        if word:
            label = PlainLabel(word, self)
            label.setBuddy(control)
        kept = kept or not any(item.is_kept for item in self._items)
        has_word = isinstance(control, QAbstractButton) and bool(control.text())
        said = "" if has_word else word or control.accessibleName()
        item = _Item(control, label, said, stretch, kept and not rare, rare)
        self._items.append(item)
        _move(control, self)
        control.installEventFilter(self)
        if self.parentWidget() is not None:  # Without one, it would be a window for a moment.
            self.show()
        else:  # It is hidden no longer on purpose, so that another row that takes it in shows it.
            self.setAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide, False)
        self._want_room()

    @property
    def folded(self) -> list[QWidget]:
        """The controls that are in the popup now."""
        if not self._is_arranged:
            self._arrange()
        return [item.control for item in self._items if item.is_folded]

    # -------------------------------------------------------------------------------------------- its size

    def sizeHint(self) -> QSize:
        """Return the size in which everything is in the row."""
        self._measure_if_changed()
        return self._whole_size

    def minimumSizeHint(self) -> QSize:
        """Return the size in which all controls but those that are kept are in the popup.

        With large text, even kept ones may want more than a screen has, so all but the first may fold then.
        """
        self._measure_if_changed()
        shown, whole = self._shown, self._whole_size
        kept = [item.least_width for item in shown if item.is_kept]
        more_px = self.more.sizeHint().width()
        first_px = _row_px([*kept[:1], more_px])
        if len(kept) < len(shown):
            kept.append(more_px)
        characters_px = _MOST_KEPT_CHARACTERS * self.fontMetrics().averageCharWidth()
        most_px = max(first_px, _MOST_KEPT_PX, characters_px)
        return QSize(min(_row_px(kept), whole.width(), most_px), whole.height())

    def _measure_if_changed(self) -> None:
        """Measure the controls unless nothing has happened to the row since that was done; Qt asks often."""
        if not self._is_measured:
            self._measure()

    def _measure(self) -> None:
        for item in self._items:
            item.measure()
        self._is_measured = True

    @property
    def _whole_size(self) -> QSize:
        shown = self._shown
        items = [item for item in shown if not item.is_rare]
        widths = [item.width for item in items]
        if len(items) < len(shown):
            widths.append(self.more.sizeHint().width())
        return QSize(_row_px(widths), self._height)

    @property
    def _shown(self) -> list[_Item]:
        """The items whose controls have not been hidden by the panel."""
        return [item for item in self._items if not item.control.isHidden()]

    @property
    def _height(self) -> int:
        """The height of the highest control, shown or not, so that nothing moves when one is shown."""
        return max((item.wanted.height() for item in self._items if not item.is_rare), default=0)

    def event(self, event: QEvent) -> bool:
        """Arrange the controls anew when one of them needs another width."""
        if event.type() in _OTHER_SIZES:
            self._is_measured = False
        if event.type() == QEvent.Type.FontChange:
            self._want_room()
        elif event.type() == QEvent.Type.LayoutRequest:
            self._tell_size()
            self._arrange_if_visible()
        elif event.type() == QEvent.Type.ParentChange and self.parentWidget() is not None and self._items:
            self.show()
        return super().event(event)

    def _tell_size(self) -> None:
        """Ask for another size if the controls need one: Qt then lays out the whole window anew."""
        needed = self.sizeHint(), self.minimumSizeHint()
        if needed != self._told:
            self._told = needed
            self.updateGeometry()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the panel when it shows or hides a control."""
        if event.type() in _OTHER_SIZES:
            self._is_measured = False
        if event.type() in _VISIBILITY and not self._is_arranging:
            self._want_room()
        return super().eventFilter(watched, event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fold what does not fit, and unfold what fits again."""
        super().resizeEvent(event)
        self._arrange_if_visible()

    def showEvent(self, event: QShowEvent) -> None:
        """Arrange the controls with the sizes that they have on this screen."""
        super().showEvent(event)
        self._arrange()

    def _want_room(self) -> None:
        """Ask for another size, and arrange the controls soon."""
        self._is_measured = self._is_arranged = False
        self.updateGeometry()
        if self.isVisible():
            # Qt keeps one of these for a widget, however many are posted.
            QCoreApplication.postEvent(self, QEvent(QEvent.Type.LayoutRequest))

    # ------------------------------------------------------------------------------------------ arranging

    def _arrange_if_visible(self) -> None:
        if self.isVisible():
            self._arrange()
        else:
            self._is_arranged = False

    def _arrange(self) -> None:
        if self._is_arranging or self.more.sheet.isVisible():
            return
        self._is_arranging = True
        self._measure()
        shown = self._shown
        in_row, folded = self._fitting(shown), []
        for _ in range(len(self._items) + 1):
            folded = [item for item in shown if item not in in_row]
            if folded == [item for item in self._items if item.is_folded]:
                break
            self._fold(folded)
            self._measure()
            in_row = self._fitting(shown)  # A control that came back may need more room than in the popup.
        self._place(in_row, has_more=bool(folded))
        self._is_arranging, self._is_arranged = False, True

    def _fitting(self, shown: list[_Item]) -> list[_Item]:
        """Return the items that fit into the row beside “More”; the last are folded first."""
        in_row = [item for item in shown if not item.is_rare]
        width_of = {item: item.width for item in in_row}
        more_px = self.more.sizeHint().width()

        def is_too_wide() -> bool:
            widths = [width_of[item] for item in in_row]
            return _row_px([*widths, more_px] if len(in_row) < len(shown) else widths) > self.width()

        while len(in_row) > 1 and is_too_wide():
            loose = [item for item in in_row if not item.is_kept]
            in_row.remove((loose or in_row)[-1])
        return in_row

    def _fold(self, folded: list[_Item]) -> None:
        """Put exactly these items into the popup, and the others back into the row."""
        self.more.show_rows([(item.word, item.control) for item in folded])
        before: QWidget = self
        for item in self._items:
            item.is_folded = item in folded
            if item.is_folded:
                item.control.show()
            else:
                _move(item.control, self)
                # A control that comes back would otherwise be the last one that Tab reaches.
                QWidget.setTabOrder(before, item.control)
                before = item.control
        QWidget.setTabOrder(before, self.more)

    def _place(self, in_row: list[_Item], *, has_more: bool) -> None:
        """Give every control of the row its place, and what is left over to those that stretch."""
        gap, x, height = scaled_px(_GAP_PX), 0, self.height()
        for item in self._items:
            if item.label is not None and item.label.isHidden() == (item in in_row):
                item.label.setVisible(item in in_row)
                item.measure()  # A box with a word in it leaves that to a label beside it.
        widths = [item.width for item in in_row]
        more_px = self.more.sizeHint().width()
        spare = max(self.width() - _row_px([*widths, more_px] if has_more else widths), 0)
        stretches = sum(item.stretch for item in in_row)
        for item in in_row:
            if item.label is not None:
                label_px = item.label.sizeHint().width()
                item.label.setGeometry(x, 0, label_px, height)
                x += label_px + gap
            size = item.wanted
            width = size.width() + (spare * item.stretch // stretches if stretches else 0)
            width = max(min(width, self.width() - x), 1)
            tall = min(size.height(), height)
            item.control.setGeometry(QRect(x, (height - tall) // 2, width, tall))
            x += width + gap
        self.more.setVisible(has_more)
        size = self.more.sizeHint()
        tall = min(size.height(), height)
        self.more.setGeometry(x, (height - tall) // 2, size.width(), tall)


def wanted_size(control: QWidget) -> QSize:
    """Return the preferred size of a control within its limits."""
    wanted = control.sizeHint()
    if control.sizePolicy().horizontalPolicy() == QSizePolicy.Policy.Ignored:
        wanted.setWidth(0)  # It takes the room that the others leave.
    least = control.minimumSizeHint().expandedTo(control.minimumSize())
    return wanted.expandedTo(least).boundedTo(control.maximumSize())


def _row_px(widths: list[int]) -> int:
    return sum(widths) + scaled_px(_GAP_PX) * max(len(widths) - 1, 0)


def _move(control: QWidget, parent: QWidget) -> None:
    """Give a control another parent, and leave it hidden only if it was hidden on purpose."""
    if control.parent() is parent:
        return
    was_hidden = control.testAttribute(Qt.WidgetAttribute.WA_WState_ExplicitShowHide) and control.isHidden()
    control.setParent(parent)
    control.setVisible(not was_hidden)


class FlowLayout(QLayout):
    """A layout for controls that have to fit into panels of any width.

    Each widget has its preferred size, or the width of the layout if that is smaller; widgets of one row are
    centred vertically. Hidden widgets take no room.

    Parameters
    ----------
    spacing_px
        Distance between neighbours, and between rows.
    """

    def __init__(self, parent: QWidget | None = None, spacing_px: int = 4) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self._wanted: QSize | None = None
        if parent is not None:
            parent.setLayout(self)
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(spacing_px)

    def addWidget(self, widget: QWidget) -> None:
        """Append a widget."""
        # Qt would make an item that nobody deletes together with this layout.
        self.addChildWidget(widget)
        self.addItem(QWidgetItem(widget))
        self.invalidate()

    def addItem(self, item: QLayoutItem) -> None:
        """Append an item, as `addWidget` does."""
        self._items.append(item)

    def count(self) -> int:
        """Return the number of items."""
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        """Return an item, or None if there is none with that index."""
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        """Remove an item and return it, or None if there is none with that index."""
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        """Take no more room than needed."""
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        """Return True, because a narrow layout has more rows."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of all rows at a width."""
        rows = self._rows(width)
        return sum(_height(row) for row in rows) + self.spacing() * max(len(rows) - 1, 0)

    def invalidate(self) -> None:
        """Forget the size that was wanted before something changed."""
        self._wanted = None
        super().invalidate()

    def sizeHint(self) -> QSize:
        """Return the size of all widgets in one row."""
        if self._wanted is None:  # Qt asks several times for each change.
            sizes = [item.sizeHint() for item in self._shown]
            width = sum(size.width() for size in sizes) + self.spacing() * max(len(sizes) - 1, 0)
            self._wanted = QSize(width, max((size.height() for size in sizes), default=0))
        return self._wanted

    def minimumSize(self) -> QSize:
        """Return the size of the largest widget, which has a row of its own in a very narrow layout."""
        widths = [item.minimumSize().width() for item in self._shown]
        heights = [item.sizeHint().height() for item in self._shown]
        return QSize(max(widths, default=0), max(heights, default=0))

    def setGeometry(self, rect: QRect) -> None:
        """Place the widgets."""
        super().setGeometry(rect)
        y = rect.y()
        for row in self._rows(rect.width()):
            x, height = rect.x(), _height(row)
            for item in row:
                size = item.sizeHint().boundedTo(QSize(rect.width(), height))
                item.setGeometry(QRect(QPoint(x, y + (height - size.height()) // 2), size))
                x += size.width() + self.spacing()
            y += height + self.spacing()

    @property
    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _rows(self, width: int) -> list[list[QLayoutItem]]:
        rows: list[list[QLayoutItem]] = []
        left = 0
        for item in self._shown:
            wanted = min(item.sizeHint().width(), width)
            if not rows or wanted > left:
                rows.append([])
                left = width
            rows[-1].append(item)
            left -= wanted + self.spacing()
        return rows


def _height(row: list[QLayoutItem]) -> int:
    return max(item.sizeHint().height() for item in row)
