"""The bundled lecture names views that exist, and its words fit beside them at every common size of screen."""

from collections.abc import Iterator

import pytest
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.lecture.script import LectureStep
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook
from convnext_studio.ui.lecture.presenter.presentation import checked_lecture
from convnext_studio.ui.lecture.presenter.presenter import Presenter
from convnext_studio.ui.lecture.views.live_view import LectureView, ViewSpec
from convnext_studio.ui.lecture.views.registry import VIEWS
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge

LECTURE = checked_lecture()


class EmptyView(LectureView):
    def prepare(self) -> None:
        pass


@pytest.fixture
def presenter(
    qtbot: QtBot, state: AppState, bridge: EngineBridge, background: Background
) -> Iterator[Presenter]:
    empty = {
        name: ViewSpec(name=name, title="", make=EmptyView, settings=VIEWS[name].settings) for name in VIEWS
    }
    book = FormulaBook(background)
    presenter = Presenter(state, bridge, LECTURE, book, views=empty)
    presenter.show()
    qtbot.waitUntil(lambda: book.is_settled, timeout=20_000)
    yield presenter
    presenter.close_views()
    presenter.hide()
    presenter.deleteLater()


@pytest.mark.parametrize("size", [(1920, 1080), (1366, 768), (1024, 768)])
def test_all_words_have_their_size(presenter: Presenter, size: tuple[int, int]) -> None:
    presenter.resize(*size)
    too_long = []
    for index, step in enumerate(LECTURE.steps):
        presenter.go_to(index)
        QApplication.processEvents()
        if not presenter.slide.fits:
            too_long.append(f"{step.file.name}, line {step.line}: {step.title}")
    assert too_long == []


def test_all_steps_are_seen_at_once_in_the_overview(presenter: Presenter) -> None:
    presenter.resize(1920, 1080)
    presenter.overview.open(0, presenter.text_px)
    QApplication.processEvents()
    for button in presenter.overview.buttons:
        assert button.visibleRegion().boundingRect() == button.rect()
        assert button.height() == button.sizeHint().height()  # Not squeezed by a chapter of many steps.


@pytest.mark.parametrize("size", [(1366, 768), (1024, 768)])
def test_no_title_in_the_overview_is_cut_off(presenter: Presenter, size: tuple[int, int]) -> None:
    presenter.resize(*size)
    presenter.overview.open(0, presenter.text_px)
    QApplication.processEvents()
    for button in presenter.overview.buttons:
        number = button.fontMetrics().horizontalAdvance("000" + 4 * " ")
        room = button.width() - number
        assert QFontMetrics(button._fitting(room)).horizontalAdvance(button.text()) <= room


def test_every_view_is_shown_somewhere() -> None:
    assert {step.view for step in LECTURE.steps} | {"picture"} == set(VIEWS)


@pytest.mark.parametrize("step", LECTURE.steps, ids=lambda step: step.title)
def test_a_step_is_short(step: LectureStep) -> None:
    assert 1 <= len([sentence for sentence in step.text.split(". ") if sentence]) <= 5
