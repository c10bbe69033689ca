"""Save a model in our own file format, or in the layout of the authors' implementations."""

import shutil
from pathlib import Path

import torch

from convnext_studio.common.errors import StudioError
from convnext_studio.common.files import checked_ending, not_written, written_whole
from convnext_studio.model.architecture import WeightsLayout
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.weights.checkpoint import SUFFIX, StudioFile, write_studio_file
from convnext_studio.model.weights.reading import PROVENANCE_KEY, RANDOM, WEIGHTS_KEY

ENDINGS: dict[WeightsLayout, tuple[str, ...]] = {
    "studio": (SUFFIX,),
    "facebookresearch": (".pth", ".pt", ".bin", ".ckpt"),
}
"""The endings that a file may have in each layout: safetensors are never called ``.pth``."""


def layout_of(path: Path) -> WeightsLayout:
    """Return the layout of a weights file with that name; a StudioError if its ending stands for none."""
    ending = checked_ending(path, [each for endings in ENDINGS.values() for each in endings], "Weights")
    return next(layout for layout, endings in ENDINGS.items() if ending in endings)


def save_as(model: LoadedModel, path: Path | str, layout: WeightsLayout | None = None) -> None:
    """Write the weights of a model, under a temporary name first, so that `path` never holds half a file.

    Parameters
    ----------
    path
        The file to write; an existing file is replaced.
    layout
        By default the one that the ending of the file stands for. ``studio`` is our own file format
        (safetensors, float32), which keeps everything. ``facebookresearch`` is a ``.pth`` file with the tensor
        names of the authors' implementations under ``model`` and the provenance under ``provenance``. It keeps
        neither labels nor preprocessing, nor the stride and padding of the stem.

    Raises
    ------
    StudioError
        If the layout has no names for the network or is not that of the file's ending, or the file cannot be
        written.
    """
    path, module = Path(path), model.module
    if not isinstance(module, ConvNeXt):
        raise StudioError(
            "Only a ConvNeXt can be saved.", "The weights of other families stay in timm's cache."
        )
    layout = layout or layout_of(path)
    checked_ending(path, ENDINGS[layout], f"Weights in the layout “{layout}”")
    _check_room(path, 4 * sum(tensor.numel() for tensor in module.state_dict().values()))
    provenance = dict(model.provenance)
    if model.random_weights:
        provenance[WEIGHTS_KEY] = RANDOM
    if layout == "facebookresearch":
        _write_facebook(module, path, provenance)
        return
    file = StudioFile(
        config=module.config,
        state_dict=module.state_dict(),
        labels=model.labels,
        preprocessing=model.preprocessing,
        title=model.title,
        provenance=provenance,
        is_multi_label=model.is_multi_label,
    )
    write_studio_file(path, file, torch.float32)


def _check_room(path: Path, needed_bytes: int) -> None:
    """Raise a StudioError if the disk has too little room to write the file next to the old one."""
    try:
        free_bytes = shutil.disk_usage(path.parent).free
    except OSError as error:
        raise not_written(path, error) from error
    if free_bytes < needed_bytes:
        raise StudioError(
            f"{path} could not be written: it needs {needed_bytes / 1e6:,.0f} MB, and the disk has "
            f"{free_bytes / 1e6:,.0f} MB left.",
            "Make room, or choose another disk.",
        )


def _write_facebook(module: ConvNeXt, path: Path, provenance: dict[str, str]) -> None:
    config = module.config
    if lost := _not_in_facebook(config):
        raise StudioError(
            f"The facebookresearch layout cannot store this network's {', '.join(lost)}.",
            "Save it in ConvNeXt Studio's own format, which keeps everything.",
        )
    tensors = {name: tensor.detach().cpu() for name, tensor in module.state_dict().items()}
    if len(config.depths) == 1:
        tensors = {_isotropic(name): tensor for name, tensor in tensors.items()}
    contents: dict[str, object] = {"model": tensors}
    if provenance:
        contents[PROVENANCE_KEY] = provenance
    with written_whole(path) as stream:
        torch.save(contents, stream)


def _isotropic(name: str) -> str:
    return name.replace("downsample_layers.0.0.", "stem.").replace("stages.0.", "blocks.")


def _not_in_facebook(config: ConvNeXtConfig) -> list[str]:
    """Return the features of a network that the authors' implementations do not have."""
    isotropic = len(config.depths) == 1
    differs = {
        f"{config.norm} norms": config.norm != "layer",
        f"norm epsilon of {config.norm_eps:g}": config.norm_eps != ConvNeXtConfig().norm_eps,
        f"activation {config.act}": config.act != "gelu",
        "overlapping stem": config.stem_type != "patch",
        "stem without a norm": not isotropic and not config.stem_norm,
        "norm in the stem": isotropic and config.stem_norm,
        "downsampling in the blocks": config.downsample != "separate" and not isotropic,
        f"{config.global_pool} pooling": config.global_pool != "avg",
        f"head norm epsilon of {config.head_norm_eps:g}": config.head_norm_eps not in (0, config.norm_eps),
        "norm before pooling": config.head_norm_first,
        "hidden layer in the head": config.head_hidden_size != 0,
        "dilated stages": max(config.dilations) > 1,
    }
    return [what for what, is_so in differs.items() if is_so]
