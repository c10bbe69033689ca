"""Estimates the memory that a network will take before anything of it is opened."""

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from convnext_studio.engine.server.hardware.devices import (
    available_bytes,
    device_name,
    resolve_device,
    working_bytes,
)
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.loaded import PRESET_PREFIX, TIMM_PREFIX, TIMM_RANDOM_PREFIX
from convnext_studio.model.nodes import BYTES_PER_VALUE, NodeInfo, node_table, total_parameters
from convnext_studio.model.presets import BUNDLED_RANDOM, BUNDLED_TRAINED, bundled_file, preset
from convnext_studio.model.road.road_network import RoadNetwork
from convnext_studio.model.road.steps import ROAD_PREFIX, road_step
from convnext_studio.model.timm.timm_names import convnext_config, is_convnext
from convnext_studio.model.weights.containers.headers import file_kind, read_header
from convnext_studio.model.weights.weights_files import named_weights, weights_file
from convnext_studio.protocol.models import LoadModel, MemoryEstimate

USUAL_INPUT_PX = 224


def estimated_memory(request: LoadModel) -> MemoryEstimate:
    """Estimate the memory that a request to open a network will take.

    The architecture of a file is unknown before it is read, so only its weights are counted.

    Raises
    ------
    StudioError
        If there is no such network.
    """
    device = resolve_device(request.device)
    title, nodes, parameters = _measured(request)
    return MemoryEstimate(
        title=f"{title}, untrained" if request.untrained else title,
        parameters=parameters,
        weights_bytes=BYTES_PER_VALUE * parameters,
        working_bytes=(working_bytes(nodes) or None) if nodes else None,
        download_bytes=_download_bytes(request, parameters),
        free_bytes=available_bytes(device),
        device_name=device_name(device),
    )


def _measured(request: LoadModel) -> tuple[str, Sequence[NodeInfo], int]:
    """Return the title, the node table (empty if it is unknown) and the number of parameters."""
    source = request.source
    if request.config is not None:
        return _of_config("Built network", request.config, request.input_px)
    if source.startswith(PRESET_PREFIX):
        name = source.removeprefix(PRESET_PREFIX)
        return _of_config(name, preset(name))
    if source.startswith((TIMM_PREFIX, TIMM_RANDOM_PREFIX)):
        return _of_timm(source.partition(":")[2])
    if source.startswith(ROAD_PREFIX):
        step = road_step(source.removeprefix(ROAD_PREFIX))
        with torch.device("meta"):
            network = RoadNetwork(step.config)
        return step.full_title, network.nodes, total_parameters(network.nodes, network.config)
    if source in (BUNDLED_RANDOM, *BUNDLED_TRAINED):
        return source, (), _parameters_in(bundled_file() if source == BUNDLED_RANDOM else bundled_file(source))
    path = named_weights(source)
    return path.name, (), _parameters_in(weights_file(path))


def _of_config(
    title: str, config: ConvNeXtConfig, input_px: int = USUAL_INPUT_PX
) -> tuple[str, Sequence[NodeInfo], int]:
    nodes = node_table(config, input_px)
    return title, nodes, total_parameters(nodes, config)


def _of_timm(name: str) -> tuple[str, Sequence[NodeInfo], int]:
    architecture = name.partition(".")[0]
    if is_convnext(architecture):
        return _of_config(name, convnext_config(architecture))
    # Imported here because timm takes seconds to import.
    from convnext_studio.model.timm.timm_network import plan_network

    plan = plan_network(name)
    return name, plan.nodes, total_parameters(plan.nodes, plan.config)


def _download_bytes(request: LoadModel, parameters: int) -> int:
    if not request.source.startswith(TIMM_PREFIX):
        return 0
    from convnext_studio.model.timm.pretrained import find_offer

    offer = find_offer(request.source.removeprefix(TIMM_PREFIX), request.offline)
    return 0 if offer.is_cached else BYTES_PER_VALUE * parameters


def _parameters_in(path: Path) -> int:
    """Return the number of values in a weights file, from its header or else from its size."""
    if file_kind(path) == "safetensors":
        return sum(math.prod(shape) for shape in read_header(path).shapes.values())
    return path.stat().st_size // BYTES_PER_VALUE
