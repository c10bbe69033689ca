"""Both looks are readable: contrast by WCAG 2.2's formula, computed here."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage, QPalette, QRegion, QStyleHints
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QLineEdit, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.ui.plots.canvas.scene_items import HALO
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.widgets import theme as themes
from convnext_studio.ui.widgets.theme import DARK, LIGHT, Theme


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def test_the_formula_gives_the_standards_extremes() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
@pytest.mark.parametrize("behind", ["background", "surface", "raised"])
@pytest.mark.parametrize("text", ["text", "muted", "accent", "good", "warning", "error"])
def test_every_text_is_readable_on_every_background(theme: Theme, text: str, behind: str) -> None:
    assert contrast(getattr(theme, text), getattr(theme, behind)) >= 4.5


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_selected_text_and_outlines_are_visible(theme: Theme) -> None:
    assert contrast(theme.on_accent, theme.accent) >= 4.5
    assert contrast(theme.outline, theme.surface) >= 3
    assert contrast(theme.outline, theme.raised) >= 3


def test_a_change_reaches_open_widgets(qtbot: QtBot, qapp: QApplication) -> None:
    widget = QWidget()
    qtbot.addWidget(widget)
    for theme in (LIGHT, DARK):
        themes.apply(qapp, theme)
        qapp.processEvents()
        assert themes.current() is theme
        assert widget.palette().color(QPalette.ColorRole.WindowText).name() == theme.text


@pytest.mark.parametrize(("scheme", "look"), [(Qt.ColorScheme.Light, LIGHT), (Qt.ColorScheme.Dark, DARK)])
def test_following_the_system_takes_its_scheme_when_it_changes(
    window: StudioWindow,
    qapp: QApplication,
    monkeypatch: pytest.MonkeyPatch,
    scheme: Qt.ColorScheme,
    look: Theme,
) -> None:
    hints = qapp.styleHints()
    monkeypatch.setattr(QStyleHints, "colorScheme", lambda _hints: scheme)  # In the desktop's place.
    try:
        window.actions_by_id["theme_system"].trigger()
        hints.colorSchemeChanged.emit(scheme)
        assert themes.current() is look
        window.actions_by_id["theme_dark"].trigger()
        hints.colorSchemeChanged.emit(Qt.ColorScheme.Light)
        assert themes.current() is DARK  # What was chosen stays.
    finally:
        themes.choose(qapp, "dark")


def test_where_the_system_says_nothing_it_is_dark(qapp: QApplication) -> None:
    if qapp.styleHints().colorScheme() is Qt.ColorScheme.Unknown:
        assert themes.chosen(qapp, "system") is DARK
    assert themes.chosen(qapp, "light") is LIGHT


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
def test_the_palettes_own_pairs_are_readable(theme: Theme) -> None:
    role = QPalette.ColorRole
    palette = themes.palette(theme)

    def pair(text: QPalette.ColorRole, behind: QPalette.ColorRole) -> float:
        return contrast(palette.color(text).name(), palette.color(behind).name())

    for text, behind in (
        (role.WindowText, role.Window),
        (role.Text, role.Base),
        (role.Text, role.AlternateBase),
        (role.ButtonText, role.Button),
        (role.ToolTipText, role.ToolTipBase),
        (role.HighlightedText, role.Highlight),
        (role.PlaceholderText, role.Base),
        (role.Link, role.Base),
        (role.Link, role.Window),
    ):
        assert pair(text, behind) >= 4.5, (text, behind)


def test_what_is_printed_on_pictures_is_readable_on_its_ground() -> None:
    """Labels stand on the halo, whatever the picture below it: white or black at most."""
    for ground in (0, 255):
        behind = round(ground * (1 - HALO.alphaF()))
        grey = f"#{behind:02x}{behind:02x}{behind:02x}"
        for colour in ("#ffffff", DARK.accent, DARK.warning):
            assert contrast(colour, grey) >= 4.5


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
@pytest.mark.parametrize("behind", ["background", "surface", "raised"])
def test_the_frame_of_what_has_the_keyboard_stands_out(theme: Theme, behind: str) -> None:
    assert contrast(theme.accent, getattr(theme, behind)) >= 3


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda theme: theme.name)
@pytest.mark.parametrize("make", [QCheckBox, QLineEdit, QSpinBox, QComboBox])
def test_an_empty_control_is_seen_by_its_outline(
    qtbot: QtBot, qapp: QApplication, theme: Theme, make: Callable[[], QWidget]
) -> None:
    themes.apply(qapp, theme)
    control = make()
    qtbot.addWidget(control)
    control.setAutoFillBackground(False)
    control.resize(control.sizeHint())
    image = QImage(control.size(), QImage.Format.Format_RGB32)
    image.fill(QColor(theme.background))
    control.render(image, QPoint(), QRegion(), QWidget.RenderFlag.DrawChildren)
    middle = [image.pixelColor(x, image.height() // 2).name() for x in range(6)]
    assert max(contrast(colour, theme.background) for colour in middle) >= 3
