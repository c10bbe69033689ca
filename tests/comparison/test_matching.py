"""Nodes, classes and units of two networks correspond by their names, depths and places."""

import pytest

from convnext_studio.common.geometry import CropGeometry, FieldGeometry
from convnext_studio.comparison import MapPlace, match_class, match_classes, match_node, nearest_unit
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.nodes import node_table
from convnext_studio.model.presets import preset

TINY = node_table(preset("convnext_tiny"), 224)
V2 = node_table(preset("convnextv2_tiny"), 224)
SHALLOW = node_table(ConvNeXtConfig(depths=(2, 2, 3, 2), dims=(8, 16, 24, 32)), 224)
STAGES = tuple(node for node in TINY if node.kind in ("stem", "stage"))
"""The nodes that a network of another family has."""


def test_a_node_is_matched_by_its_name() -> None:
    for node in TINY:
        match = match_node(node, TINY, TINY)
        assert (match.b, match.is_same, match.text) == (node.name, True, "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("stage3.block9", "stage3.block3"),
        ("stage3.block5.dwconv", "stage3.block2.dwconv"),
        ("stage1.block3", "stage1.block2"),
        ("stage4", "stage4"),
    ],
)
def test_a_deeper_networks_node_is_matched_by_its_depth(name: str, expected: str) -> None:
    node = next(node for node in TINY if node.name == name)
    match = match_node(node, TINY, SHALLOW)
    assert match.b.rpartition(".")[2] == expected.rpartition(".")[2] or match.b.startswith(
        expected.partition(".")[0]
    )
    assert match.b.partition(".")[0] == expected.partition(".")[0]
    assert match.is_same == (match.b == name)
    assert not match.text or (name in match.text and match.b in match.text)


def test_an_operation_that_b_lacks_has_a_stand_in_that_is_said() -> None:
    grn = next(node for node in V2 if node.name == "stage2.block1.grn")
    match = match_node(grn, V2, TINY)
    assert match.b.startswith("stage2.block1.")
    assert match.text == f"B has no stage2.block1.grn, so its {match.b} is compared"


def test_inside_a_network_of_another_family_its_stage_stands_in() -> None:
    node = next(node for node in TINY if node.name == "stage3.block5.pwconv1")
    assert match_node(node, TINY, STAGES).b == "stage3"
    assert match_node(TINY[0], TINY, STAGES).b == TINY[0].name


def test_classes_are_matched_by_name_and_what_is_left_is_told() -> None:
    found = match_classes(("tabby cat", "Dog", "crane", "crane"), ("dog", "crane", "car", "tabby_cat", "crane"))
    assert found.pairs == ((0, 3), (1, 0), (2, 1), (3, 4))
    assert (found.only_a, found.only_b) == ((), (2,))
    assert found.text == "4 classes are matched by name, 1 only in B"
    assert match_class(1, ("a", "b"), ("b", "c")) == 0
    assert match_class(0, ("a", "b"), ("b", "c")) is None


def test_the_same_classes_need_no_words() -> None:
    assert match_classes(("a", "b"), ("a", "b")).text == ""


def test_classes_without_common_names_are_matched_by_index_if_they_are_as_many() -> None:
    found = match_classes(("a", "b"), ("class 0", "class 1"))
    assert (found.pairs, found.by_name) == (((0, 0), (1, 1)), False)
    assert "by index" in found.text
    assert match_classes(("a", "b"), ("class 0",)).text == "the networks have no class in common"


def test_a_unit_is_matched_by_its_place_in_the_picture() -> None:
    whole = CropGeometry((100, 100), (100, 100), (0, 0), (100, 100))
    # Twice as large, and cropped to the middle.
    other = CropGeometry((100, 100), (200, 200), (50, 50), (100, 100))
    coarse, fine = FieldGeometry(9, 10, 5.0), FieldGeometry(3, 4, 2.0)
    # Unit (4, 5) of the coarse map is centred at x 55 and y 45: in the other input at 60 and 40.
    assert nearest_unit((4, 5), MapPlace(coarse, whole), MapPlace(fine, other)) == (
        round(38 / 4),
        round(58 / 4),
    )


def test_equal_names_are_matched_before_those_that_differ_in_case() -> None:
    for a, b in (
        (("A", "a"), ("a", "A")),
        (("a", "A"), ("A",)),
        (("Dog", "dog", "DOG"), ("dog", "cat", "DOG")),
        (("sea_lion", "sea lion", "Sea lion"), ("Sea lion", "sea lion")),
    ):
        pairs = match_classes(a, b).pairs
        for name in {*a} & {*b}:
            assert (a.index(name), b.index(name)) in pairs
        assert len({first for first, _ in pairs}) == len({second for _, second in pairs}) == len(pairs)
    assert match_classes(("Dog", "dog", "DOG"), ("dog", "cat", "DOG")).only_a == (0,)
