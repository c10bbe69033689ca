"""Whether the numbers of a device agree with those of the CPU, and where they do not, who is right.

Each result is compared by its largest difference over the range of the reference's values. Where float32 on
the device and on the CPU differ by more than 1e-4 of the range, the CPU computes in float64, too: the device is
right where it is no further from that than 1e-4, or, for what is ill-conditioned (a method that divides by
nearly 0), no further than a few times what the CPU's float32 is. Without a GPU the CPU's float32 is compared
with its float64, by a wider bound.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

import numpy as np
import torch
from msgspec.structs import replace
from numpy.typing import NDArray
from torch import Tensor

from convnext_studio.analysis.attribution import attribute
from convnext_studio.analysis.features import autocast, stage_pass, to_array
from convnext_studio.analysis.receptive_field import Signal, running_average
from convnext_studio.analysis.unit_probe import effective_field
from convnext_studio.common.attribution_methods import METHODS, MethodName, Value
from convnext_studio.common.errors import StudioError
from convnext_studio.erf import Protocol
from convnext_studio.model.loaded import LoadedModel
from tests.gpu.checks import Check, Setting, judged, told
from tests.gpu.networks import Network, networks, picture

SECTION = "truth"
LARGEST = 1e-4
ILL_CONDITIONED = 4.0
"""How many times as far from float64 as the CPU's float32 the device may be."""
PROTOCOLS: tuple[Protocol, ...] = ("replknet", "centred", "absolute", "luo")
PARAMETERS: dict[str, dict[str, Value]] = {
    "smoothgrad": {"samples": 4},
    "integratedgradients": {"steps": 8},
    "superpixels": {"count": 12},
}
LARGEST_ALONE = 1e-3
"""Of the CPU's float32 against its own float64, which must only show that nothing is broken."""
DIVIDING = ("gradcam++", "xgradcam")
LARGEST_BFLOAT16 = 0.05
"""Of the range of the logits: 8 bits of each value, through some 60 layers."""
Array = NDArray[np.floating]
Question = Callable[[LoadedModel, Tensor], dict[str, Array]]


def steps(setting: Setting) -> list[tuple[str, Callable[[], list[Check]]]]:
    """One step a network, and TF32."""
    found: list[tuple[str, Callable[[], list[Check]]]] = [("float32 is float32", partial(_exact, setting))]
    found += [(network.source, partial(_of_network, setting, network)) for network in networks(setting)]
    return found


def difference(ours: Array, reference: Array) -> float:
    """Largest difference over the range of the reference; 0 where both are the same constant."""
    if ours.shape != reference.shape or (np.isfinite(ours) != np.isfinite(reference)).any():
        return float("inf")
    finite = np.isfinite(reference)
    if not finite.any():
        return 0.0
    largest = float(np.abs(ours[finite].astype(np.float64) - reference[finite]).max())
    spread = float(np.ptp(reference[finite].astype(np.float64)))
    return largest / spread if spread > 0 else (0.0 if largest == 0 else float("inf"))


def _exact(setting: Setting) -> list[Check]:
    """A convolution and a product: TF32 would be wrong by about 3e-4 of the range."""
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(1, 64, 32, 32, generator=generator), torch.randn(64, 64, 3, 3, generator=generator)
    # Whatever is moved to the device as a network is computed exactly from then on.
    network = networks(setting)[0].loaded(setting).to(setting.device)
    assert network.device.type == setting.device.type
    pairs = {
        "convolution": (torch.conv2d, x, weight),
        "matrix product": (torch.matmul, x[0, :, :, 0], weight[:32, :, 0, 0]),
    }
    checks = []
    for name, (function, first, second) in pairs.items():
        found = function(first.to(setting.device), second.to(setting.device)).cpu().numpy()
        exact = function(first.double(), second.double()).numpy()
        checks.append(judged(SECTION, f"float32 {name} against float64", difference(found, exact), 1e-5))
    return checks


def _of_network(setting: Setting, network: Network) -> list[Check]:
    cpu = network.loaded(setting)
    x = picture(cpu)
    device = replace(cpu, module=copy.deepcopy(cpu.module)).to(setting.device)
    exact: list[LoadedModel] = []

    def in_double(question: Question) -> dict[str, Array]:
        if not exact:
            exact.append(replace(cpu, module=copy.deepcopy(cpu.module).double()))
        return question(exact[0], x.double())

    checks = []
    for name, question in _questions(setting, cpu).items():
        ours = question(device, x.to(setting.device))
        if setting.is_gpu:
            checks.append(
                _against_cpu(f"{network.source}: {name}", ours, question(cpu, x), in_double, question)
            )
        else:
            key, off = furthest(ours, in_double(question))
            title = f"{network.source}: {name}"
            if name in DIVIDING:
                checks.append(told(SECTION, title, f"{off:.3g}", f"{key}: it divides by nearly 0 here"))
            else:
                checks.append(judged(SECTION, title, off, LARGEST_ALONE, key))
    return [*checks, *_in_bfloat16(setting, network, device, x)]


def furthest(ours: dict[str, Array], theirs: dict[str, Array]) -> tuple[str, float]:
    """Which array differs most, and by how much."""
    if not ours or ours.keys() != theirs.keys():
        return "other arrays", float("inf")
    found = {key: difference(ours[key], theirs[key]) for key in ours}
    worst = max(found, key=lambda key: found[key])
    return worst, found[worst]


def _against_cpu(
    title: str,
    ours: dict[str, Array],
    theirs: dict[str, Array],
    in_double: Callable[[Question], dict[str, Array]],
    question: Question,
) -> Check:
    key, off = furthest(ours, theirs)
    if off <= LARGEST:
        return judged(SECTION, title, off, LARGEST, key)
    exact = in_double(question)
    key, off = furthest(ours, exact)
    _, cpu_off = furthest(theirs, exact)
    most = max(LARGEST, ILL_CONDITIONED * cpu_off)
    return judged(SECTION, title, off, most, f"{key}, against float64, from which the CPU is {cpu_off:.2g} off")


def _questions(setting: Setting, model: LoadedModel) -> dict[str, Question]:
    stages = model.config.stages
    found: dict[str, Question] = {"logits": _logits, "maps of all stages": _maps}
    for method in METHODS:
        # Those that try every channel are asked where the channels are fewest.
        nodes = stages[:1] if method.name in ("scorecam", "ablationcam") else stages
        found[method.name] = partial(_attributed, method.name, nodes if method.kind == "cam" else ("",))
    found["units' fields"] = _units
    for protocol in PROTOCOLS:
        found[f"ERF {protocol}"] = partial(_field, protocol)
    if setting.size == "smallest":
        return {name: found[name] for name in ("logits", "gradcam", "units' fields", "ERF luo")}
    return found


def _logits(model: LoadedModel, x: Tensor) -> dict[str, Array]:
    with torch.no_grad():
        return {"logits": model.module(x)[0].cpu().numpy()}


def _maps(model: LoadedModel, x: Tensor) -> dict[str, Array]:
    result = stage_pass(model, x, 0)
    return {name: to_array(values) for name, values in result.explained.items()}


def _attributed(method: MethodName, nodes: tuple[str, ...], model: LoadedModel, x: Tensor) -> dict[str, Array]:
    maps: dict[str, Array] = {}
    for node in nodes:
        with suppress(StudioError):  # A stage of one unit has no map.
            maps[node or "input"] = attribute(
                model, x, method, node or None, target=1, parameters=PARAMETERS.get(method, {})
            )
    return maps


def _units(model: LoadedModel, x: Tensor) -> dict[str, Array]:
    fields: dict[str, Array] = {}
    for node in model.config.stages:
        _, height, width = model.node(node).shape
        fields[node] = effective_field(model, x, node, 0, height // 2, width // 2)
    return fields


def _field(protocol: Protocol, model: LoadedModel, x: Tensor) -> dict[str, Array]:
    signal = Signal(node=model.config.stages[-1], protocol=protocol)
    inputs = [x, x.flip(-1)]
    fields: dict[str, Array] = {}
    for name, whole in (("cropped", False), ("whole", True)):
        *_, last = running_average(model, inputs, signal, whole_maps=whole)
        fields[name] = last.field
    return fields


def _in_bfloat16(setting: Setting, network: Network, device: LoadedModel, x: Tensor) -> Iterator[Check]:
    there = x.to(setting.device)
    with torch.no_grad():
        exact = device.module(there)[0].cpu().numpy()
        with autocast(there, "bfloat16"):
            rounded = device.module(there)[0].float().cpu().numpy()
    off = difference(rounded, exact)
    yield judged(
        SECTION,
        f"{network.source}: logits in bfloat16 against float32",
        off,
        LARGEST_BFLOAT16,
        "of their range",
    )
