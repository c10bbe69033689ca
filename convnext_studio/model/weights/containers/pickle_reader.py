"""Read a pickle as data, with nothing in it executed.

A pickle is a program for a machine with a stack and a memo. This module is such a machine, and one that can
make nothing but plain values: numbers, texts, lists, tuples, dicts, and descriptions of tensors and arrays. The
names in a pickle are never looked up, so no module is imported, no class made and no function called. What
tensors are made of is known by name (`pickle_calls`); every other object becomes a `Stub`, which keeps what was
given to it and can do nothing. Work and memory are limited, whatever the instructions say.
"""

import codecs
import struct
from collections.abc import Callable
from typing import Any

from convnext_studio.model.weights.containers.pickle_calls import CALLS, fill_array
from convnext_studio.model.weights.containers.pickle_values import (
    STORAGE_TYPES,
    Buffer,
    DamagedPickleError,
    Named,
    NumpyType,
    Storage,
    StoredArray,
    Stub,
    TooManyObjectsError,
    is_constant,
    is_key,
)

MAX_INSTRUCTIONS = 300_000
"""A checkpoint of the largest ConvNeXt with its optimiser has 50,000."""


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
            target.update((key, value) for key, value in pairs if is_key(key))
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
            fill_array(target, state)
        elif isinstance(target, NumpyType) and isinstance(state, tuple) and len(state) > 1:
            target.order = str(state[1])[:1]
        # Anything else has no state that matters: an OrderedDict of tensors has its `_metadata`.

    # ---------------------------------------------------------------------------------- names and calls

    def _push_name(self, module: object, name: object) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise DamagedPickleError("a name is no text")
        named = Named(module, name)
        if (module, name) not in CALLS and not is_constant(named):
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
            known = CALLS.get((called.module, called.name))
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
        dtype = STORAGE_TYPES.get(kind.name)
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


# -------------------------------------------------------------------------------------------- instructions

_STOP = ord(".")


def _flagged_int(line: bytes) -> int | bool:
    return {b"00": False, b"01": True}[line] if line in (b"00", b"01") else int(line)


def _quoted(line: bytes) -> str:
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise DamagedPickleError("a text has no quotation marks")
    return codecs.escape_decode(line[1:-1])[0].decode("latin-1")


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
