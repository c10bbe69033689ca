"""The feature-map panel with the tutorial's last blocks, 768 channels of 27 × 27: shown again, and moved in."""

import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import numpy as np
from PySide6.QtCore import QEvent, QEventLoop, QObject, QPointF, QTimer
from PySide6.QtWidgets import QApplication

from convnext_studio.model.presets import PRESETS
from convnext_studio.protocol.envelope import Done, Message, Request
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.render import Limits, load_colour_maps
from convnext_studio.ui.panels.feature_maps.feature_maps_panel import FeatureMapsPanel
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from tests.benchmarks.programs.noise_engine import NoiseEngine
from tests.benchmarks.timing import report
from tests.ui.desk import CROP, model, picture

NODES = ("stage4.block2", "stage4.block3")
SWITCHES, FRAMES, DRAGS = 40, 120, 120
MOUSE_MS = 16
LONGEST_S = 60


def noise_maps(state: AppState, number: int, request: Request) -> Iterator[Message]:
    """Answer questions about maps with noise."""
    if isinstance(request, FeatureMaps) and state.model is not None:
        node = state.model.node(request.node)
        maps = np.random.default_rng(number).normal(size=node.shape).astype(np.float32)
        result = FeatureMapsResult(
            image=request.image, node=node.name, maps=maps, field=node.field, geometry=CROP
        )
        yield Done(id=number, payload=result, seconds=0.0)


def main() -> None:
    """Report the seconds of each switch and of each frame."""
    application = QApplication([])
    application.setStyle("Fusion")
    load_colour_maps()
    state = AppState()
    state.set_model(model(PRESETS["tutorial"].config, 224))
    state.opened.add(picture())
    panel = FeatureMapsPanel(state, EngineBridge(NoiseEngine(partial(noise_maps, state))))
    panel.resize(1600, 1000)
    panel.show()
    for node in NODES:
        state.set_node(node)
        _wait(application, panel, node)
    switches = [_switch(application, panel, state, NODES[index % 2]) for index in range(SWITCHES)]
    frames = _move(application, panel)
    levels = _drag_levels(application, panel)
    panel.close()
    report(switches=switches, frames=frames, levels=levels)


def _wait(application: QApplication, panel: FeatureMapsPanel, node: str) -> None:
    start = time.perf_counter()
    while not (panel.is_settled and _node_shown(panel) == node):
        application.processEvents()
        if time.perf_counter() - start > LONGEST_S:
            raise TimeoutError(f"{node} was not shown")


def _node_shown(panel: FeatureMapsPanel) -> str:
    painting = panel.mosaic_map.painting
    return "" if painting is None else painting.subject.result.node


def _switch(application: QApplication, panel: FeatureMapsPanel, state: AppState, node: str) -> float:
    """Seconds from the selection until the panel is painted."""
    start = time.perf_counter()
    state.set_node(node)
    # What is due, paint events included.
    application.processEvents()
    taken = time.perf_counter() - start
    if _node_shown(panel) != node or panel.mosaic_map.view.is_dimmed:
        raise RuntimeError(f"{node} was not at hand")
    return taken


def _move(application: QApplication, panel: FeatureMapsPanel) -> list[float]:
    """Seconds of each frame while the mosaic is enlarged thirty times and made smaller again."""
    view = panel.mosaic_map.view
    frames = []
    for index in range(FRAMES):
        start = time.perf_counter()
        view.zoom(1.06 if index < FRAMES / 2 else 1 / 1.06, QPointF(300 + 2 * index, 400))
        application.processEvents()
        frames.append(time.perf_counter() - start)
    return frames


def _drag_levels(application: QApplication, panel: FeatureMapsPanel) -> list[float]:
    """Seconds between the mosaics painted while an end of the colour bar is dragged as a mouse reports it."""
    painted: list[float] = []
    positions = iter(range(DRAGS))
    loop, mouse = QEventLoop(), QTimer()

    def drag() -> None:
        index = next(positions, None)
        if index is None:
            loop.quit()
        else:
            panel.choices.take_levels(Limits(-3 + index / DRAGS, 3 - index / DRAGS))

    class Watch(QObject):
        def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Paint and panel.mosaic_map.painting is not self.last:
                self.last = panel.mosaic_map.painting
                painted.append(time.perf_counter())
            return False

    watch = Watch()
    watch.last = panel.mosaic_map.painting
    application.installEventFilter(watch)
    mouse.timeout.connect(drag)
    mouse.start(MOUSE_MS)
    loop.exec()
    application.removeEventFilter(watch)
    return [after - before for before, after in pairwise(painted)]


if __name__ == "__main__":
    main()
