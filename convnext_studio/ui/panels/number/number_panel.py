"""Show how one value of a network was made, and go back from it to the values before, up to the pixels."""

from msgspec.structs import replace
from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QGuiApplication, QKeyEvent, QMouseEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QBoxLayout, QPushButton, QVBoxLayout, QWidget

from convnext_studio.common.errors import StudioError
from convnext_studio.common.value_terms import LOGITS, PROBABILITIES, ValuePlace
from convnext_studio.export.export_contents import label_of
from convnext_studio.protocol.counterparts import Counterpart, counterpart
from convnext_studio.protocol.envelope import Network, Payload, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.value_sums import (
    AskedValue,
    ExplainedValue,
    ExplainMapValue,
    ExplainValue,
    MapValue,
)
from convnext_studio.render import format_number
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.panels.panel_query import PanelQuery
from convnext_studio.ui.plots.ink import Ink, InkCanvas
from convnext_studio.ui.plots.map_texts import point_text
from convnext_studio.ui.plots.values.value_painting import ValuePainting, operand_name
from convnext_studio.ui.plots.values.value_texts import formula_text, map_value_text, place_text, step_words
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.python_text import PythonLines, lines_of
from convnext_studio.ui.widgets.elided_label import ElidedLabel, PlainLabel
from convnext_studio.ui.widgets.text_size import scaled_px

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


ASK = (
    "Alt+click a value of a map or a prediction to see the sum that made it, "
    "or press Ctrl+H for the selected unit."
)
_TWO_SUMS_PX = 560
"""Where two sums beside each other have room for the last line of their formulas."""
CLOSED = "The network that computed this value is no longer open."


class Journey:
    """The values that were looked at, as pages in a browser: one can go back, and forward again."""

    def __init__(self) -> None:
        self._places: list[AskedValue] = []
        self._at = -1

    @property
    def asked(self) -> AskedValue | None:
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

    def go(self, asked: AskedValue) -> None:
        """Look at another value; those that one went back from are forgotten."""
        if asked != self.asked:
            self._places = [*self._places[: self._at + 1], asked]
            self._at += 1

    def step(self, by: int) -> None:
        """Go back or forward, as far as possible."""
        self._at = min(max(self._at + by, 0), len(self._places) - 1)


class NumberPanel(Panel):
    """A panel with the sum that made a value; a click on one of its numbers goes to how that one was made.

    Of two networks, it shows the sum in the network that is looked at; of a difference or a curtain, both.

    Attributes
    ----------
    views
        The sums in A and in B.
    """

    title = "How was this number made?"
    compares = True

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.journey = Journey()
        self.query = PanelQuery(self, self.question, self._show, self._dim)
        if self.query.second is not None:
            self.query.second.find_counterpart = self._in_b
        self.views = SumView("How the value is made"), SumView("How the value is made in the second network")
        self._heads = PlainLabel(), PlainLabel()
        self._add_controls()
        self.set_body(self._body())
        networks: tuple[Network, Network] = ("A", "B")
        for view, network in zip(self.views, networks, strict=True):
            view.went.connect(lambda place, network=network: self.go(AskedValue(place, network)))
            view.stepped.connect(self.step)
            view.said.connect(state.hovered)
        state.views.value_asked.connect(self.go)
        state.model_loaded.connect(self._follow)
        state.picture_selected.connect(self._follow)
        if state.views.asked_value is not None:
            self.go(state.views.asked_value)
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

    def _body(self) -> QWidget:
        body = QWidget()
        self._sides = QBoxLayout(QBoxLayout.Direction.TopToBottom, body)
        self._sides.setContentsMargins(0, 0, 0, 0)
        self._columns = QWidget(), QWidget()
        for column, head, view in zip(self._columns, self._heads, self.views, strict=True):
            head.setProperty("heading", True)
            head.hide()
            inside = QVBoxLayout(column)
            inside.setContentsMargins(0, 0, 0, 0)
            inside.setSpacing(2)
            inside.addWidget(head)
            inside.addWidget(view, 1)
            self._sides.addWidget(column, 1)
        self._columns[1].hide()
        return body

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put two sums beside each other in a wide panel, one above the other in a tall one."""
        super().resizeEvent(event)
        is_wide = event.size().width() > max(event.size().height(), scaled_px(_TWO_SUMS_PX))
        self._sides.setDirection(
            QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom
        )

    @property
    def canvas(self) -> SumView:
        """The sum that is shown; of two, that of A."""
        return self.views[1 if self.state.second.shown == "second" else 0]

    @property
    def _has_both(self) -> bool:
        return self.state.second.shown in ("difference", "curtain")

    # ------------------------------------------------------------------------------------------ travelling

    def go(self, asked: AskedValue) -> None:
        """Show how a value was made, and select it in all other panels."""
        self.journey.go(asked)
        self._follow_journey()

    def step(self, by: int) -> None:
        """Go back (-1) or forward (1)."""
        self.journey.step(by)
        self._follow_journey()

    def _follow_journey(self) -> None:
        question, model = self.question(), self.state.model
        if isinstance(question, ExplainValue) and model is not None:
            self._select(question.place, model)
        self._show_place()
        self.query.refresh()

    def _select(self, place: ValuePlace, model: ModelInfo) -> None:
        """Select node, channel and unit of a value of A, if it is that of a node."""
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
        """Return the request to A for the value on the selected picture, or why there is none."""
        asked = self.journey.asked
        if asked is None:
            return ASK
        if self.state.picture is None:
            return self.state.awaited.why_no_picture
        if self.state.model is None:
            return self.state.awaited.why_no_model
        request = _request_for(asked, self.state.picture.key)
        if asked.network == "A":
            return request
        pair = self.state.second.pair
        if pair is None:
            return CLOSED
        try:
            return replace(counterpart(request, pair.turned()).request, network="A")
        except StudioError as error:
            return str(error)

    def _in_b(self, question: Request) -> Counterpart[Request] | None:
        """Return the request to B: for the value itself if it is one of B, and not for what it is in A."""
        asked, picture, second = self.journey.asked, self.state.picture, self.state.second
        if asked is None or picture is None or asked.network == "A" or second.model is None:
            return second.counterpart(question)
        return Counterpart(replace(_request_for(asked, picture.key), network="B"))

    @property
    def answers(self) -> tuple[ExplainedValue | None, ExplainedValue | None]:
        """The sums in A and in B, as far as they are known."""
        second = None if self.query.second is None else self.query.second.answer
        first = self.query.answer
        return (
            first if isinstance(first, ExplainedValue) else None,
            second if isinstance(second, ExplainedValue) else None,
        )

    def _show(self, _payload: Payload) -> None:
        models = self.state.model, self.state.second.model
        for view, answer, model, place in zip(self.views, self.answers, models, self._places(), strict=True):
            if answer is not None and model is not None and place is not None:
                view.show_value(answer, place, model)
        self._columns[0].setVisible(self.canvas is self.views[0])
        self._columns[1].setVisible(self.canvas is self.views[1] or self._has_both)
        names = self.state.second.choice.first, self.state.second.choice.second
        for head, answer, name in zip(self._heads, self.answers, names, strict=True):
            head.setVisible(self._has_both)
            head.setText(name if answer is None else f"{name}: {format_number(answer.made.value)}")
        self._show_place()
        self.set_caption(self._caption_text())

    def _places(self) -> tuple[ValuePlace | MapValue | None, ValuePlace | MapValue | None]:
        """Return the values that A and B were asked about."""
        question = self.question()
        if not isinstance(question, ExplainValue | ExplainMapValue):
            return None, None
        other = self._request_to_b(question)
        return _place_of(question), None if other is None else _place_of(other)

    def _request_to_b(self, question: Request) -> Request | None:
        """Return what B is asked where A is asked this; None if it cannot be asked."""
        try:
            found = self._in_b(question)
        except StudioError:
            return None
        return None if found is None else found.request

    def _caption_text(self) -> str:
        a, b = self.answers
        shown = b if self.canvas is self.views[1] else a
        model = self.state.second.model if self.canvas is self.views[1] else self.state.model
        if shown is None or model is None:
            return ""
        said = [step_words(shown.made, model.config)]
        if self._has_both and a is not None and b is not None:
            first, second = self.state.second.choice.first, self.state.second.choice.second
            difference = format_number(a.made.value - b.made.value)
            said = [f"{first} minus {second} is {difference}", *said]
        if shown.made.operation == "pixel":
            place = shown.made.place
            said.append(point_text(*shown.geometry.to_picture(place.x + 0.5, place.y + 0.5)))
        notes = (
            () if self.query.second is None or self.state.second.shown == "first" else self.query.second.notes
        )
        return " · ".join((*said, *notes))

    def _dim(self, dimmed: bool) -> None:
        for view in self.views:
            view.set_dimmed(dimmed)

    @property
    def painting(self) -> ValuePainting | None:
        """What is painted, or None; of two sums, that of A."""
        return self.canvas.painting if self.shows_body else None

    @property
    def python(self) -> PythonLines | None:
        """The lines of Python that give the terms of what is shown, of one sum or of both."""
        question, model, shown = self.query.shown_question, self.state.model, self.state.second.shown
        if question is None or model is None:
            return None
        first = lines_of(question, model)
        if shown == "first" or first is None:
            return first
        other, in_b = self.state.second.model, self._request_to_b(question)
        found = None if other is None or in_b is None else lines_of(in_b, other)
        if found is None:
            return None
        second = replace(found, network="B")
        return second if shown == "second" else replace(first, beside=second, joined="values = [a, b]")

    # ---------------------------------------------------------------------------------------------- display

    def _show_place(self) -> None:
        asked = self.journey.asked
        if asked is not None:
            is_known = self.query.is_current and self.canvas.painting is not None
            self.place.setText(self.canvas.place_text if is_known else self._asked_text(asked))
        self.back.setEnabled(self.journey.can_go_back)
        self.forward.setEnabled(self.journey.can_go_forward)
        self.copy.setEnabled(self.canvas.painting is not None)

    def _asked_text(self, asked: AskedValue) -> str:
        """Say which value was asked about, while its sum is not there yet."""
        model = self.state.model if asked.network == "A" else self.state.second.model
        if isinstance(asked.place, MapValue):
            return map_value_text(asked.place)
        return place_text(asked.place, (1, 2, 2), class_name(asked.place, model))

    def text(self) -> str:
        """Return the sum as text, or both: the place, the formula, and a row for each term."""
        if not self._has_both:
            return self.canvas.text()
        names = self.state.second.choice.first, self.state.second.choice.second
        return "\n\n".join(f"{name}: {view.text()}" for name, view in zip(names, self.views, strict=True))


def _request_for(asked: AskedValue, image: str) -> ExplainValue | ExplainMapValue:
    if isinstance(asked.place, MapValue):
        return ExplainMapValue(panel="number", image=image, value=asked.place)
    return ExplainValue(panel="number", image=image, place=asked.place)


def _place_of(request: Request) -> ValuePlace | MapValue | None:
    if isinstance(request, ExplainMapValue):
        return request.value
    return request.place if isinstance(request, ExplainValue) else None
