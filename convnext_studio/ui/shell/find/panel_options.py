"""The options of the panels, read from their widgets, so that a new control is found without being listed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QMenu,
    QScrollArea,
    QScrollBar,
    QStackedWidget,
    QTabWidget,
    QToolButton,
    QWidget,
)

from convnext_studio.ui.panels.predictions.prediction_row import PredictionRow

CONTROLS = (QComboBox, QAbstractButton, QAbstractSlider, QAbstractSpinBox, QLineEdit)
MOST_ITEMS = 60
"""Longer lists, such as all classes, are searched in their panel."""


@dataclass(frozen=True, slots=True)
class Option:
    """A control of a panel, or one of the choices that it offers.

    Attributes
    ----------
    name
        What it is, such as "Colour map" or "Colour map: Viridis"; unique within the panel.
    choose
        Shows the control in its panel, gives it the keyboard focus, and makes the choice if it is one.
    """

    name: str
    choose: Callable[[], None]


def options_of(panel: QWidget) -> list[Option]:
    """Return the options of a panel in the order of its widgets; equal names get a number."""
    found: dict[str, Option] = {}
    for option in _all_options(panel):
        name, number = option.name, 1
        while name in found:
            number += 1
            name = f"{option.name} {number}"
        found[name] = Option(name, option.choose)
    return list(found.values())


def _all_options(panel: QWidget) -> Iterator[Option]:
    for control in controls_of(panel):
        name = name_of(control)
        if name:
            yield Option(name, partial(_press if _is_choice(control) else reveal, control))
            yield from _choices(control, name)
    for tabs in panel.findChildren(QTabWidget):
        for index in range(tabs.count()):
            yield Option(f"Page: {tabs.tabText(index).replace('&', '')}", partial(_open_page, tabs, index))
    for menu in panel.findChildren(QMenu):
        if not isinstance(menu.parent(), QMenu):
            yield from _entries(menu, _owner_name(menu, panel))


def controls_of(panel: QWidget) -> list[QWidget]:
    """Return the controls of a panel, except those that Qt puts into its own, and the rows of a list."""
    return [
        control
        for control in panel.findChildren(QWidget)
        if isinstance(control, CONTROLS)
        and not isinstance(control, QScrollBar | PredictionRow)
        and not isinstance(control.parent(), (*CONTROLS[:1], *CONTROLS[2:], QAbstractItemView))
        and not control.objectName().startswith("qt_")
    ]


def name_of(control: QWidget) -> str:
    """Return the name of a control: that for screen readers, or else its own text."""
    text = control.text() if isinstance(control, QAbstractButton) else ""
    plain = (control.accessibleName() or text).replace("&", "").rstrip("…▾ ")
    return plain if any(sign.isalnum() for sign in plain) else ""


def _is_choice(control: QWidget) -> bool:
    """Return whether a control is one of several buttons of which one is pressed."""
    return isinstance(control, QAbstractButton) and control.isCheckable() and control.autoExclusive()


def _press(button: QWidget) -> None:
    reveal(button)
    if isinstance(button, QAbstractButton) and button.isEnabled():
        button.setChecked(True)


def _choices(control: QWidget, name: str) -> Iterator[Option]:
    if isinstance(control, QComboBox) and not control.isEditable() and control.count() <= MOST_ITEMS:
        for index in range(control.count()):
            yield Option(f"{name}: {control.itemText(index)}", partial(_choose_item, control, index))


def _choose_item(box: QComboBox, index: int) -> None:
    reveal(box)
    if box.isEnabled() and index < box.count() and index != box.currentIndex():
        box.setCurrentIndex(index)
        box.activated.emit(index)  # As if it had been chosen in the list itself.


def _entries(menu: QMenu, owner: str) -> Iterator[Option]:
    for action in menu.actions():
        below = action.menu()
        text = action.text().replace("&", "").rstrip("…▾ ")
        if isinstance(below, QMenu):
            yield from _entries(below, f"{owner}: {text}" if owner else text)
        elif not action.isSeparator() and text:
            yield Option(f"{owner}: {text}" if owner else text, partial(_trigger, menu, action))


def _owner_name(menu: QMenu, panel: QWidget) -> str:
    """Return what the entries of a menu are about: the button that opens it, without "Copy or save"."""
    for button in panel.findChildren(QToolButton):
        if button.menu() is menu:
            return name_of(button).removeprefix("Copy or save: ")
    return ""


def _trigger(menu: QMenu, action: QAction) -> None:
    parent = menu.parentWidget()
    if isinstance(parent, QWidget):
        reveal(parent)
    if action.isEnabled():
        action.trigger()


def _open_page(tabs: QTabWidget, index: int) -> None:
    tabs.setCurrentIndex(index)
    reveal(tabs.tabBar())


def reveal(control: QWidget) -> None:
    """Bring a control of a visible panel into view, in its page, popup or row, and give it the focus."""
    for widget in reversed(_with_ancestors(control)):
        parent = widget.parentWidget()
        if isinstance(parent, QStackedWidget) and isinstance(tabs := parent.parentWidget(), QTabWidget):
            tabs.setCurrentWidget(widget)
        elif widget.windowType() == Qt.WindowType.Popup and isinstance(parent, QAbstractButton):
            reveal(parent)
            parent.click()
        elif isinstance(widget, QScrollArea):
            widget.ensureWidgetVisible(control)
    if not control.isVisible():
        _unfold(control)
    control.setFocus(Qt.FocusReason.ShortcutFocusReason)


def _with_ancestors(control: QWidget) -> list[QWidget]:
    """Return a control and the widgets around it up to the window or popup that they are in."""
    chain: list[QWidget] = [control]
    while not chain[-1].isWindow() and (parent := chain[-1].parentWidget()) is not None:
        chain.append(parent)
    return chain


def _unfold(control: QWidget) -> None:
    """Press the button beside the hidden widgets around a control that shows them, such as “More”."""
    for widget in _with_ancestors(control):
        parent = widget.parentWidget()
        if widget.isHidden() and parent is not None:
            for button in parent.findChildren(QToolButton):
                if button.isCheckable() and not button.isChecked() and button.text().startswith("More"):
                    button.click()
                    if not widget.isHidden():
                        break
