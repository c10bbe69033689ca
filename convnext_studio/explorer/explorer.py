"""Explore one network and its pictures from Python."""

from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import TypedDict, Unpack, cast

import numpy as np
from numpy.typing import NDArray

from convnext_studio.common.errors import StudioError
from convnext_studio.common.interventions import Change
from convnext_studio.common.recipe import Recipe, read_recipe
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.engine.server.dispatch import Answers, Dispatcher
from convnext_studio.explorer.checked_requests import CheckedAnswers, checked, not_negative
from convnext_studio.explorer.comparing import Comparison
from convnext_studio.explorer.explored_picture import Picture
from convnext_studio.explorer.framed_picture import keys_of, picture_info
from convnext_studio.explorer.picture_sources import PictureSource
from convnext_studio.explorer.results import FieldAverage
from convnext_studio.explorer.tables import nodes_table
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.framing import FRAMING_KINDS, TRAINED, Framing, FramingKind, PictureBox, framed
from convnext_studio.model.nodes import NodeInfo
from convnext_studio.model.presets import default_model
from convnext_studio.protocol.channels import Kernel, KernelResult
from convnext_studio.protocol.interventions import Intervene
from convnext_studio.protocol.models import BUILT, LoadModel, ModelInfo, Precision
from convnext_studio.protocol.receptive_fields import (
    USUAL_COUNT,
    FieldFraming,
    FieldGrowth,
    FieldGrowthResult,
    Inputs,
    Protocol,
    ReceptiveField,
    ReceptiveFieldResult,
)
from convnext_studio.render import format_count


class FieldOptions(TypedDict, total=False):
    """How an effective receptive field is averaged.

    Attributes
    ----------
    count
        The number of inputs to average.
    protocol
        ``centred``, ``replknet``, ``absolute`` or ``luo``: see `convnext_studio.erf.protocols`.
    input_px, height_px
        Width and height to which pictures are squashed; without a width that of the model's input, and without
        a height a square. In their framings, the size at which pictures are shown.
    seed
        The seed of the noise and of the sample from a folder.
    """

    count: int
    protocol: Protocol
    input_px: int
    height_px: int
    seed: int


class Explorer:
    """A network whose maps, receptive fields and attributions are available as arrays and figures.

    The results are those of the window, because the same engine computes them.

    Parameters
    ----------
    model
        ``bundled``, ``preset:NAME``, ``timm:NAME``, ``timm-random:NAME`` or a weights file; by default the
        model that the program opens first.
    device, precision
        ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``; ``float32`` or ``bfloat16``.
    offline
        Whether downloads are forbidden.
    stem_stride, stem_padding
        Stride and padding of the stem for a weights file that does not state them.
    part
        The network to open in a file that holds several, such as ``student.backbone``, or the head to use.
    untrained
        Whether the network gets random weights, from `seed`, in place of those of the model.
    config, input_px
        An architecture to build with random weights instead of opening a model, and the side of its input.
    seed
        The seed of random weights.
    mean, std
        Mean and deviation of each band, by which pictures are normalised; empty for the network's own.

    Raises
    ------
    StudioError
        If the model cannot be opened.

    Examples
    --------
    >>> explorer = Explorer("preset:convnextv2_atto")
    >>> picture = explorer.open("sample:cat")
    >>> picture.maps("stage2").values.shape
    (80, 28, 28)
    """

    def __init__(
        self,
        model: str | Path = "",
        *,
        device: str = "auto",
        precision: Precision = "float32",
        offline: bool = False,
        stem_stride: int | None = None,
        stem_padding: int | None = None,
        part: str = "",
        untrained: bool = False,
        config: ConvNeXtConfig | None = None,
        input_px: int = 224,
        seed: int = 0,
        mean: Sequence[float] = (),
        std: Sequence[float] = (),
    ) -> None:
        self._engine = Dispatcher()
        self._dispatcher: Answers = CheckedAnswers(self._engine)
        asked = LoadModel(
            source=BUILT if config is not None else str(model) or default_model(),
            config=config,
            input_px=input_px,
            seed=seed,
            device=device,
            precision=precision,
            offline=offline,
            stem_stride=stem_stride,
            stem_padding=stem_padding,
            part=part,
            untrained=untrained,
            mean=tuple(mean),
            std=tuple(std),
        )
        self.model = cast(ModelInfo, self._dispatcher.run(asked))

    def compare(
        self,
        other: "Explorer | str | Path",
        *,
        precision: Precision = "float32",
        offline: bool = False,
        part: str = "",
        untrained: bool = False,
        seed: int = 0,
    ) -> Comparison:
        """Open a second network, B, beside this one, A, and compare what both make of the same pictures.

        Parameters
        ----------
        other
            A model as in the constructor, or an explorer, whose network is shared and not opened again.
        precision, offline, part
            As in the constructor.
        untrained
            Whether to give the network of `other` random weights, from `seed`.

        Raises
        ------
        StudioError
            If the model cannot be opened.

        Examples
        --------
        >>> explorer = Explorer("preset:convnextv2_atto")
        >>> comparison = explorer.compare("preset:convnextv2_femto")
        >>> comparison.maps(explorer.open("sample:cat"), "stage2").difference.shape
        (80, 28, 28)
        """
        if isinstance(other, Explorer):
            model = self._engine.share_model(other._engine)
        else:
            asked = LoadModel(
                network="B",
                source=str(other),
                device=self.model.device,
                precision=precision,
                offline=offline,
                part=part,
                untrained=untrained,
                seed=seed,
            )
            model = cast(ModelInfo, self._engine.run(checked(asked)))
        return Comparison(self._engine, self.model, model)

    def with_interventions(
        self, changes: "Sequence[Change] | Recipe | str | Path", *, pictures: Sequence[Picture] = ()
    ) -> "Explorer":
        """Return an explorer whose network is this one, with parts of it changed; the weights are shared.

        Parameters
        ----------
        changes
            The changes; a recipe, which may also change pictures; or a recipe file. Pictures are named by the
            `key` of an opened one. A picture that a recipe changes is seen changed by the network.
        pictures
            The pictures that the effect ``picture mean`` averages over.

        Raises
        ------
        StudioError
            If a change does not fit the network, or the file is not a recipe.

        Examples
        --------
        >>> from convnext_studio.explorer import Change
        >>> explorer = Explorer("preset:convnextv2_atto")
        >>> changed = explorer.with_interventions([Change(node="stage2", channels=(3,))])
        >>> float(changed.open("sample:cat").maps("stage2").values[3].max())
        0.0
        """
        recipe = _recipe_of(changes, lambda path: self.open(path).key)
        asked = Intervene(
            changes=recipe.changes,
            retouched=recipe.retouched,
            images=keys_of(pictures),
        )
        changed = copy(self)
        changed._engine, changed.model = self._engine.with_changes(checked(asked))
        changed._dispatcher = CheckedAnswers(changed._engine)
        return changed

    @property
    def nodes(self) -> tuple[NodeInfo, ...]:
        """The stem, stages, blocks and operations, with name, shape, parameters, MACs and theoretical field."""
        return self.model.nodes

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes."""
        return self.model.labels

    def open(
        self,
        picture: PictureSource,
        name: str = "",
        *,
        framing: FramingKind = "trained",
        input_px: int = 0,
        box: PictureBox | None = None,
        view: PictureView = WHOLE,
    ) -> Picture:
        """Open a picture.

        Parameters
        ----------
        picture
            A file, ``sample:NAME``, the bytes of a file, an opened file, a Pillow image, or an array, tensor or
            nested lists of numbers: (H, W), (H, W, bands) or (bands, H, W). Numbers of 8 bits are taken as they
            are; the range of others is told in the picture's notes.
        name
            The name in figures; by default the name of the file.
        framing, input_px, box
            What the network is shown of it: see `Picture.framed`.
        view
            Which frame and bands of the file to take, and with which contrast: a `PictureView`.

        Raises
        ------
        StudioError
            If it is not a picture.
        """
        info = picture_info(self._dispatcher, picture, name, view)
        opened = Picture(self._dispatcher, self.model, info)
        return opened.framed(framing, input_px=input_px, box=box)

    def kernel(self, node: str, channel: int) -> NDArray[np.float32]:
        """Return the depthwise kernel (k, k) of a channel of a node; of a stage that of its last block.

        Raises
        ------
        StudioError
            If there is no such node or channel, or its channels have no kernels of their own.
        """
        result = cast(KernelResult, self._dispatcher.run(Kernel(node=node, channel=channel)))
        if result.kernel is None:
            raise StudioError(result.why_not)
        return result.kernel

    def receptive_field(
        self,
        node: str = "last",
        *,
        inputs: Sequence[Picture] | str | Path = "noise",
        fill_up: bool = True,
        unit: tuple[int, int] | None = None,
        framing: FieldFraming | FramingKind = "squashed",
        target: int | None = None,
        **options: Unpack[FieldOptions],
    ) -> FieldAverage:
        """Average the effective receptive field of a unit over pictures or noise.

        Parameters
        ----------
        node
            Any node with positions; ``last`` for the last stage.
        inputs
            Opened pictures, a folder of pictures, or ``noise``.
        unit
            Row and column in the map of the node; the middle unit if None.
        fill_up
            Whether noise fills up what the given pictures lack of `count`, as in the window; otherwise the mean
            is that of the pictures alone. It has no effect on a folder.
        framing
            ``squashed``, as RepLKNet's authors do; ``own``, as the network sees the pictures; or a framing for
            all of them: ``trained``, ``whole`` or ``native``. Where they differ in size, each is cropped at its
            middle to the largest size that all of them have.
        target
            The class whose logit is measured instead of a unit, by its index.
        **options
            ``count``, ``protocol``, ``input_px``, ``height_px`` and ``seed``: see `FieldOptions`.

        Raises
        ------
        StudioError
            If there is no such node or unit, or nothing to average.
        """
        averaged = _averaged_inputs(inputs, framing, options)
        asked = ReceptiveField(
            node=node,
            fills_up=fill_up,
            unit=unit,
            target=target,
            **averaged,
            **(FieldOptions(count=USUAL_COUNT) | options),
        )
        return FieldAverage(cast(ReceptiveFieldResult, self._dispatcher.run(asked)))

    def field_growth(
        self,
        *,
        inputs: Sequence[Picture] | str | Path = "noise",
        fill_up: bool = True,
        framing: FieldFraming | FramingKind = "squashed",
        **options: Unpack[FieldOptions],
    ) -> FieldGrowthResult:
        """Measure how the effective field grows with depth: its size at the stem and at all blocks and stages.

        Parameters
        ----------
        inputs, fill_up, framing, **options
            As in `receptive_field`; 4 inputs by default.

        Raises
        ------
        StudioError
            If there is nothing to average.
        """
        averaged = _averaged_inputs(inputs, framing, options)
        asked = FieldGrowth(fills_up=fill_up, **averaged, **options)
        return cast(FieldGrowthResult, self._dispatcher.run(asked))

    def __repr__(self) -> str:
        return f"<Explorer: {_described(self.model)}>"

    def _repr_html_(self) -> str:
        return nodes_table(f"Explorer: {_described(self.model)}", self.nodes)


def _described(model: ModelInfo) -> str:
    state = ", random weights" if model.random_weights else ""
    return (
        f"{model.title}{state}, {format_count(model.parameters)} parameters, "
        f"{format_count(model.macs)} MACs at {model.input_px} px, on {model.device}"
    )


class _AveragedInputs(TypedDict, total=False):
    inputs: Inputs
    images: tuple[str, ...]
    folder: str
    framing: FieldFraming
    folder_framing: Framing


def _averaged_inputs(
    inputs: Sequence[Picture] | str | Path, framing: FieldFraming | FramingKind, options: FieldOptions
) -> _AveragedInputs:
    """Return what a receptive field is averaged over, and what the network is shown of it."""
    input_px = options.get("input_px", 0)
    not_negative(input_px=input_px, seed=options.get("seed", 0))
    if framing not in (known := ("squashed", "own", *FRAMING_KINDS)):
        raise StudioError(f"There is no framing “{framing}”.", f"There are: {', '.join(known)}.")
    if isinstance(inputs, str | Path) and str(inputs) == "noise":
        return _AveragedInputs(inputs="noise")
    shown = None if framing == "squashed" or framing == "own" else Framing(kind=framing, input_px=input_px)
    fitted: FieldFraming = "squashed" if framing == "squashed" else "own"
    if isinstance(inputs, str | Path):
        return _AveragedInputs(
            inputs="folder", folder=str(inputs), framing=fitted, folder_framing=shown or TRAINED
        )
    keys = keys_of(inputs)
    images = keys if shown is None else tuple(framed(key, shown) for key in keys)
    return _AveragedInputs(inputs="pictures", images=images, framing=fitted)


def _recipe_of(changes: Sequence[Change] | Recipe | str | Path, opened: Callable[[str], str]) -> Recipe:
    """Return changes as a recipe, in which pictures are named by their keys; `opened` opens those of a file."""
    if isinstance(changes, str | Path):
        recipe = read_recipe(Path(changes))
        return recipe.renamed({path: opened(path) for path in recipe.pictures}.__getitem__)
    return changes if isinstance(changes, Recipe) else Recipe(tuple(changes))
