"""Folders: what is found, what is decoded, what is said about the rest."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.training.picture_dataset import decode_pictures, list_pictures, split_holdout
from tests.training.drawn import draw_folder


def test_classes_and_files_are_sorted(tmp_path: Path) -> None:
    draw_folder(tmp_path, 3)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "red_disc" / "notes.txt").write_text("no picture")
    listing = list_pictures(tmp_path)
    assert listing.classes == ("blue_disc", "green_disc", "red_disc")
    assert listing.targets.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert [path.name for path in listing.paths] == ["000.png", "001.png", "002.png"] * 3


def test_a_subset_keeps_the_order_asked_for(tmp_path: Path) -> None:
    listing = list_pictures(draw_folder(tmp_path, 1), ["red_disc", "blue_disc"])
    assert [
        (path.parent.name, target) for path, target in zip(listing.paths, listing.targets, strict=True)
    ] == [
        ("red_disc", 0),
        ("blue_disc", 1),
    ]


def test_what_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="is not a folder"):
        list_pictures(tmp_path / "gone")
    with pytest.raises(StudioError, match="has no folders in it"):
        list_pictures(tmp_path)
    draw_folder(tmp_path, 1)
    with pytest.raises(StudioError, match=r"has no class purple.*There are: blue_disc, green_disc, red_disc"):
        list_pictures(tmp_path, ["red_disc", "purple"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudioError, match="The class empty has no pictures"):
        list_pictures(tmp_path)


def test_a_folder_that_cannot_be_listed_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(StudioError, match=r"cannot be read \(Permission denied\)"):
        list_pictures(tmp_path)


def test_decoded_squashed_with_proportions_beside(tmp_path: Path) -> None:
    (tmp_path / "halves").mkdir()
    pixels = np.zeros((10, 40, 3), np.uint8)
    pixels[:, 20:] = (200, 100, 50)
    Image.fromarray(pixels).save(tmp_path / "halves" / "a.png")
    told: list[tuple[int, int]] = []
    pictures, unreadable = decode_pictures(list_pictures(tmp_path), 8, lambda *done: told.append(done))
    assert not unreadable
    assert told[-1] == (1, 1)
    assert pictures.pixels.shape == (1, 8, 8, 3)
    assert pictures.pixels[0, :, :3].max() == 0
    assert pictures.pixels[0, :, 5:].flatten(0, 1).unique(dim=0).tolist() == [[200, 100, 50]]
    assert pictures.log_aspects.tolist() == pytest.approx([math.log(4)])


def test_turned_and_transparent_pictures(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # Turn by 90 degrees.
    Image.new("RGB", (40, 10)).save(tmp_path / "a" / "turned.jpg", exif=exif)
    Image.new("P", (10, 20)).save(tmp_path / "a" / "zpalette.gif")
    pictures, unreadable = decode_pictures(list_pictures(tmp_path), 8)
    assert not unreadable
    assert pictures.log_aspects.tolist() == pytest.approx([math.log(1 / 4), math.log(1 / 2)])


def test_unreadable_pictures_are_named_and_left_out(tmp_path: Path) -> None:
    draw_folder(tmp_path, 2)
    (tmp_path / "red_disc" / "000.png").write_bytes(b"not a picture")
    whole = (tmp_path / "blue_disc" / "001.png").read_bytes()
    (tmp_path / "blue_disc" / "001.png").write_bytes(whole[: len(whole) // 2])
    pictures, unreadable = decode_pictures(list_pictures(tmp_path), 8)
    assert [f"{path.parent.name}/{path.name}" for path in unreadable] == [
        "blue_disc/001.png",
        "red_disc/000.png",
    ]
    assert pictures.targets.tolist() == [0, 1, 1, 2]
    assert len(pictures) == len(pictures.pixels) == len(pictures.log_aspects) == 4


def test_resized_is_antialiased(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    checks = np.indices((32, 32)).sum(0) % 2 * 255
    Image.fromarray(np.repeat(checks[..., None], 3, 2).astype(np.uint8)).save(tmp_path / "a" / "a.png")
    pictures, _ = decode_pictures(list_pictures(tmp_path), 32)
    smaller = pictures.resized(8)
    assert smaller.pixels.shape == (1, 8, 8, 3)
    # Sampled without antialiasing, a fine chequerboard would become black or white.
    assert (smaller.pixels.float() - 127.5).abs().max() < 3
    assert pictures.resized(40) is pictures


@given(
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    share=st.floats(0, 1, exclude_max=True),
    seed=st.integers(0, 5),
)
@settings(deadline=None)
def test_holdout_is_a_part_of_every_class(counts: list[int], share: float, seed: int) -> None:
    targets = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    learn, held = split_holdout(targets, share, seed)
    assert sorted([*learn.tolist(), *held.tolist()]) == list(range(sum(counts)))
    for index, count in enumerate(counts):
        assert int((targets[learn] == index).sum()) >= 1
        assert int((targets[held] == index).sum()) == min(round(share * count), count - 1)
    again = split_holdout(targets, share, seed)
    assert torch.equal(held, again[1])
