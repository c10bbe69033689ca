"""Show what the network takes the picture for, and choose the class to be explained."""

from collections.abc import Mapping, Sequence
from itertools import islice

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from convnext_studio.common.value_terms import PROBABILITIES, ValuePlace
from convnext_studio.export.export_contents import label_of
from convnext_studio.model.weights.beside.class_names import LONGEST_NAME
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.value_sums import AskedValue
from convnext_studio.render import format_percent
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.panels.predictions.prediction_row import PredictionRow
from convnext_studio.ui.panels.second_answer import waiting_for
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.python_text import PythonLines
from convnext_studio.ui.state.selection.two_answers import Shown
from convnext_studio.ui.widgets.control_row import ControlRow
from convnext_studio.ui.widgets.elided_label import ElidedLabel, plain_tip
from convnext_studio.ui.widgets.search.class_search import ClassSearch

MOST_ROWS = 20
_LEAST_ROWS, _USUAL_ROWS = 3, 5
_GAP_PX = 2
NO_CLASSES = (
    "This network has no classes: its {outputs:,} outputs are features. Maps, receptive fields and units work "
    "as with any other; an explanation is that of its largest feature."
)
MEANINGLESS = "These percentages mean nothing."
SIGMOIDS = "Each class is on its own (sigmoid): the percentages need not add up to 100 %."


class ClassNameEditor(QLineEdit):
    """A line over a row of a class, in which another name is typed; Enter takes it, Escape does not."""

    named = Signal(int, str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._target = 0
        self.setAccessibleName("Name of the class")
        self.setPlaceholderText("Name of the class")
        self.setToolTip("Enter gives this name to the class, Escape keeps the old one")
        self.setMaxLength(LONGEST_NAME)
        self.setAcceptDrops(False)
        self.editingFinished.connect(self._finish)
        self.hide()

    def edit(self, row: PredictionRow) -> None:
        """Edit the name of the class in a row."""
        self._target = row.target
        self.setText(row.label)
        self.setGeometry(row.geometry())
        self.raise_()
        self.show()
        self.selectAll()
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def follow(self, rows: Sequence[PredictionRow]) -> None:
        """Stay over the row of the class, wherever that is now; give up if it is in none."""
        if self.isVisible():
            row = next((row for row in rows if row.target == self._target), None)
            self.setVisible(row is not None)
            if row is not None:
                self.setGeometry(row.geometry())

    def event(self, event: QEvent) -> bool:
        """Take Escape before the window's actions do."""
        is_shortcut = event.type() == QEvent.Type.ShortcutOverride
        if is_shortcut and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keep the old name with Escape."""
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        else:
            super().keyPressEvent(event)

    def _finish(self) -> None:
        """Take the name, once: hiding the line makes it lose the focus, which finishes editing again."""
        if self.isVisible():
            self.hide()
            if name := self.text().strip():
                self.named.emit(self._target, name)


class ClassRows(QWidget):
    """Rows of classes, as many as there is room for and at most `MOST_ROWS`; a click chooses one."""

    chosen = Signal(int)
    value_asked = Signal(int)  # how was the probability of this class made?
    python_asked = Signal()  # the probabilities are to be copied as Python
    room_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._last_room = 0
        self.rows: list[PredictionRow] = []
        self.editor = ClassNameEditor(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(_GAP_PX)
        self._layout = layout
        self._make_rows(1)  # It tells how high rows are.
        layout.addStretch(1)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)

    def _make_rows(self, count: int) -> None:
        """Make rows until there are so many: a large panel may need four times as many as a small one."""
        while len(self.rows) < count:
            row = PredictionRow(self)
            row.hide()
            row.clicked.connect(lambda _checked, row=row: self.chosen.emit(row.target))
            row.value_asked.connect(lambda row=row: self.value_asked.emit(row.target))
            row.naming_asked.connect(lambda row=row: self.editor.edit(row))
            row.python_asked.connect(self.python_asked)
            self._layout.insertWidget(len(self.rows), row)
            self.rows.append(row)

    @property
    def room(self) -> int:
        """The number of rows that there is room for."""
        return max(_LEAST_ROWS, min((self.height() + _GAP_PX) // self._pitch_px, MOST_ROWS))

    def show_classes(
        self,
        model: ModelInfo,
        prediction: Prediction,
        classes: Sequence[int],
        target: int,
        others: Mapping[int, float | None] | None = None,
    ) -> None:
        """Show these classes, as far as there is room, and mark the one that is explained.

        Parameters
        ----------
        others
            The probabilities in a second network, None for classes that it does not have.
        """
        shown = classes[: self.room]
        self._make_rows(max(len(shown), _LEAST_ROWS))
        for row, index in zip(self.rows, shown, strict=False):
            label, probability = label_of(model, index), float(prediction.probabilities[index])
            if others is None:
                row.show_class(index, label, probability)
            else:
                row.compare_class(index, label, probability, others.get(index))
            row.setChecked(index == target)
        for number, row in enumerate(self.rows):
            row.setVisible(number < len(shown))
        self.editor.follow(self.rows[: len(shown)])

    def sizeHint(self) -> QSize:
        """Return the size of five rows."""
        return QSize(super().sizeHint().width(), _USUAL_ROWS * self._pitch_px)

    def minimumSizeHint(self) -> QSize:
        """Return the size of three rows."""
        return QSize(self.rows[0].minimumSizeHint().width(), _LEAST_ROWS * self._pitch_px)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell that there may be room for more or fewer rows."""
        super().resizeEvent(event)
        if self.room != self._last_room:
            self._last_room = self.room
            self.room_changed.emit()

    @property
    def _pitch_px(self) -> int:
        return self.rows[0].minimumHeight() + _GAP_PX


def probabilities_in_b(state: AppState) -> dict[int, float | None] | None:
    """Return the probability in B of each class of A, None where B lacks it; None as long as none is known."""
    probabilities, classes = state.second.probabilities, state.second.classes
    if probabilities is None or classes is None:
        return None
    found: dict[int, float | None] = dict.fromkeys(classes.only_a)
    return found | {a: float(probabilities[b]) for a, b in classes.pairs}


def in_order(prediction: Prediction, others: Mapping[int, float | None] | None, shown: Shown) -> list[int]:
    """Return all classes of A in the order in which they are listed, for what is shown of two networks."""
    likeliest = list(prediction.top(len(prediction.logits)))
    if others is None or shown in ("first", "curtain"):
        return likeliest
    if shown == "second":
        return sorted(likeliest, key=lambda index: others.get(index) or -1.0, reverse=True)
    probabilities = prediction.probabilities
    return sorted(
        likeliest,
        key=lambda index: abs(float(probabilities[index]) - (others.get(index) or 0.0)),
        reverse=True,
    )


class PredictionsPanel(Panel):
    """A panel with the likeliest classes, or those that match what is typed; a click explains a class."""

    title = "Predictions"
    compares = True
    follows_picture = True
    again_asked = Signal()
    names_given = Signal(object)  # tuple[str, ...]: one for each class

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.list = ClassRows()
        self.rows = self.list.rows
        self.list.chosen.connect(self._explain)
        self.list.room_changed.connect(self._show)
        self.list.value_asked.connect(
            lambda target: state.views.ask_value(AskedValue(ValuePlace(PROBABILITIES, target)))
        )
        self.list.editor.named.connect(self._name)
        self.explained = ElidedLabel()
        self.explained.setAccessibleName("Class explained")
        self.follow = QPushButton("Follow top")
        self.follow.setToolTip("Explain the top prediction, whichever class that is (Ctrl+T)")
        self.follow.setAccessibleName("Follow the top prediction")
        self.follow.clicked.connect(lambda: state.set_target(None))
        self.list.python_asked.connect(self.copy_python)
        self.search = ClassSearch(
            "Filter the classes",
            "Type a part of a class's name or its number; Enter explains the likeliest one (Ctrl+F)",
            has_list=False,  # The rows show what matches.
        )
        self.search.setPlaceholderText("Filter…")
        self.search.textChanged.connect(self._show)
        self.search.chosen.connect(self._explain)
        self.search.not_found.connect(self._take_likeliest)
        self.search.taken_by_name.connect(self.explained.setText)
        self.set_body(self._body())
        state.model_loaded.connect(self._model_loaded)
        # Frames of a live source come with their prediction, of which it is told next.
        state.picture_selected.connect(lambda _: None if state.live.is_on else self._show())
        state.turns.connect_slot(state.prediction_made, self._show, self)
        state.prediction_failed.connect(self._show)
        state.awaited.changed.connect(lambda: None if self.shows_body else self._show())
        state.target_selected.connect(self._show)
        state.second.prediction_made.connect(self._show)
        state.second.shown_changed.connect(self._show)
        state.second.live_changed.connect(self._show)
        if state.model is not None:
            self._model_loaded(state.model)
        self._show(None)

    @property
    def is_of_networks(self) -> bool:
        """Whether the caption has to say which network is shown; here both always are."""
        return False

    @property
    def is_settled(self) -> bool:
        """Whether the prediction is shown, or the reason why there is none."""
        state = self.state
        is_awaited = state.model is not None and state.picture is not None
        return not is_awaited or state.prediction is not None or bool(state.prediction_failure)

    @property
    def python(self) -> PythonLines | None:
        """The lines of Python that give the probabilities."""
        picture, prediction = self.state.picture, self.state.prediction
        return None if picture is None or prediction is None else self.python_of(Predict(image=picture.key))

    def ask_again(self) -> None:
        """Try to predict once more."""
        self.again_asked.emit()

    def _body(self) -> QWidget:
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.explained)
        choice = ControlRow("More ways to choose a class")
        choice.add(self.search, 1)
        choice.add(self.follow)
        layout.addWidget(choice)
        return body

    def _model_loaded(self, model: ModelInfo) -> None:
        self.search.set_labels(model.labels)
        self._show(None)

    def _show(self, _changed: object = None) -> None:
        model, prediction = self.state.model, self.state.prediction
        if model is None or prediction is None:
            self.show_notice(self._why_empty(), can_retry=bool(self.state.prediction_failure))
            return
        if not model.has_classes:
            self.show_notice(NO_CLASSES.format(outputs=len(model.labels)))
            return
        self.show_body()
        others = probabilities_in_b(self.state)
        sigmoids = SIGMOIDS if model.is_multi_label else ""
        said = [self._warning(model), sigmoids, self._caption_of_two(others is not None)]
        self.set_caption(" ".join(text for text in said if text))
        target = prediction.top(1)[0] if self.state.target is None else self.state.target
        self.list.show_classes(model, prediction, self._matches(model, prediction), target, others)
        percent = format_percent(float(prediction.probabilities[target]))
        self.explained.setText(f"Explained: {label_of(model, target)}, {percent}")
        self.explained.setToolTip(plain_tip(self.explained.text()))
        self.follow.setEnabled(self.state.target is not None)

    def _name(self, target: int, name: str) -> None:
        model = self.state.model
        if model is not None and model.labels[target] != name:
            self.names_given.emit((*model.labels[:target], name, *model.labels[target + 1 :]))

    def _warning(self, model: ModelInfo) -> str:
        """Say whose percentages mean nothing, because the weights are random."""
        other = self.state.second.model
        if other is None or (model.random_weights and other.random_weights):
            return MEANINGLESS if model.random_weights else ""
        choice = self.state.second.choice
        pairs = ((choice.first, model), (choice.second, other))
        named = [name for name, each in pairs if each.random_weights]
        return f"The percentages of {named[0]} mean nothing." if named else ""

    def _caption_of_two(self, is_known: bool) -> str:
        """Say what the two numbers are and how the classes correspond; nothing about one network."""
        second = self.state.second
        if second.model is None:
            return ""
        if not is_known:
            return second.failure or waiting_for(second.choice.second)
        of_first, of_second = (
            name if second.is_changed_first else f"in {name}"
            for name in (second.choice.first, second.choice.second)
        )
        order = {
            "first": f"Likeliest {of_first} first",
            "second": f"Likeliest {of_second} first",
            "difference": "Largest differences first",
            "curtain": f"Likeliest {of_first} first",
        }[second.shown]
        classes = "" if second.classes is None or second.is_changed_first else second.classes.text
        said = (f"Probability {of_first} | {of_second}", order, classes)
        return ". ".join(text for text in said if text) + "."

    def _why_empty(self) -> str:
        state = self.state
        if state.prediction_failure:
            return state.prediction_failure
        if state.picture is None:
            return state.awaited.why_no_picture
        return state.awaited.why_no_model if state.model is None else "Computing …"

    def _matches(self, model: ModelInfo, prediction: Prediction) -> list[int]:
        """Return the likeliest classes whose name or number contains what is typed."""
        typed = self.search.text().strip().lower()
        likeliest = in_order(prediction, probabilities_in_b(self.state), self.state.second.shown)
        if not typed:
            return likeliest[:MOST_ROWS]
        found = (index for index in likeliest if typed in label_of(model, index).lower() or typed == str(index))
        return list(islice(found, MOST_ROWS))

    def _take_likeliest(self, typed: str) -> None:
        model, prediction = self.state.model, self.state.prediction
        matches = self._matches(model, prediction) if model is not None and prediction is not None else []
        if matches:
            self._explain(matches[0])
        else:
            self.explained.setText(f"There is no class “{typed}”.")

    def _explain(self, target: int) -> None:
        self.search.clear()
        self.state.set_target(target)
        self._show(None)  # Needed even if it was already the target, because the click has unchecked its row.
