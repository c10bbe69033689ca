"""Show how one value of the network was made, and go back from it to the values before, up to the pixels."""

from msgspec.structs import replace
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QPushButton, QWidget

from convnext_studio.common.value_terms import LOGITS, PROBABILITIES, ValuePlace
from convnext_studio.export.export_contents import label_of
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.value_sums import ExplainedValue, ExplainMapValue, ExplainValue, MapValue
from convnext_studio.ui.panels.base import Panel, PanelQuery
from convnext_studio.ui.plots.ink import Ink, InkCanvas
from convnext_studio.ui.plots.map_texts import point_text
from convnext_studio.ui.plots.values.value_painting import ValuePainting, operand_name
from convnext_studio.ui.plots.values.value_texts import formula_text, map_value_text, place_text, step_words
from convnext_studio.ui.state.app_state import NO_MODEL, NOTHING_OPEN, AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.elided_label import ElidedLabel

ASK = (
    "Alt+click a value of a map or a prediction to see the sum that made it, "
    "or press Ctrl+H for the selected unit."
)
KEYS = "The arrow keys choose a term, Enter goes to how it was made, and Backspace goes back."
_MARGIN_PX = 6
_ROWS_PER_NOTCH = 3
_NOTCH = 120
_SMALL = 0.92
"""Size of the smaller text relative to the panel's; in the lecture, the text is much larger."""


Place = ValuePlace | MapValue
"""The place of a value of the network, or of an attribution map."""


class Journey:
    """The values that were looked at, as pages in a browser: one can go back, and forward again."""

    def __init__(self) -> None:
        self._places: list[Place] = []
        self._at = -1

    @property
    def place(self) -> Place | None:
        """The value that is looked at, or None."""
        return self._places[self._at] if self._places else None

    @property
    def can_go_back(self) -> bool:
        """Whether a value was looked at before this one."""
        return self._at > 0

    @property
    def can_go_forward(self) -> bool:
        """Whether one went back from another value."""
        return self._at + 1 < len(self._places)

    def go(self, place: Place) -> None:
        """Look at another value; those that one went back from are forgotten."""
        if place != self.place:
            self._places = [*self._places[: self._at + 1], place]
            self._at += 1

    def step(self, by: int) -> None:
        """Go back or forward, as far as possible."""
        self._at = min(max(self._at + by, 0), len(self._places) - 1)


class ValueCanvas(InkCanvas):
    """A canvas whose wheel scrolls, and whose side buttons go back and forward."""

    scrolled = Signal(int)  # rows downwards
    stepped = Signal(int)  # -1 for back, 1 for forward

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll the list of terms."""
        self.scrolled.emit(round(-event.angleDelta().y() / _NOTCH * _ROWS_PER_NOTCH))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go back and forward with the side buttons, otherwise click."""
        if event.button() in (Qt.MouseButton.BackButton, Qt.MouseButton.ForwardButton):
            self.stepped.emit(-1 if event.button() == Qt.MouseButton.BackButton else 1)
        elif event.button() == Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)


class NumberPanel(Panel):
    """A panel with the sum that made a value; a click on one of its numbers goes to how that one was made."""

    title = "How a number is made"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.journey = Journey()
        self._painting: ValuePainting | None = None
        self.query = PanelQuery(self, self.question, self._show, self._dim)
        self._add_controls()
        self.canvas = ValueCanvas(self._paint, "How the value is made")
        self.canvas.setAccessibleDescription(KEYS)
        self.canvas.small_share = _SMALL
        self.canvas.takes_keys = True
        self.canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.canvas.setMouseTracking(True)
        self.canvas.clicked.connect(self._click)
        self.canvas.pointed.connect(self._point)
        self.canvas.key_pressed.connect(self._press)
        self.canvas.scrolled.connect(self._scroll)
        self.canvas.stepped.connect(self.step)
        self.set_body(self.canvas)
        state.value_asked.connect(self.go)
        state.model_loaded.connect(self._follow)
        state.picture_selected.connect(self._follow)
        if state.asked_value is not None:
            self.go(state.asked_value)
        self.query.refresh()

    def _add_controls(self) -> None:
        self.back = QPushButton("Back")
        self.back.setToolTip("Go back to the value before (Backspace)")
        self.back.clicked.connect(lambda: self.step(-1))
        self.forward = QPushButton("Forward")
        self.forward.setToolTip("Go forward again to the value that you came from (Shift+Backspace)")
        self.forward.clicked.connect(lambda: self.step(1))
        self.copy = QPushButton("Copy")
        self.copy.setToolTip("Copy the sum as text, with all its terms")
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.text()))
        self.place = ElidedLabel()
        self.place.setAccessibleName("The value that is explained")
        for button in (self.back, self.forward):
            self.controls.add(button, kept=True)
        self.controls.add(self.place, 1, kept=True)
        self.controls.add(self.copy)
        self._show_place()

    # ------------------------------------------------------------------------------------------ travelling

    def go(self, place: Place) -> None:
        """Show how a value was made, and select it in all other panels."""
        self.journey.go(place)
        self._follow_journey()

    def step(self, by: int) -> None:
        """Go back (-1) or forward (1)."""
        self.journey.step(by)
        self._follow_journey()

    def _follow_journey(self) -> None:
        place, model = self.journey.place, self.state.model
        if isinstance(place, ValuePlace) and model is not None:
            self._select(place, model)
        self._show_place()
        self.query.refresh()

    def _select(self, place: ValuePlace, model: ModelInfo) -> None:
        """Select node, channel and unit of a value, if it is that of a node."""
        node = next((node for node in model.nodes if node.name == place.step), None)
        if node is None:
            return
        self.state.set_node(node.name)
        self.state.set_channel(place.channel)
        if node.has_positions:
            self.state.set_unit(place.y, place.x)

    def _follow(self, _changed: object = None) -> None:
        self._show_place()
        self.query.refresh()

    # ------------------------------------------------------------------------------------------- the engine

    def question(self) -> Request | str:
        """Return the request for the value on the selected picture, or why there is none."""
        if self.journey.place is None:
            return ASK
        if self.state.picture is None:
            return NOTHING_OPEN
        if self.state.model is None:
            return NO_MODEL
        place, image = self.journey.place, self.state.picture.key
        if isinstance(place, MapValue):
            return ExplainMapValue(panel="number", image=image, value=place)
        return ExplainValue(panel="number", image=image, place=place)

    def _show(self, payload: Payload) -> None:
        if not isinstance(payload, ExplainedValue) or self.state.model is None:
            return
        made = payload.made
        painting = ValuePainting(made, precision=payload.precision)
        if made.operation in ("softmax", "sigmoid"):
            painting = ValuePainting(made, self._class_of, payload.precision)
        self._painting = painting
        self._show_place()
        said = step_words(made, self.state.model.config)
        if made.operation == "pixel":
            said += f" · {point_text(*payload.geometry.to_picture(made.place.x + 0.5, made.place.y + 0.5))}"
        self.set_caption(said)
        self.canvas.setAccessibleDescription(f"{formula_text(made, payload.precision)}\n{KEYS}")
        self.canvas.update()

    def _class_of(self, index: int) -> str:
        return "" if self.state.model is None else label_of(self.state.model, index)

    def _dim(self, dimmed: bool) -> None:
        self.canvas.set_dimmed(dimmed)

    @property
    def painting(self) -> ValuePainting | None:
        """What is painted, or None."""
        return self._painting if self.shows_body else None

    # ---------------------------------------------------------------------------------------------- display

    def _show_place(self) -> None:
        place, painting = self.journey.place, self._painting
        shown = painting is not None and self.query.is_current
        made = None if painting is None or not shown else painting.made
        if isinstance(place, MapValue):
            self.place.setText(map_value_text(place))
        elif made is not None:
            self.place.setText(place_text(made.place, made.shape, self._class_name(made.place)))
        elif place is not None:
            self.place.setText(place_text(place, (1, 2, 2), self._class_name(place)))
        self.back.setEnabled(self.journey.can_go_back)
        self.forward.setEnabled(self.journey.can_go_forward)
        self.copy.setEnabled(painting is not None)

    def _class_name(self, place: ValuePlace) -> str:
        model = self.state.model
        is_class = place.step in (LOGITS, PROBABILITIES) and model is not None
        if not is_class or model is None or place.channel >= len(model.labels):
            return ""
        return label_of(model, place.channel)

    def _paint(self, ink: Ink, room: QRectF) -> None:
        if self._painting is not None:
            self._painting.paint(ink, room.adjusted(_MARGIN_PX, _MARGIN_PX, -_MARGIN_PX, -_MARGIN_PX))

    def text(self) -> str:
        """Return the sum as text: the place, the formula, and a row for each term."""
        painting = self._painting
        if painting is None:
            return ""
        made = painting.made
        terms = painting.terms
        rows = [f"{operand_name(made, index)}\t{terms.row_text(index)}" for index in terms.order]
        if made.operation in ("softmax", "sigmoid"):
            rows = [f"{self._class_of(index)}\t{terms.row_text(index)}" for index in terms.order]
        place = self.journey.place
        head = place_text(made.place, made.shape, self._class_name(made.place))
        if isinstance(place, MapValue):
            head = map_value_text(place)
        return "\n".join((head, formula_text(made), *rows))

    # --------------------------------------------------------------------------------------- mouse and keys

    def _click(self, x: float, y: float) -> None:
        place = None if self._painting is None else self._painting.place_at(x, y)
        if place is not None:
            self.go(self._meant(place))

    def _meant(self, place: ValuePlace) -> Place:
        """Return the place that is meant: in the map of an attribution, another value of that map."""
        shown, made = self.journey.place, None if self._painting is None else self._painting.made
        if isinstance(shown, MapValue) and made is not None and place.step == made.place.step:
            return replace(shown, y=place.y, x=place.x)
        return place

    def _point(self, x: float, y: float) -> None:
        place = None if self._painting is None else self._painting.place_at(x, y)
        self.canvas.setCursor(
            Qt.CursorShape.ArrowCursor if place is None else Qt.CursorShape.PointingHandCursor
        )
        said = "" if self._painting is None else self._painting.text_at(x, y)
        if place is not None:
            meant = self._meant(place)
            named = (
                map_value_text(meant)
                if isinstance(meant, MapValue)
                else place_text(meant, (1, 2, 2), self._class_name(meant))
            )
            where = f"{named} · click to go there"
            said = f"{said} · {where}" if said else where
        self.state.hovered.emit(said)

    def _scroll(self, rows: int) -> None:
        if self._painting is not None:
            self._painting.terms.scroll(rows)
            self.canvas.update()

    def _press(self, event: QKeyEvent) -> None:
        """Choose a term with the arrow keys and follow it with Enter; Backspace goes back."""
        painting = self._painting
        if painting is None:
            return
        terms = painting.terms
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        match event.key():
            case Qt.Key.Key_Backspace:
                self.step(1 if shift else -1)
            case Qt.Key.Key_Up | Qt.Key.Key_Down:
                terms.choose(1 if event.key() == Qt.Key.Key_Down else -1)
            case Qt.Key.Key_PageUp | Qt.Key.Key_PageDown:
                down = event.key() == Qt.Key.Key_PageDown
                terms.choose(terms.rows_shown if down else -terms.rows_shown)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if painting.chosen_place is not None:
                self.go(self._meant(painting.chosen_place))
            case _:
                return
        event.accept()
        self.canvas.update()
