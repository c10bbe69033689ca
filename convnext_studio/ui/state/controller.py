"""Carries out what a person opens, drops, pastes or chooses, by asking the engine and updating the state."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from msgspec.structs import replace
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData, QObject, QTimer, Signal
from PySide6.QtGui import QImage, QImageWriter

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.foreign_text import shortened
from convnext_studio.common.foreign.limits import LARGEST_PASTED_BYTES
from convnext_studio.common.processes.heap import hand_back_freed_memory
from convnext_studio.common.samples import SAMPLE_PREFIX
from convnext_studio.erf.field_files import is_field
from convnext_studio.model.weights.beside.class_names import is_names_file
from convnext_studio.model.weights.weights_files import is_weights
from convnext_studio.protocol.envelope import Cancelled, Done, EngineLost, EngineReady, Failed, Payload, Request
from convnext_studio.protocol.models import KeepWithin, LoadModel, ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.exporter import Exporter
from convnext_studio.ui.state.opening.dropped import (
    decoded_address,
    dropped_files,
    has_picture,
    offered_picture,
)
from convnext_studio.ui.state.opening.model_opener import USE_CPU, ModelOpener, refusal
from convnext_studio.ui.state.opening.picture_opener import PICTURES, PictureOpener
from convnext_studio.ui.state.opening.recipe_opener import ChangedNetwork, RetouchedPictures
from convnext_studio.ui.state.opening.second_opener import SecondOpener
from convnext_studio.ui.state.opening.session_document import SUFFIX as SESSION_SUFFIX
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.message_bar import Notice

PREDICTION, ENGINE, OTHER, GPU_MEMORY = "prediction", "engine", "other", "gpu_memory"
ELSEWHERE = "elsewhere"

_EMPTIED_MS = 100
"""Once all pictures are closed, what was made of them is gone after the views are painted without them."""


class Controller(QObject):
    """Carries out user actions (its methods) and reacts to state changes, without knowing any widget.

    Parameters
    ----------
    offline
        Whether models are loaded without opening a network connection.

    Attributes
    ----------
    models, second, pictures
        What opens the first network, the second one, and pictures.
    exporter, background
        What writes exports, and what runs work in other threads.
    """

    noticed = Signal(object)  # Notice
    succeeded = Signal(str)  # topic whose notice is to be withdrawn
    field_asked = Signal(str)  # path of a saved receptive field
    session_asked = Signal(str)  # path of a session file

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        settings: SettingsFile,
        offline: bool = False,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._pasted = 0
        self._predict_id = 0
        self._too_large: LoadModel | None = None  # Too large for the memory of its GPU.
        self.background = Background(self)
        self.exporter = Exporter(state, bridge, self.background, self)
        self.models = ModelOpener(state, bridge, settings, self.background, offline, self)
        self.second = SecondOpener(state, bridge, self.models, self)
        self.changed_network = ChangedNetwork(state, bridge, self)
        self.retouched = RetouchedPictures(state, bridge, self)
        self.pictures = PictureOpener(state, bridge, settings, self)
        bridge.request_asked.connect(state.awaited.begin)
        bridge.request_finished.connect(lambda finished: state.awaited.end(finished[0]))
        for part in (self.exporter, self.models, self.pictures):
            part.noticed.connect(self.noticed)
        for opener in (self.models, self.pictures):
            opener.succeeded.connect(self.succeeded)
        self._emptied = QTimer(self, singleShot=True, interval=_EMPTIED_MS)
        self._emptied.timeout.connect(self._hand_back_memory)
        state.opened.changed.connect(lambda pictures: None if pictures else self._emptied.start())
        state.model_loaded.connect(lambda _model: self.predict())
        state.picture_selected.connect(lambda _picture: self._predict_new())
        state.target_selected.connect(lambda _target: self._follow_target())
        bridge.engine_lost.connect(self._engine_lost)
        bridge.engine_ready.connect(self._engine_ready)
        bridge.request_failed.connect(lambda failed: self.noticed.emit(refusal(OTHER, failed)))
        bridge.request_finished.connect(self._engine_answered)

    def keep_within(self, share: float) -> None:
        """Let the caches of window and engine hold a share of what they hold by default."""
        self._state.cache_sizes.set_share(share)
        self._bridge.ask(KeepWithin(share=share), lambda _: None)

    def _hand_back_memory(self) -> None:
        self.background.run(hand_back_freed_memory, lambda _: None)

    # ----------------------------------------------------------------------------------------- the pictures

    def open_paths(self, paths: Iterable[str]) -> None:
        """Open pictures, folders, weights files, saved fields and sessions."""
        pictures = []
        for path in paths:
            if is_weights(Path(path)):
                self.models.change(source=path)
            elif is_field(path):
                self.field_asked.emit(path)
            elif path.lower().endswith(SESSION_SUFFIX):
                self.session_asked.emit(path)
            elif is_names_file(path):
                self.models.read_class_names(path)
            else:
                pictures.append(path)
        self.pictures.open_paths(pictures)

    def open_sample(self, name: str) -> None:
        """Open one of the sample photographs."""
        self.open_paths([SAMPLE_PREFIX + name])

    def open_dropped(self, mime: QMimeData) -> None:
        """Open what was dropped."""
        self.open_mime(mime, "in what was dropped")

    def open_mime(self, mime: QMimeData, where: str = "on the clipboard") -> None:
        """Open what was dropped or pasted, files or the picture itself; messages say where that was."""
        # Read once: on X11 every call asks the other program, and waits up to 5 s if that has exited.
        named, has_image = dropped_files(mime), has_picture(mime)
        if named.elsewhere and (named.paths or named.pictures or not has_image):
            self._tell(
                ELSEWHERE,
                f"{shortened(named.elsewhere[0])} is not on this computer, and the program downloads nothing.",
                "Save the picture first, then open the file.",
            )
        if named.paths:
            self.open_paths(named.paths)
        if named.pictures:
            for address in named.pictures:
                self._open_taken(partial(_address_taken, address))
        elif has_image and not named.paths:
            self._take_picture(mime, where)
        elif not (named.paths or named.elsewhere):
            self._tell(PICTURES, f"There is no picture {where}.", "Copy or drop a picture or files.")

    def close_picture(self) -> None:
        """Remove the current picture from the list."""
        if self._state.opened.chosen is not None:
            self.pictures.close_for_now([self._state.opened.chosen])

    def close_all_pictures(self) -> None:
        """Remove all pictures from the list."""
        self.pictures.close_for_now(self._state.opened.all)

    def _take_picture(self, mime: QMimeData, where: str) -> None:
        """Open the picture of another program as it is encoded, or the pixels that are offered otherwise."""
        data = offered_picture(mime)
        if len(data) > LARGEST_PASTED_BYTES:
            self._tell(PICTURES, f"The picture {where} is too large.", "Save it, and open the file.")
        elif data:
            self._open_taken(lambda: data)
        else:
            self._open_taken(partial(encode_png, QImage(mime.imageData()), where))

    def _open_taken(self, take: Callable[[], bytes]) -> None:
        self._pasted += 1
        name = f"Pasted picture {self._pasted}"
        # In the background, because encoding a full screen of pixels takes longer than one frame.
        self.background.read(
            take,
            lambda data: self.pictures.open_data(data, name),
            lambda error: self._tell(PICTURES, error.message, error.hint),
            "Taking the picture",
        )

    # ------------------------------------------------------------------------------ predicting and explaining

    def _predict_new(self) -> None:
        """Run the model on a picture that came without its prediction, as frames of a film come with it."""
        if self._state.prediction is None and not self._state.prediction_failure:
            self.predict()

    def predict(self) -> None:
        """Run the current model on the current picture, if there are both."""
        model, picture = self._state.model, self._state.picture
        if model is None or picture is None:
            return
        self._predict_id = self._bridge.ask(
            Predict(panel="predict", image=picture.key, target=self._state.target),
            partial(self._if_current, model, picture, self._predicted),
            on_failure=lambda failed: self._if_current(model, picture, self._not_predicted, failed),
        )

    def _if_current(
        self,
        model: ModelInfo,
        picture: ImageInfo,
        use: Callable[[Payload | Failed], None],
        answer: Payload | Failed,
    ) -> None:
        """Pass an answer on only if the model and picture it was requested for are still current."""
        if self._state.model is model and self._state.picture is picture:
            use(answer)

    def _predicted(self, answer: Payload | Failed) -> None:
        if isinstance(answer, Prediction):
            self.succeeded.emit(PREDICTION)
            self._state.set_prediction(answer)
            self._follow_target()

    def _not_predicted(self, answer: Payload | Failed) -> None:
        if isinstance(answer, Failed):
            # An existing prediction stays: only the explanation of another class has failed.
            if self._state.prediction is None:
                self._state.fail_prediction(f"{answer.message} {answer.hint}".rstrip())
            self.noticed.emit(refusal(PREDICTION, answer))

    def _follow_target(self) -> None:
        """Predict again if the Grad-CAM of the prediction does not explain the chosen class."""
        prediction = self._state.prediction
        if prediction is not None and prediction.target != self._state.explained_class:
            self.predict()

    # ------------------------------------------------------------------------------------------- the engine

    def _engine_lost(self, lost: EngineLost) -> None:
        self._tell(ENGINE, lost.message)

    def _engine_ready(self, ready: EngineReady) -> None:
        again = "The engine stopped and was restarted"
        if ready.restarted and ready.lacking:
            self._tell(ENGINE, f"{again}. {ready.lacking}")
        elif ready.restarted:
            self.noticed.emit(Notice(ENGINE, f"{again}, with the same model and pictures.", good=True))

    def _engine_answered(self, finished: tuple[Request, Done | Failed | Cancelled]) -> None:
        request, answer = finished
        if isinstance(answer, Done) and isinstance(request, Predict):
            self.succeeded.emit(ENGINE)
        elif isinstance(answer, Failed) and answer.offers_cpu:
            self._offer_cpu(request, answer)
        elif isinstance(answer, Cancelled):
            # A request that was merely replaced by a newer one has another id.
            if answer.id == self._predict_id and self._state.prediction is None:
                self._state.fail_prediction("The prediction was stopped.")
            else:
                self.models.keep_if_cancelled(answer.id)

    def _offer_cpu(self, request: Request, failed: Failed) -> None:
        """Offer to compute on the CPU what a GPU has too little memory for; this is never done unasked."""
        self._too_large = request if isinstance(request, LoadModel) else self.models.loaded
        if not isinstance(request, LoadModel):  # That is told where its failure is.
            self.noticed.emit(Notice(GPU_MEMORY, failed.message, failed.hint, offer=USE_CPU))

    def take_offer(self, notice: Notice) -> None:
        """Do what a notice offered: compute on the CPU."""
        if notice.offer == USE_CPU and self._too_large is not None:
            on_cpu = replace(self._too_large, device="cpu", precision="float32")
            if on_cpu.network == "B":
                self.second.open(on_cpu)
            else:
                self.models.ask(on_cpu)

    # ---------------------------------------------------------------------------------------------- telling

    def close(self) -> None:
        """Wait for files that are being written; the bridge closes the engine."""
        self.background.close()

    def _tell(self, topic: str, message: str, hint: str = "") -> None:
        self.noticed.emit(Notice(topic, message, hint))


def _address_taken(address: str) -> bytes:
    data = decoded_address(address)
    if not data or len(data) > LARGEST_PASTED_BYTES:
        why = "is too large" if data else "cannot be read"
        raise StudioError(f"The picture in the address {why}.", "Save the picture first, then open the file.")
    return data


def encode_png(pixels: QImage, where: str) -> bytes:
    """Encode a picture as PNG; raise StudioError if that is not possible."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QImageWriter(buffer, QByteArray(b"PNG"))
    writer.setQuality(90)  # Hardly compressed, because the bytes only go to the local engine.
    if not writer.write(pixels):
        raise StudioError(f"The picture {where} cannot be read.")
    return bytes(buffer.data().data())
