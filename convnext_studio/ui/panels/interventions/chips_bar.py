"""The chain of changes over the network strip: a chip for each, with a switch and a cross."""

from functools import partial

from msgspec import structs
from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QToolButton,
    QWidget,
)

from convnext_studio.common.interventions import HIGHEST_FACTOR, LOWEST_FACTOR, Change
from convnext_studio.common.retouches import Retouch
from convnext_studio.ui.panels.interventions.change_menu import add_effects
from convnext_studio.ui.panels.interventions.change_texts import effect_text, part_text
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.widgets.elided_label import ElidedLabel, PlainLabel, plain_tip
from convnext_studio.ui.widgets.popup import MENU_BUTTON_STYLE, empty_menu
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

_STEPS = 20  # For each 1 of the factor.
_SLIDER_PX = 90
_REMOVE_KEYS = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace)


class Chip(QFrame):
    """One change: a switch with its words, a slider for a factor, a menu, and a cross that removes it."""

    switched = Signal(bool)
    removed = Signal()
    factor_dragged = Signal(float)
    slider_held = Signal()
    slider_released = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("chip")
        self.switch = QCheckBox()
        self.switch.clicked.connect(self.switched)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(round(LOWEST_FACTOR * _STEPS), round(HIGHEST_FACTOR * _STEPS))
        self.slider.setPageStep(_STEPS // 2)
        follow_text(self.slider, lambda: self.slider.setFixedWidth(scaled_px(_SLIDER_PX)))
        self.slider.sliderPressed.connect(self.slider_held)
        self.slider.sliderReleased.connect(self.slider_released)
        self.slider.valueChanged.connect(lambda value: self.factor_dragged.emit(value / _STEPS))
        self.more = _button("▾", "Change it in another way")
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setStyleSheet(MENU_BUTTON_STYLE)
        self.menu = QMenu(self.more)
        self.menu.setToolTipsVisible(True)
        self.more.setMenu(self.menu)
        self.cross = _button("✕", "Remove this change (Delete)")
        self.cross.clicked.connect(self.removed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(5, 0, 1, 0)
        layout.setSpacing(2)
        for part in (self.switch, self.slider, self.more, self.cross):
            layout.addWidget(part)

    def show_text(self, text: str, tip: str, is_on: bool) -> None:
        """Show what the change is called, and whether it is applied."""
        self.switch.setText(text.replace("&", "&&"))
        self.switch.setChecked(is_on)
        self.switch.setToolTip(plain_tip(tip))
        self.switch.setAccessibleName(f"Change: {text}")
        self.slider.setAccessibleName(f"Factor of {text}")
        self.slider.setToolTip("The factor, from -2 to 2; 1 changes nothing")
        self.more.setAccessibleName(f"Change {text} in another way")
        self.cross.setAccessibleName(f"Remove the change {text}")

    def show_factor(self, factor: float | None) -> None:
        """Show a slider at a factor; None hides it."""
        self.slider.setVisible(factor is not None)
        if factor is not None and not self.slider.isSliderDown():
            self.slider.blockSignals(True)
            self.slider.setValue(round(factor * _STEPS))
            self.slider.blockSignals(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Remove the change with Delete."""
        if event.key() in _REMOVE_KEYS:
            self.removed.emit()
        else:
            super().keyPressEvent(event)


class ChipsBar(QWidget):
    """All changes in a row, with undo and redo; hidden while there are none.

    Attributes
    ----------
    chips
        The chips: first the changes inside the network, then those of pictures.
    recipe
        The button with the menu of what can be done with all changes together.
    """

    save_asked = Signal()
    open_asked = Signal()
    python_asked = Signal()

    def __init__(self, state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._interventions = state.interventions
        self.setAccessibleName("Changes")
        self.chips: list[Chip] = []
        self._title = PlainLabel("Changes")
        self._title.setProperty("title", True)
        self._row = QWidget()
        self._chips = QHBoxLayout(self._row)
        self._chips.setContentsMargins(0, 0, 0, 0)
        self._chips.setSpacing(4)
        self._chips.addStretch(1)
        self._area = _Row(self._row)
        self.failure = ElidedLabel()
        self.failure.setProperty("badge", True)
        self.failure.hide()
        self.undo = _button("Undo", "Undo the last change (Ctrl+Alt+Z)")
        self.undo.clicked.connect(self._interventions.undo)
        self.redo = _button("Redo", "Make the change again that was undone (Ctrl+Alt+Shift+Z)")
        self.redo.clicked.connect(self._interventions.redo)
        self.clear = _button("Clear", "Remove all changes (Ctrl+Alt+X)")
        self.clear.clicked.connect(self._interventions.clear)
        self.recipe = _button("Recipe ▾", "Save all changes as a recipe, open one, or copy them as Python")
        self.recipe.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.recipe.setStyleSheet(MENU_BUTTON_STYLE)
        menu = QMenu(self.recipe)
        for text, signal in (
            ("&Save the changes…", self.save_asked),
            ("&Open changes…", self.open_asked),
            ("Copy as P&ython", self.python_asked),
        ):
            menu.addAction(text).triggered.connect(signal)
        self.recipe.setMenu(menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(6, 3, 6, 1)
        layout.setSpacing(4)
        layout.addWidget(self._title)
        layout.addWidget(self._area.back)
        layout.addWidget(self._area, 1)
        layout.addWidget(self._area.on)
        layout.addWidget(self.failure)
        for button in (self.undo, self.redo, self.clear, self.recipe):
            layout.addWidget(button)
        self._interventions.changed.connect(self._show)
        state.model_loaded.connect(self._show)
        state.opened.changed.connect(self._show)
        self._show()

    def say(self, sentence: str) -> None:
        """Say why the changes cannot be made; nothing if they are."""
        self.failure.setText(sentence)
        self.failure.setToolTip(plain_tip(sentence))
        self.failure.setVisible(bool(sentence))

    # ---------------------------------------------------------------------------------------------- showing

    def _show(self, _changed: object = None) -> None:
        chain = self._interventions.recipe
        retouches = [(key, index, each) for key, made in chain.retouched for index, each in enumerate(made)]
        self._keep_chips(len(chain.changes) + len(retouches))
        for index, change in enumerate(chain.changes):
            self._show_change(self.chips[index], change)
        for chip, (key, _, retouch) in zip(self.chips[len(chain.changes) :], retouches, strict=True):
            self._show_retouch(chip, key, retouch)
        self.undo.setEnabled(self._interventions.can_undo)
        self.redo.setEnabled(self._interventions.can_redo)
        self.setVisible(not chain.is_empty or self._interventions.can_redo)

    def _keep_chips(self, count: int) -> None:
        """Have as many chips; those that stay are the same widgets, because one of them may be held."""
        while len(self.chips) > count:
            chip = self.chips.pop()
            chip.hide()
            chip.deleteLater()
        while len(self.chips) < count:
            chip, index = Chip(self._row), len(self.chips)
            chip.switched.connect(partial(self._switch, index))
            chip.removed.connect(partial(self._remove, index))
            chip.factor_dragged.connect(partial(self._drag, index))
            chip.slider_held.connect(self._interventions.hold)
            chip.slider_released.connect(self._interventions.release)
            chip.menu.aboutToShow.connect(partial(self._fill_menu, index))
            self._chips.insertWidget(index, chip)
            self.chips.append(chip)
            self._area.show_end()

    def _show_change(self, chip: Chip, change: Change) -> None:
        text = f"{part_text(change, self._state.model)} · {effect_text(change, self._state.opened.all)}"
        chip.show_text(text, "Apply this change, or only keep it here", change.enabled)
        chip.show_factor(change.factor if change.effect == "factor" else None)
        chip.more.show()

    def _show_retouch(self, chip: Chip, key: str, retouch: Retouch) -> None:
        names = {each.key: each.name for each in self._state.opened.all}
        text = f"{names.get(key, 'picture')} · {retouch.text}"
        chip.show_text(text, "Apply this change of the picture, or only keep it here", retouch.enabled)
        chip.show_factor(None)
        chip.more.hide()

    # --------------------------------------------------------------------------------------------- changing

    def _retouch_at(self, index: int) -> tuple[str, int] | None:
        """Return the picture and the place of a chip's change among those of the picture; None for others."""
        index -= len(self._interventions.changes)
        if index < 0:
            return None
        every = [(key, at) for key, made in self._interventions.recipe.retouched for at in range(len(made))]
        return every[index]

    def _switch(self, index: int, on: bool) -> None:
        found = self._retouch_at(index)
        if found is None:
            self._interventions.switch(index, on)
            return
        key, at = found
        made = list(self._interventions.recipe.of_picture(key))
        made[at] = structs.replace(made[at], enabled=on)
        self._interventions.retouch(key, tuple(made))

    def _remove(self, index: int) -> None:
        found = self._retouch_at(index)
        if found is None:
            self._interventions.remove(index)
            return
        key, at = found
        made = self._interventions.recipe.of_picture(key)
        self._interventions.retouch(key, (*made[:at], *made[at + 1 :]))

    def _drag(self, index: int, factor: float) -> None:
        change = self._interventions.changes[index]
        self._interventions.put(index, structs.replace(change, factor=factor))

    def _fill_menu(self, index: int) -> None:
        """Offer the other effects, and to select what the change concerns."""
        menu, change = self.chips[index].menu, self._interventions.changes[index]
        empty_menu(menu)
        add_effects(menu, self._state, change, lambda changed: self._interventions.put(index, changed))
        menu.addSeparator()
        menu.addAction("&Select its node").triggered.connect(lambda: self._select(change))

    def _select(self, change: Change) -> None:
        model = self._state.model
        if model is not None and any(node.name == change.node for node in model.nodes):
            self._state.set_node(change.node)
            if change.channels:
                self._state.set_channel(change.channels[0])


class _Row(QScrollArea):
    """A row of widgets that scrolls sideways without a scroll bar below it.

    The wheel, the focus and two arrows move it.

    Attributes
    ----------
    back, on
        The arrows, for the ends of the row; hidden while all of it can be seen.
    """

    def __init__(self, row: QWidget) -> None:
        super().__init__()
        self._row = row
        self.setWidget(row)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.back = _button("◀", "Show the changes before")
        self.on = _button("▶", "Show the changes after")
        self._shows_end = False
        bar = self.horizontalScrollBar()
        self.back.clicked.connect(lambda: bar.setValue(bar.value() - self.viewport().width() // 2))
        self.on.clicked.connect(lambda: bar.setValue(bar.value() + self.viewport().width() // 2))
        bar.valueChanged.connect(self._follow_place)
        bar.rangeChanged.connect(self._follow_range)
        self._follow_place()

    def show_end(self) -> None:
        """Scroll to the end as soon as the row has grown."""
        self._shows_end = True

    def _follow_range(self, _least: int, most: int) -> None:
        if self._shows_end:
            self._shows_end = False
            self.horizontalScrollBar().setValue(most)
        self._follow_place()

    def _follow_place(self) -> None:
        bar = self.horizontalScrollBar()
        for arrow, is_end in ((self.back, bar.value() == 0), (self.on, bar.value() == bar.maximum())):
            # Both or none, so that the row does not get wider under the mouse.
            arrow.setVisible(bar.maximum() > 0)
            arrow.setEnabled(not is_end)

    def sizeHint(self) -> QSize:
        """Return the size of the row."""
        return self._row.sizeHint()

    def minimumSizeHint(self) -> QSize:
        """Return a width that leaves room for the buttons, and the height of the row."""
        return QSize(scaled_px(80), self._row.sizeHint().height())

    def event(self, event: QEvent) -> bool:
        """Follow the height of the chips."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().event(event)


def _button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(plain_tip(tip))
    button.setAccessibleName(tip.partition(" (")[0])
    button.setAutoRaise(True)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
