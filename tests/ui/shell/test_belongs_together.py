"""Whatever is opened in whatever order, a panel never shows one network's content under another one's name."""

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs
from PIL import Image
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.engine.server.faults import failure
from convnext_studio.engine.server.scheduler import Scheduler
from convnext_studio.protocol.envelope import Answer, Cancelled, Done, Payload, Progress, Request, Started
from convnext_studio.protocol.models import LoadModel, ModelInfo
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.controller import Controller
from tests.networks import small_model, write_weights
from tests.ui.conftest import FakeEngine

SEQUENCES = 30
NODES = ("stem", "stage1", "stage2", "stage4", "stage3.block1.dwconv", "stage4.block1")
DOCKS = ("receptive_field", "picture", "field_lab", "contact_sheet", "feature_maps", "attribution", "evidence")


class SteppedEngine(FakeEngine):
    """The real engine's handlers and scheduler in this thread, computing one step whenever the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self._scheduler = Scheduler()
        self._dispatcher = Dispatcher()
        self._model: ModelInfo | None = None
        self._owners: dict[int, tuple[object, ModelInfo | None]] = {}

    def ask(self, request: Request) -> int:
        identifier = super().ask(request)
        self._scheduler.add(self.asked[-1])
        return identifier

    def cancel(self, identifier: int) -> None:
        # As the client does, at once; and without processing events, which would paint half a change.
        if identifier in self._open:
            self._open.discard(identifier)
            self._listener(Cancelled(id=identifier))
        self._scheduler.cancel(identifier)

    def step(self) -> bool:
        """Compute one step and tell the window; return whether there was anything to do."""
        job = self._scheduler.next()
        if job is None:
            return False
        identifier = job.request.id
        message: Progress | Done | Cancelled
        try:
            if job.cancelled:
                message = Cancelled(id=identifier)
            else:
                if job.work is None:
                    self.send(Started(id=identifier))
                    job.work = self._dispatcher.answer(job.request, lambda: job.cancelled)
                message = next(job.work)
                self._own(message.partial)
        except StopIteration as finished:
            if isinstance(job.request, LoadModel):
                self._model = finished.value
            self._own(finished.value)
            message = Done(id=identifier, payload=finished.value, seconds=0.0)
        except Exception as error:
            message = failure(identifier, error)
        if not isinstance(message, Progress):
            self._scheduler.finish(job)
        if identifier in self._open or isinstance(message, Progress):
            if not isinstance(message, Progress):
                self._open.discard(identifier)
            self.send(message)
        return True

    def finish(self) -> bool:
        """Compute everything that was asked so far, and return True."""
        while self.step():
            pass
        return True

    def owner(self, answer: object) -> ModelInfo | None:
        """Return the network that computed an answer, or the arrays of which the window made it."""
        found = [self._owners[id(each)][1] for each in parts(answer) if id(each) in self._owners]
        assert found, f"nobody computed {type(answer).__name__}"
        assert all(each is found[0] for each in found)
        return found[0]

    def _own(self, payload: Payload) -> None:
        for each in parts(payload):
            # Kept with the owner, so that no other object gets the same id.
            self._owners.setdefault(id(each), (each, self._model))


def parts(value: object) -> Iterator[object]:
    """Yield an answer and all arrays inside it."""
    if isinstance(value, Answer):
        yield value
        for field in structs.fields(value):
            yield from parts(getattr(value, field.name))
    elif isinstance(value, dict):
        yield from itertools.chain.from_iterable(map(parts, value.values()))
    elif isinstance(value, tuple):
        yield from itertools.chain.from_iterable(map(parts, value))
    elif isinstance(value, np.ndarray):
        yield value


class Onlooker(QObject):
    """Looks at the whole window whenever anything in it is painted."""

    def __init__(self, window: StudioWindow, engine: SteppedEngine) -> None:
        super().__init__()
        self._window, self._engine = window, engine
        self.faults: list[str] = []
        self.frames = 0
        self._has_looked = False
        self.contents_seen: set[str] = set()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() != QEvent.Type.Paint:
            self._has_looked = False
        elif isinstance(watched, QWidget) and not self._has_looked:
            # Nothing changes between the paint events of one frame.
            self._has_looked = True
            self.frames += 1
            for panel in self._window.findChildren(Panel):
                if panel.isVisible():
                    self._look_at(panel)
            self._look_at_facts()
        return False

    def _look_at(self, panel: Panel) -> None:
        model, query, name = self._window.state.model, panel._query, type(panel).__name__
        if not panel.is_of_model or not panel.shows_body:
            return
        if model is not None and panel.marks_random_weights != model.random_weights:
            self.faults.append(f"{name}: the badge is not that of {model.title}")
        if query is None or query.answer is None:
            return
        self.contents_seen.add(name)
        owner = self._engine.owner(query.answer)
        if owner is not model:
            titles = [each.title if each is not None else "none" for each in (owner, model)]
            self.faults.append(f"{name}: computed by {titles[0]}, shown under {titles[1]}")
        image = getattr(query.answer, "image", None)
        picture = self._window.state.picture
        if query.is_current and image is not None and (picture is None or picture.key != image):
            self.faults.append(f"{name}: current, but of another picture")

    def _look_at_facts(self) -> None:
        """The Model panel shows one network's name and numbers, or those of none."""
        panel, model = self._window.model_panel, self._window.state.model
        texts = {label.accessibleName(): label.text() for label in panel._facts.values()}
        is_loading = self._window.controller._asked_model is not self._window.controller.loaded
        if is_loading or model is None:
            if set(texts.values()) != {"–"} or panel._title.text() == (model and model.title):
                self.faults.append(f"Model: {panel._title.text()} with {texts} while another one is loading")
        elif (panel._title.text(), texts["Parameters"]) != (model.title, f"{model.parameters:,}"):
            self.faults.append(f"Model: {panel._title.text()} with {texts}, but {model.title} is open")


@pytest.fixture
def engine() -> SteppedEngine:
    return SteppedEngine()


def pictures(folder: Path) -> list[str]:
    rng = np.random.default_rng(0)
    paths = []
    for name, size in (("a", (40, 60)), ("b", (70, 50)), ("c", (64, 64))):
        path = folder / f"{name}.png"
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
        paths.append(str(path))
    return paths


def models(folder: Path) -> list[str]:
    """Files of three networks that differ in width, kernel and weights, and one of random weights."""
    changes = ({}, {"dims": (6, 8, 10, 12)}, {"kernel_size": 7, "depths": (1, 1, 2, 1)})
    paths = []
    for seed, change in enumerate(changes):
        path = folder / f"network{seed}.safetensors"
        write_weights(path, small_model(seed, **change))
        paths.append(str(path))
    return [*paths, "bundled-random"]


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=pytest.mark.slow if seed >= 5 else ()) for seed in range(SEQUENCES)]
)
def test_content_caption_and_badge_belong_together(
    seed: int,
    tmp_path: Path,
    qapp: QApplication,
    qtbot: QtBot,
    controller: Controller,
    engine: SteppedEngine,
    window: StudioWindow,
) -> None:
    rng = random.Random(seed)
    sources, paths = models(tmp_path), pictures(tmp_path)
    window.resize(1900, 1000)  # Room for all panels at once.
    onlooker = Onlooker(window, engine)
    qapp.installEventFilter(onlooker)
    try:
        controller.open_model(sources[seed % 3], "cpu")
        controller.open_paths(paths)
        engine.finish()
        for _ in range(12):
            # Evidence takes hundreds of passes.
            act(rng, window, sources, DOCKS if seed >= 5 else DOCKS[:-1])
            for _ in range(rng.choice((0, 1, 3, 10))):
                engine.step()
            qapp.processEvents()
        # The evidence of a map takes hundreds of passes.
        qtbot.waitUntil(lambda: engine.finish() and window.is_settled, timeout=60_000)
    finally:
        qapp.removeEventFilter(onlooker)
    assert not onlooker.faults, "\n".join(sorted(set(onlooker.faults)))
    assert onlooker.frames > 50
    assert {"FeatureMapsPanel", "AttributionPanel"} <= onlooker.contents_seen


def act(rng: random.Random, window: StudioWindow, sources: list[str], docks: tuple[str, ...]) -> None:
    """Do one thing that a person might do."""
    state, controller = window.state, window.controller
    match rng.choice(("model", "model", "picture", "node", "unit", "class", "panel")):
        case "panel":
            window.dock_layout.show_panel(rng.choice(docks))
        case "model":
            controller.open_model(rng.choice(sources), "cpu")
        case "picture":
            state.step_picture(rng.choice((-1, 1)))
        case "node":
            name = rng.choice(NODES)
            if state.model is not None and any(node.name == name for node in state.model.nodes):
                state.set_node(name)
        case "unit":
            state.set_unit(rng.randrange(2), rng.randrange(2))
        case "class":
            state.set_target(rng.choice((None, 0, 3)))
