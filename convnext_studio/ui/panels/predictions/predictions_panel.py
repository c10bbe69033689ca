"""Show what the network takes the picture for, and choose the class to be explained."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from convnext_studio.export.contents import label_of
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.render import format_percent
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.panels.predictions.prediction_row import PredictionRow
from convnext_studio.ui.state.app_state import NO_MODEL, NOTHING_OPEN, AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.class_search import ClassSearch
from convnext_studio.ui.widgets.elided_label import ElidedLabel

ROWS = 5
MEANINGLESS = "These percentages mean nothing."


class PredictionsPanel(Panel):
    """A panel with the five likeliest classes and a search over all classes; a click explains a class."""

    title = "Predictions"
    again_asked = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.rows = [PredictionRow() for _ in range(ROWS)]
        for row in self.rows:
            row.clicked.connect(lambda _checked, row=row: self._explain(row.target))
        self.explained = ElidedLabel()
        self.explained.setAccessibleName("Class explained")
        self.follow = QPushButton("Follow top")
        self.follow.setToolTip("Explain the top prediction, whichever class that is (Ctrl+T)")
        self.follow.setAccessibleName("Follow the top prediction")
        self.follow.clicked.connect(lambda: state.set_target(None))
        self.search = ClassSearch(
            "Search for a class to explain",
            "Type a part of the name or the number of a class, and choose the one to explain (Ctrl+F)",
        )
        self.search.chosen.connect(self._explain)
        self.search.not_found.connect(
            lambda text: self.explained.setText(f"There is no class “{text!r}”. Choose one from the list.")
        )
        self.set_body(self._body())
        state.model_loaded.connect(self._model_loaded)
        state.picture_selected.connect(self._show)
        state.prediction_made.connect(self._show)
        state.prediction_failed.connect(self._show)
        state.target_selected.connect(self._show)
        if state.model is not None:
            self._model_loaded(state.model)
        self._show(None)

    @property
    def is_settled(self) -> bool:
        """Whether the prediction is shown, or the reason why there is none."""
        state = self.state
        is_awaited = state.model is not None and state.picture is not None
        return not is_awaited or state.prediction is not None or bool(state.prediction_failure)

    def ask_again(self) -> None:
        """Try to predict once more."""
        self.again_asked.emit()

    def _body(self) -> QWidget:
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        for row in self.rows:
            layout.addWidget(row)
        layout.addSpacing(4)
        layout.addWidget(self.explained)
        choice = QHBoxLayout()
        choice.setSpacing(4)
        choice.addWidget(self.search, 1)
        choice.addWidget(self.follow)
        layout.addLayout(choice)
        layout.addStretch(1)
        return body

    def _model_loaded(self, model: ModelInfo) -> None:
        self.search.set_labels(model.labels)
        self._show(None)

    def _show(self, _changed: ImageInfo | Prediction | str | int | None) -> None:
        model, prediction = self.state.model, self.state.prediction
        if model is None or prediction is None:
            self.show_notice(self._why_empty(), can_retry=bool(self.state.prediction_failure))
            return
        self.show_body()
        self.set_caption(MEANINGLESS if model.random_weights else "")
        top = prediction.top(ROWS)
        target = top[0] if self.state.target is None else self.state.target
        for row, index in zip(self.rows, top, strict=False):
            row.show_class(index, label_of(model, index), float(prediction.probabilities[index]))
            row.setChecked(index == target)
        for number, row in enumerate(self.rows):
            row.setVisible(number < len(top))
        percent = format_percent(float(prediction.probabilities[target]))
        self.explained.setText(f"Explained: {label_of(model, target)}, {percent}")
        self.explained.setToolTip(self.explained.text())
        self.follow.setEnabled(self.state.target is not None)

    def _why_empty(self) -> str:
        state = self.state
        if state.prediction_failure:
            return state.prediction_failure
        if state.picture is None:
            return NOTHING_OPEN
        return NO_MODEL if state.model is None else "Computing …"

    def _explain(self, target: int) -> None:
        self.state.set_target(target)
        self._show(None)  # Needed even if it was already the target, because the click has unchecked its row.
