"""Load a model: its network, node table, labels, preprocessing and provenance."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from msgspec import Struct, field
from msgspec.structs import force_setattr, replace
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.foreign_text import one_line
from convnext_studio.common.geometry import CropGeometry
from convnext_studio.model.architecture import Architecture, TimmConfig
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.framing import TRAINED, Framing
from convnext_studio.model.nodes import NodeInfo, Size, input_grid, node_table, total_macs, total_parameters
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.presets import BUNDLED_RANDOM, BUNDLED_TRAINED, bundled_file, preset
from convnext_studio.model.road.road_config import RoadConfig
from convnext_studio.model.road.road_network import RoadNetwork
from convnext_studio.model.road.steps import ROAD_PREFIX, road_step
from convnext_studio.model.staged import StagedNetwork
from convnext_studio.model.timm.timm_names import check_architecture, convnext_config, is_convnext
from convnext_studio.model.weights.beside.class_names import cleaned, why_unnamed
from convnext_studio.model.weights.fitting import build_network
from convnext_studio.model.weights.reading import (
    Stem,
    Weights,
    describe_provenance,
    read_weights,
    warn_not_finite,
)
from convnext_studio.model.weights.weights_files import named_weights

PRESET_PREFIX = "preset:"
TIMM_PREFIX = "timm:"
TIMM_RANDOM_PREFIX = "timm-random:"
RANDOM_NOTE = "Random weights: this network has learnt nothing, and its predictions mean nothing."
_PATHS = {"stem": "downsample_layers.0", "head": "pooled"}
_IN_DOWNSAMPLING = {"norm": "0", "conv": "1"}
# Layer scale is a product with a parameter, not a module. In eval mode drop path returns its result unchanged.
_IN_BLOCK = {"gamma": "drop_path"}


SINGLE_OUTPUT = "It has a single output: its percentage is a sigmoid, because a softmax of one is always 100 %."


class LoadedModel(Struct, frozen=True, kw_only=True):
    """A network with everything that is known about it: a ConvNeXt, or a network of another family.

    Attributes
    ----------
    source, title
        What `load` was given, and the display name of the model.
    module
        The network, from normalised NCHW float32 to logits; in eval mode, with frozen parameters.
    labels
        Class names in plain English.
    preprocessing
        How pictures are turned into the network's input.
    random_weights
        Whether the weights are random, so that the network has learnt nothing.
    notes
        Sentences about the model to be shown to the user.
    provenance
        Where the weights come from, as pairs of name and text; a saved file keeps them.
    is_stem_untold
        Whether the source does not state the stride and padding of the stem, so that the usual values, or
        those that were asked for, are used.
    part, other_parts
        Where in its file the network is, and what else there could be opened instead.
    has_classes
        Whether the outputs are classes; otherwise they are features or an embedding.
    is_multi_label
        Whether each class is on its own, so that several can be right: probabilities are then sigmoids, and not
        a softmax over all classes.
    """

    source: str
    title: str
    module: ConvNeXt | StagedNetwork
    labels: tuple[str, ...]
    preprocessing: Preprocessing
    random_weights: bool = False
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    is_stem_untold: bool = False
    part: str = ""
    other_parts: tuple[str, ...] = ()
    has_classes: bool = True
    is_multi_label: bool = False

    def __post_init__(self) -> None:
        # Here, because networks are made in many ways. All that reads the means expects one for each channel.
        fitted = self.preprocessing.for_channels(self.config.in_chans)
        force_setattr(self, "preprocessing", fitted)
        if self.has_classes and self.config.num_classes == 1:
            force_setattr(self, "is_multi_label", True)
            if SINGLE_OUTPUT not in self.notes:
                force_setattr(self, "notes", (*self.notes, SINGLE_OUTPUT))

    @property
    def config(self) -> Architecture:
        """The architecture as plain data."""
        return self.module.config

    @property
    def device(self) -> torch.device:
        """The device of the network's weights."""
        return next(self.module.parameters()).device

    @property
    def nodes(self) -> tuple[NodeInfo, ...]:
        """The node table at the model's input size."""
        if isinstance(self.module, ConvNeXt):
            width, height = self.preprocessing.input_size
            return node_table(self.module.config, (height, width))
        return self.module.nodes

    def nodes_at(self, size: Size) -> tuple[NodeInfo, ...]:
        """The node table at an input of that height and width."""
        if isinstance(self.module, ConvNeXt):
            return node_table(self.module.config, size)
        side = self.preprocessing.input_px
        return self.module.nodes if size == (side, side) else self.module.nodes_at(size)

    def geometry(self, picture_size: tuple[int, int], framing: Framing = TRAINED) -> CropGeometry:
        """Return where the input lies in a picture of that width and height.

        Raises
        ------
        StudioError
            If the network takes no such input; the hint says what it needs.
        """
        if framing == TRAINED:
            return self.preprocessing.geometry(picture_size)
        grid = input_grid(self.config, self.nodes)
        geometry = self.preprocessing.framed(picture_size, framing, grid)
        self.check_input(geometry)
        return geometry

    def check_input(self, geometry: CropGeometry) -> None:
        """Raise a StudioError if the network takes no input of that size; the hint says what it needs."""
        grid, (width, height) = input_grid(self.config, self.nodes), geometry.input_size
        if grid.only_px is not None and (width, height) != (grid.only_px, grid.only_px):
            raise StudioError(
                f"{self.title} takes no input of {width} × {height} pixels.",
                f"It takes only {grid.only_px} × {grid.only_px}: choose the framing “As trained”.",
            )
        step = self.config.input_step_px if isinstance(self.config, TimmConfig) else 1
        if width % step or height % step:
            raise StudioError(
                f"{self.title} takes no input of {width} × {height} pixels.",
                f"Its patches need multiples of {step} pixels: choose the whole picture or another box.",
            )
        if min(width, height) < grid.smallest_px:
            raise StudioError(
                f"An input of {width} × {height} pixels is too small for {self.title}.",
                f"The smallest side is {grid.smallest_px}.",
            )

    def node(self, name: str, size: Size | None = None) -> NodeInfo:
        """Return the row of the node table with that name, by default at the model's input size.

        Raises
        ------
        StudioError
            If the network has no such node; the hint lists the nodes.
        """
        for info in self.nodes if size is None else self.nodes_at(size):
            if info.name == name:
                return info
        blocks = [info.name for info in self.nodes if info.kind == "block"]
        such_as = f", and blocks such as {blocks[0]} with their operations" if blocks else ""
        raise StudioError(
            f"This network has no node “{name}”.", f"There are stem, {', '.join(self.config.stages)}{such_as}."
        )

    @property
    def parameters(self) -> int:
        """The number of parameters of the whole network."""
        return total_parameters(self.nodes, self.config)

    @property
    def macs(self) -> int:
        """The multiply-accumulate operations of one forward pass at the model's input size."""
        return total_macs(self.nodes, self.config)

    @property
    def blocks(self) -> list[nn.Module]:
        """All blocks in the order of the forward pass."""
        if isinstance(self.module, ConvNeXt):
            return [block for stage in self.module.stages for block in stage.children()]
        return self.module.blocks

    def to(self, device: torch.device) -> "LoadedModel":
        """Move the network to a device, which computes float32 in float32 from now on."""
        if device.type == "cuda":
            use_exact_float32()
        return replace(self, module=self.module.to(device))

    def preprocess(self, picture: Image.Image | NDArray[np.float32]) -> Tensor:
        """Return a picture as normalised input (1, 3, H, W), float32 on the model's device.

        Values from 0 to 1, (h, w, 1 or 3) or as many bands as the network takes, are as good as a picture.

        Raises
        ------
        StudioError
            If the picture has another number of bands than the network takes.
        """
        array, _ = self.preprocessing(picture)
        if len(array) != self.config.in_chans:
            raise StudioError(
                f"The network takes {self.config.in_chans} bands, and the picture has {len(array)}.",
                "Give an array of values from 0 to 1, (h, w, bands).",
            )
        return self.to_tensor(array)

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probabilities of the classes, along the last dimension of the logits."""
        return logits.sigmoid() if self.is_multi_label else logits.softmax(dim=-1)

    def to_tensor(self, array: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Tensor:
        """Return a preprocessed picture (3, H, W) as a batch of one on the model's device."""
        return torch.from_numpy(array)[None].to(self.device)

    def module_at(self, node: str) -> nn.Module:
        """Return the module whose output is the output of that node.

        Raises
        ------
        StudioError
            If the network has no such node; the hint lists the nodes.
        """
        info = self.node(node)
        if not isinstance(self.module, ConvNeXt):
            return self.module.map_modules[node]
        return self.module.get_submodule(_path(info))


def use_exact_float32() -> None:
    """Have CUDA compute float32 in float32: by default its convolutions round to 10 bits (TF32)."""
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def _path(node: NodeInfo) -> str:
    """Return the path, for `get_submodule`, of the module whose output is the output of the node."""
    if node.kind in _PATHS:
        return _PATHS[node.kind]
    stage, *inside = node.name.split(".")
    index = int(stage.removeprefix("stage")) - 1
    match inside:
        case []:
            path = [f"stages.{index}"]
        case ["downsample", *operations]:
            path = [f"downsample_layers.{index}", *(_IN_DOWNSAMPLING[name] for name in operations)]
        case [block, *operations]:
            path = [f"stages.{index}.{int(block.removeprefix('block')) - 1}"]
            path += [_IN_BLOCK.get(name, name) for name in operations]
    return ".".join(path)


def load(
    source: str,
    *,
    stem_stride: int | None = None,
    stem_padding: int | None = None,
    part: str = "",
    offline: bool = False,
    seed: int = 0,
) -> LoadedModel:
    """Load a model on the CPU.

    Parameters
    ----------
    source
        ``bundled`` or ``bundled-3x3``, trained, where this version brings them; ``bundled-random``, the first
        of them before its training; ``preset:NAME``, with random weights; ``timm:NAME``, with its published
        weights, or ``timm-random:NAME``, with random ones: a ConvNeXt or one of
        `convnext_studio.model.timm.families`; ``road:KEY``, a step of `convnext_studio.model.road.steps`, with
        random weights; or the path of a weights file in any known format (see
        `convnext_studio.model.weights.names.formats`).
    stem_stride, stem_padding
        Override the stem of the source, because the values cannot be read off the tensors.
    part
        The network to open in a file that holds several, such as ``student.backbone``, or the head to use; by
        default the averaged weights or the teacher.
    offline
        Open no network connection.
    seed
        Seed of the random weights.

    Raises
    ------
    StudioError
        If there is no such model, or it cannot be read; the hint says what is available.
    """
    stem = Stem(stem_stride, stem_padding)
    if source.startswith(PRESET_PREFIX):
        name = source.removeprefix(PRESET_PREFIX)
        return _random(source, name, stem.applied_to(preset(name)), seed)
    if source.startswith(TIMM_PREFIX):
        return _from_timm(source, stem, offline)
    if source.startswith(TIMM_RANDOM_PREFIX):
        return _random_timm(source, stem, seed)
    if source.startswith(ROAD_PREFIX):
        return _from_road(source, stem, seed)
    if source == BUNDLED_RANDOM:
        return _random_bundled(source, stem, seed)
    if source in BUNDLED_TRAINED:
        path = bundled_file(source)
        return _from_weights(source, read_weights(path, stem), path.stem)
    path = named_weights(source)
    return _from_weights(source, read_weights(path, stem, part), path.stem)


def build(config: ConvNeXtConfig, title: str, seed: int = 0, input_px: int = 224) -> LoadedModel:
    """Build an architecture on the CPU, with random weights from that seed and that input size."""
    model = _random("built", title, config, seed)
    return replace(model, preprocessing=replace(model.preprocessing, input_px=input_px))


def untrained(model: LoadedModel, seed: int = 0) -> LoadedModel:
    """Return a model with random weights from that seed; its classes and its preprocessing are kept."""
    if model.random_weights:
        return model
    with _seeded(seed):
        module = _built_again(model.module)
    return replace(
        model,
        title=f"{model.title}, untrained",
        module=module.eval().requires_grad_(False),
        random_weights=True,
        notes=(RANDOM_NOTE,),
        provenance={},
    )


def _built_again(module: ConvNeXt | StagedNetwork) -> ConvNeXt | StagedNetwork:
    """Return the architecture of a network with random weights."""
    if isinstance(module, ConvNeXt):
        return ConvNeXt.from_config(module.config)
    if isinstance(module.config, RoadConfig):
        return RoadNetwork(module.config)
    from convnext_studio.model.timm.timm_network import build_timm_network, plan_network

    return build_timm_network(plan_network(module.config.name))


def _random(source: str, name: str, config: ConvNeXtConfig, seed: int) -> LoadedModel:
    with _seeded(seed):
        module = ConvNeXt.from_config(config)
    notes = [RANDOM_NOTE]
    if 0 < config.layer_scale_init_value < 1e-3:
        notes.append(
            f"Its layer scale of {config.layer_scale_init_value:g} makes every block almost an identity."
        )
    return LoadedModel(
        source=source,
        title=name,
        module=_ready(module),
        labels=_numbered(config.num_classes),
        preprocessing=Preprocessing(),
        random_weights=True,
        notes=tuple(notes),
    )


def _random_bundled(source: str, stem: Stem, seed: int) -> LoadedModel:
    """The bundled model before it was trained: its architecture, classes and input, and random weights."""
    bundled = read_weights(bundled_file(), stem)
    model = _random(source, f"{bundled.title}, untrained", bundled.config, seed)
    return replace(model, labels=bundled.labels, preprocessing=bundled.preprocessing)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed torch inside the block, and restore the caller's random state afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _from_timm(source: str, stem: Stem, offline: bool) -> LoadedModel:
    # Imported here because the hub's client takes longer to import than the bundled model takes to load.
    from convnext_studio.model.timm.pretrained import convnext_weights, read_published

    published = read_published(source.removeprefix(TIMM_PREFIX), offline)
    if is_convnext(published.architecture):
        return _from_weights(source, convnext_weights(published, stem), published.name)
    from convnext_studio.model.timm.timm_network import build_timm_network, plan_network

    _refuse_stem_options(stem)
    plan = plan_network(published.name)
    return LoadedModel(
        source=source,
        title=f"{published.name} (timm)",
        module=build_timm_network(plan, published.tensors),
        labels=published.labels or _numbered(plan.config.num_classes),
        preprocessing=published.preprocessing,
        notes=(*warn_not_finite(published.tensors), *describe_provenance(published.provenance), *plan.notes),
        provenance=published.provenance,
    )


def _random_timm(source: str, stem: Stem, seed: int) -> LoadedModel:
    name = check_architecture(source.removeprefix(TIMM_RANDOM_PREFIX))
    if is_convnext(name):
        return _random(source, name, stem.applied_to(convnext_config(name)), seed)
    from convnext_studio.model.timm.timm_network import build_timm_network, plan_network

    _refuse_stem_options(stem)
    plan = plan_network(name)
    with _seeded(seed):
        module = build_timm_network(plan)
    return LoadedModel(
        source=source,
        title=name,
        module=module,
        labels=_numbered(plan.config.num_classes),
        preprocessing=plan.preprocessing,
        random_weights=True,
        notes=(RANDOM_NOTE, *plan.notes),
    )


def _from_road(source: str, stem: Stem, seed: int) -> LoadedModel:
    _refuse_stem_options(stem)
    step = road_step(source.removeprefix(ROAD_PREFIX))
    config, notes = step.config, [RANDOM_NOTE]
    if config.layer_scale_init_value:
        # At 1e-6 every step would look the same: a stem followed by shortcuts.
        config = replace(config, layer_scale_init_value=1.0)
        notes.append("Its layer scale is 1 instead of the initial 1e-6, so that its blocks have an effect.")
    with _seeded(seed):
        module = RoadNetwork(config)
    return LoadedModel(
        source=source,
        title=step.full_title,
        module=module.eval().requires_grad_(False),
        labels=_numbered(config.num_classes),
        preprocessing=Preprocessing(),
        random_weights=True,
        notes=tuple(notes),
    )


def _refuse_stem_options(stem: Stem) -> None:
    """Raise a StudioError if a stem is given: only that of a ConvNeXt can be changed."""
    if stem != Stem():
        raise StudioError("Only a ConvNeXt's stem can be given another stride or padding.")


def name_classes(model: LoadedModel, labels: tuple[str, ...]) -> LoadedModel:
    """Return a model with other names for its classes.

    Raises
    ------
    StudioError
        If it has no classes, or there is not one name for each.
    """
    if why := why_unnamed(len(labels), len(model.labels), model.has_classes):
        raise StudioError(why)
    return replace(model, labels=cleaned(labels))


def _from_weights(source: str, weights: Weights, name: str) -> LoadedModel:
    return LoadedModel(
        source=source,
        title=one_line(weights.title or name),
        module=build_network(weights.config, weights.state_dict),
        labels=weights.labels or _numbered(weights.config.num_classes, weights.has_classes),
        preprocessing=weights.preprocessing,
        random_weights=weights.random_weights,
        notes=weights.notes,
        provenance=weights.provenance,
        is_stem_untold=weights.is_stem_untold,
        part=weights.part,
        other_parts=weights.other_parts,
        has_classes=weights.has_classes,
        is_multi_label=weights.is_multi_label,
    )


def _ready(module: ConvNeXt) -> ConvNeXt:
    return module.eval().requires_grad_(False)


def _numbered(outputs: int, are_classes: bool = True) -> tuple[str, ...]:
    return tuple(f"{'class' if are_classes else 'feature'} {index}" for index in range(outputs))
