"""Settings accept exactly the values that they describe."""

import pytest

from convnext_studio.lecture.setting import NodeName, OneOf, Setting, Whole

WHOLE = Whole(help="How many.", default="3", least=1, most=12)
ONE_OF = OneOf(help="Which.", default="a", values=("a", "b"))
NODE = NodeName(help="Where.", default="stage3")


@pytest.mark.parametrize(
    ("setting", "good", "bad"),
    [
        (WHOLE, ["1", "12"], ["0", "13", "-1", "1.5", "", "two", "١"]),
        (ONE_OF, ["a", "b"], ["A", "", "a, b"]),
        (
            NODE,
            [
                "stem",
                "stage3",
                "stage12",
                "stage3.block5",
                "stage3.block5.dwconv",
                "head.norm",
                "stage2.downsample",
            ],
            ["", "stage", "block5", "stage3.", "stage 3", "stage3..dwconv", "layer3"],
        ),
        (Setting(help="Words.", default="x"), ["anything"], [""]),
    ],
)
def test_accepted_values(setting: Setting, good: list[str], bad: list[str]) -> None:
    assert [value for value in good if not setting.accepts(value)] == []
    assert [value for value in bad if setting.accepts(value)] == []
    assert setting.accepts(setting.default)


def test_descriptions_of_allowed_values() -> None:
    assert "1 to 12" in WHOLE.allowed
    assert "a, b" in ONE_OF.allowed
    odd = OneOf(help="Side.", default="3", values=tuple(str(side) for side in range(3, 33, 2)))
    assert odd.allowed == "one of 3, 5, …, 31"
    uneven = OneOf(help="Side.", default="1", values=(*"123456789", "11"))
    assert uneven.allowed == "one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 11"
