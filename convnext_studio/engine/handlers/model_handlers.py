"""Handlers that open, build and save models."""

from collections.abc import Generator
from pathlib import Path

import torch

from convnext_studio.analysis.features import stage_pass
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.server.devices import (
    check_memory,
    check_room,
    device_name,
    device_table,
    gpu_problem,
    needed_bytes,
    resolve_device,
)
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.memory_estimates import estimated_memory
from convnext_studio.engine.server.weight_downloads import downloading
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.model.loaded import LoadedModel, build, load, untrained
from convnext_studio.model.weights.saved_weights import save_as
from convnext_studio.protocol.envelope import Progress
from convnext_studio.protocol.models import (
    CloseModel,
    EstimateMemory,
    LoadModel,
    MemoryEstimate,
    ModelInfo,
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
    yield Progress(id=request.id, done=0, total=2, text=f"Loading {request.source}")
    yield from downloading(request, should_stop)
    model = _opened(request)
    check_room(model, device)
    model = model.to(device)
    if device.type != "cpu":
        # The first call selects kernels, which would make the first picture slow.
        yield Progress(id=request.id, done=1, total=2, text=f"Warming up {device_name(device)}")
        side = model.preprocessing.input_px
        nothing = torch.zeros(1, model.config.in_chans, side, side, device=device)
        stage_pass(model, nothing, 0, request.precision)
    if should_stop():
        raise Stopped
    workspace.open_model(model, request.precision)
    return model_info(model, request.precision)


@handles(CloseModel)
def close_model(workspace: Workspace, _request: CloseModel, _should_stop: ShouldStop) -> None:
    """Close a network, and return its memory to the system where that is possible."""
    workspace.close_model()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


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


def _opened(request: LoadModel) -> LoadedModel:
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
        device=str(device),
        device_name=device_name(device),
        precision=precision,
        is_stem_untold=model.is_stem_untold,
        part=model.part,
        other_parts=model.other_parts,
        has_classes=model.has_classes,
        memory_bytes=needed_bytes(model),
        devices=device_table(),
        mean=model.preprocessing.mean,
        std=model.preprocessing.std,
    )
