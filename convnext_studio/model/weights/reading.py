"""A weights file in any known format, with its architecture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from safetensors import SafetensorError, safe_open
from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.weights.checkpoint import METADATA_KEY, read_studio_file
from convnext_studio.model.weights.config_files import Beside, read_beside
from convnext_studio.model.weights.fitting import check_fit, first_names
from convnext_studio.model.weights.formats import TORCHVISION, Converted, Format, converted
from convnext_studio.model.weights.headers import PERHAPS_TRUNCATED, file_kind, read_header
from convnext_studio.model.weights.inference import infer_config, shapes_of
from convnext_studio.model.weights.pickles import read_legacy, read_zip, refuse_pickle

IMAGENET_CLASSES = 1000
WEIGHTS_KEY, RANDOM = "weights", "random, nothing was learnt"
"""Of the provenance of a network that was saved with random weights."""
PROVENANCE_KEY = "provenance"
"""Of a checkpoint that was saved here in another layout: pairs of name and text, beside the tensors."""
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
_TORCHVISION_RESIZED_PX: dict[tuple[tuple[int, ...], int], int] = {
    ((3, 3, 9, 3), 96): 236,
    ((3, 3, 27, 3), 96): 230,
    ((3, 3, 27, 3), 128): 232,
    ((3, 3, 27, 3), 192): 232,
}
"""Shorter side before the crop of 224 px, by depths and first width, as torchvision publishes its weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Weights that fit their architecture.

    Attributes
    ----------
    config
        The architecture; what tensors do not tell is as the reader was told, or else as is usual.
    state_dict
        Of our network, in the file's dtype, mapped from the file where it is a large one.
    labels
        Class names in plain words; empty where they are unknown.
    preprocessing
        How the network wants its pictures, where that is known.
    title
        For people; empty where the file does not say.
    notes
        Sentences that people should see.
    provenance
        Where they come from, to be kept where they are saved: pairs of name and text.
    random_weights
        Nothing was learnt.
    is_stem_untold
        The file does not tell the stem's stride and padding: they are as a person said, or as is usual.
    """

    config: ConvNeXtConfig
    state_dict: Mapping[str, Tensor]
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing
    title: str = ""
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    random_weights: bool = False
    is_stem_untold: bool = False


@dataclass(frozen=True, slots=True)
class Stem:
    """What a person says of the stem, where the source is silent or wrong."""

    stride: int | None = None
    padding: int | None = None

    def applied(self, config: ConvNeXtConfig) -> ConvNeXtConfig:
        """The config with what was said."""
        return replace(
            config,
            stem_stride=config.stem_stride if self.stride is None else self.stride,
            stem_padding=config.stem_padding if self.padding is None else self.padding,
        )


def read_weights(path: Path, stem: Stem) -> Weights:
    """Read a weights file in any known format, and infer its architecture where it does not say.

    Raises
    ------
    StudioError
        Where it is none, is damaged or unsafe, or where tensors are missing or left over (named).
    """
    if file_kind(path) == "safetensors" and METADATA_KEY in read_header(path).metadata:
        return _own(path, stem)
    contents = read_contents(path)
    found = converted(contents, path.stat().st_size)
    inferred = infer_config(shapes_of(found.state_dict), found.head_norm_first)
    beside = read_beside(path, found.format, inferred)
    config = stem.applied(beside.config)
    provenance = {**beside.provenance, **_provenance_in(contents)}
    notes = [*checked(found, config), *found.notes, *beside.notes, *told(provenance)]
    preprocessing = beside.preprocessing or usual_preprocessing(found.format, config)
    notes.append(_assumptions(config, stem, beside, preprocessing))
    labels = beside.labels
    if not labels and found.format.classifies and config.num_classes == IMAGENET_CLASSES:
        labels = imagenet_labels()
        notes.append("Its 1000 classes are taken for ImageNet's.")
    return Weights(
        config=config,
        state_dict=found.state_dict,
        labels=labels,
        preprocessing=preprocessing,
        notes=tuple(notes),
        provenance=provenance,
        random_weights=provenance.get(WEIGHTS_KEY) == RANDOM,
        is_stem_untold=config.stem_type == "patch",
    )


def _provenance_in(contents: Mapping[str, Any]) -> dict[str, str]:
    """What a checkpoint that was saved here says of its tensors; nothing where it says something else."""
    said = contents.get(PROVENANCE_KEY)
    if not isinstance(said, Mapping):
        return {}
    return {name: text for name, text in said.items() if isinstance(name, str) and isinstance(text, str)}


def read_contents(path: Path) -> Mapping[str, Any]:
    """Read what a file holds, without running anything in it; large tensors are mapped.

    Raises
    ------
    StudioError
        Where it is no weights file, is damaged or unsafe.
    """
    match file_kind(path):
        case "zip":
            return read_zip(path)
        case "legacy":
            return read_legacy(path)
        case "pickle":
            raise refuse_pickle(path)
        case "safetensors":
            names = read_header(path).shapes
    try:
        with safe_open(path, framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in names}
    except (OSError, SafetensorError, ValueError) as error:
        raise StudioError(f"{path.name} is damaged ({error}).", PERHAPS_TRUNCATED) from error


def checked(found: Converted, config: ConvNeXtConfig) -> list[str]:
    """Check that the tensors are the network's, and give warnings about their values.

    Raises
    ------
    StudioError
        Where they are not, or are none that a network can have.
    """
    check_fit(config, shapes_of(found.state_dict), found.told_as)
    strange = [name for name, tensor in found.state_dict.items() if not tensor.dtype.is_floating_point]
    if strange:
        raise StudioError(f"The file holds other numbers than floating point: {first_names(strange)}.")
    return not_finite({found.told_as.get(name, name): tensor for name, tensor in found.state_dict.items()})


def imagenet_labels(subset: str = "imagenet-1k") -> tuple[str, ...]:
    """Give the classes in plain words, in the order in which networks are trained on them."""
    # timm takes seconds to import, and most files come with labels or without classes of ImageNet.
    from timm.data.imagenet_info import ImageNetInfo

    return tuple(str(name) for name in ImageNetInfo(subset).label_descriptions())


def not_finite(state_dict: Mapping[str, Tensor]) -> list[str]:
    """Warn of tensors with values that are not finite: a sentence, or none."""
    names = [name for name, tensor in state_dict.items() if not tensor.isfinite().all()]
    if not names:
        return []
    counted = "1 tensor holds" if len(names) == 1 else f"{len(names)} tensors hold"
    return [f"{counted} values that are not finite: {first_names(names)}."]


def told(provenance: Mapping[str, str]) -> list[str]:
    """Say where weights come from, a sentence each."""
    return [f"{name.capitalize()}: {text}" for name, text in provenance.items()]


def _own(path: Path, stem: Stem) -> Weights:
    file = read_studio_file(path)
    return Weights(
        config=stem.applied(file.config),
        state_dict=file.state_dict,
        labels=file.labels,
        preprocessing=file.preprocessing,
        title=file.title,
        notes=(*not_finite(file.state_dict), *told(file.provenance)),
        provenance=file.provenance,
        random_weights=file.provenance.get(WEIGHTS_KEY) == RANDOM,
    )


def usual_preprocessing(format_: Format, config: ConvNeXtConfig) -> Preprocessing:
    """As those who write files of that format prepare pictures for such a network at 224 px."""
    if not format_.classifies:
        return Preprocessing(mean=CLIP_MEAN, std=CLIP_STD)
    if format_ is TORCHVISION:
        resized_px = _TORCHVISION_RESIZED_PX.get((config.depths, config.dims[0]), 232)
        return Preprocessing(crop_fraction=224 / resized_px, interpolation="bilinear")
    return Preprocessing()


def _assumptions(config: ConvNeXtConfig, stem: Stem, beside: Beside, preprocessing: Preprocessing) -> str:
    assumed = []
    if config.stem_type == "patch" and stem.stride is None:
        assumed.append(f"stem stride {config.stem_stride}")
    if config.stem_type == "patch" and stem.padding is None:
        assumed.append(f"stem padding {config.stem_padding}")
    if config.norm == "simple":
        assumed.append("norms by the standard deviation (timm's simple norm)")
    assumed.append(f"norm epsilon {config.norm_eps:g}")
    if not beside.knows_act:
        assumed.append("GELU")
    if beside.preprocessing is None:
        shorter_px, _ = preprocessing.geometry((1, 1)).resized_size
        assumed.append(
            f"pictures resized to {shorter_px} px ({preprocessing.interpolation}) and cropped to "
            f"{preprocessing.input_px} px"
        )
    return f"Tensors do not tell everything; assumed are: {', '.join(assumed)}."
