"""What a decoder's child answers is taken only if it is an answer: a picture may have taken control of it."""

from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.common.processes.codec import decode as decoded
from convnext_studio.common.processes.codec import encode
from convnext_studio.common.processes.frames import Frame, ProtocolError, read_frame
from convnext_studio.decoding import decoder_process, wire
from convnext_studio.decoding.bounded_child import is_picture
from convnext_studio.decoding.decoder_process import Decoder
from convnext_studio.decoding.live.messages import CloseSource, FrameRefused, NoFrame
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from tests.decoding.children import FakeChild

PIXELS = np.arange(2 * 4 * 3, dtype=np.uint8).reshape(2, 4, 3)
VALUES = np.linspace(0, 1, 24, dtype=np.float32).reshape(2, 4, 3)
PICTURE = wire.Decoded(
    key="key", name="shown.tif", notes=("One.", "Two."), pixels=PIXELS, frames=5, bands=4, values=VALUES
)
ALL = PictureView(takes_all=True)
REFUSED = wire.Refused(message="It is damaged.", hint="Copy it again.")


class AnsweredDecoder(Decoder):
    """A decoder whose child gives these replies."""

    def __init__(self, *replies: Any, **more: Any) -> None:
        super().__init__(limit_s=7.0)
        self.child = FakeChild(*replies, **more)

    def _started(self) -> Any:
        self._child = self.child
        return self.child

    def asked(self) -> wire.Question:
        """What the child was asked."""
        self.child.sink.seek(0)
        question: wire.Question = wire.receive_question(self.child.sink)
        assert self.child.sink.read() == b""
        return question


def test_a_picture_is_what_the_child_says_under_its_own_path_and_view() -> None:
    view = PictureView(frame=2, bands=(1,))
    decoder = AnsweredDecoder(PICTURE)
    found = decoder.decode("/folder/file.tif", "My name", 300, view)
    assert (found.key, found.name, found.path) == ("key", "shown.tif", "/folder/file.tif")
    assert (found.notes, found.frames, found.bands, found.view) == (("One.", "Two."), 5, 4, view)
    np.testing.assert_array_equal(found.pixels, PIXELS)
    np.testing.assert_array_equal(found.values, VALUES)
    assert not found.is_retouched
    question = decoder.asked()
    assert isinstance(question, wire.Decode)
    assert (question.path, question.name, question.longest_px, question.view) == (
        "/folder/file.tif",
        "My name",
        300,
        view,
    )
    assert question.data.size == 0
    assert decoder.child.limits == [7.0]
    assert decoder.child.ends == 0


def test_bytes_are_sent_and_have_no_path() -> None:
    decoder = AnsweredDecoder(PICTURE)
    assert decoder.decode(b"\x89PNG").path == ""
    question = decoder.asked()
    assert isinstance(question, wire.Decode)
    assert question.path is None
    assert question.data.tobytes() == b"\x89PNG"
    assert (question.name, question.longest_px, question.view) == ("Pasted picture", 0, WHOLE)


def test_by_default_a_picture_may_take_five_seconds_and_two_gigabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, float, int]] = []

    def started(*arguments: Any) -> FakeChild:
        asked.append(arguments)
        return FakeChild(wire.Sound())

    monkeypatch.setattr("convnext_studio.decoding.bounded_child.BoundedChild", started)
    decoder = Decoder()
    decoder.check_head("a.png")
    assert asked == [("convnext_studio.decoding.decoder_child", 5.0, 2 * 1024**3)]
    assert decoder._child.limits == [5.0]


@pytest.mark.parametrize(
    "reply",
    [
        wire.Ready(),
        wire.Sound(),
        NoFrame(),
        FrameRefused(message="a", hint="b"),
        replace(PICTURE, pixels=PIXELS[0]),
        replace(PICTURE, pixels=PIXELS[None]),
        replace(PICTURE, pixels=PIXELS[..., :2]),
        replace(PICTURE, pixels=np.zeros((2, 4, 4), np.uint8)),
        replace(PICTURE, pixels=PIXELS[:0], values=None),
        replace(PICTURE, pixels=PIXELS[:, :0], values=None),
        replace(PICTURE, pixels=VALUES),
        replace(PICTURE, values=VALUES[:1]),
        replace(PICTURE, values=VALUES[:, :3]),
        replace(PICTURE, values=VALUES[..., :2]),
        replace(PICTURE, values=VALUES[..., 0]),
        replace(PICTURE, values=np.zeros((2, 4, 4), np.float32)),
        replace(PICTURE, values=VALUES.astype(np.float64)),
        replace(PICTURE, bands="many"),
        replace(PICTURE, key=7),
        replace(PICTURE, notes=(1,)),
        replace(REFUSED, message=None),
        b"",
        b"CNS1",
        b"no message at all, but long enough for a prefix",
    ],
)
def test_what_is_no_picture_ends_the_child(reply: Any) -> None:
    decoder = AnsweredDecoder(reply)
    with pytest.raises(
        StudioError, match=r"“a\.png” cannot be decoded: it needs too much memory, or its damage"
    ):
        decoder.decode("/folder/a.png")
    assert decoder.child.ends == 1
    assert decoder.pid is None


@pytest.mark.parametrize("values", [None, VALUES, VALUES[..., :1]])
def test_values_are_of_one_band_or_three_or_not_there(values: Any) -> None:
    found = AnsweredDecoder(replace(PICTURE, values=values)).decode("a.png")
    assert (found.values is None) == (values is None)


@pytest.mark.parametrize("bands", [1, 2, 3, 4, 6, 200])
def test_a_view_of_all_bands_has_the_values_of_all(bands: int) -> None:
    values = np.zeros((2, 4, bands), np.float32)
    found = AnsweredDecoder(replace(PICTURE, values=values, bands=bands)).decode("a.png", view=ALL)
    assert found.values is not None
    assert found.values.shape == (2, 4, bands)
    for wrong in (replace(PICTURE, values=values, bands=bands + 1), replace(PICTURE, values=None, bands=bands)):
        with pytest.raises(StudioError, match="cannot be decoded"):
            AnsweredDecoder(wrong).decode("a.png", view=ALL)


@pytest.mark.parametrize("reply", [wire.Ready(), PICTURE, NoFrame(), b""])
def test_a_head_is_sound_or_refused(reply: Any) -> None:
    decoder = AnsweredDecoder(wire.Sound())
    decoder.check_head("/folder/a.png")
    assert decoder.asked() == wire.CheckHead(path="/folder/a.png")
    assert decoder.child.ends == 0
    decoder = AnsweredDecoder(reply)
    with pytest.raises(StudioError, match=r"“a\.png” cannot be decoded"):
        decoder.check_head("/folder/a.png")
    assert decoder.child.ends == 1


def test_a_refusal_is_handed_on_and_the_child_goes_on() -> None:
    decoder = AnsweredDecoder(REFUSED, REFUSED)
    for ask in (decoder.decode, decoder.check_head):
        with pytest.raises(StudioError) as refused:
            ask("a.png")
        assert (refused.value.message, refused.value.hint) == (REFUSED.message, REFUSED.hint)
    assert decoder.child.ends == 0


def test_a_child_that_was_killed_for_its_time_is_told_from_one_that_died() -> None:
    decoder = AnsweredDecoder(is_late=True)
    with pytest.raises(StudioError, match=r"“a\.png” takes too long to decode: more than 7 s") as late:
        decoder.decode("a.png")
    assert late.value.hint == "Save it in another format, or reduce it first."
    assert decoder.child.ends == 1
    assert decoder_process._too_long("a", 2.5).message == "“a” takes too long to decode: more than 2.5 s."


def test_a_child_that_does_not_take_a_question_has_died() -> None:
    decoder = AnsweredDecoder(PICTURE)

    def broken(_: object) -> int:
        raise BrokenPipeError

    decoder.child.sink.write = broken
    with pytest.raises(StudioError, match="cannot be decoded"):
        decoder.decode("a.png")
    assert decoder.child.ends == 1


@pytest.mark.parametrize(
    "message",
    [wire.CheckHead(path="a"), wire.Decode(path=None, data=PIXELS[0, 0], name="", longest_px=0, view=WHOLE)],
)
def test_questions_are_no_replies_and_replies_no_questions(message: wire.Question) -> None:
    child = FakeChild(message, message, PICTURE, REFUSED, wire.Ready(), wire.Sound(), CloseSource())
    assert type(wire.receive_question(child.source)) is type(message)
    with pytest.raises(ProtocolError):
        wire.receive_reply(child.source)
    for _ in range(5):
        with pytest.raises(ProtocolError):
            wire.receive_question(child.source)
    with pytest.raises(EOFError):
        wire.receive_question(child.source)


def test_messages_arrive_as_they_were_sent() -> None:
    child = FakeChild()
    for message in (PICTURE, REFUSED, wire.Ready(), wire.Sound()):
        child.source.seek(0)
        child.source.truncate()
        wire.send(child.source, message)
        child.source.seek(0)
        received = wire.receive_reply(child.source)
        assert type(received) is type(message)
        for name in message.__struct_fields__:
            np.testing.assert_array_equal(getattr(received, name), getattr(message, name))
        child.source.seek(0)
        assert type(decoded(read_frame(child.source), wire.Reply)) is type(message)


@pytest.mark.parametrize(
    ("pixels", "values", "bands", "is_sound"),
    [
        (PIXELS, None, (1, 3), True),
        (PIXELS, VALUES, (1, 3), True),
        (PIXELS, VALUES, (4,), False),
        (PIXELS, VALUES, (3,), True),
        (PIXELS, VALUES[..., None], (1, 3), False),
        (PIXELS[..., 0], None, (1, 3), False),
    ],
)
def test_shapes_of_pictures(pixels: Any, values: Any, bands: tuple[int, ...], is_sound: bool) -> None:
    assert is_picture(pixels, values, bands) == is_sound


@pytest.mark.parametrize("notes", [(), ("One.",), ("One.", "Two.", "Three.")])
def test_any_number_of_notes_arrives(notes: tuple[str, ...]) -> None:
    assert AnsweredDecoder(replace(PICTURE, notes=notes)).decode("a.png").notes == notes


@pytest.mark.parametrize("message", [PICTURE, REFUSED, wire.CheckHead(path="a")])
def test_nothing_may_be_left_out_of_a_message(message: Any) -> None:
    frame = encode(message)
    kind = wire.Question if isinstance(message, wire.CheckHead) else wire.Reply
    whole = msgspec.msgpack.decode(bytes(frame.head))
    assert type(decoded(frame, kind)) is type(message)
    for name in whole:
        part = msgspec.msgpack.encode({key: value for key, value in whole.items() if key != name})
        with pytest.raises(ProtocolError):
            decoded(Frame(part, frame.arrays), kind)
