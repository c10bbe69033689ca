"""File > Export asks for what is missing and writes the files of the command line from the same code."""

from collections.abc import Callable
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from convnext_studio.common.stopping import Stopped
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import ReceptiveField, ReceptiveFieldResult
from convnext_studio.protocol.similarity import Parts, PicturePart, PictureParts
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.widgets.message_bar import Notice
from tests.ui.conftest import INPUT_PX, FakeEngine, make_geometry, make_image, make_model, make_prediction


@pytest.fixture
def filled(controller: Controller, state: AppState, engine: FakeEngine) -> Controller:
    state.set_model(make_model())
    state.opened.add(make_image())
    engine.answer(engine.open(Predict)[0], make_prediction())
    return controller


def answer_maps(engine: FakeEngine) -> dict[str, np.ndarray]:
    maps = {}
    for request in engine.open(FeatureMaps):
        node = make_model().node(request.node)
        maps[node.name] = np.random.default_rng(len(maps)).normal(size=node.shape).astype(np.float32)
        result = FeatureMapsResult(
            image=request.image,
            node=node.name,
            maps=maps[node.name],
            field=node.field,
            geometry=make_geometry(),
        )
        engine.answer(request, result)
    return maps


def answer_field(engine: FakeEngine) -> None:
    request = engine.open(ReceptiveField)[0]
    field = np.random.default_rng(9).random((INPUT_PX, INPUT_PX))
    result = ReceptiveFieldResult(
        node=request.node,
        protocol=request.protocol,
        field_map=field,
        squares={"linear": (), "log": ()},
        centre_px=(32.0, 32.0),
        theoretical=make_model().node(request.node).field,
        unit=(1, 1),
        pictures=1,
        noises=7,
        skipped=0,
        count=request.count,
        random_weights=False,
    )
    engine.answer(request, result)


def test_the_stages_and_the_selected_node_are_written(
    filled: Controller, state: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    state.set_node("stage3.block1")
    notices: list[Notice] = []
    filled.noticed.connect(notices.append)
    filled.exporter.export(tmp_path)
    assert len({request.panel for request in engine.open(FeatureMaps)}) == 5
    maps = answer_maps(engine)
    assert list(tmp_path.iterdir()) == []
    answer_field(engine)
    qtbot.waitUntil(lambda: bool(notices), timeout=30_000)
    assert notices[-1].good
    folder = tmp_path / "one"
    assert sorted(maps) == ["stage1", "stage2", "stage3", "stage3.block1", "stage4"]
    for name, expected in maps.items():
        assert np.array_equal(np.load(folder / f"{name}.npy"), expected)
    prediction = state.prediction
    assert prediction is not None
    # Of the last stage, because no other one is explained.
    assert np.array_equal(np.load(folder / "gradcam.npy"), prediction.cams["stage4"])
    assert (folder / "report.html").is_file()


def test_what_changes_meanwhile_does_not_mix_into_it(
    filled: Controller, state: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    filled.exporter.export(tmp_path)
    state.opened.add(make_image("two", "/pictures/two.png"))
    answer_maps(engine)
    answer_field(engine)
    qtbot.waitUntil(lambda: not filled.background.is_busy, timeout=30_000)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_two_exports_in_a_row_are_both_written(
    filled: Controller, state: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    filled.exporter.export(tmp_path)
    state.opened.add(make_image("two", "/pictures/two.png"))
    engine.answer(engine.open(Predict)[0], make_prediction("two"))
    filled.exporter.export(tmp_path)
    # Of one panel's requests, the engine answers the last only.
    asked = [(type(each), each.panel) for kind in (FeatureMaps, ReceptiveField) for each in engine.open(kind)]
    assert len(set(asked)) == len(asked) == 2 * 5
    answer_maps(engine)
    while engine.open(ReceptiveField):
        answer_field(engine)
    qtbot.waitUntil(lambda: not filled.background.is_busy, timeout=30_000)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_maps_of_another_network_do_not_get_into_it(
    filled: Controller, state: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    notices: list[Notice] = []
    filled.noticed.connect(notices.append)
    filled.exporter.export(tmp_path)
    state.set_model(make_model("Another"))
    answer_field(engine)
    assert engine.open(FeatureMaps) == []
    qtbot.waitUntil(lambda: not filled.background.is_busy, timeout=30_000)
    assert [notice.message for notice in notices] == [
        "The export was cancelled: another network was opened meanwhile."
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_refused_part_ends_it_with_one_sentence(
    filled: Controller, engine: FakeEngine, tmp_path: Path
) -> None:
    notices: list[Notice] = []
    filled.noticed.connect(notices.append)
    filled.exporter.export(tmp_path)
    first, second, *_ = engine.open(FeatureMaps)
    for part in (first, second):
        engine.refuse(part, "Out of memory.")
    assert engine.open(FeatureMaps) == engine.open(ReceptiveField) == []
    assert [notice.message for notice in notices] == ["The export failed: Out of memory."]
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_export_says_that_nothing_was_written(
    filled: Controller, bridge: EngineBridge, engine: FakeEngine, tmp_path: Path
) -> None:
    """The person stops all, or one part of it in the list of activities: the others are of no use then."""
    notices: list[Notice] = []
    filled.noticed.connect(notices.append)
    filled.exporter.export(tmp_path)
    bridge.cancel(engine.open(ReceptiveField)[0].id)
    assert [notice.message for notice in notices] == [
        "The export of one.png was cancelled. Nothing was written."
    ]
    assert engine.open(FeatureMaps) == []
    assert list(tmp_path.iterdir()) == []


def test_it_can_be_stopped_while_it_is_drawn(
    filled: Controller, engine: FakeEngine, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices: list[Notice] = []
    filled.noticed.connect(notices.append)
    drawing, go_on = Event(), Event()

    def draw(*_: object, should_stop: Callable[[], bool]) -> list[Path]:
        drawing.set()
        go_on.wait(10)
        if should_stop():
            raise Stopped
        return [tmp_path / "report.html"]

    monkeypatch.setattr("convnext_studio.ui.state.exporter.export_picture", draw)
    for stops in (True, False):
        filled.exporter.export(tmp_path)
        answer_maps(engine)
        answer_field(engine)
        assert drawing.wait(10)
        if stops:
            filled.exporter.stop()
        go_on.set()
        qtbot.waitUntil(lambda: not filled.background.is_busy, timeout=30_000)
        qtbot.waitUntil(lambda: bool(notices), timeout=30_000)
        said = "was cancelled. Nothing was written" if stops else "1 files for one.png were written"
        assert said in notices.pop().message


def test_a_folder_that_cannot_be_written_is_told(
    filled: Controller, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "one").write_text("in the way")
    notices: list[Notice] = []
    filled.noticed.connect(notices.append)
    filled.exporter.export(tmp_path)
    answer_maps(engine)
    answer_field(engine)
    qtbot.waitUntil(lambda: bool(notices), timeout=30_000)
    assert not notices[-1].good
    assert "one" in notices[-1].message


def test_without_a_prediction_there_is_nothing_to_export(
    controller: Controller, engine: FakeEngine, tmp_path: Path
) -> None:
    assert not controller.exporter.is_possible
    controller.exporter.export(tmp_path)
    assert engine.asked == []


def test_parts_are_written_as_a_label_image(filled: Controller, tmp_path: Path, qtbot: QtBot) -> None:
    notices: list[Notice] = []
    filled.noticed.connect(notices.append)
    shown = PictureParts(image="one", labels=np.array([[0, 1], [2, -1]], np.int32), geometry=make_geometry())
    parts = Parts(
        node="stage4",
        method="kmeans",
        vectors="direction",
        parts=tuple(PicturePart(area=0.25, pictures=1) for _ in range(3)),
        pictures=(shown,),
        field=make_model().node("stage4").field,
        error=0.0,
        seen=1,
        total=1,
        has_shares=True,
    )
    path = tmp_path / "labels.png"
    filled.exporter.export_labels(path, parts, shown, ("Ear", "", ""), frozenset({2}))
    qtbot.waitUntil(lambda: bool(notices), timeout=30_000)
    assert notices[-1].good
    with Image.open(path) as file:
        assert (file.mode, file.size) == ("P", (90, 60))
        labels = set(np.unique(np.asarray(file)).tolist())
        names = {key: file.info[key] for key in file.info if key.startswith("label")}
    assert labels == {0, 1, 2}
    assert names == {"label 1": "Ear", "label 2": "Part 2"}
    filled.exporter.export_labels(tmp_path / "labels.jpg", parts, shown, (), frozenset())
    qtbot.waitUntil(lambda: len(notices) == 2, timeout=30_000)
    assert not notices[-1].good
