"""All works without a mouse, is named for those who do not see it, and shows where the keys are heard."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QLineEdit,
    QScrollBar,
    QTabBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from convnext_studio.ui.shell.docks.panel_specs import ASIDES
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.focus_ring import PAINTS_FOCUS, FocusRing

MOST_TABS = 400


@pytest.fixture
def active_window(filled_window: StudioWindow, qtbot: QtBot) -> StudioWindow:
    filled_window.resize(1920, 1080)
    filled_window.activateWindow()
    qtbot.waitUntil(filled_window.isActiveWindow)
    return filled_window


def is_qts_own(widget: QWidget) -> bool:
    """A part of a control that Qt puts there itself: arrows, clear buttons, scroll bars, an editor's line."""
    parts_of = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit, QAbstractItemView)
    above = widget.parentWidget()
    return (
        isinstance(widget, QScrollBar)
        or widget.objectName().startswith("qt_")
        or isinstance(above, parts_of)
        or (isinstance(above, QAbstractScrollArea) and above.viewport() is widget)
        or isinstance(widget, QTabBar)  # Its QTabWidget has the name.
        or isinstance(above, QTabBar)
        or (above is not None and isinstance(above.parentWidget(), QComboBox))
    )


def test_every_control_of_every_panel_has_a_name_and_says_what_it_does(active_window: StudioWindow) -> None:
    """Also of what is not seen just now: a page behind another, a control that only a long method needs."""
    for name in ASIDES:
        active_window.dock_layout.show_panel(name)
    lacking = []
    for widget in active_window.findChildren(QWidget):
        if not widget.focusPolicy() & Qt.FocusPolicy.TabFocus or is_qts_own(widget):
            continue
        text = widget.text() if isinstance(widget, QAbstractButton) else ""
        if not (widget.accessibleName() or text):
            lacking.append(f"no name: {type(widget).__name__} in {type(widget.parentWidget()).__name__}")
        if not (widget.toolTip() or widget.accessibleDescription()):
            where = type(widget.parentWidget()).__name__
            lacking.append(f"no tip: {type(widget).__name__} {widget.accessibleName() or text!r} in {where}")
    assert not lacking, "\n".join(sorted(set(lacking)))


def test_the_tab_key_reaches_every_panel_and_comes_round(active_window: StudioWindow) -> None:
    window = active_window
    window.strip.canvas.setFocus()
    visited: list[QWidget] = []
    for _ in range(MOST_TABS):
        focused = QApplication.focusWidget()
        assert focused is not None
        if visited and focused is visited[0]:
            break
        assert focused not in visited, f"{type(focused).__name__} {focused.accessibleName()} keeps the keyboard"
        visited.append(focused)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    else:
        pytest.fail("Tab never comes back to where it began")
    for name, dock in window.dock_layout.docks.items():
        if dock.isVisible():
            assert any(dock.isAncestorOf(widget) for widget in visited), name


def test_f6_steps_through_strip_and_panels_and_shift_f6_back(active_window: StudioWindow) -> None:
    window = active_window
    window.strip.canvas.setFocus()
    shown = [name for name, dock in window.dock_layout.docks.items() if dock.isVisible()]
    seen = []
    for _ in shown:
        window.actions_by_id["next_panel"].trigger()
        seen.append(window.dock_layout.focus.active)
    assert sorted(map(str, seen)) == sorted(shown)
    window.actions_by_id["next_panel"].trigger()
    assert window.strip.canvas.hasFocus()
    window.actions_by_id["previous_panel"].trigger()
    assert window.dock_layout.focus.active == seen[-1]


@pytest.mark.parametrize("look", [theme.DARK, theme.LIGHT], ids=lambda look: look.name)
def test_a_ring_shows_where_the_keys_are_heard(
    active_window: StudioWindow, qapp: QApplication, look: theme.Theme
) -> None:
    theme.apply(qapp, look)
    control = active_window.panels.predictions.search
    control.setFocus()
    [ring] = active_window.findChildren(FocusRing)
    assert ring.around is control
    assert ring.isVisible()
    assert ring.geometry().contains(
        control.rect().translated(control.mapTo(active_window, control.rect().topLeft()))
    )
    image = active_window.grab(ring.geometry()).toImage()
    assert QColor(image.pixel(image.width() // 2, 0)).name() == look.accent
    active_window.strip.canvas.setFocus()
    assert active_window.strip.canvas.property(PAINTS_FOCUS)
    assert not ring.isVisible()
