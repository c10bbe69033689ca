"""Which nodes are seen together: those of the network, of a stage, or of a block or a downsampling layer.

A level is named by the node that is opened; the empty name is the whole network's. Names are those of the node
table, so that a level within another begins with its name.
"""

from collections.abc import Sequence

from convnext_studio.model.nodes import NodeInfo

NETWORK = ""


def nodes_of(nodes: Sequence[NodeInfo], opened: str) -> tuple[NodeInfo, ...]:
    """The nodes of a level in the order of the forward pass.

    Of a block, the block itself comes last: its output is the sum of its operations' and the shortcut.
    """
    return tuple(
        node for node in nodes if node.parent == opened or (node.name == opened and node.kind == "block")
    )


def is_openable(nodes: Sequence[NodeInfo], name: str) -> bool:
    """Whether there are nodes within this one."""
    return any(node.parent == name for node in nodes)


def level_above(opened: str) -> str:
    """The level that holds an opened node."""
    return opened.rpartition(".")[0]


def holds(opened: str, name: str) -> bool:
    """Whether a node is opened, or within what is opened."""
    return opened in (NETWORK, name) or name.startswith(f"{opened}.")


def level_showing(opened: str, node: NodeInfo) -> str:
    """The level to show when a node is selected from elsewhere: as deep as before where that still shows it."""
    while not holds(opened, node.name):
        opened = level_above(opened)
    return node.parent if node.kind == "operation" else opened


def neighbour(nodes: Sequence[NodeInfo], opened: str, selected: str, step: int) -> tuple[str, str] | None:
    """The level and the node that one comes to from a node of a level; None at the network's ends.

    Walking leads on from a stage into the next one's blocks, and from a block into the next one's operations.
    A node within one of the level counts as that one.

    Parameters
    ----------
    step
        1 for the next, -1 for the one before.
    """
    depth = len(opened.split(".")) if opened else 0
    walk = [(level, node.name) for level in _levels(nodes, depth) for node in nodes_of(nodes, level)]
    on_level = [(index, name) for index, (level, name) in enumerate(walk) if level == opened]
    here = [index for index, name in on_level if name == selected]
    here = here or [index for index, name in on_level if holds(name, selected)]
    # What is opened may itself be selected: outside of its own level, in front of it.
    index = here[0] + step if here else on_level[0][0] + min(step, 0)
    return walk[index] if 0 <= index < len(walk) else None


def _levels(nodes: Sequence[NodeInfo], depth: int) -> list[str]:
    """All levels of a depth that have nodes, in order."""
    # The head has a dot in its name, but is no level.
    inside = (node for node in nodes if node.name.count(".") == depth and node.kind != "head")
    return list(dict.fromkeys(node.parent for node in inside))
