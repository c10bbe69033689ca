"""Handlers that open, build, save and time models."""

import math
from collections.abc import Generator
from itertools import cycle, islice
from pathlib import Path
from typing import cast

import torch
from msgspec.structs import replace

from convnext_studio.analysis.cost import WHOLE, measured_times
from convnext_studio.analysis.features import stage_pass
from convnext_studio.common.errors import StudioError
from convnext_studio.common.processes.heap import hand_back_freed_memory
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.hardware.devices import (
    check_memory,
    check_room,
    device_name,
    device_table,
    gpu_problem,
    needed_bytes,
    resolve_device,
)
from convnext_studio.engine.server.hardware.memory_estimates import estimated_memory
from convnext_studio.engine.server.weight_downloads import downloading
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.loaded import LoadedModel, build, load, untrained
from convnext_studio.model.loaded import name_classes as named
from convnext_studio.model.weights.saved_weights import save_as
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.models import (
    CloseModel,
    EstimateMemory,
    KeepWithin,
    LoadModel,
    MeasureCosts,
    MeasuredCosts,
    MemoryEstimate,
    ModelInfo,
    NameClasses,
    Precision,
    SavedModel,
    SaveModel,
    SwapModels,
)


@handles(LoadModel)
def load_model(
    workspace: Workspace, request: LoadModel, should_stop: ShouldStop
) -> Generator[Progress, None, ModelInfo]:
    """Open or build a model and make it the workspace's."""
    device = resolve_device(request.device)
    if request.precision == "bfloat16" and device.type != "cuda":
        raise StudioError("bfloat16 is offered on CUDA only.", "Choose float32.")
    yield Progress(id=request.id, done=0, total=2, text=f"Loading {request.name}")
    yield from downloading(request, should_stop)
    model = _normalised(_opened(request), request)
    check_room(model, device)
    model = model.to(device)
    if device.type != "cpu":
        # The first call selects kernels, which would make the first picture slow.
        yield Progress(id=request.id, done=1, total=2, text=f"Warming up {device_name(device)}")
        width, height = model.preprocessing.input_size
        nothing = torch.zeros(1, model.config.in_chans, height, width, device=device)
        stage_pass(model, nothing, 0, request.precision)
    if should_stop():
        raise Stopped
    workspace.open_model(model, request.precision)
    return model_info(model, request.precision)


@handles(CloseModel)
def close_model(workspace: Workspace, _request: CloseModel, _should_stop: ShouldStop) -> None:
    """Close a network, and return its memory to the system where that is possible."""
    workspace.close_model()
    hand_back_freed_memory()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@handles(KeepWithin)
def keep_within(workspace: Workspace, request: KeepWithin, _should_stop: ShouldStop) -> None:
    """Set how much the caches hold, and return what is forgotten to the system."""
    workspace.keep_within(request.share)
    hand_back_freed_memory()


@handles(SwapModels)
def swap_models(workspace: Workspace, _request: SwapModels, _should_stop: ShouldStop) -> None:
    """Exchange the networks A and B."""
    workspace.swap_models()


@handles(EstimateMemory)
def estimate_memory(_workspace: Workspace, request: EstimateMemory, _should_stop: ShouldStop) -> MemoryEstimate:
    """Say what memory a network will take, from its architecture or the header of its file."""
    return estimated_memory(request.model)


@handles(SaveModel)
def save_model(workspace: Workspace, request: SaveModel, _should_stop: ShouldStop) -> SavedModel:
    """Write the weights of the open model to a file."""
    model, path = workspace.model, Path(request.path)
    if model.title != request.title:
        raise StudioError(
            f"{request.title} is no longer open, so nothing was saved.", "Open it again, then save it."
        )
    save_as(model, path, request.layout)
    return SavedModel(path=str(path), size_bytes=path.stat().st_size)


@handles(NameClasses)
def name_classes(workspace: Workspace, request: NameClasses, _should_stop: ShouldStop) -> ModelInfo:
    """Give other names to the classes of the open model."""
    model = workspace.name_classes(request.labels)
    return model_info(model, workspace.precision)


def _opened(request: LoadModel) -> LoadedModel:
    """Open or build the model, with the names of classes that a person gave."""
    model = _unnamed(request)
    if not request.labels:
        return model
    try:
        return named(model, request.labels)
    except StudioError as error:  # The file has changed, or the session is of another one.
        return replace(model, notes=(*model.notes, error.message))


def _unnamed(request: LoadModel) -> LoadedModel:
    if request.config is None:
        model = load(
            request.source,
            stem_stride=request.stem_stride,
            stem_padding=request.stem_padding,
            part=request.part,
            offline=request.offline,
            seed=request.seed,
        )
        return untrained(model, request.seed) if request.untrained else model
    check_memory(request.config)
    return build(request.config, f"Built network, seed {request.seed}", request.seed, request.input_px)


def _normalised(model: LoadedModel, request: LoadModel) -> LoadedModel:
    """Return a model that normalises pictures by the numbers of a request, if it has some.

    Raises
    ------
    StudioError
        If they do not fit the network.
    """
    if not request.mean and not request.std:
        return model
    channels, own = model.config.in_chans, model.preprocessing
    mean, std = (
        _for_channels(typed, channels, what) if typed else tuple(islice(cycle(known), channels))
        for typed, known, what in ((request.mean, own.mean, "mean"), (request.std, own.std, "deviation"))
    )
    if not all(math.isfinite(number) for number in (*mean, *std)) or min(std) <= 0:
        raise StudioError("A deviation has to be above 0, and all numbers finite.", "Type other numbers.")
    if (mean, std) == (own.mean, own.std):
        return model
    note = "Pictures are normalised by a mean and a deviation that were typed."
    preprocessing = replace(own, mean=mean, std=std)
    return replace(model, preprocessing=preprocessing, notes=(*model.notes, note))


def _for_channels(numbers: tuple[float, ...], channels: int, what: str) -> tuple[float, ...]:
    """Return a number for each channel; one number stands for all."""
    if len(numbers) not in (1, channels):
        raise StudioError(
            f"The {what} has {len(numbers)} numbers, and the network takes {channels} bands.",
            f"Type {channels} numbers, or one for all bands.",
        )
    return numbers * channels if len(numbers) == 1 else numbers


def model_info(model: LoadedModel, precision: Precision) -> ModelInfo:
    """Describe an opened model."""
    device = model.device
    return ModelInfo(
        source=model.source,
        title=model.title,
        random_weights=model.random_weights,
        # Tell users if the CPU is used because the GPU cannot be.
        notes=tuple(note for note in (*model.notes, gpu_problem()) if note),
        config=model.config,
        nodes=model.nodes,
        labels=model.labels,
        parameters=model.parameters,
        macs=model.macs,
        input_px=model.preprocessing.input_px,
        input_width_px=model.preprocessing.input_width_px,
        device=str(device),
        device_name=device_name(device),
        precision=precision,
        is_stem_untold=model.is_stem_untold,
        part=model.part,
        other_parts=model.other_parts,
        has_classes=model.has_classes,
        is_multi_label=model.is_multi_label,
        memory_bytes=needed_bytes(model),
        devices=device_table(),
        mean=model.preprocessing.mean,
        std=model.preprocessing.std,
    )


@handles(MeasureCosts)
def measure_costs(
    workspace: Workspace, request: MeasureCosts, should_stop: ShouldStop
) -> Generator[Progress, None, MeasuredCosts]:
    """Time the forward pass of every node, unless the result is cached."""
    if request.runs < 1:
        raise StudioError(f"{request.runs} runs cannot be measured.", "Ask for at least one.")
    if not isinstance(workspace.model.config, ConvNeXtConfig):
        raise StudioError(
            "Times are measured for a ConvNeXt only, because other families have no nodes inside their stages."
        )
    model, key = workspace.model, workspace.key("costs", request.runs)
    kept = cast("MeasuredCosts | None", workspace.results.get(key))
    if kept is not None:
        return kept
    is_pointless = workspace.until_another_model(should_stop)
    for run, medians in enumerate(
        measured_times(model, request.runs, workspace.precision, is_pointless), start=1
    ):
        kept = MeasuredCosts(
            total_s=medians.pop(WHOLE),
            seconds=medians,
            device=str(model.device),
            device_name=device_name(model.device),
            runs=run,
        )
        yield Progress(id=request.id, done=run, total=request.runs, text="Timing the network", partial=kept)
    assert kept is not None  # There was at least one run.
    workspace.results.put(key, kept)
    return kept
