"""Network architectures and their weights. `load` opens a model by its name or from a file."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convnext_studio.model.config import ConvNeXtConfig
    from convnext_studio.model.convnext import Block, ConvNeXt, LayerNorm
    from convnext_studio.model.loaded import LoadedModel, load

__all__ = ["Block", "ConvNeXt", "ConvNeXtConfig", "LayerNorm", "LoadedModel", "load"]

_HOME = {
    "Block": "convnext",
    "ConvNeXt": "convnext",
    "ConvNeXtConfig": "config",
    "LayerNorm": "convnext",
    "LoadedModel": "loaded",
    "load": "loaded",
}


def __getattr__(name: str) -> Any:
    # Imported on first use: the window imports model.config and must not import torch with it.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
