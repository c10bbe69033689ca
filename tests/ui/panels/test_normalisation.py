"""Mean and deviation that are typed in the Model panel."""

import pytest
from msgspec.structs import replace
from pytestqt.qtbot import QtBot

from convnext_studio.ui.panels.model.model_panel import NormalisationChoice
from tests.ui.desk import model


@pytest.fixture
def choice(qtbot: QtBot) -> NormalisationChoice:
    choice = NormalisationChoice()
    qtbot.addWidget(choice)
    choice.show_model(replace(model(), mean=(0.5, 0.25, 0.125), std=(1.0, 2.0, 3.0)))
    return choice


def test_it_shows_the_models_numbers(choice: NormalisationChoice) -> None:
    assert choice.mean.text() == "0.5, 0.25, 0.125"
    assert choice.std.text() == "1, 2, 3"
    assert not choice.apply.isEnabled()


def test_other_numbers_are_applied(choice: NormalisationChoice) -> None:
    told: list[object] = []
    choice.chosen.connect(lambda mean, std: told.append((mean, std)))
    choice.std.setText("0.5 0.25, 4")
    assert choice.apply.isEnabled()
    choice.apply.click()
    assert told == [((0.5, 0.25, 0.125), (0.5, 0.25, 4.0))]


@pytest.mark.parametrize("typed", ["", "a", "1, b", "1, 2, 3"])
def test_what_is_no_number_or_no_change_cannot_be_applied(choice: NormalisationChoice, typed: str) -> None:
    choice.std.setText(typed)
    assert not choice.apply.isEnabled()


def test_without_a_model_there_is_none(choice: NormalisationChoice) -> None:
    choice.show_model(None)
    assert choice.isHidden()
