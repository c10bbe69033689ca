"""Controls that do not fit fold into a popup, come back, and stay as they were shown or hidden."""

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from convnext_studio.ui.widgets.control_row import ControlRow
from tests.ui.heap import heap_bytes


class Bench:
    """A row of four controls in a window of any width."""

    def __init__(self, qtbot: QtBot) -> None:
        self.window = QWidget()
        qtbot.addWidget(self.window)
        self.row = ControlRow("More controls of the test")
        self.method = QComboBox()
        self.method.addItems(["Grad-CAM", "A much longer name"])
        self.order = QComboBox()
        self.order.addItems(["By index"])
        self.check = QCheckBox("On picture")
        self.save = QPushButton("Save…")
        self.row.add(self.method)
        self.row.add(self.order, word="Sort")
        self.row.add(self.check)
        self.row.add(self.save)
        layout = QHBoxLayout(self.window)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.row)
        self.window.resize(800, 60)
        self.window.show()
        qtbot.waitExposed(self.window)

    def use_width(self, width: int) -> None:
        self.window.resize(width, 60)
        QApplication.processEvents()

    @property
    def in_row(self) -> list[QWidget]:
        controls: list[QWidget] = [self.method, self.order, self.check, self.save]
        return [control for control in controls if control.isVisible() and control.window() is self.window]


@pytest.fixture
def bench(qtbot: QtBot) -> Bench:
    return Bench(qtbot)


def test_with_room_everything_is_in_the_row_and_nothing_is_squeezed(bench: Bench) -> None:
    assert bench.in_row == [bench.method, bench.order, bench.check, bench.save]
    assert not bench.row.more.isVisible()
    for control in bench.in_row:
        assert control.width() >= control.sizeHint().width()
    places = [control.geometry() for control in bench.in_row]
    assert not any(a.intersects(b) for a, b in zip(places[:-1], places[1:], strict=True))


def test_the_last_controls_fold_first_and_come_back_in_their_order(bench: Bench) -> None:
    seen = []
    for width in range(bench.row.sizeHint().width(), bench.row.minimumSizeHint().width() - 1, -5):
        bench.use_width(width)
        seen.append(len(bench.in_row))
        assert bench.in_row == [bench.method, bench.order, bench.check, bench.save][: seen[-1]]
        assert bench.row.more.isVisible() == (seen[-1] < 4)
        assert bench.row.more.geometry().right() < width or seen[-1] == 4
        for control in bench.in_row:
            assert control.width() >= control.sizeHint().width()
            assert control.geometry().right() < width
    assert seen == sorted(seen, reverse=True)
    assert set(seen) == {1, 2, 3, 4} or set(seen) == {1, 2, 4}
    bench.use_width(800)
    assert bench.in_row == [bench.method, bench.order, bench.check, bench.save]


def test_what_is_folded_has_its_word_in_the_popup_and_works_there(bench: Bench) -> None:
    bench.use_width(bench.row.minimumSizeHint().width())
    bench.row.more.click()
    sheet = bench.row.more.sheet
    assert sheet.isVisible()
    assert sheet.isAncestorOf(bench.order)
    assert [label.text() for label in sheet.findChildren(QLabel) if label.isVisible()] == ["Sort"]
    bench.check.click()
    assert bench.check.isChecked()
    sheet.hide()


def test_a_control_that_the_panel_hides_takes_no_room_and_stays_hidden(bench: Bench) -> None:
    bench.use_width(bench.row.minimumSizeHint().width())
    bench.check.hide()
    QApplication.processEvents()
    assert bench.row.folded == [bench.order, bench.save]
    bench.use_width(800)
    assert bench.in_row == [bench.method, bench.order, bench.save]
    bench.check.show()
    QApplication.processEvents()
    assert bench.in_row == [bench.method, bench.order, bench.check, bench.save]


def test_a_rare_control_is_always_in_the_popup_and_a_kept_one_stays(bench: Bench) -> None:
    stop, seed = QPushButton("Stop"), QPushButton("Seed")
    bench.row.add(stop, kept=True)
    bench.row.add(seed, rare=True)
    QApplication.processEvents()
    assert bench.row.folded == [seed]
    assert bench.row.more.isVisible()
    bench.use_width(bench.row.minimumSizeHint().width())
    assert bench.row.folded == [bench.order, bench.check, bench.save, seed]
    assert stop.window() is bench.window


def test_tab_reaches_the_controls_in_the_order_in_which_they_are_seen(bench: Bench) -> None:
    bench.use_width(bench.row.minimumSizeHint().width())
    bench.use_width(800)
    bench.window.activateWindow()
    bench.method.setFocus()
    reached = []
    for _ in range(4):
        reached.append(bench.window.focusWidget())
        QTest.keyClick(bench.window.focusWidget(), "\t")
    assert reached == [bench.method, bench.order, bench.check, bench.save]


def test_another_text_of_a_control_is_never_cut(bench: Bench) -> None:
    bench.use_width(bench.row.sizeHint().width())
    bench.save.setText("Save the whole contact sheet…")
    QApplication.processEvents()
    assert bench.row.folded == [bench.save]
    bench.save.setText("Save…")
    QApplication.processEvents()
    assert bench.row.folded == []


def test_the_row_is_as_high_with_a_control_as_without(bench: Bench) -> None:
    high = bench.row.sizeHint().height()
    for control in (bench.method, bench.order, bench.save):
        control.hide()
    QApplication.processEvents()
    assert bench.row.sizeHint().height() == high


def test_a_row_without_a_parent_is_no_window_until_it_has_one(qtbot: QtBot) -> None:
    row = ControlRow("More controls of the test")
    qtbot.addWidget(row)
    row.add(QPushButton("One"))
    assert not row.isVisible()
    window = QWidget()
    qtbot.addWidget(window)
    QVBoxLayout(window).addWidget(row)
    window.show()
    assert row.isVisible()


def test_a_row_in_a_row_is_shown(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    outer, inner = ControlRow("All controls of the test"), ControlRow("Some of them")
    inner.add(QPushButton("One"))
    outer.add(inner, 1)
    QVBoxLayout(window).addWidget(outer)
    window.resize(400, 100)
    window.show()
    assert outer.isVisible()
    assert inner.isVisible()
    assert inner.width() > 20


def test_folding_controls_keeps_nothing(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    row = ControlRow("More controls of the test", window)
    for index in range(6):
        row.add(QPushButton(f"Control {index}"), word="Word")
    window.show()

    def fold(times: int) -> int:
        for _ in range(times):
            row.resize(60, 30)
            assert len(row.folded) == 5
            row.resize(3000, 30)
            assert row.folded == []
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        return heap_bytes()

    before = fold(20)
    assert fold(400) - before < 50_000  # The layout's items alone were 190,000.


def test_a_row_that_is_filled_first_is_shown_within_another_row(qtbot: QtBot) -> None:
    inner = ControlRow("More of the inner row")
    inner.add(QPushButton("Inner"))
    window = QWidget()
    qtbot.addWidget(window)
    outer = ControlRow("More of the outer row")
    QVBoxLayout(window).addWidget(outer)
    outer.add(inner, 1)
    window.resize(600, 60)
    window.show()
    assert inner.isVisible()
    assert inner.width() > 300


def test_a_slider_has_its_name_beside_it(bench: Bench) -> None:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setAccessibleName("Size of the brush")
    bench.row.add(slider)
    QApplication.processEvents()
    [label] = [each for each in bench.row.findChildren(QLabel) if each.text() == "Size of the brush"]
    assert label.isVisible()
    assert label.buddy() is slider
    assert label.geometry().right() < slider.geometry().left()


def test_several_changes_are_followed_by_one_arrangement(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    arranged: list[ControlRow] = []
    arrange = ControlRow._arrange
    monkeypatch.setattr(ControlRow, "_arrange", lambda row: (arranged.append(row), arrange(row))[1])
    for number in range(10):
        bench.row.add(QPushButton(f"Button {number}"))
    assert arranged == []
    QApplication.processEvents()
    assert len(arranged) < 4
    bench.window.hide()
    QApplication.processEvents()
    arranged.clear()
    bench.check.hide()
    bench.save.setText("Save all of it…")
    QApplication.processEvents()
    assert arranged == []
    bench.window.show()
    QApplication.processEvents()
    assert bench.check not in bench.in_row
    assert arranged


def test_kept_controls_fold_before_they_want_more_than_a_screen_has(qtbot: QtBot) -> None:
    row = ControlRow()
    qtbot.addWidget(row)
    buttons = [QPushButton("A long word on a button, and more of them") for _ in range(4)]
    for button in buttons:
        row.add(button, kept=True)
    kept_px = sum(button.sizeHint().width() for button in buttons)
    assert row.minimumSizeHint().width() < 0.8 * kept_px
    row.resize(row.minimumSizeHint())
    row.show()
    assert row.folded
    assert row.folded == buttons[len(buttons) - len(row.folded) :]


class LayoutRequests(QObject):
    """Counts how often a widget is laid out anew."""

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.count = 0
        widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.LayoutRequest
        return False


def test_what_is_around_is_laid_out_anew_only_for_another_size(bench: Bench) -> None:
    """A live frame changes texts many times a second, and the whole window would be laid out for each."""

    def save_as(text: str) -> int:
        requests = LayoutRequests(bench.window)
        bench.save.setText(text)
        for _ in range(3):  # One request leads to the next.
            QApplication.processEvents()
        assert bench.save.width() >= bench.save.sizeHint().width()
        return requests.count

    save_as("Save 1")
    assert save_as("Save 2") == 0  # The figures have one width.
    assert save_as("Save all of them") == 1
    assert save_as("Save 3") == 1
