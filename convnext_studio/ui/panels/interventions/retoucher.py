"""Changes the picture that a view shows: strokes, rectangles and clicks become changes of the picture."""

import numpy as np
from msgspec import structs
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent

from convnext_studio.common.geometry import Box
from convnext_studio.common.retouches import Cells, Retouch, Stroke
from convnext_studio.model.framing import picture_of
from convnext_studio.protocol.envelope import Payload
from convnext_studio.protocol.interventions import FindSuperpixels, Superpixels
from convnext_studio.protocol.pictures import ImageInfo, ShowPicture
from convnext_studio.protocol.similarity import FindParts, Parts
from convnext_studio.render.positions import seen_map
from convnext_studio.ui.panels.interventions.photographs import Photographs
from convnext_studio.ui.panels.interventions.retouch_bar import RetouchBar
from convnext_studio.ui.plots.image_view import ImageView, asks_for_escape
from convnext_studio.ui.plots.map_texts import picture_layer
from convnext_studio.ui.plots.scene import Layer, Lines
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets import theme

_PANEL = "retouch"
_CORNERS = 48
_LEAST_STEP = 0.15  # Of the brush's width: nearer points add nothing to a stroke.
_WIDTH_KEYS = {Qt.Key.Key_BracketLeft: -2, Qt.Key.Key_BracketRight: 2}
_STEPS = {Qt.Key.Key_Left: (-1, 0), Qt.Key.Key_Right: (1, 0), Qt.Key.Key_Up: (0, -1), Qt.Key.Key_Down: (0, 1)}
_UNDO = Qt.KeyboardModifier.ControlModifier
_REDO = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier


class Retoucher(QObject):
    """Turns what is done on a view into changes of the picture, while the bar of its controls is shown.

    Parameters
    ----------
    view
        Shows the picture in its own coordinates; its events are watched.
    bar
        The controls.
    """

    changed = Signal()  # The layers or the lines are others.
    toggled = Signal(bool)

    def __init__(self, state: AppState, bridge: EngineBridge, view: ImageView, bar: RetouchBar) -> None:
        super().__init__(view)
        self._state = state
        self._bridge = bridge
        self._view = view
        self._bar = bar
        self._photographs = Photographs(state)
        self._pointer: tuple[float, float] | None = None
        self._start: tuple[float, float] | None = None
        self._is_stretching = False
        self._regions: tuple[NDArray[np.int32], Box] | None = None
        self._region_query = Query(bridge, self._take_regions, self._state.hovered.emit, parent=self)
        self._paste_query = Query(bridge, self._take_pasted, self._state.hovered.emit, parent=self)
        view.installEventFilter(self)
        view.hovered.connect(self._hover)
        view.hover_left.connect(self._leave)
        view.brushed.connect(self._brush)
        view.brush_lifted.connect(self._lift)
        bar.tool_changed.connect(self._follow_tool)
        bar.undo_asked.connect(state.interventions.undo)
        bar.redo_asked.connect(state.interventions.redo)
        bar.clear_asked.connect(self._clear)
        bar.closed.connect(lambda: self.activate(False))
        bar.width_slider.valueChanged.connect(lambda _value: self.changed.emit())
        state.interventions.changed.connect(lambda _chain: self.changed.emit())
        state.picture_selected.connect(self._follow_picture)
        state.node_selected.connect(self._follow_tool)

    # ----------------------------------------------------------------------------------------- on and off

    @property
    def is_active(self) -> bool:
        """Whether the mouse changes the picture."""
        return not self._bar.isHidden()

    def activate(self, on: bool) -> None:
        """Begin or stop changing the picture."""
        if on == self.is_active or (on and self._state.picture is None):
            return
        self._state.interventions.release()
        self._bar.setVisible(on)
        self._view.set_brush(on)
        self._pointer = None
        self._follow_tool()
        if on:
            self._view.setFocus(Qt.FocusReason.OtherFocusReason)
        self.toggled.emit(on)
        self.changed.emit()

    def _follow_picture(self, picture: ImageInfo | None) -> None:
        self._state.interventions.release()
        self._start = self._regions = None
        self._region_query.drop()  # The question about parts is the same for every picture.
        if picture is None:
            self.activate(False)
        self._follow_tool()

    def _follow_tool(self, _changed: object = None) -> None:
        """Ask for what the chosen tool needs: the parts that can be clicked, or the picture to paste from."""
        picture, model, bar = self._state.picture, self._state.model, self._bar
        if not self.is_active or picture is None or model is None:
            self._region_query.drop()
            return
        if bar.shown_tool == "superpixel":
            self._ask_regions(FindSuperpixels(panel=_PANEL, image=picture.key))
        elif bar.shown_tool == "part":
            node = model.node(self._state.node)
            if node.has_positions:
                images = tuple(each.key for each in self._state.opened.images)
                self._ask_regions(FindParts(panel=_PANEL, images=images, node=node.name))
        if bar.fill_kind == "paste" and bar.pasted and self._state.opened.preview(bar.pasted) is None:
            self._paste_query.ask_again(ShowPicture(panel=_PANEL, image=bar.pasted))

    def _ask_regions(self, request: FindSuperpixels | FindParts) -> None:
        if self._region_query.is_news(request, of=self._state.model):
            self._regions = None
            self._region_query.ask(request, of=self._state.model)

    def _take_regions(self, answer: Payload) -> None:
        picture = self._state.picture
        if isinstance(answer, Superpixels):
            self._regions = answer.labels, answer.geometry.crop_box
        elif isinstance(answer, Parts) and picture is not None:
            own = next((each for each in answer.pictures if each.image == picture.key), None)
            if own is not None:
                self._regions = seen_map(own.labels, answer.field, own.geometry)

    def _take_pasted(self, answer: Payload) -> None:
        if isinstance(answer, ImageInfo):
            self._state.opened.add(answer, select=False)
            self.changed.emit()

    # -------------------------------------------------------------------------------------- what is shown

    @property
    def retouches(self) -> tuple[Retouch, ...]:
        """The changes of the current picture."""
        picture = self._state.picture
        return () if picture is None else self._state.interventions.recipe.of_picture(picture_of(picture.key))

    def layers(self, original: Layer) -> list[Layer]:
        """Return the layers of the photograph: as it was, as it is changed, or both beside a line."""
        picture, second = self._state.picture, self._state.second
        if picture is None or not self._photographs.applied(picture):
            return [original]
        changed = picture_layer(self._photographs.changed(picture))
        if second.shown == "curtain":
            width, height = float(picture.size[0]), float(picture.size[1])
            line = second.choice.curtain * width
            left, right = (0.0, 0.0, line, height), (line, 0.0, width - line, height)
            return [replace(original, clip=left), replace(changed, clip=right)]
        # Who holds the brush looks at what it does, also before the engine has answered for the first time.
        is_shown = second.shown == "second" or self._state.interventions.is_held or second.model is None
        return [changed if is_shown else original]

    @property
    def has_curtain(self) -> bool:
        """Whether the photograph is shown on both sides of a line."""
        picture = self._state.picture
        is_changed = picture is not None and bool(self._photographs.applied(picture))
        return is_changed and self._state.second.shown == "curtain"

    @property
    def lines(self) -> tuple[Lines, ...]:
        """The outline of the brush under the pointer, or of the part that a click would choose."""
        picture, pointer = self._state.picture, self._pointer
        if not self.is_active or picture is None or pointer is None:
            return ()
        if self._bar.shown_tool == "brush":
            radius = self._bar.diameter_px(picture.size) / 2
            angles = np.linspace(0, 2 * np.pi, _CORNERS + 1)
            corners = np.stack((pointer[0] + radius * np.cos(angles), pointer[1] + radius * np.sin(angles)), 1)
            return (Lines(np.stack((corners[:-1], corners[1:]), 1), theme.DARK.accent),)
        cells = self._cells_at(*pointer) if self._bar.shown_tool in ("superpixel", "part") else None
        return () if cells is None else (Lines(_outline(cells), theme.DARK.accent),)

    # ------------------------------------------------------------------------------------------ the mouse

    def _hover(self, x: float, y: float) -> None:
        if self.is_active:
            self._move_pointer((x, y))

    def _leave(self) -> None:
        if self.is_active and self._start is None:
            self._move_pointer(None)

    def _move_pointer(self, pointer: tuple[float, float] | None) -> None:
        self._pointer = pointer
        self.changed.emit()

    def _brush(self, x: float, y: float, begins: bool) -> None:
        if not self.is_active or self._state.picture is None:
            return
        self._pointer = (x, y)
        if begins:
            self._begin(x, y)
        elif self._start is not None and self._bar.shown_tool == "brush":
            self._go_on(x, y)
        elif self._start is not None and self._bar.shown_tool == "rectangle":
            self._stretch(x, y)

    def _begin(self, x: float, y: float) -> None:
        picture = self._state.picture
        if picture is None or (self._bar.fill_kind == "paste" and not self._bar.pasted):
            return
        self._start = (x, y)
        self._state.interventions.hold()
        erases = bool(held_modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if self._bar.shown_tool == "brush":
            diameter = self._bar.diameter_px(picture.size)
            self._add_stroke(Stroke(points=((x, y),), diameter=diameter, erases=erases))
        elif self._bar.shown_tool in ("superpixel", "part"):
            cells = self._cells_at(x, y)
            if cells is not None:
                self._put((*self.retouches, structs.replace(self._blank(), cells=cells)))

    def _add_stroke(self, stroke: Stroke) -> None:
        """Add a stroke to the last change if it is one of the same kind, otherwise as a new change."""
        made = self.retouches
        if stroke.erases:
            self._put(tuple(structs.replace(each, strokes=(*each.strokes, stroke)) for each in made))
            return
        blank = self._blank()
        last = made[-1] if made else None
        if last is not None and structs.replace(last, strokes=()) == blank:
            self._put((*made[:-1], structs.replace(last, strokes=(*last.strokes, stroke))))
        else:
            self._put((*made, structs.replace(blank, strokes=(stroke,))))

    def _go_on(self, x: float, y: float) -> None:
        """Draw the last stroke on to a point; where it erases, that of all changes."""
        made = self.retouches
        if not made or not made[-1].strokes:
            return
        stroke = made[-1].strokes[-1]
        last_x, last_y = stroke.points[-1]
        if (x - last_x) ** 2 + (y - last_y) ** 2 < (_LEAST_STEP * stroke.diameter) ** 2:
            self.changed.emit()
            return
        longer = structs.replace(stroke, points=(*stroke.points, (x, y)))
        grown = made if stroke.erases else made[-1:]
        kept = () if stroke.erases else made[:-1]
        self._put((*kept, *(structs.replace(each, strokes=(*each.strokes[:-1], longer)) for each in grown)))

    def _stretch(self, x: float, y: float) -> None:
        """Let the rectangle reach from where the drag began to a point."""
        picture, start, made = self._state.picture, self._start, self.retouches
        if picture is None or start is None:
            return
        width, height = picture.size
        ends_x = sorted(min(max(each, 0.0), float(width)) for each in (start[0], x))
        ends_y = sorted(min(max(each, 0.0), float(height)) for each in (start[1], y))
        box = ends_x[0], ends_y[0], ends_x[1] - ends_x[0], ends_y[1] - ends_y[0]
        if min(box[2:]) < 1:
            return
        drawn = structs.replace(self._blank(), rectangle=box)
        is_drawing = bool(made) and made[-1].rectangle is not None and self._is_stretching
        self._is_stretching = True
        self._put((*(made[:-1] if is_drawing else made), drawn))

    def _lift(self) -> None:
        self._start, self._is_stretching = None, False
        self._state.interventions.release()
        self.changed.emit()

    def _blank(self) -> Retouch:
        """Return a change that fills nothing yet, as the controls say."""
        model, bar = self._state.model, self._bar
        colour = Retouch().colour if model is None else model.mean_colour
        pasted = bar.pasted if bar.fill_kind == "paste" else ""
        return Retouch(fill=bar.fill_kind, inverted=bar.inverted.isChecked(), picture=pasted, colour=colour)

    def _put(self, retouches: tuple[Retouch, ...]) -> None:
        picture = self._state.picture
        if picture is not None:
            self._state.interventions.retouch(picture_of(picture.key), retouches)

    def _clear(self) -> None:
        self._put(())

    def _cells_at(self, x: float, y: float) -> Cells | None:
        """Return the cells of the part at a point of the picture; None where there is none."""
        if self._regions is None:
            return None
        labels, box = self._regions
        rows, columns = labels.shape
        row, column = int((y - box[1]) / box[3] * rows), int((x - box[0]) / box[2] * columns)
        if not (0 <= row < rows and 0 <= column < columns) or labels[row, column] < 0:
            return None
        bits = np.packbits(labels == labels[row, column]).tobytes()
        return Cells(box=box, rows=rows, columns=columns, bits=bits)

    # ------------------------------------------------------------------------------------------- the keys

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        """Take the keys that move, widen, press and end the brush."""
        if not self.is_active or not isinstance(event, QKeyEvent):
            return False
        if event.type() == QEvent.Type.ShortcutOverride:
            if asks_for_escape(event) or _history_step(event):
                event.accept()
                return True
            return False
        return event.type() == QEvent.Type.KeyPress and self._take_key(event)

    def _take_key(self, event: QKeyEvent) -> bool:
        key, picture = Qt.Key(event.key()), self._state.picture
        step = _history_step(event)
        if step:
            (self._state.interventions.undo if step < 0 else self._state.interventions.redo)()
        elif key == Qt.Key.Key_Escape:
            self.activate(False)
        elif key in _WIDTH_KEYS:
            self._bar.width_slider.setValue(self._bar.width_slider.value() + _WIDTH_KEYS[key])
        elif key in _STEPS and picture is not None:
            x, y = self._pointer or (picture.size[0] / 2, picture.size[1] / 2)
            far = self._bar.diameter_px(picture.size) / 4
            across, down = _STEPS[key]
            self._move_pointer((x + across * far, y + down * far))
        elif key == Qt.Key.Key_Space and picture is not None:
            self._begin(*(self._pointer or (picture.size[0] / 2, picture.size[1] / 2)))
            self._lift()
        else:
            return False
        return True


def held_modifiers() -> Qt.KeyboardModifier:
    """Return the modifier keys that are held now."""
    return QGuiApplication.keyboardModifiers()


def _history_step(event: QKeyEvent) -> int:
    """Return -1 for the keys that undo, 1 for those that redo, and 0 for others."""
    if event.key() != Qt.Key.Key_Z:
        return 0
    return {_UNDO: -1, _REDO: 1}.get(event.modifiers(), 0)


def _outline(cells: Cells) -> NDArray[np.float64]:
    """Return the lines around the chosen cells of a grid, (lines, 2, 2)."""
    count = cells.rows * cells.columns
    chosen = np.unpackbits(np.frombuffer(cells.bits, np.uint8), count=count).astype(np.bool_)
    padded = np.pad(chosen.reshape(cells.rows, cells.columns), 1)
    left, top, width, height = cells.box
    across, down = width / cells.columns, height / cells.rows
    upright = np.argwhere(padded[1:-1, 1:] != padded[1:-1, :-1])
    level = np.argwhere(padded[1:, 1:-1] != padded[:-1, 1:-1])
    rows, columns = upright[:, 0], upright[:, 1]
    x, y = left + columns * across, top + rows * down
    first = np.stack((np.stack((x, y), 1), np.stack((x, y + down), 1)), 1)
    x, y = left + level[:, 1] * across, top + level[:, 0] * down
    second = np.stack((np.stack((x, y), 1), np.stack((x + across, y), 1)), 1)
    return np.concatenate((first, second)).astype(np.float64)
