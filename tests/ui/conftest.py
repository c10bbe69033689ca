"""An engine that answers when the test says so, and what it could answer."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from convnext_studio.common.geometry import CropGeometry
from convnext_studio.common.interventions import Change
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.framing import Framing
from convnext_studio.model.nodes import node_table, total_macs, total_parameters
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.protocol.envelope import Cancelled, Done, Failed, Message, Payload, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import (
    ImageInfo,
    ListedPictures,
    ListPictures,
    OpenImage,
    PictureFailure,
    ShowPicture,
)
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.start.internal_errors import contain_errors
from convnext_studio.ui.start.launch import collect_between_events
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.background import Background
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.state.turns import Turns
from convnext_studio.ui.widgets import text_size, theme
from tests.leaks import delete_later_now
from tests.ui.desk import take_turns


@pytest.fixture(scope="session", autouse=True)
def _collect_as_the_program_does(qapp: QApplication) -> None:
    collect_between_events(qapp)


# As in the program: what an event handler raises is told to pytest-qt, which fails the test.
contain_errors()

Kind = TypeVar("Kind", bound=Request)
INPUT_PX = 64
CLASSES = 12


FOUR_STAGES = ConvNeXtConfig(num_classes=CLASSES, depths=(1, 1, 2, 1), dims=(4, 6, 8, 10))


def make_model(
    title: str = "Small",
    random_weights: bool = False,
    device: str = "cpu",
    config: ConvNeXtConfig = FOUR_STAGES,
) -> ModelInfo:
    """A model of four narrow stages, or of another config; its table is the real one."""
    nodes = node_table(config, INPUT_PX)
    return ModelInfo(
        source="preset:small",
        title=title,
        random_weights=random_weights,
        notes=("A note.",),
        config=config,
        nodes=nodes,
        labels=(*(f"thing {index}" for index in range(CLASSES - 2)), "crane", "crane"),
        parameters=total_parameters(nodes, config),
        macs=total_macs(nodes, config),
        input_px=INPUT_PX,
        device=device,
        device_name="A processor",
        precision="float32",
    )


def change_all(state: AppState) -> None:
    """Open another picture and another network, and change all that panels follow."""
    state.awaited.begin(OpenImage(id=99, path="other.png"))
    state.opened.add(make_image("other"))
    state.set_model(make_model("Another"))
    state.set_node("stage1")
    state.set_unit(0, 0)
    state.set_target(1)
    state.set_framing(Framing(kind="whole"))
    state.interventions.add(Change(node="stage1"))
    state.second.shown_changed.emit()


def make_image(key: str = "one", path: str = "") -> ImageInfo:
    """A picture of noise, wider than high."""
    pixels = np.random.default_rng(sum(key.encode())).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    path = path or f"/pictures/{key}.png"
    return ImageInfo(
        key=key,
        name=Path(path).name,
        path=path,
        size=(90, 60),
        notes=("Alpha was composited on white.",),
        preview=pixels,
        thumbnail=np.ascontiguousarray(pixels[::2, ::2]),
    )


def make_geometry() -> CropGeometry:
    """Where the input lies in the picture of `make_image`."""
    return Preprocessing(input_px=INPUT_PX).geometry((90, 60))


def make_cams(target: int, model: ModelInfo | None = None) -> dict[str, NDArray[np.float32]]:
    """Signed noise at every stage."""
    nodes = (model or make_model()).nodes
    rng = np.random.default_rng(target)
    return {
        node.name: rng.normal(size=node.shape[1:]).astype(np.float32) for node in nodes if node.kind == "stage"
    }


def make_prediction(
    image: str = "one", target: int | None = None, seed: int = 0, model: ModelInfo | None = None
) -> Prediction:
    """Logits of noise with their softmax."""
    logits = np.random.default_rng(seed).normal(size=CLASSES).astype(np.float32)
    exponentials = np.exp(logits - logits.max())
    top = int(np.argmax(logits))
    target = top if target is None else target
    cams = make_cams(target, model)
    return Prediction(
        image=image,
        logits=logits,
        probabilities=exponentials / exponentials.sum(),
        stage_means={name: np.abs(cam) for name, cam in cams.items()},
        target=target,
        cams=cams,
        geometry=make_geometry(),
    )


class FakeEngine:
    """Takes the client's place: keeps what is asked, until the test answers it."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.cancelled: list[int] = []
        self.is_closed = False
        self.turns = Turns()  # Until a window has its own.
        self._open: set[int] = set()
        self._listener: Callable[[Message], None] = lambda _: None

    def listen(self, listener: Callable[[Message], None]) -> None:
        self._listener = listener

    def ask(self, request: Request) -> int:
        identifier = len(self.asked) + 1
        self.asked.append(replace(request, id=identifier))
        self._open.add(identifier)
        return identifier

    def cancel(self, identifier: int) -> None:
        self.cancelled.append(identifier)
        if identifier in self._open:
            self._open.discard(identifier)
            self.send(Cancelled(id=identifier))

    def close(self) -> None:
        self.is_closed = True

    def open(self, kind: type[Kind]) -> list[Kind]:
        """What was asked of one kind and is not answered yet, oldest first."""
        return [request for request in self.asked if isinstance(request, kind) and request.id in self._open]

    def answer(self, request: Request, payload: Payload, seconds: float = 0.084) -> None:
        self._open.discard(request.id)
        self.send(Done(id=request.id, payload=payload, seconds=seconds))

    def refuse(self, request: Request, message: str, hint: str = "") -> None:
        self._open.discard(request.id)
        self.send(Failed(id=request.id, message=message, hint=hint))

    def send(self, message: Message) -> None:
        """Bring a message to the window, and let the window take notice."""
        self._listener(message)
        take_turns(self.turns)


def answer_listing(engine: FakeEngine, *pictures: ImageInfo, failures: Sequence[PictureFailure] = ()) -> None:
    """Find these pictures, all sound, where the window has asked for some; and decode what it wants to show."""
    [request] = engine.open(ListPictures)
    listed = tuple(picture.listed for picture in pictures)
    engine.answer(request, ListedPictures(pictures=listed, checked=len(listed), failures=tuple(failures)))
    by_key = {picture.key: picture for picture in pictures}
    for wanted in engine.open(ShowPicture):
        engine.answer(wanted, by_key[wanted.image])


@pytest.fixture(autouse=True)
def settings_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the person's own settings out of it."""
    folder = tmp_path / "settings"
    monkeypatch.setenv("CONVNEXT_STUDIO_CONFIG_DIR", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _usual_look() -> Iterator[None]:
    """Take back a theme and a text size that a test has chosen, once its widgets are gone.

    Each test so begins with Qt's own look, whatever ran before. It is the quicker one, too: with a style sheet,
    Qt takes half as long again for a window.
    """
    yield
    application = QApplication.instance()
    if not isinstance(application, QApplication):
        return
    if application.styleSheet() or text_size.current_pt() != text_size.system_size_pt():
        delete_later_now()
        application.styleHints().unsetColorScheme()
        application.setStyleSheet("")
        application.setPalette(QPalette())
        for control in theme.OUTLINED:
            application.setPalette(QPalette(), cast(bytes, control))  # The stubs require bytes, as in `theme`.
        text_size.apply(application, text_size.AS_SYSTEM)


@pytest.fixture
def dark(qapp: QApplication) -> None:
    """The look of the program's first launch; ask for it before the window, which then is made with it."""
    theme.apply(qapp, theme.DARK)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def state() -> AppState:
    return AppState()


@pytest.fixture
def bridge(qapp: QApplication, engine: FakeEngine, state: AppState) -> Iterator[EngineBridge]:
    engine.turns = state.turns
    yield EngineBridge(engine, state.turns)
    qapp.processEvents()  # Nothing that was sent last reaches the next test.


@pytest.fixture
def settings() -> SettingsFile:
    return SettingsFile()


@pytest.fixture
def background() -> Iterator[Background]:
    background = Background()
    yield background
    background.close()


@pytest.fixture
def controller(state: AppState, bridge: EngineBridge, settings: SettingsFile) -> Iterator[Controller]:
    controller = Controller(state, bridge, settings)
    yield controller
    controller.close()


@pytest.fixture
def window(
    qtbot: QtBot, state: AppState, bridge: EngineBridge, controller: Controller, settings: SettingsFile
) -> StudioWindow:
    """The whole window, shown, with the fake engine behind it."""
    window = StudioWindow(state, bridge, controller, settings)
    qtbot.addWidget(window)
    window.resize(1366, 768)
    window.show()
    qtbot.waitExposed(window)
    return window


@pytest.fixture
def filled_window(window: StudioWindow, state: AppState, engine: FakeEngine) -> StudioWindow:
    """The window with a model, a picture and its prediction."""
    state.set_model(make_model())
    state.opened.add(make_image())
    engine.answer(engine.open(Predict)[-1], make_prediction())
    return window
