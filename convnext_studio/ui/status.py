"""The status bar: what is under the pointer, where the network runs, how long it took, what is being done."""

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QLabel, QProgressBar, QPushButton, QSizePolicy, QStatusBar, QWidget

from convnext_studio.engine.messages import (
    Attribute,
    ChannelMap,
    ChannelStatistics,
    CheckSanity,
    CloseImage,
    CompareMethods,
    Done,
    Explain,
    ExplainSeveral,
    FeatureMaps,
    FieldGrowth,
    Kernel,
    ListPretrained,
    LoadModel,
    MeasureCosts,
    MeasureFaithfulness,
    ModelInfo,
    NodeValues,
    OpenField,
    OpenImage,
    Predict,
    Progress,
    ReceptiveField,
    Request,
    SaveModel,
    StrongestPatches,
    UnitField,
)
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.state import AppState

# Work that is over sooner is not announced: a flicker tells nothing.
ANNOUNCE_AFTER_MS = 150
# Qt's bar counts in 32 bits; the bytes of a download do not fit.
LARGEST_STEP = 1 << 30

# What only a lecture asks is called computing: the window is hidden then.
DOING: dict[type[Request], str] = {
    LoadModel: "Loading the model",
    ListPretrained: "Listing pretrained models",
    OpenImage: "Opening a picture",
    CloseImage: "Closing a picture",
    Predict: "Running the network",
    FeatureMaps: "Computing feature maps",
    Attribute: "Computing Grad-CAM",
    Explain: "Computing the attribution",
    ExplainSeveral: "Explaining all pictures",
    MeasureFaithfulness: "Inserting and deleting",
    CheckSanity: "Randomising the weights",
    CompareMethods: "Comparing the methods",
    ReceptiveField: "Averaging the receptive field",
    NodeValues: "Reading the nodes' values",
    MeasureCosts: "Timing the nodes",
    ChannelMap: "Computing a channel",
    ChannelStatistics: "Computing the channels' numbers",
    Kernel: "Reading a kernel",
    UnitField: "Computing a unit's field",
    StrongestPatches: "Searching the strongest patches",
    FieldGrowth: "Measuring the field's growth",
    OpenField: "Opening a receptive field",
    SaveModel: "Saving the weights",
}
TIMED: dict[type[Request], str] = {
    Predict: "forward + backward",
    Attribute: "Grad-CAM",
    Explain: "attribution",
    FeatureMaps: "feature maps",
    ReceptiveField: "receptive field",
    UnitField: "unit's field",
    FieldGrowth: "field growth",
}


class StatusBar(QStatusBar):
    """Listens to the state and to the bridge; its Cancel button stops all that is being computed."""

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._seconds: dict[type[Request], float] = {}
        self._engine_is_ready = False
        self.setSizeGripEnabled(False)
        self.hover = _label("Under the pointer")
        self.hover.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.doing = _label("What is being done")
        self.progress = QProgressBar()
        self.progress.setFixedSize(140, 12)
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Progress")
        self.progress.setToolTip("Progress of what is being computed")
        self.cancel = QPushButton("Cancel")
        self.cancel.setAccessibleName("Cancel what is being computed")
        self.cancel.setToolTip("Stop what is being computed (Esc)")
        self.cancel.clicked.connect(bridge.cancel_all)
        self.timings = _label("Last timings", "How long the last answers took to compute")
        self.device = _label("Device and precision", "Where the network runs, and in which precision")
        self.addWidget(self.hover, 1)
        for widget in (self.doing, self.progress, self.cancel, self.timings, self.device):
            self.addPermanentWidget(widget)
        self._announce = QTimer(self)
        self._announce.setSingleShot(True)
        self._announce.setInterval(ANNOUNCE_AFTER_MS)
        self._announce.timeout.connect(self._show_busy)
        self._show_busy()

        state.hovered.connect(self.hover.setText)
        state.model_loaded.connect(self._show_device)
        bridge.request_asked.connect(self._asked)
        bridge.request_started.connect(self._started)
        bridge.progressed.connect(self._progressed)
        bridge.request_finished.connect(self._finished)
        bridge.engine_ready.connect(lambda _: self._set_engine_ready(True))
        bridge.engine_lost.connect(lambda _: self._set_engine_ready(False))

    def _show_device(self, model: ModelInfo) -> None:
        self.device.setText(f"{model.device_name}, {model.precision}")

    def _asked(self, _request: Request) -> None:
        if not self.cancel.isVisible() and not self._announce.isActive():
            self._announce.start()

    def _started(self, request: Request) -> None:
        # An engine that works has started, even where its word came before this window listened.
        self._engine_is_ready = True
        self.progress.setRange(0, 0)
        self.doing.setText(f"{DOING.get(type(request), 'Computing')}…")

    def _progressed(self, progress: Progress) -> None:
        unit = 1 + progress.total // LARGEST_STEP
        self.progress.setRange(0, progress.total // unit)
        self.progress.setValue(progress.done // unit)
        if progress.text:
            self.doing.setText(progress.text)

    def _finished(self, finished: tuple[Request, object]) -> None:
        request, answer = finished
        if isinstance(answer, Done) and type(request) in TIMED:
            self._seconds.pop(type(request), None)
            self._seconds[type(request)] = answer.seconds
            self._show_timings()
        if not self._bridge.pending:
            self._announce.stop()
            self._show_busy()

    def _show_timings(self) -> None:
        """The network's own time, which people compare, and that of the latest other answer."""
        others = [kind for kind in self._seconds if kind is not Predict]
        shown = ([Predict] if Predict in self._seconds else []) + others[-1:]
        self.timings.setText(" · ".join(f"{TIMED[kind]} {spoken(self._seconds[kind])}" for kind in shown))

    def _set_engine_ready(self, is_ready: bool) -> None:
        self._engine_is_ready = is_ready
        if self.cancel.isVisible():
            self._show_busy()

    def _show_busy(self) -> None:
        pending = self._bridge.pending
        if pending and not self._engine_is_ready:
            self.progress.setRange(0, 0)
            self.doing.setText("Starting the engine…")
        for widget in (self.doing, self.progress, self.cancel):
            widget.setVisible(bool(pending))


def spoken(seconds: float) -> str:
    """A duration for people: "< 1 ms", "84 ms", "2.4 s"."""
    if seconds < 0.001:
        return "< 1 ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def _label(name: str, tip: str = "") -> QLabel:
    label = QLabel()
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setAccessibleName(name)
    label.setToolTip(tip)
    return label
