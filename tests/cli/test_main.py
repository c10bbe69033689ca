"""The command line as a person meets it."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from convnext_studio import analysis
from convnext_studio.cli import commands, exit_status
from convnext_studio.cli import main as cli
from convnext_studio.cli.command_table import COMMANDS, WINDOW, command_named
from convnext_studio.cli.commands import doctor, erf, export_pictures
from convnext_studio.common.interventions import Change
from convnext_studio.common.recipe import write_recipe
from convnext_studio.common.versions import PACKAGES
from convnext_studio.export import ExportContents
from convnext_studio.model import load
from convnext_studio.model.framing import Framing
from tests.networks import small_model, write_weights

HELPERS = {"__init__", "erf_measuring", "export_pictures"}
"""Files beside the commands that are no commands."""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A small model's file."""
    return write_weights(tmp_path / "small.safetensors", small_model())


def run_program(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "convnext_studio", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_help_is_light_and_complete() -> None:
    code = (
        "import sys\nfrom convnext_studio.cli.main import main\n"
        "try: main(['--help'])\nfinally: print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    for word in ("export", "models", "doctor", "--model", "--device", "--offline", "--screenshot"):
        assert word in done.stdout
    for heavy in ("torch", "numpy", "PySide6", "timm", "PIL"):
        assert f"'{heavy}'" not in done.stdout


def test_no_commands_help_needs_a_heavy_library() -> None:
    """The parsers of all commands together, as `completion` makes them."""
    code = (
        "import sys\nfrom convnext_studio.cli.command_table import COMMANDS, WINDOW, full_parser\n"
        "for name in (WINDOW, *COMMANDS): full_parser(name).format_help()\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not {"torch", "numpy", "PySide6", "timm", "PIL", "matplotlib"} & set(done.stdout.split())


def test_every_commands_file_is_listed() -> None:
    files = {path.stem for path in Path(commands.__file__).parent.glob("*.py")}
    with_parser = {name for name in files if name not in HELPERS}
    assert with_parser == {WINDOW.replace("-", "_"), *(name.replace("-", "_") for name in COMMANDS)}


@pytest.mark.parametrize("command", [WINDOW, *COMMANDS])
def test_every_commands_help_has_examples_that_work(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"] if command == WINDOW else [command, "--help"])
    assert ended.value.code == 0
    told = capsys.readouterr().out
    assert "130  interrupted" in told
    assert "%%" not in told
    parser, examples = command_named(command).parser(), command_named(command).EXAMPLES
    assert examples
    for arguments, text in examples:
        assert arguments in told
        assert text in told
        parser.parse_args(shlex.split(arguments.partition(" > ")[0]))


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_shells_complete_commands_and_options(shell: str, tmp_path: Path) -> None:
    done = run_program("completion", shell)
    assert done.returncode == 0, done.stderr
    for word in ("export", "--protocol", "replknet", "evaluate", "--screenshot"):
        assert word in done.stdout
    if shutil.which(shell):
        script = tmp_path / "script"
        script.write_text(done.stdout, encoding="utf-8")
        subprocess.run([shell, "-n", str(script)], check=True, timeout=30)


def test_bash_completes_a_command(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(run_program("completion", "bash").stdout, encoding="utf-8")
    asking = (
        f"source {script}; COMP_WORDS=(convnext-studio eva); COMP_CWORD=1; "
        "$(complete -p convnext-studio | sed 's/.*-F \\([^ ]*\\).*/\\1/'); echo ${COMPREPLY[*]}"
    )
    done = subprocess.run(["bash", "-c", asking], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == ["evaluate"]


def test_version() -> None:
    assert run_program("--version").stdout.startswith("ConvNeXt Studio ")


def test_export_writes_what_the_api_computes(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--model", str(weights), "--device", "cpu", "--out", str(out)]
    options += ["--target", "thing 2", "--node", "stage3", "--field-count", "2"]
    status = cli.main(["export", "sample:cat", *options])
    assert status == 0
    folder = out / "cat"
    expected = {
        "predictions.json",
        "gradcam.npy",
        "gradcam.png",
        "gradcam.json",
        "erf.npy",
        "erf.png",
        "erf.json",
        "report.html",
    }
    expected |= {f"stage{stage}.{kind}" for stage in (1, 2, 3, 4) for kind in ("npy", "png")}
    assert {file.name for file in folder.iterdir()} == expected
    model = load(str(weights))
    picture = analysis.decode("sample:cat").to_pil()
    x = model.preprocess(picture)
    for stage in ("stage1", "stage2", "stage3", "stage4"):
        np.testing.assert_array_equal(np.load(folder / f"{stage}.npy"), analysis.feature_maps(model, x, stage))
    cam = analysis.attribute(model, x, method="gradcam", node="stage3", target=2)
    np.testing.assert_allclose(np.load(folder / "gradcam.npy"), cam, rtol=1e-4, atol=1e-6)
    # Two inputs were asked for, and one picture given: noise fills up.
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, 64, 64), dtype=np.float32))
    field = analysis.effective_receptive_field(model, [x, noise], "stage3")
    np.testing.assert_allclose(np.load(folder / "erf.npy"), field, rtol=1e-4, atol=1e-6 * field.max())
    about = json.loads((folder / "erf.json").read_text())
    assert (about["pictures"], about["noises"]) == (1, 1)
    predictions = json.loads((folder / "predictions.json").read_text())
    probabilities = torch.softmax(model.module(x)[0], 0)
    assert [entry["probability"] for entry in predictions["classes"]] == pytest.approx(
        probabilities.tolist(), rel=1e-4
    )


def test_export_writes_the_differences_of_two_networks(weights: Path, tmp_path: Path) -> None:
    """They equal the differences of two separate exports."""
    other = write_weights(tmp_path / "other.safetensors", small_model(1))
    common = ["--device", "cpu", "--field-count", "2", "--target", "3"]
    together, a, b = (tmp_path / name for name in ("together", "a", "b"))
    options = ["--model", str(weights), "--compare", str(other), "--out", str(together)]
    assert cli.main(["export", "sample:cat", *options, *common]) == 0
    for model, out in ((weights, a), (other, b)):
        assert cli.main(["export", "sample:cat", "--model", str(model), "--out", str(out), *common]) == 0
    for name in ("stage1", "stage2", "stage3", "stage4", "gradcam"):
        one, two = (np.load(out / "cat" / f"{name}.npy") for out in (a, b))
        np.testing.assert_array_equal(np.load(together / "cat" / "difference" / f"{name}.npy"), one - two)
        np.testing.assert_array_equal(np.load(together / "cat" / "b" / f"{name}.npy"), two)
    one, two = (np.load(out / "cat" / "erf.npy") for out in (a, b))
    difference = np.load(together / "cat" / "difference" / "erf.npy")
    np.testing.assert_allclose(difference, one / one.sum() - two / two.sum(), atol=1e-15)
    told = json.loads((together / "cat" / "difference" / "comparison.json").read_text())
    assert [node["b"] for node in told["nodes"]] == ["stage1", "stage2", "stage3", "stage4"]
    assert len(told["classes"]) == 7
    assert len(told["weights"]["tensors"]) == len(load(str(weights)).module.state_dict())


def test_export_replays_a_recipe(weights: Path, tmp_path: Path) -> None:
    """The maps are those of hooks of plain PyTorch."""
    recipe, out = tmp_path / "recipe.json", tmp_path / "out"
    write_recipe(recipe, (Change(node="stage2", effect="factor", factor=-0.5, channels=(1,)),))
    options = ["--model", str(weights), "--recipe", str(recipe), "--out", str(out), "--device", "cpu"]
    assert cli.main(["export", "sample:cat", *options, "--field-count", "1"]) == 0
    model = load(str(weights))
    x = model.preprocess(analysis.decode("sample:cat").to_pil())
    before = analysis.feature_maps(model, x, "stage4")
    factors = torch.ones(model.node("stage2").shape[0], 1, 1)
    factors[1] = -0.5
    handle = model.module_at("stage2").register_forward_hook(lambda _module, _inputs, output: output * factors)
    after = analysis.feature_maps(model, x, "stage4")
    handle.remove()
    folder = out / "cat"
    np.testing.assert_allclose(np.load(folder / "b" / "stage4.npy"), after, atol=1e-5)
    np.testing.assert_allclose(np.load(folder / "difference" / "stage4.npy"), before - after, atol=1e-5)


def test_export_shows_the_network_the_whole_picture(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ["--model", str(weights), "--device", "cpu", "--out", str(out), "--field-count", "1"]
    assert cli.main(["export", "sample:cat", *options, "--framing", "whole", "--input-px", "96"]) == 0
    folder = out / "cat"
    model, picture = load(str(weights)), analysis.decode("sample:cat").to_pil()
    geometry = model.geometry(picture.size, Framing(kind="whole", input_px=96))
    x = model.to_tensor(model.preprocessing(picture, geometry)[0])
    np.testing.assert_array_equal(np.load(folder / "stage2.npy"), analysis.feature_maps(model, x, "stage2"))
    told = json.loads((folder / "predictions.json").read_text())["picture"]
    assert told["framing"] == "whole"
    assert told["input_px"] == list(geometry.input_size)
    assert "Whole picture at 96 px" in (folder / "report.html").read_text()
    assert cli.main(["export", "sample:cat", *options, "--framing", "native", "--input-px", "96"]) == 1


def test_export_writes_any_method_and_how_far_to_believe_it(weights: Path, tmp_path: Path) -> None:
    options = ["--model", str(weights), "--device", "cpu", "--out", str(tmp_path), "--field-count", "1"]
    options += ["--method", "layercam", "--node", "stage2.block1", "--target", "2", "--faithfulness"]
    assert cli.main(["export", "sample:cat", *options]) == 0
    folder = tmp_path / "cat"
    assert not (folder / "gradcam.npy").exists()
    model = load(str(weights))
    x = model.preprocess(analysis.decode("sample:cat").to_pil())
    expected = analysis.attribute(model, x, "layercam", "stage2.block1", 2)
    np.testing.assert_allclose(np.load(folder / "layercam.npy"), expected, rtol=1e-4, atol=1e-6)
    values = json.loads((folder / "layercam.json").read_text())
    assert (values["method"], values["nodes"]) == ("layercam", ["stage2.block1"])
    assert 0 < values["faithfulness"]["of_map"]["insertion_area"] < 1


def test_a_network_of_one_stage_exports_that_stage(tmp_path: Path) -> None:
    model = small_model(depths=(2,), dims=(8,), stem_kernel_size=16, stem_stride=16, stem_norm=False)
    path = write_weights(tmp_path / "isotropic.safetensors", model)
    options = ["--model", str(path), "--device", "cpu", "--out", str(tmp_path / "out"), "--field-count", "1"]
    assert cli.main(["export", "sample:cat", *options]) == 0
    folder = tmp_path / "out" / "cat"
    assert sorted(file.stem for file in folder.glob("*.npy")) == ["erf", "gradcam", "stage1"]
    x = model.preprocess(analysis.decode("sample:cat").to_pil())
    np.testing.assert_array_equal(np.load(folder / "stage1.npy"), analysis.feature_maps(model, x, "stage1"))
    cam = analysis.attribute(model, x, node="stage1")
    np.testing.assert_allclose(np.load(folder / "gradcam.npy"), cam, rtol=1e-4, atol=1e-6)
    assert json.loads((folder / "erf.json").read_text())["node"] == "stage1"


def test_what_tensors_cannot_tell_is_taken_from_the_command_line(tmp_path: Path) -> None:
    model = small_model(stem_stride=2, stem_padding=1)
    path = tmp_path / "m.pth"
    torch.save(model.module.state_dict(), path)
    options = ["--model", str(path), "--device", "cpu", "--out", str(tmp_path / "out"), "--field-count", "1"]
    assert cli.main(["export", "sample:cat", "--stem-stride", "2", "--stem-padding", "1", *options]) == 0
    # 224 pixels, the usual input, through that stem.
    assert np.load(tmp_path / "out" / "cat" / "stage1.npy").shape == (8, 112, 112)


def test_export_goes_on_after_bad_pictures(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rubbish.png").write_text("rubbish")
    Image.new("RGB", (1, 1)).save(tmp_path / "tiny.png")
    pictures = [str(tmp_path / "rubbish.png"), str(tmp_path / "tiny.png"), "sample:coffee", str(tmp_path)]
    status = cli.main(
        ["export", *pictures, "--model", str(weights), "--device", "cpu", "--out", str(tmp_path / "out")]
    )
    assert status == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 3
    assert all(line.startswith("convnext-studio: ") for line in told)
    assert (tmp_path / "out" / "coffee" / "report.html").is_file()


def test_an_interrupted_export_says_how_far_it_came(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(_out: Path, contents: ExportContents, _taken: set[str]) -> list[Path]:
        if contents.image.name.startswith("rocket"):
            raise KeyboardInterrupt
        return []

    monkeypatch.setattr(export_pictures, "export_picture", write)
    options = ["--model", str(weights), "--device", "cpu", "--field-count", "1", "--out", str(tmp_path)]
    assert cli.main(["export", "sample:cat", "sample:rocket", *options]) == 130
    [told] = capsys.readouterr().err.splitlines()
    assert "Interrupted at rocket" in told
    assert told.endswith("after 1 of 2 pictures were exported.")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "preset:nothing"], "There are: tutorial, convnext_tiny"),
        (["--target", "unicorn"], "no class “unicorn”"),
        (["--node", "stage8"], "no node “stage8”"),
        (["--node", "stage1.block1.dwconv"], "no node “stage1.block1.dwconv” to export"),
        (["--method", "deeplift"], "no attribution method “deeplift”"),
        (["--device", "cuda:77"], "no device “cuda:77”"),
        (["--field-count", "0"], "cannot be averaged"),
    ],
)
def test_export_tells_bad_questions_in_one_line(
    arguments: list[str], told: str, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = [] if "--model" in arguments else ["--model", str(weights)]
    assert cli.main(["export", "sample:cat", "--out", str(tmp_path / "o"), *model, *arguments]) == 1
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_export_needs_neither_qt_nor_a_display(weights: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('PySide6',)))\n"
        "from convnext_studio.cli.main import main\n"
        f"options = ['--model', {str(weights)!r}, '--out', {str(tmp_path / 'o')!r}]\n"
        "sys.exit(main(['export', 'sample:rocket', *options]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": ""},
    )
    assert done.stderr == ""
    assert done.returncode == 0


def test_models_lists_presets_and_timm(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models", "--json"]) == 0
    rows = {row["model"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["preset:tutorial"]["parameters"] == 28_324_168
    assert rows["preset:tutorial"]["published"] is None
    published = rows["preset:convnextv2_huge"]["published"]
    assert (published["parameters"], published["accuracy"]) == (660e6, 86.3)
    assert "timm:convnext_tiny.fb_in1k" in rows
    assert cli.main(["models"]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("preset:convnext_base")]
    assert "88.6 M parameters,  15.35 GMACs" in line
    assert "published: 89 M, 15.4 GMACs, 83.8 % top-1 (ImageNet-1k)" in line


def test_models_lists_the_road_to_convnext(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["models"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("road:")]
    assert len(lines) == 17
    [line] = [line for line in lines if line.startswith("road:depthwise ")]
    assert "15.7 M parameters,   2.35 GMACs  random weights" in line
    assert "published: 2.35 GMACs, 78.3 % top-1 (ImageNet-1k)" in line


def test_doctor_tells_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert cli.main(["doctor"]) == 0
    report = capsys.readouterr().out
    for word in ("torch", "Devices", "cpu", "can be opened", "rocket"):
        assert word in report
    monkeypatch.setenv("QT_QPA_PLATFORM", "nonsense")
    assert cli.main(["doctor"]) == 1
    assert "Problem: " in capsys.readouterr().out


def test_doctor_looks_for_every_dependency() -> None:
    with (Path(__file__).parents[2] / "pyproject.toml").open("rb") as file:
        dependencies = tomllib.load(file)["project"]["dependencies"]
    assert set(PACKAGES) == {re.split("[<>=!~]", dependency)[0] for dependency in dependencies}


@pytest.mark.parametrize("size", ["1920", "axb", "0x10", "10x-3"])
def test_impossible_sizes_are_refused(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--size", size])
    assert caught.value.code == 2
    assert size in capsys.readouterr().err


def test_interruption_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "run", interrupt)
    assert cli.main(["doctor"]) == 130


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["erf", "--noise", "--out", "x", "--seed", "-1"], "'-1' is not a number from 0"),
        (["erf", "--noise", "--out", "x", "--input-px", "0"], "'0' is not a number from 1"),
        (["train", ".", "--out", "x", "--seed", "9" * 20], "is not a number from 0 to 2147483647"),
        (["train", ".", "--out", "x", "--classes", ","], "there is no name in it"),
        (["--size", "9999999999x1"], "'9999999999x1' is not a size such as 1920x1080"),
        (["--present", "--step", "-1"], "'-1' is not a number from 1"),
    ],
)
def test_options_that_mean_nothing_are_refused_before_anything_starts(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == exit_status.CANNOT_START
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "whose"),
    [
        (MemoryError(), "The computer's"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "The computer's"),
        (torch.OutOfMemoryError("CUDA out of memory."), "The graphics device's"),
    ],
)
def test_memory_that_runs_out_is_one_sentence(
    error: Exception, whose: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it does: most commands know of smaller sizes, and say so themselves."""

    def refuse(_options: object) -> int:
        raise error

    monkeypatch.setattr(erf, "run", refuse)
    assert cli.main(["erf", "--noise", "--out", "out"]) == exit_status.FAILED
    said = f"convnext-studio: {whose} memory has run out. Use smaller sizes."
    assert capsys.readouterr().err.splitlines() == [said]


def test_reading_the_command_line_imports_neither_qt_nor_torch() -> None:
    script = (
        "import sys, convnext_studio.cli.commands.open_window as command; command.parser()\n"
        "sys.exit(any(name in sys.modules for name in ('PySide6', 'torch', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0
