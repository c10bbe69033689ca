"""A file is complete or not there, whatever happens while it is written."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import (
    check_folder_name,
    checked_ending,
    expand_home,
    found_path,
    is_file_or_folder,
    saved_path,
    written_whole,
)
from convnext_studio.common.foreign.foreign_text import shortened
from tests.disk import disk_with

OLD, NEW = b"old", b"new" * 1000


def write(path: Path, content: bytes = NEW) -> None:
    with written_whole(path) as stream:
        stream.write(content)


def save_tensors(path: Path) -> None:
    with written_whole(path) as stream:
        torch.save({"a": torch.zeros(1000)}, stream)


def contents(folder: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in folder.iterdir()}


@pytest.fixture(params=[None, OLD], ids=["no file there", "a file there"])
def before(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, bytes]:
    """The folder before writing: empty, or with an older file."""
    if request.param is not None:
        (tmp_path / "file").write_bytes(request.param)
    return contents(tmp_path)


@pytest.mark.usefixtures("before")
def test_it_is_there_when_the_block_has_ended(tmp_path: Path) -> None:
    with written_whole(tmp_path / "file") as stream:
        stream.write(NEW[:1000])
        assert contents(tmp_path).get("file", OLD) == OLD
        stream.write(NEW[1000:])
    assert contents(tmp_path) == {"file": NEW}


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, before: dict[str, bytes]) -> None:
    with (
        disk_with(100),
        pytest.raises(StudioError, match=r"could not be written: File too large\.") as caught,
    ):
        write(tmp_path / "file")
    assert "make room" in caught.value.hint
    assert contents(tmp_path) == before


def test_a_disk_that_is_full_at_the_very_end(tmp_path: Path, before: dict[str, bytes]) -> None:
    """All bytes fit into the buffer of the stream, so only closing it fails."""
    with disk_with(0), pytest.raises(StudioError, match="could not be written"):
        write(tmp_path / "file", b"few")
    assert contents(tmp_path) == before


def test_a_full_disk_that_a_librarys_own_error_hides(tmp_path: Path, before: dict[str, bytes]) -> None:
    with disk_with(1000), pytest.raises(StudioError, match=r"could not be written: File too large\."):
        save_tensors(tmp_path / "file")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError, StudioError])
def test_whatever_ends_the_block_is_passed_on(
    tmp_path: Path, before: dict[str, bytes], error: type[BaseException]
) -> None:
    with pytest.raises(error, match="why"):
        write_and_raise(tmp_path / "file", error("why"))
    assert contents(tmp_path) == before


def write_and_raise(path: Path, error: BaseException) -> None:
    with written_whole(path) as stream:
        stream.write(NEW)
        raise error


KILLED = """
import os, signal, sys
from pathlib import Path
from convnext_studio.common.files import written_whole
with written_whole(Path(sys.argv[1])) as stream:
    stream.write(b"half")
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_leaves_what_was_there(tmp_path: Path, before: dict[str, bytes]) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "file")], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    left = contents(tmp_path)
    assert {name: content for name, content in left.items() if not name.startswith(".")} == before
    write(tmp_path / "file")
    assert contents(tmp_path)["file"] == NEW


def test_errors_of_the_system_give_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path, reason in (
        (tmp_path / "folder", "it is not a regular file"),
        (tmp_path / "pipe", "it is not a regular file"),
        (tmp_path / "nowhere" / "file", "No such file or directory"),
        (Path("/proc/file"), "No such file or directory"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(StudioError, match=rf"could not be written: {reason}\.") as caught:
            write(path)
        assert shortened(str(path)) in caught.value.message
    assert contents_of_folders(tmp_path) == ["folder", "pipe"]
    (tmp_path / "mine").write_bytes(OLD)
    monkeypatch.setattr(os, "access", lambda *_: False)  # The tests may run as one who may do everything.
    with pytest.raises(StudioError, match=r"mine could not be written: it is write-protected\."):
        write(tmp_path / "mine")
    assert (tmp_path / "mine").read_bytes() == OLD


def contents_of_folders(folder: Path) -> list[str]:
    return sorted(str(entry.relative_to(folder)) for entry in folder.rglob("*"))


def test_a_new_file_has_the_permissions_of_any_and_a_replaced_one_keeps_its_own(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    write(tmp_path / "file")
    assert mode(tmp_path / "file") == mode(plain)
    (tmp_path / "file").chmod(0o640)
    write(tmp_path / "file")
    assert mode(tmp_path / "file") == 0o640


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "file", tmp_path / "link"
    target.write_bytes(OLD)
    link.symlink_to(target)
    write(link)
    assert link.is_symlink()
    assert target.read_bytes() == NEW
    assert contents_of_folders(tmp_path) == ["elsewhere", "elsewhere/file", "link"]


def test_the_longest_name_that_the_file_system_takes(tmp_path: Path) -> None:
    write(tmp_path / ("x" * 255))
    assert contents(tmp_path) == {"x" * 255: NEW}


def test_many_at_once_on_one_file(tmp_path: Path) -> None:
    """The last one wins, and nobody ever reads a mixture."""
    path, found = tmp_path / "file", set()
    write(path, b"0" * 5000)

    def rewrite(digit: int) -> None:
        for _ in range(50):
            write(path, b"%d" % digit * 5000)

    threads = [threading.Thread(target=rewrite, args=(digit,)) for digit in range(1, 4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        found.add(path.read_bytes())
    for thread in threads:
        thread.join()
    assert found <= {b"%d" % digit * 5000 for digit in range(4)}
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(("name", "ending"), [("x.png", ".png"), ("x.SVG", ".svg"), ("x", ".png")])
def test_the_ending_decides_the_format(name: str, ending: str) -> None:
    assert checked_ending(Path(name), (".png", ".svg"), "A figure") == ending


@pytest.mark.parametrize("name", ["x.npy", "x.pth", "run 0.5", "x.png.gz"])
def test_another_ending_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(StudioError) as refused:
        checked_ending(Path(name), (".png", ".svg", ".pdf"), "A figure")
    assert refused.value.message == f"A figure cannot be saved as “{name}”."
    assert refused.value.hint == "Use a name that ends in .png, .svg or .pdf."


def test_one_or_two_endings_are_listed_as_one_says_them() -> None:
    for endings, said in (((".png",), ".png"), ((".png", ".svg"), ".png or .svg")):
        with pytest.raises(StudioError) as refused:
            checked_ending(Path("x.npy"), endings, "A figure")
        assert refused.value.hint == f"Use a name that ends in {said}."


def test_an_error_of_the_system_is_found_behind_any_other(tmp_path: Path) -> None:
    full = OSError(28, "No space left on device")
    for error in (chained(cause=full), chained(context=full), chained(cause=chained(context=full))):
        with pytest.raises(StudioError, match=r"could not be written: No space left on device\."):
            write_and_raise(tmp_path / "file", error)


def chained(cause: BaseException | None = None, context: BaseException | None = None) -> BaseException:
    """An error of a library, raised because of another one or while it was handled."""
    error = RuntimeError("unexpected pos 64 vs 0")
    error.__cause__, error.__context__ = cause, context
    return error


def test_paths_in_files_are_relative_to_their_folder_and_have_forward_slashes(tmp_path: Path) -> None:
    for path, saved in (
        (str(tmp_path / "a" / "b.png"), "a/b.png"),
        ("/elsewhere/b.png", "/elsewhere/b.png"),
        ("sample:cat", "sample:cat"),
    ):
        assert saved_path(path, tmp_path) == saved
        assert found_path(saved, tmp_path) == path


def test_what_could_block_is_neither_file_nor_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    names = ("file", ".", "pipe", "gone", "x" * 5000)
    assert [is_file_or_folder(tmp_path / name) for name in names] == [True, True, False, False, False]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expand_home("~/file") == tmp_path / "file"
    assert expand_home("~nobody-of-this-name/file") == Path("~nobody-of-this-name/file")


def test_a_new_folder_is_not_called_like_a_file(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=r"“field.npy” is the name of a file.* Give a folder, such as field"):
        check_folder_name(tmp_path / "field.npy")
    (tmp_path / "field.npy").mkdir()
    for name in ("field.npy", "field", "field.2", "run 0.5"):
        check_folder_name(tmp_path / name)
