"""Intents become requests, and only answers that are still wanted reach the state."""

import base64
import io
import os
import socket
import sys
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QByteArray, QMimeData, QUrl
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from convnext_studio.model.presets import default_model
from convnext_studio.protocol.envelope import EngineLost, EngineReady
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import (
    CheckedPictures,
    CheckPictures,
    CloseImage,
    ListedPictures,
    ListPictures,
    OpenImage,
    PictureFailure,
    ShowPicture,
)
from convnext_studio.protocol.predictions import Predict
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.controller import Controller, encode_png
from convnext_studio.ui.state.opening.picture_opener import MOST_DECODED, PICTURES
from convnext_studio.ui.state.settings import SettingsFile
from convnext_studio.ui.widgets.message_bar import Notice
from tests.ui.conftest import (
    CLASSES,
    FakeEngine,
    answer_listing,
    make_image,
    make_model,
    make_prediction,
)


@pytest.fixture
def notices(controller: Controller) -> list[Notice]:
    collected: list[Notice] = []
    controller.noticed.connect(collected.append)
    return collected


@pytest.fixture
def ready(controller: Controller, state: AppState, engine: FakeEngine) -> Predict:
    """A model and a picture are open; the prediction that was asked for."""
    controller.models.open("preset:small")
    engine.answer(engine.open(LoadModel)[0], make_model())
    controller.open_paths(["/pictures/one.png"])
    answer_listing(engine, make_image())
    [request] = engine.open(Predict)
    assert (request.image, request.target, state.prediction) == ("one", None, None)
    return request


# ------------------------------------------------------------------------------------------------- pictures


def failure(path: str, message: str, hint: str = "", key: str = "") -> PictureFailure:
    return PictureFailure(path=path, message=message, hint=hint, key=key)


def test_several_pictures_keep_their_order_and_only_the_first_is_decoded(
    controller: Controller, state: AppState, engine: FakeEngine, settings: SettingsFile
) -> None:
    paths = ["/pictures/b.png", "/pictures/a.png", "/pictures/c.png"]
    controller.open_paths(paths)
    assert engine.open(ListPictures)[0].paths == tuple(paths)
    answer_listing(engine, *(make_image(path, path) for path in paths))
    assert [picture.path for picture in state.opened.all] == paths
    assert [request.image for request in engine.asked if isinstance(request, ShowPicture)] == paths[:1]
    assert state.picture is not None
    assert state.picture.path == paths[0]
    assert settings.values.recent_pictures == tuple(reversed(paths))


def test_a_folder_is_recent_and_its_pictures_are_not(
    controller: Controller, engine: FakeEngine, settings: SettingsFile
) -> None:
    controller.open_paths(["/pictures"])
    [request] = engine.open(ListPictures)
    pictures = tuple(make_image(key, f"/pictures/{key}").listed for key in ("a", "b"))
    engine.answer(request, ListedPictures(pictures=pictures, checked=2, folders=("/pictures",)))
    assert settings.values.recent_folders == ("/pictures",)
    assert settings.values.recent_pictures == ()


def test_a_broken_picture_makes_way_for_the_next(
    controller: Controller, state: AppState, engine: FakeEngine, notices: list[Notice]
) -> None:
    controller.open_paths(["/cut.png", "/good.png"])
    [request] = engine.open(ListPictures)
    cut, good = make_image("cut", "/cut.png"), make_image("good", "/good.png")
    engine.answer(request, ListedPictures(pictures=(cut.listed, good.listed), checked=2))
    [first] = engine.open(ShowPicture)
    engine.answer(first, failure("/cut.png", "cut.png is cut off.", key="cut"))
    assert notices[-1].message == "1 of 2 could not be opened: cut.png is cut off."
    [second] = engine.open(ShowPicture)
    engine.answer(second, good)
    assert state.picture is good
    assert [picture.key for picture in state.opened.all] == ["good"]


def test_what_is_found_broken_later_is_added_to_the_summary(
    controller: Controller, state: AppState, engine: FakeEngine, notices: list[Notice]
) -> None:
    controller.open_paths(["/folder"])
    images = [make_image(str(number), f"/folder/{number}.png") for number in range(4)]
    [request] = engine.open(ListPictures)
    engine.answer(
        request,
        ListedPictures(
            pictures=tuple(image.listed for image in images),
            checked=1,
            failures=(failure("/folder/x.png", "x.png is empty."),),
            folders=("/folder",),
        ),
    )
    assert notices[-1].message == "1 of 5 could not be opened: x.png is empty."
    [check] = engine.open(CheckPictures)
    assert (check.images, check.decodes) == (("1", "2", "3"), True)
    found = (failure("/folder/2.png", "2.png is damaged.", key="2"),)
    engine.answer(check, CheckedPictures(failures=found))
    assert notices[-1].message == "2 of 5 could not be opened: x.png is empty."
    assert notices[-1].details == ("x.png is empty.", "2.png is damaged.")
    assert [picture.key for picture in state.opened.all] == ["0", "1", "3"]


def test_of_many_pictures_the_first_are_decoded_and_of_the_others_the_headers_are_read(
    controller: Controller, engine: FakeEngine
) -> None:
    controller.open_paths(["/folder"])
    images = [make_image(str(number), f"/folder/{number}.png") for number in range(MOST_DECODED + 5)]
    [request] = engine.open(ListPictures)
    engine.answer(request, ListedPictures(pictures=tuple(image.listed for image in images), checked=32))
    first, others = engine.open(CheckPictures)
    assert (first.images[0], first.images[-1], first.decodes) == ("1", str(MOST_DECODED - 1), True)
    assert (others.images, others.decodes) == (tuple(str(MOST_DECODED + number) for number in range(5)), False)


def test_a_single_picture_is_only_decoded_to_be_shown(controller: Controller, engine: FakeEngine) -> None:
    controller.open_paths(["/one.png"])
    answer_listing(engine, make_image("one", "/one.png"))
    assert engine.open(CheckPictures) == []


def test_what_its_thumbnail_shows_to_be_broken_is_told_once(
    controller: Controller, state: AppState, engine: FakeEngine, notices: list[Notice]
) -> None:
    controller.open_paths(["/folder"])
    answer_listing(engine, *(make_image(str(number), f"/{number}.png") for number in range(3)))
    for _ in range(2):
        controller.pictures.refuse(failure("/2.png", "2.png is cut off.", key="2"))
    assert [notice.message for notice in notices] == ["1 of 3 could not be opened: 2.png is cut off."]
    assert len(state.opened.all) == 2


def test_an_engine_in_trouble_costs_no_picture(
    controller: Controller, state: AppState, engine: FakeEngine, notices: list[Notice]
) -> None:
    controller.open_paths(["/one.png", "/two.png"])
    answer_listing(engine, make_image("one", "/one.png"), make_image("two", "/two.png"))
    state.opened.step(1)
    engine.refuse(engine.open(ShowPicture)[0], "No engine can be started.")
    assert notices[-1].message == "No engine can be started."
    assert len(state.opened.all) == 2
    assert state.opened.chosen == state.opened.all[0]


def test_stepping_shows_the_last_picture_stepped_to(
    controller: Controller, state: AppState, engine: FakeEngine
) -> None:
    images = [make_image(str(number), f"/{number}.png") for number in range(4)]
    controller.open_paths(["/folder"])
    answer_listing(engine, *images)
    for _ in range(3):
        state.opened.step(1)
    assert state.picture is images[0]
    for request in engine.open(ShowPicture):
        engine.answer(request, images[int(request.image)])
    assert state.picture is images[3]
    state.opened.step(-2)
    assert state.picture is images[1]  # It is kept: nobody is asked.
    assert engine.open(ShowPicture) == []


def test_a_changed_file_takes_its_place_under_its_new_key(
    controller: Controller, state: AppState, engine: FakeEngine
) -> None:
    controller.open_paths(["/one.png", "/two.png"])
    answer_listing(engine, make_image("one", "/one.png"), make_image("two", "/two.png"))
    state.opened.select("two")
    newer = make_image("newer", "/two.png")
    engine.answer(engine.open(ShowPicture)[0], newer)
    assert [picture.key for picture in state.opened.all] == ["one", "newer"]
    assert state.picture is newer


def test_opening_an_open_picture_again_shows_it(
    controller: Controller, state: AppState, engine: FakeEngine
) -> None:
    for key in ("one", "two", "one"):
        controller.open_paths([f"/pictures/{key}.png"])
        answer_listing(engine, make_image(key, f"/pictures/{key}.png"))
    assert [picture.key for picture in state.opened.all] == ["one", "two"]
    assert state.picture is not None
    assert state.picture.key == "one"


@pytest.mark.usefixtures("ready")
def test_failures_of_one_drop_collapse_and_the_picture_stays(
    controller: Controller,
    state: AppState,
    engine: FakeEngine,
    notices: list[Notice],
) -> None:
    before = state.picture
    controller.open_paths(["/a.txt"])
    answer_listing(engine, failures=[failure("/a.txt", "a.txt is not a picture.", "Drop a PNG.")])
    assert notices[-1].text == "a.txt is not a picture. Drop a PNG."
    controller.open_paths(["/a.txt", "/c.png"])
    bad = [failure("/a.txt", "a.txt is not a picture."), failure("/c.png", "c.png is cut off.")]
    answer_listing(engine, failures=bad)
    assert state.picture is before
    assert notices[-1].message == "2 of 2 could not be opened: a.txt is not a picture."
    assert notices[-1].details == ("a.txt is not a picture.", "c.png is cut off.")


def test_a_later_success_withdraws_the_failure_but_one_of_the_same_drop_does_not(
    controller: Controller, engine: FakeEngine
) -> None:
    withdrawn: list[str] = []
    controller.succeeded.connect(withdrawn.append)
    controller.open_paths(["/a.txt", "/b.png"])
    answer_listing(engine, make_image(), failures=[failure("/a.txt", "a.txt is not a picture.")])
    assert withdrawn == []
    controller.open_sample("cat")
    [request] = engine.open(ListPictures)
    assert request.paths == ("sample:cat",)
    answer_listing(engine, make_image("cat", "sample:cat"))
    assert withdrawn == ["pictures"]


def test_samples_are_no_recent_files(
    controller: Controller, engine: FakeEngine, settings: SettingsFile
) -> None:
    controller.open_sample("cat")
    answer_listing(engine, make_image("cat", "sample:cat"))
    assert settings.values.recent_pictures == ()


def test_closing_a_picture_shows_its_neighbour_and_frees_the_engines(
    controller: Controller, state: AppState, engine: FakeEngine
) -> None:
    controller.open_paths(["/one.png", "/two.png"])
    one, two = make_image("one", "/one.png"), make_image("two", "/two.png")
    answer_listing(engine, one, two)
    controller.close_picture()
    assert [request.images for request in engine.open(CloseImage)] == [("one",)]
    [wanted] = engine.open(ShowPicture)
    engine.answer(wanted, two)
    assert state.picture is two
    controller.close_picture()
    controller.close_picture()
    assert state.picture is None
    assert len(engine.open(CloseImage)) == 2


def test_all_pictures_are_closed_at_once(controller: Controller, state: AppState, engine: FakeEngine) -> None:
    controller.open_paths(["/one.png", "/two.png"])
    answer_listing(engine, make_image("one", "/one.png"), make_image("two", "/two.png"))
    controller.close_all_pictures()
    assert [request.images for request in engine.open(CloseImage)] == [("one", "two")]
    assert (state.opened.all, state.picture, state.opened.chosen) == ((), None, None)
    assert engine.open(ShowPicture) == []


def test_a_weights_file_is_opened_as_a_model(controller: Controller, engine: FakeEngine) -> None:
    controller.models.open("preset:small", device="cpu")
    controller.open_paths(["/models/mine.PTH"])
    request = engine.open(LoadModel)[-1]
    assert (request.source, request.device) == ("/models/mine.PTH", "cpu")
    assert engine.open(ListPictures) == []


# ------------------------------------------------------------------------------------------ drops and pastes


def mime_of(*addresses: str) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl(address) for address in addresses])
    return mime


def test_dropped_files_are_opened_by_path(controller: Controller, engine: FakeEngine, tmp_path: Path) -> None:
    path = tmp_path / "a b#ü.png"  # Not there: the window opens no file.
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    controller.open_mime(mime)
    assert [request.paths for request in engine.open(ListPictures)] == [(str(path),)]


def test_remote_addresses_are_refused_with_a_sentence(
    controller: Controller, engine: FakeEngine, notices: list[Notice]
) -> None:
    controller.open_mime(mime_of("https://example.org/cat.png", "file:///here.png"))
    assert [request.paths for request in engine.open(ListPictures)] == [("/here.png",)]
    assert "https://example.org/cat.png" in notices[-1].message


class DroppedByAnother(QMimeData):
    """Addresses as the bytes that another program gives; Qt changes those that are set in this one."""

    def __init__(self, listed: bytes) -> None:
        super().__init__()
        self._listed = listed

    def formats(self) -> list[str]:
        return ["text/uri-list"]

    def hasFormat(self, kind: str, /) -> bool:
        return kind in self.formats()

    def retrieveData(self, _kind: str, _preferred: object, /) -> QByteArray:
        return QByteArray(self._listed)


def test_pasted_pixels_reach_the_engine_as_they_are(
    controller: Controller, engine: FakeEngine, qtbot: QtBot
) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    mime = QMimeData()
    mime.setImageData(QImage(pixels.tobytes(), 7, 5, 21, QImage.Format.Format_RGB888).copy())
    controller.open_mime(mime)
    qtbot.waitUntil(lambda: bool(engine.open(OpenImage)))
    [request] = engine.open(OpenImage)
    assert (request.path, request.name) == ("", "Pasted picture 1")
    with Image.open(io.BytesIO(request.data)) as picture:
        assert picture.format == "PNG"
        assert np.array_equal(np.asarray(picture.convert("RGB")), pixels)


def encoded_png() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(stream, "PNG")
    return stream.getvalue()


def test_a_picture_of_another_program_is_not_decoded_by_the_window(
    controller: Controller, engine: FakeEngine, qtbot: QtBot
) -> None:
    mime = QMimeData()
    mime.setData("image/bmp", b"BM, which says less")
    mime.setData("image/png", b"no picture at all")
    controller.open_mime(mime)
    qtbot.waitUntil(lambda: bool(engine.open(OpenImage)))
    [request] = engine.open(OpenImage)
    assert (request.name, request.data) == ("Pasted picture 1", b"no picture at all")


@pytest.mark.parametrize("kind", ["image/png;base64", "image/png;charset=utf-8;base64", ";base64", "image/png"])
def test_a_picture_in_an_address_reaches_the_engine_as_bytes(
    controller: Controller, engine: FakeEngine, qtbot: QtBot, kind: str
) -> None:
    data = encoded_png()
    written = base64.b64encode(data).decode() if "base64" in kind else quote(data)
    mime = QMimeData()
    mime.setData("text/uri-list", f"data:{kind},{written}\r\n".encode())
    controller.open_mime(mime)
    qtbot.waitUntil(lambda: bool(engine.open(OpenImage)))
    assert engine.open(OpenImage)[0].data == data


def test_a_damaged_address_of_megabytes_is_one_short_sentence(
    controller: Controller, engine: FakeEngine, notices: list[Notice], qtbot: QtBot
) -> None:
    for begin in ("data:image/png;base64,@", "data:@", "ftp://@", "@"):
        address = begin.replace("@", "@" * 3_000_000)
        mime = QMimeData()
        mime.setData("text/uri-list", address.encode())
        notices.clear()
        controller.open_mime(mime)
        qtbot.waitUntil(lambda: bool(notices))
        assert len(notices[-1].text) < 400
    assert engine.open(OpenImage) == []


@pytest.mark.skipif(sys.platform == "win32", reason="paths and names are written otherwise there")
@pytest.mark.parametrize(
    ("address", "path"),
    [
        (b"file:///a%20b.png", "/a b.png"),
        (b"file://localhost/a.png", "/a.png"),
        (b"file:/a.png", "/a.png"),
        (b"/a b.png", "/a b.png"),
        (b"file:///caf%E9.png", os.fsdecode(b"/caf\xe9.png")),
        (b"file:///caf\xe9.png", os.fsdecode(b"/caf\xe9.png")),
        (b"FILE:///a%23b.png", "/a#b.png"),
        (b"file://LocalHost/a.png", "/a.png"),
        (b"file://127.0.0.1/a.png", "/a.png"),
        (b"file://[::1]/a.png", "/a.png"),
        (f"file://{socket.gethostname()}/a.png".encode(), "/a.png"),
        (b"file:////a.png", "/a.png"),
        (b"  file:///a.png \0", "/a.png"),
        (b"file:///a%0Ab.png", "/a\nb.png"),
        (b"file:///a%zz%.png", "/a%zz%.png"),
        (b"file:///a.png?b#c", "/a.png?b#c"),
        (b"file:///%E7%8C%AB.png", "/猫.png"),
        ("file:///猫.png".encode(), "/猫.png"),
        (b"file:///%F0%9F%90%88/%FF%FE.tif", os.fsdecode("/🐈/".encode() + b"\xff\xfe.tif")),
    ],
    ids=ascii,
)
def test_addresses_of_files_in_every_spelling(
    controller: Controller, engine: FakeEngine, address: bytes, path: str
) -> None:
    controller.open_mime(DroppedByAnother(b"# a comment\r\n" + address + b"\r\n"))
    assert [request.paths for request in engine.open(ListPictures)] == [(path,)]


@pytest.mark.parametrize(
    "address",
    [
        *("http://example.org/a.png", "https://localhost/a.png", "ftp://a/b.png", "smb://server/share/a.png"),
        *("trash:///a.png", "file://server/share/a.png", "file:a.png", "file:", "file://", "file://localhost"),
        *("a.png", "mailto:a@example.org", "javascript:alert(1)", "blob:null/1", "about:blank", "x" * 5000),
    ],
)
def test_other_addresses_are_elsewhere_and_nothing_is_opened(
    controller: Controller, engine: FakeEngine, notices: list[Notice], address: str
) -> None:
    controller.open_mime(DroppedByAnother(address.encode()))
    assert engine.open(ListPictures) == []
    assert "is not on this computer, and the program downloads nothing." in notices[-1].message
    assert len(notices[-1].text) < 400


def test_a_list_of_comments_and_empty_lines_has_no_picture(
    controller: Controller, notices: list[Notice]
) -> None:
    controller.open_mime(DroppedByAnother(b"# file:///a.png\r\n\r\n \0\n"))
    assert "no picture on the clipboard" in notices[-1].message


def test_what_is_elsewhere_keeps_its_own_notice(controller: Controller, notices: list[Notice]) -> None:
    """Opening the file beside it withdraws only what is said of pictures."""
    controller.open_mime(mime_of("https://example.org/cat.png", "file:///here.png"))
    assert notices[-1].topic not in (PICTURES, "prediction")


def test_an_empty_clipboard_and_an_empty_drop_are_told_apart(
    controller: Controller, notices: list[Notice]
) -> None:
    """A program from which something is dragged may end before it hands that over."""
    controller.open_mime(QMimeData())
    assert "no picture on the clipboard" in notices[-1].message
    controller.open_dropped(QMimeData())
    assert notices[-1].message == "There is no picture in what was dropped."


def test_an_empty_picture_cannot_be_encoded() -> None:
    with pytest.raises(Exception, match="The picture in what was dropped cannot be read"):
        encode_png(QImage(), "in what was dropped")


# ------------------------------------------------------------------------------------------------- the model


def test_a_failed_model_leaves_the_open_one(
    controller: Controller, state: AppState, engine: FakeEngine, notices: list[Notice]
) -> None:
    controller.models.open("preset:small", "cpu")
    model = make_model()
    engine.answer(engine.open(LoadModel)[0], model)
    refused: list[bool] = []
    controller.models.refused.connect(lambda: refused.append(True))
    controller.models.change(source="timm:nonsense")
    engine.refuse(engine.open(LoadModel)[0], "timm has no model 'nonsense'.")
    assert refused == [True]
    assert state.model is model
    assert "nonsense" in notices[-1].message
    controller.models.change(device="cuda")
    [request] = engine.open(LoadModel)
    assert (request.source, request.device) == ("preset:small", "cuda")


def test_what_was_said_of_a_models_stem_stays_with_that_model(
    controller: Controller, engine: FakeEngine
) -> None:
    controller.models.open("weights.pth", stem_stride=1, stem_padding=2)
    controller.models.change(device="cpu")
    controller.models.change(source="other.pth")
    first, same, other = engine.open(LoadModel)
    assert (first.stem_stride, first.stem_padding) == (same.stem_stride, same.stem_padding) == (1, 2)
    assert (same.device, other.stem_stride, other.stem_padding) == ("cpu", None, None)


def test_of_two_models_the_one_asked_for_last_stays(
    controller: Controller, state: AppState, engine: FakeEngine
) -> None:
    """The first was done before it could be cancelled, so that the engine answers with it until then."""
    controller.models.open("preset:small")
    controller.models.open("preset:other")
    first, second = engine.open(LoadModel)
    small, other = make_model("Small"), make_model("Other")
    engine.answer(first, small)
    assert state.model is small
    assert controller.models.awaited is not None
    assert controller.models.awaited.source == "preset:other"
    engine.answer(second, other)
    assert state.model is other
    assert controller.models.awaited is None


def test_a_model_that_was_loading_comes_where_the_one_asked_for_instead_is_refused(
    controller: Controller, engine: FakeEngine, notices: list[Notice]
) -> None:
    refused: list[bool] = []
    controller.models.refused.connect(lambda: refused.append(True))
    controller.models.open("bundled")
    for name in ("rubbish.pth", "more.pth"):
        before = engine.open(LoadModel)[-1]
        controller.open_paths([name])
        engine.cancel(before.id)  # As the client does with what is replaced.
    engine.refuse(engine.open(LoadModel)[0], "more.pth is not a weights file.")
    assert "more.pth" in notices[-1].message
    [again] = engine.open(LoadModel)
    assert again.source == "bundled"
    assert refused == []
    engine.refuse(again, "There is none.")
    assert engine.open(LoadModel) == []
    assert refused == [True]


def test_cancelling_a_model_leaves_the_open_one(
    controller: Controller, bridge: EngineBridge, engine: FakeEngine
) -> None:
    refused: list[bool] = []
    controller.models.refused.connect(lambda: refused.append(True))
    controller.models.open("preset:small")
    bridge.cancel_all()
    engine.send(EngineReady())
    assert refused == [True]


def test_offline_is_passed_on(
    state: AppState, bridge: EngineBridge, settings: SettingsFile, engine: FakeEngine
) -> None:
    Controller(state, bridge, settings, offline=True).models.open("timm:convnext_tiny")
    assert engine.open(LoadModel)[0].offline


# ------------------------------------------------------------------------------------ predicting, explaining


def test_a_prediction_comes_with_its_attribution(ready: Predict, state: AppState, engine: FakeEngine) -> None:
    prediction = make_prediction()
    engine.answer(ready, prediction)
    assert state.prediction is prediction
    assert prediction.target == state.explained_class
    assert engine.open(Predict) == []


def test_an_answer_about_another_picture_is_dropped(
    ready: Predict, controller: Controller, state: AppState, engine: FakeEngine
) -> None:
    controller.open_paths(["/two.png"])
    answer_listing(engine, make_image("two"))
    engine.answer(ready, make_prediction("one"))
    assert state.prediction is None
    current = make_prediction("two")
    engine.answer(engine.open(Predict)[0], current)
    assert state.prediction is current


def test_an_answer_of_another_model_is_dropped(ready: Predict, state: AppState, engine: FakeEngine) -> None:
    state.set_model(make_model("Other"))
    engine.answer(ready, make_prediction("one"))
    assert state.prediction is None
    assert [request.image for request in engine.open(Predict)] == ["one"]


def test_a_refusal_about_another_picture_is_dropped(
    ready: Predict, controller: Controller, state: AppState, engine: FakeEngine, notices: list[Notice]
) -> None:
    controller.open_paths(["/two.png"])
    answer_listing(engine, make_image("two"))
    engine.refuse(ready, "It is too small.")
    assert notices == []
    assert state.prediction_failure == ""


def test_a_refused_prediction_is_told_and_tried_again(
    ready: Predict, controller: Controller, state: AppState, engine: FakeEngine, notices: list[Notice]
) -> None:
    engine.refuse(ready, "The picture is too small.", "It needs 29 pixels.")
    assert notices[-1].text == state.prediction_failure == "The picture is too small. It needs 29 pixels."
    controller.predict()
    engine.answer(engine.open(Predict)[0], make_prediction())
    assert state.prediction_failure == ""


@pytest.mark.usefixtures("ready")
def test_a_cancelled_prediction_is_not_awaited_for_ever(
    bridge: EngineBridge,
    state: AppState,
    engine: FakeEngine,
) -> None:
    bridge.cancel_all()
    engine.send(EngineReady())
    assert "stopped" in state.prediction_failure


def test_another_class_is_asked_for_and_shown(ready: Predict, state: AppState, engine: FakeEngine) -> None:
    prediction = make_prediction()
    engine.answer(ready, prediction)
    target = (prediction.target + 1) % CLASSES
    state.set_target(target)
    assert state.prediction is prediction
    [request] = engine.open(Predict)
    assert (request.image, request.target) == ("one", target)
    answer = make_prediction("one", target)
    engine.answer(request, answer)
    assert state.prediction is answer
    state.set_target(None)
    [request] = engine.open(Predict)
    assert (request.image, request.target) == ("one", None)
    engine.answer(request, prediction)
    assert state.prediction is prediction
    assert engine.open(Predict) == []


def test_a_class_that_cannot_be_explained_leaves_the_prediction(
    ready: Predict, state: AppState, engine: FakeEngine, notices: list[Notice]
) -> None:
    prediction = make_prediction()
    engine.answer(ready, prediction)
    state.set_target((prediction.target + 1) % CLASSES)
    [request] = engine.open(Predict)
    engine.refuse(request, "No memory is left.")
    assert notices[-1].text == "No memory is left."
    assert state.prediction is prediction
    assert state.prediction_failure == ""


def test_an_attribution_that_came_too_late_is_dropped(
    ready: Predict, state: AppState, engine: FakeEngine
) -> None:
    prediction = make_prediction()
    engine.answer(ready, prediction)
    target = (prediction.target + 1) % CLASSES
    state.set_target(target)
    [request] = engine.open(Predict)
    state.set_target(None)
    engine.answer(request, make_prediction("one", target))
    [request] = engine.open(Predict)
    assert request.target is None
    engine.answer(request, prediction)
    assert state.prediction is prediction


def test_the_target_chosen_stays_with_the_next_picture(
    ready: Predict, controller: Controller, state: AppState, engine: FakeEngine
) -> None:
    engine.answer(ready, make_prediction())
    state.set_target(5)
    controller.open_paths(["/two.png"])
    answer_listing(engine, make_image("two"))
    request = engine.open(Predict)[-1]  # The engine itself drops the one before.
    assert request.target == 5
    prediction = make_prediction("two", target=5)
    engine.answer(request, prediction)
    assert state.prediction is prediction
    assert prediction.target == state.explained_class


def test_a_class_chosen_while_predicting_is_explained(
    ready: Predict, state: AppState, engine: FakeEngine
) -> None:
    prediction = make_prediction()
    target = (prediction.target + 1) % CLASSES
    state.set_target(target)
    engine.answer(ready, prediction)
    assert state.prediction is prediction
    assert [request.target for request in engine.open(Predict)] == [target]


# ------------------------------------------------------------------------------------------------ the engine


def test_a_lost_engine_is_told_until_it_works_again(
    ready: Predict, controller: Controller, engine: FakeEngine, notices: list[Notice]
) -> None:
    withdrawn: list[str] = []
    controller.succeeded.connect(withdrawn.append)
    engine.send(EngineLost(message="The engine was killed; a new one is being started."))
    assert "killed" in notices[-1].message
    engine.send(EngineReady(restarted=True))
    assert notices[-1].good
    assert notices[-1].topic == notices[-2].topic
    engine.answer(ready, make_prediction())
    assert notices[-1].topic in withdrawn


def test_what_a_new_engine_could_not_open_again_is_not_said_to_be_there(
    engine: FakeEngine, notices: list[Notice]
) -> None:
    engine.send(EngineReady(restarted=True, lacking="The new engine could not open a.pth again: it has gone."))
    assert not notices[-1].good
    assert notices[-1].message.endswith("could not open a.pth again: it has gone.")


# ------------------------------------------------------------------------------------- models for a while


def load_requested(engine: FakeEngine) -> LoadModel:
    [request] = engine.open(LoadModel)
    engine.answer(request, make_model())
    return request


def test_a_model_opened_for_a_while_gives_way_to_the_one_before(
    controller: Controller, engine: FakeEngine
) -> None:
    controller.models.open("mine.pth", "cpu", stem_stride=1)
    load_requested(engine)
    for key in ("recipe", "width"):
        controller.models.open_for_a_while(f"road:{key}")
        assert load_requested(engine).source == f"road:{key}"
    controller.models.change(device="cuda")
    assert load_requested(engine).source == "road:width"
    controller.models.reopen_left()
    back = load_requested(engine)
    assert (back.source, back.stem_stride, back.device) == ("mine.pth", 1, "cuda")


def test_there_is_always_a_way_back(controller: Controller, engine: FakeEngine) -> None:
    controller.models.reopen_left()
    assert not engine.open(LoadModel)  # Nothing was ever open.
    controller.models.open("road:width")
    load_requested(engine)
    controller.models.reopen_left()
    assert load_requested(engine).source == default_model()
    controller.models.open_for_a_while("road:recipe")
    load_requested(engine)
    controller.models.open("other.pth")  # A person's choice: there is nothing to go back to.
    load_requested(engine)
    controller.models.reopen_left()
    assert load_requested(engine).source == default_model()
