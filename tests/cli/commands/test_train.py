"""The commands train and evaluate, as they are typed."""

import subprocess
import sys
from pathlib import Path

import pytest

from convnext_studio.cli.commands import evaluate, train
from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.training.plan import TrainingPlan
from tests.training.drawn import draw_folder

TINY_OPTIONS = (
    *("--epochs", "3", "--sizes-px", "24", "--input-px", "24", "--cache-px", "24", "--batch-size", "8"),
    *("--learning-rate", "0.01", "--ema-decay", "0.8", "--crop-area-min", "0.5"),
    *("--depths", "1,1,1,1", "--dims", "8,8,12,16", "--kernel-size", "3"),
)


def test_help_needs_no_torch() -> None:
    code = (
        "import sys; from convnext_studio.cli.commands import evaluate, train; train.parser().format_help(); "
        "train.plan_from(train.parser().parse_args(['f', '--out', 'o'])); evaluate.parser().format_help(); "
        "assert not {'torch', 'timm', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_defaults_are_the_plans() -> None:
    options = train.parser().parse_args(["folder", "--out", "file"])
    assert train.plan_from(options) == TrainingPlan()


def test_options_reach_the_plan() -> None:
    line = "folder --out file --preset convnext_tiny --stem-stride 2 --stem-padding 1 --sizes-px 40,64 --seed 7"
    plan = train.plan_from(train.parser().parse_args([*line.split(), "--classes", "cat, dog"]))
    assert plan.config == ConvNeXtConfig(stem_stride=2, stem_padding=1)
    assert (plan.sizes_px, plan.seed) == ((40, 64), 7)


def test_soft_targets_are_written_and_learnt_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = draw_folder(tmp_path / "pictures", 8)
    first, second, soft = (tmp_path / name for name in ("first.safetensors", "second.safetensors", "soft.npz"))

    def run(*words: str | Path) -> int:
        return train.run(train.parser().parse_args([str(folder), *map(str, words)]))

    assert run("--out", first, *TINY_OPTIONS) == 0
    assert run("--teacher", first, "--temperature", "3", "--write-soft-targets", soft) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"Wrote {soft}: 24 pictures, 3 classes."
    assert run("--out", second, "--soft-targets", soft, "--distill-weight", "1", *TINY_OPTIONS) == 0
    with pytest.raises(StudioError, match="no teacher for the soft targets"):
        run("--write-soft-targets", soft)
    with pytest.raises(StudioError, match="no file to write the weights to"):
        run("--soft-targets", soft)


def test_train_then_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = draw_folder(tmp_path / "pictures", 30)
    (folder / "red_disc" / "bad.png").write_bytes(b"")
    out = tmp_path / "discs.safetensors"
    assert train.run(train.parser().parse_args([str(folder), "--out", str(out), *TINY_OPTIONS])) == 0
    told = capsys.readouterr()
    assert "1 picture cannot be read and is left out:" in told.err
    assert "bad.png" in told.err
    assert [line.split(":")[0] for line in told.out.splitlines()[:3]] == [f"Epoch {n} of 3" for n in (1, 2, 3)]
    assert told.out.splitlines()[-1] == f"Wrote {out}."
    fresh = draw_folder(tmp_path / "fresh", 5, seed=3)
    assert evaluate.run(evaluate.parser().parse_args([str(out), str(fresh)])) == 0
    assert capsys.readouterr().out.startswith("100.0% right: 15 of 15 pictures")
