"""Read JSON straight into what is wanted, because as lists and dicts it can take fifty times its size."""

import codecs
import json
from typing import TypeVar

import msgspec

from convnext_studio.common.foreign.limits import LARGEST_HEADER_BYTES

Document = TypeVar("Document")


class NoJsonError(Exception):
    """The bytes are no JSON."""


def read_document(data: bytes, kind: type[Document]) -> Document:
    """Return the JSON document in some bytes, with or without a byte-order mark.

    Raises
    ------
    NoJsonError
        If it is none.
    msgspec.ValidationError
        If parts of it are missing or of the wrong kind.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # Python writes names that are no Unicode, and numbers that are none; msgspec reads neither.
        if len(data) > LARGEST_HEADER_BYTES:
            raise NoJsonError from error
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NoJsonError from error
    try:
        return msgspec.convert(content, kind)
    except UnicodeEncodeError as error:  # A name that is no Unicode where one of several is expected.
        raise NoJsonError from error
