"""Check the inputs that scripts give to the functions of this package."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from convnext_studio.common.errors import StudioError
from convnext_studio.model.loaded import LoadedModel

_HOW = "Make it with `model.preprocess(picture)`."


def checked_input(model: LoadedModel, tensor: Tensor) -> Tensor:
    """Return one normalised picture, (1, C, H, W), in float32, or in float64 if the network is.

    Raises
    ------
    StudioError
        If it is something else; the message says what is wanted.
    """
    wanted = f"(1, {model.config.in_chans}, height, width)"
    if not isinstance(tensor, Tensor):
        raise StudioError(f"The input is of the kind “{type(tensor).__name__}”, not a tensor {wanted}.", _HOW)
    if tensor.ndim != 4 or tensor.shape[:2] != (1, model.config.in_chans):
        raise StudioError(f"The input is a tensor {_told(tensor)}, but one {wanted} is wanted.", _HOW)
    if not tensor.is_floating_point():
        raise StudioError(
            f"The input has {str(tensor.dtype).removeprefix('torch.')} numbers; normalised ones are wanted.",
            _HOW,
        )
    if min(tensor.shape[2:]) < 1:
        raise StudioError(f"The input is an empty tensor {_told(tensor)}.", _HOW)
    _refuse_codes(tensor)
    if tensor.device != model.device:
        raise StudioError(
            f"The input is on {tensor.device}, and the network on {model.device}.", "Move it there."
        )
    # A network that somebody made exact takes exact pictures.
    exact = tensor.to(torch.float64 if _is_exact(model) else torch.float32)
    # On another device, a look at the values would wait for all that is queued there.
    if exact.device.type == "cpu" and not exact.isfinite().all():
        raise StudioError(
            "The input has values that are not finite numbers.", "Replace NaN and infinity in it."
        )
    return exact


def _refuse_codes(tensor: Tensor) -> None:
    if tensor.layout != torch.strided or tensor.is_quantized:
        raise StudioError(
            "The input is a sparse or quantised tensor; one with all of its numbers is wanted.", _HOW
        )


def _is_exact(model: LoadedModel) -> bool:
    return any(each.dtype == torch.float64 for each in model.module.parameters())


def checked_inputs(model: LoadedModel, tensors: Tensor | Iterable[Tensor]) -> Iterator[Tensor]:
    """Yield the pictures of a batch (N, C, H, W), or of any number of (1, C, H, W), one by one.

    Raises
    ------
    StudioError
        If they are something else, or of several sizes.
    """
    if isinstance(tensors, Tensor):
        if tensors.ndim != 4:
            wanted = f"(N, {model.config.in_chans}, height, width)"
            raise StudioError(f"The input is a tensor {_told(tensors)}, but a batch {wanted} is wanted.", _HOW)
        _refuse_codes(tensors)
        tensors = [tensors[index : index + 1] for index in range(len(tensors))]
    elif not isinstance(tensors, Iterable):
        raise StudioError(
            f"The inputs are of the kind “{type(tensors).__name__}”.", "Give a batch, or a list of tensors."
        )
    size: torch.Size | None = None
    for tensor in tensors:
        checked = checked_input(model, tensor)
        if size is not None and checked.shape != size:
            raise StudioError(
                f"The inputs have several sizes: {_told(checked)} and ({', '.join(map(str, size))}).",
                "Give them all the same size.",
            )
        size = checked.shape
        yield checked


def _told(tensor: Tensor) -> str:
    return f"({', '.join(map(str, tensor.shape))})"
