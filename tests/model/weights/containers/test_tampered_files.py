"""Sound checkpoints into which scanners' tools put a payload: nothing of it runs, and what is sound opens.

The ways are those of fickling's injections and polyglots, and of the archives with which files were hidden from
picklescan and modelscan.
"""

import io
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from convnext_studio.common.errors import StudioError
from convnext_studio.model import load
from convnext_studio.model.loaded import LoadedModel
from tests.model.weights.containers.test_pickle_attacks import CANARY, FIRE, FIRED, call, fired, in_bytes, text
from tests.networks import SMALL, lively

__all__ = ["fired"]

NET = lively(SMALL)
EXEC = call("__builtin__", "exec", text(f"import {CANARY}; {CANARY}.fire()"))
LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def sound(is_legacy: bool = False) -> bytes:
    stream = io.BytesIO()
    torch.save(
        {"state_dict": dict(NET.state_dict()), "epoch": 3},
        stream,
        _use_new_zipfile_serialization=not is_legacy,
    )
    return stream.getvalue()


def with_pickle(change: Callable[[bytes], bytes], others: dict[str, bytes] | None = None) -> bytes:
    """Return a sound archive with its pickle changed, and with other members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sound())) as source, zipfile.ZipFile(stream, "w") as target:
        for member in source.infolist():
            content = source.read(member)
            target.writestr(
                member.filename, change(content) if member.filename.endswith("data.pkl") else content
            )
        for name, content in (others or {}).items():
            target.writestr(name, content)
    return stream.getvalue()


def first(payload: bytes) -> Callable[[bytes], bytes]:
    """Have a payload run before the rest, and its result thrown away."""
    return lambda content: content[:2] + payload + b"0" + content[2:]


def last(payload: bytes) -> Callable[[bytes], bytes]:
    """Have a payload run after the rest, and its result thrown away."""
    return lambda content: content[:-1] + payload + b"0."


def in_the_middle(payload: bytes) -> Callable[[bytes], bytes]:
    """Have a payload run between the tensors, and its result thrown away."""

    def change(content: bytes) -> bytes:
        at = content.index(b"X", content.index(b"ctorch._utils"))
        return content[:at] + payload + b"0" + content[at:]

    return change


INJECTED: dict[str, Callable[[bytes], bytes]] = {
    f"{what} {where}": at(payload)
    for what, payload in {
        "exec": EXEC,
        "a function": FIRED,
        "a call that makes nothing": FIRE + b"(tR",
        "a pickle in a pickle": call("pickle", "loads", in_bytes(pickle.dumps(3)[:-1] + FIRED + b".")),
        "torch.load": call("torch.serialization", "load", text("other.pth")),
        "a handler of torch's data": call(
            "torch.utils.data.datapipes.utils.decoder", "basichandlers", text("pkl"), in_bytes(FIRED + b".")
        ),
        "resolve_name": call("pkgutil", "resolve_name", text(f"{CANARY}:fire")) + b")R",
        "a function made of code": call("cloudpickle.cloudpickle", "_make_function", b"N", b"}") + b")R",
    }.items()
    for where, at in {"first": first, "in the middle": in_the_middle, "last": last}.items()
}


@pytest.mark.parametrize("injected", INJECTED)
def test_a_checkpoint_with_a_payload_opens_with_a_warning(
    tmp_path: Path, fired: list[str], injected: str
) -> None:
    path = tmp_path / "m.pth"
    path.write_bytes(with_pickle(INJECTED[injected]))
    opened = load(str(path))
    x = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(opened.module(x), NET(x))
    assert any("asks for" in note or "neither made nor run" in note for note in opened.notes)
    if CANARY not in "".join(opened.notes):
        assert any(note.startswith("Take care where this file comes from") for note in opened.notes)
    assert not fired


REPLACED: dict[str, Callable[[bytes], bytes]] = {
    "the result": lambda content: content[:-1] + b"0" + EXEC + b".",
    "the result, called with it": lambda content: content[:2] + FIRE + content[2:-1] + b"\x85R.",
    "the result, built into a class": lambda content: (
        content[:2] + f"c{CANARY}\nBomb\n".encode() + b")\x81" + content[2:-1] + b"b."
    ),
    "all of it": lambda _content: b"\x80\x02" + EXEC + b".",
}


@pytest.mark.parametrize("replaced", REPLACED)
def test_a_payload_in_place_of_the_tensors_is_refused(tmp_path: Path, fired: list[str], replaced: str) -> None:
    path = tmp_path / "m.pth"
    path.write_bytes(with_pickle(REPLACED[replaced]))
    with pytest.raises(StudioError, match="could run code"):
        load(str(path))
    assert not fired


def changed(at: int, change: Callable[[int], int], signature: bytes) -> Callable[[bytes], bytes]:
    """Return a function that changes one byte in every header of that kind in an archive."""

    def of(content: bytes) -> bytes:
        edited = bytearray(content)
        for found in re.finditer(re.escape(signature), content):
            edited[found.start() + at] = change(edited[found.start() + at])
        return bytes(edited)

    return of


def twice(content: bytes) -> bytes:
    stream = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w") as target:
        warnings.simplefilter("ignore")  # zipfile tells that the names are there already.
        for archive in (content, sound()):
            with zipfile.ZipFile(io.BytesIO(archive)) as source:
                for member in source.infolist():
                    target.writestr(member.filename, source.read(member))
    return stream.getvalue()


def with_comment(content: bytes) -> bytes:
    return content[:-2] + struct.pack("<H", len(FIRED)) + FIRED


ARCHIVES: dict[str, Callable[[bytes], bytes]] = {
    "encrypted, says a local header": changed(6, lambda byte: byte | 1, LOCAL),
    "encrypted, says the directory": changed(8, lambda byte: byte | 1, CENTRAL),
    "another sum in a local header": changed(14, lambda byte: byte ^ 0xFF, LOCAL),
    "another sum in the directory": changed(16, lambda byte: byte ^ 0xFF, CENTRAL),
    "another name in a local header": changed(30, lambda _byte: ord("x"), LOCAL),
    "another name in the directory": changed(46, lambda _byte: ord("x"), CENTRAL),
    "compressed, says a local header": changed(8, lambda _byte: 8, LOCAL),
    "compressed, says the directory": changed(10, lambda _byte: 8, CENTRAL),
    "another size in the directory": changed(24, lambda byte: byte ^ 0x10, CENTRAL),
    "cut off": lambda content: content[:-40],
    "two of everything": twice,
    "a comment that is a pickle": with_comment,
    "a pickle before it": lambda content: b"\x80\x02" + FIRED + b"." + content,
    "a pickle behind it": lambda content: content + b"\x80\x02" + FIRED + b".",
    "an older file before it": lambda content: sound(is_legacy=True) + content,
    "an older file behind it": lambda content: content + sound(is_legacy=True),
    "an archive in an archive": lambda content: with_pickle(lambda _: content),
}


def attempt(path: Path) -> tuple[LoadedModel | None, str]:
    """Return the network in a file, or why it is refused."""
    try:
        return load(str(path)), ""
    except StudioError as error:
        return None, error.message


@pytest.mark.parametrize("archive", ARCHIVES)
def test_archives_in_which_things_are_hidden(tmp_path: Path, fired: list[str], archive: str) -> None:
    """Such a file opens with the sound weights in it, or is refused in one sentence."""
    path = tmp_path / "m.pth"
    for content in (with_pickle(first(EXEC)), with_pickle(lambda content: content)):
        path.write_bytes(ARCHIVES[archive](content))
        opened, refusal = attempt(path)
        assert "\n" not in refusal
        if opened is not None:
            torch.testing.assert_close(opened.module.state_dict(), NET.state_dict())
    assert not fired


def test_pickles_that_torch_does_not_read_are_not_read(tmp_path: Path, fired: list[str]) -> None:
    path = tmp_path / "m.pth"
    hidden = b"\x80\x02" + FIRED + b"."
    names = (
        "archive/extra.pkl",
        "archive/constants.pkl",
        "archive/.data/x.pkl",
        "data.pkl.pkl",
        "other.pickle",
    )
    path.write_bytes(with_pickle(lambda content: content, dict.fromkeys(names, hidden)))
    torch.testing.assert_close(load(str(path)).module.state_dict(), NET.state_dict())
    assert not fired
