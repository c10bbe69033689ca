"""Read a weights file of any known format, and infer its architecture."""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path

import torch
from msgspec import Struct, field
from msgspec.structs import replace
from safetensors import SafetensorError, safe_open
from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.plain_reasons import plain_reason
from convnext_studio.common.processes.out_of_memory import is_out_of_memory
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.preprocessing import Preprocessing
from convnext_studio.model.weights.beside.class_names import cleaned, fitting, names_beside, names_inside
from convnext_studio.model.weights.beside.companion_files import CompanionFiles
from convnext_studio.model.weights.beside.config_files import (
    CLIP_MEAN,
    CLIP_STD,
    is_multi_label_inside,
    preprocessing_in_openmmlab,
    read_companion_files,
)
from convnext_studio.model.weights.beside.json_files import read_json
from convnext_studio.model.weights.beside.licences import known_licence
from convnext_studio.model.weights.checkpoint import METADATA_KEY, read_studio_file
from convnext_studio.model.weights.containers.exported_programs import read_onnx
from convnext_studio.model.weights.containers.headers import PERHAPS_TRUNCATED, file_kind, read_header
from convnext_studio.model.weights.containers.pickles import (
    FileContents,
    read_legacy,
    read_plain_pickle,
    read_zip,
)
from convnext_studio.model.weights.fitting import check_tensors, join_names
from convnext_studio.model.weights.names.converting import Converted, convert
from convnext_studio.model.weights.names.formats import DINOV3_FORMATS, DINOV3_META, TORCHVISION, Format
from convnext_studio.model.weights.names.inference import shapes_of
from convnext_studio.model.weights.names.lora import CONFIG_NAME
from convnext_studio.model.weights.weights_files import INDEX_ENDING, shards, weights_file

IMAGENET_CLASSES = 1000
_MULTI_LABEL = (
    "Several of its classes can be right at once: each percentage is a sigmoid of its own, and they need not "
    "add up to 100 %."
)
_OBJECTS_TOLD = 8
_KNOWN_TYPES = frozenset(
    {
        *("BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64", "F4", "F8_E4M3", "F8_E5M2", "F8_E8M0"),
        *("F16", "BF16", "F32", "F64", "C64"),
    }
)
"""The types of numbers that safetensors hands to torch."""
_HARMFUL = """
__builtin__ __builtins__ _aix_support _ctypes _frozen_importlib _frozen_importlib_external _imp _io
_operator _osx_support _pickle _posixsubprocess _pyrepl _signal _sqlite3 _thread aiohttp asyncio atexit bdb
builtins cProfile cloudpickle code codecs codeop commands compileall copyreg ctypes dill distutils doctest
ensurepip ftplib gc http httplib httpx idlelib imaplib importlib inspect io joblib lib2to3 linecache marshal
mmap multiprocessing nntplib nt numpy.f2py numpy.testing operator os pdb pexpect pickle pip pkgutil poplib
posix profile pty py_compile pydoc requests runpy shutil signal site smtplib socket socketserver sqlite3 ssl
subprocess sys telnetlib tempfile test threading timeit torch._dynamo torch._inductor torch.fx torch.hub
torch.jit torch.serialization torch.utils trace types unittest urllib urllib2 uuid venv webbrowser xmlrpc
zipimport
"""
_HARMFUL_MODULES = frozenset(_HARMFUL.split())
"""A checkpoint that asks for something in these wants something to be done; scanners' lists name them, too."""
WEIGHTS_KEY, RANDOM = "weights", "random, nothing was learnt"
"""The provenance entry of a network that was saved with random weights."""
PROVENANCE_KEY = "provenance"
"""The key of the provenance in a checkpoint that was saved here in another layout."""
GREY_MEAN, GREY_STD = (0.449,), (0.226,)
"""The means of ImageNet's values for red, green and blue."""
_TORCHVISION_RESIZED_PX: dict[tuple[tuple[int, ...], int], int] = {
    ((3, 3, 9, 3), 96): 236,
    ((3, 3, 27, 3), 96): 230,
    ((3, 3, 27, 3), 128): 232,
    ((3, 3, 27, 3), 192): 232,
}
"""The shorter side before the crop of 224 px for torchvision's weights, by depths and first width."""


class Weights(Struct, frozen=True, kw_only=True):
    """Weights that fit their architecture.

    Attributes
    ----------
    config
        The architecture; what cannot be read off the tensors is as the caller asked, or else as usual.
    state_dict
        The tensors of our network in the file's dtype, memory-mapped if the file is large.
    labels
        Class names in plain English; empty if unknown.
    preprocessing
        How pictures are turned into the network's input.
    title
        The display name; empty if the file has none.
    notes
        Sentences to be shown to the user.
    provenance
        Where the weights come from, as pairs of name and text, to be kept when they are saved.
    random_weights
        Whether the weights are random.
    is_stem_untold
        Whether the file does not state the stride and padding of the stem, so that the usual values, or those
        that were asked for, are used.
    part, other_parts
        Where in the file the network is, and what else there could be opened instead.
    has_classes, is_multi_label
        Whether the outputs are classes, and whether several of them can be right.
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
    part: str = ""
    other_parts: tuple[str, ...] = ()
    has_classes: bool = True
    is_multi_label: bool = False


class Stem(Struct, frozen=True):
    """A stride and padding given by the user, where the source states none or is wrong."""

    stride: int | None = None
    padding: int | None = None

    def applied_to(self, config: ConvNeXtConfig) -> ConvNeXtConfig:
        """Return the config with the given stride and padding."""
        return replace(
            config,
            stem_stride=config.stem_stride if self.stride is None else self.stride,
            stem_padding=config.stem_padding if self.padding is None else self.padding,
        )


def read_weights(path: Path, stem: Stem, part: str = "") -> Weights:
    """Read a weights file of any known format, and infer its architecture if it does not state one.

    Parameters
    ----------
    part
        The prefix of the network to open, where the file holds several; see
        `convnext_studio.model.weights.names.converting.convert`.

    Raises
    ------
    StudioError
        If it is not a weights file, is damaged or unsafe, or if tensors are missing or unexpected (the message
        names them).
    """
    path = weights_file(path)
    is_index = path.name.endswith(INDEX_ENDING)
    if not is_index and file_kind(path) == "safetensors" and METADATA_KEY in read_header(path).metadata:
        return _own(path, stem)
    contents = read_contents(path)
    unread: list[str] = []
    found = convert(contents.values, contents.size_bytes, part, read_json(path.with_name(CONFIG_NAME), unread))
    inferred = found.config
    companions = read_companion_files(path, found.format, inferred)
    config = stem.applied_to(companions.config)
    provenance = {
        **known_licence(path, found.format, found.left_out),
        **companions.provenance,
        **_provenance_in(contents.values),
    }
    notes = [
        *check_contents(found, config),
        *found.notes,
        *unread,
        *companions.notes,
        *describe_provenance(provenance),
    ]
    notes += describe_objects(contents.names)
    if (
        companions.preprocessing is None
        and (told := preprocessing_in_openmmlab(contents.values, config.in_chans)) is not None
    ):
        companions = replace(companions, preprocessing=told)
        notes.append("Mean, standard deviation and sizes are from the config in the checkpoint.")
    preprocessing = companions.preprocessing or usual_preprocessing(found.format, config)
    notes.append(_assumptions(config, stem, companions, preprocessing))
    is_multi_label = found.has_classes and (companions.is_multi_label or is_multi_label_inside(contents.values))
    if is_multi_label and config.num_classes > 1:
        notes.append(_MULTI_LABEL)
    if config.in_chans not in (1, 3):
        taken = f"It takes {config.in_chans} channels"
        notes.append(f"{taken}: the bands of a picture with as many, or chosen ones.")
    labels, notes_of_labels = _labels(path, contents, found, companions)
    notes += notes_of_labels
    return Weights(
        config=config,
        state_dict=found.state_dict,
        labels=labels,
        preprocessing=preprocessing,
        notes=tuple(notes),
        provenance=provenance,
        random_weights=provenance.get(WEIGHTS_KEY) == RANDOM,
        is_stem_untold=config.stem_type == "patch",
        part=found.part,
        other_parts=found.other_parts,
        has_classes=found.has_classes,
        is_multi_label=is_multi_label,
    )


def _labels(
    path: Path, contents: FileContents, found: Converted, companions: CompanionFiles
) -> tuple[tuple[str, ...], list[str]]:
    """Return the class names, and sentences about them; none if the outputs are no classes or have no names."""
    if not found.has_classes:
        return (), []
    if companions.labels:
        return cleaned(companions.labels), []
    classes = found.state_dict["head.weight"].shape[0]
    sources = chain(names_inside(contents.values, dict(contents.metadata)), names_beside(path))
    labels, notes = fitting(sources, classes)
    if not labels and classes == IMAGENET_CLASSES:
        return imagenet_labels(), [*notes, "Its 1000 classes are assumed to be those of ImageNet."]
    return labels, notes


def _provenance_in(contents: object) -> dict[str, str]:
    """Return the provenance in a checkpoint that was saved here; empty if it has none of that form."""
    said = contents.get(PROVENANCE_KEY) if isinstance(contents, Mapping) else None
    if not isinstance(said, Mapping):
        return {}
    return {name: text for name, text in said.items() if isinstance(name, str) and isinstance(text, str)}


def read_contents(path: Path) -> FileContents:
    """Read the contents of a file without running any code in it; large tensors are memory-mapped.

    Raises
    ------
    StudioError
        If it is not a weights file, or is damaged.
    """
    if path.name.endswith(INDEX_ENDING):
        parts = [read_contents(shard) for shard in shards(path)]
        values = {
            name: leaf
            for part in parts
            if isinstance(part.values, Mapping)
            for name, leaf in part.values.items()
        }
        names = tuple(dict.fromkeys(name for part in parts for name in part.names))
        return FileContents(values=values, names=names, size_bytes=sum(part.size_bytes for part in parts))
    return replace(_contents_of_file(path), size_bytes=path.stat().st_size)


def _contents_of_file(path: Path) -> FileContents:
    match file_kind(path):
        case "onnx":
            return FileContents(values=read_onnx(path))
        case "zip":
            return read_zip(path)
        case "legacy":
            return read_legacy(path)
        case "pickle":
            return read_plain_pickle(path)
        case "safetensors":
            header = read_header(path)
    try:
        with safe_open(path, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in header.shapes}
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        unknown = next((name for name, kind in header.dtypes.items() if kind not in _KNOWN_TYPES), None)
        if unknown is not None:
            raise StudioError(
                f"{path.name} has numbers of a type that is not known here: {unknown[:80]} has "
                f"“{header.dtypes[unknown]}”.",
                "Save the network with float32, float16 or bfloat16 numbers.",
            ) from error
        raise StudioError(f"{path.name} is damaged: {plain_reason(error)}.", PERHAPS_TRUNCATED) from error
    return FileContents(values=tensors, metadata=tuple(header.metadata.items()))


def check_contents(found: Converted, config: ConvNeXtConfig) -> list[str]:
    """Check that the tensors are those of the network, and return warnings about their values.

    Raises
    ------
    StudioError
        If they are not, or are not floating point.
    """
    check_tensors(config, shapes_of(found.state_dict), found.names_in_file)
    for name, tensor in found.state_dict.items():
        if not tensor.dtype.is_floating_point:
            raise StudioError(
                f"The file contains tensors that are not floating point: {found.names_in_file.get(name, name)} "
                f"has {_kind_of_numbers(tensor.dtype)}.",
                "The weights of a network are real numbers; quantised ones cannot be opened.",
            )
    return warn_not_finite(
        {found.names_in_file.get(name, name): tensor for name, tensor in found.state_dict.items()}
    )


def _kind_of_numbers(dtype: torch.dtype) -> str:
    if dtype.is_complex:
        return "complex numbers"
    return "only true and false" if dtype == torch.bool else f"{str(dtype).removeprefix('torch.')} numbers"


def imagenet_labels(subset: str = "imagenet-1k") -> tuple[str, ...]:
    """Return the class names of an ImageNet subset in plain English, in the usual order."""
    # Imported here because timm takes seconds to import, and most files need no ImageNet labels.
    from timm.data.imagenet_info import ImageNetInfo

    return tuple(str(name) for name in ImageNetInfo(subset).label_descriptions())


def warn_not_finite(state_dict: Mapping[str, Tensor]) -> list[str]:
    """Return one sentence about tensors with values that are not finite, or none."""
    names = [name for name, tensor in state_dict.items() if not _is_finite(tensor)]
    if not names:
        return []
    counted = "1 tensor contains" if len(names) == 1 else f"{len(names)} tensors contain"
    return [f"{counted} values that are not finite: {join_names(names)}."]


def _is_finite(tensor: Tensor) -> bool:
    if tensor.itemsize == 1:
        tensor = tensor.float()  # torch computes nothing with float8.
    # A sum reads the numbers once and writes none; it exceeds float32 for finite ones only where they are huge.
    return bool(tensor.sum(dtype=torch.float32).isfinite()) or bool(tensor.isfinite().all())


def describe_provenance(provenance: Mapping[str, str]) -> list[str]:
    """Return one sentence for each entry of the provenance."""
    return [f"{name.capitalize()}: {text}" for name, text in provenance.items()]


def describe_objects(names: tuple[str, ...]) -> list[str]:
    """Return one sentence about what a file would have imported, or none; what can do harm comes first."""
    if not names:
        return []
    harmful = [name for name in names if _is_harmful(name)]
    told = join_names([*harmful, *(name for name in names if name not in harmful)], _OBJECTS_TOLD)
    if harmful:
        return [f"Take care where this file comes from: it asks for {told}. Nothing of it was run."]
    return [f"Objects in the file were neither made nor run: {told}."]


def _is_harmful(name: str) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:count]) in _HARMFUL_MODULES for count in range(1, len(parts)))


def _own(path: Path, stem: Stem) -> Weights:
    file = read_studio_file(path)
    return Weights(
        config=stem.applied_to(file.config),
        state_dict=file.state_dict,
        labels=cleaned(file.labels),
        preprocessing=file.preprocessing,
        title=file.title,
        notes=(
            *warn_not_finite(file.state_dict),
            *describe_provenance(file.provenance),
            *([_MULTI_LABEL] if file.is_multi_label and file.config.num_classes > 1 else []),
        ),
        provenance=file.provenance,
        random_weights=file.provenance.get(WEIGHTS_KEY) == RANDOM,
        is_multi_label=file.is_multi_label,
    )


def usual_preprocessing(format_: Format, config: ConvNeXtConfig) -> Preprocessing:
    """Return the usual preprocessing for networks in that format, mostly at 224 px."""
    if not format_.classifies:
        return Preprocessing(crop_fraction=1.0, mean=CLIP_MEAN, std=CLIP_STD)
    if format_ in DINOV3_FORMATS:
        # Meta's README squashes to 256 px; transformers to 224, in floating point.
        is_metas = format_ is DINOV3_META
        side = 256 if is_metas else 224
        return Preprocessing(
            input_px=side, crop_fraction=1.0, interpolation="bilinear", squash=True, resizes_floats=not is_metas
        )
    if config.in_chans == 1:
        return Preprocessing(mean=GREY_MEAN, std=GREY_STD)
    if format_ is TORCHVISION:
        resized_px = _TORCHVISION_RESIZED_PX.get((config.depths, config.dims[0]), 232)
        return Preprocessing(crop_fraction=224 / resized_px, interpolation="bilinear")
    return Preprocessing()


def _assumptions(
    config: ConvNeXtConfig, stem: Stem, companions: CompanionFiles, preprocessing: Preprocessing
) -> str:
    assumed = []
    if config.stem_type == "patch" and stem.stride is None:
        assumed.append(f"stem stride {config.stem_stride}")
    if config.stem_type == "patch" and stem.padding is None:
        assumed.append(f"stem padding {config.stem_padding}")
    if config.norm == "simple":
        assumed.append("norms by the standard deviation (timm's simple norm)")
    assumed.append(f"norm epsilon {config.norm_eps:g}")
    if not companions.is_act_known:
        assumed.append("GELU")
    if companions.preprocessing is None:
        shorter_px, _ = preprocessing.geometry((1, 1)).resized_size
        px = preprocessing.input_px
        then = f"squashed to {px} × {px} px" if preprocessing.squash else f"resized to {shorter_px} px"
        cropped = "" if preprocessing.squash else f" and cropped to {px} px"
        assumed.append(f"pictures {then} ({preprocessing.interpolation}){cropped}")
    return f"The tensors do not determine everything. Assumed: {', '.join(assumed)}."
