"""Any file dropped as weights gives a model or one sentence, quickly, in little memory, and no code runs."""

import argparse
import os
import pickle
import resource
import struct
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from convnext_studio.common.errors import StudioError
from convnext_studio.model import load
from convnext_studio.model.config import ConvNeXtConfig
from tests.networks import lively

SMALL = ConvNeXtConfig(num_classes=3, depths=(1, 1, 1, 1), dims=(4, 4, 6, 8), kernel_size=3)
SHARED_FOLDER = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50
)
LEGACY = {"_use_new_zipfile_serialization": False}


def peak_bytes() -> int:
    """The most memory that this process has used."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextmanager
def refused(path: Path, sentence: str) -> Iterator[None]:
    """Assert that opening fails with that sentence within 5 s, in little memory, and without torch's advice."""
    before, start = peak_bytes(), time.process_time()
    with pytest.raises(StudioError, match=sentence) as caught:
        yield
    assert time.process_time() - start < 5
    assert peak_bytes() - before < 3 * (path.stat().st_size if path.exists() else 0) + 40e6
    told = str(caught.value)
    assert "weights_only" not in told
    assert "add_safe_globals" not in told
    assert "\n" not in caught.value.message


def weights() -> dict[str, torch.Tensor]:
    return dict(lively(SMALL).state_dict())


def save_zip(path: Path, contents: object) -> Path:
    torch.save(contents, path)
    return path


def save_legacy(path: Path, contents: object) -> Path:
    torch.save(contents, path, **LEGACY)
    return path


@pytest.mark.parametrize("save", [save_zip, save_legacy])
def test_both_formats_of_torch_are_read(tmp_path: Path, save: Callable[[Path, object], Path]) -> None:
    path = save(tmp_path / "m.pth", {"model": weights(), "args": argparse.Namespace(lr=0.1), "epoch": 3})
    opened = load(str(path))
    x = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(opened.module(x), lively(SMALL)(x))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n  <html lang='en'>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS pointer"),
        (b"PK\x03\x04" + bytes(200), "damaged"),
        (b"GIF89a" + bytes(200), "not a weights file"),
        (b"\x80\x02}q\x00.", "no named tensors"),
        (b"\x80\x04\x95" + b"\xff" * 8 + b"}.", "damaged"),
        (b"\x80\x02X" + b"\xff" * 4 + b"abc", "damaged"),
        (b"\x80\x02" + b"]" * 5_000_000, "too many objects"),
        (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + b"\x80\x02." * 9, "damaged"),
        (struct.pack("<Q", 2**63) + b"{" + bytes(100), "header is far too long"),
        (struct.pack("<Q", 10**6) + b"{" + bytes(100), "middle of its header"),
    ],
)
def test_other_files_give_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with refused(path, sentence):
        load(str(path))


def test_folders_and_missing_files_give_one_sentence(tmp_path: Path) -> None:
    with refused(tmp_path, "folder"):
        load(str(tmp_path))
    with refused(tmp_path / "gone.pth", "no model or weights file"):
        load(str(tmp_path / "gone.pth"))
    with pytest.raises(StudioError, match="no model or weights file"):
        load("")


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (str(self.folder),)


def pickled(path: Path, contents: object) -> Path:
    path.write_bytes(pickle.dumps(contents, protocol=2))
    return path


def pickled_anew(path: Path, contents: object) -> Path:
    path.write_bytes(pickle.dumps(contents, protocol=4))
    return path


@pytest.mark.parametrize("save", [save_zip, save_legacy, pickled, pickled_anew])
def test_code_in_a_pickle_does_not_run(tmp_path: Path, save: Callable[[Path, object], Path]) -> None:
    contents = {"epoch": 3, "extra": Runs(tmp_path / "harm")}
    path = save(tmp_path / "m.pth", contents)
    with refused(path, r"reading it could run code \(it asks for (posix\.mkdir|nt\.mkdir)\)"):
        load(str(path))
    # Beside whole weights it does nothing either, and is named.
    path = save(path, contents | {"model": weights()})
    assert any("mkdir. Nothing of it was run" in note for note in load(str(path)).notes)
    assert not (tmp_path / "harm").exists()
    # The pickle does run its code when it is loaded without protection.
    pickle.loads(pickle.dumps(Runs(tmp_path / "harm")))
    assert (tmp_path / "harm").is_dir()


def test_whole_models_are_refused_with_advice(tmp_path: Path) -> None:
    path = save_zip(tmp_path / "m.pth", torch.nn.Linear(2, 2))
    with refused(path, "it asks for torch.nn.modules.linear.Linear"):
        load(str(path))


def rezipped(source: Path, path: Path, **options: Any) -> zipfile.ZipFile:
    """Copy an archive, and leave it open for more members."""
    archive = zipfile.ZipFile(path, "w", **options)
    with zipfile.ZipFile(source) as old:
        for member in old.namelist():
            archive.writestr(member, old.read(member))
    return archive


def test_zip_bombs_are_not_unpacked(tmp_path: Path) -> None:
    source = save_zip(tmp_path / "m.pth", weights())
    path = tmp_path / "bomb.pth"
    with rezipped(source, path, compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data/999", bytes(200_000_000))
    assert path.stat().st_size < 1e6
    with refused(path, r"would unpack to 200\.\d MB"):
        load(str(path))


def test_zip_whose_members_share_their_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pth"
    with rezipped(save_zip(tmp_path / "m.pth", weights()), path) as archive:
        archive.writestr("m/data/999", bytes(100_000))
        (last,) = [member for member in archive.infolist() if member.filename == "m/data/999"]
        archive.filelist.extend([last] * 1000)
    with refused(path, r"would unpack to 100\.\d MB"):
        load(str(path))


def test_zip_with_an_endless_directory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a" * 60_000, b"")
        archive.filelist.extend(archive.filelist * 400)
    assert path.stat().st_size > 20e6
    with refused(path, "damaged"):
        load(str(path))


def test_compressed_and_other_archives_are_refused(tmp_path: Path) -> None:
    source = save_zip(tmp_path / "m.pth", weights())
    path = tmp_path / "n.pth"
    with rezipped(source, path, compression=zipfile.ZIP_DEFLATED):
        pass
    with refused(path, "compressed archive|would unpack"):
        load(str(path))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with refused(path, "without weights that torch saved"):
        load(str(path))


def test_tensors_larger_than_the_file_are_refused(tmp_path: Path) -> None:
    repeated = {"head.weight": torch.zeros(1).expand(10**9, 8), "head.bias": torch.zeros(1).expand(10**9)}
    path = save_zip(tmp_path / "m.pth", weights() | repeated)
    with refused(path, "larger than the file"):
        load(str(path))


def test_a_network_of_too_many_blocks_is_not_built(tmp_path: Path) -> None:
    blocks = {f"stages.0.{index}.gamma": torch.zeros(6) for index in range(600)}
    path = tmp_path / "m.safetensors"
    save_file(weights() | blocks, path)
    with refused(path, "603 blocks, but at most 300"):
        load(str(path))


def test_tensors_that_share_their_storage_are_refused(tmp_path: Path) -> None:
    shared = torch.zeros(1000, 1000).T  # What is not contiguous would be copied to be reshaped.
    path = save_zip(tmp_path / "m.pth", weights() | {f"stages.0.{index}.gamma": shared for index in range(99)})
    with refused(path, "larger than the file"):
        load(str(path))


@pytest.fixture(scope="module", params=[save_zip, save_legacy])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint; its path, because hypothesis prints what a test gets."""
    path: Path = request.param(tmp_path_factory.mktemp("whole") / "m.pth", {"model": weights()})
    return path


@SHARED_FOLDER
@given(kept=st.floats(0, 1, exclude_max=True))
def test_truncation_anywhere_gives_one_sentence(tmp_path: Path, whole: Path, kept: float) -> None:
    content = whole.read_bytes()
    path = tmp_path / "m.pth"
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(StudioError, match=r"^m.pth (is|ends|has) .* get the file again\.$|not a weights file"):
        load(str(path))


@SHARED_FOLDER
@given(damage=st.binary(min_size=1, max_size=40), place=st.floats(0, 1))
def test_damage_gives_a_model_or_a_sentence(tmp_path: Path, whole: Path, damage: bytes, place: float) -> None:
    content = whole.read_bytes()
    path = tmp_path / "m.pth"
    offset = int(place * len(content))
    path.write_bytes(content[:offset] + damage + content[offset + len(damage) :])
    with suppress(StudioError):
        load(str(path)).module(torch.zeros(1, 3, 32, 32))
