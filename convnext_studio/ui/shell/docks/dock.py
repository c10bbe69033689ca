"""Docks whose panels are created when they are first shown, and which of them has the keyboard focus."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal, Protocol

from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QCursor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDockWidget,
    QHBoxLayout,
    QMainWindow,
    QScrollArea,
    QTabBar,
    QWidget,
)

from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.elided_label import ElidedLabel, plain_tip
from convnext_studio.ui.widgets.text_size import follow_text, scaled, scaled_px

_Glyph = Literal["help", "maximise", "float", "close"]
_BUTTON_PX = 16
_ACTIVE_PX = 3
_STEP_PX = 24
LEAST_SIZE = QSize(96, 48)  # Of the dock's visible area; a panel that needs more scrolls.


class DockPanel(Protocol):
    """The interface that the window expects of a panel."""

    title: str

    @property
    def is_settled(self) -> bool:
        """Whether the panel shows its result, or a message in its place."""


class PanelDock(QDockWidget):
    """A dock whose panel is created when it is first shown or accessed."""

    maximise_asked = Signal()
    help_asked = Signal()
    made = Signal(object)  # the panel

    def __init__(self, name: str, title: str, make: Callable[[QWidget], QWidget], window: QMainWindow) -> None:
        super().__init__(title, window)
        self.setObjectName(f"dock_{name}")
        self._make = make
        self._panel: QWidget | None = None
        self._bar: _TitleBar | None = None
        toggle = self.toggleViewAction()
        toggle.setToolTip(plain_tip(f"Show or hide the panel “{title}”"))
        toggle.setStatusTip(toggle.toolTip())

    @property
    def panel(self) -> QWidget:
        """The panel, created on first access."""
        if self._panel is None:
            area = _PanelArea(self)
            self._panel = self._make(area.place)
            self._bar = _TitleBar(self)
            self.setTitleBarWidget(self._bar)
            area.show_panel(self._panel)
            self.setWidget(area)
            self.made.emit(self._panel)
        return self._panel

    @property
    def is_made(self) -> bool:
        """Whether the panel has been created."""
        return self._panel is not None

    def needed_height(self, width_px: int) -> int:
        """Return the height at which title bar and panel need no scroll bar, for a given width."""
        return self.titleBarWidget().sizeHint().height() + needed(self.panel, width_px).height()

    @property
    def shows_panel(self) -> bool:
        """Whether the panel has been created and is visible."""
        return self._panel is not None and self._panel.isVisible()

    def setVisible(self, visible: bool) -> None:
        """Create the panel before it is first shown."""
        if visible and self._panel is None:
            _ = self.panel
        super().setVisible(visible)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the panel the new size at once.

        After docks were restored and placed anew, the layout of a dock may take itself for settled, and then
        the panel stays as wide as it was.
        """
        super().resizeEvent(event)
        layout = self.layout()
        if layout is not None:
            layout.invalidate()
            layout.activate()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw an edge around a floating dock: with a custom title bar, the system draws no frame."""
        super().paintEvent(event)
        if self.isFloating():
            with QPainter(self) as painter:
                painter.setPen(QColor(theme.current().outline))
                painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def come_to_front(self) -> None:
        """Lie before the panels behind the same tabs or, if it floats, before all windows.

        Qt chooses the tab of a dock that lies above all else in the window. Afterwards it lies below what
        covers the panels, such as a message or the list of shortcuts.
        """
        self.raise_()
        if not self.isFloating():
            self.lower()

    def set_active(self, is_active: bool) -> None:
        """Show in the title bar whether the panel has the keyboard focus."""
        if self._bar is not None:
            self._bar.set_active(is_active)

    def take_focus(self) -> None:
        """Give the focus to the widget of the panel that had it last, or else to its first control."""
        wanted = self.panel.focusWidget() or self.panel
        if not (wanted.isEnabled() and wanted.isVisibleTo(self) and _takes_focus(wanted)):
            wanted = self._first_control() or self.panel
        wanted.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _first_control(self) -> QWidget | None:
        each = self.panel.nextInFocusChain()
        while each is not None and self.panel.isAncestorOf(each):
            if _takes_focus(each) and each.isVisibleTo(self) and each.isEnabled():
                return each
            each = each.nextInFocusChain()
        return None


def end_drag(window: QMainWindow) -> None:
    """Drop the dock that the user is dragging, if any, where it is.

    Call this before docks are placed, shown, hidden or restored: doing that during a drag corrupts Qt's memory.
    Only a mouse release makes Qt end a drag, so one is sent.
    """
    direct = Qt.FindChildOption.FindDirectChildrenOnly
    draggable = [*window.findChildren(PanelDock, options=direct), *window.findChildren(QTabBar, options=direct)]
    at = QPointF(QCursor.pos())
    for widget in draggable:
        release = QMouseEvent(
            QEvent.Type.MouseButtonRelease,
            widget.mapFromGlobal(at),
            at,
            Qt.MouseButton.LeftButton,
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent(widget, release)


def _takes_focus(widget: QWidget) -> bool:
    return bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)


def needed(panel: QWidget, width_px: int) -> QSize:
    """Return the minimum width of a panel, and the height that it needs at the given width.

    The height of its minimum size hint would be too large: it assumes that long captions wrap in a narrow
    column.
    """
    least = panel.minimumSizeHint()
    layout = panel.layout()
    if layout is not None and layout.hasHeightForWidth():
        least.setHeight(layout.totalMinimumHeightForWidth(max(width_px, least.width())))
    return least


class _PanelArea(QScrollArea):
    """A scroll area that shows all of a panel if there is room, and scrolls otherwise.

    Attributes
    ----------
    place
        The widget that the panel is to be made in. Qt styles all of a panel anew whenever it gets another
        parent, so it is given its last one before it has any controls.
    """

    def __init__(self, dock: PanelDock) -> None:
        super().__init__(dock)
        self._panel: QWidget | None = None
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        for bar in (self.horizontalScrollBar(), self.verticalScrollBar()):
            bar.setSingleStep(_STEP_PX)
        self.place = QWidget()
        self.place.setAutoFillBackground(True)
        self.setViewport(self.place)

    def show_panel(self, panel: QWidget) -> None:
        """Show a panel that was made in `place`."""
        self._panel = panel
        # Not `setWidgetResizable`: it would scroll as soon as there is less room than the panel's size hint.
        self.setWidget(panel)
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """Return a small fixed size, so that neither contents nor text size can enlarge the window."""
        return LEAST_SIZE

    def sizeHint(self) -> QSize:
        """Return the size hint of the panel."""
        return super().sizeHint() if self._panel is None else self._panel.sizeHint()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let the panel fill the viewport."""
        super().resizeEvent(event)
        self._fit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Refit the panel when it needs more or less room."""
        if watched is self._panel and event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return super().eventFilter(watched, event)

    def _fit(self) -> None:
        if self._panel is not None:
            room = self.place.size()
            self._panel.resize(room.expandedTo(needed(self._panel, room.width())))


class _TitleBar(QWidget):
    """A title bar with four buttons; dragging moves the panel, a double click maximises it."""

    def __init__(self, dock: PanelDock) -> None:
        super().__init__(dock)
        self._dock = dock
        self._is_active = False
        title = ElidedLabel()
        title.setText(dock.windowTitle())
        title.setToolTip("Drag to move the panel, double-click to maximise it")
        title.setProperty("title", True)
        row = QHBoxLayout(self)
        row.setSpacing(2)
        row.addWidget(title, 1)
        follow_text(self, lambda: row.setContentsMargins(scaled_px(8), 1, scaled_px(4), 1))
        name = dock.windowTitle()
        explain = _TitleButton("help", f"Help on “{name}”: what it shows, and what it does not mean (Shift+F1)")
        maximise = _TitleButton("maximise", f"Maximise or restore “{name}” (F12)")
        floating = _TitleButton("float", f"Float “{name}” in its own window, or dock it again")
        close = _TitleButton("close", f"Hide “{name}”; the View menu shows it again")
        explain.clicked.connect(dock.help_asked)
        maximise.clicked.connect(dock.maximise_asked)
        floating.clicked.connect(lambda: dock.setFloating(not dock.isFloating()))
        close.clicked.connect(dock.close)
        for button in (explain, maximise, floating, close):
            row.addWidget(button)
        self._title = title
        self._dispensable = (floating, explain)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Hide the buttons that the menus offer too if they would cut off the title."""
        super().resizeEvent(event)
        button_px = scaled_px(_BUTTON_PX) + 2
        room = self.width() - scaled_px(12) - self._title.sizeHint().width() - 2 * button_px
        for number, button in enumerate(self._dispensable, start=1):
            button.setVisible(room >= number * button_px)

    def set_active(self, is_active: bool) -> None:
        """Mark whether the panel has the keyboard focus."""
        if is_active != self._is_active:
            self._is_active = is_active
            self.update()

    def mouseDoubleClickEvent(self, _event: QMouseEvent) -> None:
        """Maximise the panel; all other mouse events are left to the dock."""
        self._dock.maximise_asked.emit()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw a mark before the title of the panel that has the keyboard focus."""
        if self._is_active:
            with QPainter(self) as painter:
                mark = QRectF(0, self.height() * 0.2, scaled(_ACTIVE_PX), self.height() * 0.6)
                painter.fillRect(mark, QColor(theme.current().accent))


class _TitleButton(QAbstractButton):
    """A button that is painted, so that it scales with the text and is sharp on every screen.

    It is not in the tab order, which would stop four times at each panel; the menus offer the same actions.
    """

    def __init__(self, glyph: _Glyph, tip: str) -> None:
        super().__init__()
        self._glyph = glyph
        self.setAccessibleName(tip.partition(",")[0].partition(";")[0])
        self.setToolTip(plain_tip(tip))
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        follow_text(self, lambda: self.setFixedSize(scaled_px(_BUTTON_PX), scaled_px(_BUTTON_PX)))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the glyph in thin lines."""
        look = theme.current()
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            if self.underMouse():
                painter.fillRect(self.rect(), QColor(look.raised))
            painter.setPen(QPen(QColor(look.text if self.underMouse() else look.muted), scaled(1.2)))
            _GLYPHS[self._glyph](painter, QRectF(self.rect()))


def _paint_lines(painter: QPainter, box: QRectF, lines: list[list[tuple[float, float]]]) -> None:
    for line in lines:
        painter.drawPolyline(
            QPolygonF([QPointF(box.x() + x * box.width(), box.y() + y * box.height()) for x, y in line])
        )


def _paint_question_mark(painter: QPainter, box: QRectF) -> None:
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "?")


_GLYPHS: dict[_Glyph, Callable[[QPainter, QRectF], None]] = {
    "help": _paint_question_mark,
    "maximise": partial(
        _paint_lines,
        lines=[
            [(0.55, 0.28), (0.72, 0.28), (0.72, 0.45)],
            [(0.45, 0.72), (0.28, 0.72), (0.28, 0.55)],
            [(0.72, 0.28), (0.28, 0.72)],
        ],
    ),
    "float": partial(
        _paint_lines,
        lines=[
            [(0.28, 0.42), (0.58, 0.42), (0.58, 0.72), (0.28, 0.72), (0.28, 0.42)],
            [(0.42, 0.42), (0.42, 0.28), (0.72, 0.28), (0.72, 0.58), (0.58, 0.58)],
        ],
    ),
    "close": partial(_paint_lines, lines=[[(0.3, 0.3), (0.7, 0.7)], [(0.7, 0.3), (0.3, 0.7)]]),
}


class PanelFocus(QObject):
    """Knows the active panel, marks it, and moves the keyboard focus between panels."""

    def __init__(self, window: QMainWindow, docks: Mapping[str, PanelDock]) -> None:
        super().__init__(window)
        self._window = window
        self._docks = docks
        application = QApplication.instance()
        if isinstance(application, QApplication):
            application.focusChanged.connect(self._mark_active)

    @property
    def active(self) -> str | None:
        """Name of the panel with the keyboard focus, or else of the one under the pointer."""
        focused = QApplication.focusWidget()
        for name, dock in self._docks.items():
            if focused is not None and (dock is focused or dock.isAncestorOf(focused)):
                return name
        for name, dock in self._docks.items():
            if dock.isVisible() and dock.rect().contains(dock.mapFromGlobal(QCursor.pos())):
                return name
        return None

    def step(self, step: int, others: tuple[QWidget, ...]) -> None:
        """Move the focus by a step through `others` and then the panels, left to right, top to bottom."""
        docks = [dock for dock in self._docks.values() if dock.shows_panel]
        docks.sort(key=self._order)
        places: list[QWidget] = [*(other for other in others if other.isVisible()), *docks]
        if not places:
            return
        focused = QApplication.focusWidget()
        here = next(
            (
                index
                for index, place in enumerate(places)
                if focused is not None and (place is focused or place.isAncestorOf(focused))
            ),
            -1 if step > 0 else 0,
        )
        wanted = places[(here + step) % len(places)]
        if isinstance(wanted, PanelDock):
            wanted.activateWindow()
            wanted.come_to_front()
            wanted.take_focus()
        else:
            self._window.activateWindow()
            wanted.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _order(self, dock: PanelDock) -> tuple[bool, int, int]:
        """Return what docks are sorted by; those behind a tab come after the one in front, in their order.

        Qt moves a dock that lies behind another one out of the window.
        """
        group = [dock, *self._window.tabifiedDockWidgets(dock)]
        front = next((each for each in group if not each.visibleRegion().isEmpty()), dock)
        return dock.isFloating(), front.x(), front.y()

    def _mark_active(self, _before: QWidget | None, now: QWidget | None) -> None:
        for dock in self._docks.values():
            dock.set_active(now is not None and dock.isAncestorOf(now))
