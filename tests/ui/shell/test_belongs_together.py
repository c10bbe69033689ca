"""Whatever is opened in whatever order, a panel never shows one network's content under another one's name."""

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.models import LoadModel
from convnext_studio.ui.panels.base import Panel
from convnext_studio.ui.panels.panel_query import PanelQuery
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.selection.two_answers import SHOWN
from tests.networks import small_model, write_weights
from tests.ui.stepped_engine import SteppedEngine

SEQUENCES = 30
QUICK = 2  # The others do the same at a larger scale, and are marked as slow.
NODES = ("stem", "stage1", "stage2", "stage4", "stage3.block1.dwconv", "stage4.block1")
DOCKS = ("receptive_field", "picture", "field_lab", "contact_sheet", "feature_maps", "attribution", "evidence")


class Onlooker(QObject):
    """Looks at the whole window whenever anything in it is painted."""

    def __init__(self, window: StudioWindow, engine: SteppedEngine) -> None:
        super().__init__()
        self._window, self._engine = window, engine
        self.faults: list[str] = []
        self.frames = 0
        self._has_looked = False
        self.contents_seen: set[str] = set()
        self.of_second: set[str] = set()

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
        second = self._window.state.second
        if model is not None and not panel.compares and panel.marks_random_weights != model.random_weights:
            self.faults.append(f"{name}: the badge is not that of {model.title}")
        if panel.compares and panel.marks_random_weights != second.marks_random_weights:
            self.faults.append(f"{name}: the badge is not that of {second.title}")
        if query is None or query.answer is None:
            return
        if query.second is not None:
            self._look_at_second(name, query)
        self.contents_seen.add(name)
        owner = self._engine.owner(query.answer)
        if owner is not model:
            titles = [each.title if each is not None else "none" for each in (owner, model)]
            self.faults.append(f"{name}: computed by {titles[0]}, shown under {titles[1]}")
        image = getattr(query.answer, "image", None)
        picture = self._window.state.picture
        if query.is_current and image is not None and (picture is None or picture.key != image):
            self.faults.append(f"{name}: current, but of another picture")

    def _look_at_second(self, name: str, query: PanelQuery) -> None:
        """What a panel shows of two networks is that of the two that are open."""
        state, answer = self._window.state, query.second.answer if query.second is not None else None
        open_now = (state.model, state.second.model, state.second.shown)
        if query._content._shown_of != open_now:
            self.faults.append(f"{name}: shows {state.second.shown}, but of other networks")
        if answer is not None:
            self.of_second.add(name)
            owner = self._engine.owner(answer)
            if owner is not state.second.model:
                self.faults.append(f"{name}: computed by {owner and owner.title}, shown as B")
        elif state.second.shown != "first" and query.is_current and not query.is_running:
            self.faults.append(f"{name}: shows {state.second.shown} without an answer of B")

    def _look_at_facts(self) -> None:
        """The Model panel shows one network's name and numbers, or those of none."""
        panel, model = self._window.panels.model, self._window.state.model
        texts = {label.accessibleName(): label.text() for label in panel._facts.values()}
        is_loading = self._window.controller.models._asked is not self._window.controller.models.loaded
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
    "seed", [pytest.param(seed, marks=pytest.mark.slow if seed >= QUICK else ()) for seed in range(SEQUENCES)]
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
        controller.models.open(sources[seed % 3], "cpu")
        controller.open_paths(paths)
        engine.finish()
        for _ in range(12):
            # Evidence takes hundreds of passes.
            act(rng, window, sources, DOCKS if seed >= QUICK else DOCKS[:-1])
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


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=pytest.mark.slow if seed >= QUICK else ()) for seed in range(SEQUENCES)]
)
def test_what_is_shown_of_two_networks_is_that_of_the_two(
    seed: int,
    tmp_path: Path,
    qapp: QApplication,
    qtbot: QtBot,
    controller: Controller,
    engine: SteppedEngine,
    window: StudioWindow,
) -> None:
    """The same with a second network, which is opened, replaced, swapped with the first and closed."""
    rng = random.Random(1000 + seed)
    sources, paths = models(tmp_path), pictures(tmp_path)
    window.resize(1900, 1000)
    onlooker = Onlooker(window, engine)
    qapp.installEventFilter(onlooker)
    try:
        controller.models.open(sources[seed % 3], "cpu")
        controller.open_paths(paths)
        controller.second.open(LoadModel(source=sources[(seed + 1) % 3], device="cpu"))
        engine.finish()
        for _ in range(14):
            if rng.random() < 0.6:
                act_on_two(rng, window, sources)
            else:
                act(rng, window, sources, DOCKS[:-1])
            for _ in range(rng.choice((0, 1, 3, 10))):
                engine.step()
            qapp.processEvents()
        controller.second.open(LoadModel(source=sources[0], device="cpu"))
        qtbot.waitUntil(lambda: engine.finish() and window.is_settled, timeout=60_000)
        qapp.processEvents()
    finally:
        qapp.removeEventFilter(onlooker)
    assert not onlooker.faults, "\n".join(sorted(set(onlooker.faults)))
    assert {"FeatureMapsPanel", "AttributionPanel"} <= onlooker.of_second


def act_on_two(rng: random.Random, window: StudioWindow, sources: list[str]) -> None:
    """Do one thing that a person might do with two networks."""
    second = window.controller.second
    match rng.choice(("open", "open", "shown", "shown", "shown", "swap", "close", "close_first", "curtain")):
        case "open":
            second.open(LoadModel(source=rng.choice(sources), device="cpu"))
        case "shown":
            window.state.second.choice.choose(rng.choice(SHOWN))
        case "swap":
            second.swap()
        case "close":
            second.close()
        case "close_first":
            second.close_first()
        case "curtain":
            window.state.second.choice.move_curtain(rng.random())


def act(rng: random.Random, window: StudioWindow, sources: list[str], docks: tuple[str, ...]) -> None:
    """Do one thing that a person might do."""
    state, controller = window.state, window.controller
    match rng.choice(("model", "model", "picture", "node", "unit", "class", "panel")):
        case "panel":
            window.dock_layout.show_panel(rng.choice(docks))
        case "model":
            controller.models.open(rng.choice(sources), "cpu")
        case "picture":
            state.opened.step(rng.choice((-1, 1)))
        case "node":
            name = rng.choice(NODES)
            if state.model is not None and any(node.name == name for node in state.model.nodes):
                state.set_node(name)
        case "unit":
            state.set_unit(rng.randrange(2), rng.randrange(2))
        case "class":
            state.set_target(rng.choice((None, 0, 3)))
