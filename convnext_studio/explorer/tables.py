"""HTML tables for notebooks."""

from collections.abc import Iterable, Sequence
from html import escape

from convnext_studio.model.nodes import NodeInfo
from convnext_studio.render import format_count


def html_table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as HTML; all texts are escaped."""

    def row(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(row(cells, "td") for cells in rows)
    return f"<table><caption>{escape(title)}</caption>{row(head, 'th')}{body}</table>"


def nodes_table(title: str, nodes: Iterable[NodeInfo]) -> str:
    """Return a table of the stem and the stages of a network as HTML."""
    head = ("node", "shape", "parameters", "MACs", "theoretical field")
    rows = [
        (
            node.name,
            " × ".join(map(str, node.shape)),
            format_count(node.parameters),
            format_count(node.macs),
            node.field.extent,
        )
        for node in nodes
        if node.kind in ("stem", "stage")
    ]
    return html_table(title, head, rows)
