"""No process of the program speaks with the world while a person looks at pictures."""

import subprocess
import sys
from pathlib import Path

import pytest

from convnext_studio.common.samples import sample_path
from tests.end_to_end.program import Program
from tests.end_to_end.waiting import LONG_S

# Python imports this module first, in every process; pipes and local sockets have addresses that are no tuples.
WATCH = """
import os, pathlib, sys

folder = pathlib.Path(os.environ["WATCHED"])
(folder / f"{os.getpid()}.started").touch()

def refuse(event, arguments):
    asks = event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
    if asks or event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        (folder / f"{os.getpid()}.spoke").write_text(f"{event} {arguments[-1]}")
        raise ConnectionRefusedError(event)

sys.addaudithook(refuse)
"""


@pytest.fixture
def watched(offscreen: dict[str, str], tmp_path: Path) -> tuple[dict[str, str], Path]:
    """An environment in which every Python refuses connections, and the folder in which it notes them."""
    library, folder = tmp_path / "library", tmp_path / "watched"
    for each in (library, folder):
        each.mkdir()
    (library / "sitecustomize.py").write_text(WATCH)
    return offscreen | {"PYTHONPATH": str(library), "WATCHED": str(folder)}, folder


def test_the_refusal_is_noticed(watched: tuple[dict[str, str], Path]) -> None:
    variables, folder = watched
    for call in ("create_connection(('192.0.2.1', 80))", "getaddrinfo('example.org', 80)"):
        command = [sys.executable, "-c", f"import socket; socket.{call}"]
        assert subprocess.run(command, env=variables, capture_output=True, timeout=LONG_S).returncode
    assert len(list(folder.glob("*.spoke"))) == 2


def test_looking_at_pictures_and_at_what_could_be_fetched(
    watched: tuple[dict[str, str], Path], weights: Path, tmp_path: Path
) -> None:
    variables, folder = watched
    arguments = [str(sample_path("rocket")), "--model", str(weights), "--device", "cpu", "--size", "1280x800"]
    program = Program(arguments, variables, tmp_path / "stderr.txt")
    try:
        program.wait_until_settled()
        # Pretrained models are listed there: fetching one is another matter.
        for aside in ("catalogue", "help"):
            program.ask("turn_to", aside)
            program.wait_until_settled()
        program.ask("open", "sample:cat")
        program.wait_until_settled("cat")
    finally:
        program.end()
    assert len(list(folder.glob("*.started"))) >= 3, "window, engine and decoder"
    assert [note.read_text() for note in folder.glob("*.spoke")] == []
