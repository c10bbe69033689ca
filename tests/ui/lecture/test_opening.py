"""The lecture opens with its title and a map of the whole network on the open picture."""

import numpy as np
import pytest
import torch
from pytestqt.qtbot import QtBot

from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.ui.lecture.presenter.presentation import checked_lecture
from convnext_studio.ui.lecture.views.opening import network_map
from convnext_studio.ui.lecture.views.opening.network_map import NetworkMapView
from convnext_studio.ui.lecture.views.registry import VIEWS
from convnext_studio.ui.state.bridge import EngineBridge
from tests.engine.opening import input_of
from tests.ui.conftest import make_model
from tests.ui.lecture.live import LiveEngine, shown


def settled(qtbot: QtBot, live: LiveEngine, bridge: EngineBridge) -> NetworkMapView:
    view = shown(qtbot, network_map.SPEC.make(live.state, bridge, {"classes": "3"}))
    assert isinstance(view, NetworkMapView)
    live.settle(view)
    return view


def test_the_bundled_lecture_opens_with_it() -> None:
    first = checked_lecture().steps[0]
    assert first.view == "network"
    assert VIEWS[first.view].arrangement == "opening"


def test_every_block_has_its_map(qtbot: QtBot, live: LiveEngine, bridge: EngineBridge) -> None:
    view = settled(qtbot, live, bridge)
    assert [(node.name, len(blocks)) for node, blocks in view.columns()] == [
        ("stem", 0),
        ("stage1", 1),
        ("stage2", 2),
        ("stage3", 1),
        ("stage4", 1),
    ]
    assert len(view.maps) == 5 + 5
    assert live.state.model is not None
    for name, shown_map in view.maps.items():
        assert shown_map.shape == live.state.model.node(name).shape[1:]
    view.grab()


def test_the_maps_are_the_means_of_the_networks_outputs(
    qtbot: QtBot, live: LiveEngine, bridge: EngineBridge
) -> None:
    """Compared with plain hooks on the network."""
    view = settled(qtbot, live, bridge)
    module = live.model.module
    assert isinstance(module, ConvNeXt)
    kept: list[torch.Tensor] = []
    block = next(iter(module.stages[1].children()))
    handle = block.register_forward_hook(lambda _module, _args, output: kept.append(output))
    module(input_of(live.model))
    handle.remove()
    mean = kept[0][0].mean(dim=0).numpy()
    assert view.maps["stage2.block1"].ends == pytest.approx(np.percentile(mean, (0.5, 99.5)), rel=1e-4)


def test_classes_follow_the_prediction_and_nothing_old_stays(
    qtbot: QtBot, live: LiveEngine, bridge: EngineBridge
) -> None:
    view = settled(qtbot, live, bridge)
    prediction = live.dispatcher.run(Predict(image=live.picture.key))
    assert isinstance(prediction, Prediction)
    best = int(prediction.probabilities.argmax())
    assert view.rows()[0][1] == float(prediction.probabilities[best])
    assert len(view.rows()) == 3
    live.state.set_model(make_model("Other"))
    assert view.maps == {}
    assert view.rows() == []
    view.grab()
