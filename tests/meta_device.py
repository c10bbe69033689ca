"""A graphics device that need not be there: torch's ``meta`` device, watched.

Tensors on it have shapes and no values. Whatever would be computed on a GPU runs there in its real order,
forward and backward, so that what mixes devices, and what waits for the device, is found on any machine.
"""

import traceback
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from msgspec.structs import replace
from torch.utils._python_dispatch import TorchDispatchMode

from convnext_studio.model.loaded import LoadedModel

META = torch.device("meta")
_READS_A_NUMBER = torch.ops.aten._local_scalar_dense.default
_COPIES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
# An index that depends on values: a real device has to be waited for, to know how large the result is.
_DEPENDS_ON_VALUES = (torch.ops.aten.nonzero.default, torch.ops.aten.masked_select.default)
_INDEXES = (
    torch.ops.aten.index.Tensor,
    torch.ops.aten.index_put.default,
    torch.ops.aten.index_put_.default,
    torch.ops.aten._index_put_impl_.default,
)


class DevicesMixed(AssertionError):
    """An operation was given tensors of two devices."""


class WatchedDevice(TorchDispatchMode):
    """Counts what waits for the device, and refuses what mixes devices.

    Values that are read from the device are made up: numbers from 0 to 1, whole numbers 0, truths true.

    Attributes
    ----------
    waits
        How often the device was waited for, by the place in the package that did it.
    operations
        How many operations ran on the device.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.operations = 0
        self._generator = torch.Generator().manual_seed(0)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = list(_tensors((args, kwargs)))
        on_device = [tensor for tensor in given if tensor.device == META]
        if not on_device:
            return func(*args, **kwargs)
        self.operations += 1
        if func is _READS_A_NUMBER:
            return self._made_up(on_device[0]).item()
        if func in _COPIES:
            return self._copied(func, args, kwargs)
        others = [tensor for tensor in given if tensor.device != META and tensor.ndim > 0]
        if others:
            raise DevicesMixed(f"{func} got tensors of {META} and {others[0].device}, at {_place()}")
        if func in _DEPENDS_ON_VALUES or (func in _INDEXES and _has_mask(args[1])):
            raise AssertionError(f"{func} waits for the device to know its size, at {_place()}")
        return func(*args, **kwargs)

    def _copied(self, func: Any, args: Any, kwargs: Any) -> Any:
        if func is _COPIES[1]:
            target, source = args[:2]
            if source.device == META and target.device != META:
                return target.copy_(self._read(source))
            return func(*args, **kwargs)
        if kwargs.get("device") not in (None, META) and args[0].device == META:
            return self._read(args[0]).to(kwargs.get("dtype") or args[0].dtype)
        return func(*args, **kwargs)

    def _read(self, tensor: torch.Tensor) -> torch.Tensor:
        """What a copy from the device to the host gives."""
        return self._made_up(tensor)

    def _made_up(self, tensor: torch.Tensor) -> torch.Tensor:
        self.waits[_place()] += 1
        if tensor.is_floating_point():
            return torch.rand(tensor.shape, generator=self._generator, dtype=tensor.dtype)
        return torch.full(tensor.shape, tensor.dtype == torch.bool, dtype=tensor.dtype)


def on_meta(model: LoadedModel) -> LoadedModel:
    """The same network without values, on the watched device."""
    return replace(model, module=model.module.to(META))


def _has_mask(indices: Any) -> bool:
    return any(index is not None and index.dtype in (torch.bool, torch.uint8) for index in indices)


def _tensors(values: Any) -> Iterator[torch.Tensor]:
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, dict):
        yield from _tensors(list(values.values()))
    elif isinstance(values, (tuple, list)):
        for value in values:
            yield from _tensors(value)


def _place() -> str:
    """Where in the package the operation comes from: file, line and text."""
    for frame in reversed(traceback.extract_stack()):
        if (
            "convnext_studio" in frame.filename
            and "/tests/" not in frame.filename
            and "torch" not in frame.filename
        ):
            return f"{frame.filename.rpartition('convnext_studio/')[2]}:{frame.lineno} {frame.line}"
    return "elsewhere"
