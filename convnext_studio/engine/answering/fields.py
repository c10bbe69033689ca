"""How far the units of a node see."""

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import cast

import numpy as np
from torch import Tensor

from convnext_studio.analysis.receptive_field import FieldSoFar, check_protocol, running_average
from convnext_studio.engine.answering.bench import Bench, ShouldStop
from convnext_studio.engine.messages import (
    THRESHOLDS,
    Progress,
    ReceptiveField,
    ReceptiveFieldResult,
    Scale,
)
from convnext_studio.errors import StudioError
from convnext_studio.fields import squares
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.nodes import smallest_input_px

SCALES: tuple[Scale, Scale] = ("linear", "log")


def receptive_field(
    bench: Bench, request: ReceptiveField, should_stop: ShouldStop
) -> Generator[Progress, None, ReceptiveFieldResult]:
    """Average the field over pictures and noise, showing it as it sharpens."""
    model = bench.model
    check_protocol(request.protocol)
    if request.count < 1:
        raise StudioError(f"{request.count} pictures cannot be averaged.", "Ask for at least one.")
    input_px = request.input_px or model.preprocessing.input_px
    smallest = smallest_input_px(model.config)
    if input_px < smallest:
        raise StudioError(
            f"An input of {input_px} pixels is too small for this network.", f"The smallest is {smallest}."
        )
    images = request.images[: request.count]
    key = bench.key("erf", replace(request, id=0, panel="", images=images))
    result = cast("ReceptiveFieldResult | None", bench.results.get(key))
    if result is not None:
        return result
    inputs = _inputs(bench, images, request, input_px)
    number = bench.model_number

    def is_pointless() -> bool:
        # While this average stood aside, another model may have been loaded.
        return should_stop() or number != bench.model_number

    for average in running_average(model, inputs, request.node, is_pointless):
        result = _field_result(model, request, average, len(images))
        done = average.used + len(average.skipped)
        if done < request.count:
            text = f"Receptive field: {done} of {request.count}"
            yield Progress(id=request.id, done=done, total=request.count, text=text, partial=result)
    assert result is not None  # At least one picture was averaged.
    bench.results.put(key, result)
    return result


def _inputs(bench: Bench, images: tuple[str, ...], request: ReceptiveField, input_px: int) -> Iterator[Tensor]:
    """Squash the pictures, then draw noise for those that are missing."""
    model = bench.model
    preprocessing = model.preprocessing.squashed(input_px)
    for image in images:
        array, _ = preprocessing(bench.picture(image).to_pil())
        yield model.to_tensor(array)
    # Normalised pictures have mean 0 and standard deviation 1, roughly; so has the noise.
    noise = np.random.default_rng(request.seed)
    shape = (model.config.in_chans, input_px, input_px)
    for _ in range(request.count - len(images)):
        yield model.to_tensor(noise.standard_normal(shape, dtype=np.float32))


def _field_result(
    model: LoadedModel, request: ReceptiveField, average: FieldSoFar, images: int
) -> ReceptiveFieldResult:
    if len(average.skipped) == request.count:
        raise StudioError(
            "No picture gave a finite gradient.", "The weights or the pictures hold extreme values."
        )
    theoretical = model.node(request.node).field
    row, column = average.unit
    height, width = average.field.shape
    if request.protocol == "replknet":
        centre = (width // 2 + 0.5, height // 2 + 0.5)
    else:
        centre = (theoretical.centre_px(column), theoretical.centre_px(row))
    around = "replknet" if request.protocol == "replknet" else centre
    found: dict[Scale, tuple[Square, ...]] = {
        scale: tuple(squares(average.field, THRESHOLDS, scale, around)) for scale in SCALES
    }
    done = range(average.used + len(average.skipped))
    return ReceptiveFieldResult(
        node=request.node,
        protocol=request.protocol,
        field_map=average.field,
        squares=found,
        centre_px=centre,
        theoretical=theoretical,
        unit=average.unit,
        pictures=len(set(done[:images]) - set(average.skipped)),
        noises=len(set(done[images:]) - set(average.skipped)),
        skipped=len(average.skipped),
        count=request.count,
        random_weights=model.random_weights,
    )
