"""The training loop, which turns pictures and a plan into a weights file."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from msgspec.structs import replace
from torch import Generator, Tensor
from torch.nn import functional

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import checked_ending
from convnext_studio.engine.server.hardware.devices import resolve_device
from convnext_studio.model.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from convnext_studio.model.weights.checkpoint import SUFFIX, StudioFile, write_studio_file
from convnext_studio.render.numbers import pluralize
from convnext_studio.training.augment import augment, cutmix, mixup, sample_boxes, smoothed_targets
from convnext_studio.training.events import Asking, Decoding, EpochDone, Report, Skipped, StepDone
from convnext_studio.training.picture_dataset import Pictures, decode_pictures, list_pictures, split_holdout
from convnext_studio.training.plan import TrainingPlan
from convnext_studio.training.soft_targets import SoftTargets, write_soft_targets
from convnext_studio.training.state import (
    Checkpoint,
    TrainingState,
    learning_rate,
    new_state,
    read_checkpoint,
    start_from,
    write_checkpoint,
)
from convnext_studio.training.taught import names_below, present, read_lesson, taught, words
from convnext_studio.training.teaching import ask_teacher

# Crops from pictures that are larger than the result by this factor show no visible aliasing.
OVERSAMPLING = 1.5
# Reading the loss synchronises with the device, so it is not done at every step.
STEPS_PER_REPORT = 10


def train(
    folder: Path,
    out: Path,
    plan: TrainingPlan | None = None,
    *,
    classes: Sequence[str] | None = None,
    init: Path | None = None,
    soft_targets: Path | None = None,
    teacher: str | None = None,
    resume: bool = False,
    device: str = "auto",
    report: Report = lambda _event: None,
) -> StudioFile:
    """Train a ConvNeXt on a folder of pictures, and write its moving average's weights after every epoch.

    Until training is complete, `out`.checkpoint next to `out` contains the whole state. On the CPU, with
    the same number of threads, an interrupted and resumed run gives the same weights as an uninterrupted one.

    Parameters
    ----------
    folder
        A folder with one folder of pictures for each class.
    out
        The weights file to write.
    plan
        The settings; a resumed run keeps the plan with which it was started.
    classes
        The classes to train on; None for all.
    init
        A weights file to start from instead of random weights.
    soft_targets
        A file of a teacher's predictions to learn from as well; the classes are then those of the file.
    teacher
        A model to ask first; its predictions are saved as `out`.soft-targets.npz.
    resume
        Whether to continue from `out`.checkpoint.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    report
        Called with the events of the run.

    Returns
    -------
    StudioFile
        The contents of `out`.

    Raises
    ------
    StudioError
        If the folder, the plan or the checkpoint cannot be used, or `out` has another ending than
        ``.safetensors``.
    """
    if not out.parent.is_dir():
        raise StudioError(f"There is no folder {out.parent} for {out.name}.")
    if out.exists() and not out.is_file():
        raise StudioError(f"{out} is not a file that weights can be written to.")
    checked_ending(out, (SUFFIX,), "Trained weights")
    checkpoint_path = out.with_name(out.name + ".checkpoint")
    checkpoint = read_checkpoint(checkpoint_path) if resume else None
    plan = checkpoint.plan if checkpoint else plan or TrainingPlan()
    if teacher and not resume:
        soft_targets = _asked(teacher, folder, out, classes, plan.temperature, device, report)
    targets, lesson = read_lesson(checkpoint.lesson if checkpoint else None, soft_targets)
    pictures, labels = _decoded(folder, classes, plan, targets, report)
    plan = replace(plan, config=replace(plan.config, num_classes=len(labels)))
    state = new_state(plan, resolve_device(device))
    if checkpoint:
        _check_same_run(checkpoint, labels, len(pictures))
        checkpoint.restore(state)
    elif init:
        start_from(state.module, labels, init)
    taught_by = targets.teacher if targets else None
    learnt, held = (len(part) for part in split_holdout(pictures.targets, plan.holdout, plan.seed))
    file = _described(plan, labels, state, (learnt, held), taught_by)
    for _ in run_epochs(plan, pictures, state, report):
        file = _described(plan, labels, state, (learnt, held), taught_by)
        write_studio_file(out, file)
        write_checkpoint(checkpoint_path, plan, labels, len(pictures), state, lesson)
    checkpoint_path.unlink(missing_ok=True)
    return file


def _asked(
    teacher: str,
    folder: Path,
    out: Path,
    classes: Sequence[str] | None,
    temperature: float,
    device: str,
    report: Report,
) -> Path:
    """Write the teacher's predictions for the folder's pictures next to the weights, and return the path."""
    answers = ask_teacher(
        teacher,
        folder,
        classes=classes,
        temperature=temperature,
        device=device,
        advance=lambda *done: report(Asking(*done)),
    )
    path = out.with_name(out.name + ".soft-targets.npz")
    write_soft_targets(path, answers)
    return path


def _decoded(
    folder: Path,
    classes: Sequence[str] | None,
    plan: TrainingPlan,
    lesson: SoftTargets | None,
    report: Report,
) -> tuple[Pictures, tuple[str, ...]]:
    """Return the folder's pictures and the classes to learn, which are the soft targets' if there are any."""
    listing = list_pictures(folder, classes)
    if len(listing.classes) < 2 and lesson is None:
        raise StudioError(f"{folder} has only one class, {listing.classes[0]}.", "There must be at least two.")
    pictures, unreadable = decode_pictures(listing, plan.cache_px, lambda *done: report(Decoding(*done)))
    if unreadable:
        report(Skipped(unreadable))
    _check_every_class(pictures, listing.classes)
    labels = words(listing.classes)
    if lesson is None:
        return pictures, labels
    names = names_below(folder, present(listing, unreadable))
    return taught(pictures, labels, names, lesson, plan), lesson.classes


def run_epochs(plan: TrainingPlan, pictures: Pictures, state: TrainingState, report: Report) -> Iterator[int]:
    """Train the remaining epochs, and yield the number of each, counted from 1, when it is done."""
    learn, held = split_holdout(pictures.targets, plan.holdout, plan.seed)
    held_out = pictures.take(held).resized(plan.input_px)
    cached, cached_px = pictures, 0
    while state.epoch < plan.epochs:
        size_px = plan.size_px(state.epoch)
        if size_px != cached_px:
            cached, cached_px = pictures.resized(round(OVERSAMPLING * size_px)), size_px
        started = time.perf_counter()
        loss = _run_epoch(plan, cached, learn, size_px, state, report)
        # An epoch leaves out what does not fill its last batch.
        seen = min(len(learn), _steps(plan, learn) * plan.batch_size)
        speed = seen / (time.perf_counter() - started)
        state.epoch += 1
        accuracies = [
            _accuracy(module, held_out, plan.input_px) if len(held) else None
            for module in (state.module, state.average.module)
        ]
        report(EpochDone(state.epoch, plan.epochs, size_px, loss, speed, accuracies[0], accuracies[1]))
        yield state.epoch


def _steps(plan: TrainingPlan, learn: Tensor) -> int:
    """Return the number of batches in an epoch: full ones, or a single one of fewer pictures."""
    return max(1, len(learn) // plan.batch_size)


def _run_epoch(
    plan: TrainingPlan, pictures: Pictures, learn: Tensor, size_px: int, state: TrainingState, report: Report
) -> float:
    """Train for one epoch on the pictures of indices `learn`, and return the mean loss."""
    device = next(state.module.parameters()).device
    generator = Generator().manual_seed(plan.seed * 1_000_003 + state.epoch)
    order = learn[torch.randperm(len(learn), generator=generator)]
    steps = _steps(plan, learn)
    total = torch.zeros((), device=device)
    state.module.train()
    with torch.random.fork_rng():
        torch.manual_seed(plan.seed * 1_000_003 + state.epoch)  # For stochastic depth.
        for step in range(steps):
            batch = pictures.take(order[step * plan.batch_size : (step + 1) * plan.batch_size])
            inputs, targets = _prepare(plan, batch, size_px, device, generator)
            with autocast(device):
                logits = state.module(inputs)
            loss = _loss(plan, logits.float(), targets)
            rate = learning_rate(plan, state.epoch + (step + 1) / steps)
            state.learn(loss, rate, plan.clip_norm)
            total += loss.detach()
            if (step + 1) % STEPS_PER_REPORT == 0 or step + 1 == steps:
                mean = float(total) / (step + 1)
                if not math.isfinite(mean):
                    raise StudioError(
                        "The training diverged: the loss is no longer finite.", "Try a smaller learning rate."
                    )
                report(StepDone(state.epoch + 1, plan.epochs, step + 1, steps, mean))
    return float(total) / steps


def _prepare(
    plan: TrainingPlan, batch: Pictures, size_px: int, device: torch.device, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Return a batch as augmented, normalised inputs and targets on the device.

    The targets are (N, kinds, classes), where the kinds are the folders' targets and, if there is a teacher,
    the soft ones; so mixing mixes both.
    """
    batch = replace(batch, pixels=batch.pixels.to(device), targets=batch.targets.to(device))
    changed = augment(batch, size_px, plan.crop_area_min, plan.colour_jitter, plan.sharpness_jitter, generator)
    inputs = _normalise(changed)
    targets = smoothed_targets(batch.targets, plan.config.num_classes, plan.label_smoothing)[:, None]
    if batch.soft is not None:
        targets = torch.cat([targets, batch.soft.to(device)[:, None]], 1)
    both = ((mixup, plan.mixup_alpha), (cutmix, plan.cutmix_alpha))
    mixes = [(mix, alpha) for mix, alpha in both if alpha > 0]
    draw, which = torch.rand(2, generator=generator).tolist()
    if mixes and draw < plan.mix_probability:
        mix, alpha = mixes[int(which * len(mixes))]
        inputs, targets = mix(inputs, targets, alpha, generator)
    return inputs, targets


def _loss(plan: TrainingPlan, logits: Tensor, targets: Tensor) -> Tensor:
    """Return the cross-entropy with the folders' targets and, at the plan's temperature, with a teacher's.

    The squared temperature keeps the gradient's scale independent of it (arXiv:1503.02531, section 2).
    """
    hard = functional.cross_entropy(logits, targets[:, 0])
    if targets.shape[1] == 1:
        return hard
    soft = functional.cross_entropy(logits / plan.temperature, targets[:, 1])
    return torch.lerp(hard, plan.temperature**2 * soft, plan.distill_weight)


def _accuracy(module: torch.nn.Module, pictures: Pictures, size_px: int) -> float:
    """Return the fraction of the pictures, centre-cropped, whose most probable class is right."""
    device = next(module.parameters()).device
    aspects = pictures.log_aspects.exp()
    width, height = (1 / aspects).clamp(max=1), aspects.clamp(max=1)
    boxes = torch.stack([(1 - width) / 2, (1 - height) / 2, width, height], 1)
    right = 0
    module.eval()
    with torch.inference_mode(), autocast(device):
        for start in range(0, len(pictures), 256):
            part = slice(start, start + 256)
            pixels, flip = pictures.pixels[part].to(device), torch.zeros(len(boxes[part]), dtype=torch.bool)
            logits = module(_normalise(sample_boxes(pixels, boxes[part], flip, size_px)))
            right += int((logits.argmax(1).cpu() == pictures.targets[part]).sum())
    return right / len(pictures)


def _normalise(batch: Tensor) -> Tensor:
    mean = torch.tensor(IMAGENET_MEAN, device=batch.device).view(1, 3, 1, 1)
    std = torch.tensor(IMAGENET_STD, device=batch.device).view(1, 3, 1, 1)
    memory_format = torch.channels_last if batch.is_cuda else torch.contiguous_format
    return ((batch - mean) / std).contiguous(memory_format=memory_format)


def _described(
    plan: TrainingPlan,
    labels: tuple[str, ...],
    state: TrainingState,
    counts: tuple[int, int],
    teacher: str | None,
) -> StudioFile:
    """Return the file of the weights; the counts are of the pictures to learn from and of those held out."""
    learnt, held = counts
    taught_by = {} if teacher is None else {"teacher": teacher or "a file of soft targets"}
    return StudioFile(
        config=plan.config,
        labels=labels,
        preprocessing=Preprocessing(input_px=plan.input_px, crop_fraction=1.0, interpolation="bilinear"),
        title=f"ConvNeXt, {len(labels)} classes",
        provenance={
            "trained on": f"{pluralize(learnt, 'picture')}" + (f"; {held} more were held out" if held else ""),
            **taught_by,
            "epochs": f"{state.epoch} of {plan.epochs}",
            "plan": ", ".join(f"{name} {value}" for name, value in plan.to_dict().items() if name != "config"),
        },
        state_dict=state.averaged_weights(),
    )


def _check_every_class(pictures: Pictures, classes: tuple[str, ...]) -> None:
    counts = torch.bincount(pictures.targets, minlength=len(classes))
    empty = [name for name, count in zip(classes, counts.tolist(), strict=True) if count == 0]
    if empty:
        raise StudioError(f"No picture of the class {', '.join(empty)} can be read.")


def _check_same_run(checkpoint: Checkpoint, labels: tuple[str, ...], pictures: int) -> None:
    if checkpoint.labels != labels or checkpoint.pictures != pictures:
        raise StudioError(
            (
                f"The checkpoint is from a training on {checkpoint.pictures} pictures of "
                f"{len(checkpoint.labels)} classes, but here are {pictures} of {len(labels)}."
            ),
            "Resume with the same folder and classes.",
        )


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """Autocast to bfloat16 if the hardware supports it; emulated, it would be slower than float32."""
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        # The oldest supported torch has no get_capabilities.
        capabilities: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        native = device.type == "cpu" and bool(capabilities.get("avx512_bf16"))
    return torch.autocast(device.type, torch.bfloat16) if native else nullcontext()
