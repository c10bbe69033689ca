"""The Python on the pages runs as it stands there."""

from pathlib import Path

import pytest

from convnext_studio import Explorer
from tests.docs.pages import Block, blocks


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_a_snippet_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for line in block.text.splitlines():
        exec(compile(line, str(block), "exec"), names)
    explorer = names.get("explorer")
    if isinstance(explorer, Explorer):
        assert (tmp_path / "unit.png").read_bytes().startswith(b"\x89PNG")


def test_there_are_snippets() -> None:
    assert len(blocks("python")) >= 3
