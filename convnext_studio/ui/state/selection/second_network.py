"""The second network, B, that is open beside the first: what is known of it, and what corresponds to A."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.comparison import ClassMatch, match_classes
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.counterparts import Counterpart, Pair, counterpart, sized_model, sized_node
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.ui.state.selection.two_answers import Shown, TwoAnswers

Asked = TypeVar("Asked", bound=Request)
A_AND_B = ("A", "B")
BEFORE_AND_AFTER = ("before", "after")


class SecondNetwork(QObject):
    """The network B and its prediction for the current picture; `None` while there is none.

    Attributes
    ----------
    choice
        Which of the networks' answers all views show.
    is_changed_first
        Whether B is A with changes inside or on the pictures, and not another network.
    """

    model_changed = Signal(object)  # ModelInfo | None
    prediction_made = Signal(object)  # Prediction | None
    nodes_paired = Signal()
    shown_changed = Signal()  # What the views show, for whatever reason.
    live_changed = Signal()  # The probabilities of B while a change is dragged.

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.choice = TwoAnswers(*A_AND_B, self)
        self.choice.chosen.connect(lambda _shown: self.shown_changed.emit())
        self._first: ModelInfo | None = None
        self._model: ModelInfo | None = None
        self._classes: ClassMatch | None = None
        self._paired: dict[str, str] = {}
        self._crops: tuple[CropGeometry | None, CropGeometry | None] = (None, None)
        self._prediction: Prediction | None = None
        self._live: NDArray[np.float64] | None = None
        self._failure = ""
        self.is_changed_first = False

    @property
    def model(self) -> ModelInfo | None:
        """The network B."""
        return self._model

    def set_model(self, model: ModelInfo | None, *, is_changed_first: bool = False) -> None:
        """Set the network that was opened, or None when it was closed."""
        if model is self._model:
            return
        self._model, self._classes, self._paired = model, None, {}
        self.is_changed_first = is_changed_first
        self.choice.rename(*(BEFORE_AND_AFTER if is_changed_first else A_AND_B))
        self._crops = self._crops[0], None
        self.set_prediction(None)
        self.model_changed.emit(model)
        self.shown_changed.emit()

    def follow_first(self, model: ModelInfo) -> None:
        """Take note of the network A, before anyone is told of it."""
        self._first, self._classes, self._paired = model, None, {}

    @property
    def shown(self) -> Shown:
        """What the views show: A alone while no second network is open."""
        return "first" if self._model is None else self.choice.shown

    @property
    def curtain(self) -> float | None:
        """Where the curtain's line is, as a share of the width, if the views show one."""
        return self.choice.curtain if self.shown == "curtain" else None

    @property
    def marks_random_weights(self) -> bool:
        """Whether a network whose weights are random has a part in what is shown."""
        shown = self.shown
        first = self._first is not None and self._first.random_weights and shown != "second"
        return first or (self._model is not None and self._model.random_weights and shown != "first")

    @property
    def title(self) -> str:
        """The titles of the networks that have a part in what is shown."""
        if self._first is None:
            return ""
        if self._model is None:
            return self._first.title
        first = f"{self.choice.first}: {self._first.title}"
        second = f"{self.choice.second}: {self._model.title}"
        joined = f"{self.choice.text()}, {first}, {second}"
        return {"first": first, "second": second}.get(self.shown, joined)

    @property
    def title_of_both(self) -> str:
        """The titles of both networks."""
        a, b = ("" if model is None else model.title for model in (self._first, self._model))
        if self.is_changed_first:  # It says how many changes there are.
            return b
        return f"{self.choice.first}: {a} · {self.choice.second}: {b}"

    @property
    def marks_changes(self) -> bool:
        """Whether a changed network has a part in what is shown."""
        return self.is_changed_first and self.shown != "first"

    # ------------------------------------------------------------------------------------- what corresponds

    @property
    def classes(self) -> ClassMatch | None:
        """Which class of A is which class of B; None while there are not two networks."""
        if self._classes is None and self._first is not None and self._model is not None:
            self._classes = match_classes(self._first.labels, self._model.labels)
        return self._classes

    @property
    def pair(self) -> Pair | None:
        """The two networks, for what is asked of both; None while there are not two."""
        if self._first is None or self._model is None:
            return None
        a, b = self._crops
        crops = None if a is None or b is None else (a, b)
        return Pair(self._first, sized_model(self._model, self._prediction), crops, tuple(self._paired.items()))

    def sized(self, node: NodeInfo) -> NodeInfo:
        """Return a node of B with the size that its map has for the current picture, once that is known."""
        return node if self._prediction is None else sized_node(node, self._prediction)

    def counterpart(self, request: Asked) -> Counterpart[Asked] | None:
        """Return what to ask B where A was asked this; None if there is no second network.

        Raises
        ------
        StudioError
            If B cannot be asked that, because it lacks the class, for example.
        """
        pair = self.pair
        return None if pair is None else counterpart(request, pair)

    def pair_nodes(self, a: str, b: str) -> None:
        """Compare a node of A with this node of B, whatever their names."""
        if self._paired.get(a) != b:
            self._paired[a] = b
            self.nodes_paired.emit()

    # ------------------------------------------------------------------------------------------- prediction

    @property
    def prediction(self) -> Prediction | None:
        """The prediction of B for the current picture, or None until it arrives."""
        return self._prediction

    @property
    def failure(self) -> str:
        """Why there is no prediction of B; empty while one may still arrive."""
        return self._failure

    def set_prediction(self, prediction: Prediction | None, failure: str = "") -> None:
        """Set the prediction of B, or discard it with None."""
        is_news = prediction is not self._prediction or failure != self._failure
        self._live = None
        self._failure, self._prediction = failure, prediction
        if prediction is not None:
            self._crops = self._crops[0], prediction.geometry
        if is_news:
            self.prediction_made.emit(prediction)

    @property
    def probabilities(self) -> NDArray[np.float64] | None:
        """The probabilities of B: those of its prediction or, while a change is dragged, newer ones."""
        if self._live is not None or self._prediction is None:
            return self._live
        return self._prediction.probabilities

    def show_live(self, probabilities: NDArray[np.float64]) -> None:
        """Set the probabilities that B has while a change is dragged; its next prediction replaces them."""
        if self._model is not None:
            self._live = probabilities
            self.live_changed.emit()

    def see_crop(self, crop: CropGeometry | None) -> None:
        """Take note of where the input of A is in the picture; None forgets both inputs for another picture."""
        self._crops = (None, None) if crop is None else (crop, self._crops[1])
