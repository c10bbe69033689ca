"""What is said of a measurement, against sentences written by hand, and the published definitions."""

import pytest
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.erf.protocols import (
    DEFINITIONS,
    REPLKNET_COUNT,
    REPLKNET_INPUT_PX,
    Definition,
    MeasurementSettings,
    definition,
    protocol_text,
)

PUBLISHED = MeasurementSettings(
    protocol="replknet",
    node="stage4",
    unit=None,
    target=None,
    is_last_map=True,
    input_size=(1024, 1024),
    pictures=50,
    noises=0,
)
DING = "Protocol replknet (Ding et al. 2022, arXiv:2203.06717): gradient of "
SUMMED = " by the input; its positive part summed over the colours; mean over "
AROUND = "Squares of log10(1 + field) around pixel (h // 2, w // 2)."


def test_the_published_protocol_is_that_of_the_script() -> None:
    assert (REPLKNET_INPUT_PX, REPLKNET_COUNT) == (1024, 50)
    assert definition("replknet") == Definition(
        source="Ding et al. 2022, arXiv:2203.06717",
        rectifies_unit=True,
        takes_absolute=False,
        scale="log",
        published_centre=True,
        takes_noise=False,
    )


def test_the_others_differ_from_it_as_they_say() -> None:
    centred, absolute, luo = (DEFINITIONS[name] for name in ("centred", "absolute", "luo"))
    assert (centred.scale, centred.published_centre, centred.takes_noise) == ("linear", False, False)
    assert (centred.rectifies_unit, centred.takes_absolute) == (True, False)
    assert replace(absolute, source="", takes_absolute=False) == replace(centred, source="")
    assert absolute.takes_absolute
    assert replace(luo, source="", rectifies_unit=True, takes_noise=False) == replace(absolute, source="")
    assert luo.takes_noise
    assert not luo.rectifies_unit
    with pytest.raises(StudioError, match="no protocol “mine”") as refused:
        definition("mine")
    assert refused.value.hint == "There are: replknet, centred, absolute, luo."


def test_a_measurement_as_published() -> None:
    assert protocol_text(PUBLISHED) == (
        f"{DING}the ReLU of the middle unit of stage4, summed over channels{SUMMED}"
        f"50 pictures squashed to 1024 × 1024 px. {AROUND}"
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"input_size": (512, 512)}, "512 px instead of 1024 px"),
        ({"input_size": (512, 1024)}, "512 × 1024 px instead of 1024 px"),
        ({"input_size": (1024, 512)}, "1024 × 512 px instead of 1024 px"),
        ({"fitted": "cropped to"}, "cropped instead of squashed"),
        ({"fitted": "resized and padded to"}, "resized and padded instead of squashed"),
        ({"pictures": 49}, "49 instead of 50 pictures"),
        ({"noises": 3}, "noise among the pictures"),
        ({"noises": 50, "pictures": 0}, "noise instead of pictures"),
        ({"is_last_map": False}, "not the last map"),
        ({"target": 3}, "a class score instead of a unit"),
        ({"target": 3, "is_last_map": False}, "a class score instead of a unit"),
        ({"has_own_squares": False}, "other squares"),
        ({"pictures": 1, "is_last_map": False}, "1 instead of 50 pictures, not the last map"),
    ],
)
def test_departures_from_the_published_protocol_are_said(changes: dict[str, object], said: str) -> None:
    assert protocol_text(replace(PUBLISHED, **changes)).endswith(f" Not as published: {said}.")
    # Of another protocol, nothing is published that one could depart from.
    assert "published" not in protocol_text(replace(PUBLISHED, protocol="centred", **changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pictures": 1}, "mean over 1 picture squashed to 1024 × 1024 px."),
        ({"fitted": "cropped to", "input_size": (224, 192)}, "mean over 50 pictures cropped to 224 × 192 px."),
        ({"fitted": "resized and padded to"}, "50 pictures resized and padded to 1024 × 1024 px."),
        ({"pictures": 0, "noises": 1}, "mean over 1 standard normal noise input of 1024 × 1024 px."),
        ({"pictures": 0, "noises": 2}, "mean over 2 standard normal noise inputs of 1024 × 1024 px."),
        ({"pictures": 0}, "mean over 0 pictures squashed to 1024 × 1024 px."),
        (
            {"pictures": 2, "noises": 3},
            "2 pictures squashed to 1024 × 1024 px and 3 standard normal noise inputs of 1024 × 1024 px.",
        ),
        ({"unit": (4, 7)}, "gradient of the ReLU of unit (row 4, column 7) of stage4, summed over channels"),
        ({"target": 3}, "gradient of the logit of class 3 by the input; its positive part"),
        ({"has_own_squares": False}, "Squares of the field around the unit's true centre."),
        ({"has_own_squares": False, "target": 3}, "Squares of the field around the input's centre."),
        ({"protocol": "centred"}, "Squares of the field around the unit's true centre."),
        ({"protocol": "centred"}, "gradient of the ReLU of the middle unit"),
        ({"protocol": "absolute"}, "gradient of the ReLU of the middle unit"),
        ({"protocol": "absolute"}, "its absolute value summed over the colours"),
        ({"protocol": "luo"}, "gradient of the middle unit of stage4"),
        ({"protocol": "luo"}, "its absolute value summed over the colours"),
    ],
)
def test_what_was_measured_is_said(changes: dict[str, object], said: str) -> None:
    assert said in protocol_text(replace(PUBLISHED, **changes))
