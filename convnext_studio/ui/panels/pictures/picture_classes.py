"""The predicted class of every opened picture, found while there is nothing else to do."""

from PySide6.QtCore import QObject, Signal

from convnext_studio.export.contents import label_of
from convnext_studio.model.framing import picture_of
from convnext_studio.protocol.envelope import Payload, Progress
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ListedPicture
from convnext_studio.protocol.predictions import Classes, Classify, Prediction, TopClass
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query

MOST = 500
"""Of more pictures than this, only those that were looked at have a class."""


class PictureClasses(QObject):
    """Knows the top class of the opened pictures with the open model, as far as it was found."""

    changed = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._state = state
        self._known: dict[str, TopClass] = {}
        self._is_wanted = False
        self._query = Query(bridge, self._receive, lambda _reason: None, self._advance, parent=self)
        state.model_loaded.connect(self._forget)
        state.prediction_made.connect(self._learn)
        state.opened.changed.connect(self._forget_closed)

    @property
    def is_settled(self) -> bool:
        """Whether no class is being found."""
        return not self._query.is_running

    def want(self, is_wanted: bool) -> None:
        """Find the classes of all opened pictures from now on, or no longer."""
        self._is_wanted = is_wanted
        self._ask()

    def of(self, key: str) -> TopClass | None:
        """Return the top class of a picture; None while it is not known."""
        return self._known.get(self._state.opened.framings.image_of(key))

    def name_of(self, key: str) -> str:
        """Return the name of a picture's class; empty while it is not known."""
        top, model = self.of(key), self._state.model
        return "" if top is None or model is None else label_of(model, top.target)

    def _ask(self) -> None:
        """Ask for the pictures without a class, after the prediction of the current one, which goes first."""
        pictures = self._state.opened.images
        missing = tuple(each.key for each in pictures if each.key not in self._known)
        is_possible = self._state.prediction is not None and 1 < len(pictures) <= MOST
        if self._is_wanted and is_possible and missing and not self._query.is_running:
            self._query.ask(Classify(panel="pictures", images=missing), of=self._state.model)

    def _learn(self, prediction: Prediction | None) -> None:
        if prediction is not None:
            target = prediction.top(1)[0]
            share = float(prediction.probabilities[target])
            self._take((TopClass(image=prediction.image, target=target, probability=share),))
            self._ask()

    def _advance(self, progress: Progress) -> None:
        if isinstance(progress.partial, Classes):
            self._take(progress.partial.classes)

    def _receive(self, payload: Payload) -> None:
        if isinstance(payload, Classes):
            self._take(payload.classes)
            self._ask()  # Pictures that were opened meanwhile.

    def _take(self, classes: tuple[TopClass, ...]) -> None:
        new = {each.image: each for each in classes if self._known.get(each.image) != each}
        if new:
            self._known.update(new)
            self.changed.emit()

    def _forget(self, _model: ModelInfo) -> None:
        self._query.drop()
        self._known.clear()
        self.changed.emit()

    def _forget_closed(self, pictures: tuple[ListedPicture, ...]) -> None:
        there = {picture.key for picture in pictures}
        self._known = {key: top for key, top in self._known.items() if picture_of(key) in there}
        self._ask()
