"""The pictures of a folder are found, and sampled in a reproducible order."""

from pathlib import Path

import pytest
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.formats import pillow
from convnext_studio.decoding.picture_folders import SUFFIXES, pictures_in, shuffled


def test_sub_folders_are_searched_and_hidden_files_are_not(tmp_path: Path) -> None:
    wanted = ["a.png", "b/c.JPG", "b/d/e.tiff"]
    for name in [*wanted, "notes.txt", ".f.png", ".g/h.png", "b/i"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "back").symlink_to(tmp_path)
    assert pictures_in(str(tmp_path)) == [tmp_path / name for name in wanted]
    with pytest.raises(StudioError, match="There is no folder"):
        pictures_in(str(tmp_path / "gone"))
    with pytest.raises(StudioError, match=r"a\.png” is not a folder"):
        pictures_in(str(tmp_path / "a.png"))
    with pytest.raises(StudioError, match="“/dev/null” is not a folder"):
        pictures_in("/dev/null")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudioError, match="no pictures"):
        pictures_in(str(tmp_path / "empty"))


def test_a_larger_sample_begins_with_a_smaller_one_and_another_seed_gives_another() -> None:
    paths = [Path(str(number)) for number in range(100)]
    order = shuffled(paths, 3)
    assert order == shuffled(paths, 3)
    assert sorted(order) == sorted(paths)
    assert order[:10] not in (paths[:10], shuffled(paths, 4)[:10])


def test_what_opens_by_its_name_is_found_in_a_folder() -> None:
    Image.init()
    by_pillow = {ending for ending, kind in Image.registered_extensions().items() if kind in pillow.FORMATS}
    others = {".tif", ".tiff", ".jp2", ".j2k", ".j2c", ".jpf", ".jpx", ".dib", ".tga", ".dcm", ".heic", ".heif"}
    assert by_pillow | others <= SUFFIXES
