"""What the turning boxes colour, against the normalisations of torch."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from pytestqt.qtbot import QtBot
from torch import Tensor
from torch.nn import functional

from convnext_studio.ui.lecture.views.norm_and_gelu.norm_axes import (
    AVERAGINGS,
    CHANNELS,
    GROUPS,
    HEIGHT,
    PICTURES,
    WIDTH,
    NormAxesView,
    averaged,
    cells,
)
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from tests.ui.conftest import make_model


def layer_norm(x: Tensor) -> Tensor:
    return functional.layer_norm(x.permute(0, 2, 3, 1), (CHANNELS,)).permute(0, 3, 1, 2)


NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "batch": lambda x: functional.batch_norm(x, None, None, training=True),
    "layer": layer_norm,
    "instance": functional.instance_norm,
    "group": lambda x: functional.group_norm(x, GROUPS),
}


@pytest.mark.parametrize("norm", list(AVERAGINGS))
@pytest.mark.parametrize("number", [0, 1, 5])
def test_a_value_changes_those_that_are_coloured_with_it_and_no_others(norm: str, number: int) -> None:
    x = torch.randn(PICTURES, CHANNELS, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(0))
    coloured = averaged(norm, number)
    changed = x.clone()
    changed[sorted(coloured)[0]] += 1.0
    moved = (NORMS[norm](changed) - NORMS[norm](x)).abs() > 1e-5
    assert {tuple(index) for index in moved.nonzero().tolist()} == coloured


@pytest.mark.parametrize("norm", list(AVERAGINGS))
def test_each_value_is_part_of_one_mean_and_the_words_count_them(norm: str) -> None:
    means = {frozenset(averaged(norm, number)) for number in range(PICTURES * CHANNELS * HEIGHT * WIDTH)}
    assert sorted(cell for mean in means for cell in mean) == sorted(cells())
    count, size = (
        np.prod([PICTURES if part.strip() == "N" else int(part) for part in text.split("×")])
        for text in AVERAGINGS[norm].counts(CHANNELS, HEIGHT * WIDTH)
    )
    assert len(means) == count
    assert {len(mean) for mean in means} == {size}


@pytest.fixture
def view(qtbot: QtBot, state: AppState, bridge: EngineBridge) -> NormAxesView:
    view = NormAxesView(state, bridge, {"norm": "layer"})
    qtbot.addWidget(view)
    view.resize(900, 600)
    view.prepare()
    view.show()
    qtbot.waitExposed(view)
    return view


def test_it_turns_only_while_play_is_on(view: NormAxesView, qtbot: QtBot) -> None:
    before = view.angle.value()
    qtbot.wait(120)
    assert view.angle.value() == before
    view.playing.click()
    qtbot.waitUntil(lambda: view.angle.value() != before)
    view.playing.click()
    stopped = view.angle.value()
    qtbot.wait(120)
    assert view.angle.value() == stopped
    view.playing.click()
    view.hide()
    assert not view.playing.isChecked()


def test_dragging_and_the_slider_turn_the_boxes(view: NormAxesView, qtbot: QtBot) -> None:
    still = view.canvas.grab().toImage()
    before = view.angle.value()
    qtbot.mousePress(view.canvas, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    qtbot.mouseMove(view.canvas, QPoint(140, 100))
    qtbot.mouseRelease(view.canvas, Qt.MouseButton.LeftButton, pos=QPoint(140, 100))
    if view.angle.value() == before:  # Offscreen, a move may come without its button.
        view.canvas.dragged.emit(40.0, 0.0)
    assert view.angle.value() == before + 20
    assert view.canvas.grab().toImage() != still
    view.canvas.dragged.emit(400.0, 0.0)
    assert -180 <= view.angle.value() < 180


def test_another_mean_colours_other_values(view: NormAxesView) -> None:
    first = view.coloured
    view.next_mean()
    assert view.coloured.isdisjoint(first)
    view.norms.setCurrentIndex(view.norms.findData("batch"))
    assert view.coloured == averaged("batch", 0)


def test_its_numbers_are_the_open_networks(view: NormAxesView, state: AppState) -> None:
    assert view._sizes() == (96, 56 * 56)
    model = make_model()
    state.set_model(model)
    channels, height, width = model.node("stage1.block1").shape
    assert view._sizes() == (channels, height * width)
