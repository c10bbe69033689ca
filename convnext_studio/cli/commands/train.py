"""`convnext-studio train`: trains a network on a folder of pictures."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from convnext_studio.cli.options import Parser, add_device_option, integer, quoted, real, seed
from convnext_studio.cli.progress_bars import draw_bar
from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import checked_ending
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.presets import PRESETS, preset
from convnext_studio.training.events import Asking, Decoding, EpochDone, Event, Skipped, StepDone
from convnext_studio.training.plan import SMALL_CONFIG, TrainingPlan

EXAMPLES = (
    (
        "pictures --out pets.safetensors --epochs 30",
        "train on the folder pictures, which contains one folder for each class",
    ),
    ("pictures --out pets.safetensors --resume", "continue after an interruption, with the same result"),
    (
        "pictures --teacher big.safetensors --write-soft-targets soft.npz",
        "save the class probabilities that a trained model predicts",
    ),
    ("pictures --out pets.safetensors --soft-targets soft.npz", "also learn from these (distillation)"),
)

_DEFAULTS = TrainingPlan()

# Option, type and help. Names and defaults are those of TrainingPlan.
_PLAN_OPTIONS: tuple[tuple[str, Callable[[str], Any], str], ...] = (
    ("epochs", integer, "number of passes over the pictures"),
    ("input_px", integer, "side of the trained model's input"),
    ("cache_px", integer, "side of the squares that are kept in memory"),
    ("batch_size", integer, "pictures per step"),
    ("learning_rate", real, "highest learning rate"),
    ("weight_decay", real, "weight decay of AdamW"),
    ("warmup_epochs", real, "epochs during which the learning rate rises"),
    ("label_smoothing", real, "fraction of the target that is spread over all classes"),
    ("drop_path_rate", real, "drop rate of stochastic depth at the last block"),
    ("frozen_stages", integer, "number of stages, with the stem, that keep the weights of --init"),
    ("crop_area_min", real, "smallest fraction of the picture's area that a crop covers"),
    ("colour_jitter", real, "largest change of brightness, contrast and saturation"),
    ("sharpness_jitter", real, "largest fraction of fine detail that is added or removed"),
    ("mixup_alpha", real, "parameter of mixup's Beta distribution; 0 turns it off"),
    ("cutmix_alpha", real, "parameter of cutmix's Beta distribution; 0 turns it off"),
    ("mix_probability", real, "fraction of the batches that are mixed"),
    ("distill_weight", real, "fraction of the loss that comes from soft targets, if there are any"),
    ("temperature", real, "temperature by which logits are divided for soft targets"),
    ("ema_decay", real, "decay of the moving average of the weights, which is saved"),
    ("clip_norm", real, "largest norm of the gradient, to which it is clipped"),
    ("holdout", real, "fraction of each class that is held out and evaluated after each epoch"),
    ("seed", seed, "seed of all random numbers"),
)


def parser() -> argparse.ArgumentParser:
    """Return the parser of `convnext-studio train`."""
    parser = Parser(
        prog="convnext-studio train",
        description=(
            "Train a ConvNeXt on a folder that contains one folder of pictures for each class, and "
            "write the weights after every epoch. FILE.checkpoint stays next to FILE until the "
            "training is complete."
        ),
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="one folder of pictures for each class")
    parser.add_argument("--out", type=Path, metavar="FILE.safetensors", help="file to write the weights to")
    parser.add_argument("--classes", type=_names, metavar="A,B,...", help="train only on these classes")
    parser.add_argument(
        "--init", type=Path, metavar="FILE", help="start from these weights of the same architecture"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="continue from FILE.checkpoint, with its original options",
    )
    add_device_option(parser)
    _add_teacher_options(parser)
    network = parser.add_argument_group("network")
    network.add_argument(
        "--preset", choices=tuple(PRESETS), help="architecture (default: a small one, whose stem has stride 2)"
    )
    network.add_argument("--depths", type=_numbers, metavar="2,2,6,2", help="number of blocks in each stage")
    network.add_argument(
        "--dims", type=_numbers, metavar="40,80,160,320", help="number of channels in each stage"
    )
    network.add_argument("--kernel-size", type=integer, metavar="N", help="size of the depthwise kernels")
    network.add_argument("--stem-kernel-size", type=integer, metavar="N", help="kernel size of the stem")
    network.add_argument("--stem-stride", type=integer, metavar="N", help="stride of the stem")
    network.add_argument("--stem-padding", type=integer, metavar="N", help="padding of the stem")
    network.add_argument(
        "--layer-scale-init-value", type=real, metavar="X", help="initial layer scale; 0 for none"
    )
    recipe = parser.add_argument_group("recipe")
    recipe.add_argument(
        "--sizes-px",
        type=_numbers,
        default=_DEFAULTS.sizes_px,
        metavar="32,48,64",
        help="sides of the training crops; each is used for an equal share of the epochs (default: "
        f"{','.join(map(str, _DEFAULTS.sizes_px))})",
    )
    for name, kind, text in _PLAN_OPTIONS:
        recipe.add_argument(
            f"--{name.replace('_', '-')}",
            type=kind,
            default=getattr(_DEFAULTS, name),
            metavar="X" if kind is real else "N",
            help=f"{text} (default: %(default)s)",
        )
    return parser


def _add_teacher_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "teacher", "Learn from the predictions of a trained model as well as from the names of the folders."
    )
    either = group.add_mutually_exclusive_group()
    either.add_argument(
        "--teacher",
        metavar="MODEL",
        help=(
            "a model with the classes of the folders: bundled, timm:NAME or a weights file; its "
            "predictions are kept in FILE.safetensors.soft-targets.npz"
        ),
    )
    either.add_argument(
        "--soft-targets",
        type=Path,
        metavar="FILE.npz",
        help="predictions of a teacher that were saved before; the classes are then those of this file",
    )
    group.add_argument(
        "--write-soft-targets",
        type=Path,
        metavar="FILE.npz",
        help="only save the predictions of --teacher, at --temperature",
    )


def run(options: argparse.Namespace) -> int:
    """Train, showing progress on standard error and one line for each epoch on standard output."""
    # Imported here, because it needs torch, which takes seconds to import.
    from convnext_studio.training import trainer

    if options.write_soft_targets is not None:
        checked_ending(options.write_soft_targets, (".npz",), "Soft targets")  # Before the teacher is asked.
        return _write_soft_targets(options)
    if options.out is None:
        raise StudioError("There is no file to write the weights to.", "Give --out FILE.safetensors.")
    trainer.train(
        options.folder,
        options.out,
        None if options.resume else plan_from(options),
        classes=options.classes,
        init=options.init,
        soft_targets=options.soft_targets,
        teacher=options.teacher,
        resume=options.resume,
        device=options.device,
        report=_tell,
    )
    print(f"Wrote {options.out}.")
    return 0


def _write_soft_targets(options: argparse.Namespace) -> int:
    from convnext_studio.training.soft_targets import write_soft_targets
    from convnext_studio.training.teaching import ask_teacher

    if options.teacher is None:
        raise StudioError("There is no teacher for the soft targets.", "Give --teacher MODEL.")
    targets = ask_teacher(
        options.teacher,
        options.folder,
        classes=options.classes,
        temperature=options.temperature,
        device=options.device,
        advance=lambda *done: _tell(Asking(*done)),
    )
    write_soft_targets(options.write_soft_targets, targets)
    print(f"Wrote {options.write_soft_targets}: {len(targets.names)} pictures, {len(targets.classes)} classes.")
    return 0


def plan_from(options: argparse.Namespace) -> TrainingPlan:
    """Return the plan that the options of `parser` describe.

    Raises
    ------
    StudioError
        If no network can have these settings.
    """
    given: dict[str, Any] = vars(options)
    network = ("depths", "dims", "kernel_size", "stem_kernel_size", "stem_stride", "stem_padding")
    changes = {name: given[name] for name in (*network, "layer_scale_init_value") if given[name] is not None}
    config: ConvNeXtConfig = replace(preset(options.preset) if options.preset else SMALL_CONFIG, **changes)
    recipe = {name: given[name] for name, _, _ in _PLAN_OPTIONS}
    return TrainingPlan(config=config, sizes_px=options.sizes_px, **recipe)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("there is no name in it")
    return names


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(integer(part) for part in text.split(","))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not a list of numbers such as 32,48,64") from None


def _tell(event: Event) -> None:
    match event:
        case Decoding(done, total):
            draw_bar("Decoding", done, total)
        case Asking(done, total):
            draw_bar("Asking the teacher", done, total)
        case Skipped(paths):
            names = ", ".join(str(path) for path in paths[:10]) + (", ..." if len(paths) > 10 else "")
            said = (
                "1 picture cannot be read and is"
                if len(paths) == 1
                else f"{len(paths)} pictures cannot be read and are"
            )
            print(f"{said} left out: {names}", file=sys.stderr)
        case StepDone():
            note = f" loss {event.loss:.3f}"
            draw_bar(f"Epoch {event.epoch} of {event.epochs}", event.step, event.steps, note)
        case EpochDone():
            print(_epoch_line(event), flush=True)


def _epoch_line(event: EpochDone) -> str:
    line = (
        f"Epoch {event.epoch} of {event.epochs}: {event.size_px} px, loss {event.loss:.3f}, "
        f"{event.pictures_per_s:.0f} pictures/s"
    )
    if event.accuracy is not None and event.average_accuracy is not None:
        line += f", held out {event.average_accuracy:.1%} right (without averaging {event.accuracy:.1%})"
    return line
