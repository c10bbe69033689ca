"""Drawing what is measured on a view, and moving it with the mouse and the keys."""

import math
from typing import Literal

from msgspec import Struct
from PySide6.QtCore import QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPen, QPolygonF

from convnext_studio.ui.plots.canvas.projection import Projection
from convnext_studio.ui.plots.canvas.scene_items import HALO, HANDLE_PX, SceneItem, paint_label
from convnext_studio.ui.plots.measuring.measurements import TOOLS, Ends, Tool, box_of, described, distance_text
from convnext_studio.ui.plots.scene import Scene
from convnext_studio.ui.widgets import theme

_STEPS = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1)}
"""Steps across and down for each arrow key."""
Part = Literal["first", "second", "third", "fourth", "whole"]
"""What is held: an end or a corner, as listed by `_handles`, or the whole of it."""

_CONTROL, _SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
_NEAR_PX = 7.0
_FIRST_SHARE = 1 / 3
_CORNERS: dict[Part, tuple[int, int]] = {"first": (0, 1), "second": (2, 3), "third": (2, 1), "fourth": (0, 3)}
"""Which numbers of the ends are the x and the y of a handle."""


class Grip(Struct, frozen=True):
    """What the mouse holds: a part of a measurement, as it was when it was pressed, and where."""

    tool: Tool
    part: Part
    ends: Ends
    point: tuple[float, float]


class MeasureTools(QObject):
    """The region, the profile line and the distance of one view, in the order in which they were added."""

    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._ends: dict[Tool, Ends] = {}
        self._scene: Scene | None = None
        self._grip: Grip | None = None

    @property
    def ends(self) -> dict[Tool, Ends]:
        """What is measured, by the tool."""
        return dict(self._ends)

    @property
    def is_held(self) -> bool:
        """Whether the mouse holds a measurement."""
        return self._grip is not None

    @property
    def sentence(self) -> str:
        """What was measured, for the status bar; empty if there is nothing."""
        if self._scene is None:
            return ""
        latest_first = reversed(self._ends.items())
        return " | ".join(described(tool, ends, self._scene) for tool, ends in latest_first)

    def put(self, ends: dict[Tool, Ends]) -> None:
        """Measure this, as saved in a session."""
        self._set(ends)

    def show_scene(self, scene: Scene | None) -> None:
        """Measure on another scene, and drop what does not lie on it."""
        is_new = scene is not self._scene
        self._scene = scene
        if is_new and self._ends and scene is not None:
            kept = {tool: ends for tool, ends in self._ends.items() if _is_on(scene, ends)}
            self._ends = kept
            self.changed.emit()

    def toggle(self, tool: Tool, shown: QRectF) -> None:
        """Begin to measure in the middle of the part that is shown, or end it."""
        if tool in self._ends:
            self._set({each: ends for each, ends in self._ends.items() if each != tool})
        elif self._scene is not None:
            self._set({**self._ends, tool: _first_ends(tool, self._scene, shown)})

    def undo(self) -> bool:
        """Put back what the mouse moves, or else remove what was added last; return whether there was any."""
        if self._grip is not None:
            grip, self._grip = self._grip, None
            self._set({**self._ends, grip.tool: grip.ends})
            return True
        if not self._ends:
            return False
        self._set(dict(list(self._ends.items())[:-1]))
        return True

    def clear(self) -> None:
        """Remove all measurements."""
        self._set({})

    # ---------------------------------------------------------------------------------------- mouse and keys

    def part_at(self, place: QPointF, projection: Projection) -> tuple[Tool, Part] | None:
        """Return what is at a place of the view; handles before lines, the last one added first."""
        for tool, ends in reversed(self._ends.items()):
            for part, handle in _handles(tool, ends, projection):
                if (handle - place).manhattanLength() <= 2 * _NEAR_PX and _distance(handle, place) <= _NEAR_PX:
                    return tool, part
        for tool, ends in reversed(self._ends.items()):
            if _is_near(tool, ends, place, projection):
                return tool, "whole"
        return None

    def grip(self, place: QPointF, projection: Projection) -> bool:
        """Hold what is at a place of the view; return whether there is anything."""
        found = self.part_at(place, projection)
        self._grip = None
        if found is not None:
            self._grip = Grip(*found, self._ends[found[0]], projection.to_scene(place))
        return found is not None

    def drag(self, place: QPointF, projection: Projection) -> None:
        """Move what is held to a place of the view."""
        if self._grip is not None:
            x, y = projection.to_scene(place)
            dx, dy = x - self._grip.point[0], y - self._grip.point[1]
            self._move(self._grip.tool, self._grip.ends, self._grip.part, dx, dy)

    def release(self) -> None:
        """Hold nothing any more."""
        self._grip = None

    def wants_key(self, event: QKeyEvent) -> bool:
        """Return whether a key moves or undoes what is measured."""
        is_step = Qt.Key(event.key()) in _STEPS and _modifiers(event) in (_CONTROL, _CONTROL | _SHIFT)
        return bool(self._ends) and (is_step or (event.key() == Qt.Key.Key_Escape and not _modifiers(event)))

    def take_key(self, event: QKeyEvent, scale: float) -> bool:
        """Move what was added last with Ctrl and the arrows, its end with Shift, too; Escape undoes.

        Return whether the key meant this; `scale` is the number of logical pixels per scene pixel.
        """
        if not self.wants_key(event):
            return False
        if event.key() == Qt.Key.Key_Escape:
            return self.undo()
        across, down = _STEPS[Qt.Key(event.key())]
        part: Part = "second" if _modifiers(event) & _SHIFT else "whole"
        return self.step(across, down, part, max(1.0, round(1 / scale)))

    def step(self, across: int, down: int, part: Part, px: float) -> bool:
        """Move the measurement that was added last by the keys; return whether there is one."""
        if not self._ends:
            return False
        tool, ends = list(self._ends.items())[-1]
        self._move(tool, ends, part, across * px, down * px)
        return True

    def _move(self, tool: Tool, before: Ends, part: Part, dx: float, dy: float) -> None:
        scene = self._scene
        if scene is None:
            return
        if part == "whole":
            left, top, width, height = box_of(before)
            dx = min(max(dx, -left), scene.size[0] - left - width)
            dy = min(max(dy, -top), scene.size[1] - top - height)
        moved = list(before)
        for x, y in _CORNERS.values() if part == "whole" else (_CORNERS[part],):
            if part != "whole" or (x, y) in ((0, 1), (2, 3)):
                moved[x] = min(max(before[x] + dx, 0.0), scene.size[0])
                moved[y] = min(max(before[y] + dy, 0.0), scene.size[1])
        self._set({**self._ends, tool: _snapped(tool, (moved[0], moved[1], moved[2], moved[3]))})

    def _set(self, ends: dict[Tool, Ends]) -> None:
        if ends != self._ends:
            self._ends = ends
            self.changed.emit()


def _modifiers(event: QKeyEvent) -> Qt.KeyboardModifier:
    """Return the modifiers of a key, wherever on the keyboard it is."""
    return event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier


def _is_on(scene: Scene, ends: Ends) -> bool:
    width, height = scene.size
    return all(0 <= x <= width for x in ends[::2]) and all(0 <= y <= height for y in ends[1::2])


def _first_ends(tool: Tool, scene: Scene, shown: QRectF) -> Ends:
    """Return ends in the middle of what is shown of the scene: a third of it, along its width, or across."""
    seen = shown.intersected(QRectF(0, 0, *scene.size))
    if seen.isEmpty():
        seen = QRectF(0, 0, *scene.size)
    width, height = seen.width() * _FIRST_SHARE, seen.height() * _FIRST_SHARE
    middle = seen.center()
    if tool == "region":
        left, top = middle.x() - width / 2, middle.y() - height / 2
        return _snapped(tool, (left, top, left + width, top + height))
    rise = 0.0 if tool == "profile" else height / 2
    return middle.x() - width / 2, middle.y() + rise, middle.x() + width / 2, middle.y() - rise


def _snapped(tool: Tool, ends: Ends) -> Ends:
    """Return a region with its corners between pixels, at least one pixel large; lines stay as they are."""
    if tool != "region":
        return ends
    x0, y0, x1, y1 = (float(round(number)) for number in ends)
    return x0, y0, x1 if x1 != x0 else x0 + 1, y1 if y1 != y0 else y0 + 1


def _handles(tool: Tool, ends: Ends, projection: Projection) -> list[tuple[Part, QPointF]]:
    parts: tuple[Part, ...] = (
        ("first", "second", "third", "fourth") if tool == "region" else ("first", "second")
    )
    return [(part, projection.point(ends[_CORNERS[part][0]], ends[_CORNERS[part][1]])) for part in parts]


def _is_near(tool: Tool, ends: Ends, place: QPointF, projection: Projection) -> bool:
    if tool == "region":
        return projection.box(box_of(ends)).contains(place)
    first, second = projection.point(*ends[:2]), projection.point(*ends[2:])
    line = second - first
    length = QPointF.dotProduct(line, line)
    along = 0.0 if length == 0 else QPointF.dotProduct(place - first, line) / length
    return _distance(first + line * min(max(along, 0.0), 1.0), place) <= _NEAR_PX


def _distance(first: QPointF, second: QPointF) -> float:
    return math.hypot(first.x() - second.x(), first.y() - second.y())


class MeasuresItem(SceneItem):
    """The frame of a region, and the lines of a profile and a distance, with their handles."""

    def __init__(self) -> None:
        super().__init__()
        self._ends: dict[Tool, Ends] = {}

    def measure(self, ends: dict[Tool, Ends]) -> None:
        """Draw these from now on."""
        self._ends = ends
        self.setVisible(bool(ends) and self._scene is not None)
        self.update()

    def has_contents(self, _scene: Scene) -> bool:
        """Return whether anything is measured."""
        return bool(self._ends)

    def draw(self, painter: QPainter, scene: Scene, projection: Projection) -> None:
        """Paint what is measured, with a halo that any map lets see."""
        for tool in TOOLS:
            if tool in self._ends:
                _paint_measure(painter, tool, self._ends[tool], scene, projection)


def _paint_measure(painter: QPainter, tool: Tool, ends: Ends, scene: Scene, projection: Projection) -> None:
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, tool != "region")
    colour = QColor(theme.DARK.warning)
    first, second = projection.point(*ends[:2]), projection.point(*ends[2:])
    for pen in (QPen(HALO, 4), QPen(colour, 2)):
        if tool == "distance" and pen.color() == colour:
            pen.setDashPattern([4, 3])
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if tool == "region":
            painter.drawRect(projection.box(box_of(ends)))
        else:
            painter.drawLine(first, second)
    painter.setPen(QPen(HALO, 1))
    painter.setBrush(colour)
    for _part, handle in _handles(tool, ends, projection):
        painter.drawRect(QRectF(handle.x() - HANDLE_PX, handle.y() - HANDLE_PX, 2 * HANDLE_PX, 2 * HANDLE_PX))
    if tool == "profile":
        painter.drawPolygon(_arrow(first, second))
    painter.restore()
    if tool == "distance":
        text = distance_text(ends, scene)
        middle = (first + second) / 2
        left = middle.x() - projection.text_px(text) / 2
        paint_label(painter, projection, text, QPointF(left, middle.y() + _NEAR_PX), colour)


def _arrow(first: QPointF, second: QPointF) -> QPolygonF:
    """Return an arrow in the middle of a line, which tells in what direction the profile runs."""
    length = _distance(first, second)
    if length < 6 * HANDLE_PX:
        return QPolygonF()
    along = (second - first) / length * 2 * HANDLE_PX
    across = QPointF(-along.y(), along.x()) / 2
    tip = (first + second) / 2 + along
    return QPolygonF([tip, tip - along * 2 + across, tip - along * 2 - across])
