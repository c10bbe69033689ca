"""How a number was made in two networks: the sum in B, and both sums of a difference."""

import numpy as np
import pytest
from msgspec.structs import replace
from PySide6.QtCore import QPointF, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from convnext_studio import analysis
from convnext_studio.common.value_terms import LOGITS, PROBABILITIES, ValuePlace
from convnext_studio.model import load
from convnext_studio.model.loaded import untrained
from convnext_studio.protocol.attributions import Explain, Explanation
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.value_sums import AskedValue, MapValue
from convnext_studio.ui.panels.feature_maps.feature_maps_panel import FeatureMapsPanel
from convnext_studio.ui.panels.number.number_panel import NumberPanel
from tests.engine.opening import input_of
from tests.ui.answered_desk import AnsweredDesk

SAME = LoadModel(source="bundled", untrained=True, seed=3, device="cpu")
OTHER = LoadModel(source="preset:convnextv2_atto", seed=1, device="cpu")
PLACE = ValuePlace("stage2.block1.dwconv", 5, 4, 6)


class Numbers:
    """The panel, and an engine with two networks."""

    def __init__(self, qtbot: QtBot, request_of_b: LoadModel = SAME) -> None:
        self.engine = AnsweredDesk(qtbot)
        self.engine.open_second(request_of_b)
        self.state = self.engine.desk.state
        assert self.state.picture is not None
        self.picture = self.state.picture.path
        self.panel = NumberPanel(self.state, self.engine.desk.bridge)
        self.engine.show(self.panel)
        self.engine.settle(self.panel)

    def go(self, asked: AskedValue) -> None:
        self.state.views.ask_value(asked)
        self.engine.settle(self.panel)
        self.panel.grab()

    def choose(self, shown: str) -> None:
        self.state.second.choice.choose(shown)
        self.engine.settle(self.panel)
        self.panel.grab()

    def value(self, network: str, place: ValuePlace) -> float:
        """Return a value of a map of a plain network, which shares nothing with the panel."""
        model = load("bundled")
        if network == "B":
            model = untrained(model, 3)
        maps = analysis.feature_maps(model, input_of(model, self.picture), place.step)
        return float(maps[place.channel, place.y, place.x])


def test_the_sum_is_that_of_the_network_that_is_shown(qtbot: QtBot) -> None:
    numbers = Numbers(qtbot)
    numbers.go(AskedValue(PLACE))
    made = {}
    for shown, network in (("first", "A"), ("second", "B")):
        numbers.choose(shown)
        painting = numbers.panel.painting
        assert painting is not None
        made[network] = painting.made
        assert painting.made.value == pytest.approx(numbers.value(network, PLACE), rel=1e-4, abs=1e-5)
        assert painting.made.total == pytest.approx(painting.made.value, rel=1e-5, abs=1e-5)
    assert made["A"].value != made["B"].value
    assert numbers.panel.caption.startswith("B: ")


def test_a_difference_shows_both_sums_and_their_difference(qtbot: QtBot) -> None:
    numbers = Numbers(qtbot)
    numbers.go(AskedValue(PLACE))
    numbers.choose("difference")
    panel = numbers.panel
    assert all(view.isVisible() for view in panel.views)
    a, b = (numbers.value(network, PLACE) for network in "AB")
    said = float(panel.caption.split("A minus B is ")[1].split(" ")[0].replace("−", "-"))
    assert said == pytest.approx(a - b, rel=2e-2)
    text = panel.text()
    assert text.startswith("A: stage2.block1.dwconv · channel 5")
    assert "\nB: stage2.block1.dwconv · channel 5" in text
    panel.resize(320, 600)  # As beside other panels: neither the sums nor the place's text widen it.
    qtbot.waitUntil(lambda: panel.views[1].y() >= 0 and panel.minimumSizeHint().width() <= 320)
    numbers.choose("first")
    assert [view.isVisible() for view in panel.views] == [True, False]


def test_a_click_in_the_sum_of_b_goes_on_in_both(qtbot: QtBot) -> None:
    numbers = Numbers(qtbot)
    numbers.go(AskedValue(PLACE))
    numbers.choose("curtain")
    view = numbers.panel.views[1]
    assert view.painting is not None
    windows = view.painting._windows
    assert windows is not None
    box = windows.boxes["input"]
    unit = box.width() / windows.before.shape[1]
    point = QPointF(box.left() + 2.5 * unit, box.top() + 7.5 * unit)
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=point.toPoint())
    numbers.engine.settle(numbers.panel)
    assert numbers.panel.journey.asked is not None
    assert numbers.panel.journey.asked.network == "B"
    places = [view.painting.made.place for view in numbers.panel.views if view.painting is not None]
    assert places[0] == places[1]
    assert (places[1].channel, places[1].y, places[1].x) == (5, 7, 2)
    assert numbers.state.unit == (7, 2)


def test_units_of_another_architecture_are_the_nearest_in_the_picture(qtbot: QtBot) -> None:
    numbers = Numbers(qtbot, OTHER)
    asked = AskedValue(ValuePlace("stage3", 4, 9, 3), "B")
    numbers.choose("second")
    numbers.go(asked)
    painting = numbers.panel.painting
    assert painting is not None
    assert painting.made.place.step.startswith("stage3")
    assert (painting.made.place.y, painting.made.place.x) == (9, 3)  # That of B itself, not of a detour by A.
    model, other = numbers.engine.model, numbers.state.second.model
    assert other is not None
    crops = numbers.state.second.pair
    assert crops is not None
    assert crops.crops is not None
    unit = numbers.state.unit
    assert unit is not None
    at_b = crops.crops[1].to_picture(*(other.node("stage3").field.centre_px(each) for each in (3, 9)))
    at_a = crops.crops[0].to_picture(*(model.node("stage3").field.centre_px(each) for each in unit[::-1]))
    stride = model.node("stage3").field.stride_px * crops.crops[0].scale[0]
    assert np.abs(np.subtract(at_a, at_b)).max() <= stride


def test_classes_are_matched_by_name(qtbot: QtBot) -> None:
    numbers = Numbers(qtbot)
    numbers.choose("difference")
    for step in (LOGITS, PROBABILITIES):
        numbers.go(AskedValue(ValuePlace(step, 3)))
        a, b = numbers.panel.answers
        assert a is not None
        assert b is not None
        assert (a.made.place.channel, b.made.place.channel) == (3, 3)
    prediction = numbers.state.second.prediction
    assert prediction is not None
    assert b.made.value == pytest.approx(float(prediction.probabilities[3]), rel=1e-5)
    other = Numbers(qtbot, OTHER)  # Its classes have other names.
    other.choose("second")
    other.go(AskedValue(ValuePlace(LOGITS, 3)))
    assert "B has no class" in other.panel.notice
    assert other.panel.python is None


def test_a_value_of_an_attribution_map_of_b(qtbot: QtBot) -> None:
    numbers = Numbers(qtbot)
    question = Explain(image=numbers.engine.image, method="gradcam", nodes=("stage4",), target=2)
    explanation = numbers.engine.dispatcher.run(replace(question, network="B"))
    assert isinstance(explanation, Explanation)
    numbers.choose("second")
    numbers.go(AskedValue(MapValue(question=question, node="stage4", y=2, x=3)))
    painting = numbers.panel.painting
    assert painting is not None
    assert painting.made.value == pytest.approx(float(explanation.maps["stage4"][2, 3]), rel=1e-6)


def test_alt_click_asks_for_the_value_of_the_network_that_is_shown(qtbot: QtBot) -> None:
    engine = AnsweredDesk(qtbot)
    engine.open_second(SAME)
    state = engine.desk.state
    state.set_node("stage2")
    panel = FeatureMapsPanel(state, engine.desk.bridge)
    engine.show(panel)
    asked: list[AskedValue] = []
    panel.channel_map.value_asked.connect(asked.append)
    for shown in ("first", "second", "difference"):
        state.second.choice.choose(shown)
        engine.settle(panel)
        view = panel.channel_map.view
        QTest.mouseClick(
            view, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.AltModifier, view.to_widget(2.5, 1.5).toPoint()
        )
    assert asked == [AskedValue(ValuePlace("stage2", 0, 1, 2), network) for network in ("A", "B", "A")]
