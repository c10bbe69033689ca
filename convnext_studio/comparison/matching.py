"""Finds what corresponds in two networks: nodes by name and depth, classes by name."""

from collections.abc import Sequence

from msgspec import Struct

from convnext_studio.comparison.differences import MapPlace
from convnext_studio.model.nodes import NodeInfo, NodeKind


class NodeMatch(Struct, frozen=True):
    """A node of A, and the node of B that it is compared with.

    Attributes
    ----------
    a, b
        The names of the nodes.
    is_same
        Whether they have the same name and the same kind.
    """

    a: str
    b: str
    is_same: bool

    @property
    def text(self) -> str:
        """Say that another node stands in for one that B does not have; empty if both have the same name."""
        return "" if self.is_same else f"B has no {self.a}, so its {self.b} is compared"


def match_node(node: NodeInfo, nodes_a: Sequence[NodeInfo], nodes_b: Sequence[NodeInfo]) -> NodeMatch:
    """Return the node of B to compare with a node of A: the one of the same name, or else the nearest.

    The nearest is the one of the same kind, or else of a similar kind, whose name resembles the node's most;
    among names that resemble it equally, the one at the most similar depth, as a fraction of the whole network.
    """
    for other in nodes_b:
        if other.name == node.name and other.kind == node.kind:
            return NodeMatch(node.name, other.name, is_same=True)
    from difflib import SequenceMatcher  # Imported here, so that it does not delay the window.

    candidates = _of_nearest_kind(node, nodes_b)
    depth = _depth(node, nodes_a)

    def nearness(other: NodeInfo) -> tuple[bool, bool, float, float]:
        likeness = SequenceMatcher(None, node.operation, other.operation).ratio()
        return (
            other.operation == node.operation,
            _stage(other) == _stage(node),
            likeness,
            -abs(_depth(other, nodes_b) - depth),
        )

    return NodeMatch(node.name, max(candidates, key=nearness).name, is_same=False)


_STAND_INS: dict[NodeKind, tuple[NodeKind, ...]] = {
    "operation": ("operation", "block", "downsample", "stage"),
    "block": ("block", "stage"),
    "downsample": ("downsample", "block", "stage"),
    "stage": ("stage",),
    "stem": ("stem", "stage"),
    "head": ("head", "stage"),
}
"""The kinds of nodes that can stand in for a kind, the most similar one first."""


def _of_nearest_kind(node: NodeInfo, nodes: Sequence[NodeInfo]) -> list[NodeInfo]:
    for kind in _STAND_INS[node.kind]:
        found = [other for other in nodes if other.kind == kind]
        if found:
            return found
    return list(nodes)


def _stage(node: NodeInfo) -> str:
    return node.name.partition(".")[0]


def _depth(node: NodeInfo, nodes: Sequence[NodeInfo]) -> float:
    """Return how deep a node is, from 0 at the first to 1 at the last node of its network."""
    return next(index for index, other in enumerate(nodes) if other.name == node.name) / max(1, len(nodes) - 1)


def nearest_unit(unit: tuple[int, int], at: MapPlace, other: MapPlace) -> tuple[int, int]:
    """Return row and column of the unit of another map whose centre is nearest to that of a unit.

    Beyond the border of the other map, it is a unit that the map does not have.
    """
    x, y = at.geometry.to_picture(at.field.centre_px(unit[1]), at.field.centre_px(unit[0]))
    in_x, in_y = other.geometry.to_input(x, y)
    row, column = (
        round((place - other.field.first_centre_px) / other.field.stride_px) for place in (in_y, in_x)
    )
    return row, column


class ClassMatch(Struct, frozen=True):
    """The classes that two networks have in common.

    Attributes
    ----------
    pairs
        The index in A and the index in B of each class that both have, in the order of A.
    only_a, only_b
        The indices of the classes that only one of them has.
    by_name
        Whether they are matched by name; otherwise the networks have no names in common and equally many
        outputs, which are matched by index.
    """

    pairs: tuple[tuple[int, int], ...]
    only_a: tuple[int, ...]
    only_b: tuple[int, ...]
    by_name: bool = True

    def b_of(self, index: int) -> int | None:
        """Return the class of B that is the class `index` of A, or None."""
        return dict(self.pairs).get(index)

    @property
    def text(self) -> str:
        """Say how the classes correspond; empty if both networks have the same ones in the same order."""
        if not self.pairs:
            return "the networks have no class in common"
        if not self.by_name:
            return f"the {len(self.pairs):,} classes are matched by index, because no name is in both networks"
        if not self.only_a and not self.only_b and all(a == b for a, b in self.pairs):
            return ""
        said = f"{len(self.pairs):,} classes are matched by name"
        lacking = [
            f"{len(only):,} only in {name}" for name, only in (("A", self.only_a), ("B", self.only_b)) if only
        ]
        return ", ".join([said, *lacking])


def match_classes(labels_a: Sequence[str], labels_b: Sequence[str]) -> ClassMatch:
    """Match the classes of two networks by their names; each class is matched once.

    Equal names are matched first, and then those that differ in case or underscores alone. A name that occurs
    several times, such as "crane", is matched in the order of the indices. Networks whose outputs are only
    numbered are matched by index if they have equally many.
    """
    pairs = _matched(dict(enumerate(labels_a)), dict(enumerate(labels_b)))
    rest_a, rest_b = (
        {index: _spelling(label) for index, label in enumerate(labels) if index not in taken}
        for labels, taken in zip((labels_a, labels_b), _sides(pairs), strict=True)
    )
    pairs = sorted([*pairs, *_matched(rest_a, rest_b)])
    by_name = bool(pairs)
    if not by_name and len(labels_a) == len(labels_b):
        pairs = [(index, index) for index in range(len(labels_a))]
    matched_a, matched_b = _sides(pairs)
    return ClassMatch(
        pairs=tuple(pairs),
        only_a=tuple(index for index in range(len(labels_a)) if index not in matched_a),
        only_b=tuple(index for index in range(len(labels_b)) if index not in matched_b),
        by_name=by_name,
    )


def _matched(names_a: dict[int, str], names_b: dict[int, str]) -> list[tuple[int, int]]:
    """Return the indices in A and in B of equal names; those of a repeated name are paired in their order."""
    left: dict[str, list[int]] = {}
    for index in reversed(names_b):
        left.setdefault(names_b[index], []).append(index)
    return [(index, left[name].pop()) for index, name in names_a.items() if left.get(name)]


def _sides(pairs: Sequence[tuple[int, int]]) -> tuple[set[int], set[int]]:
    """Return the indices of A and those of B that are in pairs."""
    return {a for a, _ in pairs}, {b for _, b in pairs}


def match_class(index: int | None, labels_a: Sequence[str], labels_b: Sequence[str]) -> int | None:
    """Return the class of B that has the name of a class of A; None if there is none."""
    return None if index is None else match_classes(labels_a, labels_b).b_of(index)


def _spelling(label: str) -> str:
    return " ".join(label.casefold().replace("_", " ").split())
