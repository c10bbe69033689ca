"""What a pickle describes: the values that stand for what it would make, none of which can do anything."""

import re
from mmap import mmap
from typing import Any

from msgspec import Struct, field
from numpy.typing import NDArray

LARGEST_KEY = 2**53
"""Larger whole numbers can be chosen so that a dict of them takes hours."""

Buffer = bytes | mmap


class DamagedPickleError(ValueError):
    """The instructions do not fit together, or the file ends among them."""


class TooManyObjectsError(ValueError):
    """There are more instructions than any checkpoint has."""


class Named(Struct, eq=False):
    """A function or class that a pickle names, and that is never looked up."""

    module: str
    name: str

    @property
    def full_name(self) -> str:
        """The module and the name, with a dot between them."""
        return f"{self.module}.{self.name}"


class Stub(Struct, eq=False):
    """What stands in place of an object that was not made.

    Attributes
    ----------
    what
        The name of the function or class that the pickle would call.
    arguments, state, items
        What the pickle gives to it.
    """

    what: str
    arguments: tuple[Any, ...] = ()
    state: Any = None
    items: list[Any] = field(default_factory=list)


class Storage(Struct, eq=False):
    """The memory that tensors lie in.

    Attributes
    ----------
    key
        Its name in the file.
    dtype
        torch's name for the type of its numbers; empty for bytes.
    count
        How many numbers it says that it has.
    buffer, start, size_bytes
        Where its bytes are, once that is known.
    """

    key: str
    dtype: str
    count: int
    buffer: Buffer | None = None
    start: int = 0
    size_bytes: int = 0


class StoredTensor(Struct, eq=False):
    """A tensor that can be made of bytes in the file.

    Attributes
    ----------
    storage, offset, shape, stride
        The memory it lies in, and where, counted in numbers.
    dtype
        torch's name for the type of its numbers.
    kind
        Empty for an ordinary tensor; otherwise the word for what it is, such as "sparse".
    is_negated
        Whether its numbers are stored with the opposite sign.
    """

    storage: Storage | None
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: str
    kind: str = ""
    is_negated: bool = False


class StoredArray(Struct, eq=False):
    """An array of numpy.

    Attributes
    ----------
    shape
        Its sides.
    values
        Its numbers; None if it holds none that can be read.
    texts
        Its texts; None if it is not one row of texts.
    kind
        The code of the type of its numbers, where they are of a type that cannot be read; otherwise empty.
    """

    shape: tuple[int, ...] = ()
    values: NDArray[Any] | None = None
    texts: list[str] | None = None
    kind: str = ""

    @property
    def dtype(self) -> str:
        """The name of the type of its numbers."""
        return "object" if self.values is None else str(self.values.dtype)


class NumpyType(Struct, eq=False):
    """The type of an array of numpy: its code, such as ``f4``, and the order of its bytes."""

    code: str
    order: str = "<"


STORAGE_TYPES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
    "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32",
    "QUInt4x2Storage": "quint4x2",
    "QUInt2x4Storage": "quint2x4",
    "UntypedStorage": "",
}
_DTYPE = re.compile(r"(b?float|u?int|complex|bool)\w*")
TENSOR_CLASSES = ("torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer")
TORCHSCRIPT = "__torch__."
"""How the names of the modules in a TorchScript program begin; these are no Python classes."""


def is_key(key: object) -> bool:
    """Return whether a dict can have that key without work that nobody expects; others are left out.

    The hash of nested tuples, and a dict of large numbers, can take for ever.
    """
    return isinstance(key, str | bytes | bool) or (isinstance(key, int) and abs(key) < LARGEST_KEY)


def is_constant(named: Named) -> bool:
    """Return whether a name stands for a type of tensors or of plain values, which is not called."""
    if named.module == "torch":
        return named.name in STORAGE_TYPES or _DTYPE.fullmatch(named.name) is not None
    return (
        (named.module == "torch.storage" and named.name in ("TypedStorage", "UntypedStorage"))
        or named.full_name in TENSOR_CLASSES
        or named.full_name in ("numpy.ndarray", "builtins.int", "builtins.float", "builtins.str")
        or named.module.startswith(TORCHSCRIPT.rstrip("."))
    )
