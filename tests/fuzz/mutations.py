"""Seeded changes of bytes, of JSON documents and of arrays in archives."""

import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import Any

ODD_TEXTS = (
    *("", "\0", "\n", "\u202e", "x" * 5000, "<img src=/dev/zero>", "../../etc/passwd", "/dev/zero", "\udcff"),
    *("NaN", "1e999", "-0", "stage9.block1", "sample:cat", "preset:none", "%s%n", "ß", "￿", "a\r\nb"),
)
ODD_NUMBERS = (
    *(0, -1, 1, 2, 3, 7, 255, 65_535, 2**31 - 1, 2**31, 2**32, 2**53, 2**63, 2**64, 10**30, -(2**63)),
    *(0.5, -0.0, 1e-300, 1e308, -1e308, float("inf"), float("nan")),
)
ODD_BYTES = (
    *(b"\0", b"\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x80", b"{", b"}", b"[" * 3000),
    *(b'"', b"PK\x03\x04", b"\x93NUMPY", b"9" * 400, b"NaN", b"Infinity", b"\xef\xbb\xbf", b"\xed\xa0\x80"),
    *(b"## ", b"---\n", b"view: ", b"$$", b"\\frac{", b"{" * 3000, b"\\left(", b"^", b"_", b"Try:", b"# "),
)


def changed_bytes(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Change some bytes of a file, or put a part of another one into it."""
    for _ in range(dice.choice((1, 1, 1, 2, 4, 16))):
        at = dice.randrange(len(data) + 1)
        end = min(len(data), at + dice.choice((1, 1, 2, 4, 8, 64, 1024)))
        begin = dice.randrange(len(other) + 1)
        put = dice.choice(
            (
                b"",
                bytes(dice.randrange(256) for _ in range(end - at)),
                dice.choice(ODD_BYTES),
                data[at:end] * dice.choice((2, 3, 50)),
                other[begin : begin + dice.choice((4, 64, 1024))],
            )
        )
        data = data[:at] + put + data[dice.choice((at, end)) :]
        if dice.random() < 0.05:
            data = data[: dice.randrange(len(data) + 1)]
    return data


def changed_json(text: bytes, dice: random.Random) -> bytes:
    """Change values, names and the nesting of a JSON document, which stays one."""
    content = json.loads(text)
    for _ in range(dice.choice((1, 1, 2, 3))):
        content = _changed_value(content, dice)
    return json.dumps(content).encode()


def _changed_value(value: Any, dice: random.Random) -> Any:
    if isinstance(value, dict) and value and dice.random() < 0.9:
        key, changed = dice.choice(list(value)), dict(value)
        kind = dice.random()
        if kind < 0.1:
            del changed[key]
        elif kind < 0.15:
            changed[dice.choice(ODD_TEXTS)] = changed.pop(key)
        else:
            changed[key] = _changed_value(value[key], dice)
        return changed
    if isinstance(value, list) and value and dice.random() < 0.9:
        at, listed = dice.randrange(len(value)), list(value)
        kind = dice.random()
        if kind < 0.1:
            del listed[at]
        elif kind < 0.2:
            listed = listed * dice.choice((0, 2, 1000 // len(listed) + 1))
        else:
            listed[at] = _changed_value(value[at], dice)
        return listed
    return _odd_value(value, dice)


def _odd_value(value: Any, dice: random.Random) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool) and dice.random() < 0.3:
        return value * dice.choice((-1, 2, 10, 1000, 0.5, 1.5))
    nested: Any = dice.choice(ODD_TEXTS)
    for _ in range(dice.choice((0, 0, 1, 3, 400))):
        nested = [nested] if dice.random() < 0.5 else {"a": nested}
    return dice.choice((None, True, False, [], {}, dice.choice(ODD_NUMBERS), dice.choice(ODD_TEXTS), nested))


def changed_archive(data: bytes, dice: random.Random, change: Callable[[bytes, random.Random], bytes]) -> bytes:
    """Change one member of a zip archive, which stays sound."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = dice.choice(list(members))
    if dice.random() < 0.1:
        del members[name]
    else:
        members[name] = change(members[name], dice)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", dice.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for each, content in members.items():
            archive.writestr(each, content)
    return buffer.getvalue()


def changed_npy(data: bytes, dice: random.Random) -> bytes:
    """Change the header of an .npy file, whose length stays right, or its numbers."""
    length = int.from_bytes(data[8:10], "little")
    header, values = data[10 : 10 + length], data[10 + length :]
    if dice.random() < 0.7:
        old, new = dice.choice(
            (
                (b"<f8", dice.choice((b"<f4", b">f8", b"<i8", b"|O ", b"<c8", b"|u1", b"<f2", b"|b1", b"<M8"))),
                (b"False", b"True "),
                (b"(", b"(" * dice.choice((2, 900))),
                (b"(", b"(%d, " % dice.choice((0, 1, 2**20, 2**31, 2**40, 10**20))),
                (b"'shape'", b"'shade'"),
                (b",", b""),
            )
        )
        header = header.replace(old, new, 1)
    else:
        values = changed_bytes(values, header, dice)
    return data[:8] + len(header).to_bytes(2, "little") + header + values
