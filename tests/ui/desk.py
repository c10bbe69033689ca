"""A panel's surroundings without an engine: what is asked is counted, and the test answers when it likes."""

import numpy as np
from msgspec.structs import replace
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.engine.client.client import EngineClient, Listener
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import head_parameters, node_table, total_macs, total_parameters
from convnext_studio.protocol.attributions import Explanation
from convnext_studio.protocol.channels import Patch
from convnext_studio.protocol.envelope import Cancelled, Done, Failed, Message, Payload, Progress, Request
from convnext_studio.protocol.maps import FeatureMapsResult
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.protocol.receptive_fields import ReceptiveFieldResult, Square
from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.turns import Turns

TINY = ConvNeXtConfig(num_classes=3, depths=(1, 1, 2, 1), dims=(4, 6, 8, 10))
"""Few channels; strides as in ConvNeXt-T."""
TUTORIAL = replace(TINY, kernel_size=3, stem_stride=1, stem_padding=1)


class SilentClient(EngineClient):
    """Stands in for the engine: keeps the requests, says nothing of itself."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Request] = []
        self.cancelled: list[int] = []
        self.tell: Listener = lambda _message: None

    def listen(self, listener: Listener) -> None:
        self.tell = listener

    def ask(self, request: Request) -> int:
        self.asked.append(replace(request, id=len(self.asked) + 1))
        return len(self.asked)

    def cancel(self, identifier: int) -> None:
        self.cancelled.append(identifier)
        self.tell(Cancelled(id=identifier))


def take_turns(turns: Turns) -> None:
    """Let everything be shown that waits for its turn."""
    QApplication.processEvents()
    while not turns.is_free:
        QApplication.processEvents()


class Desk:
    """State, bridge, and the other end of the bridge."""

    def __init__(self, qtbot: QtBot) -> None:
        self.qtbot = qtbot
        self.client = SilentClient()
        self.state = AppState()
        self.bridge = EngineBridge(self.client, self.state.turns)
        self.read_outs: list[str] = []
        self.state.hovered.connect(self.read_outs.append)

    @property
    def asked(self) -> list[Request]:
        return self.client.asked

    def show(self, widget: QWidget, width: int = 640, height: int = 480) -> None:
        self.qtbot.addWidget(widget)
        widget.resize(width, height)
        widget.show()
        self.qtbot.waitExposed(widget)

    def tell(self, *messages: Message) -> None:
        for message in messages:
            self.client.tell(message)
        self.take_turns()

    def take_turns(self) -> None:
        take_turns(self.state.turns)

    def answer(self, payload: Payload, identifier: int | None = None) -> None:
        """Answer a request, the last where none is named."""
        self.tell(Done(id=identifier or len(self.asked), payload=payload, seconds=0.1))

    def fail(self, message: str, hint: str = "", smaller_px: int = 0) -> None:
        self.tell(Failed(id=len(self.asked), message=message, hint=hint, smaller_px=smaller_px))

    def cancel(self) -> None:
        self.tell(Cancelled(id=len(self.asked)))

    def progress(self, done: int, total: int, partial: Payload) -> None:
        self.tell(Progress(id=len(self.asked), done=done, total=total, text="", partial=partial))


def model(config: ConvNeXtConfig = TINY, input_px: int = 64, random_weights: bool = False) -> ModelInfo:
    nodes = node_table(config, input_px)
    return ModelInfo(
        source="preset:test",
        title="Test",
        random_weights=random_weights,
        notes=(),
        config=config,
        nodes=nodes,
        labels=("tabby cat", "espresso", "rocket"),
        parameters=total_parameters(nodes, config),
        macs=total_macs(nodes, config),
        input_px=input_px,
        device="cpu",
        device_name="CPU",
        precision="float32",
    )


def picture(key: str = "cat", size: tuple[int, int] = (120, 80), colour: int = 100) -> ImageInfo:
    """One grey; the preview is half the size, as of a large picture."""
    preview = np.full((size[1] // 2, size[0] // 2, 3), colour, dtype=np.uint8)
    return ImageInfo(
        key=key,
        name=f"{key}.png",
        path=f"/tmp/{key}.png",
        size=size,
        notes=("Only the first of 3 frames is used.",),
        preview=preview,
        thumbnail=preview,
    )


CROP = CropGeometry(picture_size=(120, 80), resized_size=(120, 80), crop_origin=(28, 8), input_size=(64, 64))
"""64 × 64 out of the middle of 120 × 80, not resized."""


def feature_maps(desk: Desk, node: str, maps: np.ndarray | None = None) -> FeatureMapsResult:
    """By default each value says where it is: 10 000 channel + 100 row + column."""
    assert desk.state.model is not None
    info = desk.state.model.node(node)
    channel, row, column = np.indices(info.shape)
    values = 10_000 * channel + 100 * row + column if maps is None else maps
    return FeatureMapsResult(
        image="cat", node=node, maps=values.astype(np.float32), field=info.field, geometry=CROP
    )


def prediction(desk: Desk, target: int = 0, sign: float = 1.0) -> Prediction:
    assert desk.state.model is not None
    shapes = {stage: desk.state.model.node(stage).shape[1:] for stage in desk.state.model.config.stages}
    cams = {
        stage: (sign * np.arange(1, 1 + height * width, dtype=np.float32)).reshape(height, width)
        for stage, (height, width) in shapes.items()
    }
    return Prediction(
        image="cat",
        logits=np.array([2.5, 0.5, -1], dtype=np.float32),
        probabilities=np.array([0.86, 0.117, 0.023], dtype=np.float32),
        stage_means={stage: np.zeros(shape, dtype=np.float32) for stage, shape in shapes.items()},
        target=target,
        cams=cams,
        geometry=CROP,
    )


def receptive_field(desk: Desk, node: str, pictures: int = 1, noises: int = 7) -> ReceptiveFieldResult:
    assert desk.state.model is not None
    info = desk.state.model.node(node)
    field_map = np.zeros((64, 64))
    field_map[32, 20] = 9.0
    half = (
        Square(threshold=0.2, side_px=4, area_ratio=16 / 4096),
        Square(threshold=0.5, side_px=16, area_ratio=1 / 16),
    )
    return ReceptiveFieldResult(
        node=node,
        protocol="centred",
        field_map=field_map,
        squares={"linear": half, "log": (*half, Square(threshold=0.99, side_px=60, area_ratio=3600 / 4096))},
        centre_px=(32.0, 32.0),
        theoretical=info.field,
        unit=(info.shape[1] // 2, info.shape[2] // 2),
        pictures=pictures,
        noises=noises,
        skipped=0,
        count=8,
        random_weights=False,
    )


def explanation_with(**changed: object) -> Explanation:
    """Grad-CAM of class 0 on the cat, without maps; what is given is otherwise."""
    values: dict[str, object] = {
        "image": "cat",
        "method": "gradcam",
        "nodes": ("stage4",),
        "maps": {},
        "target_maps": {},
        "against_maps": {},
        "fields": {},
        "target": 0,
        "against": None,
        "output": "logit",
        "score": 2.5,
        "parameters": {},
        "delta": None,
        "notes": (),
        "geometry": CROP,
        "random_weights": False,
        "seconds": 0.1,
    }
    return Explanation(**(values | changed))


def patch(image: str, y: int, x: int, value: float, is_clipped: bool = False) -> Patch:
    """A grey part of a picture."""
    return Patch(
        image=image,
        y=y,
        x=x,
        value=value,
        pixels=np.full((20, 30, 3), 90, dtype=np.uint8),
        box=(1.0, 2.0, 30.0, 20.0),
        is_clipped=is_clipped,
        is_global=False,
    )


def total_head(info: ModelInfo) -> int:
    return head_parameters(info.config)


def colour_at(view: ImageView, x: float, y: float) -> tuple[int, int, int]:
    """What is seen at a point of the scene."""
    image = view.grab().toImage()
    place = view.to_widget(x, y)
    ratio = image.devicePixelRatio()
    colour = QColor(image.pixel(int(place.x() * ratio), int(place.y() * ratio)))
    return colour.red(), colour.green(), colour.blue()


def point_at(view: QWidget, place: QPointF) -> None:
    """Move the pointer there, no button pressed; whatever widget is there hears it."""
    none = Qt.MouseButton.NoButton
    under = view.childAt(place.toPoint()) or view
    event = QMouseEvent(
        QMouseEvent.Type.MouseMove,
        under.mapFrom(view, place),
        view.mapToGlobal(place),
        none,
        none,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(under, event)


def click_at(view: QWidget, place: QPointF) -> None:
    QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(int(place.x()), int(place.y())))
