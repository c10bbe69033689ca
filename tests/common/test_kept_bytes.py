"""The memory that values keep alive, against what was allocated for them."""

from io import BytesIO

import msgspec
import numpy as np
import torch
from msgspec import Struct

from convnext_studio.common.caches import kept_bytes
from convnext_studio.common.processes.codec import decode, encode
from convnext_studio.common.processes.frames import read_frame, write_frame
from tests.engine.client.fake_engine import image_info


class Pair(msgspec.Struct):
    first: object
    second: object


class Box(Struct):
    content: object


def test_arrays_in_all_kinds_of_data_are_counted() -> None:
    assert kept_bytes({"a": np.zeros(3, np.float32), "b": [np.zeros(2, np.uint8), "text"], "c": b"1234"}) == 18
    assert kept_bytes(Pair(np.zeros(5, np.uint8), (Box(np.zeros(7, np.uint8)), None, 3, 2.5, True))) == 12
    assert kept_bytes({"a": torch.zeros(3, 4), "b": (torch.zeros(2, dtype=torch.bfloat16),)}) == 48 + 4
    assert kept_bytes("text") == kept_bytes(None) == kept_bytes(()) == 0


def test_a_view_counts_as_what_it_looks_at() -> None:
    whole = np.zeros((100, 10), np.uint8)
    assert kept_bytes(whole[3]) == kept_bytes(whole[::2].T[1:]) == 1000
    tensor = torch.zeros(100, 10)
    assert kept_bytes(tensor[3]) == kept_bytes(tensor[3].numpy()) == 4000
    assert kept_bytes(np.frombuffer(b"12345678", np.uint8)[:2]) == 8
    assert kept_bytes(np.frombuffer(memoryview(bytearray(9))[1:], np.uint8)) == 9


def test_what_several_share_counts_once() -> None:
    whole = np.zeros(1000, np.uint8)
    assert kept_bytes([whole, whole[:10], Box(whole[500:])]) == 1000
    tensor = torch.zeros(10)
    assert kept_bytes((tensor, tensor[2:], tensor.numpy()[1:])) == 40


def test_arrays_of_a_received_message_count_what_was_received() -> None:
    sent = image_info("x")
    sent = msgspec.structs.replace(sent, preview=np.zeros((40, 30, 3), np.uint8))
    stream = BytesIO()
    write_frame(stream, encode(sent))
    stream.seek(0)
    received = decode(read_frame(stream), type(sent))
    assert kept_bytes(received) == 40 * 30 * 3 + sent.thumbnail.nbytes
    assert kept_bytes(received.preview[0]) == 40 * 30 * 3
