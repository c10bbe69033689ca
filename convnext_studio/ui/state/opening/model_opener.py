"""Opens networks: loads or builds them, and remembers which request opened the present one."""

from functools import partial
from pathlib import Path

from msgspec.structs import replace
from PySide6.QtCore import QObject, Signal

from convnext_studio.model.architecture import WeightsLayout
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.presets import default_model
from convnext_studio.model.weights.beside.class_names import read_names, why_unnamed
from convnext_studio.protocol.envelope import Failed, Payload
from convnext_studio.protocol.models import (
    BUILT,
    LoadModel,
    ModelInfo,
    NameClasses,
    Precision,
    SavedModel,
    SaveModel,
)
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.settings import RECENT_COUNT, SettingsFile, latest_first
from convnext_studio.ui.widgets.message_bar import Notice

MODEL, SAVE, DEVICE = "model", "save", "device"
USE_CPU = "Use the CPU"
FIRST_CHOICE: tuple[str, Precision] = ("auto", "float32")
"""Device and precision of a first launch."""


class ModelOpener(QObject):
    """Opens the network that all panels show, and changes how it is opened.

    Parameters
    ----------
    offline
        Whether models are loaded without opening a network connection.
    """

    noticed = Signal(object)  # Notice
    succeeded = Signal(str)  # topic whose notice is to be withdrawn
    asked = Signal(object)  # LoadModel: the request that was sent
    refused = Signal()  # the open model stays open

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        settings: SettingsFile,
        background: Background,
        offline: bool = False,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._state = state
        self._bridge = bridge
        self._settings = settings
        self._background = background
        self._offline = offline
        self._request_id = 0
        self._asked: LoadModel | None = None
        self._loaded: LoadModel | None = None
        self._left: LoadModel | None = None  # The chosen model, while another is open temporarily.
        self._passed_over: LoadModel | None = None  # Still loading when another one was requested.

    @property
    def awaited(self) -> LoadModel | None:
        """The network that is being opened in place of the open one; None if none is."""
        is_awaited = any(pending.id == self._request_id for pending in self._bridge.pending)
        return self._asked if is_awaited else None

    @property
    def is_offline(self) -> bool:
        """Whether models are loaded without opening a network connection."""
        return self._offline

    @property
    def loaded(self) -> LoadModel | None:
        """The request that loaded the open model, or None."""
        return self._loaded

    def open(
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
        self._left = None
        self.ask(
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

    def reopen(
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
        now = self._asked or LoadModel(source=source)
        self.open(
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
        if self._asked is not None:
            self.ask(replace(self._asked, part=part, labels=()))

    def _chosen_part(self, source: str) -> str:
        return dict(self._settings.values.chosen_parts).get(source, "")

    def build(
        self,
        config: ConvNeXtConfig,
        seed: int,
        input_px: int,
        precision: Precision | None = None,
        *,
        labels: tuple[str, ...] = (),
    ) -> None:
        """Build a network with random weights; device and precision are chosen as in `reopen`."""
        self._left = None
        asked = LoadModel(
            panel="model", source=BUILT, config=config, seed=seed, input_px=input_px, labels=labels
        )
        if (now := self._asked) is not None:
            asked = replace(asked, device=now.device, precision=precision or now.precision)
        self.ask(asked)

    def ask(self, request: LoadModel) -> None:
        """Load the model that a request names; the current one stays open until that succeeds."""
        if self.awaited is not None:
            self._passed_over = self._passed_over or self._asked
        self._asked = request
        self.asked.emit(request)
        self._request_id = self._bridge.ask(
            request, partial(self._take, request), on_failure=partial(self._fail, request)
        )

    def change(self, *, source: str = "", device: str = "", precision: Precision | None = None) -> None:
        """Load the model again with another source, device or precision; do nothing if there is no model."""
        now = self._asked
        if now is None:
            return
        device, precision = device or now.device, precision or now.precision
        if source and source != now.source:
            self.open(source, device, precision)
        else:
            self.ask(replace(now, device=device, precision=precision))

    def open_for_a_while(self, source: str) -> None:
        """Open a model temporarily; `reopen_left` returns to the one that the person chose."""
        left = self._left or self._loaded
        self.change(source=source)
        self._left = left

    def reopen_left(self) -> None:
        """Return to the model that `open_for_a_while` replaced, or to the default model if there is none."""
        left, self._left = self._left, None
        if left and (now := self._asked):
            self.ask(replace(left, device=now.device, precision=now.precision))
        else:
            self.change(source=default_model())

    def name_classes(self, labels: tuple[str, ...]) -> None:
        """Give other names to the classes of the open network; session and saved weights keep them."""
        if self._loaded is not None and labels:
            self._bridge.ask(
                NameClasses(panel="model", labels=labels),
                partial(self._classes_named, self._loaded, labels),
                on_failure=partial(self._refuse, MODEL),
            )

    def _classes_named(self, of: LoadModel, labels: tuple[str, ...], answer: Payload) -> None:
        if of is self._loaded and isinstance(answer, ModelInfo):
            is_asked = self._asked is of
            self._loaded = replace(of, labels=labels)
            if is_asked:
                self._asked = self._loaded
            self.succeeded.emit(MODEL)
            unit = self._state.unit
            self._state.set_model(answer)
            if unit is not None:  # It is the same network, whose units are where they were.
                self._state.set_unit(*unit)

    def read_class_names(self, path: str) -> None:
        """Name the classes as a text, JSON or CSV file says; one that does not fit is refused in a sentence."""
        self._background.read(
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
            self._tell(MODEL, f"{name} was read as class names, but no model is open yet.")
        elif why := why_unnamed(len(names), len(model.labels), model.has_classes):
            self._tell(MODEL, f"{name}: {why}")
        else:
            self.name_classes(tuple(names))

    def change_stem(self, stride: int, padding: int) -> None:
        """Load the model again with another stride and padding for its first convolution."""
        if self._asked is not None:
            self.ask(replace(self._asked, stem_stride=stride, stem_padding=padding))

    def change_normalisation(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        """Load the model again with another mean and deviation by which pictures are normalised."""
        if self._asked is not None:
            self.ask(replace(self._asked, mean=mean, std=std))

    def save(self, path: str, layout: WeightsLayout) -> None:
        """Write the weights of the open model to a file."""
        if self._state.model is not None:
            self._bridge.ask(
                SaveModel(panel="save", path=path, layout=layout, title=self._state.model.title),
                self._tell_saved,
                on_failure=partial(self._refuse, SAVE),
            )

    def _tell_saved(self, answer: Payload) -> None:
        if isinstance(answer, SavedModel):
            message = f"The weights were saved as {answer.path} ({answer.size_bytes / 1e6:,.1f} MB)."
            self.noticed.emit(Notice(SAVE, message, good=True, path=answer.path))

    def _take(self, request: LoadModel, answer: Payload) -> None:
        """Take the network that the engine has open now, even where another one was asked for meanwhile."""
        if not isinstance(answer, ModelInfo):
            return
        self._loaded, self._passed_over = request, None
        if request.config is None:  # A built model has no source to reopen it from.
            recent = latest_first(request.source, self._settings.values.recent_models)
            self._settings.update(recent_models=recent)
        if request.part:
            others = [known for known in self._settings.values.chosen_parts if known[0] != request.source]
            chosen = ((request.source, request.part), *others)
            self._settings.update(chosen_parts=chosen[:RECENT_COUNT])
        self.succeeded.emit(MODEL)
        self._state.set_model(answer)

    def take_first(self, request: LoadModel, model: ModelInfo) -> None:
        """Take the network that the engine has open as A now, without loading it.

        One that was asked for before the engine told of this still replaces it.
        """
        self._loaded = replace(request, panel="model")
        if self.awaited is None:
            self._asked = self._loaded
            self._passed_over = None
        self._left = None
        self._state.set_model(model)

    def _fail(self, request: LoadModel, failed: Failed) -> None:
        if request is self._asked and self._falls_back(request, failed):
            return
        self._refuse(MODEL, failed)
        if request is not self._asked:
            return
        passed_over, self._passed_over = self._passed_over, None
        if passed_over is not None:
            self.ask(passed_over)
        else:
            self._keep()

    def _falls_back(self, request: LoadModel, failed: Failed) -> bool:
        """Load the first model of a launch without the device and precision in the settings, if they fail."""
        values = self._settings.values
        is_kept = (request.device, request.precision) == (values.device, values.precision)
        if self._loaded is not None or not is_kept or (values.device, values.precision) == FIRST_CHOICE:
            return False
        device, precision = FIRST_CHOICE
        asked = f"{values.device} with {values.precision}"
        self._tell(DEVICE, f"{failed.message} The settings ask for {asked}; the program chooses for now.")
        self.ask(replace(request, device=device, precision=precision))
        return True

    def _keep(self) -> None:
        """Keep the open model, because the requested one will not be loaded."""
        self._passed_over = None
        if self._loaded is not None:
            self._asked = self._loaded
        self.refused.emit()

    def keep_if_cancelled(self, request_id: int) -> None:
        """Keep the open model if this request, which was cancelled, was to load another one."""
        if request_id == self._request_id:
            self._keep()

    def _refuse(self, topic: str, failed: Failed) -> None:
        self.noticed.emit(refusal(topic, failed))

    def _tell(self, topic: str, message: str, hint: str = "") -> None:
        self.noticed.emit(Notice(topic, message, hint))


def refusal(topic: str, failed: Failed) -> Notice:
    """Return the notice of a request that failed, which offers the CPU where a GPU has too little memory."""
    return Notice(topic, failed.message, failed.hint, offer=USE_CPU if failed.offers_cpu else "")
