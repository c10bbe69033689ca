"""The step with the picture: what the network sees of it, the classes, and a zoom by the mouse."""

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.lecture.script import Lecture
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook
from convnext_studio.ui.lecture.presenter.presenter import Presenter
from convnext_studio.ui.lecture.views import picture
from convnext_studio.ui.lecture.views.picture import PredictedPictureView
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.selection.awaited import NO_PICTURE
from convnext_studio.ui.widgets import theme
from tests.ui.conftest import make_prediction
from tests.ui.lecture.toys import TOYS


@pytest.fixture
def view(qtbot: QtBot, open_state: AppState, bridge: EngineBridge) -> PredictedPictureView:
    view = picture.SPEC.make(open_state, bridge, {"classes": "3"})
    assert isinstance(view, PredictedPictureView)
    qtbot.addWidget(view)
    view.resize(900, 500)
    view.set_text_px(24)
    view.show()
    qtbot.waitExposed(view)
    return view


def test_the_part_that_the_network_sees_is_framed(view: PredictedPictureView, open_state: AppState) -> None:
    prediction = make_prediction()
    open_state.set_prediction(prediction)
    x, y, width, height = prediction.geometry.crop_box
    assert 0 < width < 90
    shot = view.picture.grab().toImage()
    frame = QColor(theme.current().accent)
    for place in ((x, y + height / 2), (x + width, y + height / 2)):
        at = view.picture.to_widget(*place).toPoint()
        row = [shot.pixelColor(column, at.y()) for column in range(at.x() - 3, at.x() + 4)]
        assert min(abs(each.red() - frame.red()) + abs(each.blue() - frame.blue()) for each in row) < 40


def test_the_classes_are_told_to_a_screen_reader(view: PredictedPictureView, open_state: AppState) -> None:
    assert (view.notice, view.is_settled) == ("Computing …", False)
    prediction = make_prediction()
    open_state.set_prediction(prediction)
    best = np.argsort(-prediction.probabilities, kind="stable")[:3]
    assert [share for _, share in view.rows()] == [float(prediction.probabilities[index]) for index in best]
    assert view.accessibleDescription().count("%") == 3
    assert (view.notice, view.is_settled) == ("", True)
    open_state.opened.remove(["one"])
    assert view.notice == NO_PICTURE
    assert view.picture.scene is None


def test_the_wheel_zooms_and_a_double_click_fits_and_keeps_the_words(
    qtbot: QtBot, open_state: AppState, bridge: EngineBridge, lecture: Lecture, background: Background
) -> None:
    """Elsewhere, a double click shows the view on the whole screen."""
    views = {**TOYS, "maps": picture.SPEC}
    presenter = Presenter(open_state, bridge, lecture, FormulaBook(background), views=views)
    qtbot.addWidget(presenter)
    presenter.resize(1280, 720)
    presenter.show()
    presenter.activateWindow()
    qtbot.waitUntil(presenter.isActiveWindow)
    shown = presenter.view
    assert isinstance(shown, PredictedPictureView)
    at = QPointF(shown.picture.rect().center())
    wheel = QWheelEvent(
        at,
        QPointF(shown.picture.mapToGlobal(at.toPoint())),
        QPoint(),
        QPoint(0, 240),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(shown.picture, wheel)
    assert not shown.picture.is_fitted
    QTest.mouseDClick(shown.picture, Qt.MouseButton.LeftButton, pos=at.toPoint())
    assert shown.picture.is_fitted
    assert not presenter.is_zoomed
    QTest.keyClick(presenter.focusWidget() or presenter, Qt.Key.Key_PageDown)
    assert presenter.index == 1
    presenter.close_views()
