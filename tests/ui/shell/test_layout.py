"""Panels fill the window and come back, stand in arrangements, and lie as they did on the same screens."""

from types import SimpleNamespace
from typing import cast

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QScrollArea, QTabBar, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.predictions import Predict
from convnext_studio.ui.panels.attribution.attribution_panel import AttributionPanel
from convnext_studio.ui.panels.strip.strip_canvas import LOW_BOXES_PX
from convnext_studio.ui.shell.docks.arrangements import ARRANGEMENTS, ArrangementName
from convnext_studio.ui.shell.docks.layout import screens_text
from convnext_studio.ui.shell.docks.panel_specs import ASIDES
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import Place, Settings, SettingsFile, place_on, remember_place
from convnext_studio.ui.widgets import text_size as textsize
from convnext_studio.ui.widgets import theme
from convnext_studio.ui.widgets.message_bar import Notice
from tests.ui.conftest import FakeEngine


def shown(window: StudioWindow) -> set[str]:
    return {name for name, dock in window.dock_layout.docks.items() if dock.isVisible()}


def sizes(window: StudioWindow) -> dict[str, tuple[int, int]]:
    return {name: window.dock_layout.docks[name].size().toTuple() for name in shown(window)}


@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_an_arrangement_shows_its_panels_in_their_shares(
    filled_window: StudioWindow, qtbot: QtBot, name: ArrangementName
) -> None:
    filled_window.resize(1920, 1080)
    filled_window.actions_by_id[f"arrange_{name}"].trigger()
    columns = ARRANGEMENTS[name].variants[0].columns
    assert sum(share for share, _ in columns) == pytest.approx(1)
    assert shown(filled_window) == set(ARRANGEMENTS[name].variants[0].panels)

    def has_its_share() -> None:
        for share, rows in columns:
            for (panel, *_behind), _ in rows:
                assert filled_window.dock_layout.docks[panel].width() == pytest.approx(share * 1920, rel=0.12)

    qtbot.waitUntil(has_its_share)


def test_a_panel_fills_the_window_and_escape_puts_all_back(
    filled_window: StudioWindow, engine: FakeEngine, qtbot: QtBot
) -> None:
    QApplication.processEvents()
    qtbot.wait(400)  # Panels that begin to ask then say so, and share out their column anew.
    before = sizes(filled_window)
    filled_window.dock_layout.docks["attribution"].take_focus()
    filled_window.dock_layout.toggle_maximised("attribution")
    assert shown(filled_window) == {"attribution"}
    assert not filled_window.strip.isVisible()
    cancelled = len(engine.cancelled)
    filled_window.actions_by_id["go_back"].trigger()
    assert len(engine.cancelled) == cancelled  # Escape never stops work.
    assert filled_window.strip.isVisible()
    qtbot.waitUntil(lambda: sizes(filled_window) == before)


def test_a_double_click_on_the_title_maximises_and_the_layout_of_before_is_remembered(
    filled_window: StudioWindow,
) -> None:
    bar = filled_window.dock_layout.docks["picture"].titleBarWidget()
    place, left, none = QPointF(20, 5), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    event = QMouseEvent(QMouseEvent.Type.MouseButtonDblClick, place, bar.mapToGlobal(place), left, left, none)
    QApplication.sendEvent(bar, event)
    assert filled_window.dock_layout.maximised == "picture"
    kept = filled_window.dock_layout.save()
    filled_window.dock_layout.leave_maximised()
    filled_window.dock_layout.restore(kept)
    assert len(shown(filled_window)) == 7


def test_opening_another_panel_ends_the_full_view(filled_window: StudioWindow) -> None:
    filled_window.dock_layout.toggle_maximised("picture")
    filled_window.dock_layout.show_panel("attribution")
    assert filled_window.dock_layout.maximised is None
    assert {"picture", "attribution"} <= shown(filled_window)


def test_a_panel_that_is_asked_for_is_not_left_behind_one_that_floats(filled_window: StudioWindow) -> None:
    filled_window.resize(1920, 1080)
    layout = filled_window.dock_layout
    above, elsewhere = layout.docks["field_lab"], layout.docks["build"]
    for floating in (above, elsewhere):
        floating.setFloating(True)
        floating.show()
    above.setGeometry(filled_window.geometry())
    elsewhere.move(filled_window.geometry().topRight() + QPoint(400, 0))
    layout.show_panel("evidence")
    assert {"evidence", "build"} <= shown(filled_window)
    assert "field_lab" not in shown(filled_window)
    layout.show_panel("field_lab")
    assert {"evidence", "field_lab"} <= shown(filled_window)


def test_a_panel_that_floats_has_an_edge_against_those_below(filled_window: StudioWindow) -> None:
    dock = filled_window.dock_layout.docks["picture"]
    for floats, is_edged in ((True, True), (False, False)):
        dock.setFloating(floats)
        QApplication.processEvents()
        image = dock.grab().toImage()
        right, bottom = image.width() - 1, image.height() - 1
        colours = {image.pixelColor(x, y).name() for x in (0, right) for y in (0, bottom // 2, bottom)}
        assert (colours == {theme.current().outline}) == is_edged


def test_each_set_of_screens_has_its_own_place_and_a_new_one_takes_the_last() -> None:
    values = Settings(geometry="last", layout="l")
    assert place_on(values, "laptop") == ("last", "l")
    for screens in ("laptop", "hall", "laptop"):
        place = Place(screens=screens, geometry=f"at {screens}", layout="l")
        values = Settings(geometry="last", layout="l", places=remember_place(values, place))
    assert [place.screens for place in values.places] == ["laptop", "hall"]
    assert place_on(values, "hall") == ("at hall", "l")


def test_the_window_comes_back_as_it_was_on_these_screens(
    window: StudioWindow,
    qtbot: QtBot,
    state: AppState,
    bridge: EngineBridge,
    controller: Controller,
) -> None:
    window.actions_by_id["arrange_teach"].trigger()
    window.close()
    stored = SettingsFile()
    assert [place.screens for place in stored.values.places] == [screens_text()]
    # In between it was elsewhere, arranged in another way.
    stored.update(layout="", geometry="")
    again = StudioWindow(state, bridge, controller, stored)
    qtbot.addWidget(again)
    again.show()
    assert shown(again) == set(ARRANGEMENTS["teach"].variants[0].panels)


@pytest.mark.parametrize(("before", "now"), [((1024, 700), (1920, 1080)), ((1920, 1080), (1024, 700))])
def test_an_arrangement_from_a_window_of_another_size_fits_the_new_one(
    filled_window: StudioWindow,
    qtbot: QtBot,
    state: AppState,
    bridge: EngineBridge,
    controller: Controller,
    before: tuple[int, int],
    now: tuple[int, int],
) -> None:
    filled_window.resize(*before)
    qtbot.wait(300)
    filled_window.close()
    again = StudioWindow(state, bridge, controller, SettingsFile())
    qtbot.addWidget(again)
    again.resize(*now)  # As --size does, or another screen.
    again.show()
    QApplication.processEvents()
    docks = again.dock_layout.docks
    is_behind = {bool(again.tabifiedDockWidgets(docks[name])) for name in ("predictions", "feature_maps")}
    assert is_behind == {now[0] < 1366}


def test_the_steps_of_the_text_size_go_from_9_to_28_points() -> None:
    sizes, size = [9], 9
    while (larger := textsize.next_larger(size)) != size:
        sizes.append(larger)
        size = larger
    assert sizes[-1] == 28
    assert [textsize.next_smaller(each) for each in sizes[1:]] == sizes[:-1]
    assert textsize.next_smaller(9) == 9
    assert textsize.next_larger(10.5) == 11


@pytest.mark.usefixtures("dark")
@pytest.mark.parametrize("asides", [(), ("help", "build")])
def test_large_text_reaches_every_panel_and_the_window_still_fits(
    filled_window: StudioWindow,
    engine: FakeEngine,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    asides: tuple[str, ...],
) -> None:
    monkeypatch.setattr(textsize, "SIZES_PT", (9, 10, 28))  # Two steps instead of twelve.
    for request in engine.open(Request):
        if not isinstance(request, Predict):
            engine.refuse(request, "Not now.")
    for name in asides:
        filled_window.dock_layout.show_panel(name)
    # The offscreen one is smaller.
    screen = SimpleNamespace(availableSize=lambda: QSize(1920, 1080))
    monkeypatch.setattr(filled_window, "screen", lambda: screen)
    filled_window.resize(1920, 1080)
    filled_window.messages.tell(Notice("test", "Something that is told."))
    strip_px = filled_window.strip.canvas.height()
    try:
        for _ in range(2):
            filled_window.actions_by_id["text_larger"].trigger()
        qtbot.waitUntil(lambda: textsize.current_pt() == 28)
        # The strip leaves room to the panels: only names, in the large text.
        low_px = round(textsize.scaled(LOW_BOXES_PX))
        qtbot.waitUntil(lambda: filled_window.strip.canvas.height() == low_px)
        for widget in (
            filled_window.strip,
            filled_window.panels.predictions.rows[0],
            filled_window.statusBar(),
        ):
            assert widget.font().pointSizeF() == 28
        qtbot.waitUntil(lambda: filled_window.size() == QSize(1920, 1080))
    finally:
        filled_window.actions_by_id["text_system"].trigger()
        qtbot.waitUntil(lambda: textsize.current_pt() == textsize.system_size_pt())
    qtbot.waitUntil(lambda: filled_window.strip.canvas.height() == strip_px)
    assert filled_window.panels.predictions.rows[0].font().pointSizeF() == textsize.system_size_pt()


def test_of_quick_steps_of_the_text_size_only_the_last_is_taken_and_each_is_told(
    window: StudioWindow,
    state: AppState,
    settings: SettingsFile,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    state.hovered.connect(told.append)
    sizes: list[float] = []
    monkeypatch.setattr(theme, "apply", lambda *_: sizes.append(textsize.current_pt()))
    before = textsize.current_pt()
    assert before == 9
    for name in ("larger", "larger", "larger", "smaller", "larger"):
        window.actions_by_id[f"text_{name}"].trigger()
    assert told == [f"Text size {size} pt" for size in (10, 11, 12, 11, 12)]
    assert window.statusBar().hover.text() == "Text size 12 pt"
    assert sizes == []
    assert settings.values.text_pt == 12  # Also where the window is closed now.
    qtbot.waitUntil(lambda: sizes == [12])
    # Away and back again is no change.
    window.actions_by_id["text_larger"].trigger()
    window.actions_by_id["text_smaller"].trigger()
    qtbot.waitUntil(lambda: not window.appearance._restyle.isActive())
    assert sizes == [12]
    window.actions_by_id["text_system"].trigger()
    assert told[-1] == f"Text size {textsize.system_size_pt():g} pt"


def test_a_long_caption_scrolls_in_its_own_panel_and_moves_no_other(
    filled_window: StudioWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = SimpleNamespace(availableSize=lambda: QSize(1366, 768))
    monkeypatch.setattr(filled_window, "screen", lambda: screen)
    filled_window.resize(1366, 768)
    filled_window.dock_layout.reset()
    attribution = cast(AttributionPanel, filled_window.panels.attribution)
    area = filled_window.dock_layout.docks["attribution"].findChildren(QScrollArea)[0]
    assert area.widget() is attribution
    qtbot.wait(50)
    before = sizes(filled_window)
    attribution.set_caption(" ".join(["word"] * 30))  # In a narrow column it would be twice as high.
    QApplication.processEvents()
    qtbot.waitUntil(lambda: not area.verticalScrollBar().isVisible())
    caption, bar = attribution._caption, area.verticalScrollBar()

    def is_reached() -> bool:
        is_whole = caption.height() >= caption.heightForWidth(caption.width())
        return bar.isVisible() and is_whole and bar.maximum() + area.viewport().height() == attribution.height()

    for words in (300, 2000):  # More than there is room for, in any font.
        attribution.set_caption(" ".join(["word"] * words))
        qtbot.waitUntil(is_reached)
        assert not area.horizontalScrollBar().isVisible()
        assert caption.mapTo(attribution, caption.rect().bottomLeft()).y() < attribution.height()
        assert sizes(filled_window) == before
    assert filled_window.size() == QSize(1366, 768)


class Noted(QObject):
    """What happens to a widget, in order."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.events: list[QEvent.Type] = []
        widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.MouseButtonRelease, QEvent.Type.Hide):
            self.events.append(event.type())
        return False


@pytest.mark.parametrize("action", ["arrange_compare", "reset", "maximise_panel", "float_panel", "field_lab"])
def test_a_dock_that_is_being_dragged_is_put_down_before_others_are_placed(
    filled_window: StudioWindow, action: str
) -> None:
    dock = filled_window.dock_layout.docks["picture"]
    title, button = dock.titleBarWidget(), Qt.MouseButton.LeftButton
    filled_window.dock_layout.toggle_maximised("picture")
    QTest.mousePress(title, button, pos=QPoint(5, 5))
    for step in range(5):
        QTest.mouseMove(title, QPoint(20 + 10 * step, 40 + 10 * step))
        QApplication.processEvents()
    assert QWidget.mouseGrabber() is dock
    noted = Noted(dock)
    # Qt would place them under the drag, write to memory that it has given back, and crash sooner or later.
    filled_window.actions_by_id[action].trigger()
    assert noted.events[0] == QEvent.Type.MouseButtonRelease
    assert QWidget.mouseGrabber() is None
    QTest.mouseRelease(title, button, pos=QPoint(5, 5))
    filled_window.actions_by_id["reset"].trigger()
    assert not any(each.isFloating() for each in filled_window.dock_layout.docks.values())


@pytest.fixture
def large_screen(
    filled_window: StudioWindow, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> StudioWindow:
    """The window on a screen of 1920 × 1080, which the offscreen one is not."""
    for request in engine.open(Request):
        if not isinstance(request, Predict):
            engine.refuse(request, "Not now.")
    room = QRect(0, 0, 1920, 1080)
    screen = SimpleNamespace(availableSize=room.size, availableGeometry=lambda: room)
    monkeypatch.setattr(filled_window, "screen", lambda: screen)
    for name in ASIDES:
        monkeypatch.setattr(filled_window.dock_layout.docks[name], "screen", lambda: screen)
    filled_window.resize(room.size())
    return filled_window


def use_text(qtbot: QtBot, window: StudioWindow, size_pt: int) -> None:
    window.settings.update(text_pt=size_pt)
    window.appearance._use_text()
    qtbot.wait(200)


@pytest.mark.usefixtures("dark")
@pytest.mark.parametrize("name", ["catalogue", "build", "activity"])
def test_an_open_aside_floats_where_larger_text_leaves_no_room_and_comes_back(
    large_screen: StudioWindow, qtbot: QtBot, name: str
) -> None:
    layout = large_screen.dock_layout
    layout.show_panel(name)
    dock = layout.docks[name]
    assert not dock.isFloating()
    use_text(qtbot, large_screen, 24)
    assert dock.isFloating()
    assert dock.isVisible()
    assert dock.width() >= dock.panel.minimumSizeHint().width()
    assert QRect(0, 0, 1920, 1080).contains(dock.geometry())
    use_text(qtbot, large_screen, 9)
    assert not dock.isFloating()
    assert dock.isVisible()
    # What a person lets float stays so.
    dock.setFloating(True)
    use_text(qtbot, large_screen, 10)
    assert dock.isFloating()


@pytest.mark.usefixtures("dark")
def test_an_aside_that_floats_fits_the_text_when_it_is_shown_again(
    large_screen: StudioWindow, qtbot: QtBot
) -> None:
    layout = large_screen.dock_layout
    dock = layout.docks["activity"]
    layout.show_panel("activity")
    dock.setFloating(True)
    dock.setGeometry(1700, 900, 220, 700)
    dock.hide()
    use_text(qtbot, large_screen, 28)
    layout.show_panel("activity")
    assert dock.width() >= dock.panel.minimumSizeHint().width()
    assert QRect(0, 0, 1920, 1080).contains(dock.geometry())


@pytest.mark.usefixtures("dark")
def test_an_aside_with_a_place_in_the_arrangement_keeps_it(large_screen: StudioWindow, qtbot: QtBot) -> None:
    large_screen.actions_by_id["arrange_compare"].trigger()
    dock = large_screen.dock_layout.docks["contact_sheet"]
    use_text(qtbot, large_screen, 24)
    assert dock.isVisible()
    assert not dock.isFloating()


@pytest.mark.parametrize(
    ("size", "tabs"),
    [
        ((1920, 1080), {}),
        (
            (1024, 700),
            {"predictions": {"pictures", "model"}, "feature_maps": {"attribution", "receptive_field"}},
        ),
    ],
)
def test_the_arrangement_follows_the_size_of_the_window(
    filled_window: StudioWindow, qtbot: QtBot, size: tuple[int, int], tabs: dict[str, set[str]]
) -> None:
    filled_window.resize(1920, 1080)
    qtbot.wait(300)
    filled_window.resize(*size)
    qtbot.wait(300)
    assert filled_window.size().toTuple() == size
    docks = filled_window.dock_layout.docks
    assert {docks[name].isHidden() for name in ARRANGEMENTS["inspect"].variants[0].panels} == {False}
    for name, behind in tabs.items():
        assert docks[name].isVisible()
        assert set(filled_window.tabifiedDockWidgets(docks[name])) == {docks[other] for other in behind}
    filled_window.resize(1920, 1080)
    qtbot.wait(300)
    assert not any(filled_window.tabifiedDockWidgets(docks[name]) for name in ("predictions", "feature_maps"))


@pytest.mark.usefixtures("dark")
def test_an_aside_keeps_to_its_column_when_the_arrangement_follows_the_window(
    filled_window: StudioWindow, qtbot: QtBot
) -> None:
    filled_window.resize(1180, 700)
    qtbot.wait(300)
    filled_window.dock_layout.show_panel("live")
    dock = filled_window.dock_layout.docks["live"]
    assert not dock.isFloating()
    filled_window.resize(1600, 900)
    qtbot.wait(300)
    assert dock.width() < 0.3 * 1600


def test_a_layout_of_ones_own_is_kept_when_the_window_gets_smaller(
    filled_window: StudioWindow, qtbot: QtBot
) -> None:
    filled_window.resize(1920, 1080)
    qtbot.wait(300)
    filled_window.dock_layout.docks["model"].close()
    filled_window.resize(1024, 700)
    qtbot.wait(300)
    docks = filled_window.dock_layout.docks
    assert docks["model"].isHidden()
    assert docks["attribution"].isVisible()
    assert docks["feature_maps"].isVisible()


@pytest.mark.usefixtures("dark")
def test_every_panel_has_the_size_that_it_had_when_the_text_is_as_before(
    large_screen: StudioWindow, qtbot: QtBot
) -> None:
    large_screen.dock_layout.reset()
    qtbot.wait(300)
    docks = large_screen.dock_layout.docks
    large_screen.resizeDocks([docks["picture"]], [600], Qt.Orientation.Vertical)
    qtbot.wait(50)
    before = {name: dock.geometry() for name, dock in docks.items() if dock.isVisible()}
    for size_pt in (20, 28, 12, 9):
        use_text(qtbot, large_screen, size_pt)
    assert {name: dock.geometry() for name, dock in docks.items() if dock.isVisible()} == before


@pytest.mark.usefixtures("dark")
@pytest.mark.parametrize("width", [1366, 1500, 1920])
def test_an_aside_that_gets_a_column_leaves_the_others_what_they_need(
    filled_window: StudioWindow, width: int, qtbot: QtBot
) -> None:
    filled_window.resize(width, 768)
    qtbot.wait(200)
    layout = filled_window.dock_layout
    scrolling = []
    for name in (name for name in ASIDES if name != "field_lab"):
        layout.reset()
        layout.show_panel(name)
        QApplication.processEvents()
        for other, dock in layout.docks.items():
            area = dock.widget() if dock.isVisible() and not dock.isFloating() else None
            if isinstance(area, QScrollArea) and area.horizontalScrollBar().maximum() > 0:
                scrolling.append(f"{other} beside {name}")
    assert scrolling == []


@pytest.mark.usefixtures("dark")
def test_the_tabs_of_many_asides_have_their_whole_titles(large_screen: StudioWindow) -> None:
    layout = large_screen.dock_layout
    names = ("evidence", "contact_sheet", "number", "comparison", "interventions", "activity", "help")
    for name in names:
        layout.show_panel(name)
    QApplication.processEvents()
    direct = Qt.FindChildOption.FindDirectChildrenOnly
    [tabs] = [each for each in large_screen.findChildren(QTabBar, options=direct) if each.count() == len(names)]
    assert {tabs.tabText(place) for place in range(tabs.count())} == {
        layout.docks[name].windowTitle() for name in names
    }
    widths = [tabs.tabRect(place).width() for place in range(tabs.count())]
    needed = [tabs.fontMetrics().horizontalAdvance(tabs.tabText(place)) for place in range(tabs.count())]
    assert sum(widths) > tabs.width()  # Otherwise, this would say nothing.
    assert [width >= needed_px for width, needed_px in zip(widths, needed, strict=True)] == [True] * len(names)
    assert tabs.rect().contains(tabs.tabRect(tabs.currentIndex()).center())


@pytest.mark.usefixtures("dark")
def test_every_panel_has_its_size_after_the_lecture(filled_window: StudioWindow, qtbot: QtBot) -> None:
    qtbot.wait(400)
    before = sizes(filled_window)
    filled_window.lecture.present()
    presentation = filled_window.lecture.presentation
    presenter = presentation.presenter
    assert presenter is not None
    qtbot.waitUntil(presenter.isVisible)
    for index in (3, 20):
        presenter.go_to(index)
    qtbot.wait(100)
    presentation.leave()
    qtbot.wait(400)
    assert sizes(filled_window) == before
