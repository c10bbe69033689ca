"""The work of the command `erf`: measure the fields of up to four networks, resuming interrupted runs.

The sum so far, and the names of the pictures in it, are kept in a file between runs.
"""

import argparse
import hashlib
import io
import json
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
from msgspec import Struct
from msgspec.structs import asdict, replace

from convnext_studio.analysis.capture import never
from convnext_studio.analysis.receptive_field import FieldSoFar, running_average
from convnext_studio.cli.options import model_request
from convnext_studio.cli.progress_bars import draw_bar
from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import check_folder_name
from convnext_studio.common.foreign.bounded_files import open_archive
from convnext_studio.common.foreign.plain_reasons import plain_reason, system_reason
from convnext_studio.decoding.decoder_process import Decoder
from convnext_studio.engine.handlers.model_handlers import load_model
from convnext_studio.engine.handlers.receptive_fields.receptive_field_handlers import (
    LAST,
    Measurement,
    subject_of,
)
from convnext_studio.engine.server.workspace import Workspace
from convnext_studio.erf import REPLKNET_INPUT_PX, definition, side_text
from convnext_studio.erf.field_files import archived_json, bounded_array
from convnext_studio.export import export_fields, safe_stem
from convnext_studio.export.safe_files import make_directory, write_file
from convnext_studio.model.architecture import Architecture, TimmConfig
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.loaded import TIMM_RANDOM_PREFIX
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.receptive_fields import FieldNetwork, ReceptiveField, ReceptiveFieldResult
from convnext_studio.render import format_percent

SAVE_EVERY_S = 10.0
SUFFIX = ".sum.npz"
MOST_NETWORKS = 4
RANDOM, KERNEL, LAYER_SCALE = "random", "kernel", "layer-scale"

Result = TypeVar("Result")


class _Saved(Struct, frozen=True):
    """The state of an interrupted measurement, as saved in a file.

    Attributes
    ----------
    average
        The sum so far.
    position
        Number of candidates (pictures or noises) that were tried.
    names
        The names of the pictures that were measured or skipped.
    unreadable
        A sentence for each file that could not be read.
    """

    average: FieldSoFar
    position: int
    names: list[str]
    unreadable: list[str]


def measure_network(
    measurement: Measurement, stem: Path, report: Callable[[str, int, int], None]
) -> ReceptiveFieldResult:
    """Measure one network, continuing from the file next to `stem` if it has the same measurement.

    The file is kept, so that a later run for more pictures measures only the new ones.

    Parameters
    ----------
    report
        Called with a description of the work, the number of pictures done and their total.

    Raises
    ------
    StudioError
        If nothing can be measured, or the file cannot be written. The sum so far is saved in any case.
    """
    file, identity = stem.with_name(f"{stem.name}{SUFFIX}"), _identity(measurement)
    saved = read_saved(file, identity)
    inputs = measurement.inputs
    what = f"Measuring {measurement.model.title}"
    if saved is not None:
        inputs.unreadable += saved.unreadable
        print(f"{file.name} already contains {saved.average.done} pictures.", file=sys.stderr)
    start = saved.average if saved else None
    before = start.done if start else 0
    tensors = inputs.tensors(after=saved.position if saved else 0, count=max(inputs.total - before, 0))
    average, saved_s = start, time.monotonic()
    with _kept(lambda: _save(file, identity, measurement, saved, average)):
        for average in running_average(measurement.model, tensors, measurement.signal, start=start):
            report(what, average.done, inputs.total)
            if time.monotonic() - saved_s > SAVE_EVERY_S:
                _save(file, identity, measurement, saved, average)
                saved_s = time.monotonic()
    return measurement.final(average)


@contextmanager
def _kept(save: Callable[[], None]) -> Iterator[None]:
    """Save at the end, even after Ctrl+C or when memory has run out."""
    try:
        yield
    finally:
        save()


def _identity(measurement: Measurement) -> str:
    """Return a text that is equal for runs of the same measurement: network, request and candidates.

    The number of pictures is not part of it, so that a later run can add more.
    """
    request = measurement.request
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in measurement.model.module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    for candidate in measurement.inputs.candidates:
        digest.update(str(candidate).encode(errors="replace"))
    sides = (request.input_px, request.height_px)
    # A square is told by one number, as in files of older programs.
    shape = sides[:1] if sides[0] == sides[1] else sides
    asked = (request.node, request.unit, request.protocol, *shape, request.inputs, request.seed)
    return f"{digest.hexdigest()} {asked} {asdict(measurement.inputs.preprocessing)}"


def _save(
    file: Path, identity: str, measurement: Measurement, saved: _Saved | None, average: FieldSoFar | None
) -> None:
    if average is None or (saved is not None and average is saved.average):
        return
    inputs = measurement.inputs
    done_now = average.done - (saved.average.done if saved else 0)
    given = inputs.given[:done_now]
    text = json.dumps(
        {
            "identity": identity,
            "used": average.used,
            "skipped": average.skipped,
            "unit": average.unit,
            "position": given[-1].position + 1,
            "names": [*(saved.names if saved else ()), *(each.name for each in given)],
            "unreadable": inputs.unreadable,
        }
    )
    buffer = io.BytesIO()
    np.savez(buffer, total=average.total, about=np.array(text))
    write_file(file, lambda opened: opened.write(buffer.getvalue()))


def read_saved(file: Path, identity: str) -> _Saved | None:
    """Return the saved state of the same measurement, or None; if the file cannot be used, print why."""
    if not file.exists():
        return None
    try:
        with open_archive(file) as archive:
            about = archived_json(archive)
            with archive.open("total.npy") as member:
                total = np.asarray(bounded_array(member, file.name), dtype=np.float64)
        if about["identity"] != identity:
            print(f"{file.name} belongs to another measurement; starting from scratch.", file=sys.stderr)
            return None
        average = FieldSoFar(
            total=total, used=about["used"], skipped=tuple(about["skipped"]), unit=tuple(about["unit"])
        )
        return _Saved(average, about["position"], about["names"], about["unreadable"])
    except Exception as error:  # A damaged archive can raise any exception.
        why = system_reason(error) if isinstance(error, OSError) else plain_reason(error)
        print(f"{file.name} cannot be read ({why}); starting from scratch.", file=sys.stderr)
        return None


def measure(options: argparse.Namespace) -> int:
    """Do what the options of `convnext_studio.cli.commands.erf` ask for, and return the exit status."""
    if len(options.subject) >= MOST_NETWORKS:
        raise StudioError(
            f"{len(options.subject) + 1} networks were given.", f"At most {MOST_NETWORKS} can be compared."
        )
    check_folder_name(Path(options.out))
    with Decoder() as decoder:
        return _measure(options, Workspace(reader=decoder))


def _measure(options: argparse.Namespace, workspace: Workspace) -> int:
    request, out = _request(options), Path(options.out)
    info = _finished(load_model(workspace, model_request(options), never))
    subjects = [FieldNetwork()] + [_subject(text, info.config, options) for text in options.subject]
    # All networks are opened first, so that a wrong name is not found only after an hour of measuring.
    measurements = [_measurement(workspace, replace(request, subject=subject)) for subject in subjects]
    make_directory(out)
    stems: list[str] = []
    results: list[ReceptiveFieldResult] = []
    for subject, measurement in zip(subjects, measurements, strict=True):
        stems.append(_stem(subject, stems))
        results.append(measure_network(measurement, out / stems[-1], draw_bar))
        _tell(results[-1])
    for text in dict.fromkeys(result.protocol_text for result in results):
        print(text)
    for path in export_fields(out, results, stems):
        print(path)
    return 0


def _measurement(workspace: Workspace, request: ReceptiveField) -> Measurement:
    return Measurement.of(workspace, _finished(subject_of(workspace, request, never)), request)


def _request(options: argparse.Namespace) -> ReceptiveField:
    """Return the request that the options describe, without the network."""
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
        height_px=options.height_px,
        seed=options.seed,
        unit=options.unit,
    )


def _subject(text: str, config: Architecture, options: argparse.Namespace) -> FieldNetwork:
    """Return a network to compare with: another model, or random weights in a similar architecture."""
    settings: dict[str, str] = {}
    for part in text.split(","):
        name, _, value = part.partition("=")
        settings[name.strip()] = value.strip()
    if not set(settings) <= {RANDOM, KERNEL, LAYER_SCALE}:
        return FieldNetwork(source=text, node="" if options.node else LAST, offline=options.offline)
    if not isinstance(config, ConvNeXtConfig):
        if set(settings) != {RANDOM}:
            raise StudioError(f"“{text}” is a setting of a ConvNeXt, and the model is another network.")
        source = f"{TIMM_RANDOM_PREFIX}{config.name}" if isinstance(config, TimmConfig) else options.model
        return FieldNetwork(source=source, node="" if options.node else LAST)
    try:
        if KERNEL in settings:
            config = replace(config, kernel_size=int(settings[KERNEL]))
        if LAYER_SCALE in settings:
            config = replace(config, layer_scale_init_value=float(settings[LAYER_SCALE]))
    except ValueError:
        raise StudioError(
            f"“{text}” is not a setting that can be compared.", "Write kernel=3, layer-scale=1, or both."
        ) from None
    return FieldNetwork(config=config, seed=options.seed, title=text)


def _stem(subject: FieldNetwork, taken: list[str]) -> str:
    """Return the stem of a network's file names, which differs from those already taken."""
    if subject.is_current:
        return "erf"
    # A weights file's name loses its folders and extension; any other name is kept whole.
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
        f"{100 * square.threshold:g} % in {side_text(square, result.centre_px, result.field_map.shape)} "
        f"({format_percent(square.area_ratio)} of the area)"
        for square in result.squares[scale]
    )
    print(f"{result.title}, {result.node}: {squares or 'no square holds anything'}")
    for note in result.notes:
        print(f"convnext-studio: {note}", file=sys.stderr)


def _finished(work: Generator[Progress, None, Result]) -> Result:
    """Run work to its end, drawing its progress, and return its result."""
    while True:
        try:
            progress = next(work)
        except StopIteration as finished:
            result: Result = finished.value
            return result
        if progress.total:
            draw_bar(progress.text, progress.done, progress.total)
