"""The cells of the example notebook run, and their results are displayed."""

import ast
import json
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).parents[2] / "docs" / "explorer.ipynb"


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Run a cell as a notebook does, and return the value of its last expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, str(NOTEBOOK), "exec"), names)
    if last is None:
        return None
    return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)


def test_every_cell_runs() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    names: dict[str, Any] = {}
    values = [run_cell("".join(cell["source"]), names) for cell in cells if cell["cell_type"] == "code"]
    figures = [value for value in values if hasattr(value, "_repr_png_")]
    assert len(figures) == 6
    assert all(figure._repr_png_().startswith(b"\x89PNG") for figure in figures)
    tables = [value for value in values if hasattr(value, "_repr_html_")]
    assert all("<table>" in table._repr_html_() for table in tables)
    assert len(tables) == 2


def test_no_outputs_are_kept() -> None:
    """Stored outputs would depend on one machine and become outdated."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in cells)
