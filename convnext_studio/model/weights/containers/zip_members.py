"""Where the bytes of the members of a zip archive are, for archives whose members are stored as they are."""

import mmap
import zipfile

from convnext_studio.model.weights.containers.pickle_values import Storage

_HEADER_BYTES = 30


def start_of(mapped: mmap.mmap, member: zipfile.ZipInfo) -> int | None:
    """Return where the bytes of a member are, which its name and an extra field precede; None if nowhere."""
    at = member.header_offset
    header = mapped[at : at + _HEADER_BYTES]
    if len(header) < _HEADER_BYTES or header[:4] != b"PK\x03\x04":
        return None
    named = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    start = at + _HEADER_BYTES + named
    return start if start + member.file_size <= len(mapped) else None


def stored_bytes(mapped: mmap.mmap, member: zipfile.ZipInfo) -> bytes:
    """Return the bytes of a member; empty if they are not in the file."""
    start = start_of(mapped, member)
    return b"" if start is None else mapped[start : start + member.file_size]


def place(storage: Storage, mapped: mmap.mmap, member: zipfile.ZipInfo) -> None:
    """Note in a storage where its bytes are, if they are in the file."""
    start = start_of(mapped, member)
    if start is not None:
        storage.buffer, storage.start, storage.size_bytes = mapped, start, member.file_size
