"""The settings panel: appearance, computing, defaults of panels, and where things are kept."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.common.paths import downloaded_weights, weights_cache
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.render import format_size
from convnext_studio.ui.panels.base import choice, plain_label
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.cache_sizes import ENGINE_BYTES, WINDOW_BYTES
from convnext_studio.ui.state.settings import KEPT_SHARES, Settings, SettingsFile
from convnext_studio.ui.widgets.control_values import Value, control_values, set_controls
from convnext_studio.ui.widgets.elided_label import PathLabel, PlainLabel, plain_tip
from convnext_studio.ui.widgets.message_bar import show_in_folder
from convnext_studio.ui.widgets.text_size import AS_SYSTEM, SIZES_PT, follow_text, scaled_px

_MOST_PX = 640  # For text of 9 points.

WITH_DEFAULTS: Mapping[str, str] = {"attribution": "Attribution", "receptive_field": "Receptive field"}
"""The panels whose controls have defaults that are kept, by name with their titles."""


class SettingsPanel(QWidget):
    """A panel with everything that is kept between launches.

    Parameters
    ----------
    panel_named
        Returns a panel of the window, whose controls show which defaults there are.

    Attributes
    ----------
    theme, text_size, animation, device, precision, kept_share
        The controls for appearance and computing.
    defaults
        The controls for the defaults of panels, by panel and name.
    """

    title = "Settings"
    theme_chosen = Signal(str)
    text_size_chosen = Signal(int)
    animation_chosen = Signal(bool)
    device_chosen = Signal(str)
    precision_chosen = Signal(str)
    kept_share_chosen = Signal(float)
    all_replaced = Signal(object)  # Settings: all were reset, or the reset was undone
    recent_cleared = Signal()

    def __init__(
        self,
        state: AppState,
        settings: SettingsFile,
        background: Background,
        panel_named: Callable[[str], QWidget],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._settings = settings
        self._background = background
        self._panel_named = panel_named
        self._before_reset: Settings | None = None
        self.defaults: dict[tuple[str, str], QComboBox | QSpinBox] = {}
        self._make_controls()
        self._lay_out()
        self._connect()
        self.show_values()
        state.model_loaded.connect(self._offer_devices)

    @property
    def is_settled(self) -> bool:
        """Whether the panel is up to date; always true, because it sends no requests."""
        return True

    def sizeHint(self) -> QSize:
        """Make room for the longest rows."""
        return QSize(self.fontMetrics().averageCharWidth() * 64, 640)

    def showEvent(self, event: QShowEvent) -> None:
        """Show the current values, which menus can change, too, and measure the downloaded weights."""
        super().showEvent(event)
        self._make_defaults()
        self.show_values()
        self._background.read(downloaded_weights, self._show_weights)

    # -------------------------------------------------------------------------------------------- controls

    def _make_controls(self) -> None:
        self.theme = choice(
            "Theme",
            "Dark for work at the screen, light for projectors",
            [("As the system", "system"), ("Dark", "dark"), ("Light", "light")],
            word="",
        )
        sizes = [("As the system", AS_SYSTEM), *((f"{size} points", size) for size in SIZES_PT)]
        self.text_size = choice("Text size", "Size of all text and of the controls around it", sizes, word="")
        self.animation = QCheckBox("Animation")
        self.animation.setToolTip("Whether menus and lists fade in, and busy bars move")
        self.device = choice(
            "Device",
            "The device to compute on, from now on and at every launch; automatic prefers a GPU",
            (),
            word="",
        )
        self.precision = choice(
            "Precision",
            "Numbers of the forward pass, from now on and at every launch; 16 bits need a GPU",
            [("float32", "float32"), ("bfloat16", "bfloat16")],
            word="",
        )
        self.kept_share = choice(
            "Memory for results",
            "What is kept of pictures and results, so that they are there at once when they are selected again",
            [(_room_text(share), share) for share in KEPT_SHARES],
            word="",
        )
        self.settings_file, self.weights_folder, self.save_folder = PathLabel(), PathLabel(), PathLabel()
        self.settings_file.setText(str(self._settings.path))
        self.weights_folder.setText(str(weights_cache()))
        self.weights = plain_label("muted")
        self.show_settings = _button(
            "Show in folder", "Open the folder of the settings", "Show the settings file"
        )
        self.show_weights = _button(
            "Show in folder", "Open the folder of the weights", "Show the cache of downloaded weights"
        )
        self.clear_recent = _button("Clear the list of recent files", "The files themselves are kept")
        self.reset = _button("Reset all settings", "Go back to the settings of the first launch")
        self.undo = _button("Undo the reset", "Go back to the settings before the reset")
        self.undo.hide()

    def _lay_out(self) -> None:
        self._form = QFormLayout()
        self._form.addRow(_heading("Appearance"))
        self._form.addRow("Theme", self.theme)
        self._form.addRow("Text size", self.text_size)
        self._form.addRow("", self.animation)
        self._form.addRow(_heading("Computing"))
        self._form.addRow("Device", self.device)
        self._form.addRow("Precision", self.precision)
        self._form.addRow("Memory for results", self.kept_share)
        kept = QFormLayout()
        kept.addRow(_heading("Where things are kept"))
        kept.addRow("Settings", _beside(self.settings_file, self.show_settings))
        kept.addRow("Downloaded weights", _beside(self.weights_folder, self.show_weights))
        kept.addRow("", self.weights)
        kept.addRow("Files are saved to", self.save_folder)
        kept.addRow("", self.clear_recent)
        row = QHBoxLayout()
        row.addWidget(self.reset)
        row.addWidget(self.undo)
        row.addStretch()
        # In a window's whole width, controls would be far from what they say.
        follow_text(self, lambda: self.setMaximumWidth(scaled_px(_MOST_PX)))
        layout = QVBoxLayout(self)
        layout.addLayout(self._form)
        layout.addLayout(kept)
        layout.addLayout(row)
        layout.addStretch()
        self.setFocusProxy(self.theme)

    def _connect(self) -> None:
        self.theme.activated.connect(lambda _: self.theme_chosen.emit(self.theme.currentData()))
        self.text_size.activated.connect(lambda _: self.text_size_chosen.emit(self.text_size.currentData()))
        self.animation.clicked.connect(self.animation_chosen)
        self.device.activated.connect(lambda _: self._choose_device())
        self.precision.activated.connect(lambda _: self._choose_precision())
        self.kept_share.activated.connect(lambda _: self._choose_kept_share())
        self.show_settings.clicked.connect(lambda: show_in_folder(str(self._settings.path)))
        self.show_weights.clicked.connect(lambda: show_in_folder(str(weights_cache())))
        self.clear_recent.clicked.connect(self.recent_cleared)
        self.reset.clicked.connect(self._reset)
        self.undo.clicked.connect(self._undo)

    def _choose_device(self) -> None:
        self._settings.update(device=self.device.currentData())
        self.device_chosen.emit(self.device.currentData())

    def _choose_precision(self) -> None:
        self._settings.update(precision=self.precision.currentData())
        self.precision_chosen.emit(self.precision.currentData())

    def _choose_kept_share(self) -> None:
        self._settings.update(kept_share=self.kept_share.currentData())
        self.kept_share_chosen.emit(self.kept_share.currentData())

    # ------------------------------------------------------------------------------- defaults of the panels

    def _make_defaults(self) -> None:
        """Make a control for each choice that a panel offers, once the panel exists."""
        if self.defaults:
            return
        for name, title in WITH_DEFAULTS.items():
            self._form.addRow(_heading(f"{title}, at every launch"))
            for control in _with_default(self._panel_named(name)):
                twin = _twin(control)
                self.defaults[name, control.accessibleName()] = twin
                self._form.addRow(control.accessibleName(), twin)
                signal = twin.activated if isinstance(twin, QComboBox) else twin.valueChanged
                signal.connect(partial(self._keep_default, name, control.accessibleName()))

    def _keep_default(self, panel: str, control: str, _value: object = None) -> None:
        """Keep the value of a control as the default, and use it in the panel at once."""
        twin = self.defaults[panel, control]
        value: Value = twin.currentText() if isinstance(twin, QComboBox) else twin.value()
        kept = {name: dict(values) for name, values in self._settings.values.panel_defaults.items()}
        kept.setdefault(panel, {})[control] = value
        self._settings.update(panel_defaults=kept)
        set_controls(self._panel_named(panel), {control: value})

    def _show_defaults(self) -> None:
        for name in WITH_DEFAULTS:
            values = control_values(self._panel_named(name)) | self._settings.values.panel_defaults.get(
                name, {}
            )
            for (panel, control), twin in self.defaults.items():
                if panel == name and control in values:
                    _show(twin, values[control])

    # ------------------------------------------------------------------------------------- showing values

    def show_values(self) -> None:
        """Show the current settings."""
        values = self._settings.values
        self.theme.setCurrentIndex(self.theme.findData(values.theme))
        self.text_size.setCurrentIndex(self.text_size.findData(values.text_pt))
        self.animation.setChecked(values.is_animated)
        self._offer_devices(self._state.model)
        self.precision.setCurrentIndex(self.precision.findData(values.precision))
        self.kept_share.setCurrentIndex(self.kept_share.findData(values.kept_share))
        self.save_folder.setText(values.save_folder or str(Path.home()))
        if self.defaults:
            self._show_defaults()

    def _offer_devices(self, model: ModelInfo | None) -> None:
        """Offer the devices that this computer has; before a model is open, only those that all have."""
        there = [("cpu", "CPU")] if model is None or not model.devices else _titles(model)
        chosen = self._settings.values.device
        self.device.clear()
        for name, title in (("auto", "Automatic"), *there):
            self.device.addItem(title, name)
        self.device.setCurrentIndex(max(self.device.findData(chosen), 0))
        gpu = model is not None and model.device.startswith("cuda")
        self.precision.setEnabled(gpu or self._settings.values.precision != "float32")

    def _show_weights(self, found: tuple[int, int]) -> None:
        count, size_bytes = found
        said = f"{count} models of timm, {size_bytes / 1e9:.2f} GB; other programs use this folder, too"
        self.weights.setText(said)

    # ------------------------------------------------------------------------------------------- resetting

    def _reset(self) -> None:
        """Reset what this panel shows; recent files, places of windows and the tour are kept."""
        before = self._settings.values
        self._before_reset = before
        self.undo.show()
        self.all_replaced.emit(before.with_first_values())
        self.show_values()

    def _undo(self) -> None:
        if self._before_reset is not None:
            self.undo.hide()
            self.all_replaced.emit(self._before_reset)
            self.show_values()


def _with_default(panel: QWidget) -> list[QComboBox | QSpinBox]:
    """Return the controls of a panel whose choices can be kept: lists, and how many pictures to average."""
    found: dict[str, QComboBox | QSpinBox] = {}
    for box in panel.findChildren(QComboBox):
        if box.accessibleName() and not box.isEditable() and box.count() > 1:
            found.setdefault(box.accessibleName(), box)
    for number in panel.findChildren(QSpinBox):
        if number.accessibleName().endswith(" to average"):
            found.setdefault(number.accessibleName(), number)
    return list(found.values())


def _twin(control: QComboBox | QSpinBox) -> QComboBox | QSpinBox:
    """Return a control with the same choices."""
    if isinstance(control, QComboBox):
        texts = [(control.itemText(index), None) for index in range(control.count())]
        return choice(f"{control.accessibleName()} at every launch", control.toolTip(), texts, word="")
    twin = QSpinBox()
    twin.setRange(control.minimum(), control.maximum())
    twin.setKeyboardTracking(False)
    twin.setAccessibleName(f"{control.accessibleName()} at every launch")
    twin.setToolTip(control.toolTip())
    return twin


def _show(twin: QComboBox | QSpinBox, value: Value) -> None:
    was_blocked = twin.blockSignals(True)
    if isinstance(twin, QComboBox):
        twin.setCurrentIndex(twin.findText(str(value), Qt.MatchFlag.MatchExactly))
    elif isinstance(value, int):
        twin.setValue(value)
    twin.blockSignals(was_blocked)


def _room_text(share: float) -> str:
    """Return how much the caches may hold, such as “window 230 MB, engine 660 MB”."""
    window, engine = (format_size(round(share * size_bytes)) for size_bytes in (WINDOW_BYTES, ENGINE_BYTES))
    return f"Window {window}, engine {engine}"


def _titles(model: ModelInfo) -> list[tuple[str, str]]:
    return [(device.name, f"{device.name}: {device.title}") for device in model.devices]


def _heading(text: str) -> QLabel:
    label = PlainLabel(text)
    label.setProperty("heading", True)
    return label


def _button(text: str, tip: str, name: str = "") -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(plain_tip(tip))
    button.setAccessibleName(name or text)
    return button


def _beside(label: QLabel, button: QPushButton) -> QHBoxLayout:
    row = QHBoxLayout()
    row.addWidget(label, 1)
    row.addWidget(button, alignment=Qt.AlignmentFlag.AlignTop)
    return row
