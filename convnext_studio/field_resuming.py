"""A measurement that goes on where it was left: the sum so far, and over which pictures, in a file."""

import hashlib
import io
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convnext_studio.analysis.receptive_field import FieldSoFar, running_average
from convnext_studio.engine.answering.fields import Measurement
from convnext_studio.engine.messages import ReceptiveFieldResult
from convnext_studio.export.files import write_file

SAVE_EVERY_S = 10.0
SUFFIX = ".sum.npz"


@dataclass(frozen=True, slots=True)
class _Left:
    """Where a measurement was left.

    Attributes
    ----------
    average
        The sum so far.
    position
        How many candidates (pictures or noises) were looked at.
    names
        The pictures that were measured, those skipped included.
    unreadable
        A sentence for each file that could not be read.
    """

    average: FieldSoFar
    position: int
    names: list[str]
    unreadable: list[str]


def measured(
    measurement: Measurement, stem: Path, report: Callable[[str, int, int], None]
) -> ReceptiveFieldResult:
    """Measure, beginning with what the file beside `stem` holds of the same measurement.

    The file stays, so that asking for more pictures later only measures those.

    Parameters
    ----------
    report
        Is told what is being done, how many pictures are done, and of how many.

    Raises
    ------
    StudioError
        Where nothing can be measured, or the file not be written; the sum so far is kept, whatever happens.
    """
    file, identity = stem.with_name(f"{stem.name}{SUFFIX}"), _identity(measurement)
    left = _read(file, identity)
    inputs = measurement.inputs
    what = f"Measuring {measurement.model.title}"
    if left is not None:
        inputs.unreadable += left.unreadable
        print(f"{file.name} holds {left.average.done} pictures already.", file=sys.stderr)
    start = left.average if left else None
    before = start.done if start else 0
    tensors = inputs.tensors(after=left.position if left else 0, count=max(inputs.total - before, 0))
    average, saved_s = start, time.monotonic()
    with _kept(lambda: _save(file, identity, measurement, left, average)):
        for average in running_average(measurement.model, tensors, measurement.signal, start=start):
            report(what, average.done, inputs.total)
            if time.monotonic() - saved_s > SAVE_EVERY_S:
                _save(file, identity, measurement, left, average)
                saved_s = time.monotonic()
    return measurement.final(average)


@contextmanager
def _kept(save: Callable[[], None]) -> Iterator[None]:
    """Save at the end, also where it comes early: somebody pressed Ctrl+C, or memory ran out."""
    try:
        yield
    finally:
        save()


def _identity(measurement: Measurement) -> str:
    """What must be the same to go on: network, question and candidates; not how many of them are asked for."""
    request = measurement.request
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in measurement.model.module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.cpu().contiguous().numpy().tobytes())
    for candidate in measurement.inputs.candidates:
        digest.update(str(candidate).encode(errors="replace"))
    asked = (request.node, request.unit, request.protocol, request.input_px, request.inputs, request.seed)
    return f"{digest.hexdigest()} {asked} {asdict(measurement.inputs.preprocessing)}"


def _save(
    file: Path, identity: str, measurement: Measurement, left: _Left | None, average: FieldSoFar | None
) -> None:
    if average is None or (left is not None and average is left.average):
        return
    inputs = measurement.inputs
    done_now = average.done - (left.average.done if left else 0)
    given = inputs.given[:done_now]
    text = json.dumps(
        {
            "identity": identity,
            "used": average.used,
            "skipped": average.skipped,
            "unit": average.unit,
            "position": given[-1].position + 1,
            "names": [*(left.names if left else ()), *(each.name for each in given)],
            "unreadable": inputs.unreadable,
        }
    )
    buffer = io.BytesIO()
    np.savez(buffer, total=average.total, about=np.array(text))
    write_file(file, lambda opened: opened.write(buffer.getvalue()))


def _read(file: Path, identity: str) -> _Left | None:
    """What the file holds of the same measurement; None, and a word on it, where that is nothing."""
    if not file.exists():
        return None
    try:
        with np.load(file, allow_pickle=False) as arrays:
            about: dict[str, Any] = json.loads(str(arrays["about"]))
            total = np.asarray(arrays["total"], dtype=np.float64)
        if about["identity"] != identity:
            print(f"{file.name} is of another measurement; starting anew.", file=sys.stderr)
            return None
        average = FieldSoFar(
            total=total, used=about["used"], skipped=tuple(about["skipped"]), unit=tuple(about["unit"])
        )
        return _Left(average, about["position"], about["names"], about["unreadable"])
    except Exception as error:  # A damaged archive raises anything.
        print(f"{file.name} cannot be read ({error}); starting anew.", file=sys.stderr)
        return None
