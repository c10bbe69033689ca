"""Files as people have them, in which several things come together, give the maps of their network."""

import argparse
import datetime
import enum
import json
import random
import sys
import types
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from convnext_studio.common.errors import StudioError
from convnext_studio.model import load
from convnext_studio.model.loaded import LoadedModel
from tests.model.weights.names.test_finding import (
    DIMS,
    FEATURES,
    NET,
    ONE,
    OTHER,
    TRUNK,
    WHOLE,
    Tensors,
    assert_is,
    facebook_names,
    linear,
    openmmlab_names,
    stage_norms,
    under,
)


@pytest.fixture
def classes_of_others(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Classes that other libraries have, in modules of their names."""

    def make(module: str, name: str) -> type:
        made = type(name, (), {"__module__": module})
        parts = module.split(".")
        for count in range(1, len(parts) + 1):
            part = ".".join(parts[:count])
            if part not in sys.modules:
                monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
        monkeypatch.setattr(sys.modules[module], name, made, raising=False)
        return made

    return make


class Phase(enum.Enum):
    """Something that trainers save."""

    TRAINING = 1


def stage_maps(module: Any, x: Tensor) -> list[Tensor]:
    maps: list[Tensor] = []
    hooks = [stage.register_forward_hook(lambda _m, _i, out: maps.append(out)) for stage in module.stages]
    module(x)
    for hook in hooks:
        hook.remove()
    return maps


def assert_same_maps(opened: LoadedModel, theirs: nn.Module = NET) -> None:
    """Compare the output of every stage on two pictures of odd sizes."""
    for size in ((67, 91), (101, 58)):
        x = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(size[0]))
        for own, their in zip(stage_maps(opened.module, x), stage_maps(theirs, x), strict=True):
            scale = float(their.abs().max())
            torch.testing.assert_close(own / scale, their / scale, rtol=1e-5, atol=1e-5)


def saved(folder: Path, contents: object, name: str = "m.pth", **options: Any) -> str:
    torch.save(contents, folder / name, **options)
    return str(folder / name)


# ----------------------------------------------------------------------------------------------- honest objects

OBJECTS: dict[str, Any] = {
    "numbers of numpy": {"best": np.float64(0.9), "epoch": np.int64(3), "is_best": np.bool_(True)},
    "arrays of numpy": {"history": np.arange(5.0), "names": np.array(["a", "b"]), "any": np.array([None, {}])},
    "bytes and sets": {"note": b"x", "seen": {1, 2}, "frozen": frozenset("ab"), "raw": bytearray(b"y")},
    "collections": {"counts": Counter("abca"), "lists": defaultdict(list, a=[1]), "queue": deque([1, 2], 5)},
    "dates": {"when": datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC), "took": datetime.timedelta(hours=3)},
    "paths": {"data": Path("/data/birds"), "out": [Path("a"), Path("b")]},
    "an enum": {"phase": Phase.TRAINING},
    "a Namespace": {"args": argparse.Namespace(lr=0.1, data=Path("/data"), phase=Phase.TRAINING)},
    "a SimpleNamespace": {"config": types.SimpleNamespace(lr=0.1, inner=types.SimpleNamespace(a=1))},
    "random states": {
        "python": random.getstate(),
        "numpy": np.random.default_rng(0).bit_generator.state,
        "legacy": np.random.RandomState(0).get_state(),
        "torch": torch.get_rng_state(),
    },
    "dtypes and devices": {
        "dtype": torch.float16,
        "device": torch.device("cuda:1"),
        "size": torch.Size([1, 2]),
    },
    "complex numbers and slices": {"z": 1 + 2j, "cut": slice(1, 5), "range": range(3), "more": ...},
    "classes": {"optimizer_class": torch.optim.AdamW, "act": nn.GELU, "function": torch.nn.functional.gelu},
    "an optimiser": {"optimizer": torch.optim.AdamW(nn.Linear(3, 3).parameters()).state_dict()},
}


@pytest.mark.parametrize("objects", OBJECTS)
@pytest.mark.parametrize("is_legacy", [False, True])
def test_objects_beside_the_tensors(tmp_path: Path, objects: str, is_legacy: bool) -> None:
    contents = {"state_dict": WHOLE, **OBJECTS[objects], "nested": [OBJECTS[objects]]}
    path = saved(tmp_path, contents, _use_new_zipfile_serialization=not is_legacy)
    assert_is(load(path), NET)


def test_openmmlabs_runner(tmp_path: Path, classes_of_others: Any) -> None:
    history = classes_of_others("mmengine.logging.history_buffer", "HistoryBuffer")()
    history.__dict__ |= {"_log_history": np.arange(9.0), "_count_history": np.ones(9), "_max_length": 1_000_000}
    program = "model = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])"
    weights = {name: tensor for name, tensor in openmmlab_names(TRUNK).items() if not name.startswith("norm.")}
    weights |= stage_norms("norm{}", facebook_names(TRUNK))
    heads = {f"decode_head.convs.{at}.weight": torch.zeros(4, 4, 3, 3) for at in range(5)}
    contents = {
        "meta": {
            "epoch": 3,
            "dataset_meta": {"classes": tuple("abcd"), "palette": [[0, 0, 0]] * 4},
            "cfg": program,
        },
        "state_dict": under("backbone.", weights)
        | heads
        | {"auxiliary_head.conv_seg.weight": torch.zeros(4, 4, 1, 1)},
        "message_hub": {
            "log_scalars": OrderedDict(train=history),
            "runtime_info": {"iter": 5},
            "resumed_keys": {},
        },
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": np.float64(0.1)}]},
        "param_schedulers": [{"last_step": 3}],
    }
    opened = load(saved(tmp_path, contents, "iter_80000.pth"))
    assert_is(opened, FEATURES)
    assert_same_maps(opened, FEATURES)
    said = "; decode_head (5 tensors), auxiliary_head (1) and norms of other stages (6) left out."
    assert any(note.endswith(said) for note in opened.notes)
    assert any("HistoryBuffer" in note for note in opened.notes)
    assert opened.preprocessing.mean == pytest.approx((0.485, 0.456, 0.406), abs=1e-6)


def test_lightning_with_an_average_in_a_callback(tmp_path: Path, classes_of_others: Any) -> None:
    omega = classes_of_others("omegaconf.dictconfig", "DictConfig")()
    omega.__dict__ |= {"_content": {"lr": 0.1, "classes": 7}, "_metadata": Phase.TRAINING}
    contents = {
        "epoch": 3,
        "pytorch-lightning_version": "2.5.0",
        "state_dict": under("student_net.", OTHER.state_dict()) | {"criterion.weight": torch.ones(7)},
        "callbacks": {"EMAWeights{'decay': 0.99}": {"ema_weights": under("student_net.", WHOLE), "step": 5}},
        "hyper_parameters": {"config": omega, "class_names": list("abcdefg")},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}}],
    }
    opened = load(saved(tmp_path, contents, "last.ckpt"))
    assert_is(opened, NET)
    assert_same_maps(opened)
    assert opened.labels == tuple("abcdefg")
    assert any(note.startswith("The averaged weights") for note in opened.notes)
    assert_is(load(saved(tmp_path, contents, "copy.bin"), part="state_dict.student_net"), OTHER)


def test_averages_of_torch_in_a_parallel_compiled_network(tmp_path: Path) -> None:
    averaged = AveragedModel(NET).state_dict()
    assert "n_averaged" in averaged
    inner = {name.replace("module.", "module._orig_mod.module.", 1): each for name, each in averaged.items()}
    contents = {
        "model": under("module._orig_mod.", OTHER.state_dict()),
        "model_ema": inner,
        "args": argparse.Namespace(model="convnext_tiny", classes=list("abcdefg")),
        "lr_scheduler": {"last_epoch": 3},
    }
    opened = load(saved(tmp_path, contents, "checkpoint.pth.tar"))
    assert_is(opened, NET)
    assert opened.labels == tuple("abcdefg")


def test_detectron2s_pickle_of_arrays(tmp_path: Path) -> None:
    import pickle

    names = {name: tensor for name, tensor in facebook_names(TRUNK).items() if not name.startswith("norm.")}
    weights = under("backbone.bottom_up.", names | stage_norms("norm{}", facebook_names(TRUNK)))
    weights |= {"backbone.fpn_lateral2.weight": torch.zeros(4, 4, 1, 1), "proposal_generator.x": torch.zeros(3)}
    contents = {
        "model": {name: tensor.numpy() for name, tensor in weights.items()},
        "__author__": "somebody",
        "matching_heuristics": True,
    }
    path = tmp_path / "model_final.pkl"
    path.write_bytes(pickle.dumps(contents, 4))
    opened = load(str(path))
    assert_is(opened, FEATURES)
    assert_same_maps(opened, FEATURES)


PAIRS: dict[str, tuple[Tensors, str]] = {
    "VICReg": (under("module.backbone.", TRUNK) | {"module.projector.0.weight": torch.zeros(64, 20)}, ""),
    "MoCo v2": (
        under("module.encoder_q.", OTHER.state_dict()) | under("module.encoder_k.", TRUNK),
        "module.encoder_k",
    ),
    "MoCo v3": (
        under("module.base_encoder.", OTHER.state_dict())
        | under("module.momentum_encoder.", TRUNK)
        | {"module.predictor.0.weight": torch.zeros(16, 20)},
        "module.momentum_encoder",
    ),
    "DINO": (
        under("student.module.backbone.", OTHER.state_dict())
        | under("teacher.backbone.", TRUNK)
        | {"teacher.head.last_layer.weight_g": torch.zeros(9, 1), "dino_loss.center": torch.zeros(1, 9)},
        "teacher.backbone",
    ),
    "BYOL": (
        under("online_encoder.net.", OTHER.state_dict()) | under("target_encoder.net.", TRUNK),
        "target_encoder.net",
    ),
    "ema_pytorch": (
        under("online_model.", OTHER.state_dict())
        | under("ema_model.", TRUNK)
        | {"initted": torch.tensor(True), "step": torch.tensor(5)},
        "ema_model",
    ),
    "solo-learn": (
        under("backbone.", OTHER.state_dict()) | under("momentum_backbone.", TRUNK),
        "momentum_backbone",
    ),
    "lightly": (
        under("backbone.", OTHER.state_dict()) | under("backbone_momentum.", TRUNK),
        "backbone_momentum",
    ),
    "camel case": (under("model.", OTHER.state_dict()) | under("modelEMA.", TRUNK), "modelEMA"),
    "SparK": (
        under("sparse_encoder.sp_cnn.", facebook_names(TRUNK))
        | {"mask_tokens.0": torch.zeros(1, 20, 1, 1), "dense_decoder.dec.0.up_sample.weight": torch.zeros(3)},
        "sparse_encoder.sp_cnn",
    ),
    "EUPE": (
        facebook_names(TRUNK) | {"projectors.dinov3.weight": torch.zeros(20, 20)},
        "",
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize(
    ("key", "name"), [("model", "checkpoint.pth"), ("", "model.safetensors"), ("net", "m.bin")]
)
def test_pretraining_without_labels(tmp_path: Path, pair: str, key: str, name: str) -> None:
    weights, part = PAIRS[pair]
    if name.endswith(".safetensors"):
        save_file({each: tensor.clone().contiguous() for each, tensor in weights.items()}, tmp_path / name)
        path = str(tmp_path / name)
    else:
        path = saved(tmp_path, {key: weights, "epoch": 3, "rng": np.random.RandomState(0).get_state()}, name)
    opened = load(path)
    assert_is(opened, FEATURES)
    assert_same_maps(opened, FEATURES)
    assert not opened.has_classes
    assert opened.part.endswith(part)
    if opened.other_parts:
        assert any("can be opened instead" in note for note in opened.notes)
        assert_is(load(path, part=opened.other_parts[0]), OTHER)


def test_deepspeeds_states(tmp_path: Path) -> None:
    contents = {
        "module": under("module.", {name: tensor.bfloat16() for name, tensor in WHOLE.items()}),
        "buffer_names": [],
        "optimizer": None,
        "param_shapes": [OrderedDict((name, tensor.shape) for name, tensor in WHOLE.items())],
        "ds_config": {"zero_optimization": {"stage": 2}},
        "ds_version": "0.15",
    }
    opened = load(saved(tmp_path, contents, "mp_rank_00_model_states.pt"))
    halved = {name: tensor.bfloat16().float() for name, tensor in WHOLE.items()}
    torch.testing.assert_close(opened.module.head.weight, halved["head.fc.weight"])


@pytest.mark.parametrize("ending", ["safetensors", "bin"])
def test_shards_of_a_segmenter(tmp_path: Path, ending: str) -> None:
    weights = under("backbone.", openmmlab_names(TRUNK)) | {
        "decode_head.conv_seg.weight": torch.zeros(4, 4, 1, 1)
    }
    prefix = "model" if ending == "safetensors" else "pytorch_model"
    listed: dict[str, str] = {}
    for at in range(3):
        name = f"{prefix}-0000{at + 1}-of-00003.{ending}"
        part = dict(list(weights.items())[at::3])
        listed |= dict.fromkeys(part, name)
        if ending == "bin":
            torch.save(part, tmp_path / name)
        else:
            save_file({each: tensor.clone().contiguous() for each, tensor in part.items()}, tmp_path / name)
    (tmp_path / f"{prefix}.{ending}.index.json").write_text(json.dumps({"weight_map": listed}))
    opened = load(str(tmp_path))
    assert_same_maps(opened, FEATURES)
    with pytest.raises(StudioError, match=rf"one of 3 files.*{prefix}.{ending}.index.json"):
        load(str(tmp_path / f"{prefix}-00002-of-00003.{ending}"))


@pytest.mark.parametrize("is_traced", [True, False])
def test_a_program_with_a_whole_system_in_it(tmp_path: Path, is_traced: bool) -> None:
    class System(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = FEATURES
            self.fc = ONE

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.encoder(x))

    system, x = System().eval(), torch.randn(1, 3, 64, 64)
    path = tmp_path / "system.pt"
    if is_traced:
        with pytest.warns(), torch.no_grad():
            torch.jit.trace(system, x, check_trace=False).save(str(path))
    else:
        torch.export.save(torch.export.export(system, (x,)), path)
    assert_is(load(str(path)), lambda given: ONE(FEATURES(given)))


def test_task_heads_beside_an_average_and_a_teacher(tmp_path: Path) -> None:
    colour, shape = linear(3, seed=5), linear(4, seed=6)
    heads = under("heads.colour.", colour.state_dict()) | under("heads.shape.", shape.state_dict())
    student = under("net.", OTHER.state_dict()) | heads
    averaged = under("net.", TRUNK) | heads
    contents = {"model": student, "model_ema": averaged, "note": b"x"}
    path = saved(tmp_path, contents, "best.pkl")
    opened = load(path)
    assert_is(opened, lambda x: colour(FEATURES(x)))
    assert opened.part == "model_ema.net"
    assert set(opened.other_parts) == {"model.net", "model_ema.heads.shape"}
    assert_is(load(path, part="model_ema.heads.shape"), lambda x: shape(FEATURES(x)))
    assert opened.config.dims == DIMS
