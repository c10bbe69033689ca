"""Each kind of file that the program reads, with a pipe, a device or 5 GB of nothing in its place."""

import errno
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest
from safetensors.torch import save

from convnext_studio.cli.commands import erf_measuring
from convnext_studio.common.errors import StudioError
from convnext_studio.common.recipe import read_recipe
from convnext_studio.decoding.decoder_process import Decoder
from convnext_studio.decoding.live.frame_reader import FrameReader
from convnext_studio.erf.field_files import is_field, read_field
from convnext_studio.lecture.script import read_chapter, read_lecture
from convnext_studio.model import load
from convnext_studio.model.weights.beside.class_names import names_beside, read_names
from convnext_studio.model.weights.beside.json_files import read_json
from convnext_studio.model.weights.beside.licences import licence_in_card
from convnext_studio.model.weights.weights_files import is_weights
from convnext_studio.training.soft_targets import read_soft_targets
from convnext_studio.training.state import read_checkpoint
from convnext_studio.ui.state.opening.dropped import describe_paths
from convnext_studio.ui.state.opening.session_document import read_session
from convnext_studio.ui.state.settings import SettingsFile
from tests.common.obstacles import OBSTACLES, growing
from tests.networks import SMALL, lively

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes with names")

LIMIT_S = 5.0
LIMIT_BYTES = 2 << 30
_PATIENCE_S = 60.0
PROGRAMMERS_WORDS = (
    *("None", "Errno", *(os.strerror(number) for number in (errno.ELOOP, errno.EIO, errno.EINVAL))),
    "a directory",
)


def settings_problem(path: Path) -> None:
    os.environ["CONVNEXT_STUDIO_CONFIG_DIR"] = str(path.parent)
    try:
        found = SettingsFile()
    finally:
        del os.environ["CONVNEXT_STUDIO_CONFIG_DIR"]
    if found.problem:
        raise StudioError(found.problem)


def weights_with_it_beside(path: Path) -> None:
    """The weights are good, so that they open, and the file beside them counts for nothing."""
    weights = path.with_name("good.safetensors")
    weights.write_bytes(good_weights())
    assert load(str(weights)).labels


@cache
def good_weights() -> bytes:
    return save({name: tensor.contiguous() for name, tensor in lively(SMALL).state_dict().items()})


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "session": ("a.cnxsession", read_session),
    "recipe of changes": ("a.json", read_recipe),
    "chapter": ("1.md", read_chapter),
    "lecture": ("1.md", lambda path: read_lecture(path.parent)),
    "settings": ("settings.json", settings_problem),
    "field": ("a.npz", lambda path: read_field(str(path))),
    "bare field": ("a.npy", lambda path: read_field(str(path))),
    "field or picture": ("a.npy", lambda path: is_field(str(path))),
    "dragged": ("a.model", lambda path: (is_weights(path), describe_paths([str(path)]))),
    "class names": ("labels.txt", read_names),
    "class names beside": ("labels.txt", lambda path: list(names_beside(path.with_name("a.pth")))),
    "config beside": ("config.json", read_json),
    "config beside good weights": ("config.json", weights_with_it_beside),
    "model card": ("README.md", licence_in_card),
    "safetensors": ("a.safetensors", lambda path: load(str(path))),
    "checkpoint of torch": ("a.pth", lambda path: load(str(path))),
    "ONNX": ("a.onnx", lambda path: load(str(path))),
    "index of shards": ("a.safetensors.index.json", lambda path: load(str(path))),
    "soft targets": ("a.npz", read_soft_targets),
    "training to resume": ("a.pt", read_checkpoint),
    "measurement to resume": ("a.npz", lambda path: erf_measuring.read_saved(path, "identity")),
}
"""By kind: the name of the file, and what reads it."""


def read_in_time(read: Callable[[], object]) -> BaseException | None:
    """Return the error that reading ends in; AssertionError if it takes too long or too much memory."""
    ended: list[BaseException | None] = []

    def run() -> None:
        try:
            read()
            ended.append(None)
        except BaseException as error:
            ended.append(error)

    before, memory = time.process_time(), most_bytes()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    assert not thread.is_alive(), "it is still being read"
    assert time.process_time() - before < LIMIT_S
    assert most_bytes() - memory < LIMIT_BYTES
    return ended[0]


def most_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def assert_one_sentence(error: BaseException | None) -> None:
    if error is not None:
        assert isinstance(error, StudioError), error
        assert error.message
        assert "\n" not in str(error)
        assert len(error.message) < 600
        assert not any(words in error.message for words in PROGRAMMERS_WORDS), error


@pytest.mark.parametrize("kind", READERS)
def test_what_is_no_file_is_refused_in_a_sentence(kind: str, tmp_path: Path) -> None:
    name, read = READERS[kind]
    for obstacle, make in OBSTACLES.items():
        folder = tmp_path / obstacle
        folder.mkdir()
        make(folder / name)
        assert_one_sentence(read_in_time(partial(read, folder / name)))


@pytest.mark.parametrize("kind", READERS)
def test_a_file_that_grows_has_an_end(kind: str, tmp_path: Path) -> None:
    name, read = READERS[kind]
    with growing(tmp_path / name):
        assert_one_sentence(read_in_time(lambda: read(tmp_path / name)))


def test_pictures_and_films(tmp_path: Path) -> None:
    with Decoder() as decoder, FrameReader() as reader:
        decoder.decode("sample:cat")  # Starting the process takes no part in the time.
        for obstacle, make in OBSTACLES.items():
            folder = tmp_path / obstacle
            folder.mkdir()
            picture, film = folder / "a.png", folder / "a.mp4"
            make(picture)
            make(film)
            for read in (decoder.decode, reader.open_file):
                path = picture if read == decoder.decode else film
                error = read_in_time(partial(read, str(path)))
                assert_one_sentence(error)
                assert error is not None


def test_a_session_that_is_a_pipe_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.cnxsession"
    os.mkfifo(path)
    with pytest.raises(StudioError, match=r"a\.cnxsession cannot be read: it is not a regular file"):
        read_session(path)
