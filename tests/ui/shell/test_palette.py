"""The palette offers everything, finds it by a few letters, and needs no mouse."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QComboBox, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.lecture.script import BUNDLED_LECTURE, read_lecture
from convnext_studio.protocol.models import LoadModel
from convnext_studio.ui.panels.help.help_panel import page_title
from convnext_studio.ui.shell.actions.spec import SEPARATOR
from convnext_studio.ui.shell.actions.table import ACTIONS
from convnext_studio.ui.shell.docks.panel_specs import HELP_PAGES
from convnext_studio.ui.shell.find.palette import ROW_ROLE, SHOWN_AT_MOST, Palette, PaletteEntry, Row, ranked
from convnext_studio.ui.shell.find.palette_entries import MOST_ITEMS
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.popup import LatePart
from tests.ui.conftest import FakeEngine

REAL = [spec for spec in ACTIONS if spec.text != SEPARATOR]


def entry(text: str, kind: str = "Node", *, why_not: str = "", offered: bool = False) -> PaletteEntry:
    return PaletteEntry(text, text, kind, lambda: None, why_not=why_not, is_offered=offered)


def texts(query: str, entries: list[PaletteEntry], recent: tuple[str, ...] = ()) -> list[str]:
    return [found.text for found, _ in ranked(query, entries, recent)]


def test_what_fits_best_comes_first_then_the_latest_then_the_shortest() -> None:
    entries = [
        entry("Go to restage"),
        entry("Go to stage3.block5"),
        entry("Go to stage3"),
        entry("stage notes"),
    ]
    assert texts("stage", entries) == ["stage notes", "Go to stage3", "Go to stage3.block5", "Go to restage"]
    recent = ("Go to stage3.block5",)
    assert texts("stage", entries, recent)[:2] == ["stage notes", "Go to stage3.block5"]


def test_without_a_query_the_latest_comes_before_what_is_offered() -> None:
    entries = [entry("Open", offered=True), entry("Paste", offered=True), entry("stage1"), entry("stage2")]
    assert texts("", entries, ("stage2", "Paste")) == ["stage2", "Paste", "Open"]
    assert texts("s", entries) == ["Paste"]


def test_what_cannot_be_done_comes_after_what_can() -> None:
    entries = [entry("Save map", why_not="needs a map"), entry("Save screenshot")]
    assert texts("save", entries) == ["Save screenshot", "Save map"]


def test_whole_words_come_first() -> None:
    entries = [
        entry("Open campsite"),
        entry("Camera"),
        entry("Scam"),
        entry("Grad-CAM of this picture"),
    ]
    assert texts("cam", entries) == [
        "Grad-CAM of this picture",
        "Camera",
        "Open campsite",
        "Scam",
    ]


def test_words_that_are_not_shown_are_found_after_those_that_are() -> None:
    hidden = PaletteEntry("a", "Colour map", "Option", lambda: None, also="color")
    found = ranked("color", [hidden, entry("Watercolor")], ())
    assert [each.text for each, _ in found] == ["Colour map", "Watercolor"]
    assert found[0][1].letters == ()
    assert texts("color map", [hidden]) == ["Colour map"]


def test_no_more_are_shown_than_anyone_reads() -> None:
    assert len(texts("no", [entry(f"node {number}") for number in range(500)])) == SHOWN_AT_MOST


# ---------------------------------------------------------------------------------------- in the window


@pytest.fixture
def opened(filled_window: StudioWindow, qtbot: QtBot) -> Callable[[], Palette]:
    """Opens the palette by its action, with the keyboard in it."""

    def open_palette() -> Palette:
        filled_window.activateWindow()
        filled_window.actions_by_id["palette"].trigger()
        palette = filled_window.guide.palette
        assert palette is not None
        qtbot.waitUntil(palette.line.hasFocus)
        return palette

    return open_palette


def rows(palette: Palette) -> list[Row]:
    return [palette.list.item(index).data(ROW_ROLE) for index in range(palette.list.count())]


def press(widget: QWidget, *keys: Qt.Key) -> None:
    for key in keys:
        QTest.keyClick(widget, key)


def test_every_action_is_found_by_its_name(filled_window: StudioWindow) -> None:
    gathered = filled_window.guide.entries.gather()
    keys = {each.key for each in gathered}
    assert len(keys) == len(gathered)
    assert {f"action {spec.id}" for spec in REAL} - keys == {"action palette"}
    for name in filled_window.dock_layout.docks:
        assert f"panel {name}" in keys


def test_each_letter_finds_what_the_whole_text_does(opened: Callable[[], Palette]) -> None:
    """Typing narrows down what was found before; pasting and deleting search again."""
    palette = opened()
    recent = ()
    for query in ("stage 3 block", "open model v2", "f e a"):
        palette.line.clear()
        for count in range(1, len(query) + 1):
            QTest.keyClick(palette.line, query[count - 1])
            expected = ranked(query[:count], palette._entries, recent)
            assert [row.text for row in rows(palette)] == [entry.text for entry, _ in expected]
        press(palette.line, Qt.Key.Key_Backspace)
        assert len(rows(palette)) == len(ranked(query[:-1], palette._entries, recent))


def test_a_node_is_gone_to_without_the_mouse(opened: Callable[[], Palette], state: AppState) -> None:
    palette = opened()
    QTest.keyClicks(palette.line, "s3b2")
    assert rows(palette)[0].text == "Go to stage3.block2"
    marked = rows(palette)[0]
    assert "".join(marked.text[index] for index in marked.letters) == "s3b2"
    press(palette.line, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Return)
    assert state.node == "stage3.block2"
    assert not palette.isVisible()


def test_arrow_keys_choose_and_do_not_move_the_window(opened: Callable[[], Palette]) -> None:
    palette = opened()
    assert palette.list.currentRow() == 0
    press(palette.line, Qt.Key.Key_Down, Qt.Key.Key_Down)
    assert palette.list.currentRow() == 2
    press(palette.line, Qt.Key.Key_PageDown)
    assert palette.list.currentRow() > 5


@pytest.fixture
def whole(opened: Callable[[], Palette], filled_window: StudioWindow, qtbot: QtBot) -> Palette:
    """The palette with the options of all panels, which are created while it is open."""
    palette = opened()
    docks = filled_window.dock_layout.docks.values()
    qtbot.waitUntil(lambda: all(dock.is_made for dock in docks), timeout=120_000)
    qtbot.waitUntil(lambda: not filled_window.guide._make_next.isActive())
    assert not palette.is_gathering
    return palette


def test_what_nobody_has_seen_yet_is_made_while_the_palette_is_open(
    opened: Callable[[], Palette], filled_window: StudioWindow, qtbot: QtBot
) -> None:
    """In the first second, parts of the panels are still missing; until they are there, nothing is denied."""
    late = LatePart(filled_window, lambda: QComboBox(filled_window).setObjectName("late"))
    palette = opened()
    QTest.keyClicks(palette.line, "wombat burrow")
    assert palette.nothing.text() == "Looking through the panels …"
    qtbot.waitUntil(lambda: late.is_made)
    assert filled_window.findChild(QComboBox, "late") is not None
    parts = filled_window.dock_layout.docks["attribution"].panel.findChildren(LatePart)
    qtbot.waitUntil(lambda: all(part.is_made for part in parts))
    assert parts
    assert palette.is_gathering


# What is typed, and what has to be among what is found, with its kind.
FOUND = [
    ("smoothgrad", "Attribution › Method: SmoothGrad", "Option"),
    ("occlusion", "Attribution › Method: Occlusion", "Option"),
    ("cividis", "Feature maps › Colour map: Cividis", "Option"),
    ("color map viridis", "Feature maps › Colour map: Viridis", "Option"),
    ("opacity", "Feature maps › Opacity", "Option"),
    ("vit base", "Open the model timm:vit_base_patch16_224.augreg_in1k", "Model"),
    ("resnet50.a1", "Open the model timm:resnet50.a1_in1k", "Model"),
    ("convnextv2_tiny.fcmae", "Open the model timm:convnextv2_tiny.fcmae", "Model"),
    ("road:", "Open the model road:", "Model"),
    ("tutorial", "Presets: tutorial", "Model"),
    ("bundled", "Bundled model", "Model"),
    ("help receptive", "Help: Receptive field", "Help"),
    ("copy", "Copy", "Edit"),
    ("copy numbers", "Copy numbers", "Option"),
    ("screenshot", "Export › What to export: Screenshot of the window", "Option"),
    ("light", "Theme: Light", "View"),
    ("protocol replknet", "Receptive field › Protocol: RepLKNet", "Option"),
    ("growth", "Receptive-field lab › Page: Growth with depth", "Option"),
    ("insertion", "Evidence › Page: Insertion and deletion", "Option"),
]


def test_everything_is_found(whole: Palette) -> None:
    """All in one test, because making all panels takes two seconds."""
    missing = {}
    for query, expected, kind in FOUND:
        whole.line.clear()
        QTest.keyClicks(whole.line, query)
        found = [(row.text, row.kind) for row in rows(whole)]
        if not any(expected in text and kind == of for text, of in found):
            missing[query] = found[:8]
    assert missing == {}


def test_every_control_of_every_panel_is_found_and_nothing_else(
    whole: Palette, filled_window: StudioWindow
) -> None:
    QTest.keyClicks(whole.line, "wombat burrow")
    assert rows(whole) == []
    assert whole.nothing.text() == "No match."
    assert whole.isVisible()
    texts = {each.text for each in filled_window.guide.entries.gather()}
    for dock in filled_window.dock_layout.docks.values():
        for box in dock.panel.findChildren(QComboBox):
            if box.isEditable() or box.count() > MOST_ITEMS or dock.windowTitle() == "Help":
                continue
            for index in range(box.count()):
                wanted = f"{dock.windowTitle()} › {box.accessibleName()}: {box.itemText(index)}"
                assert any(text.startswith(wanted) for text in texts), wanted


def test_every_step_of_the_lecture_and_every_page_is_found(filled_window: StudioWindow) -> None:
    texts = {each.text for each in filled_window.guide.entries.gather()}
    for number, step in enumerate(read_lecture(BUNDLED_LECTURE).steps, start=1):
        assert f"Lecture, step {number}: {step.title}" in texts
    for page in HELP_PAGES:
        assert f"Help: {page_title(page)}" in texts


# What is typed, the panel that it opens, and the control that then has the focus.
OPTIONS = [
    ("wall of maps opacity", "contact_sheet", "Opacity"),
    ("receptive field protocol replknet", "receptive_field", "Protocol"),
    ("attribution true grid", "attribution", "Resolution: True grid"),
    ("attribution colour map", "attribution", "Colour map"),
    ("evidence fill mean", "evidence", "Fill"),
    ("receptive field seed", "receptive_field", "Seed"),
]


def test_an_option_opens_its_panel_and_has_the_focus(
    whole: Palette, opened: Callable[[], Palette], filled_window: StudioWindow, qtbot: QtBot
) -> None:
    """All in one test, because making all panels takes two seconds."""
    for query, name, control in OPTIONS:
        dock = filled_window.dock_layout.docks[name]
        QTest.keyClicks(whole.line, query)
        press(whole.line, Qt.Key.Key_Return)
        assert dock.isVisible(), query
        qtbot.waitUntil(lambda panel=dock.panel, control=control: control in names_of_focus(panel))
        popup = QApplication.activePopupWidget()
        if popup is not None:
            popup.close()
        if "replknet" in query:
            boxes = dock.panel.findChildren(QComboBox)
            assert "RepLKNet" in [box.currentText() for box in boxes]
        opened()


def names_of_focus(panel: QWidget) -> list[str]:
    """The names of the focused widget and those around it, if they are inside the panel."""
    names: list[str] = []
    widget = QApplication.focusWidget()
    while widget is not None and widget is not panel:
        names.append(widget.accessibleName())
        widget = widget.parentWidget()
    return names if widget is panel else []


@pytest.mark.parametrize(
    ("query", "kind", "check"),
    [
        ("explain crane", "Class", lambda state: state.target in (10, 11)),
        ("feature maps panel", "Panel", lambda _state: True),
        ("show one.png", "Picture", lambda state: state.picture.key == "one"),
    ],
)
def test_classes_panels_and_pictures_are_found(
    opened: Callable[[], Palette], state: AppState, query: str, kind: str, check: Callable[[AppState], bool]
) -> None:
    palette = opened()
    QTest.keyClicks(palette.line, query)
    assert rows(palette)[0].kind == kind
    press(palette.line, Qt.Key.Key_Return)
    assert check(state)


def test_presets_and_recent_models_are_found(
    filled_window: StudioWindow,
    opened: Callable[[], Palette],
    settings: SettingsFile,
    engine: FakeEngine,
) -> None:
    settings.update(recent_models=("timm:convnext_nano.in12k",))
    filled_window.controller.models.open("preset:convnext_tiny")
    palette = opened()
    QTest.keyClicks(palette.line, "nano.in12k")
    press(palette.line, Qt.Key.Key_Return)
    assert engine.open(LoadModel)[-1].source == "timm:convnext_nano.in12k"
    palette = opened()
    QTest.keyClicks(palette.line, "preset tutorial")
    assert rows(palette)[0].text == "Presets: tutorial"


def test_what_cannot_be_done_says_why_and_is_not_done(opened: Callable[[], Palette]) -> None:
    palette = opened()
    QTest.keyClicks(palette.line, "clear the unit")
    found = [row.text for row in rows(palette)].index("Clear the unit")
    palette.list.setCurrentRow(found)
    assert rows(palette)[found].beside == "needs a selected unit"
    assert not rows(palette)[found].is_possible
    press(palette.line, Qt.Key.Key_Return)
    assert palette.isVisible()


def test_every_action_that_is_ever_disabled_says_what_it_needs(window: StudioWindow) -> None:
    # The empty window: what can be disabled is.
    disabled = [spec for spec in REAL if not window.actions_by_id[spec.id].isEnabled()]
    assert [spec.id for spec in disabled if not spec.needs] == []
    assert {"close", "undo", "pin"} <= {spec.id for spec in disabled}


def test_what_was_chosen_is_remembered_and_comes_first(
    opened: Callable[[], Palette], settings: SettingsFile
) -> None:
    palette = opened()
    QTest.keyClicks(palette.line, "stage2")
    press(palette.line, Qt.Key.Key_Return)
    settings.save()
    assert SettingsFile().values.recent_choices[0] == "node stage2"
    assert rows(opened())[0].text == "Go to stage2"


def test_escape_and_a_click_elsewhere_close_it_and_stop_nothing(
    filled_window: StudioWindow, opened: Callable[[], Palette], engine: FakeEngine, qtbot: QtBot
) -> None:
    search = filled_window.panels.predictions.search
    search.setFocus()
    palette = opened()
    before = list(engine.cancelled)
    press(palette.line, Qt.Key.Key_Escape)
    assert not palette.isVisible()
    assert engine.cancelled == before
    qtbot.waitUntil(search.hasFocus)
    palette = opened()
    search.setFocus()
    qtbot.waitUntil(lambda: not palette.isVisible())


def test_what_no_one_knows_is_said(opened: Callable[[], Palette]) -> None:
    palette = opened()
    QTest.keyClicks(palette.line, "qqqqq")
    assert palette.nothing.isVisible()
    press(palette.line, Qt.Key.Key_Return)
    assert palette.isVisible()
