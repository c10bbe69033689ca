"""Carries out what a person opens, drops, pastes or chooses, by asking the engine and updating the state."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from msgspec.structs import replace
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QMimeData, QObject, Signal
from PySide6.QtGui import QImage, QImageWriter

from convnext_studio.common.errors import StudioError
from convnext_studio.common.samples import SAMPLE_PREFIX
from convnext_studio.erf.field_files import is_field
from convnext_studio.model.architecture import WeightsLayout
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.presets import default_model
from convnext_studio.model.weights.beside.class_names import is_names_file, read_names, why_unnamed
from convnext_studio.model.weights.weights_files import is_weights
from convnext_studio.protocol.envelope import Cancelled, Done, EngineLost, EngineReady, Failed, Payload, Request
from convnext_studio.protocol.models import (
    BUILT,
    LoadModel,
    ModelInfo,
    NameClasses,
    Precision,
    SavedModel,
    SaveModel,
)
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.changed_network import ChangedNetwork
from convnext_studio.ui.state.exporter import Exporter
from convnext_studio.ui.state.opening import PICTURES, PictureOpener
from convnext_studio.ui.state.retouched_pictures import RetouchedPictures
from convnext_studio.ui.state.second_opener import SecondOpener
from convnext_studio.ui.state.session_document import SUFFIX as SESSION_SUFFIX
from convnext_studio.ui.state.settings import RECENT_COUNT, SettingsFile, latest_first
from convnext_studio.ui.widgets.message_bar import Notice

MODEL, PREDICTION, ENGINE, OTHER = "model", "prediction", "engine", "other"
SAVE, DEVICE = "save", "device"
GPU_MEMORY, USE_CPU = "gpu_memory", "Use the CPU"
FIRST_CHOICE: tuple[str, Precision] = ("auto", "float32")
"""Device and precision of a first launch."""


class Controller(QObject):
    """Carries out user actions (its methods) and reacts to state changes, without knowing any widget.

    Parameters
    ----------
    offline
        Whether models are loaded without opening a network connection.
    """

    noticed = Signal(object)  # Notice
    succeeded = Signal(str)  # topic whose notice is to be withdrawn
    model_asked = Signal(object)  # LoadModel: the request that was sent
    model_refused = Signal()  # the open model stays open
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
        self._settings = settings
        self._offline = offline
        self._pasted = 0
        self._predict_id = 0
        self._model_id = 0
        self._asked_model: LoadModel | None = None
        self._loaded_model: LoadModel | None = None
        self._left_model: LoadModel | None = None  # The chosen model, while another is open temporarily.
        self._too_large: LoadModel | None = None  # Too large for the memory of its GPU.
        self._passed_over: LoadModel | None = None  # Still loading when another one was requested.
        self.background = Background(self)
        self.exporter = Exporter(state, bridge, self.background, self)
        self.second = SecondOpener(state, bridge, lambda: self._loaded_model, self._take_first, self)
        self.changed_network = ChangedNetwork(state, bridge, self)
        self.retouched = RetouchedPictures(state, bridge, self)
        self.pictures = PictureOpener(state, bridge, settings, self)
        for part in (self.exporter, self.pictures):
            part.noticed.connect(self.noticed)
        self.pictures.succeeded.connect(self.succeeded)
        state.model_loaded.connect(lambda _model: self.predict())
        state.picture_selected.connect(lambda _picture: self.predict())
        state.target_selected.connect(lambda _target: self._follow_target())
        bridge.engine_lost.connect(self._engine_lost)
        bridge.engine_ready.connect(self._engine_ready)
        bridge.request_failed.connect(lambda failed: self._refuse(OTHER, failed))
        bridge.request_finished.connect(self._engine_answered)

    # -------------------------------------------------------------------------------------------- the model

    @property
    def is_offline(self) -> bool:
        """Whether models are loaded without opening a network connection."""
        return self._offline

    @property
    def loaded(self) -> LoadModel | None:
        """The request that loaded the open model, or None."""
        return self._loaded_model

    def open_model(
        self,
        source: str,
        device: str = "auto",
        precision: Precision = "float32",
        *,
        stem_stride: int | None = None,
        stem_padding: int | None = None,
        part: str = "",
        mean: tuple[float, ...] = (),
        std: tuple[float, ...] = (),
        labels: tuple[str, ...] = (),
    ) -> None:
        """Load a model; the current one stays open until that succeeds."""
        self._left_model = None
        self._ask_model(
            LoadModel(
                panel="model",
                source=source,
                device=device,
                precision=precision,
                offline=self._offline,
                stem_stride=stem_stride,
                stem_padding=stem_padding,
                part=part or self._chosen_part(source),
                mean=mean,
                std=std,
                labels=labels,
            )
        )

    def reopen_model(
        self,
        source: str,
        stem_stride: int | None,
        stem_padding: int | None,
        precision: Precision | None = None,
        *,
        part: str = "",
        mean: tuple[float, ...] = (),
        std: tuple[float, ...] = (),
        labels: tuple[str, ...] = (),
    ) -> None:
        """Load a model with its former stem, part and names on the current device, by default as precisely."""
        now = self._asked_model or LoadModel(source=source)
        self.open_model(
            source,
            now.device,
            precision or now.precision,
            stem_stride=stem_stride,
            stem_padding=stem_padding,
            part=part,
            mean=mean,
            std=std,
            labels=labels,
        )

    def open_part(self, part: str) -> None:
        """Open another network of the same file, or the same with another head, and remember that choice."""
        if self._asked_model is not None:
            self._ask_model(replace(self._asked_model, part=part, labels=()))

    def _chosen_part(self, source: str) -> str:
        return dict(self._settings.values.chosen_parts).get(source, "")

    def build_model(
        self,
        config: ConvNeXtConfig,
        seed: int,
        input_px: int,
        precision: Precision | None = None,
        *,
        labels: tuple[str, ...] = (),
    ) -> None:
        """Build a network with random weights; device and precision are chosen as in `reopen_model`."""
        self._left_model = None
        asked = LoadModel(
            panel="model", source=BUILT, config=config, seed=seed, input_px=input_px, labels=labels
        )
        if (now := self._asked_model) is not None:
            asked = replace(asked, device=now.device, precision=precision or now.precision)
        self._ask_model(asked)

    def _ask_model(self, request: LoadModel) -> None:
        if any(pending.id == self._model_id for pending in self._bridge.pending):
            self._passed_over = self._passed_over or self._asked_model
        self._asked_model = request
        self.model_asked.emit(request)
        self._model_id = self._bridge.ask(
            request, partial(self._model_loaded, request), on_failure=partial(self._model_failed, request)
        )

    def change_model(self, *, source: str = "", device: str = "", precision: Precision | None = None) -> None:
        """Load the model again with another source, device or precision; do nothing if there is no model."""
        now = self._asked_model
        if now is None:
            return
        device, precision = device or now.device, precision or now.precision
        if source and source != now.source:
            self.open_model(source, device, precision)
        else:
            self._ask_model(replace(now, device=device, precision=precision))

    def open_for_a_while(self, source: str) -> None:
        """Open a model temporarily; `reopen_left_model` returns to the one that the person chose."""
        left = self._left_model or self._loaded_model
        self.change_model(source=source)
        self._left_model = left

    def reopen_left_model(self) -> None:
        """Return to the model that `open_for_a_while` replaced, or to the default model if there is none."""
        left, self._left_model = self._left_model, None
        if left and (now := self._asked_model):
            self._ask_model(replace(left, device=now.device, precision=now.precision))
        else:
            self.change_model(source=default_model())

    def name_classes(self, labels: tuple[str, ...]) -> None:
        """Give other names to the classes of the open network; session and saved weights keep them."""
        if self._loaded_model is not None and labels:
            self._bridge.ask(
                NameClasses(panel="model", labels=labels),
                partial(self._classes_named, self._loaded_model, labels),
                on_failure=partial(self._refuse, MODEL),
            )

    def _classes_named(self, of: LoadModel, labels: tuple[str, ...], answer: Payload) -> None:
        if of is self._loaded_model and isinstance(answer, ModelInfo):
            is_asked = self._asked_model is of
            self._loaded_model = replace(of, labels=labels)
            if is_asked:
                self._asked_model = self._loaded_model
            self.succeeded.emit(MODEL)
            unit = self._state.unit
            self._state.set_model(answer)
            if unit is not None:  # It is the same network, whose units are where they were.
                self._state.set_unit(*unit)

    def read_class_names(self, path: str) -> None:
        """Name the classes as a text, JSON or CSV file says; one that does not fit is refused in a sentence."""
        self.background.run(
            partial(read_names, Path(path)),
            partial(self._names_read, Path(path).name),
            lambda error: self._tell(MODEL, error.message, error.hint),
            "Reading the class names",
        )

    def _names_read(self, name: str, names: list[str] | None) -> None:
        model = self._state.model
        if not names:
            self._tell(MODEL, f"{name} holds no class names.", "Give one a line, or number and name in each.")
        elif model is None:
            self._tell(MODEL, "No model is open yet, so there are no classes to name.")
        elif why := why_unnamed(len(names), len(model.labels), model.has_classes):
            self._tell(MODEL, f"{name}: {why}")
        else:
            self.name_classes(tuple(names))

    def change_stem(self, stride: int, padding: int) -> None:
        """Load the model again with another stride and padding for its first convolution."""
        if self._asked_model is not None:
            self._ask_model(replace(self._asked_model, stem_stride=stride, stem_padding=padding))

    def change_normalisation(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """Load the model again with another mean and deviation by which pictures are normalised."""
        if self._asked_model is not None:
            self._ask_model(replace(self._asked_model, mean=mean, std=std))

    def save_model(self, path: str, layout: WeightsLayout) -> None:
        """Write the weights of the open model to a file."""
        if self._state.model is not None:
            self._bridge.ask(
                SaveModel(panel="save", path=path, layout=layout, title=self._state.model.title),
                self._model_saved,
                on_failure=partial(self._refuse, SAVE),
            )

    def _model_saved(self, answer: Payload) -> None:
        if isinstance(answer, SavedModel):
            message = f"The weights were saved as {answer.path} ({answer.size_bytes / 1e6:,.1f} MB)."
            self.noticed.emit(Notice(SAVE, message, good=True, path=answer.path))

    def _model_loaded(self, request: LoadModel, answer: Payload) -> None:
        if request is not self._asked_model or not isinstance(answer, ModelInfo):
            return
        self._loaded_model, self._passed_over = request, None
        if request.config is None:  # A built model has no source to reopen it from.
            recent = latest_first(request.source, self._settings.values.recent_models)
            self._settings.update(recent_models=recent)
        if request.part:
            others = [known for known in self._settings.values.chosen_parts if known[0] != request.source]
            chosen = ((request.source, request.part), *others)
            self._settings.update(chosen_parts=chosen[:RECENT_COUNT])
        self.succeeded.emit(MODEL)
        self._state.set_model(answer)

    def _take_first(self, request: LoadModel, model: ModelInfo) -> None:
        """Take the network that the engine has open as A now, without loading it."""
        self._loaded_model = self._asked_model = replace(request, panel="model")
        self._passed_over = self._left_model = None
        self._state.set_model(model)

    def _model_failed(self, request: LoadModel, failed: Failed) -> None:
        if request is self._asked_model and self._falls_back(request, failed):
            return
        self._refuse(MODEL, failed)
        if request is not self._asked_model:
            return
        passed_over, self._passed_over = self._passed_over, None
        if passed_over is not None:
            self._ask_model(passed_over)
        else:
            self._keep_model()

    def _falls_back(self, request: LoadModel, failed: Failed) -> bool:
        """Load the first model of a launch without the device and precision in the settings, if they fail."""
        values = self._settings.values
        is_kept = (request.device, request.precision) == (values.device, values.precision)
        if self._loaded_model is not None or not is_kept or (values.device, values.precision) == FIRST_CHOICE:
            return False
        device, precision = FIRST_CHOICE
        asked = f"{values.device} with {values.precision}"
        self._tell(DEVICE, f"{failed.message} The settings ask for {asked}; the program chooses for now.")
        self._ask_model(replace(request, device=device, precision=precision))
        return True

    def _keep_model(self) -> None:
        """Keep the open model, because the requested one will not be loaded."""
        self._passed_over = None
        if self._loaded_model is not None:
            self._asked_model = self._loaded_model
        self.model_refused.emit()

    # ----------------------------------------------------------------------------------------- the pictures

    def open_paths(self, paths: Iterable[str]) -> None:
        """Open pictures, folders, weights files, saved fields and sessions."""
        pictures = []
        for path in paths:
            if is_weights(Path(path)):
                self.change_model(source=path)
            elif is_field(path):
                self.field_asked.emit(path)
            elif path.lower().endswith(SESSION_SUFFIX):
                self.session_asked.emit(path)
            elif is_names_file(path):
                self.read_class_names(path)
            else:
                pictures.append(path)
        self.pictures.open_paths(pictures)

    def open_sample(self, name: str) -> None:
        """Open one of the sample photographs."""
        self.open_paths([SAMPLE_PREFIX + name])

    def open_mime(self, mime: QMimeData) -> None:
        """Open what was dropped or pasted: files or the picture itself."""
        # Read once: on X11 every call asks the other program, and waits up to 5 s if that has exited.
        urls = mime.urls()
        local = [url.toLocalFile() for url in urls if url.isLocalFile()]
        remote = [url for url in urls if not url.isLocalFile()]
        if local:
            self.open_paths(local)
        elif mime.hasImage():
            self._open_pixels(QImage(mime.imageData()))
        if remote and (local or not mime.hasImage()):
            self._tell(
                PICTURES,
                f"{remote[0].toDisplayString()} is not on this computer, and the program downloads nothing.",
                "Save the picture first, then open the file.",
            )
        elif not urls and not mime.hasImage():
            self._tell(PICTURES, "There is no picture on the clipboard.", "Copy a picture or files first.")

    def close_picture(self) -> None:
        """Remove the current picture from the list."""
        if self._state.chosen is not None:
            self.pictures.close_for_now([self._state.chosen])

    def close_all_pictures(self) -> None:
        """Remove all pictures from the list."""
        self.pictures.close_for_now(self._state.pictures)

    def _open_pixels(self, pixels: QImage) -> None:
        self._pasted += 1
        name = f"Pasted picture {self._pasted}"
        # In the background, because encoding a full screen of pixels takes longer than one frame.
        self.background.run(
            partial(encode_png, pixels),
            lambda data: self.pictures.open_data(data, name),
            lambda error: self._tell(PICTURES, error.message, error.hint),
            "Taking the picture from the clipboard",
        )

    # ------------------------------------------------------------------------------ predicting and explaining

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
            self._refuse(PREDICTION, answer)

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
            elif answer.id == self._model_id:
                self._keep_model()

    def _offer_cpu(self, request: Request, failed: Failed) -> None:
        """Offer to compute on the CPU what a GPU has too little memory for; this is never done unasked."""
        self._too_large = request if isinstance(request, LoadModel) else self._loaded_model
        if not isinstance(request, LoadModel):  # That is told where its failure is.
            self.noticed.emit(Notice(GPU_MEMORY, failed.message, failed.hint, offer=USE_CPU))

    def take_offer(self, notice: Notice) -> None:
        """Do what a notice offered: compute on the CPU."""
        if notice.offer == USE_CPU and self._too_large is not None:
            on_cpu = replace(self._too_large, device="cpu", precision="float32")
            if on_cpu.network == "B":
                self.second.open(on_cpu)
            else:
                self._ask_model(on_cpu)

    # ---------------------------------------------------------------------------------------------- telling

    def close(self) -> None:
        """Wait for files that are being written; the bridge closes the engine."""
        self.background.close()

    def _refuse(self, topic: str, failed: Failed) -> None:
        offer = USE_CPU if failed.offers_cpu else ""
        self.noticed.emit(Notice(topic, failed.message, failed.hint, offer=offer))

    def _tell(self, topic: str, message: str, hint: str = "") -> None:
        self.noticed.emit(Notice(topic, message, hint))


def encode_png(pixels: QImage) -> bytes:
    """Encode a picture as PNG; raise StudioError if that is not possible."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QImageWriter(buffer, QByteArray(b"PNG"))
    writer.setQuality(90)  # Hardly compressed, because the bytes only go to the local engine.
    if not writer.write(pixels):
        raise StudioError("The picture on the clipboard cannot be read.")
    return bytes(buffer.data().data())
