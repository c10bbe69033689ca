"""A session is written from what is open, and opened again as far as it is there."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from convnext_studio.protocol.models import BUILT, LoadModel
from convnext_studio.protocol.pictures import (
    CheckedPictures,
    CheckPictures,
    CloseImage,
    ListedPictures,
    ListPictures,
    PictureFailure,
    ShowPicture,
)
from convnext_studio.protocol.similarity import Basis, KeptBasis
from convnext_studio.ui.panels.attribution.attribution_controls import FOLLOWING
from convnext_studio.ui.shell.window import StudioWindow
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.opening.session_document import (
    VERSION,
    SavedSession,
    SessionModel,
    SessionPicture,
    read_session,
    to_text,
)
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.control_values import control_values
from convnext_studio.ui.widgets.message_bar import Notice
from tests.ui.conftest import FOUR_STAGES, FakeEngine, make_image, make_model

DIGEST = "ab" * 32


def write(path: Path, session: SavedSession) -> str:
    path.write_text(to_text(session, path.parent))
    return str(path)


def test_both_networks_are_kept(
    window: StudioWindow,
    controller: Controller,
    state: AppState,
    engine: FakeEngine,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    controller.models.open("preset:small")
    engine.answer(engine.open(LoadModel)[0], make_model())
    controller.second.open(LoadModel(source="timm:other", untrained=True, seed=3))
    engine.answer(engine.open(LoadModel)[0], make_model("Other"))
    state.second.choice.choose("difference")
    path = tmp_path / "two.cnxsession"
    window.sessions.save(path)
    qtbot.waitUntil(path.exists)
    saved = read_session(path)
    assert saved.second == SessionModel(source="timm:other", untrained=True, seed=3, precision="float32")
    assert saved.shown == "difference"
    controller.second.close()
    state.second.choice.choose("first")
    opened(window, str(path), engine, qtbot)
    # The message that the session was saved is still there, so more has to be waited for.
    qtbot.waitUntil(lambda: len(engine.open(LoadModel)) == 2)
    networks = {request.network: request for request in engine.open(LoadModel)}
    assert networks["A"].source == "preset:small"
    assert (networks["B"].source, networks["B"].untrained, networks["B"].seed) == ("timm:other", True, 3)
    engine.answer(networks["B"], make_model("Other"))
    assert state.second.model is not None
    assert state.second.shown == "difference"


def opened(window: StudioWindow, path: str, engine: FakeEngine, qtbot: QtBot) -> None:
    """Read the file; what follows is in the engine's hands."""
    asked = len(engine.asked)
    window.controller.open_paths([path])
    qtbot.waitUntil(lambda: len(engine.asked) > asked or bool(window.messages.text))


def test_what_is_open_is_written(
    window: StudioWindow,
    controller: Controller,
    state: AppState,
    engine: FakeEngine,
    settings: SettingsFile,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    controller.models.open("preset:small", stem_stride=1)
    engine.answer(engine.open(LoadModel)[0], make_model())
    inside = make_image("one", str(tmp_path / "one.png"))
    for image in (inside, make_image("two", "/far/two.png"), make_image("cat", "sample:cat")):
        state.opened.add(image)
    state.opened.select("two")
    state.set_node("stage2")
    state.set_channel(3)
    state.set_unit(1, 2)
    state.set_target(5)
    state.attributions.set_explaining(replace(state.attributions.explaining, against=7, output="difference"))
    path = tmp_path / "monday.cnxsession"
    window.sessions.save(path)
    [check] = engine.open(CheckPictures)
    assert (check.images, check.with_sha256) == (("one", "two"), True)
    engine.answer(check, CheckedPictures(failures=(), sha256={"one": DIGEST}))
    qtbot.waitUntil(path.exists)
    content = json.loads(path.read_text())
    assert content["version"] == VERSION
    assert content["pictures"][0] == {"path": "one.png", "sha256": DIGEST}
    session = read_session(path)
    assert session.model == SessionModel(source="preset:small", stem_stride=1, precision="float32")
    assert [picture.path for picture in session.pictures] == [inside.path, "/far/two.png", "sample:cat"]
    assert (session.picture, session.node, session.channel) == (1, "stage2", 3)
    assert (session.unit, session.target, session.against) == ((1, 2), 5, 7)
    assert window.dock_layout.restore(session.layout)
    assert any(isinstance(value, str) for value in session.panels["attribution"].values())
    qtbot.waitUntil(lambda: settings.values.recent_sessions == (str(path),))
    assert [each.name for each in tmp_path.iterdir() if each.suffix] == ["monday.cnxsession"]


def test_a_session_whose_saving_is_stopped_says_so(
    window: StudioWindow, state: AppState, engine: FakeEngine, tmp_path: Path
) -> None:
    state.opened.add(make_image("one", str(tmp_path / "one.png")))
    path = tmp_path / "monday.cnxsession"
    window.sessions.save(path)
    [check] = engine.open(CheckPictures)
    window.stop_work()
    assert check.id in engine.cancelled
    assert "Nothing was written" in window.messages.text
    assert not path.exists()


def test_model_selection_and_pictures_come_back(
    filled_window: StudioWindow, state: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    session = SavedSession(
        model=SessionModel(source="other.pth", stem_padding=2),
        pictures=(SessionPicture(path="/a.png"), SessionPicture(path="/b.png")),
        picture=1,
        node="stage2",
        channel=3,
        unit=(1, 2),
        target=5,
        against=7,
    )
    opened(filled_window, write(tmp_path / "s.cnxsession", session), engine, qtbot)
    [model] = engine.open(LoadModel)
    assert (model.source, model.stem_padding) == ("other.pth", 2)
    assert [request.images for request in engine.open(CloseImage)] == [("one",)]
    [listing] = engine.open(ListPictures)
    assert listing.paths == ("/a.png", "/b.png")
    engine.answer(model, make_model("Other"))
    assert (state.node, state.channel, state.unit, state.target) == ("stage2", 3, (1, 2), 5)
    assert (state.attributions.explaining.against, state.attributions.explaining.output) == (7, "difference")
    pictures = make_image("a", "/a.png"), make_image("b", "/b.png")
    engine.answer(listing, ListedPictures(pictures=tuple(each.listed for each in pictures), checked=2))
    assert [request.image for request in engine.open(ShowPicture)] == ["b"]
    [check] = engine.open(CheckPictures)
    engine.answer(check, CheckedPictures(failures=()))
    assert filled_window.messages.text == ""


def test_what_is_missing_or_changed_is_named_and_the_rest_is_there(
    window: StudioWindow, state: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    names = ("same", "changed", "gone", "broken", "unknown")
    session = SavedSession(
        pictures=tuple(
            SessionPicture(path=f"/{name}.png", sha256="" if name == "unknown" else DIGEST) for name in names
        )
    )
    opened(window, write(tmp_path / "s.cnxsession", session), engine, qtbot)
    gone = PictureFailure(path="/gone.png", message="There is no file “/gone.png”.")
    there = tuple(make_image(name, f"/{name}.png").listed for name in names if name != "gone")
    engine.answer(engine.open(ListPictures)[0], ListedPictures(pictures=there, checked=2, failures=(gone,)))
    assert "1 picture could not be opened: gone.png." in window.messages.text
    broken = PictureFailure(path="/broken.png", message="“broken.png” is damaged.", key="broken")
    sha256 = {"same": DIGEST, "changed": "cd" * 32, "unknown": DIGEST}
    engine.answer(engine.open(CheckPictures)[0], CheckedPictures(failures=(broken,), sha256=sha256))
    assert "2 pictures could not be opened: gone.png, broken.png." in window.messages.text
    assert "1 picture changed since it was saved: changed.png." in window.messages.text
    assert [picture.name for picture in state.opened.all] == ["same.png", "changed.png", "unknown.png"]


def test_a_built_network_is_built_again(
    window: StudioWindow, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    model = SessionModel(source=BUILT, config=FOUR_STAGES.to_dict(), seed=3, input_px=64)
    opened(window, write(tmp_path / "s.cnxsession", SavedSession(model=model)), engine, qtbot)
    [request] = engine.open(LoadModel)
    assert (request.source, request.config, request.seed, request.input_px) == (BUILT, FOUR_STAGES, 3, 64)


@pytest.mark.parametrize("config", [{"depths": 3}, {"unknown": 1}, {"dims": ["a"]}])
def test_a_network_that_cannot_be_built_is_told(
    window: StudioWindow, engine: FakeEngine, tmp_path: Path, qtbot: QtBot, config: dict[str, object]
) -> None:
    model = SessionModel(source=BUILT, config=config)
    opened(window, write(tmp_path / "s.cnxsession", SavedSession(model=model)), engine, qtbot)
    assert engine.open(LoadModel) == []
    assert "cannot be built" in window.messages.text


def test_a_selection_that_the_model_does_not_have_is_left_out(
    window: StudioWindow, state: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    session = SavedSession(model=SessionModel(source="m.pth"), node="stage9", unit=(999, 0), target=999)
    opened(window, write(tmp_path / "s.cnxsession", session), engine, qtbot)
    engine.answer(engine.open(LoadModel)[0], make_model())
    assert (state.node, state.unit, state.target) == ("stage2", None, None)


def test_panels_are_set_as_they_were(
    filled_window: StudioWindow, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    panel = filled_window.panels.attribution
    method = next(box for box in panel.findChildren(QComboBox) if box.accessibleName())
    name, before = method.accessibleName(), method.currentText()
    other = next(method.itemText(row) for row in range(method.count()) if method.itemText(row) != before)
    session = SavedSession(
        model=SessionModel(source="m.pth"), panels={"attribution": {name: other}, "gone": {"x": 1}}
    )
    opened(filled_window, write(tmp_path / "s.cnxsession", session), engine, qtbot)
    engine.answer(engine.open(LoadModel)[0], make_model("Other"))
    assert method.currentText() == other


@pytest.mark.parametrize(
    ("content", "told"),
    [("{", "not a session"), ('{"format": "convnext-studio session", "version": 9}', "newer version")],
)
def test_a_file_that_is_no_session_is_told_and_changes_nothing(
    filled_window: StudioWindow,
    state: AppState,
    engine: FakeEngine,
    tmp_path: Path,
    qtbot: QtBot,
    content: str,
    told: str,
) -> None:
    path = tmp_path / "s.cnxsession"
    path.write_text(content)
    before = state.picture
    notices: list[Notice] = []
    filled_window.controller.noticed.connect(notices.append)  # The command line listens there.
    filled_window.controller.open_paths([str(path)])
    qtbot.waitUntil(lambda: told in filled_window.messages.text)
    assert [told in notice.message for notice in notices] == [True]
    assert state.picture == before
    assert engine.open(LoadModel) == engine.open(ListPictures) == engine.open(CloseImage) == []


def test_the_notice_of_a_failed_session_goes_when_another_opens(
    filled_window: StudioWindow, tmp_path: Path, qtbot: QtBot
) -> None:
    damaged, sound = tmp_path / "damaged.cnxsession", tmp_path / "sound.cnxsession"
    damaged.write_text("{")
    filled_window.controller.open_paths([str(damaged)])
    qtbot.waitUntil(lambda: "damaged.cnxsession" in filled_window.messages.text)
    filled_window.controller.open_paths([write(sound, SavedSession())])
    qtbot.waitUntil(lambda: "damaged.cnxsession" not in filled_window.messages.text)


@pytest.mark.parametrize("saved", ["logit", "probability"])
def test_without_a_class_against_it_the_output_is_the_sessions(
    filled_window: StudioWindow, state: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot, saved: str
) -> None:
    """Also where the control says already what the session has, while a difference of classes is explained."""
    output = filled_window.panels.attribution.target.output
    output.setCurrentIndex(output.findData("probability"))
    state.attributions.set_explaining(replace(state.attributions.explaining, against=7, output="difference"))
    text = output.itemText(output.findData(saved))
    session = SavedSession(panels={"attribution": {output.accessibleName(): text}}, node="stage3")
    opened(filled_window, write(tmp_path / "s.cnxsession", session), engine, qtbot)
    qtbot.waitUntil(lambda: state.node == "stage3")
    assert (state.attributions.explaining.against, state.attributions.explaining.output) == (None, saved)
    assert output.currentData() == saved


def test_a_class_that_the_model_has_not_is_left_out(
    filled_window: StudioWindow, state: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    session = SavedSession(target=500, against=500, node="stage3")
    opened(filled_window, write(tmp_path / "s.cnxsession", session), engine, qtbot)
    qtbot.waitUntil(lambda: state.node == "stage3")
    assert (state.target, state.attributions.explaining.against, state.attributions.explaining.output) == (
        None,
        None,
        "logit",
    )


def test_the_pinned_stage_and_the_look_of_the_map_are_restored(
    filled_window: StudioWindow, state: AppState, engine: FakeEngine, tmp_path: Path, qtbot: QtBot
) -> None:
    panel = filled_window.panels.attribution
    panel.where.pin_stage("stage2")
    panel.look.resolution.choose(False)
    panel.look.part.choose("signed")
    saved = control_values(panel)
    panel.where.pin_stage(FOLLOWING)
    panel.look.resolution.choose(True)
    panel.look.part.choose("positive")
    session = SavedSession(panels={"attribution": saved}, node="stage3")
    opened(filled_window, write(tmp_path / "s.cnxsession", session), engine, qtbot)
    qtbot.waitUntil(lambda: state.node == "stage3")
    assert panel.where.pinned == "stage2"
    assert state.attributions.explaining.nodes == ("stage2",)
    assert (panel.look.shading.smooth, panel.look.shading.part) == (False, "signed")


@pytest.mark.parametrize(
    ("device", "saved", "asked", "is_told"),
    [
        ("cpu", "bfloat16", "float32", True),
        ("cuda:0", "bfloat16", "bfloat16", False),
        ("cuda:0", "float32", "float32", False),
        ("cuda:0", "", "bfloat16", False),
    ],
)
def test_the_precision_comes_back_where_the_device_has_it(
    filled_window: StudioWindow,
    controller: Controller,
    engine: FakeEngine,
    tmp_path: Path,
    qtbot: QtBot,
    device: str,
    saved: Any,
    asked: str,
    is_told: bool,
) -> None:
    controller.models.open("preset:small", precision="bfloat16" if device != "cpu" else "float32")
    engine.answer(engine.open(LoadModel)[0], make_model(device=device))
    session = SavedSession(model=SessionModel(source="other.pth", precision=saved))
    opened(filled_window, write(tmp_path / "s.cnxsession", session), engine, qtbot)
    [model] = engine.open(LoadModel)
    assert model.precision == asked
    assert ("float32 is used here" in filled_window.messages.text) is is_told


def test_kept_components_come_back(
    window: StudioWindow,
    controller: Controller,
    state: AppState,
    engine: FakeEngine,
    tmp_path: Path,
    qtbot: QtBot,
) -> None:
    controller.models.open("preset:small")
    engine.answer(engine.open(LoadModel)[0], make_model())
    basis = Basis(
        node="stage2",
        network="Small",
        origin="cat.png",
        numbers=bytes(range(32)),
        shares=(0.75,),
        ends=((-1.0, 2.0),),
        positions=9,
    )
    kept = KeptBasis(name="Monday", basis=basis)
    state.kept.set_bases((kept,))
    path = tmp_path / "monday.cnxsession"
    window.sessions.save(path)
    qtbot.waitUntil(path.exists)
    assert read_session(path).bases == (kept,)
    state.kept.set_bases(())
    window.controller.open_paths([str(path)])
    qtbot.waitUntil(lambda: bool(engine.open(LoadModel)))
    engine.answer(engine.open(LoadModel)[-1], make_model())
    assert state.kept.bases == (kept,)
