"""What is fuzzed: for each kind of file, sound examples, how they are changed, and what reads them."""

import io
import json
import os
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np
from msgspec import Struct
from safetensors.torch import save

from convnext_studio.common.errors import StudioError
from convnext_studio.common.interventions import Change
from convnext_studio.common.processes.codec import encode
from convnext_studio.common.processes.frames import ProtocolError, read_frame, write_frame
from convnext_studio.common.recipe import Recipe, read_recipe, write_recipe
from convnext_studio.common.retouches import Cells, Retouch, Stroke
from convnext_studio.decoding import wire
from convnext_studio.decoding.live import messages as live
from convnext_studio.engine.handlers.receptive_fields.saved_field_handlers import open_field
from convnext_studio.engine.server.workspace import Workspace
from convnext_studio.erf.field_files import is_field, npz_bytes
from convnext_studio.lecture.formula import check_formulas, outline
from convnext_studio.lecture.script import BUNDLED_LECTURE, Lecture, read_chapter
from convnext_studio.model import load
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.weights.beside.class_names import cleaned, read_names
from convnext_studio.model.weights.containers.headers import read_header
from convnext_studio.protocol.connection.message_codec import decode_message, decode_order
from convnext_studio.protocol.envelope import Done, Failed
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import ListedPictures, ListPictures
from convnext_studio.protocol.receptive_fields import OpenField
from convnext_studio.training.soft_targets import SoftTargets, read_soft_targets, write_soft_targets
from convnext_studio.ui.state.opening.session_document import (
    SavedSession,
    SessionModel,
    SessionPicture,
    read_session,
    to_text,
)
from convnext_studio.ui.state.settings import VERSION, Settings, SettingsFile
from tests.fuzz.mutations import changed_archive, changed_bytes, changed_json, changed_npy
from tests.networks import SMALL, lively, small_model, write_weights

ByteChange = Callable[[bytes, bytes, random.Random], bytes]
REFUSALS = (StudioError, ProtocolError, EOFError)
"""How reading may end; `EOFError` is for frames, whose stream may end."""


class Target(Struct, frozen=True):
    """A kind of file.

    Attributes
    ----------
    examples
        Sound files.
    change
        Makes a changed file of an example and of another one.
    read
        Writes the changed file to a folder and has the program read it.
    share
        How often it is chosen, compared with the others.
    """

    examples: Sequence[bytes]
    change: ByteChange
    read: Callable[[bytes, Path], object]
    share: int


def targets(folder: Path) -> dict[str, Target]:
    """Return all kinds by name; the folder is for what their examples need."""
    return {
        "session": Target(_sessions(), _text_or_bytes, partial(_file, "a.cnxsession", _read_session), 6),
        "settings": Target([_settings()], _text_or_bytes, _read_settings, 4),
        "recipe": Target([_recipe(folder)], _text_or_bytes, partial(_file, "a.json", read_recipe), 4),
        "lecture": Target(_chapters(), _only_bytes, partial(_file, "1.md", _read_chapter), 3),
        "formula": Target(
            _formulas(), _only_bytes, lambda data, _: outline(data.decode("utf-8", "replace")), 2
        ),
        "field": Target(_fields(), _archive_or_bytes, partial(_file, "a.npz", _read_field), 4),
        "labels": Target(_labels(), _only_bytes, _read_labels, 4),
        "config": Target(_configs(), _text_or_bytes, partial(_read_config, _weights()), 2),
        "weights": Target([_own_weights(folder)], _header_or_bytes, partial(_file, "a.safetensors", _load), 2),
        "soft targets": Target(
            [_soft_targets(folder)], _archive_or_bytes, partial(_file, "a.npz", read_soft_targets), 2
        ),
        "frame": Target(_frames(), _only_bytes, _read_frames, 8),
    }


# ------------------------------------------------------------------------------------------------- changes


def _only_bytes(data: bytes, other: bytes, dice: random.Random) -> bytes:
    return changed_bytes(data, other, dice)


def _text_or_bytes(data: bytes, other: bytes, dice: random.Random) -> bytes:
    return changed_json(data, dice) if dice.random() < 0.7 else changed_bytes(data, other, dice)


def _archive_or_bytes(data: bytes, other: bytes, dice: random.Random) -> bytes:
    if dice.random() < 0.3 or not data.startswith(b"PK"):
        is_npy = data.startswith(b"\x93NUMPY") and dice.random() < 0.7
        return changed_npy(data, dice) if is_npy else changed_bytes(data, other, dice)
    return changed_archive(data, dice, changed_npy)


def _header_or_bytes(data: bytes, other: bytes, dice: random.Random) -> bytes:
    if dice.random() < 0.3:
        return changed_bytes(data, other, dice)
    length = int.from_bytes(data[:8], "little")
    header = changed_json(data[8 : 8 + length], dice)
    values = json.loads(header)
    about = values.get("__metadata__") if isinstance(values, dict) else None
    if isinstance(about, dict) and dice.random() < 0.7:
        for name, text in about.items():
            if isinstance(text, str) and text.startswith("{"):
                about[name] = changed_json(text.encode(), dice).decode()
        header = json.dumps(values).encode()
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


# ------------------------------------------------------------------------------------------------- reading


def _file(name: str, read: Callable[[Path], object], data: bytes, folder: Path) -> object:
    path = folder / name
    path.write_bytes(data)
    return read(path)


def _read_session(path: Path) -> object:
    session = read_session(path)
    for model in (session.model, session.second):
        if model is not None and model.config is not None:
            ConvNeXtConfig.from_dict(model.config)
    return to_text(session, path.parent)


def _read_settings(data: bytes, folder: Path) -> object:
    (folder / "settings.json").write_bytes(data)
    with patch.dict(os.environ, {"CONVNEXT_STUDIO_CONFIG_DIR": str(folder)}):
        read = SettingsFile(read_only=True)
    assert "\n" not in read.problem
    return read


def _read_chapter(path: Path) -> object:
    return check_formulas(Lecture((read_chapter(path),)))


def _read_formula(data: bytes, _folder: Path) -> object:
    return outline(data.decode("utf-8", "replace"))


def _read_field(path: Path) -> object:
    is_field(str(path))
    return open_field(Workspace(), OpenField(panel="fuzz", path=str(path)), lambda: False)


def _read_labels(data: bytes, folder: Path) -> object:
    found = []
    for ending in (".txt", ".json", ".csv"):
        path = folder / f"labels{ending}"
        path.write_bytes(data)
        found.append(cleaned(read_names(path) or []))
        path.unlink()
    return found


def _read_config(weights: bytes, data: bytes, folder: Path) -> object:
    """Read weights with a changed file beside them, whichever program's it is."""
    beside = folder / "beside"
    beside.mkdir(exist_ok=True)
    (beside / "model.safetensors").write_bytes(weights)
    for name in ("config.json", "preprocessor_config.json", "open_clip_config.json"):
        (beside / name).write_bytes(data)
    return load(str(beside))


def _load(path: Path) -> object:
    read_header(path)
    return load(str(path))


def _read_frames(data: bytes, _folder: Path) -> object:
    found = 0
    for decode in (decode_message, decode_order):
        try:
            decode(read_frame(io.BytesIO(data)))
            found += 1
        except REFUSALS:
            continue
    receivers: tuple[Callable[[Any], object], ...] = (
        *(wire.receive_question, wire.receive_reply, live.receive_question, live.receive_reply),
    )
    for receive in receivers:
        try:
            receive(io.BytesIO(data))
            found += 1
        except REFUSALS:
            continue
    return found


# ------------------------------------------------------------------------------------------------ examples


def _sessions() -> list[bytes]:
    full = SavedSession(
        model=SessionModel(
            source="", config=SMALL.to_dict(), seed=3, labels=("a", "b"), mean=(0.5,), std=(0.5,)
        ),
        second=SessionModel(source="/weights/b.pth"),
        pictures=(
            SessionPicture(path="/pictures/a.png", box=(1, 2, 30, 40)),
            SessionPicture(path="sample:cat"),
        ),
        picture=1,
        node="stage3.block2.dwconv",
        unit=(2, 3),
        target=5,
        panels={"attribution": {"method": "grad_cam", "opacity": 60, "pinned": True, "scale": 0.5}},
        measures={"picture": {"1 region": (0.0, 1.0, 20.0, 30.5)}},
        recipe=Recipe((Change(node="stage2", effect="off", channels=(1, 2)),)),
        layout="AAAA/wAAAAD9",
    )
    return [to_text(each, Path("/")).encode() for each in (full, SavedSession())]


def _settings() -> bytes:
    return json.dumps({"version": VERSION} | msgspec.to_builtins(Settings())).encode()


def _recipe(folder: Path) -> bytes:
    path = folder / "recipe.json"
    changes = (
        Change(node="stage2", effect="off", channels=(1, 2)),
        Change(node="stage3.block1", effect="factor", factor=0.5),
    )
    stroke = Stroke(points=((1.0, 2.0), (8.0, 9.0)), diameter=4.0)
    cells = Cells(box=(0.0, 0.0, 8.0, 8.0), rows=2, columns=4, bits=b"\xa0")
    made = (
        Retouch(fill="blur", strokes=(stroke,), rectangle=(1.0, 1.0, 3.0, 3.0)),
        Retouch(fill="mean", cells=cells, inverted=True),
    )
    write_recipe(path, Recipe(changes, (("/pictures/a.png", made),)))
    return path.read_bytes()


def _chapters() -> list[bytes]:
    return [path.read_bytes()[:20_000] for path in sorted(BUNDLED_LECTURE.glob("*.md"))[:3]]


def _formulas() -> list[bytes]:
    texts = (
        r"y = x + \gamma \odot W_2\,\mathrm{GELU}(W_1\,\mathrm{LN}(\mathrm{dw}_{7 \times 7}(x)))",
        r"\frac{\sum_{k} \alpha_k A^k_{ij}}{\sqrt{\sigma^2 + \epsilon}}",
        r"\left( \frac{a}{b} \right)^{2} \leq \mathbf{x}_{i} \cdot \hat{y}",
    )
    return [text.encode() for text in texts]


def _fields() -> list[bytes]:
    field = np.random.default_rng(0).random((24, 20))
    about = {
        "centre_px": {"x": 10.0, "y": 12.0},
        "unit": {"row": 1, "column": 1},
        "protocol": "replknet",
        "protocol_text": "RepLKNet's protocol",
        "model": {"title": "Small"},
        "random_weights": False,
        "node": "stage4",
        "theoretical": {
            "size_px": 21,
            "stride_px": 8,
            "first_centre_px": 4.0,
            "is_global": False,
            "has_box": True,
        },
    }
    plain = io.BytesIO()
    np.save(plain, field)
    return [npz_bytes(field, about), plain.getvalue()]


def _labels() -> list[bytes]:
    return [
        b"tabby\ntiger cat\nEgyptian cat\n",
        b"0 tabby\n1 tiger cat\n2 lynx\n",
        b'{"0": "tabby", "1": "tiger cat"}',
        b'["tabby", {"name": "lynx"}, 3]',
        b"id,name\n0,tabby\n1,lynx\n",
        "\ufeffKäse\r\nBär\r\n".encode("utf-16"),
    ]


def _weights() -> bytes:
    return save({name: tensor.contiguous() for name, tensor in lively(SMALL).state_dict().items()})


def _own_weights(folder: Path) -> bytes:
    return write_weights(folder / "own.safetensors", small_model()).read_bytes()


def _configs() -> list[bytes]:
    timm = {
        "architecture": "convnext_tiny",
        "num_classes": 7,
        "label_names": [f"thing {index}" for index in range(7)],
        "pretrained_cfg": {
            "input_size": [3, 224, 224],
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "crop_pct": 0.875,
            "interpolation": "bicubic",
        },
        "model_args": {"conv_mlp": True, "kernel_sizes": 3},
    }
    transformers = {
        "model_type": "convnext",
        "depths": [1, 2, 1, 1],
        "hidden_sizes": [8, 12, 16, 20],
        "id2label": {str(index): f"thing {index}" for index in range(7)},
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-6,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
        "size": {"shortest_edge": 224},
        "crop_pct": 0.875,
        "do_normalize": True,
        "resample": 3,
    }
    clip = {
        "model_cfg": {"embed_dim": 7, "vision_cfg": {"timm_model_name": "convnext_base", "image_size": 256}}
    }
    return [json.dumps(each).encode() for each in (timm, transformers, clip)]


def _soft_targets(folder: Path) -> bytes:
    path = folder / "soft.npz"
    shares = np.full((3, 4), 0.25, np.float16)
    names = ("a/1.jpg", "a/2.jpg", "b/1.jpg")
    write_soft_targets(path, SoftTargets(names=names, classes=("a", "b", "c", "d"), probabilities=shares))
    return path.read_bytes()


def _frames() -> list[bytes]:
    pixels = np.zeros((4, 5, 3), np.uint8)
    told: list[Any] = [
        LoadModel(panel="x", source="preset:small"),
        ListPictures(panel="x", paths=("/a", "/b")),
        Failed(id=3, message="No.", hint="Yes."),
        Done(id=4, payload=ListedPictures(pictures=(), checked=0, failures=()), seconds=0.1),
        wire.Decoded(key="k", name="n", notes=(), pixels=pixels, frames=1, bands=3, values=None),
        live.FrameRead(number=1, pixels=pixels, values=None, notes=()),
        live.OpenFile(path="/film.mp4"),
    ]
    frames = []
    for each in told:
        stream = io.BytesIO()
        write_frame(stream, encode(each))
        frames.append(stream.getvalue())
    return frames
