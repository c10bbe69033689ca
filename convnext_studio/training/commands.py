"""`convnext-studio train` and `convnext-studio evaluate`: results to stdout, progress to stderr."""

import argparse
import sys

from convnext_studio.common.errors import StudioError
from convnext_studio.common.terminal import draw_bar
from convnext_studio.training import evaluate as evaluation
from convnext_studio.training import trainer
from convnext_studio.training.arguments import plan_from
from convnext_studio.training.events import Asking, Decoding, EpochDone, Event, Skipped, StepDone
from convnext_studio.training.soft_targets import write_soft_targets
from convnext_studio.training.teaching import ask_teacher


def train(options: argparse.Namespace) -> int:
    """Run what `arguments.train_parser` gave; the exit status."""
    if options.write_soft_targets is not None:
        return _write_soft_targets(options)
    if options.out is None:
        raise StudioError("It is not said where to write the weights.", "Give --out FILE.safetensors.")
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
    """Ask the teacher only; the exit status."""
    if options.teacher is None:
        raise StudioError("It is not said who makes the soft targets.", "Give --teacher MODEL.")
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


def evaluate(options: argparse.Namespace) -> int:
    """Run what `arguments.evaluate_parser` gave; the exit status."""
    measured = evaluation.evaluate(
        options.file,
        options.folder,
        input_px=options.input_px,
        device=options.device,
        advance=lambda done, total: draw_bar("Evaluating", done, total),
    )
    print(measured.to_text())
    return 0


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
