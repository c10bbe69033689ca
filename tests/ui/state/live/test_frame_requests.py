"""Requests about frames of one source are told from others, and from each other."""

from convnext_studio.model.frame_keys import frame_key, number_of, source_of
from convnext_studio.model.framing import Framing, framed
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.receptive_fields import ReceptiveField
from convnext_studio.ui.state.live.frame_requests import differ_in_frame_only, frame_of

WHOLE = Framing(kind="whole", input_px=128)


def maps(image: str, node: str = "stage2") -> FeatureMaps:
    return FeatureMaps(image=image, node=node, panel="maps")


def test_keys_lead_back_to_their_source_whatever_the_framing() -> None:
    key = framed(frame_key("abc", 12), WHOLE)
    assert source_of(key) == "abc"
    assert number_of(key) == 12
    assert source_of(framed("abc", WHOLE)) == "abc"
    assert number_of("abc") is None


def test_only_the_frame_may_differ() -> None:
    one, other = frame_key("abc", 1), frame_key("abc", 2)
    assert differ_in_frame_only(maps(one), maps(other))
    assert differ_in_frame_only(maps(framed(one, WHOLE)), maps(framed(other, WHOLE)))
    assert not differ_in_frame_only(maps(one), maps(framed(other, WHOLE)))
    assert not differ_in_frame_only(maps(one), maps(other, "stage3"))
    assert not differ_in_frame_only(maps(one), maps(frame_key("def", 2)))
    assert not differ_in_frame_only(maps("abc"), maps(one))


def test_averages_over_more_frames_are_the_same_question() -> None:
    few, more = ((*(frame_key("abc", number) for number in range(count)),) for count in (3, 7))
    fields = [ReceptiveField(images=images, node="stage2", panel="field") for images in (few, more)]
    assert differ_in_frame_only(*fields)
    assert frame_of(fields[1]) == 6
