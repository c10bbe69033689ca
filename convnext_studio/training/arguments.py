"""The options of `convnext-studio train` and `evaluate`; no torch, so that --help answers at once."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.presets import PRESETS, preset
from convnext_studio.training.plan import SMALL_CONFIG, TrainingPlan

_DEFAULTS = TrainingPlan()
LARGEST_SEED = 2**31 - 1


def seed(text: str) -> int:
    """The number that an option gives for whatever is random."""
    if not text.isdecimal() or int(text) > LARGEST_SEED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to {LARGEST_SEED}")
    return int(text)


# Option, type, what it is. Names and defaults are the plan's.
_PLAN_OPTIONS: tuple[tuple[str, Callable[[str], Any], str], ...] = (
    ("epochs", int, "passes over the pictures"),
    ("input_px", int, "side of the input that the trained model asks for"),
    ("cache_px", int, "side of the squares in which the pictures are kept in memory"),
    ("batch_size", int, "pictures per step"),
    ("learning_rate", float, "highest learning rate"),
    ("weight_decay", float, "of AdamW"),
    ("warmup_epochs", float, "epochs in which the learning rate rises"),
    ("label_smoothing", float, "share of the target spread over all classes"),
    ("drop_path_rate", float, "stochastic depth at the last block"),
    ("frozen_stages", int, "stages, from the stem on, that keep the weights of --init"),
    ("crop_area_min", float, "smallest part of a picture's area that a crop takes"),
    ("colour_jitter", float, "largest change of brightness, contrast and saturation"),
    ("sharpness_jitter", float, "largest share of fine detail that is added or taken away"),
    ("mixup_alpha", float, "mixup's Beta parameter; 0 is off"),
    ("cutmix_alpha", float, "cutmix's Beta parameter; 0 is off"),
    ("mix_probability", float, "share of the batches that are mixed"),
    ("distill_weight", float, "share of the loss from soft targets, where there are any"),
    ("temperature", float, "by which logits are divided where soft targets are learnt from"),
    ("ema_decay", float, "decay of the moving average of the weights that is saved"),
    ("clip_norm", float, "longest gradient"),
    ("holdout", float, "share of every class that is kept from training and measured after each epoch"),
    ("seed", seed, "of everything random"),
)


def train_parser() -> argparse.ArgumentParser:
    """The parser of `convnext-studio train`; `commands.train` runs what it gives."""
    parser = argparse.ArgumentParser(
        prog="convnext-studio train",
        description="Train a ConvNeXt on a folder that holds one folder of pictures a class, and write the "
        "weights after every epoch. Beside FILE lies FILE.checkpoint until the training is complete.",
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="one folder of pictures a class")
    parser.add_argument("--out", type=Path, metavar="FILE.safetensors", help="weights to write")
    parser.add_argument("--classes", type=_names, metavar="A,B,...", help="train on these classes only")
    parser.add_argument(
        "--init", type=Path, metavar="FILE", help="start from these weights of the same architecture"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from FILE.checkpoint, with the options that it was begun with",
    )
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="where to compute")
    _add_teaching(parser)
    network = parser.add_argument_group("network")
    network.add_argument(
        "--preset", choices=tuple(PRESETS), help="architecture (default: a small one, stride 2 stem)"
    )
    network.add_argument("--depths", type=_numbers, metavar="2,2,6,2", help="blocks of the four stages")
    network.add_argument("--dims", type=_numbers, metavar="40,80,160,320", help="channels of the four stages")
    network.add_argument("--kernel-size", type=int, metavar="N", help="side of the depthwise kernels")
    network.add_argument("--stem-kernel-size", type=int, metavar="N", help="side of the stem's kernel")
    network.add_argument("--stem-stride", type=int, metavar="N", help="stride of the stem")
    network.add_argument("--stem-padding", type=int, metavar="N", help="padding of the stem")
    network.add_argument(
        "--layer-scale-init-value", type=float, metavar="X", help="initial layer scale; 0 is none"
    )
    recipe = parser.add_argument_group("recipe")
    recipe.add_argument(
        "--sizes-px",
        type=_numbers,
        default=_DEFAULTS.sizes_px,
        metavar="32,48,64",
        help="sides of the training crops, the epochs shared out evenly (default: "
        f"{','.join(map(str, _DEFAULTS.sizes_px))})",
    )
    for name, kind, text in _PLAN_OPTIONS:
        recipe.add_argument(
            f"--{name.replace('_', '-')}",
            type=kind,
            default=getattr(_DEFAULTS, name),
            metavar="X" if kind is float else "N",
            help=f"{text} (default: %(default)s)",
        )
    return parser


def _add_teaching(parser: argparse.ArgumentParser) -> None:
    """How a network learns from another one (distillation)."""
    group = parser.add_argument_group(
        "teacher", "Learn from what a trained model thinks of the pictures, beside the folders' names."
    )
    either = group.add_mutually_exclusive_group()
    either.add_argument(
        "--teacher",
        metavar="MODEL",
        help="a model with the folders' classes: bundled, timm:NAME or a weights file; what it thinks of the "
        "pictures is kept as FILE.safetensors.soft-targets.npz",
    )
    either.add_argument(
        "--soft-targets",
        type=Path,
        metavar="FILE.npz",
        help="what a teacher thinks of the pictures, made before; the classes are then this file's",
    )
    group.add_argument(
        "--write-soft-targets",
        type=Path,
        metavar="FILE.npz",
        help="only ask the --teacher, and write what it thinks of the pictures, at --temperature",
    )


def evaluate_parser() -> argparse.ArgumentParser:
    """The parser of `convnext-studio evaluate`; `commands.evaluate` runs what it gives."""
    parser = argparse.ArgumentParser(
        prog="convnext-studio evaluate",
        description="Measure a trained model on a folder that holds one folder of pictures a class: accuracy "
        "with its 95 %% interval, a table of the classes, the most frequent confusions.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="weights that convnext-studio wrote")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="one folder of pictures a class")
    parser.add_argument("--input-px", type=int, metavar="N", help="side of the input (default: the model's)")
    parser.add_argument("--device", default="auto", metavar="auto|cpu|cuda|mps", help="where to compute")
    return parser


def plan_from(options: argparse.Namespace) -> TrainingPlan:
    """The plan that the options of `train_parser` describe; a StudioError where it cannot be."""
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
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 32,48,64") from None
