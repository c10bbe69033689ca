"""A formula is painted from its outline, in the text's colour, and as its source until it is set."""

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from convnext_studio.lecture.formula import EM, outline
from convnext_studio.ui.lecture.presenter.formula_label import FormulaBook, FormulaView, to_path
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.widgets import theme


def test_the_path_fills_the_outlines_box() -> None:
    shape = outline(r"y = \frac{x}{2}")
    box = to_path(shape).boundingRect()
    assert box.left() == pytest.approx(0, abs=1)
    assert box.top() == pytest.approx(0, abs=1)
    assert (box.width(), box.height()) == pytest.approx((shape.width, shape.height), abs=2)


def test_holes_stay_open() -> None:
    """The middle of an o is not filled."""
    shape = outline(r"\mathrm{o}")
    path = to_path(shape)
    middle = QRectF(shape.width / 2 - 1, shape.height / 2 - 1, 2, 2)
    assert not path.contains(middle.center())
    assert path.contains(QRectF(2, shape.height / 2, 1, 1).center())


def test_it_is_set_in_the_background(qtbot: QtBot, background: Background) -> None:
    book = FormulaBook(background)
    view = FormulaView(book)
    qtbot.addWidget(view)
    view.resize(400, 100)
    view.set_text_px(40)
    view.show_formula(r"x^2")
    with qtbot.waitSignal(book.changed):
        book.ask(["x^2", r"\nonsense", ""])
        assert book.path("x^2") is None
        assert not book.is_settled
    assert book.is_settled
    assert book.path(r"\nonsense") is None
    view.fit(400)
    shape = book.set_ones["x^2"]
    assert view.height() == pytest.approx(shape.height * 40 / EM, abs=3)
    view.fit(10)  # Narrower than the formula.
    assert view.height() < shape.height * 40 / EM
    view.fit(400)
    image = view.grab().toImage()
    dark = [
        x
        for x in range(image.width())
        for y in range(image.height())
        if image.pixelColor(x, y) == QColor(theme.current().text)
    ]
    assert max(dark) - min(dark) == pytest.approx(shape.width * 40 / EM, abs=4)
