"""The command that proves the program on a GPU, kept working where there is none."""

import json
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.gpu import __main__ as command
from tests.gpu.checks import Check, Setting, judged, run_steps, stated, table
from tests.gpu.fetch_wheels import ARE_THERE, OF_THE_WINDOW, PACKAGES
from tests.gpu.frames import Eager
from tests.gpu.train_bundled import __main__ as training
from tests.gpu.train_bundled.loads import read
from tests.gpu.train_bundled.training import rate_share
from tests.gpu.truth import difference, furthest
from tests.networks import random_input, small_model

SMALLEST = Setting(device=torch.device("cpu"), size="smallest", runs=1)


@pytest.mark.parametrize("section", command.SECTIONS)
def test_a_section_runs_without_a_gpu_and_nothing_is_wrong(
    section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "gpu.json"
    arguments = ["--sections", section, "--size", "smallest", "--device", "cpu", "--json", str(report)]
    monkeypatch.setattr(sys, "argv", ["tests.gpu", *arguments])
    assert command.main() == 0, capsys.readouterr().out
    found = json.loads(report.read_text())
    assert found["machine"]["device"].startswith("no GPU here")
    assert found["checks"]
    assert {check["verdict"] for check in found["checks"]} <= {"ok", "told"}
    assert all(check["section"] == section for check in found["checks"])


def test_what_is_wrong_and_what_raises_is_exit_1(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail() -> list[Check]:
        raise RuntimeError("no kernel image\nis available")

    sections = {"truth": (lambda _: [("kernel", fail), ("next", lambda: [stated("truth", "next", True)])], 1.0)}
    monkeypatch.setattr(command, "SECTIONS", sections)
    report = tmp_path / "gpu.json"
    monkeypatch.setattr(sys, "argv", ["tests.gpu", "--device", "cpu", "--json", str(report)])
    assert command.main() == 1
    first, second = json.loads(report.read_text())["checks"]
    assert (first["verdict"], first["value"], first["note"]) == ("WRONG", "RuntimeError", "no kernel image")
    assert second["verdict"] == "ok"


def test_what_comes_after_the_time_is_left_out_and_said() -> None:
    (check,) = run_steps("speed", [("late", list)], 0.0)
    assert check.verdict == "not reached"
    assert "not reached" in table([check])


def test_a_bound_is_held_or_not() -> None:
    assert judged("truth", "x", 1e-5, 1e-4).verdict == "ok"
    assert judged("truth", "x", 2e-4, 1e-4).verdict == "WRONG"
    assert judged("truth", "x", float("nan"), 1e-4).verdict == "WRONG"


def test_differences_are_shares_of_the_range() -> None:
    reference = np.array([0.0, 10.0])
    assert difference(np.array([0.0, 10.1]), reference) == pytest.approx(0.01)
    assert difference(np.array([np.nan, 10.0]), reference) == float("inf")
    assert difference(np.array([np.nan, 10.0]), np.array([np.nan, 10.0])) == 0
    assert difference(np.ones(2), np.ones(2)) == 0
    assert difference(np.ones(2), np.full(2, 2.0)) == float("inf")
    assert difference(np.ones(3), np.ones(2)) == float("inf")
    assert furthest({"a": reference, "b": reference}, {"a": reference, "b": reference + 1}) == ("b", 0.1)
    assert furthest({}, {})[1] == float("inf")


def test_a_frame_holds_all_nodes_and_maps() -> None:
    model = small_model()
    frame = Eager(model)(random_input(model))
    assert {"logits", "stem", "stage1", "stage4", "CAM of stage1", "stage3.block1"} <= frame.keys()
    assert frame["CAM of stage1"].shape == frame["stage1"].shape[1:]


def test_every_dependency_travels_is_there_or_belongs_to_the_window() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[\s<>=!;\[]", text)[0] for text in project["dependencies"]}
    assert needed <= {*PACKAGES, *ARE_THERE, *OF_THE_WINDOW}


def test_the_learning_rate_ends_when_the_time_does() -> None:
    assert rate_share(0.05) == 1
    assert rate_share(0.5) == pytest.approx(0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * 0.45 / 0.95)))
    assert rate_share(1.0) == rate_share(1.2) == pytest.approx(0.01)


def drawn_photographs(folder: Path) -> tuple[Path, Path]:
    """Two classes of drawn pictures that are red or blue, and what a teacher thinks of some of them."""
    random = np.random.default_rng(0)
    (folder / "classes.tsv").write_text("id\tclass\tdescription\nn01443537\tgoldfish\t\nn02123045\tcat\t\n")
    names = []
    for name, colour in (("goldfish", 0), ("cat", 2)):
        for split, count in (("train", 12), ("val", 4)):
            place = folder / "photos24" / split / name
            place.mkdir(parents=True)
            for index in range(count):
                pixels = random.integers(0, 80, (64, 64, 3), dtype=np.uint8)
                pixels[..., colour] += 150
                Image.fromarray(pixels).save(place / f"{index:02}.JPEG")
                if split == "train":
                    names.append(f"photos24/train/{name}/{index:02}.JPEG")
    shares = np.full((20, 1000), 1e-4, np.float16)
    shares[:12, 1] = shares[12:, 281] = 0.9
    (folder / "soft").mkdir()
    (folder / "soft.txt").write_text("\n".join(names))
    np.save(folder / "soft" / "000.npy", shares)
    return folder, folder / "classes.tsv"


def test_photographs_are_packed_and_learnt_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photographs, classes = drawn_photographs(tmp_path)
    loads, out = tmp_path / "loads", tmp_path / "out"

    def call(*arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["train_bundled", *map(str, arguments)])
        assert training.main() == 0

    call("pack", photographs, classes, photographs, loads)
    load = read(loads / "load-0.npz")
    assert load.classes == ("cat", "goldfish")
    assert load.is_validation.sum() == 8
    assert (load.soft_shares.sum(axis=1) > 0).sum() == 20
    pixels = load.pixels()
    assert pixels.shape == (32, 64, 64, 3)
    assert (pixels[load.targets == 1, ..., 0].mean() > pixels[load.targets == 1, ..., 2].mean()).all()
    small = ("--batch", 8, "--side-px", 32, "--depths", 1, 1, 1, 1, "--dims", 8, 8, 8, 8)
    call("train", loads, out, "--stage", "pretrain", "--seconds", 1, *small)
    call("train", loads, out, "--seconds", 3, "--init", out / "pretrain.safetensors", *small)
    report = json.loads((out / "finetune.json").read_text())
    assert report["steps"] > 0
    assert report["validation"] == 8
    assert 0 <= report["accuracy"] <= 1
    assert (out / "finetune.safetensors").stat().st_size > 0
