"""What the calls in a pickle stand for, of those that tensors, arrays and plain values are made of.

The functions themselves are never looked up: each is known here by its name, and by what it would make.
"""

import re
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convnext_studio.model.weights.containers.pickle_values import (
    TENSOR_CLASSES,
    DamagedPickleError,
    Named,
    NumpyType,
    Storage,
    StoredArray,
    StoredTensor,
    Stub,
    is_key,
)

MOST_AXES = 8
_LARGEST_SCALAR_BYTES = 4096
_NUMBERS = re.compile(r"[fiu][1248]|b1|c(8|16)")
_OTHER_NUMBERS = re.compile(r"[fc]\d{1,3}")
"""Those that are longer than torch has them."""
_TEXT = re.compile(r"U([1-9]\d{0,3})")


class Machine(Protocol):
    """What a call may ask of the machine that reads the pickle."""

    def charge(self, work: int) -> None:
        """Count work that was done."""

    def call(self, called: Any, arguments: Any) -> Any:
        """Return what another call stands for."""

    def storage_in(self, content: object) -> Storage:
        """Return the storage that lies in bytes of the pickle."""


def _mapping(reader: Machine, *arguments: Any) -> dict[Any, Any]:
    source = arguments[-1] if arguments else None
    if isinstance(source, dict):
        return source
    if not isinstance(source, list):
        return {}
    reader.charge(len(source))
    return {
        pair[0]: pair[1]
        for pair in source
        if isinstance(pair, list | tuple) and len(pair) == 2 and is_key(pair[0])
    }


def _sequence(_reader: Machine, *arguments: Any) -> Any:
    return arguments[0] if arguments and isinstance(arguments[0], list | tuple) else []


def _list(reader: Machine, *arguments: Any) -> list[Any]:
    """Return a list of its own, to which a pickle may add."""
    items = _sequence(reader, *arguments)
    reader.charge(len(items))
    return list(items)


def _size(reader: Machine, *arguments: Any) -> tuple[Any, ...]:
    items = _sequence(reader, *arguments)
    reader.charge(len(items))
    return tuple(items)


def _encoded(reader: Machine, text: Any = "", *_encoding: Any) -> bytes:
    if not isinstance(text, str):
        raise DamagedPickleError("bytes are written in another way")
    reader.charge(len(text) // 64)
    return text.encode("latin-1")


def _text(_reader: Machine, *arguments: Any) -> str:
    return str(arguments[0])[:64] if arguments and isinstance(arguments[0], str) else ""


def _axes(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or len(values) > MOST_AXES:
        raise DamagedPickleError("a tensor has a strange shape")
    if not all(isinstance(value, int) and 0 <= value < 2**48 for value in values):
        raise DamagedPickleError("a tensor has a strange shape")
    return tuple(values)


def _tensor(
    _reader: Machine,
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    _requires_grad: Any = False,
    _hooks: Any = None,
    metadata: Any = None,
) -> StoredTensor:
    if not isinstance(storage, Storage) or not isinstance(offset, int) or offset < 0:
        raise DamagedPickleError("a tensor has no storage")
    negated = isinstance(metadata, dict) and bool(metadata.get("neg"))
    return StoredTensor(storage, offset, _axes(size), _axes(stride), storage.dtype, is_negated=negated)


def _tensor_of_dtype(
    reader: Machine, storage: Any, offset: Any, size: Any, stride: Any, *others: Any
) -> StoredTensor:
    # The arguments after the stride: requires_grad, hooks, dtype, metadata.
    tensor = _tensor(reader, storage, offset, size, stride)
    dtype = others[2]
    if not isinstance(dtype, Named):
        raise DamagedPickleError("a tensor has a strange type")
    tensor.dtype = dtype.name
    return tensor


def _first(_reader: Machine, *arguments: Any) -> Any:
    return arguments[0]


def _of_kind(kind: str, shape_at: int | None = None) -> Callable[..., StoredTensor]:
    def made(_reader: Machine, *arguments: Any) -> StoredTensor:
        shape = arguments[shape_at] if shape_at is not None else ()
        return StoredTensor(None, 0, _axes(shape), (), "", kind)

    return made


def _sparse(_reader: Machine, *arguments: Any) -> StoredTensor:
    data = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], tuple) else ()
    shapes = [item for item in data if isinstance(item, tuple)]
    return StoredTensor(None, 0, _axes(shapes[0]) if shapes else (), (), "", "sparse")


def _of_type(reader: Machine, function: Any, kind: Any, arguments: Any, *_state: Any) -> Any:
    made = reader.call(function, arguments)
    if isinstance(kind, Named) and kind.full_name in TENSOR_CLASSES:
        return made
    return Stub(kind.full_name if isinstance(kind, Named) else "a class", (made,))


def _of_array(_reader: Machine, array: Any, *_others: Any) -> Any:
    return array


def _in_bytes(reader: Machine, content: Any) -> Storage:
    return reader.storage_in(content)


def _new_array(_reader: Machine, *_arguments: Any) -> StoredArray:
    return StoredArray()


def _numpy_type(_reader: Machine, code: Any = "", *_others: Any) -> NumpyType:
    return NumpyType(code if isinstance(code, str) else "")


def fill_array(array: StoredArray, state: Any) -> None:
    """Give an array of numpy the shape, type and values that a pickle sets as its state."""
    _version, shape, kind, is_fortran, content = state
    _set_values(array, shape, kind, content, bool(is_fortran))


def _set_values(array: StoredArray, shape: Any, kind: Any, content: Any, is_fortran: bool) -> None:
    array.shape = _axes(shape)
    if isinstance(kind, NumpyType) and len(array.shape) < 2:
        array.texts = _texts(kind, content)
    if not isinstance(kind, NumpyType) or not _NUMBERS.fullmatch(kind.code):
        array.kind = kind.code if isinstance(kind, NumpyType) and _OTHER_NUMBERS.fullmatch(kind.code) else ""
        return
    content = content.encode("latin-1") if isinstance(content, str) else content
    dtype = np.dtype(kind.code).newbyteorder(">" if kind.order == ">" else "<")
    values: NDArray[Any] = np.frombuffer(content, dtype)
    array.values = values.reshape(array.shape, order="F" if is_fortran else "C")


def _texts(kind: NumpyType, content: Any) -> list[str] | None:
    """Return the texts of an array of them, or of an array of objects if all of these are texts."""
    if kind.code == "O8" and isinstance(content, list):
        return list(content) if all(isinstance(text, str) for text in content) else None
    found = _TEXT.fullmatch(kind.code)
    if found is None or not isinstance(content, bytes) or kind.order == ">":
        return None
    each = 4 * int(found[1])
    padded = (content[at : at + each] for at in range(0, len(content), each))
    return [text.decode("utf-32-le", "replace").rstrip("\0") for text in padded]


def _array_of_bytes(
    _reader: Machine, content: Any, kind: Any, shape: Any, order: Any, *_axes_order: Any
) -> StoredArray:
    array = StoredArray()
    _set_values(array, shape, kind, content, order == "F")
    return array


def _scalar(_reader: Machine, kind: Any, content: Any = b"") -> Any:
    array = StoredArray()
    content = content.encode("latin-1") if isinstance(content, str) else content
    if isinstance(content, bytes) and len(content) <= _LARGEST_SCALAR_BYTES:
        _set_values(array, (), kind, content, is_fortran=False)
    if array.texts is not None:
        return "".join(array.texts)
    return None if array.values is None else array.values.item()


def _reconstructed(reader: Machine, kind: Any, _base: Any = None, state: Any = None) -> Any:
    return reader.call(kind, () if state is None else (state,))


CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _mapping,
    ("collections", "Counter"): _mapping,
    ("collections", "defaultdict"): lambda reader, *_factory: _mapping(reader),
    ("collections", "deque"): _list,
    **{(module, "dict"): _mapping for module in ("builtins", "__builtin__")},
    **{
        (module, name): _sequence
        for module in ("builtins", "__builtin__")
        for name in ("list", "tuple", "set", "frozenset")
    },
    ("_codecs", "encode"): _encoded,
    ("torch", "Size"): _size,
    ("torch", "device"): _text,
    ("torch.serialization", "_get_layout"): _text,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor_of_dtype,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch._utils", "_rebuild_parameter_with_state"): _first,
    ("torch._utils", "_rebuild_sparse_tensor"): _sparse,
    ("torch._utils", "_rebuild_sparse_csr_tensor"): _sparse,
    ("torch._utils", "_rebuild_nested_tensor"): _of_kind("nested"),
    ("torch._utils", "_rebuild_qtensor"): _of_kind("quantised", 2),
    ("torch._utils", "_rebuild_meta_tensor_no_storage"): _of_kind("meta", 1),
    ("torch._utils", "_rebuild_device_tensor_from_numpy"): _of_array,
    ("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"): _of_array,
    ("torch._utils", "_rebuild_xla_tensor"): _of_array,
    ("torch._tensor", "_rebuild_from_type"): _of_type,
    ("torch._tensor", "_rebuild_from_type_v2"): _of_type,
    ("torch.storage", "_load_from_bytes"): _in_bytes,
    **{(module, "_reconstruct"): _new_array for module in ("numpy.core.multiarray", "numpy._core.multiarray")},
    **{(module, "scalar"): _scalar for module in ("numpy.core.multiarray", "numpy._core.multiarray")},
    **{(module, "_frombuffer"): _array_of_bytes for module in ("numpy.core.numeric", "numpy._core.numeric")},
    ("numpy", "dtype"): _numpy_type,
    ("copyreg", "_reconstructor"): _reconstructed,
    ("copy_reg", "_reconstructor"): _reconstructed,
}
