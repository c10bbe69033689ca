"""A student learns what a teacher thinks of generated pictures, from its answers alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from PIL import Image
from torch.nn import functional

from convnext_studio.common.errors import StudioError
from convnext_studio.model.weights.checkpoint import read_studio_file
from convnext_studio.training import trainer
from convnext_studio.training.accuracy import evaluate
from convnext_studio.training.events import Asking, Event, StepDone
from convnext_studio.training.picture_dataset import Pictures
from convnext_studio.training.soft_targets import SoftTargets, read_soft_targets, write_soft_targets
from convnext_studio.training.state import new_state
from convnext_studio.training.teaching import ask_teacher
from convnext_studio.training.trainer import train
from tests.training.drawn import PLAN, TINY, draw_folder

ALONE = replace(PLAN, distill_weight=1.0, temperature=1.5)
CLASSES = ("blue disc", "green disc", "red disc")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_folder(tmp_path_factory.mktemp("pictures"), 40)


@pytest.fixture(scope="module")
def teacher(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    train(folder, out, PLAN, device="cpu")
    return out


@pytest.fixture(scope="module")
def shuffled(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures in folders that say nothing: what is learnt of them is the teacher's."""
    mixed = tmp_path_factory.mktemp("mixed")
    for index, path in enumerate(sorted(folder.rglob("*.png"))):
        place = mixed / f"heap {index % 2}"
        place.mkdir(exist_ok=True)
        (place / f"{path.parent.name}_{path.name}").write_bytes(path.read_bytes())
    return mixed


@pytest.fixture(scope="module")
def answers(shuffled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a teacher that is always right, and rarely quite sure, thinks of them."""
    paths = sorted(shuffled.rglob("*.png"))
    right = [CLASSES.index(" ".join(path.name.split("_")[:2])) for path in paths]
    shares = np.full((len(paths), 3), 0.1, np.float16)
    shares[np.arange(len(paths)), right] = 0.8
    out = tmp_path_factory.mktemp("answers") / "soft.npz"
    names = tuple(path.relative_to(shuffled).as_posix() for path in paths)
    write_soft_targets(
        out, SoftTargets(names=names, classes=CLASSES, probabilities=shares, teacher="An oracle")
    )
    return out


def test_a_student_learns_from_soft_targets_alone(
    shuffled: Path, folder: Path, answers: Path, tmp_path: Path
) -> None:
    out = tmp_path / "student.safetensors"
    plan = replace(ALONE, epochs=6)
    file = train(shuffled, out, plan, soft_targets=answers, device="cpu")
    assert file.labels == CLASSES
    assert file.provenance["teacher"] == "An oracle"
    assert "distill_weight 1.0, temperature 1.5" in file.provenance["plan"]
    assert evaluate(out, folder, device="cpu").accuracy > 0.95


class Stop(Exception):
    """What interrupts a training here."""


def test_interrupted_and_resumed_gives_the_same_weights(answers: Path, shuffled: Path, tmp_path: Path) -> None:
    plan = replace(ALONE, epochs=3, mix_probability=0.7, sharpness_jitter=0.5)
    train(shuffled, tmp_path / "whole", plan, soft_targets=answers, device="cpu")
    moved = tmp_path / "soft.npz"
    moved.write_bytes(answers.read_bytes())

    def interrupt(event: Event) -> None:
        if isinstance(event, StepDone) and event.epoch == 2:
            raise Stop

    out = tmp_path / "parts"
    with pytest.raises(Stop):
        train(shuffled, out, plan, soft_targets=moved, device="cpu", report=interrupt)
    moved.unlink()
    with pytest.raises(StudioError, match=r"no file .*soft\.npz"):
        train(shuffled, out, resume=True, device="cpu")
    targets = read_soft_targets(answers)
    write_soft_targets(moved, replace(targets, teacher="Another one"))
    with pytest.raises(StudioError, match=r"soft\.npz is not the file of soft targets with which the training"):
        train(shuffled, out, resume=True, device="cpu")
    train(shuffled, out, resume=True, soft_targets=answers, device="cpu")
    assert out.read_bytes() == (tmp_path / "whole").read_bytes()


def test_a_model_that_the_program_opens_teaches(folder: Path, teacher: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    out = tmp_path / "student.safetensors"
    plan = replace(PLAN, epochs=1, distill_weight=0.5)
    file = train(folder, out, plan, teacher=str(teacher), device="cpu", report=events.append)
    assert [event for event in events if isinstance(event, Asking)][-1] == Asking(120, 120)
    kept = read_soft_targets(tmp_path / "student.safetensors.soft-targets.npz")
    assert (len(kept.names), kept.classes, kept.temperature) == (120, CLASSES, 2.0)
    assert file.labels == CLASSES
    assert file.provenance["teacher"] == kept.teacher == "ConvNeXt, 3 classes"


def test_the_teachers_answers_are_its_softened_probabilities(folder: Path, teacher: Path) -> None:
    asked = ask_teacher(str(teacher), folder, classes=["red_disc", "blue_disc"], temperature=3.0)
    assert asked.classes == ("red disc", "blue disc")
    file = read_studio_file(teacher)
    state = new_state(replace(PLAN, config=file.config), torch.device("cpu"))
    state.module.load_state_dict(file.state_dict)
    x = torch.from_numpy(file.preprocessing(Image.open(folder / asked.names[0]))[0])[None]
    with torch.inference_mode():
        logits = state.module.eval()(x)[0, [2, 0]]
    expected = (logits / 3).softmax(0).numpy()
    np.testing.assert_allclose(asked.probabilities[0], expected, atol=2e-3)


def test_teachers_that_cannot_teach_are_said(folder: Path, teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="random weights, so it cannot be a teacher"):
        ask_teacher("preset:convnext_tiny", folder)
    other = draw_folder(tmp_path / "other", 2)
    (other / "red_disc").rename(other / "ultraviolet")
    with pytest.raises(StudioError, match="has no class ultraviolet"):
        ask_teacher(str(teacher), other)


def test_folders_that_the_soft_targets_do_not_name_want_them_alone(
    shuffled: Path, answers: Path, tmp_path: Path
) -> None:
    with pytest.raises(StudioError, match="no class heap 0, heap 1") as caught:
        train(shuffled, tmp_path / "out", replace(ALONE, distill_weight=0.9), soft_targets=answers)
    assert "--distill-weight 1" in str(caught.value.hint)


@pytest.mark.parametrize(("mixup_alpha", "cutmix_alpha"), [(0.4, 0.0), (0.0, 0.7)])
def test_mixing_mixes_the_teachers_targets_too(mixup_alpha: float, cutmix_alpha: float) -> None:
    """Each picture is of one grey, which tells how much of which picture came out."""
    plan = replace(
        PLAN,
        config=replace(TINY, num_classes=2),
        mixup_alpha=mixup_alpha,
        cutmix_alpha=cutmix_alpha,
        mix_probability=1.0,
        label_smoothing=0.0,
        colour_jitter=0.0,
    )
    pixels = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 24, 24, 3)
    soft = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    pictures = Pictures(pixels, torch.zeros(2), torch.tensor([0, 1]), soft)
    black, white = trainer._normalise(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1))
    inputs, targets = trainer._prepare(
        plan, pictures, 24, torch.device("cpu"), torch.Generator().manual_seed(3)
    )
    whiteness = ((inputs - black) / (white - black)).mean((1, 2, 3))
    assert 0 < whiteness[0] < 1
    assert targets.shape == (2, 2, 2)
    torch.testing.assert_close(targets[:, 0, 1], whiteness)
    torch.testing.assert_close(targets[:, 1], torch.lerp(soft[0], soft[1], whiteness[:, None]))


def test_the_loss_is_hintons() -> None:
    plan = replace(PLAN, distill_weight=0.25, temperature=4.0)
    logits = torch.tensor([[2.0, -1.0, 0.5]])
    hard, soft = torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[0.6, 0.3, 0.1]])
    expected = 0.75 * functional.cross_entropy(logits, hard)
    expected += 0.25 * 16 * functional.cross_entropy(logits / 4, soft)
    torch.testing.assert_close(trainer._loss(plan, logits, torch.stack([hard, soft], 1)), expected)
    torch.testing.assert_close(
        trainer._loss(plan, logits, hard[:, None]), functional.cross_entropy(logits, hard)
    )


def test_frozen_stages_stay_as_they_were(folder: Path, teacher: Path, tmp_path: Path) -> None:
    plan = replace(PLAN, epochs=1, frozen_stages=2)
    file = train(folder, tmp_path / "out", plan, init=teacher, device="cpu")
    before = read_studio_file(teacher).state_dict
    same = {name for name, tensor in file.state_dict.items() if torch.equal(tensor, before[name])}
    frozen = {name for name in before if name.startswith(("downsample_layers.0", "downsample_layers.1"))}
    frozen |= {name for name in before if name.startswith(("stages.0", "stages.1"))}
    assert frozen <= same
    assert "stages.2.0.pwconv1.weight" not in same
    with pytest.raises(StudioError, match="There are 4 stages; 5 cannot be frozen"):
        replace(PLAN, frozen_stages=5)
