"""A tiny network on generated pictures: it learns, it can be interrupted, it says what is wrong."""

from pathlib import Path

import pytest
import torch
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.weights.checkpoint import StudioFile, read_studio_file
from convnext_studio.training import trainer
from convnext_studio.training.events import Decoding, EpochDone, Event, Skipped, StepDone
from convnext_studio.training.plan import TrainingPlan
from convnext_studio.training.state import learning_rate, new_state
from convnext_studio.training.trainer import train
from tests.training.drawn import PLAN, TINY, draw_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_folder(tmp_path_factory.mktemp("pictures"), 40)


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudioFile, list[Event]]:
    out = tmp_path_factory.mktemp("trained") / "discs.safetensors"
    events: list[Event] = []
    return out, train(folder, out, PLAN, device="cpu", report=events.append), events


def test_it_learns_what_is_plain_to_see(trained: tuple[Path, StudioFile, list[Event]]) -> None:
    _, _, events = trained
    epochs = [event for event in events if isinstance(event, EpochDone)]
    assert [event.epoch for event in epochs] == [1, 2, 3, 4]
    assert [event.size_px for event in epochs] == [16, 16, 24, 24]
    assert epochs[-1].loss < epochs[0].loss
    assert epochs[-1].accuracy == 1
    assert epochs[-1].average_accuracy == 1


def test_progress_is_told(trained: tuple[Path, StudioFile, list[Event]]) -> None:
    _, _, events = trained
    assert [event for event in events if isinstance(event, Decoding)][-1] == Decoding(120, 120)
    steps = [event for event in events if isinstance(event, StepDone)]
    # 108 pictures are not held out: 9 batches of 12.
    assert [(event.epoch, event.step, event.steps) for event in steps] == [(n, 9, 9) for n in (1, 2, 3, 4)]


def test_the_file_describes_itself(trained: tuple[Path, StudioFile, list[Event]]) -> None:
    out, file, _ = trained
    read = read_studio_file(out)
    assert read.labels == ("blue disc", "green disc", "red disc")
    assert read.config == replace(TINY, num_classes=3)
    assert read.preprocessing.input_px == 24
    assert read.provenance["trained on"] == "108 pictures; 12 more were held out"
    assert read.provenance["epochs"] == "4 of 4"
    for name, tensor in file.state_dict.items():
        torch.testing.assert_close(read.state_dict[name], tensor, atol=1e-3, rtol=1e-3)
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_the_speed_counts_the_pictures_that_were_learnt_from(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 108 pictures in batches of 25, the last 8 are left out of an epoch."""
    ticks = iter(range(0, 1000, 2))
    monkeypatch.setattr(trainer.time, "perf_counter", lambda: next(ticks))
    events: list[Event] = []
    plan = replace(PLAN, epochs=1, batch_size=25)
    train(folder, tmp_path / "discs.safetensors", plan, device="cpu", report=events.append)
    assert [event.pictures_per_s for event in events if isinstance(event, EpochDone)] == [100 / 2]


class Stop(Exception):
    """What interrupts a training here."""


@pytest.mark.parametrize("epoch", [2, 3])
def test_interrupted_and_resumed_gives_the_same_weights(
    folder: Path, trained: tuple[Path, StudioFile, list[Event]], tmp_path: Path, epoch: int
) -> None:
    out = tmp_path / "discs.safetensors"

    def interrupt(event: Event) -> None:
        if isinstance(event, StepDone) and event.epoch == epoch:
            raise Stop

    with pytest.raises(Stop):
        train(folder, out, PLAN, device="cpu", report=interrupt)
    assert read_studio_file(out).provenance["epochs"] == f"{epoch - 1} of 4"
    torch.manual_seed(123)  # What else uses random numbers must not matter.
    resumed = train(folder, out, resume=True, device="cpu")
    whole = trained[1].state_dict
    assert set(resumed.state_dict) == set(whole)
    assert all(torch.equal(tensor, whole[name]) for name, tensor in resumed.state_dict.items())
    assert out.read_bytes() == trained[0].read_bytes()


def test_another_seed_gives_other_weights(folder: Path, tmp_path: Path) -> None:
    plan = replace(PLAN, epochs=1)
    first, second = (
        train(folder, tmp_path / f"{seed}.safetensors", replace(plan, seed=seed), device="cpu")
        for seed in (0, 1)
    )
    assert not torch.equal(first.state_dict["head.weight"], second.state_dict["head.weight"])


def test_resume_wants_the_same_pictures(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "discs.safetensors"
    with pytest.raises(StudioError, match=r"no discs\.safetensors\.checkpoint to resume from"):
        train(folder, out, resume=True)

    def interrupt(event: Event) -> None:
        if isinstance(event, StepDone) and event.epoch == 2:
            raise Stop

    with pytest.raises(Stop):
        train(folder, out, PLAN, device="cpu", report=interrupt)
    with pytest.raises(StudioError, match="120 pictures of 3 classes, but here are 80 of 2"):
        train(folder, out, classes=["red_disc", "blue_disc"], resume=True)
    checkpoint = out.with_name("discs.safetensors.checkpoint")
    checkpoint.write_bytes(checkpoint.read_bytes()[:5000])
    with pytest.raises(StudioError, match="not a checkpoint of a training, or is damaged"):
        train(folder, out, resume=True)


def test_unusable_folders_are_said_before_training(tmp_path: Path) -> None:
    draw_folder(tmp_path, 2)
    out = tmp_path / "out.safetensors"
    with pytest.raises(StudioError, match="only one class, red_disc"):
        train(tmp_path, out, PLAN, classes=["red_disc"])
    for path in (tmp_path / "red_disc").iterdir():
        path.write_bytes(b"")
    events: list[Event] = []
    with pytest.raises(StudioError, match="No picture of the class red_disc can be read"):
        train(tmp_path, out, PLAN, report=events.append)
    assert [len(event.paths) for event in events if isinstance(event, Skipped)] == [2]
    assert not out.exists()
    with pytest.raises(StudioError, match="is not a file"):
        train(tmp_path, tmp_path / "red_disc", PLAN)
    with pytest.raises(StudioError, match="There is no folder"):
        train(tmp_path, tmp_path / "no" / "out.safetensors", PLAN)
    with pytest.raises(StudioError, match=r"Trained weights cannot be saved as “out.pth”"):
        train(tmp_path, tmp_path / "out.pth", PLAN)


def test_divergence_is_said(folder: Path, tmp_path: Path) -> None:
    plan = replace(PLAN, learning_rate=1e30, clip_norm=1e30, epochs=1, warmup_epochs=0)
    with pytest.raises(StudioError, match="The training diverged"):
        train(folder, tmp_path / "out.safetensors", plan, device="cpu")


def test_init_takes_the_body_and_the_classes_in_common(
    folder: Path, trained: tuple[Path, StudioFile, list[Event]], tmp_path: Path
) -> None:
    out, _, _ = trained
    source = read_studio_file(out)
    # With a learning rate of next to nothing, what comes out is what went in.
    plan = replace(PLAN, epochs=1, learning_rate=1e-12)
    file = train(folder, tmp_path / "more", plan, classes=["red_disc", "blue_disc"], init=out, device="cpu")
    for name in ("downsample_layers.0.0.weight", "stages.3.0.gamma", "norm.bias"):
        torch.testing.assert_close(file.state_dict[name], source.state_dict[name])
    torch.testing.assert_close(file.state_dict["head.weight"], source.state_dict["head.weight"][[2, 0]])
    other = replace(plan, config=replace(TINY, depths=(1, 1, 2, 1)))
    with pytest.raises(StudioError, match=r"another architecture.*depths \(1, 1, 1, 1\)"):
        train(folder, tmp_path / "more", other, init=out)


def test_learning_rate_rises_linearly_and_falls_as_a_cosine() -> None:
    plan = TrainingPlan(epochs=11, warmup_epochs=1, learning_rate=1.0)
    expected = {0.25: 0.25, 1: 1.0, 6: 0.01 + 0.99 / 2, 11: 0.01, 1 + 10 / 3: 0.01 + 0.99 * 0.75}
    assert {epoch: learning_rate(plan, epoch) for epoch in expected} == pytest.approx(expected)


def test_average_follows_the_weights_by_its_recurrence() -> None:
    state = new_state(replace(PLAN, ema_decay=0.5), torch.device("cpu"))
    expected = None
    for count in range(12):
        state.learn(state.module.head.weight.sum(), 0.01, 1.0)
        weight = state.module.head.weight.detach().clone()
        # The first update copies; then the decay rises to its value.
        decay = min(0.5, (1 + count) / (10 + count))
        expected = weight if expected is None else decay * expected + (1 - decay) * weight
    torch.testing.assert_close(state.averaged_weights()["head.weight"], expected)


def test_only_matrices_and_kernels_decay() -> None:
    optimizer = new_state(PLAN, torch.device("cpu")).optimizer
    decays = {
        parameter.ndim > 1: group["weight_decay"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert decays == {True: PLAN.weight_decay, False: 0.0}


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 0},
        {"learning_rate": float("nan")},
        {"sizes_px": ()},
        {"sizes_px": (8,)},
        {"holdout": 1.0},
        {"crop_area_min": 0.0},
        {"mixup_alpha": -1.0},
    ],
)
def test_impossible_plans_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(StudioError):
        replace(PLAN, **changes)


def test_plan_survives_json() -> None:
    assert TrainingPlan.from_dict(PLAN.to_dict()) == PLAN
    with pytest.raises(StudioError, match="not known here: flavour"):
        TrainingPlan.from_dict({**PLAN.to_dict(), "flavour": 1})


def test_only_kernels_and_matrices_decay() -> None:
    plan = replace(PLAN, config=replace(TINY, grn=True))
    state = new_state(plan, torch.device("cpu"))
    names = {parameter: name for name, parameter in state.module.named_parameters()}
    decayed, others = ({names[kept] for kept in group["params"]} for group in state.optimizer.param_groups)
    assert decayed | others == set(names.values())
    layers = ("dwconv", "pwconv1", "pwconv2", "head", "downsample_layers.0.0", "downsample_layers.1.1")
    assert {f"stages.0.0.{layer}.weight" for layer in layers[:3]} <= decayed
    assert {f"{layer}.weight" for layer in layers[3:]} <= decayed
    assert not [
        name for name in decayed if "norm" in name or "gamma" in name or "beta" in name or "bias" in name
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"grn": True, "layer_scale_init_value": 0.0},
        {"norm": "batch", "act": "relu", "depthwise": False, "downsample": "block"},
    ],
)
def test_other_architectures_are_trained_and_averaged_too(
    changes: dict[str, object], folder: Path, tmp_path: Path
) -> None:
    plan = replace(PLAN, config=ConvNeXtConfig.from_dict(TINY.to_dict() | changes), epochs=1, sizes_px=(16,))
    file = train(folder, tmp_path / "out.safetensors", plan, device="cpu", report=lambda _event: None)
    assert all(torch.isfinite(tensor).all() for tensor in file.state_dict.values())
    statistics = [tensor for name, tensor in file.state_dict.items() if name.endswith("running_mean")]
    assert all(tensor.abs().sum() > 0 for tensor in statistics)
    assert bool(statistics) == (changes.get("norm") == "batch")
