"""Views that paint what they show, with a row of controls below."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from PySide6.QtCore import QRectF, QSignalBlocker, Qt, QTimer
from PySide6.QtGui import QColor, QHideEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.lecture.designs import Convolution
from convnext_studio.lecture.setting import NodeName
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.ui.lecture.views.live_view import AskingView
from convnext_studio.ui.lecture.views.read_plot import ReadPlot
from convnext_studio.ui.plots.ink import Ink, InkCanvas
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip

DENSE = (
    "The convolutions of this network are dense: no channel has its own kernel. Open a "
    "ConvNeXt with depthwise convolutions to see such kernels."
)

OPEN_A_CONVNEXT = "Open a ConvNeXt to see it."


class PaintedView(AskingView):
    """A view with a canvas and a row of controls below it, whose initial values are the settings.

    Attributes
    ----------
    canvas
        Where `paint` paints.
    contents
        What is shown above the controls: the canvas, and plots beside it or in its place.
    controls
        The row below it, or the last of them.
    """

    needs_model = False
    needs_picture = False
    name = ""

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.canvas = InkCanvas(self.paint, self.name)
        self._body = QWidget()
        self._column = QVBoxLayout(self._body)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(8)
        self.contents = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self.contents.addWidget(self.canvas, 1)
        self._column.addLayout(self.contents, 1)
        self.controls = self.new_row()
        self.set_body(self._body)

    def questions(self) -> Sequence[Request] | str:
        """Ask for nothing, because the view needs no engine."""
        return ()

    def show_answers(self, _answers: tuple[Payload, ...]) -> None:
        """Paint."""
        self.canvas.update()

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the contents."""
        raise NotImplementedError

    def set_dimmed(self, dimmed: bool) -> None:
        """Dim the contents while a newer request is running."""
        self.canvas.set_dimmed(dimmed)
        for plot in self.findChildren(ReadPlot):
            plot.plot.setEnabled(not dimmed)

    def set_text_px(self, px: int) -> None:
        """Scale all text, and the gap between canvas and plots with it."""
        super().set_text_px(px)
        self.contents.setSpacing(px)

    # --------------------------------------------------------------------------------------- controls

    def hide_controls(self) -> None:
        """Hide the rows of controls."""
        for child in self._body.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            if self.contents.indexOf(child) < 0:
                child.hide()

    def new_row(self) -> QHBoxLayout:
        """Start another row of controls."""
        self.controls = QHBoxLayout()
        self.controls.setSpacing(12)
        self._column.addLayout(self.controls)
        return self.controls

    def add_choice(
        self, label: str, tip: str, items: Iterable[tuple[str, str]], chosen: str, changed: Callable[[], None]
    ) -> QComboBox:
        """Add a combo box of (text, data) after its label."""
        box = QComboBox()
        for text, data in items:
            box.addItem(text, data)
        box.setCurrentIndex(max(box.findData(chosen), 0))
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self._add(label, tip, box)
        box.currentIndexChanged.connect(changed)
        return box

    def add_slider(
        self, label: str, tip: str, least: int, most: int, value: int, changed: Callable[[], None]
    ) -> QSlider:
        """Add a slider after its label."""
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(least, most)
        slider.setValue(value)
        slider.setMinimumWidth(120)
        self._add(label, tip, slider, 1)
        slider.valueChanged.connect(changed)
        return slider

    def add_button(self, text: str, tip: str, clicked: Callable[[], None]) -> QPushButton:
        """Add a button."""
        button = QPushButton(text)
        button.setAccessibleName(text)
        button.setToolTip(plain_tip(tip))
        button.clicked.connect(clicked)
        self.controls.addWidget(button)
        return button

    def add_play(self, tip: str, interval_ms: int, step: Callable[[], None]) -> "PlayButton":
        """Add a play button, which is stopped at first and whenever the view is hidden."""
        button = PlayButton(tip, interval_ms, step)
        self.controls.addWidget(button)
        return button

    def _add(self, label: str, tip: str, control: QWidget, stretch: int = 0) -> None:
        text = PlainLabel(label)
        text.setBuddy(control)
        control.setAccessibleName(label)
        control.setToolTip(plain_tip(tip))
        self.controls.addWidget(text)
        self.controls.addWidget(control, stretch)


class PlayButton(QPushButton):
    """A button that runs an animation while it is pressed."""

    def __init__(self, tip: str, interval_ms: int, step: Callable[[], None]) -> None:
        super().__init__("▶ Play")
        self.setCheckable(True)
        self.setAccessibleName("Play")
        self.setToolTip(plain_tip(tip))
        self._timer = QTimer(self)
        self._timer.setInterval(interval_ms)
        self._timer.timeout.connect(step)
        self.toggled.connect(self._toggle)

    def _toggle(self, plays: bool) -> None:
        self.setText("■ Stop" if plays else "▶ Play")
        if plays:
            self._timer.start()
        else:
            self._timer.stop()

    def hideEvent(self, event: QHideEvent) -> None:
        """Stop the animation when the view is hidden."""
        self.setChecked(False)
        super().hideEvent(event)


BLOCK = NodeName(
    help="The block; if the network does not have it, the nearest one",
    default="stage1.block1",
)


class BlockView(PaintedView):
    """A view of a block of the open network, with a choice of the block below.

    Attributes
    ----------
    blocks
        The box that chooses.
    """

    needs_model = True
    needs_picture = True

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self._wanted = settings["block"]
        self.blocks = self.add_choice("Block", "The block to show", (), "", self._choose)
        self._fill(state.model)

    @property
    def block(self) -> str:
        """The name of the current block; empty if the network has none."""
        return str(self.blocks.currentData() or "")

    def questions(self) -> Sequence[Request] | str:
        """Return what to ask about the block, or why nothing can be shown."""
        model = self.state.model
        assert model is not None
        self._fill(model)
        if not self.block:
            return f"{model.title} is not a ConvNeXt, so its blocks cannot be shown here. {OPEN_A_CONVNEXT}"
        return self.block_questions()

    def block_questions(self) -> Sequence[Request] | str:
        """Return what to ask about the block."""
        raise NotImplementedError

    def caption(self) -> str:
        """Return the caption: model, weights, picture, block."""
        return self.subject(self.block) if self.block else self.subject()

    def _choose(self) -> None:
        self._wanted = self.block
        self.prepare()

    def _fill(self, model: ModelInfo | None) -> None:
        """List the blocks of the model, and keep the wanted one."""
        names = [] if model is None else blocks_of(model)
        if names == [self.blocks.itemData(index) for index in range(self.blocks.count())]:
            return
        still = QSignalBlocker(self.blocks)
        self.blocks.clear()
        for name in names:
            assert model is not None
            self.blocks.addItem(model.node(name).title, name)
        if names:
            self.blocks.setCurrentIndex(self.blocks.findData(nearest_block(names, self._wanted)))
        still.unblock()


def set_range(slider: QSlider, most: int, value: int | None = None) -> None:
    """Set the range of a slider from 0 to `most` and its value, without signals."""
    still = QSignalBlocker(slider)
    slider.setRange(0, most)
    if value is not None:
        slider.setValue(value)
    still.unblock()


def blocks_of(model: ModelInfo) -> list[str]:
    """Return the names of the blocks of a ConvNeXt, in order; none for other networks."""
    inside = {node.parent for node in model.nodes if node.operation == "dwconv"}
    return [node.name for node in model.nodes if node.kind == "block" and node.name in inside]


def nearest_block(names: Sequence[str], wanted: str) -> str:
    """Return the wanted block, or the nearest one before it, or the first."""

    def place(name: str) -> tuple[int, ...]:
        return tuple(int("0" + "".join(filter(str.isdigit, part))) for part in name.split("."))

    return max((name for name in names if place(name) <= place(wanted)), key=place, default=names[0])


def kind_colour(ink: Ink, conv: Convolution) -> QColor:
    """Return the colour of a convolution that mixes positions, channels, or both."""
    look = ink.look
    return QColor({"dense": look.muted, "depthwise": look.warning, "pointwise": look.accent}[conv.kind])
