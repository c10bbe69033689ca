"""Read a pickle as data, with nothing in it executed.

A pickle is a program for a machine with a stack and a memo. This module is such a machine, and one that can
make nothing but plain values: numbers, texts, lists, tuples, dicts, and descriptions of tensors and arrays. The
names in a pickle are never looked up, so no module is imported, no class made and no function called. What
tensors are made of is known here by name; every other object becomes a `Stub`, which keeps what was given to it
and can do nothing. Work and memory are limited, whatever the instructions say.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from mmap import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_INSTRUCTIONS = 300_000
"""A checkpoint of the largest ConvNeXt with its optimiser has 50,000."""
MOST_AXES = 8
LARGEST_KEY = 2**53
"""Larger whole numbers can be chosen so that a dict of them takes hours."""

Buffer = bytes | mmap


class DamagedPickleError(ValueError):
    """The instructions do not fit together, or the file ends among them."""


class TooManyObjectsError(ValueError):
    """There are more instructions than any checkpoint has."""


@dataclass(slots=True, eq=False)
class Named:
    """A function or class that a pickle names, and that is never looked up."""

    module: str
    name: str

    @property
    def full_name(self) -> str:
        """The module and the name, with a dot between them."""
        return f"{self.module}.{self.name}"


@dataclass(slots=True, eq=False)
class Stub:
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


@dataclass(slots=True, eq=False)
class Storage:
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


@dataclass(slots=True, eq=False)
class StoredTensor:
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


@dataclass(slots=True, eq=False)
class StoredArray:
    """An array of numpy; `values` is None if it does not consist of numbers."""

    shape: tuple[int, ...] = ()
    values: NDArray[Any] | None = None

    @property
    def dtype(self) -> str:
        """The name of the type of its numbers."""
        return "object" if self.values is None else str(self.values.dtype)


@dataclass(slots=True, eq=False)
class _NumpyType:
    code: str
    order: str = "<"


_STORAGE_TYPES = {
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
_NUMBERS = re.compile(r"[fiu][1248]|b1")
_TENSOR_CLASSES = ("torch.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer")
TORCHSCRIPT = "__torch__."
"""How the names of the modules in a TorchScript program begin; these are no Python classes."""


class PickleReader:
    """The machine.

    Parameters
    ----------
    data
        The file, or the part of it that holds the pickle.
    position
        Where the pickle begins; afterwards, where it has ended.
    load_storage
        Reads a storage that lies in the pickle itself, as torch saved it.

    Attributes
    ----------
    storages
        The storages that tensors lie in, by their key.
    names
        What the pickle would import, other than what tensors and plain values are made of, with how often.
    """

    def __init__(
        self, data: Buffer, position: int = 0, load_storage: "Callable[[bytes], Storage] | None" = None
    ) -> None:
        self.data = data
        self.position = position
        self.storages: dict[str, Storage] = {}
        self.names: dict[str, int] = {}
        self._load_storage = load_storage
        self._work = 0
        self._stack: list[Any] = []
        self._marked: list[list[Any]] = []
        self._memo: dict[int, Any] = {}

    def read(self) -> Any:
        """Run the instructions of one pickle, and return what it describes.

        Raises
        ------
        DamagedPickleError
            If they do not fit together.
        TooManyObjectsError
            If there are more of them than in any checkpoint.
        """
        self._stack, self._marked, self._memo = [], [], {}
        data, steps, stop = self.data, _INSTRUCTIONS, _STOP
        try:
            while True:
                opcode = data[self.position]
                self.position += 1
                if opcode == stop:
                    return self._stack.pop()
                self._work += 1
                if self._work > MAX_INSTRUCTIONS:
                    raise TooManyObjectsError
                steps[opcode](self)
        except (TooManyObjectsError, DamagedPickleError):
            raise
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError, struct.error) as error:
            raise DamagedPickleError(str(error)) from error

    def charge(self, work: int) -> None:
        """Count work that was done."""
        self._work += work
        if self._work > MAX_INSTRUCTIONS:
            raise TooManyObjectsError

    # ------------------------------------------------------------------------------------- reading arguments

    def _take(self, count: int) -> bytes:
        start = self.position
        self.position = end = start + count
        if count < 0 or end > len(self.data):
            raise DamagedPickleError("it ends in the middle")
        return self.data[start:end]

    def _number(self, count: int) -> int:
        return int.from_bytes(self._take(count), "little")

    def _check_frame(self) -> None:
        if self._number(8) > len(self.data) - self.position:
            raise DamagedPickleError("it ends in the middle")

    def _line(self) -> bytes:
        end = self.data.find(b"\n", self.position)
        if end < 0:
            raise DamagedPickleError("it ends in the middle")
        line = self.data[self.position : end]
        self.position = end + 1
        return line

    # -------------------------------------------------------------------------------------------- the stack

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _mark(self) -> None:
        self._marked.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marked.pop()
        return items

    def _pop(self) -> None:
        if self._stack:
            self._stack.pop()
        else:
            self._since_mark()

    def _remember(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def _push_tuple(self, count: int) -> None:
        items = tuple(self._stack[-count:])
        if len(items) < count:
            raise DamagedPickleError("the stack is too short")
        self._stack[-count:] = [items]

    def _push_dict(self) -> None:
        items = self._since_mark()
        self._push({})
        self._set_items(items)

    # --------------------------------------------------------------------------------------- filling values

    def _append(self, items: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, Stub):
            target.items.extend(items)
        else:
            raise DamagedPickleError("items are added to something else than a list")

    def _set_items(self, items: list[Any]) -> None:
        target = self._stack[-1]
        pairs = zip(items[::2], items[1::2], strict=True)
        if isinstance(target, dict):
            target.update((key, value) for key, value in pairs if _is_key(key))
        elif isinstance(target, Stub):
            target.items.extend(pairs)
        else:
            raise DamagedPickleError("items are set in something else than a dict")

    def _set_item(self) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self._set_items([key, value])

    def _build(self) -> None:
        state, target = self._stack.pop(), self._stack[-1]
        if isinstance(target, Stub):
            target.state = state
        elif isinstance(target, StoredArray):
            _fill_array(target, state)
        elif isinstance(target, _NumpyType) and isinstance(state, tuple) and len(state) > 1:
            target.order = str(state[1])[:1]
        # Anything else has no state that matters: an OrderedDict of tensors has its `_metadata`.

    # ---------------------------------------------------------------------------------- names and calls

    def _push_name(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise DamagedPickleError("a name is no text")
        named = Named(module, name)
        if (module, name) not in _CALLS and not _is_constant(named):
            self.names[named.full_name] = self.names.get(named.full_name, 0) + 1
        self._stack.append(named)

    def _push_line_name(self) -> None:
        module = self._line().decode()
        self._push_name(module, self._line().decode())

    def _push_stack_name(self) -> None:
        name, module = self._stack.pop(), self._stack.pop()
        self._push_name(module, name)

    def _extension(self, size: int) -> None:
        self._push_name("copyreg", f"extension {self._number(size)}")

    def _reduce(self) -> None:
        arguments, called = self._stack.pop(), self._stack.pop()
        self._stack.append(self.call(called, arguments))

    def _new_object(self, keywords: bool = False) -> None:
        named = self._stack.pop() if keywords else None
        arguments, called = self._stack.pop(), self._stack.pop()
        made = self.call(called, arguments)
        if named and isinstance(made, Stub):
            made.state = named
        self._stack.append(made)

    def _instance(self) -> None:
        module, name = self._line().decode(), self._line().decode()
        arguments = tuple(self._since_mark())
        self._push_name(module, name)
        self._stack.append(self.call(self._stack.pop(), arguments))

    def _object(self) -> None:
        called, *arguments = self._since_mark()
        self._stack.append(self.call(called, tuple(arguments)))

    def call(self, called: Any, arguments: Any) -> Any:
        """Return what a call stands for: a plain value if it is known here, and a stub otherwise."""
        arguments = arguments if isinstance(arguments, tuple) else (arguments,)
        if isinstance(called, Named):
            known = _CALLS.get((called.module, called.name))
            if known is not None:
                return known(self, *arguments)
            return Stub(called.full_name, arguments)
        return Stub(called.what if isinstance(called, Stub) else type(called).__name__, (called, *arguments))

    def _persistent(self, identity: Any) -> None:
        """Push the storage that torch wrote in place of its bytes, or a class that it named with its source."""
        if isinstance(identity, tuple) and len(identity) == 4 and identity[0] == "module":
            self._stack.append(
                identity[1]
            )  # A class of layers, whose source the older format stores beside it.
            return
        if not (isinstance(identity, tuple) and len(identity) >= 5 and identity[0] == "storage"):
            raise DamagedPickleError("it refers to something outside that is no storage")
        _word, kind, key, _location, count = identity[:5]
        if not (isinstance(kind, Named) and isinstance(count, int) and isinstance(key, str | int)):
            raise DamagedPickleError("a storage is described in another way")
        dtype = _STORAGE_TYPES.get(kind.name)
        if dtype is None:
            raise DamagedPickleError(f"storages of the kind {kind.name} are not known")
        storage = self.storages.setdefault(str(key), Storage(str(key), dtype, count))
        if len(identity) > 5 and identity[5] is not None:
            raise DamagedPickleError("it has views of storages, which torch has not written since 2018")
        self._stack.append(storage)

    def storage_in(self, content: object) -> Storage:
        """Return the storage that lies in bytes of the pickle."""
        if not isinstance(content, bytes) or self._load_storage is None:
            raise DamagedPickleError("a storage is written in another way")
        self.charge(len(content) // 64)
        return self._load_storage(content)


def _is_key(key: object) -> bool:
    """Return whether a dict can have that key without work that nobody expects; others are left out.

    The hash of nested tuples, and a dict of large numbers, can take for ever.
    """
    return isinstance(key, str | bytes | bool) or (isinstance(key, int) and abs(key) < LARGEST_KEY)


def _is_constant(named: Named) -> bool:
    """Return whether a name stands for a type of tensors or of plain values, which is not called."""
    if named.module == "torch":
        return named.name in _STORAGE_TYPES or _DTYPE.fullmatch(named.name) is not None
    return (
        (named.module == "torch.storage" and named.name in ("TypedStorage", "UntypedStorage"))
        or named.full_name in _TENSOR_CLASSES
        or named.full_name in ("numpy.ndarray", "builtins.int", "builtins.float", "builtins.str")
        or named.module.startswith(TORCHSCRIPT.rstrip("."))
    )


# ------------------------------------------------------------------------------------------ what is known here


def _mapping(reader: PickleReader, *arguments: Any) -> dict[Any, Any]:
    source = arguments[-1] if arguments else None
    if isinstance(source, dict):
        return source
    if not isinstance(source, list):
        return {}
    reader.charge(len(source))
    return {
        pair[0]: pair[1]
        for pair in source
        if isinstance(pair, list | tuple) and len(pair) == 2 and _is_key(pair[0])
    }


def _sequence(_reader: PickleReader, *arguments: Any) -> Any:
    return arguments[0] if arguments and isinstance(arguments[0], list | tuple) else []


def _list(reader: PickleReader, *arguments: Any) -> list[Any]:
    """Return a list of its own, to which a pickle may add."""
    items = _sequence(reader, *arguments)
    reader.charge(len(items))
    return list(items)


def _size(reader: PickleReader, *arguments: Any) -> tuple[Any, ...]:
    items = _sequence(reader, *arguments)
    reader.charge(len(items))
    return tuple(items)


def _encoded(reader: PickleReader, text: Any = "", *_encoding: Any) -> bytes:
    if not isinstance(text, str):
        raise DamagedPickleError("bytes are written in another way")
    reader.charge(len(text) // 64)
    return text.encode("latin-1")


def _text(_reader: PickleReader, *arguments: Any) -> str:
    return str(arguments[0])[:64] if arguments and isinstance(arguments[0], str) else ""


def _axes(values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple | list) or len(values) > MOST_AXES:
        raise DamagedPickleError("a tensor has a strange shape")
    if not all(isinstance(value, int) and 0 <= value < 2**48 for value in values):
        raise DamagedPickleError("a tensor has a strange shape")
    return tuple(values)


def _tensor(
    _reader: PickleReader,
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
    reader: PickleReader, storage: Any, offset: Any, size: Any, stride: Any, *others: Any
) -> StoredTensor:
    # The arguments after the stride: requires_grad, hooks, dtype, metadata.
    tensor = _tensor(reader, storage, offset, size, stride)
    dtype = others[2]
    if not isinstance(dtype, Named):
        raise DamagedPickleError("a tensor has a strange type")
    tensor.dtype = dtype.name
    return tensor


def _first(_reader: PickleReader, *arguments: Any) -> Any:
    return arguments[0]


def _of_kind(kind: str, shape_at: int | None = None) -> Callable[..., StoredTensor]:
    def made(_reader: PickleReader, *arguments: Any) -> StoredTensor:
        shape = arguments[shape_at] if shape_at is not None else ()
        return StoredTensor(None, 0, _axes(shape), (), "", kind)

    return made


def _sparse(_reader: PickleReader, *arguments: Any) -> StoredTensor:
    data = arguments[1] if len(arguments) > 1 and isinstance(arguments[1], tuple) else ()
    shapes = [item for item in data if isinstance(item, tuple)]
    return StoredTensor(None, 0, _axes(shapes[0]) if shapes else (), (), "", "sparse")


def _of_type(reader: PickleReader, function: Any, kind: Any, arguments: Any, *_state: Any) -> Any:
    made = reader.call(function, arguments)
    if isinstance(kind, Named) and kind.full_name in _TENSOR_CLASSES:
        return made
    return Stub(kind.full_name if isinstance(kind, Named) else "a class", (made,))


def _of_array(_reader: PickleReader, array: Any, *_others: Any) -> Any:
    return array


def _in_bytes(reader: PickleReader, content: Any) -> Storage:
    return reader.storage_in(content)


def _new_array(_reader: PickleReader, *_arguments: Any) -> StoredArray:
    return StoredArray()


def _numpy_type(_reader: PickleReader, code: Any = "", *_others: Any) -> _NumpyType:
    return _NumpyType(code if isinstance(code, str) else "")


def _fill_array(array: StoredArray, state: Any) -> None:
    _version, shape, kind, is_fortran, content = state
    _set_values(array, shape, kind, content, bool(is_fortran))


def _set_values(array: StoredArray, shape: Any, kind: Any, content: Any, is_fortran: bool) -> None:
    array.shape = _axes(shape)
    if not isinstance(kind, _NumpyType) or not _NUMBERS.fullmatch(kind.code):
        return
    content = content.encode("latin-1") if isinstance(content, str) else content
    dtype = np.dtype(kind.code).newbyteorder(">" if kind.order == ">" else "<")
    values: NDArray[Any] = np.frombuffer(content, dtype)
    array.values = values.reshape(array.shape, order="F" if is_fortran else "C")


def _array_of_bytes(
    _reader: PickleReader, content: Any, kind: Any, shape: Any, order: Any, *_axes_order: Any
) -> StoredArray:
    array = StoredArray()
    _set_values(array, shape, kind, content, order == "F")
    return array


def _scalar(_reader: PickleReader, kind: Any, content: Any = b"") -> Any:
    array = StoredArray()
    content = content.encode("latin-1") if isinstance(content, str) else content
    if isinstance(content, bytes) and len(content) <= 16:
        _set_values(array, (), kind, content, is_fortran=False)
    return None if array.values is None else array.values.item()


def _reconstructed(reader: PickleReader, kind: Any, _base: Any = None, state: Any = None) -> Any:
    return reader.call(kind, () if state is None else (state,))


_CALLS: dict[tuple[str, str], Callable[..., Any]] = {
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

# -------------------------------------------------------------------------------------------- instructions

_STOP = ord(".")


def _flagged_int(line: bytes) -> int | bool:
    return {b"00": False, b"01": True}[line] if line in (b"00", b"01") else int(line)


def _quoted(line: bytes) -> str:
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise DamagedPickleError("a text has no quotation marks")
    return line[1:-1].decode("latin-1")


def _plain_text(content: bytes) -> str:
    return content.decode("utf-8", "surrogatepass")


_Step = Callable[[PickleReader], Any]

# Each reads its argument and changes the stack.
_STEPS: dict[str, _Step] = {
    # Numbers and constants.
    "N": lambda r: r._push(None),
    "\x88": lambda r: r._push(True),
    "\x89": lambda r: r._push(False),
    "I": lambda r: r._push(_flagged_int(r._line())),
    "J": lambda r: r._push(int.from_bytes(r._take(4), "little", signed=True)),
    "K": lambda r: r._push(r._number(1)),
    "M": lambda r: r._push(r._number(2)),
    "L": lambda r: r._push(int(r._line().rstrip(b"L"))),
    "\x8a": lambda r: r._push(int.from_bytes(r._take(r._number(1)), "little", signed=True)),
    "\x8b": lambda r: r._push(int.from_bytes(r._take(r._number(4)), "little", signed=True)),
    "F": lambda r: r._push(float(r._line())),
    "G": lambda r: r._push(struct.unpack(">d", r._take(8))[0]),
    # Texts and bytes.
    "S": lambda r: r._push(_quoted(r._line())),
    "T": lambda r: r._push(r._take(r._number(4)).decode("latin-1")),
    "U": lambda r: r._push(r._take(r._number(1)).decode("latin-1")),
    "V": lambda r: r._push(r._line().decode("raw-unicode-escape")),
    "X": lambda r: r._push(_plain_text(r._take(r._number(4)))),
    "\x8c": lambda r: r._push(_plain_text(r._take(r._number(1)))),
    "\x8d": lambda r: r._push(_plain_text(r._take(r._number(8)))),
    "B": lambda r: r._push(r._take(r._number(4))),
    "C": lambda r: r._push(r._take(r._number(1))),
    "\x8e": lambda r: r._push(r._take(r._number(8))),
    "\x96": lambda r: r._push(r._take(r._number(8))),
    # Containers.
    "(": lambda r: r._mark(),
    "]": lambda r: r._push([]),
    "}": lambda r: r._push({}),
    ")": lambda r: r._push(()),
    "\x8f": lambda r: r._push([]),
    "l": lambda r: r._push(r._since_mark()),
    "t": lambda r: r._push(tuple(r._since_mark())),
    "\x91": lambda r: r._push(r._since_mark()),
    "d": lambda r: r._push_dict(),
    "\x85": lambda r: r._push_tuple(1),
    "\x86": lambda r: r._push_tuple(2),
    "\x87": lambda r: r._push_tuple(3),
    "a": lambda r: r._append([r._stack.pop()]),
    "e": lambda r: r._append(r._since_mark()),
    "\x90": lambda r: r._append(r._since_mark()),
    "s": lambda r: r._set_item(),
    "u": lambda r: r._set_items(r._since_mark()),
    # The stack and the memo.
    "0": lambda r: r._pop(),
    "1": lambda r: r._since_mark(),
    "2": lambda r: r._push(r._stack[-1]),
    "g": lambda r: r._push(r._memo[int(r._line())]),
    "h": lambda r: r._push(r._memo[r._number(1)]),
    "j": lambda r: r._push(r._memo[r._number(4)]),
    "p": lambda r: r._remember(int(r._line())),
    "q": lambda r: r._remember(r._number(1)),
    "r": lambda r: r._remember(r._number(4)),
    "\x94": lambda r: r._remember(len(r._memo)),
    # Names and calls.
    "c": lambda r: r._push_line_name(),
    "\x93": lambda r: r._push_stack_name(),
    "R": lambda r: r._reduce(),
    "\x81": lambda r: r._new_object(),
    "\x92": lambda r: r._new_object(keywords=True),
    "i": lambda r: r._instance(),
    "o": lambda r: r._object(),
    "b": lambda r: r._build(),
    "\x82": lambda r: r._extension(1),
    "\x83": lambda r: r._extension(2),
    "\x84": lambda r: r._extension(4),
    "P": lambda r: r._persistent(r._line().decode("latin-1")),
    "Q": lambda r: r._persistent(r._stack.pop()),
    # What says something about the file only.
    "\x80": lambda r: r._take(1),
    "\x95": lambda r: r._check_frame(),
    "\x98": lambda _r: None,
}
_INSTRUCTIONS: dict[int, _Step] = {ord(code): step for code, step in _STEPS.items()}
