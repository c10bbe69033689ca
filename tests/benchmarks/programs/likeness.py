"""The similarity panel with 12 pictures at stage 2 of ConvNeXt-T, 192 channels of 28 × 28: a pointer moves."""

import time
from collections.abc import Iterator
from functools import partial

import numpy as np
from PySide6.QtWidgets import QApplication

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.presets import PRESETS
from convnext_studio.protocol.envelope import Done, Message, Progress, Request
from convnext_studio.protocol.similarity import PlacedMaps, PositionVectors, PositionVectorsResult
from convnext_studio.render import load_colour_maps
from convnext_studio.ui.panels.similarity.similarity_panel import SimilarityPanel
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from tests.benchmarks.programs.noise_engine import NoiseEngine
from tests.benchmarks.timing import report
from tests.ui.desk import model, picture

PICTURES, MOVES = 12, 200
SIZE = (640, 480)
CROP = CropGeometry(picture_size=SIZE, resized_size=(299, 224), crop_origin=(37, 0), input_size=(224, 224))


def _noise(state: AppState, number: int, request: Request) -> Iterator[Message]:
    """Answer questions about vectors."""
    if isinstance(request, PositionVectors) and state.model is not None:
        node = state.model.node(request.node)
        random = np.random.default_rng(0)
        vectors = tuple(
            PlacedMaps(image=image, maps=random.normal(size=node.shape).astype(np.float32), geometry=CROP)
            for image in request.images
        )
        partial_result = PositionVectorsResult(node=node.name, vectors=vectors, field=node.field)
        last = PositionVectorsResult(node=node.name, vectors=(), field=node.field)
        yield Progress(id=number, done=1, total=1, text="", partial=partial_result)
        yield Done(id=number, payload=last, seconds=0.0)


def main() -> None:
    """Report the seconds of each movement."""
    application = QApplication([])
    application.setStyle("Fusion")
    load_colour_maps()
    state = AppState()
    state.set_node("stage2")
    state.set_model(model(PRESETS["convnext_tiny"].config, 224))
    for index in range(PICTURES):
        state.opened.add(picture(f"picture {index}", SIZE), select=False)
    state.opened.select("picture 0")
    panel = SimilarityPanel(state, EngineBridge(NoiseEngine(partial(_noise, state))))
    panel.resize(1600, 1000)
    panel.show()
    panel.switch.choose("likeness")
    deadline = time.perf_counter() + 30
    while panel.map.view.scene is None and time.perf_counter() < deadline:
        application.processEvents()
    frames = []
    for index in range(MOVES):
        x, y = 150 + index % 20 * 17, 60 + index // 20 * 35
        start = time.perf_counter()
        panel.map.view.hovered.emit(float(x), float(y))
        application.processEvents()
        frames.append(time.perf_counter() - start)
    assert panel.gallery.overlay("picture 3") is not None
    panel.close()
    report(frames=frames)


if __name__ == "__main__":
    main()
