"""Files of soft targets: what was written is read, and what is wrong is said in a sentence."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.training import soft_targets
from convnext_studio.training.soft_targets import SoftTargets, read_soft_targets, write_soft_targets

TARGETS = SoftTargets(
    names=("cat/1.png", "dog/2.png"),
    classes=("cat", "dog", "bird"),
    probabilities=np.array([[0.5, 0.25, 0.25], [0.0, 0.75, 0.25]], np.float16),
    temperature=2.0,
    teacher="A teacher",
)


def arrays() -> dict[str, NDArray[np.generic]]:
    return {
        "names": np.array(TARGETS.names),
        "classes": np.array(TARGETS.classes),
        "probabilities": TARGETS.probabilities,
        "temperature": np.array(TARGETS.temperature),
        "teacher": np.array(TARGETS.teacher),
    }


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_soft_targets(tmp_path / "soft.npz", TARGETS)
    read = read_soft_targets(tmp_path / "soft.npz")
    assert (read.names, read.classes, read.temperature) == (TARGETS.names, TARGETS.classes, 2.0)
    assert read.teacher == "A teacher"
    np.testing.assert_array_equal(read.probabilities, TARGETS.probabilities)


def test_rows_come_in_the_order_asked_for_and_at_the_temperature_asked_for() -> None:
    rows = TARGETS.rows(["dog/2.png", "cat/1.png"], 2.0)
    np.testing.assert_allclose(rows, TARGETS.probabilities[[1, 0]])
    # Logits over half the temperature: shares squared, and made to add up to 1 again.
    np.testing.assert_allclose(TARGETS.rows(["cat/1.png"], 1.0), [[4 / 6, 1 / 6, 1 / 6]], rtol=1e-6)
    with pytest.raises(StudioError, match=r"lack 1 of 2 pictures, such as cat/3\.png"):
        TARGETS.rows(["cat/1.png", "cat/3.png"], 2.0)


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("names", np.array(["cat/1.png"]), "do not have one row for each name"),
        ("names", np.array(["cat/1.png", "cat/1.png"]), "twice"),
        ("names", np.array([1.0, 2.0]), "must be texts"),
        ("names", np.array(["a", None], object), "contains neither texts nor numbers"),
        ("classes", np.array(["cat", "cat", "dog"]), "twice"),
        ("probabilities", np.full((2, 3), 0.5, np.float16), "do not add up to 1"),
        ("probabilities", np.array([[2, -1, 0]] * 2, np.float16), "not a number from 0 to 1"),
        ("probabilities", np.full((2, 3), np.nan, np.float16), "not a number from 0 to 1"),
        ("probabilities", np.zeros((2, 3), np.int64), "contains neither texts nor numbers"),
        ("temperature", np.array(0.0), r"temperature is 0\.0"),
        ("temperature", np.array([1.0, 2.0]), "is damaged"),
        ("teacher", None, "no array “teacher”"),
    ],
)
def test_wrong_files_are_said_in_a_sentence(
    tmp_path: Path, name: str, values: NDArray[np.generic] | None, said: str
) -> None:
    changed = {**arrays(), **({} if values is None else {name: values})}
    if values is None:
        del changed[name]
    path = tmp_path / "soft.npz"
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, **changed)
    path.write_bytes(buffer.getvalue())
    with pytest.raises(StudioError, match=said) as caught:
        read_soft_targets(path)
    assert caught.value.message.startswith("soft.npz")


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "soft.npz"
    with pytest.raises(StudioError, match="There is no file"):
        read_soft_targets(path)
    with pytest.raises(StudioError, match="cannot be read: it is not a regular file, but a folder"):
        read_soft_targets(tmp_path)
    os.mkfifo(tmp_path / "pipe.npz")
    with pytest.raises(StudioError, match=r"pipe\.npz cannot be read: it is not a regular file\."):
        read_soft_targets(tmp_path / "pipe.npz")
    for contents in (b"", b"PK\x03\x04", b"\x93NUMPY", b"{}" * 500):
        path.write_bytes(contents)
        with pytest.raises(StudioError, match="no soft targets, or is damaged"):
            read_soft_targets(path)
    write_soft_targets(path, TARGETS)
    whole = path.read_bytes()
    for kept in (50, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(StudioError, match="no soft targets"):
            read_soft_targets(path)


def test_damage_anywhere_is_said_or_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "soft.npz"
    write_soft_targets(path, TARGETS)
    whole = path.read_bytes()
    said = 0
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            read = read_soft_targets(path)
        except StudioError:
            said += 1
        else:
            assert (read.names, read.classes) == (TARGETS.names, TARGETS.classes)
    assert said > len(whole) / 6


def test_a_head_that_asks_for_more_than_there_is_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "soft.npz"
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<f2", "fortran_order": False, "shape": (1 << 40, 1 << 20)}
    )
    write_soft_targets(tmp_path / "good.npz", TARGETS)
    with zipfile.ZipFile(tmp_path / "good.npz") as good, zipfile.ZipFile(path, "w") as bad:
        for name in good.namelist():
            bad.writestr(name, head.getvalue() if name == "probabilities.npy" else good.read(name))
    with pytest.raises(StudioError, match="another size than it says"):
        read_soft_targets(path)


def test_files_above_the_limit_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_soft_targets(tmp_path / "soft.npz", TARGETS)
    monkeypatch.setattr(soft_targets, "LARGEST_SOFT_TARGETS_BYTES", 100)
    with pytest.raises(StudioError, match="more than"):
        read_soft_targets(tmp_path / "soft.npz")
