"""Every answer of a real network arrives in another process as it was given."""

import io

import pytest

from convnext_studio.common.processes.codec import encode
from convnext_studio.common.processes.frames import read_frame, write_frame
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.protocol.connection.message_codec import decode_message, decode_order
from convnext_studio.protocol.envelope import Done, Progress
from tests.engine.opening import all_steps
from tests.engine.server.test_out_of_memory import NAMES, new_dispatcher, of_pictures, same


@pytest.fixture(scope="module")
def dispatcher() -> Dispatcher:
    return new_dispatcher()


@pytest.mark.parametrize("name", NAMES)
def test_requests_and_answers_cross(dispatcher: Dispatcher, name: str) -> None:
    request = of_pictures(dispatcher)[name]
    stream = io.BytesIO()
    write_frame(stream, encode(request))
    stream.seek(0)
    assert decode_order(read_frame(stream)) == request
    steps, answer = all_steps(dispatcher.answer(request))
    for message in (*steps[-2:], Done(id=1, payload=answer, seconds=0.5)):
        stream = io.BytesIO()
        write_frame(stream, encode(message))
        stream.seek(0)
        found = decode_message(read_frame(stream))
        assert isinstance(found, Done | Progress)
        assert same(found, message)
