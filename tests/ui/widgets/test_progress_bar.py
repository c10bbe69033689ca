"""The progress bar paints with the next frame, never in the middle of a change, and counts any total."""

import pytest
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.ui.widgets.progress_bar import ProgressBar


class Painted(QObject):
    """Counts the paint events of a widget."""

    count = 0

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.Paint
        return False


@pytest.fixture
def bar(qtbot: QtBot) -> ProgressBar:
    bar = ProgressBar("Progress")
    qtbot.addWidget(bar)
    bar.show()
    qtbot.waitExposed(bar)
    return bar


def test_it_is_painted_with_the_next_frame(bar: ProgressBar, qtbot: QtBot) -> None:
    painted = Painted()
    bar.installEventFilter(painted)
    QApplication.processEvents()
    before = painted.count
    for done in range(5):
        bar.show_progress(done, 4)
    bar.show_waiting()
    bar.show_progress(1, 4)
    assert painted.count == before
    qtbot.waitUntil(lambda: painted.count > before)


@pytest.mark.parametrize("total", [4, 1000, 2**31 - 1, 2**31, 10**12])
def test_the_share_is_right_for_any_total(bar: ProgressBar, total: int) -> None:
    bar.show_progress(3 * total // 4, total)
    assert bar.value() / bar.maximum() == pytest.approx(0.75, abs=0.001)
    assert bar.minimum() == 0


def test_nobody_knows_how_long(bar: ProgressBar) -> None:
    bar.show_progress(1, 4)
    bar.show_waiting()
    assert (bar.minimum(), bar.maximum()) == (0, 0)  # Qt animates this.
