"""The sum that made one value: painted, and gone through with the mouse and the keys."""

from msgspec.structs import replace
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent

from convnext_studio.common.value_terms import LOGITS, PROBABILITIES, ValuePlace
from convnext_studio.export.export_contents import label_of
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.value_sums import ExplainedValue, MapValue
from convnext_studio.ui.plots.ink import Ink, InkCanvas
from convnext_studio.ui.plots.values.value_painting import ValuePainting, operand_name
from convnext_studio.ui.plots.values.value_texts import formula_text, map_value_text, place_text

KEYS = "The arrow keys choose a term, Enter goes to how it was made, and Backspace goes back."
Place = ValuePlace | MapValue
"""The place of a value of the network, or of an attribution map."""
_MARGIN_PX = 6
_ROWS_PER_NOTCH = 3
_NOTCH = 120
_SMALL = 0.92
"""Size of the smaller text relative to the panel's; in the lecture, the text is much larger."""


class SumView(InkCanvas):
    """A view of the sum that made a value of one network.

    Attributes
    ----------
    painting
        What is painted; None before there is anything.
    """

    went = Signal(object)  # ValuePlace | MapValue: how this value was made is to be shown
    stepped = Signal(int)  # -1 for back, 1 for forward
    said = Signal(str)  # what is under the pointer

    def __init__(self, name: str) -> None:
        super().__init__(self._paint_sum, name)
        self.painting: ValuePainting | None = None
        self._shown: Place | None = None
        self._model: ModelInfo | None = None
        self.setAccessibleDescription(KEYS)
        self.small_share = _SMALL
        self.takes_keys = True
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.clicked.connect(self._click)
        self.pointed.connect(self._point)
        self.key_pressed.connect(self._press)

    def show_value(self, answer: ExplainedValue, place: Place, model: ModelInfo) -> None:
        """Show how a value was made.

        Parameters
        ----------
        place
            The value that was asked about.
        model
            The network that computed it.
        """
        self._shown, self._model = place, model
        made = answer.made
        is_of_classes = made.operation in ("softmax", "sigmoid")
        self.painting = ValuePainting(made, self._class_of if is_of_classes else None, answer.precision)
        self.setAccessibleDescription(f"{formula_text(made, answer.precision)}\n{KEYS}")
        self.update()

    def _class_of(self, index: int) -> str:
        return "" if self._model is None else label_of(self._model, index)

    def _paint_sum(self, ink: Ink, room: QRectF) -> None:
        if self.painting is not None:
            self.painting.paint(ink, room.adjusted(_MARGIN_PX, _MARGIN_PX, -_MARGIN_PX, -_MARGIN_PX))

    @property
    def place_text(self) -> str:
        """Say which value is shown."""
        if self.painting is None or self._model is None or self._shown is None:
            return ""
        if isinstance(self._shown, MapValue):
            return map_value_text(self._shown)
        made = self.painting.made
        return place_text(made.place, made.shape, class_name(made.place, self._model))

    def text(self) -> str:
        """Return the sum as text: the place, the formula, and a row for each term."""
        painting = self.painting
        if painting is None:
            return ""
        made, terms = painting.made, painting.terms
        is_of_classes = made.operation in ("softmax", "sigmoid")
        rows = [
            f"{self._class_of(index) if is_of_classes else operand_name(made, index)}\t{terms.row_text(index)}"
            for index in terms.order
        ]
        return "\n".join((self.place_text, formula_text(made), *rows))

    # --------------------------------------------------------------------------------------- mouse and keys

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Scroll the list of terms."""
        if self.painting is not None:
            self.painting.terms.scroll(round(-event.angleDelta().y() / _NOTCH * _ROWS_PER_NOTCH))
            self.update()
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go back and forward with the side buttons, otherwise click."""
        if event.button() in (Qt.MouseButton.BackButton, Qt.MouseButton.ForwardButton):
            self.stepped.emit(-1 if event.button() == Qt.MouseButton.BackButton else 1)
        elif event.button() == Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)

    def _click(self, x: float, y: float) -> None:
        place = None if self.painting is None else self.painting.place_at(x, y)
        if place is not None:
            self.went.emit(self._meant(place))

    def _meant(self, place: ValuePlace) -> Place:
        """Return the place that is meant: in the map of an attribution, another value of that map."""
        made = None if self.painting is None else self.painting.made
        if isinstance(self._shown, MapValue) and made is not None and place.step == made.place.step:
            return replace(self._shown, y=place.y, x=place.x)
        return place

    def _point(self, x: float, y: float) -> None:
        place = None if self.painting is None else self.painting.place_at(x, y)
        self.setCursor(Qt.CursorShape.ArrowCursor if place is None else Qt.CursorShape.PointingHandCursor)
        said = "" if self.painting is None else self.painting.text_at(x, y)
        if place is not None:
            meant = self._meant(place)
            named = (
                map_value_text(meant)
                if isinstance(meant, MapValue)
                else place_text(meant, (1, 2, 2), class_name(meant, self._model))
            )
            where = f"{named} · click to go there"
            said = f"{said} · {where}" if said else where
        self.said.emit(said)

    def _press(self, event: QKeyEvent) -> None:
        """Choose a term with the arrow keys and follow it with Enter; Backspace goes back."""
        painting = self.painting
        if painting is None:
            return
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        match event.key():
            case Qt.Key.Key_Backspace:
                self.stepped.emit(1 if shift else -1)
            case Qt.Key.Key_Up | Qt.Key.Key_Down:
                painting.terms.choose(1 if event.key() == Qt.Key.Key_Down else -1)
            case Qt.Key.Key_PageUp | Qt.Key.Key_PageDown:
                rows = painting.terms.rows_shown
                painting.terms.choose(rows if event.key() == Qt.Key.Key_PageDown else -rows)
            case Qt.Key.Key_Return | Qt.Key.Key_Enter if painting.chosen_place is not None:
                self.went.emit(self._meant(painting.chosen_place))
            case _:
                return
        event.accept()
        self.update()


def class_name(place: ValuePlace, model: ModelInfo | None) -> str:
    """Return the name of the class of a logit or a probability; empty for any other value."""
    is_class = place.step in (LOGITS, PROBABILITIES) and model is not None
    if not is_class or model is None or place.channel >= len(model.labels):
        return ""
    return label_of(model, place.channel)
