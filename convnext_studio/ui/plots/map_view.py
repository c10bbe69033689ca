"""A view of a map with its colour bar, its profile, and a menu that copies and saves them."""

from collections.abc import Callable
from functools import partial

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QImage,
    QKeyEvent,
    QPainter,
)
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget

from convnext_studio.protocol.value_sums import AskedValue
from convnext_studio.ui.plots.color_bar import ColorBar
from convnext_studio.ui.plots.curve_data import Axes, Curve
from convnext_studio.ui.plots.curve_plot import CurvePlot
from convnext_studio.ui.plots.image_view import ImageView, asks_for_escape
from convnext_studio.ui.plots.measuring.measurements import MEASURES, LineProfile, profile_of
from convnext_studio.ui.plots.saving.view_saver import DragOut, ViewContents, ViewSaver
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.popup import MENU_BUTTON_STYLE
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

_PROFILE_PX = 130


FindValue = Callable[[float, float], AskedValue | None]
"""Returns the place of the value that is shown at a point of the scene, or None."""


def _no_value(_x: float, _y: float) -> AskedValue | None:
    return None


class MapView(QWidget):
    """A view with its colour bar, and a menu that copies and saves both.

    Attributes
    ----------
    view, bar
        The map and its colour bar.
    save
        Button with the menu, below the colour bar.
    saver
        Saver with the menu, which is also the context menu of this widget.
    """

    noticed = Signal(object)  # Notice: a file was written, or could not be written
    value_asked = Signal(object)  # AskedValue: how was this value made?
    measured = Signal(str)  # a sentence on what is measured, or is under the pointer in the profile

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._profile: CurvePlot | None = None
        self.view = ImageView()
        self.view.setAccessibleName(name)
        self.bar = ColorBar()
        self._contents: ViewContents | None = None
        self.saver = ViewSaver(self, self)
        DragOut(self.view, self.picture, lambda: name if self._contents is None else self._contents.name)
        self.saver.noticed.connect(self.noticed)
        self.saver.menu.addSeparator()
        for text, tip, handler in (
            ("&Fit\tF7", "Show everything, as large as possible", self.view.show_all),
            ("&1:1\tF8", "Show one pixel per screen pixel", self.view.show_pixels),
        ):
            action = self.saver.menu.addAction(text)
            action.setToolTip(plain_tip(tip))
            action.triggered.connect(handler)
        self._offer_measures()
        self.view.measured.connect(self._show_measures)
        self._find_value: FindValue = _no_value
        self.view.asked.connect(self._ask_value)
        self.save = self.save_button(name)
        beside = QVBoxLayout()
        beside.setSpacing(0)
        beside.addWidget(self.bar, 1)
        beside.addWidget(self.save)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        self._column = QVBoxLayout()
        self._column.setSpacing(2)
        self._column.addWidget(self.view, 1)
        layout.addLayout(self._column, 1)
        layout.addLayout(beside)

    def _offer_measures(self) -> None:
        self.saver.menu.addSeparator()
        for tool, (text, tip, shortcut) in MEASURES.items():
            action = self.saver.menu.addAction(f"{text}\t{shortcut}")
            action.setToolTip(plain_tip(tip))
            action.triggered.connect(partial(self.view.toggle_measure, tool))

    def _show_measures(self, sentence: str) -> None:
        """Say what is measured, and plot the profile below the map."""
        scene, ends = self.view.scene, self.view.measures.get("profile")
        measured = None if scene is None else scene.measured
        if ends is not None and measured is not None and scene is not None:
            self._plot(profile_of(*measured, ends), scene.unit)
        elif self._profile is not None:
            self._profile.hide()
        self.measured.emit(sentence)

    def _plot(self, profile: LineProfile, unit: str) -> None:
        if self._profile is None:
            axes = Axes(x=f"Distance ({unit})", y="Value", has_legend=False)
            plot = CurvePlot("Profile along the line", axes)
            plot.pointed.connect(lambda said: self.measured.emit(said or self.view.sentence))
            follow_text(plot, lambda: plot.setFixedHeight(scaled_px(_PROFILE_PX)))
            self._column.addWidget(plot)
            self._profile = plot
        curve = Curve(label="Value", x=profile.distance, y=profile.values)
        is_seen = bool(np.isfinite(profile.values).any())
        self._profile.show_curves([curve] if is_seen else [], "There are no values along this line.")
        self._profile.show()

    @property
    def profile(self) -> CurvePlot | None:
        """The plot of the profile; None until there is one."""
        return self._profile

    def event(self, event: QEvent) -> bool:
        """Receive Escape before the window's actions do, as long as there are levels to restore."""
        if asks_for_escape(event) and self.bar.is_adjusted:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Restore the levels with Escape."""
        if event.key() == Qt.Key.Key_Escape and self.bar.is_adjusted:
            self.bar.restore()
        else:
            super().keyPressEvent(event)

    def save_button(self, name: str, text: str = "Save ▾") -> QToolButton:
        """Return a button with the menu of `saver`."""
        button = QToolButton()
        button.setText(text)
        button.setAutoRaise(True)
        button.setAccessibleName(f"Copy or save: {name}")
        button.setToolTip(
            "Copy or save this view (Ctrl+C, Ctrl+S); drag with Ctrl to move its picture to another program"
        )
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setMenu(self.saver.menu)
        button.setStyleSheet(MENU_BUTTON_STYLE)
        return button

    @property
    def contents(self) -> ViewContents | None:
        """The contents to copy and save, or None."""
        return self._contents

    def set_contents(self, contents: ViewContents | None) -> None:
        """Set the contents to copy and save: file name, caption and numbers."""
        self._contents = contents

    def hide_scale(self) -> None:
        """Leave all the room to the map, because its scale and the save button are shown elsewhere."""
        self.bar.hide()
        self.save.hide()

    def picture(self, width_px: int | None = None) -> QImage:
        """Return an image of view and colour bar of this width; as on the screen if None."""
        size = self.painted_size()
        factor = self.devicePixelRatioF() if width_px is None else width_px / size.width()
        image = QImage(
            max(1, round(size.width() * factor)),
            max(1, round(size.height() * factor)),
            QImage.Format.Format_RGB32,
        )
        image.fill(QColor(theme.current().surface))
        with QPainter(image) as painter:
            painter.scale(factor, factor)
            self.paint_on(painter)
        return image

    def painted_size(self) -> QSize:
        """Return the size of view and colour bar in logical pixels."""
        self._place_hidden_bar()
        return QSize(self.bar.x() + self.bar.width_in_file(), self.height())

    def paint_on(self, painter: QPainter) -> None:
        """Paint view and colour bar with any painter, in logical pixels."""
        self._place_hidden_bar()
        bar = self.bar
        for part, width, draw in (
            (self.view, self.view.width(), self.view.draw),
            (bar, bar.width_in_file(), lambda painter: bar.draw(painter, in_file=True)),
        ):
            painter.save()
            painter.translate(part.pos())
            painter.setClipRect(0, 0, width, part.height())
            painter.setFont(part.font())
            draw(painter)
            painter.restore()
        if self._profile is not None and self._profile.isVisible():
            painter.save()
            painter.translate(self._profile.pos())
            self._profile.render(painter, QPoint())
            painter.restore()

    def _place_hidden_bar(self) -> None:
        """Give a hidden colour bar a geometry, so that saved pictures include it."""
        if self.bar.isHidden():
            beside, width = self.view.geometry(), self.bar.sizeHint().width()
            self.bar.setGeometry(beside.right() + 3, beside.top(), width, beside.height())

    def explain_values(self, find: FindValue) -> None:
        """Offer how a value was made, by Alt+click and in the context menu, wherever `find` finds one."""
        self._find_value = find

    def _ask_value(self, x: float, y: float) -> None:
        place = self._find_value(x, y)
        if place is not None:
            self.value_asked.emit(place)

    def value_under(self, point: QPoint) -> AskedValue | None:
        """Return the place of the value under a point of this widget, or None."""
        return self._find_value(*self.view.to_scene(QPointF(self.view.mapFrom(self, point))))

    def offer_value(self, menu: QMenu, place: AskedValue | None) -> None:
        """Add the entry that asks how a value was made, if there is one."""
        if place is not None:
            action = menu.addAction("&How was this number made?\tAlt+click")
            action.setToolTip("Show the sum that made this value, with its numbers")
            action.triggered.connect(lambda: self.value_asked.emit(place))
            menu.addSeparator()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Open the menu to copy and save, with the value under the pointer if there is one."""
        place = self.value_under(event.pos())
        if place is None:
            self.saver.menu.popup(event.globalPos())
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setToolTipsVisible(True)
        self.offer_value(menu, place)
        self.saver.show_possible()
        menu.addActions(self.saver.menu.actions())
        menu.popup(event.globalPos())
