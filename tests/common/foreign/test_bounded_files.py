"""Only regular files are read, and never more of them than asked for."""

import hashlib
import io
import os
import sys
import time
import zipfile
from pathlib import Path

import pytest

from convnext_studio.common.foreign.bounded_files import (
    TooLargeError,
    bounded_archive,
    digest,
    open_archive,
    open_regular,
    read_beginning,
    read_bounded,
)
from convnext_studio.common.foreign.limits import LARGEST_DIRECTORY_BYTES
from tests.common.obstacles import OBSTACLES, growing

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pipes with names")


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_is_no_file_of_that_size_is_refused_at_once(obstacle: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    OBSTACLES[obstacle](path)
    if obstacle == "no permission" and os.access(path, os.R_OK):
        pytest.skip("these tests run as one who may read everything")
    with pytest.raises(OSError, match=r".") as caught:
        read_bounded(path, 1 << 20)
    said = caught.value.strerror or ""
    assert said
    assert "\n" not in said


def test_the_whole_of_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert read_bounded(path, 10) == b"0123456789"
    assert read_beginning(path, 4) == b"0123"
    assert digest(path) == hashlib.sha256(b"0123456789").hexdigest()
    with pytest.raises(TooLargeError, match="more than 9 bytes"):
        read_bounded(path, 9)
    (tmp_path / "empty").write_bytes(b"")
    assert read_bounded(tmp_path / "empty", 10) == b""
    with pytest.raises(FileNotFoundError):
        read_bounded(tmp_path / "none", 10)
    with pytest.raises(ValueError, match="null"):
        read_bounded(Path("a\0b"), 10)


def test_an_open_file_knows_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1234")
    with open_regular(path) as stream:
        assert stream.name == str(path)


def test_a_growing_file_has_an_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with growing(path):
        while path.stat().st_size <= 1 << 20:
            time.sleep(0.001)
        with pytest.raises(TooLargeError, match="1 MiB"):
            read_bounded(path, 1 << 20)
    with growing(path):
        assert len(digest(path)) == 64


def test_an_archive_of_a_long_list_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"x")
    data = bytearray(buffer.getvalue())
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    with open_archive(path) as archive:
        assert archive.read("a") == b"x"
    data[-10:-6] = (LARGEST_DIRECTORY_BYTES + 1).to_bytes(4, "little")  # The length of the list.
    path.write_bytes(bytes(LARGEST_DIRECTORY_BYTES) + data)
    with open_regular(path) as stream, pytest.raises(ValueError, match="too many"):
        bounded_archive(stream)
