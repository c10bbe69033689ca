"""The feature-map panel at a desk: a small model's stage 3, 8 channels of 4 × 4 units, on a picture."""

from typing import TypeVar

import numpy as np
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.envelope import Done, Payload, Request
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.render import Mosaic
from convnext_studio.ui.panels.feature_maps.feature_maps_panel import FeatureMapsPanel
from tests.ui.desk import Desk, feature_maps, model, picture

Kind = TypeVar("Kind", bound=Request)


def open_panel(qtbot: QtBot) -> tuple[Desk, FeatureMapsPanel]:
    """The panel, shown, with its question asked."""
    desk = Desk(qtbot)
    desk.state.set_node("stage3")
    desk.state.set_model(model())
    desk.state.opened.add(picture())
    panel = FeatureMapsPanel(desk.state, desk.bridge)
    desk.show(panel, 800, 420)
    return desk, panel


def filled_panel(qtbot: QtBot, maps: np.ndarray | None = None) -> tuple[Desk, FeatureMapsPanel]:
    """The same with its answer painted."""
    desk, panel = open_panel(qtbot)
    answer(desk, panel, feature_maps(desk, "stage3", maps))
    return desk, panel


def asked(desk: Desk, kind: type[Kind]) -> list[Kind]:
    """What was asked of one kind."""
    return [request for request in desk.asked if isinstance(request, kind)]


def reply(desk: Desk, kind: type[Request], payload: Payload) -> None:
    """Answer what was asked last of that kind."""
    desk.tell(Done(id=asked(desk, kind)[-1].id, payload=payload, seconds=0.1))


def answer(desk: Desk, panel: FeatureMapsPanel, result: FeatureMapsResult) -> None:
    """Answer the question about maps that was asked last, and wait until they are painted."""
    reply(desk, FeatureMaps, result)
    painted(desk, panel)


def painted(desk: Desk, panel: FeatureMapsPanel) -> None:
    """Wait until what is asked of the panel is seen."""
    desk.qtbot.waitUntil(lambda: not panel._painter.is_busy and not panel._rearrange_soon.isActive())


def shown_mosaic(panel: FeatureMapsPanel) -> Mosaic:
    """How the tiles are arranged."""
    assert panel.mosaic_map.painting is not None
    return panel.mosaic_map.painting.mosaic


def choose(box: QComboBox, data: str) -> None:
    """Choose the entry of that meaning."""
    box.setCurrentIndex(box.findData(data))
