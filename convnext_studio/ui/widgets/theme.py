"""Colour themes of the window and of lectures, and how they are applied in Qt.

Widgets that paint themselves read `current()` when they paint, and repaint on `QEvent.Type.PaletteChange`,
which Qt sends to every widget when `apply` changes the theme.
"""

from typing import Literal, cast, get_args

from msgspec import Struct
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QApplication

from convnext_studio.ui.widgets.text_size import scaled_px

ThemeName = Literal["dark", "light"]
ThemeChoice = Literal["system", "dark", "light"]


class Theme(Struct, frozen=True, kw_only=True):
    """The colours of a theme, as ``#rrggbb``.

    Attributes
    ----------
    name
        ``dark`` or ``light``.
    background
        Background of the window, between the panels.
    surface
        Background of panels, of lists and of the area around pictures.
    raised
        Background of controls, and of bars that stand out from the panel.
    text, muted
        Normal and de-emphasised text, both readable (WCAG AA, 4.5:1) on the three backgrounds.
    accent, on_accent
        Whatever is selected or active (also readable as text), and text on a filled accent.
    border, outline
        Decorative lines between areas, and outlines of controls (3:1).
    good, warning, error
        Text with that meaning, readable on the three backgrounds.
    """

    name: ThemeName
    background: str
    surface: str
    raised: str
    text: str
    muted: str
    accent: str
    on_accent: str
    border: str
    outline: str
    good: str
    warning: str
    error: str


DARK = Theme(
    name="dark",
    background="#1b1c1f",
    surface="#232529",
    raised="#2f3237",
    text="#e6e7ea",
    muted="#a9adb5",
    accent="#6cb2f2",
    on_accent="#0e1a26",
    border="#3a3d43",
    outline="#80858f",
    good="#7fc98f",
    warning="#e3b25a",
    error="#f2938a",
)

LIGHT = Theme(
    name="light",
    background="#eceef1",
    surface="#ffffff",
    raised="#f2f3f5",
    text="#15171a",
    muted="#53575e",
    accent="#0a5ca4",
    on_accent="#ffffff",
    border="#c9cdd3",
    outline="#7b8088",
    good="#1b6b30",
    warning="#7a4f00",
    error="#a8221a",
)

PROJECTOR = replace(
    LIGHT,
    background="#ffffff",
    raised="#f4f5f7",
    text="#000000",
    muted="#3c4046",
    border="#a9afb7",
    outline="#5c626b",
)
"""A light theme with more contrast, for lectures only: a projector in a lit room washes greys out."""

THEMES: dict[ThemeName, Theme] = {"dark": DARK, "light": LIGHT}
OUTLINED = (
    "QCheckBox",
    "QTreeWidget",
    "QLineEdit",
    "QAbstractSpinBox",
    "QComboBox",
    "QAbstractButton",
    "QSlider",
)
"""Widget classes that are drawn with an outline."""

CHOICES: tuple[ThemeChoice, ...] = get_args(ThemeChoice)


def current() -> Theme:
    """Return the theme in use."""
    window = QApplication.palette().color(QPalette.ColorRole.Window).name()
    return next((look for look in (LIGHT, PROJECTOR) if look.background == window), DARK)


def choose(application: QApplication, choice: ThemeChoice) -> None:
    """Use a theme, including for window frames and system dialogs, or follow the system."""
    schemes = {"dark": Qt.ColorScheme.Dark, "light": Qt.ColorScheme.Light, "system": Qt.ColorScheme.Unknown}
    application.styleHints().setColorScheme(schemes[choice])
    apply(application, chosen(application, choice))


def chosen(application: QApplication, choice: ThemeChoice) -> Theme:
    """Return the theme for a choice; it is dark if Qt does not know the system's colour scheme."""
    is_light = application.styleHints().colorScheme() == Qt.ColorScheme.Light
    name: ThemeName = ("light" if is_light else "dark") if choice == "system" else choice
    return THEMES[name]


def apply(application: QApplication, theme: Theme) -> None:
    """Apply a theme at the current text size; every widget receives a palette-change event."""
    application.setPalette(palette(theme))
    outlined = QPalette()
    # Fusion draws a control's outline in its window colour, darkened by this much, and that of a check box a
    # little lighter; otherwise check boxes and input fields would be hardly visible.
    outlined.setColor(QPalette.ColorRole.Window, QColor(theme.outline).lighter(125))
    for control in OUTLINED:
        # The stubs require bytes, which PySide6 refuses.
        application.setPalette(outlined, cast(bytes, control))
    # Setting a style sheet styles every widget anew, even with the same one: 0.2 s for a full window.
    if application.styleSheet() != (sheet := stylesheet(theme)):
        application.setStyleSheet(sheet)


def seen_on(red: int, green: int, blue: int) -> QColor:
    """Return black or white, whichever stands out on a colour, using the eye's weights of its components."""
    return QColor("black" if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else "white")


def palette(theme: Theme) -> QPalette:
    """Return a theme as a Qt palette for the Fusion style."""
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    colours = {
        role.Window: theme.background,
        role.WindowText: theme.text,
        role.Base: theme.surface,
        role.AlternateBase: theme.raised,
        role.Text: theme.text,
        role.PlaceholderText: theme.muted,
        role.Button: theme.raised,
        role.ButtonText: theme.text,
        role.BrightText: theme.error,
        role.ToolTipBase: theme.raised,
        role.ToolTipText: theme.text,
        role.Highlight: theme.accent,
        role.HighlightedText: theme.on_accent,
        role.Accent: theme.accent,
        role.Link: theme.accent,
        role.LinkVisited: theme.accent,
        role.Light: theme.border,
        role.Midlight: theme.border,
        role.Mid: theme.border,
        role.Dark: theme.border,
        role.Shadow: theme.background,
    }
    result = QPalette()
    for each_role, colour in colours.items():
        result.setColor(each_role, QColor(colour))
    for each_role in (role.WindowText, role.Text, role.ButtonText):
        result.setColor(group.Disabled, each_role, QColor(theme.outline))
    return result


def stylesheet(theme: Theme) -> str:
    """Return a style sheet for what the palette cannot express, with lengths scaled to the text size."""
    px = {length: f"{scaled_px(length)}px" for length in range(1, 15)}
    # The first line differs for each size, because Qt propagates a font only when the style sheet changes.
    return f"""/* {QApplication.font().pointSizeF():g} points */
QToolTip {{
    color: {theme.text}; background: {theme.raised}; border: 1px solid {theme.outline}; padding: {px[3]};
}}
QMainWindow::separator {{ background: {theme.background}; width: {px[5]}; height: {px[5]}; }}
QMainWindow::separator:hover {{ background: {theme.accent}; }}
QLabel[title="true"] {{ color: {theme.muted}; font-weight: 600; }}
QStatusBar {{ color: {theme.muted}; padding-right: {px[6]}; }}
QStatusBar QLabel {{ color: {theme.muted}; padding: 0 {px[4]}; }}
QListView::item:selected {{ background: {theme.raised}; color: {theme.accent}; }}
QToolBar {{ border: none; padding: 0; spacing: 0; }}
QStatusBar::item {{ border: none; }}
QProgressBar {{ background: {theme.surface}; border: 1px solid {theme.outline}; border-radius: 2px; }}
QProgressBar::chunk {{ background: {theme.accent}; }}
QLabel[muted="true"] {{ color: {theme.muted}; }}
QLabel[heading="true"] {{ font-weight: 600; }}
QLabel[problem="true"] {{ color: {theme.error}; }}
QLabel[warning="true"] {{ color: {theme.warning}; }}
QFrame[rule="true"] {{ background: {theme.border}; border: none; }}
QLabel[badge="true"] {{
    color: {theme.warning}; border: 1px solid {theme.warning}; border-radius: {px[3]}; padding: {px[1]} {px[5]};
}}
QToolButton[segment="true"] {{
    border: 1px solid {theme.outline}; color: {theme.muted}; padding: {px[2]} {px[5]};
}}
QToolButton[segment="true"]:checked {{
    background: {theme.raised}; border-color: {theme.accent}; color: {theme.accent};
}}
QFrame#chip {{ background: {theme.raised}; border: 1px solid {theme.warning}; border-radius: {px[3]}; }}
QFrame#sheet {{ border: 1px solid {theme.outline}; }}
QFrame#message_bar {{ background: {theme.raised}; border: none; border-left: {px[3]} solid {theme.error}; }}
QFrame#message_bar[good="true"] {{ border-left-color: {theme.accent}; }}
"""
