"""Messages cross whole; what is no message is one error, and costs next to nothing."""

import contextlib
import io
import os
import random
import tracemalloc
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convnext_studio.common.processes.codec import encode
from convnext_studio.common.processes.frames import MARK, Frame, ProtocolError, read_frame, write_frame
from convnext_studio.protocol.connection.message_codec import answers, decode_message, decode_order, requests
from convnext_studio.protocol.connection.transport import Channel
from convnext_studio.protocol.envelope import Done, Progress, Started
from convnext_studio.protocol.maps import FeatureMapsResult
from convnext_studio.protocol.pictures import ListPictures
from tests.protocol.messages import MESSAGES, ORDERS, maps

MEGABYTE = 1 << 20


def as_bytes(message: msgspec.Struct) -> bytes:
    stream = io.BytesIO()
    write_frame(stream, encode(message))
    return stream.getvalue()


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, np.ndarray):
        return found.dtype == expected.dtype and np.array_equal(found, expected)
    names = getattr(expected, "__struct_fields__", None)
    if names is not None:
        return type(found) is type(expected) and all(
            same(getattr(found, n), getattr(expected, n)) for n in names
        )
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[key], expected[key]) for key in expected)
    if isinstance(expected, tuple):
        return len(found) == len(expected) and all(map(same, found, expected))
    return bool(found == expected)


@pytest.mark.parametrize("message", ORDERS, ids=lambda message: type(message).__name__)
def test_orders_cross(message: msgspec.Struct) -> None:
    assert decode_order(read_frame(io.BytesIO(as_bytes(message)))) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_messages_cross(message: msgspec.Struct) -> None:
    assert same(decode_message(read_frame(io.BytesIO(as_bytes(message)))), message)


@pytest.mark.parametrize("kind", [Done, Progress], ids=lambda kind: kind.__name__)
def test_no_field_of_a_message_is_lost(kind: type[msgspec.Struct]) -> None:
    values = {field.name: 3 if field.type is int else field.default for field in msgspec.structs.fields(kind)}
    values |= {"text": "…", "seconds": 0.5, "gives_way": True, "payload": None, "partial": None}
    sent = kind(**{name: values[name] for name in kind.__struct_fields__})
    assert decode_message(read_frame(io.BytesIO(as_bytes(sent)))) == sent


def test_every_class_can_be_decoded_and_no_tag_is_taken_twice() -> None:
    kinds = [*requests().values(), *answers().values()]
    assert len(kinds) == len({*requests(), *answers()}) > 60
    for kind in kinds:
        msgspec.msgpack.Decoder(kind, dec_hook=lambda *_: None)


@pytest.mark.parametrize(
    "layout",
    [
        np.arange(24, dtype=np.float32).reshape(4, 3, 2).transpose(),
        np.arange(60, dtype=np.float32).reshape(3, 4, 5)[:, ::2, ::-1],
        np.arange(24, dtype=">f4").reshape(2, 3, 4),
        np.broadcast_to(np.float32(3), (2, 3, 4)),
    ],
)
def test_arrays_of_any_layout_arrive_contiguous_read_only_and_uncopied(layout: np.ndarray) -> None:
    frame = read_frame(io.BytesIO(as_bytes(Done(id=1, payload=maps(layout), seconds=0))))
    message = decode_message(frame)
    assert isinstance(message, Done)
    assert isinstance(message.payload, FeatureMapsResult)
    found = message.payload.maps
    assert np.array_equal(found, layout)
    assert found.flags.c_contiguous
    assert np.shares_memory(found, np.frombuffer(frame.arrays[0], np.uint8))
    with pytest.raises(ValueError, match="WRITEABLE"):
        found.flags.writeable = True


def test_large_arrays_are_sent_from_their_own_memory() -> None:
    values = np.zeros((1, 1024, 1024), np.float32)
    frame = encode(Done(id=1, payload=maps(values), seconds=0))
    assert np.shares_memory(np.frombuffer(frame.arrays[0], np.uint8), values)


def test_file_names_that_are_not_unicode_cross() -> None:
    paths = (os.fsdecode(b"/caf\xe9.png"), "\ue000", "\ue000dce9", "plain")
    message = ListPictures(paths=paths)
    assert decode_order(read_frame(io.BytesIO(as_bytes(message)))) == message


@pytest.mark.parametrize(
    "values", [np.array([object()]), np.array(["text"]), np.zeros(2, "M8[s]"), np.zeros(2, complex)]
)
def test_arrays_of_objects_are_not_sent(values: np.ndarray) -> None:
    with pytest.raises(TypeError, match="cannot be sent"):
        encode(Done(id=1, payload=maps(values), seconds=0))


# ----------------------------------------------------------------------------------------------- hostile frames


def framed(head: object, *arrays: bytes) -> Frame:
    return Frame(msgspec.msgpack.encode(head), [memoryview(array) for array in arrays])


def head_of(array: object) -> dict[str, object]:
    plain: dict[str, Any] = msgspec.msgpack.decode(
        encode(Done(id=1, payload=maps(np.ones((1, 1, 1), np.float32)), seconds=0)).head
    )
    plain["payload"]["maps"] = array
    return plain


@pytest.mark.parametrize(
    ("array", "words"),
    [
        ([0, "|O", [1]], "no array"),
        ([0, "<f8", [0]], "expected an array of float32"),
        ([1, "<f4", [1]], "no array"),
        ([-1, "<f4", [1]], "no array"),
        ([0, "<f4", [2]], "cannot reshape"),
        ([0, "<f4", [-1]], "shape makes no sense"),
        ([0, "<f4", [1 << 62, 1 << 62, 1 << 62]], "reshape|too big|large|maximum"),
        ([0, "<f4", [1] * 99], "shape makes no sense"),
        ([0, "<f4", [True]], "shape makes no sense"),
        ([0, "<f4", "1"], "no array"),
        ({"0": 1}, "no array"),
        ("text", "no array"),
    ],
)
def test_an_array_that_is_none_is_one_error_that_names_the_field(array: object, words: str) -> None:
    with pytest.raises(ProtocolError, match=rf"({words}).*\$.*maps"):
        decode_message(framed(head_of(array), b"\0" * 4))


@pytest.mark.parametrize(
    "head",
    [
        {"type": "Unknown", "id": 1},
        {"id": 1},
        {"type": "Started", "id": "1"},
        {"type": "Done", "id": 1, "payload": {"type": "Started", "id": 1}, "seconds": 0.0},
        {"type": "Done", "id": 1, "payload": {"type": ["ImageInfo"]}, "seconds": 0.0},
        {"type": "LoadModel", "source": "bundled"},
        [1, 2, 3],
        None,
    ],
)
def test_what_is_no_message_is_one_error(head: object) -> None:
    with pytest.raises(ProtocolError):
        decode_message(framed(head))


def test_a_config_that_makes_no_network_is_refused_where_it_arrives() -> None:
    head = msgspec.msgpack.decode(encode(ORDERS[0]).head)
    head["config"]["depths"] = [0, 0, 0, 0]
    with pytest.raises(ProtocolError, match="depths"):
        decode_order(framed(head))


@pytest.mark.parametrize("opening", [b"\x91", b"\x81\xa1a", b"\xdc\x00\x01"])
def test_deep_nesting_is_refused(opening: bytes) -> None:
    for decode in (decode_order, decode_message):
        with pytest.raises(ProtocolError):
            decode(Frame(opening * MEGABYTE))
        with pytest.raises(ProtocolError):
            decode(Frame(opening * MEGABYTE, is_escaped=True))


@pytest.mark.parametrize(
    "prefix",
    [
        MARK + b"\0\0\0\0" + b"\xff\xff\xff\xff" + b"\0\0\0\0",
        MARK + b"\0\0\0\0" + b"\0\0\0\1" + b"\xff\xff\xff\xff",
        MARK + b"\0\0\0\0" + b"\0\0\0\1" + b"\0\x0f\xff\xff" + b"\0" * 64,
        MARK + b"\0\0\0\0" + b"\0\0\0\1" + b"\0\0\0\1" + b"\xff" * 8,
        MARK + b"\0\0\0\0" + b"\0\0\0\1" + b"\0\0\0\2" + b"\x80" + b"\0" * 15,
        MARK + b"\0\0\0\0" + b"\0\0\0\1" + b"\0\0\0\1" + b"\0\0\0\0\xff\xff\xff\xff" + b"\xc0" + b"array",
        MARK + b"\x80\0\0\0" + b"\0\0\0\1" + b"\0\0\0\0" + b"\xc0",
        b"GET / HTTP/1.1\r\n\r\n",
        MARK,
    ],
)
def test_sizes_that_lie_take_no_memory(prefix: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            read_frame(io.BytesIO(prefix))
        assert tracemalloc.get_traced_memory()[1] < 64 * MEGABYTE
    finally:
        tracemalloc.stop()


FRAMES = [(as_bytes(message), decode_order) for message in ORDERS] + [
    (as_bytes(message), decode_message) for message in MESSAGES
]
TELLING = [
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xc6\xff\xff\xff\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xff" * 4,
]
TELLING += [
    b"\xc9\xff\xff\xff\xff\x01",
    b"\x90",
    b"\x80",
    b"\xc0",
    b"\xd3\x80" + b"\0" * 7,
    b"\0" * 8,
    b"\xcb\x7f\xf8" + b"\0" * 6,
]
MUTATIONS_EACH = 10


def mutated(frame: bytes, chance: random.Random) -> bytes:
    """The frame with a few bytes changed, put in, taken out or cut off."""
    content = bytearray(frame)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(content) + 1)
        match chance.randrange(6):
            case 0:
                content[place:place] = chance.choice(TELLING)
            case 1:
                content[place : place + chance.randint(1, 8)] = chance.choice(TELLING)
            case 2:
                del content[place : place + chance.randint(1, 30)]
            case 3:
                content[place : place + 1] = bytes([chance.randrange(256)])
            case 4:
                content[place:place] = content[place : place + 40] * chance.randint(1, 3)
            case 5 if chance.random() < 0.2:
                del content[place:]
    return bytes(content)


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(FRAMES), st.integers(0, 1 << 62))
def test_ten_thousand_mutated_frames_do_no_harm(original: tuple[bytes, Any], seed: int) -> None:
    frame, decode = original
    chance = random.Random(seed)
    tracemalloc.start()
    try:
        for _ in range(MUTATIONS_EACH):
            content = mutated(frame, chance)
            tracemalloc.reset_peak()
            with contextlib.suppress(ProtocolError, EOFError):
                decode(read_frame(io.BytesIO(content)))
            assert tracemalloc.get_traced_memory()[1] < len(content) + 64 * MEGABYTE
    finally:
        tracemalloc.stop()


# -------------------------------------------------------------------------------------------------- the channel


def test_a_channel_that_hears_nonsense_is_closed() -> None:
    ours, theirs = os.pipe()
    other_source, other_sink = os.pipe()
    os.write(theirs, b"This is the MOTD of a friendly server.\n")
    source, sink = io.FileIO(ours, "r"), io.FileIO(other_sink, "w")
    channel = Channel(source, sink, decode_message)
    with pytest.raises(ProtocolError):
        channel.receive()
    assert source.closed
    assert sink.closed
    with io.FileIO(other_source, "r") as end:
        assert end.read() == b""
    os.close(theirs)


def test_a_channel_tells_when_the_other_side_is_gone() -> None:
    channel = Channel(io.BytesIO(as_bytes(Started(id=1))), io.BytesIO(), decode_message)
    assert channel.receive() == Started(id=1)
    with pytest.raises(EOFError):
        channel.receive()
