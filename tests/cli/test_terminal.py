"""What is printed reaches every terminal, and what cannot be printed ends the program in one sentence."""

import errno
import importlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from convnext_studio.cli import exit_status, options
from convnext_studio.cli import main as cli
from convnext_studio.cli.commands import doctor
from convnext_studio.cli.terminal import any_terminal

COMMAND = [sys.executable, "-m", "convnext_studio"]
LIGHT = ["completion", "bash"]
"""A command that prints much and imports little."""


def run(arguments: list[str], stdout: IO[bytes] | int) -> "subprocess.CompletedProcess[bytes]":
    command = [*COMMAND, *arguments]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, timeout=60, check=False)


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("latin-1", b'"cat" 4 \xd7 4 \\u0151 -> \\u732b'),
        ("cp1252", b"\x93cat\x94 4 \xd7 4 \\u0151 -> \\u732b"),
        ("ascii", b'"cat" 4 x 4 \\u0151 -> \\u732b'),
        ("utf-8", "“cat” 4 × 4 ő → 猫".encode()),
    ],
)
def test_signs_that_an_encoding_lacks_are_written_plainly(
    encoding: str, written: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("stdout", "stderr"):
        printed = io.BytesIO()
        monkeypatch.setattr(sys, name, io.TextIOWrapper(printed, encoding=encoding))
        with any_terminal():
            print("“cat” 4 × 4 ő → 猫", file=getattr(sys, name), flush=True)
        assert printed.getvalue() == written + os.linesep.encode()


def test_file_names_of_other_encodings_are_written_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="utf-8"))
    with any_terminal():
        print(os.fsdecode(b"gr\xfcn.png"))
    assert printed.getvalue() == b"gr\xfcn.png\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="This system has no /dev/full.")
@pytest.mark.parametrize("arguments", [LIGHT, ["--help"], ["--version"], ["export", "--help"]])
def test_a_full_disk_is_one_sentence(arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(arguments, full)
    assert done.returncode == exit_status.FAILED
    [line] = done.stderr.decode().splitlines()
    assert "cannot be written: No space left" in line


@pytest.mark.parametrize("arguments", [LIGHT, ["--help"]])
def test_a_reader_that_ends_early_is_no_error(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run(arguments, writing)
    finally:
        os.close(writing)
    assert done.stderr == b""
    assert done.returncode == exit_status.FAILED


@pytest.mark.skipif(os.name != "posix", reason="A shell closes the streams.")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_are_no_error(closed: str) -> None:
    command = " ".join([sys.executable, "-m", "convnext_studio", *LIGHT, closed])
    done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr == b""


@pytest.mark.skipif(os.name != "posix", reason="Only here can a current folder be deleted.")
def test_a_deleted_current_folder_is_no_error(tmp_path: Path) -> None:
    command = f"mkdir gone && cd gone && rmdir ../gone && {sys.executable} -m convnext_studio completion bash"
    done = subprocess.run(["sh", "-c", command], capture_output=True, cwd=tmp_path, timeout=60, check=False)
    assert done.stderr == b""
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("error", "said", "status"),
    [
        (ImportError("libtorch.so: failed to map segment from shared object"), "memory has run out", 1),
        (OSError(12, "Cannot allocate memory"), "memory has run out", 1),
        (ImportError("No module named 'timm'\nmore"), "No module named 'timm'. Install it again.", 2),
    ],
)
def test_what_fails_at_import_is_one_sentence(
    error: Exception,
    said: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(_options: object) -> int:
        raise error

    monkeypatch.setattr(doctor, "run", refuse)
    assert cli.main(["doctor"]) == status
    [line] = capsys.readouterr().err.splitlines()
    assert said in line


def test_a_library_that_does_not_start_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As torch, which raises errors of many lines over settings in the environment."""
    (tmp_path / "odd_library.py").write_text("raise ValueError('\\nInvalid settings: x.\\nValid are:\\n...')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(doctor, "run", lambda _: importlib.import_module("odd_library"))
    assert cli.main(["doctor"]) == exit_status.CANNOT_START
    [line] = capsys.readouterr().err.splitlines()
    assert "A part of the installation does not start: Invalid settings: x. Look for settings" in line

    def fail(_options: object) -> int:
        raise ValueError("a fault of the program")

    monkeypatch.setattr(doctor, "run", fail)
    with pytest.raises(ValueError, match="a fault of the program"):
        cli.main(["doctor"])


def test_too_few_open_files_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_options: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(doctor, "run", refuse)
    assert cli.main(["doctor"]) == exit_status.FAILED
    [line] = capsys.readouterr().err.splitlines()
    assert "does not allow more open files" in line


DIGITS = "9" * 5000


@pytest.mark.parametrize(
    "arguments",
    [
        ["--step", DIGITS, "--present"],
        ["--size", f"{DIGITS}x{DIGITS}"],
        ["--stem-stride", DIGITS],
        ["--input-px", DIGITS],
        ["--frame", DIGITS],
        ["--bands", f"{DIGITS},1,1"],
        ["--contrast", f"1,{DIGITS}"],
        ["--contrast", "nan,99"],
        ["--mean", f"{DIGITS},1,1"],
        ["--std", "inf"],
        ["--precision", DIGITS],
        ["export", "x", "--out", "y", "--field-count", DIGITS],
        ["erf", "x", "--out", "y", "--unit", f"{DIGITS},1"],
        ["erf", "x", "--out", "y", "--count", DIGITS],
        ["erf", "x", "--out", "y", "--seed", DIGITS],
        ["train", "x", "--out", "y", "--depths", DIGITS],
        ["train", "x", "--out", "y", "--epochs", DIGITS],
        ["train", "x", "--out", "y", "--learning-rate", "nan"],
        ["evaluate", "x", "y", "--input-px", DIGITS],
        [f"--{DIGITS}"],
    ],
)
def test_numbers_of_any_length_are_refused_in_a_short_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == exit_status.CANNOT_START
    *_, complaint = capsys.readouterr().err.splitlines()
    assert len(complaint) < 500
    assert "invalid" not in complaint or "choice" in complaint


@pytest.mark.parametrize("text", ["", "1.5", "1_000", "０", "٣", "--5", "+", "1e3", "0x10", " "])
def test_only_plain_digits_are_whole_numbers(text: str) -> None:
    assert options.whole(text) is None
