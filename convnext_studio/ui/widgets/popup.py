"""Popups: a button that opens a sheet of controls, parts made when first needed, and refilled menus."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, QPoint, Qt
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QFormLayout, QFrame, QLabel, QMenu, QToolButton, QWidget

from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip

# For a button whose text ends in ▾, because the arrow that Qt draws would cover the text.
MENU_BUTTON_STYLE = "QToolButton::menu-indicator { image: none; }"


class _Sheet(QFrame):
    """The popup of a button, closed by Escape or a click elsewhere."""

    def __init__(self, button: QToolButton) -> None:
        super().__init__(button, Qt.WindowType.Popup)
        self._button = button
        self.setObjectName("sheet")

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._button.setDown(False)


class PopupButton(QToolButton):
    """A button that opens a form below itself."""

    def __init__(self, text: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setText(text)
        self.setToolTip(plain_tip(tip))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._sheet = _Sheet(self)
        self._form = QFormLayout(self._sheet)
        self._form.setContentsMargins(8, 6, 8, 6)
        self._rows: list[tuple[QLabel | None, QWidget]] = []
        self.clicked.connect(self.open_sheet)

    def add_row(self, text: str, control: QWidget) -> None:
        """Add a control with its label in front of it, or alone for an empty text."""
        self._insert(len(self._rows), text, control)

    def add_wide(self, control: QWidget, *, first: bool = False) -> None:
        """Add a control that needs no label, as wide as the sheet; `first` puts it above the others."""
        self._insert(0 if first else len(self._rows), "", control)

    def show_rows(self, rows: Sequence[tuple[str, QWidget]]) -> None:
        """Show exactly these controls, each with its label; those that are there keep their places.

        The order of those that stay is the same as before. Others are removed, but not deleted: the caller puts
        them elsewhere.
        """
        wanted = [control for _text, control in rows]
        for place in reversed(range(len(self._rows))):
            if self._rows[place][1] not in wanted:
                self._release(place)
        for place, (text, control) in enumerate(rows):
            if place >= len(self._rows) or self._rows[place][1] is not control:
                self._insert(place, text, control)

    def _insert(self, place: int, text: str, control: QWidget) -> None:
        label = None
        if text:
            label = PlainLabel(text)
            label.setBuddy(control)
            self._form.insertRow(place, label, control)
        else:
            self._form.insertRow(place, control)
        self._rows.insert(place, (label, control))

    def _release(self, place: int) -> None:
        label, control = self._rows.pop(place)
        # Not takeRow(), because nothing deletes the items that it returns.
        self._form.removeWidget(control)
        if label is not None:
            self._form.removeWidget(label)
            label.hide()
            label.deleteLater()
        self._form.removeRow(place)

    def clear(self) -> None:
        """Remove all controls."""
        while self._form.rowCount():
            self._form.removeRow(0)
        self._rows = []

    @property
    def sheet(self) -> QWidget:
        """The sheet that the button opens."""
        return self._sheet

    def open_sheet(self) -> None:
        """Open the form within the screen, and give its first control the keyboard focus."""
        self._sheet.adjustSize()
        place = self.mapToGlobal(QPoint(0, self.height()))
        room = self.screen().availableGeometry()
        place.setX(max(room.left(), min(place.x(), room.right() - self._sheet.width())))
        if place.y() + self._sheet.height() > room.bottom():
            place.setY(self.mapToGlobal(QPoint()).y() - self._sheet.height())
        self._sheet.move(place)
        self._sheet.show()
        if self._rows:
            self._rows[0][1].setFocus(Qt.FocusReason.PopupFocusReason)


class LatePart(QObject):
    """A part of a widget that is made when it is first needed, or when the program has nothing else to do.

    Parameters
    ----------
    owner
        The widget that it belongs to.
    make
        Makes it; called once at most.
    """

    def __init__(self, owner: QWidget, make: Callable[[], None]) -> None:
        super().__init__(owner)
        self._make = make
        self._is_made = False

    @property
    def is_made(self) -> bool:
        """Whether the part has been made, or is being made."""
        return self._is_made

    def make(self) -> None:
        """Make the part unless that was done before."""
        if not self._is_made:
            self._is_made = True
            self._make()


def make_late_part(widget: QWidget) -> bool:
    """Make one part that is still missing inside a widget; return whether there was one."""
    part = next((part for part in widget.findChildren(LatePart) if not part.is_made), None)
    if part is not None:
        part.make()
    return part is not None


def make_late_parts(widget: QWidget) -> None:
    """Make all that is still missing inside a widget, for those who look through it."""
    while make_late_part(widget):
        pass


def empty_menu(menu: QMenu) -> None:
    """Remove all entries of a menu, and delete the menus inside it, which `QMenu.clear` keeps for ever."""
    inside = menu.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)
    menu.clear()
    for each in inside:
        each.deleteLater()
