"""How a number was made: the panel answered by a real engine, and the ways that lead to it."""

import re

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from convnext_studio.common.errors import StudioError
from convnext_studio.common.value_terms import INPUT, PROBABILITIES, ValuePlace
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.protocol.attributions import Explain
from convnext_studio.protocol.envelope import Done, Failed
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, OpenImage
from convnext_studio.protocol.value_sums import AskedValue, ExplainMapValue, ExplainValue, MapValue
from convnext_studio.ui.panels.attribution.attribution_texts import value_of_map
from convnext_studio.ui.panels.number.number_panel import NumberPanel
from convnext_studio.ui.panels.predictions.prediction_row import PredictionRow
from convnext_studio.ui.plots.values.value_texts import formula_text
from convnext_studio.ui.shell.window import StudioWindow
from tests.ui.desk import Desk, explanation_with
from tests.ui.features import filled_panel

ASKED = (ExplainValue, ExplainMapValue)


class Numbers:
    """The panel, and an engine with the bundled network and the sample cat."""

    def __init__(self, qtbot: QtBot, source: str = "bundled") -> None:
        self.desk = Desk(qtbot)
        self.engine = Dispatcher()
        model = self.engine.run(LoadModel(source=source, device="cpu"))
        picture = self.engine.run(OpenImage(path="sample:cat"))
        assert isinstance(model, ModelInfo)
        assert isinstance(picture, ImageInfo)
        self.desk.state.set_model(model)
        self.desk.state.opened.add(picture)
        self.panel = NumberPanel(self.desk.state, self.desk.bridge)
        self.desk.show(self.panel, 460, 620)

    def settle(self) -> None:
        request = next(each for each in reversed(self.desk.asked) if isinstance(each, ASKED))
        try:
            self.desk.tell(Done(id=request.id, payload=self.engine.run(request), seconds=0.01))
        except StudioError as error:
            self.desk.tell(Failed(id=request.id, message=error.message, hint=error.hint))
        self.panel.grab()

    def go(self, place: ValuePlace) -> None:
        self.desk.state.views.ask_value(AskedValue(place))
        self.settle()

    def click(self, point: QPointF) -> None:
        QTest.mouseClick(self.panel.canvas, Qt.MouseButton.LeftButton, pos=point.toPoint())
        self.settle()


def test_from_a_probability_back_to_a_pixel(qtbot: QtBot) -> None:
    """Enter follows the first term again and again: after every operation one arrives at the input."""
    numbers = Numbers(qtbot)
    numbers.go(ValuePlace(PROBABILITIES, 3))
    panel, visited = numbers.panel, []
    for _ in range(200):
        painting = panel.painting
        assert painting is not None
        made = painting.made
        visited.append(made.place.step)
        assert made.total == pytest.approx(made.value, rel=1e-5, abs=1e-5)
        if made.place.step == INPUT:
            break
        if painting.has_list:
            QTest.keyClick(panel.canvas, Qt.Key.Key_Down)
            QTest.keyClick(panel.canvas, Qt.Key.Key_Return)
        elif painting.chosen_place is not None:
            QTest.keyClick(panel.canvas, Qt.Key.Key_Return)
        else:
            inside = next(place for place in map(made.source, range(len(made.operands))) if place is not None)
            panel.go(AskedValue(inside))
        numbers.settle()
    assert "picture (" in panel.caption  # Where in the photograph the pixel is.
    assert visited[:3] == [PROBABILITIES, "logits", "head.norm"]
    assert visited[-1] == INPUT
    for _ in visited[1:]:
        QTest.keyClick(panel.canvas, Qt.Key.Key_Backspace)
    numbers.settle()
    assert panel.painting is not None
    assert panel.painting.made.place == ValuePlace(PROBABILITIES, 3)
    assert not panel.back.isEnabled()
    assert panel.forward.isEnabled()


def test_a_click_on_the_input_of_a_depthwise_unit_goes_to_that_value(qtbot: QtBot) -> None:
    numbers = Numbers(qtbot)
    numbers.go(ValuePlace("stage2.block1.dwconv", 5, 4, 6))
    assert numbers.panel.painting is not None
    windows = numbers.panel.painting._windows
    assert windows is not None
    box = windows.boxes["input"]
    unit = box.width() / windows.before.shape[1]
    numbers.click(QPointF(box.left() + 2.5 * unit, box.top() + 7.5 * unit))
    made = numbers.panel.painting.made
    assert (made.place.channel, made.place.y, made.place.x) == (5, 7, 2)
    assert made.value == pytest.approx(float(windows.before[7, 2]))
    assert numbers.desk.state.channel == 5
    assert numbers.desk.state.unit == (7, 2)


def test_a_window_says_its_products_under_the_pointer_and_names_its_colours(qtbot: QtBot) -> None:
    numbers = Numbers(qtbot)
    numbers.go(ValuePlace("stem.conv", 5, 4, 6))
    painting = numbers.panel.painting
    assert painting is not None
    assert [row[0][0] for row in painting._pictures] == ["value, red", "value, green", "value, blue"]
    painted = painting._maps[2]  # The products of red.
    point = painted.box.topLeft() + QPointF(2, 2)
    assert painting.text_at(point.x(), point.y()) == painting.terms.row_text(0)
    assert painting.place_at(point.x(), point.y()) == painting.made.source(0)
    numbers.panel.canvas.pointed.emit(point.x(), point.y())
    assert numbers.desk.read_outs[-1].startswith(painting.terms.row_text(0))


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("stage1.block1.norm", ("(value ", "− mean", "÷ deviation", "× weight", "+ bias")),
        ("stage1.block1.act", ("the share that GELU lets through",)),
        ("stage1.block1.gamma", ("branch ", "× gamma")),
        ("stage1.block1", ("shortcut ", "+ branch")),
        ("head.pool", ("mean of the 64 units",)),
        ("logits", ("320 products", "+ bias")),
        ("probabilities", ("− largest logit", "the sum of the 24 classes")),
        ("input", ("of 255", "÷ deviation")),
    ],
)
def test_every_formula_names_its_numbers_and_ends_with_the_value(
    qtbot: QtBot, step: str, said: tuple[str, ...]
) -> None:
    numbers = Numbers(qtbot)
    numbers.go(ValuePlace(step, 1))
    painting = numbers.panel.painting
    assert painting is not None
    text = formula_text(painting.made)
    for part in said:
        assert part in text
    ours, network = (float(each) for each in re.findall(r"= ([-+.e\d]+);  the network: ([-+.e\d]+)", text)[0])
    assert ours == pytest.approx(painting.made.value, rel=1e-3, abs=1e-6)
    assert network == pytest.approx(painting.made.value, rel=1e-3, abs=1e-6)


def test_what_is_painted_adds_up_and_can_be_copied(qtbot: QtBot) -> None:
    numbers = Numbers(qtbot)
    numbers.go(ValuePlace("stage1.block1.pwconv1", 2, 3, 3))
    panel = numbers.panel
    painting = panel.painting
    assert painting is not None
    made = painting.made
    assert list(painting.terms.order) == np.argsort(-np.abs(made.terms), kind="stable").tolist()
    panel.copy.click()
    copied = QGuiApplication.clipboard().text().splitlines()
    assert copied[0] == "stage1.block1.pwconv1 · channel 2 · y 3, x 3"
    rows = [line for line in copied if "\t" in line]
    assert len(rows) == len(made.terms)
    terms = [float(row.rpartition("= ")[2]) for row in rows]
    bias = made.numbers["bias"]
    assert sum(terms) + bias == pytest.approx(made.value, abs=2e-3)
    assert f"{made.value:.4g}"[:5] in copied[2]


def test_the_list_scrolls_to_its_end_and_says_what_is_left(qtbot: QtBot) -> None:
    numbers = Numbers(qtbot)
    numbers.go(ValuePlace("stage1.block1.pwconv2", 2, 3, 3))
    painting = numbers.panel.painting
    assert painting is not None
    assert 1 < painting.terms.rows_shown < len(painting.terms.order)
    for _ in range(len(painting.terms.order)):
        QTest.keyClick(numbers.panel.canvas, Qt.Key.Key_Down)
    assert painting.terms.chosen == len(painting.terms.order) - 1
    assert painting.terms.first == len(painting.terms.order) - painting.terms.rows_shown
    place = painting.chosen_place
    assert place is not None
    assert place.channel == painting.terms.order[-1]


def test_another_picture_keeps_the_place_and_another_family_says_why_not(qtbot: QtBot) -> None:
    numbers = Numbers(qtbot)
    numbers.go(ValuePlace("stage2.block1.norm", 1, 2, 2))
    before = numbers.panel.painting
    assert before is not None
    coffee = numbers.engine.run(OpenImage(path="sample:coffee"))
    assert isinstance(coffee, ImageInfo)
    numbers.desk.state.opened.add(coffee)
    numbers.settle()
    after = numbers.panel.painting
    assert after is not None
    assert after.made.place == before.made.place
    assert after.made.value != before.made.value
    other = numbers.engine.run(LoadModel(source="timm-random:resnet18", device="cpu"))
    assert isinstance(other, ModelInfo)
    numbers.desk.state.set_model(other)
    numbers.settle()
    assert "not a ConvNeXt" in numbers.panel.notice


def test_before_anything_was_asked_the_panel_says_how(qtbot: QtBot) -> None:
    assert "Alt+click" in Numbers(qtbot).panel.notice


def test_a_value_of_an_attribution_map_leads_to_its_channels(qtbot: QtBot) -> None:
    numbers = Numbers(qtbot)
    question = Explain(image="", method="gradcam", target=2)
    numbers.desk.state.views.ask_value(AskedValue(MapValue(question=question, node="stage4", y=2, x=3)))
    numbers.settle()
    panel = numbers.panel
    painting = panel.painting
    assert painting is not None
    made = painting.made
    assert panel.place.text() == "Grad-CAM at stage4 · y 2, x 3"
    assert made.total == pytest.approx(made.value, rel=1e-5, abs=1e-5 * float(np.abs(made.terms).sum()))
    assert "without a ReLU" in formula_text(made)
    box = painting._maps[0].box
    unit = box.width() / made.after.shape[1]
    numbers.click(QPointF(box.left() + 0.5 * unit, box.top() + 1.5 * unit))
    assert panel.place.text() == "Grad-CAM at stage4 · y 1, x 0"
    QTest.keyClick(panel.canvas, Qt.Key.Key_Down)
    QTest.keyClick(panel.canvas, Qt.Key.Key_Return)
    numbers.settle()
    assert panel.painting is not None
    place = panel.painting.made.place
    assert place.step.startswith("stage4.block")
    assert (place.y, place.x) == (1, 0)
    assert numbers.desk.state.unit is None or numbers.desk.state.unit == (1, 0)


def test_the_place_of_a_value_is_that_of_the_map_it_was_clicked_in() -> None:
    maps = {name: np.full((2, 2), value, np.float32) for name, value in (("a", 1), ("b", 2), ("c", 3))}
    question = Explain(
        image="cat", method="gradcam", nodes=("stage4",), output="difference", against=5, target=4
    )
    explanation = explanation_with(
        maps={"stage4": maps["a"]},
        target_maps={"stage4": maps["b"]},
        against_maps={"stage4": maps["c"]},
        target=4,
        against=5,
        output="difference",
    )
    found = [value_of_map(question, explanation, maps[name], (1, 0)) for name in "abc"]
    asked_of = [(each.question.output, each.question.target) for each in found if each is not None]
    assert asked_of == [("difference", 4), ("logit", 4), ("logit", 5)]
    assert all(each is not None and (each.node, each.y, each.x) == ("stage4", 1, 0) for each in found)


def alt_click(widget: object, point: QPoint) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.AltModifier, point)


def test_alt_click_on_a_channel_asks_for_the_value_under_it(qtbot: QtBot) -> None:
    desk, panel = filled_panel(qtbot)
    asked_for: list[AskedValue] = []
    for view in (panel.channel_map, panel.mosaic_map):
        view.value_asked.connect(asked_for.append)
    view = panel.channel_map.view
    alt_click(view, view.to_widget(2.5, 1.5).toPoint())
    assert asked_for == [AskedValue(ValuePlace("stage3", 0, 1, 2))]
    assert desk.state.unit is None  # Without Alt, a click selects.
    mosaic = panel.mosaic_map
    assert mosaic.painting is not None
    left, top, _, _ = mosaic.painting.mosaic.tile_box(5)
    alt_click(mosaic.view, mosaic.view.to_widget(left + 3.5, top + 0.5).toPoint())
    assert asked_for[1] == AskedValue(ValuePlace("stage3", 5, 0, 3))


def test_alt_click_on_a_prediction_asks_instead_of_explaining(qtbot: QtBot) -> None:
    row = PredictionRow()
    qtbot.addWidget(row)
    row.show_class(7, "cat", 0.5)
    row.resize(200, 40)
    seen: list[str] = []
    row.value_asked.connect(lambda: seen.append("asked"))
    row.clicked.connect(lambda: seen.append("clicked"))
    alt_click(row, QPoint(20, 20))
    QTest.mouseClick(row, Qt.MouseButton.LeftButton, pos=QPoint(20, 20))
    assert seen == ["asked", "clicked"]
    menu = row.menu()
    assert [action.text().split("\t")[0] for action in menu.actions()][1] == "&How was this number made?"
    menu.actions()[1].trigger()
    assert seen[-1] == "asked"


def test_the_key_asks_for_the_selected_unit_or_the_class(filled_window: StudioWindow) -> None:
    window = filled_window
    asked_for: list[AskedValue] = []
    window.state.views.value_asked.connect(asked_for.append)
    window.state.clear_unit()
    window.actions_by_id["number"].trigger()
    window.state.set_unit(1, 1)
    window.actions_by_id["number"].trigger()
    assert asked_for[0] == AskedValue(ValuePlace(PROBABILITIES, window.state.explained_class))
    assert asked_for[1] == AskedValue(ValuePlace(window.state.node, window.state.channel, 1, 1))
    assert window.dock_layout.docks["number"].isVisible()
