"""What the program looks like: the theme and the text size that the user chooses, and the icon."""

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from convnext_studio.common.paths import ASSETS
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.settings import Settings, SettingsFile
from convnext_studio.ui.widgets import text_size as textsize
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.progress_bar import keep_still

_STEPS_MS = 250  # Debounce: repeated key presses follow each other faster than this.
_SETTLED_MS = 50  # Until every widget has updated its size hint for the new text size.
_EFFECTS = (
    Qt.UIEffect.UI_AnimateMenu,
    Qt.UIEffect.UI_FadeMenu,
    Qt.UIEffect.UI_AnimateCombo,
    Qt.UIEffect.UI_AnimateTooltip,
    Qt.UIEffect.UI_FadeTooltip,
)


class Appearance(QObject):
    """Changes the theme and the text size, and saves both in the settings.

    It emits `text_size_chosen` just before a new size is applied, and `text_resized` once all widgets have
    taken it.
    """

    text_size_chosen = Signal()
    text_resized = Signal()
    changed = Signal()  # A setting of the appearance has changed.

    def __init__(self, state: AppState, settings: SettingsFile, parent: QObject) -> None:
        super().__init__(parent)
        self._state = state
        self._settings = settings
        self._restyle = QTimer(self, singleShot=True, interval=_STEPS_MS)
        self._restyle.timeout.connect(self._use_text)
        QApplication.styleHints().colorSchemeChanged.connect(self._follow_system)

    def use_theme(self, choice: theme.ThemeChoice) -> None:
        """Change to the given theme, or follow the system."""
        self._settings.update(theme=choice)
        theme.choose(_application(), choice)
        self.changed.emit()

    def use_text_size(self, size_pt: int) -> None:
        """Use a text size in points, or that of the desktop for `AS_SYSTEM`."""
        self._want_text(size_pt)

    def use_animation(self, is_animated: bool) -> None:
        """Let menus and lists fade in and busy bars move, or keep everything still."""
        self._settings.update(is_animated=is_animated)
        for effect in _EFFECTS:
            QApplication.setEffectEnabled(effect, is_animated)
        keep_still(not is_animated)
        self.changed.emit()

    def use(self, settings: Settings) -> None:
        """Use the theme, text size and animation of these settings."""
        self.use_theme(settings.theme)
        self.use_text_size(settings.text_pt)
        self.use_animation(settings.is_animated)

    def _follow_system(self) -> None:
        if self._settings.values.theme == "system":
            theme.apply(_application(), theme.chosen(_application(), "system"))

    def larger_text(self) -> None:
        """Make the text, and everything that scales with it, one step larger."""
        self._want_text(textsize.next_larger(self._wanted_pt))

    def smaller_text(self) -> None:
        """Make the text, and everything that scales with it, one step smaller."""
        self._want_text(textsize.next_smaller(self._wanted_pt))

    def systems_text(self) -> None:
        """Use the text size of the desktop."""
        self._want_text(textsize.AS_SYSTEM)

    @property
    def _wanted_pt(self) -> float:
        """The chosen text size in points, which may not have been applied yet."""
        if not self._restyle.isActive():
            return textsize.current_pt()
        return self._settings.values.text_pt or textsize.system_size_pt()

    def _want_text(self, size_pt: int) -> None:
        """Show the size at once, but debounce applying it, because that blocks the window for a moment."""
        self._settings.update(text_pt=size_pt)
        self._restyle.start()
        self.changed.emit()
        self._state.hovered.emit(f"Text size {self._wanted_pt:g} pt")

    def _use_text(self) -> None:
        before_pt = textsize.current_pt()
        self.text_size_chosen.emit()
        textsize.apply(_application(), self._settings.values.text_pt)
        if textsize.current_pt() != before_pt:
            theme.apply(_application(), theme.current())  # Its lengths scale with the text.
            QTimer.singleShot(_SETTLED_MS, self, self.text_resized.emit)


def _application() -> QApplication:
    application = QApplication.instance()
    assert isinstance(application, QApplication)  # There is a window, hence an application.
    return application


_ICONS = ASSETS / "icons"


def application_icon() -> QIcon:
    """Return the icon with all its sizes."""
    icon = QIcon()
    for path in sorted(_ICONS.glob("convnext-studio-*.png")):
        icon.addFile(str(path))
    return icon
