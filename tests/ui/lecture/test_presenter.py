"""The presenter's keys lead where they say, and nothing that a student presses breaks it."""

import random

import pytest
from msgspec.structs import replace
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from convnext_studio.lecture.script import Lecture
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook
from convnext_studio.ui.lecture.presenter.keys import BINDINGS, LectureCommand
from convnext_studio.ui.lecture.presenter.overlays import StepButton
from convnext_studio.ui.lecture.presenter.presenter import Presenter
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.message_bar import Notice
from tests.ui.conftest import FakeEngine, make_image, make_model
from tests.ui.lecture.toys import TOYS, ControlsView

Key = Qt.Key
LAST = 5


def press(presenter: Presenter, *keys: Qt.Key) -> None:
    """On whatever has the focus, as the desktop would."""
    for key in keys:
        QTest.keyClick(presenter.focusWidget() or presenter, key)


@pytest.mark.parametrize("key", [Key.Key_PageDown, Key.Key_Right, Key.Key_Down, Key.Key_Space, Key.Key_N])
def test_forwards(presenter: Presenter, key: Qt.Key) -> None:
    press(presenter, key)
    assert presenter.index == 1
    assert presenter.slide.title == "Title 2"
    assert "step 2 of 6" in presenter.footer.text
    press(presenter, *[key] * 10)
    assert presenter.index == LAST
    assert "2  Chapter 2" in presenter.footer.text


@pytest.mark.parametrize("key", [Key.Key_PageUp, Key.Key_Left, Key.Key_Up, Key.Key_Backspace, Key.Key_P])
def test_backwards(presenter: Presenter, key: Qt.Key) -> None:
    presenter.go_to(2)
    press(presenter, key)
    assert presenter.index == 1
    press(presenter, key, key, key)
    assert presenter.index == 0


def test_ends_and_numbers(presenter: Presenter) -> None:
    press(presenter, Key.Key_End)
    assert presenter.index == LAST
    press(presenter, Key.Key_Home)
    assert presenter.index == 0
    press(presenter, Key.Key_4)
    assert "go to step 4" in presenter.footer.text
    press(presenter, Key.Key_Return)
    assert presenter.index == 3
    press(presenter, Key.Key_9, Key.Key_9, Key.Key_Enter)
    assert presenter.index == LAST
    press(presenter, Key.Key_2, Key.Key_Escape, Key.Key_Enter)  # Taken back.
    assert presenter.index == LAST
    press(presenter, Key.Key_0, Key.Key_Enter)
    assert presenter.index == 0


def test_the_footer_says_model_weights_and_picture(presenter: Presenter, open_state: AppState) -> None:
    assert presenter.footer.text == "1  Chapter 1 · Small · one.png · step 1 of 6"
    open_state.set_model(make_model("Other", random_weights=True))
    assert "Other" in presenter.footer.text
    assert "random weights" in presenter.footer.text


def test_arrows_are_the_sliders_while_it_has_the_focus(presenter: Presenter) -> None:
    presenter.go_to(LAST)
    view = presenter.view
    assert isinstance(view, ControlsView)
    view.slider.setFocus()
    press(presenter, Key.Key_Right, Key.Key_Right)
    assert (view.slider.value(), presenter.index) == (2, LAST)
    press(presenter, Key.Key_PageUp)
    assert (view.slider.value(), presenter.index) == (2, LAST - 1)
    press(presenter, Key.Key_Left)  # The focus is the lecture's again.
    assert presenter.index == LAST - 2


def test_letters_are_the_line_edits_while_it_has_the_focus(presenter: Presenter) -> None:
    presenter.go_to(LAST)
    view = presenter.view
    assert isinstance(view, ControlsView)
    view.line.setFocus()
    QTest.keyClicks(view.line, "bow.l12")
    assert view.line.text() == "bow.l12"
    assert presenter.cover.isHidden()
    assert presenter.overview.isHidden()
    press(presenter, Key.Key_PageUp)
    assert presenter.index == LAST - 1


def test_tab_goes_to_the_controls_where_there_are_some_and_to_all_steps_where_not(presenter: Presenter) -> None:
    press(presenter, Key.Key_Tab)
    assert presenter.overview.isVisible()
    press(presenter, Key.Key_Escape)
    assert presenter.overview.isHidden()
    presenter.go_to(LAST)
    view = presenter.view
    assert isinstance(view, ControlsView)
    reached = set()
    for _ in range(6):
        press(presenter, Key.Key_Tab)
        reached.add(presenter.focusWidget())
    assert {view.slider, view.choice, view.line} <= reached
    assert presenter.overview.isHidden()


def test_the_overview_is_moved_through_with_keys(presenter: Presenter, lecture: Lecture) -> None:
    press(presenter, Key.Key_PageDown, Key.Key_O)
    overview = presenter.overview
    assert [button.text() for button in overview.buttons] == [step.title for step in lecture.steps]
    labels = {label.text() for label in overview.findChildren(QLabel)}
    assert labels == {"1  Chapter 1", "2  Chapter 2"}

    def focused() -> int:
        focus = presenter.focusWidget()
        assert isinstance(focus, StepButton)
        return focus.index

    assert focused() == 1
    for key, index in [
        (Key.Key_Down, 2),
        (Key.Key_PageDown, 3),
        (Key.Key_Up, 2),
        (Key.Key_Right, 3),
        (Key.Key_Right, 3),
        (Key.Key_Down, 4),
        (Key.Key_Left, 0),
        (Key.Key_Up, 0),
        (Key.Key_Tab, 1),
        (Key.Key_Right, 3),
    ]:
        press(presenter, key)
        assert focused() == index
        assert presenter.index == 1  # Nothing is chosen yet.
    press(presenter, Key.Key_Return)
    assert overview.isHidden()
    assert presenter.index == 3


def test_a_click_in_the_overview_goes_there(presenter: Presenter) -> None:
    press(presenter, Key.Key_O)
    QTest.mouseClick(presenter.overview.buttons[4], Qt.MouseButton.LeftButton)
    assert (presenter.index, presenter.overview.isVisible()) == (4, False)


@pytest.mark.parametrize(
    ("key", "colour"),
    [(Key.Key_B, "#000000"), (Key.Key_Period, "#000000"), (Key.Key_W, "#ffffff")],
)
def test_any_key_ends_a_blank_screen_and_does_nothing_else(
    presenter: Presenter, key: Qt.Key, colour: str
) -> None:
    for ending in (key, Key.Key_PageDown, Key.Key_Escape, Key.Key_X, Key.Key_5):
        press(presenter, key)
        assert presenter.cover.isVisible()
        seen = presenter.grab().toImage()
        assert {seen.pixelColor(x, 300).name() for x in range(0, 1280, 40)} == {colour}
        press(presenter, ending)
        assert presenter.cover.isHidden()
        assert presenter.index == 0
    assert "go to" not in presenter.footer.text


def test_a_key_ends_a_blank_screen_and_moves_no_slider_behind_it(presenter: Presenter) -> None:
    presenter.go_to(LAST)
    view = presenter.view
    assert isinstance(view, ControlsView)
    view.slider.setFocus()
    press(presenter, Key.Key_B, Key.Key_Right)
    assert presenter.cover.isHidden()
    assert (view.slider.value(), presenter.index) == (0, LAST)
    press(presenter, Key.Key_W)
    QTest.mouseClick(presenter.cover, Qt.MouseButton.LeftButton)
    assert presenter.cover.isHidden()


def test_the_spotlight_follows_the_pointer_and_leaves_clicks_alone(presenter: Presenter) -> None:
    press(presenter, Key.Key_L)
    assert presenter.spotlight.isVisible()
    assert presenter.spotlight.testAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    press(presenter, Key.Key_PageDown)
    assert presenter.index == 1
    press(presenter, Key.Key_L)
    assert presenter.spotlight.isHidden()


def test_a_double_click_in_a_view_zooms_and_escape_goes_back(presenter: Presenter) -> None:
    before = presenter.view.width()
    QTest.mouseDClick(presenter.view, Qt.MouseButton.LeftButton)
    QApplication.processEvents()
    assert presenter.is_zoomed
    assert presenter.view.width() > 1.4 * before
    press(presenter, Key.Key_PageDown)
    assert presenter.is_zoomed
    QTest.mouseDClick(presenter.view, Qt.MouseButton.LeftButton)
    assert not presenter.is_zoomed
    press(presenter, Key.Key_Z)
    assert presenter.is_zoomed
    press(presenter, Key.Key_Escape)
    assert not presenter.is_zoomed


def test_a_zoomed_view_is_the_whole_screen_and_keeps_off_its_edges(presenter: Presenter) -> None:
    view = presenter.view
    presenter.do(LectureCommand.ZOOM)
    QApplication.processEvents()
    corner = view.mapTo(presenter, view.rect().topLeft())
    assert (corner.toTuple(), view.size()) == ((0, 0), presenter.size())
    assert view.contentsMargins().left() == presenter.text_px // 2
    press(presenter, Key.Key_PageDown)
    QApplication.processEvents()
    assert presenter.view.size() == presenter.size()
    presenter.do(LectureCommand.ZOOM)
    QApplication.processEvents()
    assert presenter.view.width() < 0.7 * presenter.width()
    assert presenter.view.contentsMargins().left() == 0


def test_a_wide_view_has_the_whole_width_below_the_words(
    qapp: QApplication, open_state: AppState, bridge: EngineBridge, lecture: Lecture, background: Background
) -> None:
    wide = {name: replace(spec, arrangement="below") for name, spec in TOYS.items()}
    presenter = Presenter(open_state, bridge, lecture, FormulaBook(background), views=wide)
    presenter.resize(1920, 1080)
    presenter.show()
    qapp.processEvents()
    assert presenter.view.width() == 1920 - 2 * presenter.text_px
    assert presenter.slide.fits
    assert presenter.view.height() > 0.75 * 1080  # The words take no more than they need.
    bottom = presenter.slide.mapTo(presenter, presenter.slide.rect().bottomLeft()).y()
    assert presenter.view.mapTo(presenter, presenter.view.rect().topLeft()).y() > bottom
    presenter.close_views()
    presenter.hide()
    presenter.deleteLater()


def test_a_double_click_on_a_control_is_the_controls(presenter: Presenter) -> None:
    presenter.go_to(LAST)
    view = presenter.view
    assert isinstance(view, ControlsView)
    QTest.mouseDClick(view.slider, Qt.MouseButton.LeftButton)
    assert not presenter.is_zoomed


def test_escape_leaves_once_nothing_lies_over_the_step(presenter: Presenter, qtbot: QtBot) -> None:
    press(presenter, Key.Key_F1)
    assert presenter.help.isVisible()
    assert all(binding.text in presenter.help.text().replace("&#x27;", "'") for binding in BINDINGS)
    press(presenter, Key.Key_Escape)
    with qtbot.waitSignal(presenter.left):
        press(presenter, Key.Key_Escape)


def test_a_closed_window_is_a_left_lecture(presenter: Presenter, qtbot: QtBot) -> None:
    with qtbot.waitSignal(presenter.left):
        presenter.close()
    assert presenter.isVisible()  # Whoever listens takes it away.


@pytest.mark.parametrize(
    ("key", "command"), [(Key.Key_T, LectureCommand.THEME), (Key.Key_S, LectureCommand.SPEAKER)], ids=["T", "S"]
)
def test_what_is_not_the_presenters_is_asked_for(
    presenter: Presenter, qtbot: QtBot, key: Qt.Key, command: LectureCommand
) -> None:
    with qtbot.waitSignal(presenter.asked) as asked:
        press(presenter, key)
    assert asked.args == [command]


def test_a_new_picture_asks_for_the_current_step_first(
    presenter: Presenter, open_state: AppState, engine: FakeEngine, qtbot: QtBot
) -> None:
    presenter.go_to(2)
    for request in engine.open(FeatureMaps):
        engine.answer(request, None)
    qtbot.waitUntil(lambda: presenter.views.live == (1, 2, 3, 4))
    before = len(engine.asked)
    open_state.opened.add(make_image("two"))
    qtbot.waitUntil(lambda: len(engine.asked) == before + 4)
    new = [request for request in engine.asked[before:] if isinstance(request, FeatureMaps)]
    assert new[0].node == "stage3"
    assert {request.node for request in new} == {"stage1", "stage2", "stage3", "stage4"}
    assert {request.image for request in new} == {"two"}


def test_what_went_wrong_meanwhile_is_said_until_the_next_step(presenter: Presenter) -> None:
    presenter.tell(Notice("pictures", "This is no picture."))
    assert "This is no picture." in presenter.footer.text
    press(presenter, Key.Key_PageDown)
    assert "one.png" in presenter.footer.text


@pytest.mark.parametrize("size", [(1920, 1080), (1366, 768), (1024, 768), (640, 480), (300, 200), (900, 1600)])
def test_text_scales_with_the_window(presenter: Presenter, size: tuple[int, int]) -> None:
    presenter.resize(*size)
    QApplication.processEvents()
    expected = 32 * min(size[1] / 1080, size[0] / 1600)
    assert presenter.text_px == pytest.approx(max(8, expected), abs=0.5)
    assert presenter.view.text_px == presenter.text_px
    title = presenter.slide.findChild(QLabel, "lecture_text")
    assert title is not None
    if size[1] >= 480:
        assert title.font().pixelSize() >= presenter.text_px
    assert (presenter.width(), presenter.height()) == size  # Nothing in it wants more.


@pytest.mark.parametrize("seed", range(3))
def test_nothing_that_is_pressed_breaks_it(
    presenter: Presenter, engine: FakeEngine, open_state: AppState, seed: int
) -> None:
    """Random keys, clicks and wheel turns; pytest-qt fails on any exception in Qt's callbacks."""
    rng = random.Random(seed)
    keys = [key for key in Qt.Key if Key.Key_Space <= key <= Key.Key_AsciiTilde]
    keys += [Key.Key_Escape, Key.Key_Tab, Key.Key_Backtab, Key.Key_Return, Key.Key_Enter, Key.Key_Backspace]
    keys += [Key.Key_PageUp, Key.Key_PageDown, Key.Key_Home, Key.Key_End, Key.Key_F1, Key.Key_F5, Key.Key_Menu]
    keys += [Key.Key_Left, Key.Key_Right, Key.Key_Up, Key.Key_Down, Key.Key_Delete, Key.Key_Insert]
    none, shift = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
    control = Qt.KeyboardModifier.ControlModifier
    for turn in range(250):
        presenter.activateWindow()
        target = QApplication.activePopupWidget() or presenter.focusWidget() or presenter
        QTest.keyClick(target, rng.choice(keys), rng.choice([none, none, none, shift, control]))
        if turn % 20 == 0:
            QTest.mouseClick(presenter, Qt.MouseButton.LeftButton, pos=presenter.rect().center())
            QTest.mouseDClick(presenter.view, Qt.MouseButton.LeftButton)
        if turn % 50 == 0:
            open_state.opened.add(make_image(f"picture {turn}"))
            for request in engine.open(FeatureMaps):
                engine.answer(request, None)
        assert 0 <= presenter.index <= LAST
        assert len(presenter.views.live) <= 4
    for _ in range(6):
        press(presenter, Key.Key_Escape)
    assert presenter.isVisible()
    assert presenter.cover.isHidden()
    assert presenter.overview.isHidden()
