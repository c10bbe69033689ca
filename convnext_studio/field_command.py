"""The command erf: receptive fields measured without a window, over as many pictures as one likes. No Qt."""

import argparse
import sys
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from convnext_studio.analysis.capture import never
from convnext_studio.decoding.process import Decoder
from convnext_studio.engine.answering.bench import Bench
from convnext_studio.engine.answering.fields import LAST, Measurement, subject_of
from convnext_studio.engine.answering.models import load_model
from convnext_studio.engine.messages import LoadModel, Progress, ReceptiveField, ReceptiveFieldResult, Subject
from convnext_studio.errors import StudioError
from convnext_studio.export import export_fields, safe_stem
from convnext_studio.export.files import make_directory
from convnext_studio.field_resuming import measured
from convnext_studio.fields import REPLKNET_INPUT_PX, definition
from convnext_studio.model.architecture import Architecture, TimmConfig
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.loaded import TIMM_RANDOM_PREFIX
from convnext_studio.render import format_percent
from convnext_studio.terminal import draw_bar

MOST = 4
RANDOM, KERNEL, LAYER_SCALE = "random", "kernel", "layer-scale"

Result = TypeVar("Result")


def run(options: argparse.Namespace) -> int:
    """Measure, and write fields, numbers and figures; the exit status."""
    if len(options.subject) >= MOST:
        raise StudioError(f"{len(options.subject) + 1} networks were named.", f"Up to {MOST} are compared.")
    with Decoder() as decoder:
        return _run(options, Bench(reader=decoder))


def _run(options: argparse.Namespace, bench: Bench) -> int:
    request, out = _request(options), Path(options.out)
    load = LoadModel(
        source=options.model,
        device=options.device,
        offline=options.offline,
        stem_stride=options.stem_stride,
        stem_padding=options.stem_padding,
    )
    info = _finished(load_model(bench, load, never))
    subjects = [Subject()] + [_subject(text, info.config, options) for text in options.subject]
    # All at once, so that a name that is not known costs no hour of measuring first.
    measurements = [_measurement(bench, replace(request, subject=subject)) for subject in subjects]
    make_directory(out)
    stems: list[str] = []
    results: list[ReceptiveFieldResult] = []
    for subject, measurement in zip(subjects, measurements, strict=True):
        stems.append(_stem(subject, stems))
        results.append(measured(measurement, out / stems[-1], draw_bar))
        _tell(results[-1])
    for text in dict.fromkeys(result.protocol_text for result in results):
        print(text)
    for path in export_fields(out, results, stems):
        print(path)
    return 0


def _measurement(bench: Bench, request: ReceptiveField) -> Measurement:
    return Measurement.of(bench, _finished(subject_of(bench, request, never)), request)


def _request(options: argparse.Namespace) -> ReceptiveField:
    """What the options ask for, of any network."""
    is_noise = options.noise or definition(options.protocol).takes_noise
    if not is_noise and options.images is None:
        raise StudioError("There is nothing to average over.", "Give --images FOLDER, or --noise.")
    is_published = options.protocol == "replknet"
    return ReceptiveField(
        node=options.node or LAST,
        inputs="noise" if is_noise else "folder",
        folder="" if is_noise else options.images,
        count=options.count,
        protocol=options.protocol,
        input_px=(REPLKNET_INPUT_PX if is_published else 0) if options.input_px is None else options.input_px,
        seed=options.seed,
        unit=options.unit,
    )


def _subject(text: str, config: Architecture, options: argparse.Namespace) -> Subject:
    """A network to compare with: another model, or random weights in the model's architecture or near it."""
    settings: dict[str, str] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        settings[name.strip()] = value.strip()
    if not set(settings) <= {RANDOM, KERNEL, LAYER_SCALE}:
        return Subject(source=text, node="" if options.node else LAST, offline=options.offline)
    if not isinstance(config, ConvNeXtConfig):
        if set(settings) != {RANDOM}:
            raise StudioError(f"“{text}” is a setting of a ConvNeXt, and the model is another network.")
        source = f"{TIMM_RANDOM_PREFIX}{config.name}" if isinstance(config, TimmConfig) else options.model
        return Subject(source=source, node="" if options.node else LAST)
    try:
        if KERNEL in settings:
            config = replace(config, kernel_size=int(settings[KERNEL]))
        if LAYER_SCALE in settings:
            config = replace(config, layer_scale_init_value=float(settings[LAYER_SCALE]))
    except ValueError:
        raise StudioError(
            f"“{text}” is not a setting that can be compared.", "Write kernel=3, layer-scale=1, or both."
        ) from None
    return Subject(config=config, seed=options.seed, title=text)


def _stem(subject: Subject, taken: list[str]) -> str:
    """The beginning of a network's file names, unlike those that are taken."""
    if subject.is_current:
        return "erf"
    # A file's name without its folders and ending; of all other names nothing is an ending.
    name = subject.title.replace(", ", "-") or subject.source.replace(":", "-")
    wanted = f"erf-{safe_stem(subject.source if Path(subject.source).is_file() else f'{name}.')}"
    stem, number = wanted, 1
    while stem.casefold() in {other.casefold() for other in taken}:
        number += 1
        stem = f"{wanted}-{number}"
    return stem


def _tell(result: ReceptiveFieldResult) -> None:
    scale = definition(result.protocol).scale
    squares = ", ".join(
        f"{100 * square.threshold:g} % in {square.side_px} px ({format_percent(square.area_ratio)} of the area)"
        for square in result.squares[scale]
    )
    print(f"{result.title}, {result.node}: {squares or 'no square holds anything'}")
    for note in result.notes:
        print(f"convnext-studio: {note}", file=sys.stderr)


def _finished(work: Generator[Progress, None, Result]) -> Result:
    """Let work run to its end, drawing its progress."""
    while True:
        try:
            progress = next(work)
        except StopIteration as finished:
            result: Result = finished.value
            return result
        if progress.total:
            draw_bar(progress.text, progress.done, progress.total)
