"""Nothing that a pickle asks for is imported, made or called, however it asks."""

import copyreg
import io
import json
import pickle
import subprocess
import sys
import time
import types
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from convnext_studio.common.errors import StudioError
from convnext_studio.model import load
from convnext_studio.model.weights.containers.pickle_reader import PickleReader
from convnext_studio.model.weights.containers.pickle_values import Stub
from tests.networks import SMALL, lively

CANARY = "convnext_studio_canary"
EXTENSION = 7
LIMIT_S = 5.0


@pytest.fixture
def fired(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was called in a module that only the attacks name."""
    calls: list[str] = []

    class Bomb:
        def __new__(cls, *_: object, **__: object) -> "Bomb":
            calls.append("__new__")
            return super().__new__(cls)

        def __getattribute__(self, name: str) -> Any:
            calls.append(name)
            return super().__getattribute__(name)

        def __setstate__(self, _state: object) -> None:
            calls.append("__setstate__")

    def fire(*_: object, **__: object) -> list[str]:
        calls.append("fire")
        return []

    canary = types.ModuleType(CANARY)
    canary.fire, canary.Bomb = fire, Bomb
    fire.__module__ = Bomb.__module__ = CANARY
    fire.__qualname__, Bomb.__qualname__ = "fire", "Bomb"
    monkeypatch.setitem(sys.modules, CANARY, canary)
    monkeypatch.setitem(copyreg._inverted_registry, EXTENSION, (CANARY, "fire"))
    monkeypatch.setitem(copyreg._extension_cache, EXTENSION, fire)
    return calls


def name(module: str, function: str) -> bytes:
    return f"c{module}\n{function}\n".encode()


def text(value: str) -> bytes:
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def call(module: str, function: str, *arguments: bytes) -> bytes:
    return name(module, function) + b"(" + b"".join(arguments) + b"tR"


FIRE, BOMB = name(CANARY, "fire"), name(CANARY, "Bomb")
FIRED = FIRE + b")R"
NONE, EMPTY_LIST, EMPTY_DICT, EMPTY_TUPLE = b"N", b"]", b"}", b")"


def nested_save() -> bytes:
    """Return torch.save's older format with a call in place of a storage."""
    parts = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    return b"".join([*parts, b"\x80\x02" + FIRED + b".", pickle.dumps([], 2)])


def in_bytes(content: bytes) -> bytes:
    return b"B" + len(content).to_bytes(4, "little") + content


# How a pickle can have something called, from pickle's own instructions and from the scanners' collections.
ATTACKS: dict[str, bytes] = {
    "REDUCE": FIRED,
    "REDUCE with arguments": call(CANARY, "fire", text("id"), b"K\x01"),
    "STACK_GLOBAL": text(CANARY) + text("fire") + b"\x93)R",
    "STACK_GLOBAL of a dotted name": text("builtins") + text("object.__subclasses__") + b"\x93)R",
    "GLOBAL of a dotted name": name(CANARY, "Bomb.__new__") + b"(" + BOMB + b"tR",
    "NEWOBJ": BOMB + b")\x81",
    "NEWOBJ_EX": BOMB + b")}\x92",
    "INST": f"(i{CANARY}\nfire\n".encode(),
    "INST with arguments": b"(" + text("id") + f"i{CANARY}\nfire\n".encode(),
    "OBJ": b"(" + FIRE + b"o",
    "OBJ with arguments": b"(" + FIRE + text("id") + b"o",
    "EXT1": b"\x82" + bytes([EXTENSION]) + b")R",
    "EXT2": b"\x83" + EXTENSION.to_bytes(2, "little") + b")R",
    "EXT4": b"\x84" + EXTENSION.to_bytes(4, "little") + b")R",
    "BUILD with __setstate__": BOMB + b")\x81}b",
    "BUILD of a function": FIRE + b"}b",
    "BUILD of a class": BOMB + b"}" + text("__reduce__") + FIRE + b"sb",
    "BUILD of a dict": b"}" + b"(" + text("__setstate__") + FIRE + b"ub" + b"}b",
    "BUILD with slots": BOMB + b")\x81" + b"N}" + text("a") + FIRED + b"s\x86b",
    "APPEND": BOMB + b")\x81Na",
    "APPENDS": BOMB + b")\x81(NNe",
    "SETITEM": BOMB + b")\x81NNs",
    "SETITEMS": BOMB + b")\x81(NNu",
    "ADDITEMS": BOMB + b")\x81(N\x90",
    "PERSID": b"P" + CANARY.encode() + b".fire\n",
    "BINPERSID": FIRED + b"Q",
    "BINPERSID with a class as its storage": b"("
    + text("storage")
    + BOMB
    + text("0")
    + text("cpu")
    + b"K\x01tQ",
    "a function from getattr": call("builtins", "getattr", BOMB, text("__new__")) + b"(" + BOMB + b"tR",
    "a function from __getattribute__": call(CANARY, "Bomb.__getattribute__", BOMB, text("x")),
    "__import__": call("builtins", "__import__", text(CANARY)),
    "importlib": call("importlib", "import_module", text(CANARY)),
    "eval": call("builtins", "eval", text(f"__import__('{CANARY}').fire()")),
    "exec of Python 2": call("__builtin__", "exec", text(f"import {CANARY}; {CANARY}.fire()")),
    "map": call("builtins", "map", FIRE, b"](Ne"),
    "list of map": call("builtins", "list", call("builtins", "map", FIRE, b"](Ne")),
    "set of map": call("builtins", "set", call("builtins", "map", FIRE, b"](Ne")),
    "sorted with a key": call("builtins", "sorted", b"](Ne", FIRE),
    "partial": call("functools", "partial", FIRE) + b")R",
    "reduce": call("functools", "reduce", FIRE, b"](NNe"),
    "methodcaller": call("operator", "methodcaller", text("fire")) + b"(" + text(CANARY) + b"tR",
    "attrgetter": call("operator", "attrgetter", text("__init__")) + b"(" + BOMB + b"tR",
    "itemgetter": call("operator", "itemgetter", b"K\x00") + b"(](" + FIRE + b"etR)R",
    "types.FunctionType": call("types", "FunctionType", NONE, EMPTY_DICT) + b")R",
    "types.CodeType": call("types", "CodeType", b"K\x00") + b")R",
    "marshal": call("marshal", "loads", in_bytes(b"\xe3")) + b")R",
    "pickle in a pickle": call("pickle", "loads", in_bytes(b"\x80\x02" + FIRED + b".")),
    "torch.load": call("torch", "load", text("/dev/null")),
    "torch's own lookup": call("torch._utils", "_import_dotted_name", text(f"{CANARY}.fire")) + b")R",
    "torch.hub": call("torch.hub", "load", text("a"), text("b")),
    "torch.jit": call("torch.jit", "load", text("/dev/null")),
    "torch.classes": name("torch._classes", "classes.load_library") + b"(" + text("x") + b"tR",
    "a type of tensor": call("torch._tensor", "_rebuild_from_type_v2", FIRE, BOMB, EMPTY_TUPLE, EMPTY_DICT),
    "a subclass of tensor": call(
        "torch._utils", "_rebuild_wrapper_subclass", BOMB, NONE, b")", b")", b"K\x00", NONE, NONE, NONE
    ),
    "a parameter of a call": call("torch._utils", "_rebuild_parameter", FIRED, b"\x88", EMPTY_DICT),
    "a tensor without storage": call("torch._utils", "_rebuild_tensor_v2", FIRED, b"K\x00", b")", b")"),
    "a tensor with hooks": call(
        "torch._utils", "_rebuild_tensor_v2", FIRED, b"K\x00", b")", b")", b"\x88", FIRED, FIRED
    ),
    "a storage in bytes": call("torch.storage", "_load_from_bytes", in_bytes(nested_save())),
    "a storage in a pickle in bytes": call("torch.storage", "_load_from_bytes", in_bytes(b"\x80\x02" + FIRED)),
    "_reconstructor": call("copyreg", "_reconstructor", BOMB, name("builtins", "object"), NONE),
    "_reconstructor of Python 2": call("copy_reg", "_reconstructor", BOMB, name("__builtin__", "object"), NONE),
    "__newobj__": call("copyreg", "__newobj__", BOMB),
    "an array's class": call("numpy.core.multiarray", "_reconstruct", BOMB, b"K\x00\x85", in_bytes(b"b")),
    "an array of objects": call("numpy.core.multiarray", "_reconstruct", name("numpy", "ndarray"), b")", NONE)
    + b"(K\x01)"
    + call("numpy", "dtype", text("O8"))
    + b"\x89]("
    + FIRED
    + b"etb",
    "a scalar of objects": call("numpy.core.multiarray", "scalar", call("numpy", "dtype", text("O")), FIRED),
    "a type of numpy": call("numpy", "dtype", BOMB),
    "numpy.load": call("numpy", "load", text("/dev/null"), NONE, b"\x88"),
    "runstring of numpy": call("numpy.testing._private.utils", "runstring", text("1"), EMPTY_DICT),
    "OrderedDict of pairs": call("collections", "OrderedDict", b"](" + FIRED + b"N\x86e"),
    "defaultdict": call("collections", "defaultdict", FIRE),
    "Counter": call("collections", "Counter", b"}" + BOMB + b")\x81Ns"),
    "a key": b"}" + BOMB + b")\x81Ns",
    "a key in a tuple": b"}" + BOMB + b")\x81\x85Ns",
    "a member of a set": b"\x8f(" + BOMB + b")\x81\x90",
    "a frozenset": b"(" + BOMB + b")\x81\x91",
    "encode": call("_codecs", "encode", BOMB + b")\x81", text("latin1")),
    "a class that is made": call("builtins", "type", text("X"), b")", EMPTY_DICT) + b")R",
    "the file that is read": call("pathlib", "Path", text("/dev/zero")),
    "memo over a builtin": name("builtins", "print") + b"q\x00" + FIRE + b"q\x00h\x00)R",
    "memo by text": FIRE + b"p5\n0g5\n)R",
    "memo over what was checked": name("collections", "OrderedDict") + b"\x94" + FIRE + b"q\x00h\x00)R",
}

# Where in the file the attack is.
PLACES: dict[str, Callable[[bytes], bytes]] = {
    "alone": lambda attack: attack,
    "in a list": lambda attack: b"](" + attack + b"e",
    "in a tuple": lambda attack: attack + b"\x85",
    "in a dict": lambda attack: b"}" + text("state_dict") + attack + b"s",
    "as a tensor": lambda attack: b"}" + text("downsample_layers.0.0.weight") + attack + b"s",
    "as a state_dict of two": lambda attack: b"}(" + text("a") + attack + text("b") + attack + b"u",
    "thrown away": lambda attack: attack + b"0N",
    "thrown away to a mark": lambda attack: b"(" + attack + b"1N",
    "twice": lambda attack: attack + b"2\x86",
    "remembered": lambda attack: attack + b"q\x09" + b"0h\x09",
    "in a frame": lambda attack: b"\x95" + len(attack).to_bytes(8, "little") + attack,
    "after the end": lambda attack: b"N." + attack,
    "within itself": lambda attack: b"]q\x08(h\x08" + attack + b"e",
    "as a state": lambda attack: name("argparse", "Namespace") + b")\x81}" + text("a") + attack + b"sb",
}


def as_pickle(content: bytes) -> bytes:
    return b"\x80\x04" + content + b"."


def as_zip(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("archive/data.pkl", as_pickle(content))
        archive.writestr("archive/version", b"3\n")
    return stream.getvalue()


@pytest.mark.parametrize("attack", ATTACKS)
def test_nothing_is_called(tmp_path: Path, fired: list[str], attack: str) -> None:
    assert len(ATTACKS) * len(PLACES) > 1000
    path = tmp_path / "weights.pth"
    begin = time.process_time()
    for place in PLACES.values():
        for save in (as_pickle, as_zip):
            path.write_bytes(save(place(ATTACKS[attack])))
            with pytest.raises(StudioError) as caught:
                load(str(path))
            assert "\n" not in caught.value.message
    assert not fired
    assert time.process_time() - begin < LIMIT_S


@pytest.mark.parametrize("attack", ["REDUCE", "NEWOBJ", "EXT1", "BUILD with __setstate__"])
def test_the_attacks_are_real(fired: list[str], attack: str) -> None:
    pickle.loads(as_pickle(ATTACKS[attack]))
    assert fired


def test_tensors_that_an_unknown_call_makes_are_refused(tmp_path: Path, fired: list[str]) -> None:
    class Made:
        def __init__(self, tensor: torch.Tensor) -> None:
            self.tensor = tensor

        def __reduce__(self) -> tuple[Any, ...]:
            return sys.modules[CANARY].fire, (self.tensor,)

    weights = dict(lively(SMALL).state_dict())
    path = tmp_path / "weights.pth"
    for contents in (
        {name: Made(tensor) for name, tensor in weights.items()},
        weights | {"stages.0.0.dwconv.weight": Made(weights["stages.0.0.dwconv.weight"])},
        Made(torch.zeros(3)),
        {"state_dict": Made(weights)},
    ):
        torch.save(contents, path)
        with pytest.raises(StudioError, match=f"could run code .it asks for {CANARY}.fire"):
            load(str(path))
    assert not fired


HARMFUL = """
os system|posix system|nt system|os popen|subprocess Popen|subprocess run|subprocess call
subprocess check_output|subprocess getoutput|builtins eval|builtins exec|builtins compile|builtins open
builtins getattr|builtins setattr|builtins breakpoint|builtins input|builtins print|builtins globals
builtins vars|builtins type|__builtin__ execfile|__builtin__ apply|__builtin__ file|sys exit|sys settrace
sys modules|sys setprofile|socket socket|socket connect|socket create_connection|pty spawn|shutil rmtree
shutil move|shutil copy|webbrowser open|urllib.request urlopen|requests.api get|httplib HTTPSConnection
http.client HTTPSConnection|aiohttp.client ClientSession|asyncio run
asyncio.unix_events _UnixSubprocessTransport._start|multiprocessing Process|threading Thread|signal alarm
ctypes CDLL|ctypes.util find_library|pip main|pip._internal main|pydoc pipepager|pydoc locate|timeit timeit
timeit main|pdb run|bdb Bdb.run|profile run|profile Profile.run|cProfile run|cProfile runctx|trace Trace.run
trace Trace.runctx|code interact|code InteractiveInterpreter.runcode|codeop compile_command|runpy run_path
runpy _run_code|runpy run_module|importlib import_module|importlib.util spec_from_file_location
imp load_source|zipimport zipimporter|marshal loads|pickle loads|pickle load|_pickle loads|dill loads
cloudpickle loads|joblib load|shelve open|dbm open|idlelib.run Executive
idlelib.pyshell ModifiedInterpreter.runcode|idlelib.debugobj ObjectTreeItem.SetText|idlelib.calltip get_entity
idlelib.autocomplete AutoComplete.get_entity|lib2to3.pgen2.grammar Grammar.loads
lib2to3.pgen2.pgen ParserGenerator|doctest debug_script|doctest testsource|ensurepip._run_pip main|venv create
distutils.file_util write_file|distutils.spawn spawn|numpy.f2py.crackfortran getlincoef
numpy.f2py.crackfortran myeval|numpy load|numpy fromfile|numpy.testing._private.utils runstring
numpy.distutils.exec_command exec_command|torch load|torch hub.load|torch.serialization load
torch._inductor.codecache compile_file|torch.utils._config_module load_config|torch.utils.collect_env run
torch.utils.bottleneck.__main__ run_cprofile|torch.utils.bottleneck.__main__ run_autograd_prof
torch.fx.experimental.symbolic_shapes ShapeEnv.evaluate_guards_expression
torch._dynamo.guards GuardBuilder.get|torch.jit.unsupported_tensor_ops execWrapper
torch.distributed.rpc rpc_sync|torch.ops load_library|operator attrgetter|operator itemgetter
operator methodcaller|functools partial|functools reduce|types FunctionType|types CodeType|types ModuleType
inspect getattr_static|linecache getlines|logging.config fileConfig|logging FileHandler
tempfile NamedTemporaryFile|pathlib Path.unlink|pathlib Path.write_text|io open|io FileIO|codecs open
os remove|os rename|os execv|os spawnv|os fork|os kill|os putenv|os startfile|commands getoutput|smtplib SMTP
ftplib FTP|telnetlib Telnet|poplib POP3|imaplib IMAP4|sqlite3 connect|tarfile open|zipfile ZipFile
xmlrpc.client ServerProxy|ssl create_default_context|site main|gc get_objects|atexit register|weakref finalize
uuid _get_command_stdout|platform popen|nturl2path url2pathname|test.support.script_helper assert_python_ok
keras.models load_model|tensorflow load_op_library|transformers AutoModel|huggingface_hub snapshot_download
__builtin__ eval|__builtin__ exec|__builtin__ compile|__builtin__ getattr|__builtin__ open
__builtin__ breakpoint|__builtin__ __import__|__builtins__ eval|builtins __import__|builtins apply
_aix_support _read_cmd_output|_osx_support _read_output|_osx_support _find_build_tool
_posixsubprocess fork_exec|_pyrepl.pager pipe_pager|_pyrepl.pager tempfile_pager|_thread start_new_thread
_ctypes dlopen|_imp create_dynamic|_frozen_importlib __import__
_frozen_importlib_external SourceFileLoader|_io FileIO|_io open|_operator attrgetter|_operator itemgetter
_operator methodcaller|_signal alarm|_sqlite3 connect|cloudpickle.cloudpickle _builtin_type
cloudpickle.cloudpickle _function_setstate|cloudpickle.cloudpickle _make_cell
cloudpickle.cloudpickle _make_empty_cell|cloudpickle.cloudpickle _make_function
cloudpickle.cloudpickle subimport|compileall main|py_compile compile|difflib unified_diff|filecmp cmp
fileinput input|glob glob|mmap mmap|select select|selectors SelectSelector|socketserver TCPServer
syslog syslog|nntplib NNTP|pexpect spawn|requests get|urllib2 urlopen|unittest main|pkgutil resolve_name
ensurepip _run_pip|ensurepip bootstrap|imaplib IMAP4_stream|idlelib.run Executive.runcode
idlelib.autocomplete AutoComplete.fetch_completions|idlelib.calltip Calltip.fetch_tip
idlelib.pyshell ModifiedInterpreter.runcommand|lib2to3.pgen2.pgen ParserGenerator.make_label
torch compile|torch._dynamo optimize|torch.hub load|torch.jit load
torch.distributed.elastic.rendezvous.api basichandlers|torch.utils._config_module ConfigModule.load_config
torch.utils.data.datapipes.utils.decoder basichandlers|aiohttp ClientSession|http.server HTTPServer
IPython.utils.process system|pandas read_pickle|pandas eval|sympy sympify|yaml unsafe_load
"""
# The lists of picklescan 1.0.5, fickling 0.1.12 and modelscan 0.8.8 name these; where one names a module as a
# whole, a function of it stands here.

WATCHED = """
import encodings.cp437, json, pathlib, sys
from convnext_studio.common.errors import StudioError
from convnext_studio.model import load
load("preset:convnextv2_atto")
events = []
known = set(sys.modules)
def hook(event, arguments):
    # Files are opened for reading only, and no module is imported that the reading itself does not need.
    if event.startswith(("os.system", "os.exec", "os.fork", "os.spawn", "os.posix_spawn", "os.putenv",
                         "os.remove", "os.rename", "os.kill", "subprocess.", "socket.", "ctypes.",
                         "shutil.", "tempfile.",
                         "webbrowser.", "pty.", "urllib.", "sqlite3.", "ftplib.", "marshal.loads", "pickle.",
                         "builtins.breakpoint", "sys.settrace", "sys.setprofile", "code.__new__", "signal.")):
        events.append(event)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        events.append(f"open {arguments[0]}")
    if event == "import":
        events.append(f"import {arguments[0]}")
paths = [pathlib.Path(path) for path in sys.argv[1:]]
sys.addaudithook(hook)
for path in paths:
    for file in sorted(path.iterdir()):
        try:
            load(str(file))
        except StudioError as error:
            assert "could run code" in error.message, error.message
        else:
            raise SystemExit(f"{file} opened")
print(json.dumps(events))
"""


def test_names_that_scanners_warn_of_are_not_looked_up(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    pairs = [tuple(pair.split()) for line in HARMFUL.split("\n") for pair in line.split("|") if pair]
    for at, (module, function) in enumerate(pairs):
        attack = call(module, function, text("true"))
        for kind, save in (("p", as_pickle), ("z", as_zip)):
            (folder / f"{kind}{at}.pth").write_bytes(save(b"}" + text("model") + attack + b"s"))
    asked = [sys.executable, "-c", WATCHED, str(folder)]
    answered = subprocess.run(asked, capture_output=True, text=True, timeout=240, check=False)
    assert answered.returncode == 0, answered.stderr[-2000:]
    assert json.loads(answered.stdout) == []
    assert len(pairs) > 230


# ---------------------------------------------------------------------------------- too much work and memory


def doubled(times: int) -> bytes:
    """Return a tuple of a tuple ... each twice in the next: 2 to the power of `times` when it is hashed."""
    return b")" + b"2\x86" * times


BOMBS: dict[str, bytes] = {
    "a key that takes for ever to hash": b"}" + doubled(200) + b"Ns",
    "a set of it": b"\x8f(" + doubled(200) + b"\x90",
    "lists in lists": b"]" * 300_000 + b"a" * 299_999,
    "tuples in tuples": b")" + b"\x85" * 400_000,
    "a dict copied again and again": b"}("
    + b"".join(b"J" + at.to_bytes(4, "little") + b"N" for at in range(50_000))
    + b"uq\x00"
    + (name("collections", "Counter") + b"h\x00\x85R") * 5000
    + b"0" * 5000,
    "pairs made a dict again and again": b"]("
    + b"NN\x86" * 40_000
    + b"eq\x00"
    + (name("collections", "OrderedDict") + b"h\x00\x85R") * 5000,
    "a text encoded again and again": text("é" * 1_000_000)
    + b"q\x00"
    + (name("_codecs", "encode") + b"h\x00" + text("latin1") + b"\x86R") * 20_000,
    "a number of a megabyte": b"\x8b" + (1_000_000).to_bytes(4, "little") + b"\x7f" * 1_000_000,
    "a number in digits": b"L" + b"9" * 1_000_000 + b"L\n",
    "a memo with large places": b"Nr\xff\xff\xff\xff" * 100_000,
    "marks": b"(" * 400_000,
    "a name of a megabyte in all names": text("x" * 1_000_000)
    + b"q\x000}(h\x00"
    + b"}("
    + b"".join(text(f"{at}") + b"]" for at in range(5000))
    + b"uu",
    "a list in itself": b"]q\x00h\x00a",
    "a dict in itself": b"}q\x00" + text("a") + b"h\x00s",
    "dicts that hold each other many times": b"}"
    + b"".join(
        b"q" + bytes([at]) + b"}(" + text("a") + b"h" + bytes([at]) + text("b") + b"h" + bytes([at]) + b"u"
        for at in range(200)
    ),
    "a text longer than the file": b"\x8d" + b"\xff" * 8,
    "bytes longer than the file": b"\x8e" + (2**62).to_bytes(8, "little"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_no_pickle_takes_long(tmp_path: Path, bomb: str) -> None:
    path = tmp_path / "weights.pth"
    for save in (as_pickle, as_zip):
        path.write_bytes(save(BOMBS[bomb]))
        begin = time.process_time()
        with pytest.raises(StudioError):
            load(str(path))
        assert time.process_time() - begin < LIMIT_S


def test_a_pickle_in_a_pickle_is_read_once_only(tmp_path: Path) -> None:
    content = nested_save()
    for _ in range(40):
        content = nested_save().replace(FIRED, call("torch.storage", "_load_from_bytes", in_bytes(content)))
    path = tmp_path / "weights.pth"
    path.write_bytes(as_pickle(call("torch.storage", "_load_from_bytes", in_bytes(content))))
    with pytest.raises(StudioError, match="damaged"):
        load(str(path))


def test_a_stub_keeps_what_it_was_given() -> None:
    content = FIRE + b"(" + text("a") + b"K\x05tR}" + text("b") + b"K\x06sb."
    reader = PickleReader(content)
    stub = reader.read()
    assert isinstance(stub, Stub)
    assert (stub.what, stub.arguments, stub.state) == (f"{CANARY}.fire", ("a", 5), {"b": 6})
    assert list(reader.names) == [f"{CANARY}.fire"]


def test_a_flipped_bit_in_the_instructions_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(dict(lively(SMALL).state_dict()), path)
    content = bytearray(path.read_bytes())
    at = content.find(b"downsample_layers")
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(StudioError, match="damaged"):
        load(str(path))
