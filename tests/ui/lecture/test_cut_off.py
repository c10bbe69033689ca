"""No text of the bundled lecture is cut off, painted over another or small, at any common size of screen."""

from collections.abc import Iterator
from itertools import combinations

import pytest
from msgspec import Struct, field
from msgspec.structs import replace
from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontInfo, QFontMetricsF
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QSizePolicy, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.engine.handlers import model_handlers as models
from convnext_studio.model import load
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.receptive_fields import ReceptiveField
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook
from convnext_studio.ui.lecture.presenter.presentation import checked_lecture
from convnext_studio.ui.lecture.presenter.presenter import Presenter
from convnext_studio.ui.lecture.views.painted_view import PaintedView
from convnext_studio.ui.plots.ink import Align, Ink
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets import theme
from tests.ui.conftest import FakeEngine
from tests.ui.lecture.live import LiveEngine

LECTURE = checked_lecture()
SIZES = (1920, 1080), (1366, 768), (1024, 768)
_LEAST_PX = 18 / 1080
"""The smallest text, in heights of the screen."""
_TOUCHING = 0.25  # Of a line's height: letters are not as high as their line.


class QuickEngine(LiveEngine):
    """Averages receptive fields over one input, since what is said of them is as long."""

    def work_on(self, request: Request) -> Request:
        return replace(request, count=1) if isinstance(request, ReceptiveField) else request


class Texts(Struct):
    """What was painted: which texts had too little room, where the others are, and how high they are."""

    cut: list[str] = field(default_factory=list)
    heights: dict[str, int] = field(default_factory=dict)
    boxes: list[tuple[QRectF, str]] = field(default_factory=list)
    places: list[tuple[QRectF, str]] = field(default_factory=list)

    def outside(self, room: QRectF) -> list[str]:
        """Texts that are not wholly in a room."""
        whole = room.adjusted(-1, -1, 1, 1)
        return [text for box, text in self.places if text and not whole.contains(box)]

    def overlapping(self) -> list[tuple[str, str]]:
        return [(first, second) for (a, first), (b, second) in combinations(self.boxes, 2) if a.intersects(b)]


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> Texts:
    """Filled by all painting from now on."""
    painted = Texts()
    paint_text, paint_paragraph = Ink.text, Ink.paragraph

    def text(
        self: Ink,
        place: QRectF,
        text: str,
        *,
        align: Align = "left",
        px: float | None = None,
        colour: str = "",
        bold: bool = False,
    ) -> None:
        paint_text(self, place, text, align=align, px=px, colour=colour, bold=bold)
        painted.heights[text] = self.painter.font().pixelSize()
        metrics = QFontMetricsF(self.painter.font())
        width = metrics.horizontalAdvance(text)
        if width > place.width() + 0.5:
            painted.cut.append(text)
        height = metrics.height() * (1 - _TOUCHING)
        box = QRectF(0, 0, min(width, place.width()), height)
        box.moveCenter(place.center())
        if align != "centre":
            box.moveLeft(place.left() if align == "left" else place.right() - box.width())
        painted.boxes.append((self.painter.combinedTransform().mapRect(box), text))
        painted.places.append((self.painter.worldTransform().mapRect(box), text))

    def paragraph(
        self: Ink, place: QRectF, text: str, *, px: float | None = None, colour: str = "", align: Align = "left"
    ) -> float:
        height = paint_paragraph(self, place, text, px=px, colour=colour, align=align)
        painted.heights[text] = self.painter.font().pixelSize()
        if height > place.height() + 1:
            painted.cut.append(text)
        return height

    monkeypatch.setattr(Ink, "text", text)
    monkeypatch.setattr(Ink, "paragraph", paragraph)
    return painted


@pytest.fixture
def presenter(
    qtbot: QtBot,
    qapp: QApplication,
    state: AppState,
    bridge: EngineBridge,
    background: Background,
) -> Iterator[Presenter]:
    theme.apply(qapp, theme.PROJECTOR)  # As for every lecture.
    book = FormulaBook(background)
    presenter = Presenter(state, bridge, LECTURE, book)
    presenter.show()
    qtbot.waitUntil(lambda: book.is_settled, timeout=20_000)
    yield presenter
    presenter.close_views()
    presenter.hide()
    presenter.deleteLater()


@pytest.fixture
def bundled(engine: FakeEngine, state: AppState, monkeypatch: pytest.MonkeyPatch) -> QuickEngine:
    """The network that comes with the program, as a first lecture shows it."""
    model = load("bundled")
    monkeypatch.setattr(models, "load", lambda *_, **__: model)
    return QuickEngine(engine, state, model)


def settle_layout() -> None:
    """Let fonts reach the controls, and then the controls their places."""
    for _ in range(3):
        QApplication.processEvents()


def squeezed(view: QWidget) -> list[str]:
    """Texts of labels, buttons and boxes that are narrower than what they say."""
    labels = [label for label in view.findChildren(QLabel) if not label.wordWrap()]
    boxes = [box for box in view.findChildren(QComboBox) if not _is_wide_as_it_may_be(box)]
    said = [*((box, box.currentText()) for box in boxes)]
    said += [(each, each.text()) for each in (*labels, *view.findChildren(QPushButton))]
    return [text for each, text in said if each.isVisible() and each.width() < each.sizeHint().width()]


def small_texts(presenter: Presenter, texts: Texts, height: int) -> list[str]:
    """Texts of paint and of widgets that cannot be read from the back row."""
    least = int(_LEAST_PX * height)
    labels = [each for each in presenter.findChildren(QLabel) if each.isVisible() and each.text()]
    widgets = [*labels, *(each for each in presenter.findChildren(QPushButton) if each.isVisible())]
    sizes = {**texts.heights, **{each.text(): QFontInfo(each.font()).pixelSize() for each in widgets}}
    return [f"{text} has {px} pixels" for text, px in sizes.items() if px < least]


def _is_wide_as_it_may_be(box: QComboBox) -> bool:
    return box.sizePolicy().horizontalPolicy() == QSizePolicy.Policy.Expanding


def test_no_text_is_cut_off_or_painted_over(bundled: QuickEngine, presenter: Presenter, texts: Texts) -> None:
    wrong: list[str] = []
    for index, step in enumerate(LECTURE.steps):
        presenter.go_to(index)
        bundled.settle(presenter.view)
        for size in SIZES:
            presenter.resize(*size)
            settle_layout()
            texts.cut.clear()
            texts.boxes.clear()
            texts.places.clear()
            texts.heights.clear()
            presenter.grab()
            where = f"{index + 1} {step.view} at {size[0]} × {size[1]}"
            wrong += [f"{where} cuts: {text}" for text in dict.fromkeys(texts.cut)]
            wrong += [f"{where} paints over: {pair}" for pair in dict.fromkeys(texts.overlapping())]
            if isinstance(presenter.view, PaintedView):
                room = QRectF(presenter.view.canvas.rect())
                wrong += [f"{where} paints outside: {text}" for text in dict.fromkeys(texts.outside(room))]
            wrong += [f"{where} is small: {text}" for text in small_texts(presenter, texts, size[1])]
            wrong += [f"{where} squeezes: {text}" for text in squeezed(presenter.view)]
    assert wrong == []
