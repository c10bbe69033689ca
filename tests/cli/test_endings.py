"""The ending of a file that a person names decides its format, or one sentence refuses it."""

from pathlib import Path

import pytest

from convnext_studio.cli.main import main


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--screenshot", "x.npy"], "A screenshot cannot be saved as “x.npy”. Use a name that ends in .png."),
        (["--screenshot", "x.jpg"], "A screenshot cannot be saved as “x.jpg”. Use a name that ends in .png."),
        (["train", ".", "--out", "x.pth"], "Trained weights cannot be saved as “x.pth”."),
        (["train", ".", "--out", "x.npy"], "Use a name that ends in .safetensors."),
        (["train", ".", "--teacher", "bundled", "--write-soft-targets", "x.csv"], "cannot be saved as “x.csv”"),
        (["export", "sample:cat", "--out", "x.npy"], "“x.npy” is the name of a file"),
        (["erf", "--noise", "--out", "x.png"], "“x.png” is the name of a file"),
        (["handout", "--out", "x.docx"], "must be a .pdf or an .html file, not x.docx"),
    ],
)
def test_another_ending_is_refused_before_anything_is_computed(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
