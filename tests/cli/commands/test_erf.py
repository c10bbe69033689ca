"""The command erf: its files against plain computations, resuming, and what it refuses."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from convnext_studio import analysis
from convnext_studio.analysis.receptive_field import batching
from convnext_studio.cli import main as cli
from convnext_studio.cli.commands import erf_measuring
from convnext_studio.erf import DEFINITIONS
from convnext_studio.model.loaded import LoadedModel, build, load
from convnext_studio.model.weights.saved_weights import save_as
from tests.networks import small_model

FILES = {"erf.npy", "erf.npz", "erf.json", "erf.png", "erf.sum.npz", "curves.png"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model's weights with all that is known about it."""
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_as(small_model(), path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures and a file that is none."""
    rng = np.random.default_rng(0)
    (tmp_path / "pictures" / "more").mkdir(parents=True)
    for name in ("a.png", "b.png", "c.png", "more/d.png", "more/e.png"):
        Image.fromarray(rng.integers(0, 256, (50, 40, 3), dtype=np.uint8)).save(tmp_path / "pictures" / name)
    (tmp_path / "pictures" / "broken.jpg").write_bytes(b"no picture")
    return tmp_path / "pictures"


def erf(weights: Path, out: Path, *options: str) -> int:
    return cli.main(
        ["erf", "--model", str(weights), "--device", "cpu", "--input-px", "64", "--out", str(out), *options]
    )


def expected(
    model: LoadedModel, folder: Path, protocol: Any = "replknet", node: str = "stage4"
) -> NDArray[Any]:
    preprocessing = model.preprocessing.squashed(64)
    tensors = [
        torch.from_numpy(preprocessing(Image.open(path))[0])[None] for path in sorted(folder.glob("**/*.png"))
    ]
    return analysis.effective_receptive_field(model, tensors, node, protocol)


def assert_same(ours: NDArray[Any], theirs: NDArray[Any]) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6 * theirs.max())


def test_a_folders_field_is_written_in_all_forms(
    weights: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert erf(weights, out, "--images", str(folder)) == 0
    assert {path.name for path in out.iterdir()} == FILES
    field = expected(load(str(weights)), folder)
    assert_same(np.load(out / "erf.npy"), field)
    about = json.loads((out / "erf.json").read_text())
    assert about["squares"]["log"] == {
        str(threshold): None if ratio is None else {"side_px": round(ratio**0.5 * 64), "area_ratio": ratio}
        for threshold, ratio in analysis.area_ratios(np.load(out / "erf.npy")).items()
    }
    assert (about["pictures"], about["count"]) == (5, 50)
    told = capsys.readouterr()
    assert str(out / "erf.png") in told.out
    assert "Protocol replknet (Ding et al. 2022" in told.out
    assert "broken.jpg" in told.err


def test_other_networks_are_measured_beside_it(weights: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--images", str(folder), "--protocol", "absolute", "--node", "stage2.block1", "--seed", "3"]
    subjects = ["--subject", "random", "--subject", "kernel=7, layer-scale=1e-6", "--subject", str(weights)]
    assert erf(weights, out, *options, *subjects) == 0
    arrays = {path.stem: np.load(path) for path in out.glob("*.npy")}
    assert sorted(arrays) == ["erf", "erf-kernel=7-layer-scale=1e-6", "erf-random", "erf-small"]
    trained = load(str(weights))
    assert_same(arrays["erf"], expected(trained, folder, "absolute", "stage2.block1"))
    assert_same(arrays["erf"], arrays["erf-small"])
    random = build(trained.config, "", 3)
    assert_same(arrays["erf-random"], expected(random, folder, "absolute", "stage2.block1"))
    assert json.loads((out / "erf-random.json").read_text())["random_weights"] is True


def test_a_measurement_that_was_broken_off_goes_on(
    weights: Path,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(batching, "CPU_PIXELS", 1)
    out, decoded = tmp_path / "out", []
    real = erf_measuring.running_average

    def broken_off(*arguments: Any, **options: Any) -> Any:
        for average in real(*arguments, **options):
            yield average
            if average.done == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(erf_measuring, "running_average", broken_off)
    assert erf(weights, out, "--images", str(folder)) == 130
    assert [path.name for path in out.iterdir()] == ["erf.sum.npz"]

    def counted(model: Any, tensors: Any, *arguments: Any, **options: Any) -> Any:
        tensors = list(tensors)
        decoded.append(len(tensors))
        return real(model, tensors, *arguments, **options)

    monkeypatch.setattr(erf_measuring, "running_average", counted)
    assert erf(weights, out, "--images", str(folder), "--count", "4") == 0
    assert erf(weights, out, "--images", str(folder)) == 0
    assert erf(weights, out, "--images", str(folder)) == 0
    assert decoded == [2, 1, 0]
    assert_same(np.load(out / "erf.npy"), expected(load(str(weights)), folder))
    about = json.loads((out / "erf.json").read_text())
    assert about["pictures"] == 5
    assert len(about["unreadable"]) == 1  # However often it was met.
    with np.load(out / "erf.sum.npz") as arrays:
        kept = json.loads(str(arrays["about"]))
    assert sorted(kept["names"]) == ["a.png", "b.png", "c.png", "d.png", "e.png"]
    capsys.readouterr()
    assert erf(weights, out, "--images", str(folder), "--seed", "1") == 0
    assert "another measurement" in capsys.readouterr().err
    (out / "erf.sum.npz").write_bytes(b"damaged")
    assert erf(weights, out, "--images", str(folder), "--seed", "1") == 0
    told = capsys.readouterr().err
    assert "erf.sum.npz cannot be read (its parts contradict each other); starting from scratch" in told
    assert_same(np.load(out / "erf.npy"), expected(load(str(weights)), folder))
    assert decoded[-2:] == [5, 5]


def test_noise_needs_no_pictures(weights: Path, tmp_path: Path) -> None:
    for options in (["--noise", "--protocol", "centred", "--unit", "1,0"], ["--protocol", "luo"]):
        assert erf(weights, tmp_path / options[-1], *options, "--count", "3") == 0
        about = json.loads((tmp_path / options[-1] / "erf.json").read_text())
        assert (about["noises"], about["pictures"]) == (3, 0)
    about = json.loads((tmp_path / "1,0" / "erf.json").read_text())
    assert about["unit"] == {"row": 1, "column": 0}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--images FOLDER"),
        (["--images", "/nowhere"], "no folder"),
        (["--noise", "--count", "0"], "0 pictures"),
        (["--noise", "--node", "stage9"], "no node"),
        (["--noise", "--unit", "9,9"], "no unit in row 9"),
        (["--noise", "--subject", "kernel=big"], "kernel=big"),
        (["--noise", "--subject", "kernel=4"], "must be odd"),
        (["--noise", "--subject", "preset:nothing"], "no preset"),
        (["--noise", *["--subject", "random"] * 4], "5 networks"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    assert erf(weights, tmp_path / "out", *options) == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert told[0].startswith("convnext-studio: ")
    assert words in told[0]


def test_the_progress_is_drawn_for_people_only(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert erf(weights, tmp_path / "log", "--noise", "--count", "2") == 0
    assert "[" not in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert erf(weights, tmp_path / "terminal", "--noise", "--count", "2") == 0
    assert "2/2" in capsys.readouterr().err


def test_all_protocols_are_offered(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["erf", "--help"])
    assert ",".join(DEFINITIONS) in capsys.readouterr().out
