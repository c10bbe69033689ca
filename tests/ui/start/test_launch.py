"""Garbage is collected between events: a collection while Qt paints deletes what is being painted."""

import subprocess
import sys

_GARBAGE_IN_A_SCENE = """
import gc
import time
import weakref

from PySide6.QtCore import QEventLoop, QRectF
from PySide6.QtWidgets import QGraphicsItem, QGraphicsScene, QGraphicsView

from convnext_studio.ui.start.launch import start_application

application = start_application()
assert not gc.isenabled()
seen = []

class Busy(QGraphicsItem):
    def boundingRect(self):
        return QRectF(0, 0, 10, 10)

    def paint(self, painter, option, widget=None):
        made = [[] for _ in range(100_000)]  # Enough for a collection, if there were an automatic one.
        seen.append(garbage() is not None)

class Knot(QGraphicsItem):
    def __init__(self, parent):
        super().__init__(parent)
        self.itself = self

    boundingRect = Busy.boundingRect

    def paint(self, painter, option, widget=None):
        pass

scene = QGraphicsScene()
view = QGraphicsView(scene)
scene.addItem(Busy())
garbage = weakref.ref(Knot(None))
view.resize(100, 100)
view.show()
view.repaint()
application.processEvents()
assert seen and all(seen), seen
end = time.monotonic() + 60
while garbage() is not None and time.monotonic() < end:
    application.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
assert garbage() is None
print("lives on")
"""


def test_garbage_is_collected_between_events_and_not_while_painting() -> None:
    command = [sys.executable, "-c", _GARBAGE_IN_A_SCENE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (0, "lives on\n"), done.stderr
