"""The feature-map panel with two networks: A, B, their difference and the curtain shown, and the line moved."""

import time
from functools import partial

import numpy as np
from PySide6.QtWidgets import QApplication

from convnext_studio.model.presets import PRESETS
from convnext_studio.render import load_colour_maps
from convnext_studio.ui.panels.feature_maps.feature_maps_panel import FeatureMapsPanel
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.selection.two_answers import SHOWN
from tests.benchmarks.programs.mosaic import LONGEST_S, noise_maps
from tests.benchmarks.programs.noise_engine import NoiseEngine
from tests.benchmarks.timing import report
from tests.ui.desk import model, picture

NODE = "stage3.block9"  # 384 channels of 14 × 14.
ROUNDS, MOVES = 12, 60


def main() -> None:
    """Report the seconds of each switch, and of each move of the curtain's line."""
    application = QApplication([])
    application.setStyle("Fusion")
    load_colour_maps()
    state = AppState()
    state.set_node(NODE)
    config = PRESETS["convnext_tiny"].config
    state.set_model(model(config, 224))
    state.second.set_model(model(config, 224))
    state.opened.add(picture())
    panel = FeatureMapsPanel(state, EngineBridge(NoiseEngine(partial(noise_maps, state))))
    panel.resize(1600, 1000)
    panel.show()
    _settle(application, panel)
    choice, first, switches = state.second.choice, [], []
    for index in range(ROUNDS):
        for shown in SHOWN:
            start = time.perf_counter()
            choice.choose(shown)
            _settle(application, panel)
            (switches if index else first).append(time.perf_counter() - start)
    moves = []
    for share in np.linspace(0.1, 0.9, MOVES):
        start = time.perf_counter()
        choice.move_curtain(float(share))
        _settle(application, panel)
        moves.append(time.perf_counter() - start)
    panel.close()
    report(first=first, switches=switches, moves=moves)


def _settle(application: QApplication, panel: FeatureMapsPanel) -> None:
    """Process events until the panel shows what it is to show."""
    start = time.perf_counter()
    application.processEvents()
    while not panel.is_settled or panel.mosaic_map.view.is_dimmed:
        application.processEvents()
        if time.perf_counter() - start > LONGEST_S:
            raise TimeoutError("nothing was shown")


if __name__ == "__main__":
    main()
