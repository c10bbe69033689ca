"""Pictures decoded in a process of its own: the same pixels; bounds on time and memory; nothing is left."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding import bounded_child
from convnext_studio.decoding.decoder_process import Decoder
from convnext_studio.decoding.images import decode
from tests.decoding.files import encoded
from tests.end_to_end.waiting import AT_ONCE_S, wait_for


def large_picture(folder: Path, side_px: int) -> Path:
    """A small file of a large picture."""
    path = folder / "large.png"
    Image.new("L", (side_px, side_px)).save(path)
    return path


def test_the_same_as_in_this_process(decoder: Decoder) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (30, 40, 3), np.uint8)
    for source in (
        "sample:cat",
        encoded(Image.fromarray(pixels)),
        encoded(Image.fromarray(pixels).convert("P")),
    ):
        here, there = decode(source), decoder.decode(source)
        np.testing.assert_array_equal(there.pixels, here.pixels)
        for same in ("key", "name", "path", "notes", "size"):
            assert getattr(there, same) == getattr(here, same)
        assert not there.pixels.flags.writeable
    assert decoder.decode(encoded(Image.fromarray(pixels)), "Mine").name == "Mine"


def test_what_cannot_be_decoded_is_the_same_sentence(decoder: Decoder, tmp_path: Path) -> None:
    strange = tmp_path / "text.png"
    strange.write_text("text")
    for source in (
        b"",
        b"text",
        str(strange),
        str(tmp_path),
        str(tmp_path / "gone.png"),
        "a\0b.png",
        "sample:none",
    ):
        with pytest.raises(StudioError) as here:
            decode(source)
        with pytest.raises(StudioError) as there:
            decoder.decode(source)
        assert (there.value.message, there.value.hint) == (here.value.message, here.value.hint)


@pytest.mark.skipif(sys.platform == "win32", reason="file names are text there")
def test_a_name_that_is_no_text(decoder: Decoder, tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.png")
    Path(path).write_bytes(encoded(Image.new("RGB", (3, 2), "red")))
    picture = decoder.decode(path)
    assert picture.path == path
    assert picture.name == "\ufffd\ufffd.png"  # What is shown of it; no text has such bytes.


def test_what_takes_too_long_is_given_up(tmp_path: Path) -> None:
    path = str(large_picture(tmp_path, 400))
    with Decoder(limit_s=2.0) as decoder:
        decoder.decode("sample:cat")  # Loading the libraries does not count.
        first = decoder.pid
        assert first is not None
        psutil.Process(first).suspend()
        begin = time.perf_counter()
        with pytest.raises(StudioError, match=r"“large\.png” takes too long to decode: more than 2 s"):
            decoder.decode(path)
        assert time.perf_counter() - begin < AT_ONCE_S
        assert not psutil.pid_exists(first)
    with Decoder() as decoder:
        assert decoder.decode(path).size == (400, 400)


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be stopped there")
@pytest.mark.parametrize("is_starved", [True, False])
def test_time_is_extended_while_a_busy_machine_lets_it_not_compute(
    own_decoder: Decoder, monkeypatch: pytest.MonkeyPatch, is_starved: bool
) -> None:
    """A stopped process stands for one that waits for a processor."""
    monkeypatch.setattr(bounded_child, "wants_to_compute", lambda _pid: is_starved)
    own_decoder.decode("sample:cat")
    own_decoder._limit_s, pid = 0.4, own_decoder.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    goes_on = threading.Timer(0.9, os.kill, (pid, signal.SIGCONT)) if is_starved else None
    if goes_on is None:
        with pytest.raises(StudioError, match="too long"):
            own_decoder.decode("sample:coffee")
    else:
        goes_on.start()
        assert own_decoder.decode("sample:coffee").name == "coffee"
        goes_on.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_what_a_process_computes_is_known() -> None:
    computed = bounded_child.computed_s(os.getpid())
    assert computed == pytest.approx(time.process_time(), abs=0.5)
    assert bounded_child.wants_to_compute(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as waits:
        wait_for("it waits", lambda: psutil.Process(waits.pid).status() == psutil.STATUS_SLEEPING)
        assert not bounded_child.wants_to_compute(waits.pid)
        assert waits.stdin is not None
        waits.stdin.write(b"\n")
    assert bounded_child.computed_s(2**22 + 1) is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the address space")
def test_what_takes_too_much_memory_is_given_up(tmp_path: Path) -> None:
    with Decoder(limit_bytes=400 << 20) as decoder:
        with pytest.raises(StudioError, match=r"“large\.png” needs too much memory to decode"):
            decoder.decode(str(large_picture(tmp_path, 9000)))
        assert decoder.decode("sample:cat").name == "cat"


def test_a_process_that_died_is_replaced(own_decoder: Decoder) -> None:
    assert own_decoder.pid is not None
    child = psutil.Process(own_decoder.pid)
    child.kill()
    wait_for("it is dead", lambda: child.status() == psutil.STATUS_ZOMBIE)
    assert own_decoder.decode("sample:cat").name == "cat"


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be stopped there")
def test_a_decoder_that_crashes_is_told_and_replaced(own_decoder: Decoder) -> None:
    pid = own_decoder.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)  # As if it were at work when it crashes.
    crash = threading.Timer(0.2, os.kill, (pid, signal.SIGKILL))
    crash.start()
    with pytest.raises(StudioError, match="“cat” cannot be decoded: it needs too much memory, or its damage"):
        own_decoder.decode("sample:cat")
    crash.join()
    assert own_decoder.decode("sample:cat").name == "cat"


OWNER = """
import sys, time
from convnext_studio.decoding.decoder_process import Decoder
decoder = Decoder()
decoder.decode("sample:cat")
print(decoder.pid, flush=True)
try:
    decoder.decode(sys.argv[1]) if len(sys.argv) > 1 else time.sleep(60)
finally:
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="it has no SIGKILL")
@pytest.mark.parametrize("at_work", [False, True])
def test_it_dies_with_its_owner_whatever_kills_that(tmp_path: Path, at_work: bool) -> None:
    arguments = [str(large_picture(tmp_path, 6000))] if at_work else []
    with subprocess.Popen([sys.executable, "-c", OWNER, *arguments], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        child = psutil.Process(int(owner.stdout.readline()))
        time.sleep(0.1)
        assert child.is_running()
        owner.kill()
        child.wait(10)


def test_only_the_child_loads_the_readers_of_files(tmp_path: Path) -> None:
    """What opens files is imported by the decoder's child alone, and in it when the first such file comes."""
    file = tmp_path / "a.tif"
    file.write_bytes(encoded(Image.new("RGB", (3, 2), "red"), "TIFF"))
    script = (
        "import sys\n"
        "from convnext_studio.decoding.decoder_process import Decoder\n"
        "with Decoder() as decoder:\n"
        f"    assert decoder.decode({str(file)!r}).size == (3, 2)\n"
        "readers = ('tifffile', 'imagecodecs', 'pydicom', 'rawpy', 'PIL.TiffImagePlugin')\n"
        "print([name for name in readers if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_starting_and_closing_again_and_again_leaves_nothing() -> None:
    def kept() -> tuple[int, int]:
        return psutil.Process().num_fds(), len(psutil.Process().children())

    decoder = Decoder()
    decoder.close()
    before = kept()
    for _ in range(3):
        decoder.start()
        decoder.start()
        decoder.close()
    assert kept() == before


def test_no_process_to_be_had_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(StudioError, match="cannot be started: Resource temporarily unavailable"):
        Decoder().decode("sample:cat")


def test_libraries_that_are_broken_are_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "PIL.py").write_text("raise SystemExit(1)")
    monkeypatch.syspath_prepend(tmp_path)
    with Decoder() as decoder, pytest.raises(StudioError, match="cannot be started: it ended at once"):
        decoder.decode("sample:cat")
