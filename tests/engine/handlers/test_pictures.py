"""Pictures by the thousand: listed, checked, shown and decoded only when they are needed."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.decoding import images
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.engine.handlers.picture_handlers import CHECKED_AT_ONCE
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.engine.server.workspace import Workspace
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.pictures import (
    CheckedPictures,
    CheckPictures,
    CloseImage,
    ImageInfo,
    ListedPictures,
    ListPictures,
    PictureFailure,
    PictureSource,
    RestorePictures,
    ShowPicture,
    Thumbnail,
    ThumbnailPixels,
)
from tests.networks import small_model

Answered = TypeVar("Answered")


def answered(dispatcher: Dispatcher, request: Request, kind: type[Answered]) -> Answered:
    answer = dispatcher.run(request)
    assert isinstance(answer, kind)
    return answer


def listed(dispatcher: Dispatcher, *paths: Path | str) -> ListedPictures:
    return answered(dispatcher, ListPictures(paths=tuple(map(str, paths))), ListedPictures)


def draw(folder: Path, names: Sequence[str], size: tuple[int, int] = (8, 6)) -> None:
    for name in names:
        Image.new("RGB", size, (len(name), 0, 0)).save(folder / name)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was decoded whole."""
    seen: list[object] = []

    def decode(
        source: str | bytes, name: str = "", longest_px: int = 0, view: PictureView = WHOLE
    ) -> images.DecodedImage:
        if not longest_px:
            seen.append(source)
        return whole(source, name, longest_px, view)

    whole = images.decode
    monkeypatch.setattr(images, "decode", decode)
    return seen


def test_a_folder_is_listed_in_the_order_of_its_numbers_and_nothing_is_decoded(
    tmp_path: Path, decoded: list[object]
) -> None:
    draw(tmp_path, ["scan10.png", "scan9.png", "Scan1.png"])
    dispatcher = Dispatcher()
    found = listed(dispatcher, tmp_path, "sample:cat")
    assert [each.name for each in found.pictures] == ["Scan1.png", "scan9.png", "scan10.png", "cat"]
    assert found.pictures[1].path == str(tmp_path / "scan9.png")
    assert (found.checked, found.failures, found.folders) == (4, (), (str(tmp_path),))
    assert decoded == []
    info = answered(dispatcher, ShowPicture(image=found.pictures[2].key), ImageInfo)
    assert (info.listed, info.size) == (found.pictures[2], (8, 6))
    assert decoded == [found.pictures[2].path]


def test_a_name_is_listed_in_one_line(tmp_path: Path) -> None:
    draw(tmp_path, ["two\nlines.png"])
    dispatcher = Dispatcher()
    [picture] = listed(dispatcher, tmp_path).pictures
    assert picture.name == "two⏎lines.png"
    assert answered(dispatcher, ShowPicture(image=picture.key), ImageInfo).listed == picture


def test_what_is_broken_is_told_and_the_rest_is_listed(tmp_path: Path) -> None:
    draw(tmp_path, [f"{number}.png" for number in range(CHECKED_AT_ONCE + 5)])
    (tmp_path / "3.png").write_bytes(b"")
    (tmp_path / f"{CHECKED_AT_ONCE + 2}.png").write_text("no picture")
    dispatcher = Dispatcher()
    found = listed(dispatcher, tmp_path, tmp_path / "nowhere.png", tmp_path / "3.png")
    assert found.checked == CHECKED_AT_ONCE - 1
    assert len(found.pictures) == CHECKED_AT_ONCE + 5  # One is broken, and one has gone, which is seen later.
    assert [failure.message for failure in found.failures] == ["“3.png” is empty (0 bytes)."]
    rest = tuple(each.key for each in found.pictures[found.checked :])
    checked = answered(dispatcher, CheckPictures(images=rest), CheckedPictures)
    assert [Path(failure.path).name for failure in checked.failures] == ["34.png", "nowhere.png"]
    assert {failure.key for failure in checked.failures} <= set(rest)


def test_damage_behind_the_header_is_found_by_decoding(tmp_path: Path) -> None:
    draw(tmp_path, ["good.png"])
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    cut = tmp_path / "cut.png"
    Image.fromarray(noise).save(cut)
    cut.write_bytes(cut.read_bytes()[:-4000])
    dispatcher = Dispatcher()
    found = listed(dispatcher, tmp_path)
    assert (len(found.pictures), found.failures) == (2, ())
    keys = tuple(each.key for each in found.pictures)
    assert answered(dispatcher, CheckPictures(images=keys), CheckedPictures).failures == ()
    [failure] = answered(dispatcher, CheckPictures(images=keys, decodes=True), CheckedPictures).failures
    assert (failure.key, Path(failure.path).name) == (found.pictures[0].key, "cut.png")
    shown = answered(dispatcher, ShowPicture(image=failure.key), PictureFailure)
    assert failure.message == shown.message


def test_paths_that_are_nothing_fail_each_with_its_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("text")
    found = listed(Dispatcher(), tmp_path / "empty", tmp_path / "text.png", "a\0b.png", "sample:dodo")
    assert found.pictures == ()
    assert len(found.failures) == 4
    assert [failure.path for failure in found.failures[::3]] == [str(tmp_path / "empty"), "sample:dodo"]
    assert "no pictures" in found.failures[0].message
    assert "known format" in found.failures[1].message
    assert "sample “dodo”" in found.failures[3].message


def test_a_large_picture_is_refused_by_its_head_alone(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (20_000, 10_000)).save(path)
    with pytest.raises(StudioError, match="too large"):
        images.check_head(str(path))


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_thumbnail_is_the_reduced_picture(tmp_path: Path, suffix: str, decoded: list[object]) -> None:
    """A ramp: its mean over the left and right halves is known."""
    ramp = np.broadcast_to(np.linspace(0, 255, 400)[None, :, None], (300, 400, 3)).astype(np.uint8)
    path = tmp_path / f"ramp.{suffix}"
    Image.fromarray(ramp).save(path, quality=95) if suffix == "jpg" else Image.fromarray(ramp).save(path)
    dispatcher = Dispatcher()
    key = listed(dispatcher, path).pictures[0].key
    small = answered(dispatcher, Thumbnail(image=key, longest_px=40), ThumbnailPixels)
    assert small.pixels.shape == (30, 40, 3)
    expected = ramp.reshape(30, 10, 40, 10, 3).mean(axis=(1, 3))
    assert np.abs(small.pixels - expected).max() < 4
    assert decoded == []


def test_a_turned_photograph_has_a_turned_thumbnail(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 32)).save(tmp_path / "turned.jpg", exif=exif)
    dispatcher = Dispatcher()
    key = listed(dispatcher, tmp_path / "turned.jpg").pictures[0].key
    assert answered(dispatcher, Thumbnail(image=key, longest_px=16), ThumbnailPixels).pixels.shape == (16, 8, 3)


def test_digests_are_those_of_the_files(tmp_path: Path) -> None:
    draw(tmp_path, ["a.png", "bb.png"])
    dispatcher = Dispatcher()
    found = listed(dispatcher, tmp_path)
    keys = tuple(each.key for each in found.pictures)
    checked = answered(dispatcher, CheckPictures(images=keys, with_sha256=True), CheckedPictures)
    assert checked.sha256 == {
        each.key: hashlib.sha256(Path(each.path).read_bytes()).hexdigest() for each in found.pictures
    }


def test_a_changed_file_is_shown_as_it_is_now_under_another_key(tmp_path: Path) -> None:
    draw(tmp_path, ["a.png"])
    dispatcher = Dispatcher()
    (before,) = listed(dispatcher, tmp_path / "a.png").pictures
    draw(tmp_path, ["a.png"], size=(20, 10))
    os.utime(tmp_path / "a.png", ns=(1, 1))
    info = answered(dispatcher, ShowPicture(image=before.key), ImageInfo)
    assert info.size == (20, 10)
    assert info.key != before.key
    assert (info.path, info.name) == (before.path, before.name)
    with pytest.raises(StudioError, match="no longer open"):
        dispatcher.run(ShowPicture(image=before.key))


def test_a_picture_that_has_gone_is_told(tmp_path: Path) -> None:
    draw(tmp_path, ["a.png"])
    dispatcher = Dispatcher()
    (picture,) = listed(dispatcher, tmp_path / "a.png").pictures
    (tmp_path / "a.png").unlink()
    for question in (ShowPicture(image=picture.key), Thumbnail(image=picture.key)):
        failure = answered(dispatcher, question, PictureFailure)
        assert (failure.key, failure.path) == (picture.key, picture.path)
        assert "no file" in failure.message


def test_a_restored_engine_knows_the_pictures_and_a_closed_one_is_forgotten(
    tmp_path: Path, decoded: list[object]
) -> None:
    draw(tmp_path, ["a.png", "bb.png"])
    pictures = listed(Dispatcher(), tmp_path).pictures
    dispatcher = Dispatcher()
    dispatcher.run(
        RestorePictures(sources={each.key: PictureSource(each.path, each.name) for each in pictures})
    )
    assert decoded == []
    assert answered(dispatcher, ShowPicture(image=pictures[1].key), ImageInfo).listed == pictures[1]
    dispatcher.run(CloseImage(images=(pictures[1].key,)))
    with pytest.raises(StudioError, match="no longer open"):
        dispatcher.run(Thumbnail(image=pictures[1].key))


def test_checking_can_be_stopped(tmp_path: Path) -> None:
    draw(tmp_path, ["a.png"])
    dispatcher = Dispatcher()
    keys = tuple(each.key for each in listed(dispatcher, tmp_path).pictures)
    with pytest.raises(Stopped):
        next(dispatcher.answer(CheckPictures(images=keys), lambda: True))


def test_many_pictures_stay_within_the_bound(tmp_path: Path) -> None:
    """Thirty pictures of 30 kB in 100 kB: the last three are kept, all can be shown again."""
    draw(tmp_path, [f"{number}.png" for number in range(30)], size=(100, 100))
    dispatcher = Dispatcher(picture_bytes=100_000)
    pictures = listed(dispatcher, tmp_path).pictures
    for each in (*pictures, pictures[0]):
        assert answered(dispatcher, ShowPicture(image=each.key), ImageInfo).key == each.key
    assert dispatcher._workspace.pictures.held_bytes == 90_000


def test_another_view_of_a_picture_has_another_key_and_stays_when_the_engine_is_replaced(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bands.npy"
    bands = np.stack([np.full((40, 40), 50 * band) for band in range(5)], -1).astype(np.uint8)
    np.save(path, bands)
    dispatcher = Dispatcher()
    (first,) = listed(dispatcher, path).pictures
    info = answered(dispatcher, ShowPicture(image=first.key), ImageInfo)
    assert (info.bands, info.frames, info.view) == (5, 1, WHOLE)
    assert info.preview[0, 0].tolist() == [0, 50, 100]
    view = PictureView(bands=(4, 3, 2))
    other = answered(dispatcher, ShowPicture(image=first.key, view=view), ImageInfo)
    assert other.key not in (first.key, "")
    assert (other.view, other.preview[0, 0].tolist()) == (view, [200, 150, 100])
    # It is shown so from then on, here and in an engine that was told of it.
    assert answered(dispatcher, ShowPicture(image=other.key), ImageInfo).key == other.key
    sources = {other.key: PictureSource(str(path), "bands.npy", view=view)}
    replaced = Dispatcher()
    replaced.run(RestorePictures(sources=sources))
    again = answered(replaced, ShowPicture(image=other.key), ImageInfo)
    np.testing.assert_array_equal(again.preview, other.preview)
    assert answered(replaced, Thumbnail(image=other.key), ThumbnailPixels).pixels[0, 0].tolist() == [
        200,
        150,
        100,
    ]
    none = answered(replaced, ShowPicture(image=other.key, view=PictureView(bands=(7,))), PictureFailure)
    assert "no band 8" in none.message


def test_the_network_is_given_all_bits_of_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "deep.npy"
    deep = np.linspace(30_000, 30_400, 64 * 64).astype(np.uint16).reshape(64, 64)
    np.save(path, deep)
    workspace = Workspace()
    workspace.open_model(small_model(), "float32")
    key = workspace.open_picture(str(path)).key
    tensor, _ = workspace.input(key)
    assert len(np.unique(tensor[0, 0].numpy())) > 1000
