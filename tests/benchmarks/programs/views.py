"""A mosaic of 768 channels in one view alone: shown, moved, zoomed, and coloured between other levels."""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication

from convnext_studio.render import Limits, Mosaic, assemble, load_colour_maps
from convnext_studio.ui.plots.scene import Bitmap, Layer, Mark, Scene
from tests.benchmarks.timing import report

CHANNELS, SIDE = 768, 27
SHOWN, FRAMES, LEVELS = 20, 120, 30
_REDUCED_PX = 200


def main() -> None:
    """Report the seconds of each frame."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=("new", "old"), default="new")
    parser.add_argument("--size", type=int, nargs=2, default=(1920, 1080))
    arguments = parser.parse_args()
    application = QApplication([])
    application.setStyle("Fusion")
    load_colour_maps()
    view = _view(arguments.kind)
    width, height = arguments.size
    view.resize(width, height)
    view.show()
    maps = np.random.default_rng(0).normal(size=(CHANNELS, SIDE, SIDE)).astype(np.float32)
    mosaic = Mosaic.fitting(maps.shape, width / height)
    scenes = [_scene(maps + step, mosaic, Limits(-4, 4)) for step in range(2)]
    view.set_scene(scenes[0])
    application.processEvents()
    view.repaint()

    def frame(change: Callable[[], object]) -> float:
        start = time.perf_counter()
        change()
        application.processEvents()
        return time.perf_counter() - start

    shown = [frame(lambda index=index: view.set_scene(scenes[index % 2])) for index in range(SHOWN)]
    zoomed = [
        frame(
            lambda index=index: view.zoom(
                1.06 if index < FRAMES / 2 else 1 / 1.06, QPointF(width / 5 + 2 * index, height / 3)
            )
        )
        for index in range(FRAMES)
    ]
    view.fit()
    view.zoom(2.0)
    x, y = view.centre
    panned = [
        frame(lambda index=index: view.look(x + 3 * (index % 40), y + 2 * (index % 40), view.scale))
        for index in range(FRAMES)
    ]
    view.fit()
    levels = [
        frame(lambda index=index: view.set_scene(_scene(maps, mosaic, Limits(-4 + index / 20, 4 - index / 20))))
        for index in range(LEVELS)
    ]
    report(shown=shown, zoomed=zoomed, panned=panned, levels=levels)
    view.close()


def _view(kind: str) -> Any:
    if kind == "old":
        from tests.benchmarks.hand_painted_view import ImageView as Old

        return Old()
    from convnext_studio.ui.plots.image_view import ImageView

    return ImageView()


def _scene(maps: np.ndarray, mosaic: Mosaic, limits: Limits) -> Scene:
    layer_px = tuple(float(side) for side in mosaic.size_px)
    bitmap = Bitmap(assemble(maps, mosaic, limits, "vik")).reduce(_REDUCED_PX)
    mark = Mark(mosaic.tile_box(100), colour="#60a5fa")
    return Scene(size=layer_px, layers=(Layer(bitmap, (0.0, 0.0, *layer_px)),), marks=(mark,))


if __name__ == "__main__":
    main()
