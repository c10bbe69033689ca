"""While something is being opened, nothing says that it is not open."""

import pytest

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.protocol.models import BUILT, LoadModel
from convnext_studio.protocol.pictures import CloseImage, ListPictures, OpenImage, PictureFailure, ShowPicture
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.controller import Controller
from convnext_studio.ui.state.selection.awaited import NO_MODEL, NO_PICTURE, NOTHING_OPEN
from tests.ui.conftest import FakeEngine, answer_listing, make_image, make_model


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (("/photos/tench.jpg",), "tench.jpg"),
        (("/photos", "/b.png", "/c.png"), "photos and 2 more"),
        (("sample:cat",), "cat"),
        (("/", "/a.png"), "/ and 1 more"),
        (("/photos/two\nlines.png",), "two⏎lines.png"),
    ],
)
def test_files_are_called_by_their_names(state: AppState, paths: tuple[str, ...], names: str) -> None:
    request = ListPictures(id=3, paths=paths)
    state.awaited.begin(request)
    assert state.awaited.why_no_picture == state.awaited.invitation == f"Opening {names} …"
    state.awaited.end(request)
    assert state.awaited.why_no_picture == NOTHING_OPEN
    assert state.awaited.invitation == NO_PICTURE


def test_it_is_told_only_what_changes_a_sentence(state: AppState) -> None:
    told: list[str] = []
    state.awaited.changed.connect(lambda: told.append(state.awaited.picture))
    for request in (CloseImage(id=1, images=("a",)), LoadModel(id=2, source="bundled", network="B")):
        state.awaited.begin(request)
        state.awaited.end(request)
    assert told == []
    pasted = OpenImage(id=4, data=b"", name="Pasted picture 1")
    state.awaited.begin(pasted)
    state.awaited.end(pasted)
    assert told == ["Opening Pasted picture 1 …", ""]
    assert state.awaited.why_no_model == NO_MODEL


def test_a_source_is_being_opened_until_its_first_frame(state: AppState) -> None:
    state.awaited.follow_source("Camera 1")
    assert state.awaited.why_no_picture == "Opening Camera 1 …"
    state.awaited.follow_source("")
    assert state.awaited.why_no_picture == NOTHING_OPEN


@pytest.mark.parametrize(
    ("request_", "name"),
    [
        (LoadModel(source="bundled"), "the bundled model"),
        (LoadModel(source="timm:hf-hub:timm/convnext_tiny"), "timm:hf-hub:timm/convnext_tiny"),
        (LoadModel(source="/weights/mine.pth"), "mine.pth"),
        (LoadModel(source=BUILT, config=ConvNeXtConfig()), "the built network"),
    ],
)
def test_a_model_is_called_by_its_name(state: AppState, request_: LoadModel, name: str) -> None:
    assert request_.name == name
    state.awaited.begin(request_)
    assert state.awaited.why_no_model == f"Opening {name} …"


def test_pictures_are_awaited_from_the_drop_until_one_is_shown(
    state: AppState, controller: Controller, engine: FakeEngine
) -> None:
    one = make_image()
    controller.open_paths([one.path, "/pictures/two.png"])
    assert state.awaited.picture == "Opening one.png and 1 more …"
    seen: list[str] = []
    state.opened.picture_chosen.connect(lambda _: seen.append(state.awaited.picture))
    answer_listing(engine, one)
    assert seen == ["Opening one.png …"]  # It was listed and chosen, but not decoded.
    assert state.picture is not None


def test_a_picture_that_cannot_be_opened_is_awaited_no_longer(
    state: AppState, controller: Controller, engine: FakeEngine
) -> None:
    one = make_image()
    controller.open_paths([one.path])
    failure = PictureFailure(path=one.path, message="It is damaged.", key=one.key)
    answer_listing(engine, failures=[failure])
    assert state.awaited.picture == ""
    controller.pictures.add([one.listed], one.listed)
    assert state.awaited.picture == "Opening one.png …"
    engine.answer(engine.open(ShowPicture)[-1], failure)
    assert state.awaited.picture == ""


def test_the_newest_model_is_awaited_and_none_after_a_failure(
    state: AppState, controller: Controller, engine: FakeEngine
) -> None:
    controller.models.open("bundled")
    controller.models.open("/weights/mine.pth")
    assert state.awaited.why_no_model == "Opening mine.pth …"
    for request in engine.open(LoadModel)[::-1]:
        engine.refuse(request, "It cannot be opened.")
    while asked := engine.open(LoadModel):
        engine.refuse(asked[0], "It cannot be opened.")
    assert state.awaited.why_no_model == NO_MODEL
    state.set_model(make_model())
