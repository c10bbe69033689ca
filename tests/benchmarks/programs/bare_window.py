"""A bare window of the same libraries: one picture in pyqtgraph, reported when it is painted."""

import numpy as np
import pyqtgraph as pg
from PIL import Image
from PySide6.QtWidgets import QApplication, QMainWindow

from convnext_studio.common.samples import sample_path
from tests.benchmarks.programs.watching import Painted, report_and_end


def main() -> None:
    """Show the window until it is painted."""
    application = QApplication([])
    window = QMainWindow()
    view = pg.GraphicsLayoutWidget()
    picture = np.asarray(Image.open(sample_path("cat")))
    box = view.addViewBox(lockAspect=True, invertY=True)
    box.addItem(pg.ImageItem(picture, axisOrder="row-major"))
    window.setCentralWidget(view)
    window.resize(1760, 1040)
    Painted(window, lambda: report_and_end(window))
    window.show()
    application.exec()


if __name__ == "__main__":
    main()
