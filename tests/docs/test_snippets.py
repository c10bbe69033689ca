"""The Python on the pages runs as it stands there."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import Block, blocks


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_a_snippet_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block.text, str(block), "exec"), {})
    pictures = re.findall(r"\"([^\" ]+\.png)\"", block.text)
    for picture in pictures:
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_there_are_snippets() -> None:
    assert len(blocks("python")) >= 3
