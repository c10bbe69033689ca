"""Say why a library could not read a file, in the words of people who open files.

Libraries explain themselves to programmers ("decoder error -2", "index out of range"), in any length, and with
whatever the file contains. None of that belongs into a sentence for people.
"""

import errno
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
_OF_SYSTEM = {
    errno.ELOOP: "it is a link that leads back to itself",
    errno.EIO: "the disk or drive reports a fault",
    errno.EINVAL: "the system does not treat it as a file",
    errno.ENXIO: "there is no device behind it",
    errno.ENODEV: "there is no device behind it",
    errno.EBUSY: "another program uses it",
    errno.ETXTBSY: "another program uses it",
    errno.ENOTDIR: "a file is in the place of its folder",
    errno.EOVERFLOW: "it is too large for this system",
}
"""Plain words for what systems say to programmers, such as "Invalid argument"."""


def plain_reason(error: BaseException) -> str:
    """Return why a file could not be read, as a part of a sentence that begins with "it" or "its"."""
    said = str(error).lower()
    if isinstance(error, EOFError) or any(word in said for word in _TOO_SHORT):
        return "it ends too early"
    if isinstance(error, zlib.error) or any(word in said for word in _CHECKED):
        return "its data do not agree with their check sums"
    return "its parts contradict each other"


def system_reason(error: OSError) -> str:
    """Return why the system does not read or write a file, as the end of a sentence."""
    return _OF_SYSTEM.get(error.errno or 0) or error.strerror or "the system does not say why"


def is_variant(error: BaseException) -> bool:
    """Return whether a library says that a file may be sound, but is of a sort that it does not read."""
    said = str(error).lower()
    return isinstance(error, NotImplementedError) or any(word in said for word in _VARIANTS)
