"""Say why a library could not read a file, in the words of people who open files.

Libraries explain themselves to programmers ("decoder error -2", "index out of range"), in any length, and with
whatever the file contains. None of that belongs into a sentence for people.
"""

import zlib

_TOO_SHORT = (
    *("truncat", "unexpected end", "end of file", "eof", "too short", "too small", "incomplete"),
    *("not enough", "premature"),
)
_VARIANTS = (
    *("unsupported", "not supported", "not implemented", "unhandled", "unknown", "unrecognized", "no decoder"),
    *("cannot handle", "can't handle", "cannot decode", "not available", "unimplemented"),
)
_CHECKED = ("crc", "checksum", "check sum")


def plain_reason(error: BaseException) -> str:
    """Return why a file could not be read, as a part of a sentence that begins with "it" or "its"."""
    said = str(error).lower()
    if isinstance(error, EOFError) or any(word in said for word in _TOO_SHORT):
        return "it ends too early"
    if isinstance(error, zlib.error) or any(word in said for word in _CHECKED):
        return "its data do not agree with their check sums"
    return "its parts contradict each other"


def is_variant(error: BaseException) -> bool:
    """Return whether a library says that a file may be sound, but is of a sort that it does not read."""
    said = str(error).lower()
    return isinstance(error, NotImplementedError) or any(word in said for word in _VARIANTS)
