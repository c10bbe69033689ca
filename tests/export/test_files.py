"""Safe names, and files that are whole or not there."""

from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convnext_studio.common.errors import StudioError
from convnext_studio.export import export_directory, safe_stem
from convnext_studio.export.safe_files import make_directory, write_file


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("cat.jpg", "cat"),
        ("my cat.v2.jpeg", "my cat.v2"),
        ("Käse.png", "Käse"),
        ("Ka\N{COMBINING DIAERESIS}se.png", "Käse"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\cat.png", "cat"),
        ("..", "picture"),
        ("", "picture"),
        (" . ", "picture"),
        ("a<b>:\n?.png", "a_b____"),
        ("con.png", "_con"),
        ("LPT1.tar.gz", "_LPT1.tar"),
        ("\udcff.png", "_"),
        ("x" * 300 + ".png", "x" * 120),
    ],
)
def test_safe_stem_of_known_names(name: str, stem: str) -> None:
    assert safe_stem(name) == stem


@given(st.text(st.characters(codec=None), max_size=400))
def test_safe_stem_is_one_harmless_folder_name(name: str) -> None:
    stem = safe_stem(name)
    assert stem
    assert stem.strip(". ") == stem
    assert stem.isprintable()
    assert not set(stem) & set('/\\<>:"|?*')
    assert len(stem.encode()) <= 121
    assert Path("out", stem).resolve().parent == Path("out").resolve()


@given(st.lists(st.sampled_from(["cat.png", "CAT.png", "cat-2.png", "a/cat.jpg", "dog.png", ""]), max_size=8))
def test_pictures_of_one_call_get_folders_of_their_own(names: list[str]) -> None:
    taken: set[str] = set()
    folders = [export_directory(Path("out"), name, taken) for name in names]
    assert len({str(folder).casefold() for folder in folders}) == len(names)
    assert {folder.parent for folder in folders} <= {Path("out")}


def test_the_second_picture_of_a_stem_is_numbered() -> None:
    taken: set[str] = set()
    names = [export_directory(Path("out"), name, taken).name for name in ("cat.png", "cat.jpg", "Cat.png")]
    assert names == ["cat", "cat-2", "Cat-3"]


def test_a_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "numbers.txt"
    path.write_text("old")
    assert write_file(path, lambda file: file.write(b"new")) == path
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("old", [None, "old"])
def test_a_failing_write_leaves_what_was_there(tmp_path: Path, old: str | None) -> None:
    path = tmp_path / "numbers.txt"
    if old is not None:
        path.write_text(old)

    def fill_the_disk(file: BinaryIO) -> None:
        file.write(b"half")
        file.flush()
        raise OSError(28, "No space left on device")

    with pytest.raises(StudioError, match=r"numbers\.txt could not be written: No space left on device\."):
        write_file(path, fill_the_disk)
    assert {entry.name: entry.read_text() for entry in tmp_path.iterdir()} == (
        {} if old is None else {"numbers.txt": old}
    )


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(file: BinaryIO) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "numbers.txt", interrupt)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "cat").write_text("a file")
    with pytest.raises(StudioError, match="cat could not be written: a file of that name is in the way"):
        make_directory(tmp_path / "cat")


def test_a_folder_in_the_place_of_the_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "erf.json").mkdir()
    with pytest.raises(StudioError, match=r"erf\.json could not be written"):
        write_file(tmp_path / "erf.json", lambda file: file.write(b"{}"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["erf.json"]
