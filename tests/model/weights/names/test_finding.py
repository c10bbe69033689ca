"""The network in a file is found behind any prefix and wrapper, with the head that its author gave it."""

import re
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from convnext_studio.common.errors import StudioError
from convnext_studio.model import load
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.weights.saved_weights import save_as

Tensors = dict[str, Tensor]
DEPTHS, DIMS = (1, 1, 2, 1), (8, 12, 16, 20)


def network(classes: int = 7, seed: int = 0, **changes: Any) -> nn.Module:
    """Return timm's network of that many classes; those of the same seed differ in their heads only."""
    sizes: dict[str, Any] = {"depths": DEPTHS, "dims": DIMS, "num_classes": classes}
    found = timm.create_model("convnext_tiny", **sizes | changes)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in found.named_parameters():
        if not name.startswith("head.fc"):
            scales = parameter.ndim == 1 and "bias" not in name
            nn.init.normal_(parameter, mean=1.0 if scales else 0.0, std=0.2, generator=generator)
    for name, parameter in found.named_parameters():
        if name.startswith("head.fc"):
            nn.init.normal_(parameter, std=0.2, generator=generator)
    return found.eval().requires_grad_(False)


NET, OTHER, FEATURES = network(), network(seed=1), network(0)
WHOLE: Tensors = NET.state_dict()
TRUNK: Tensors = FEATURES.state_dict()


def under(prefix: str, weights: Mapping[str, Tensor]) -> Tensors:
    return {prefix + name: tensor for name, tensor in weights.items()}


def saved(folder: Path, contents: object, name: str = "m.pth") -> str:
    path = folder / name
    if path.suffix == ".safetensors":
        assert isinstance(contents, dict)
        save_file({key: tensor.contiguous().clone() for key, tensor in contents.items()}, path)
    else:
        torch.save(contents, path)
    return str(path)


def picture() -> Tensor:
    return torch.randn(2, 3, 67, 91, generator=torch.Generator().manual_seed(1))


def assert_is(opened: LoadedModel, theirs: Callable[[Tensor], Tensor]) -> None:
    expected = theirs(picture())
    assert expected.std() > 0.01
    torch.testing.assert_close(opened.module(picture()), expected, rtol=1e-4, atol=1e-4)


WRAPPERS: dict[str, Any] = {
    key: {"epoch": 3, key: WHOLE, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{}]}}
    for key in (
        "model_state_dict",
        "net",
        "network_weights",
        "params",
        "weights",
        "model_weights",
        "generator",
        "sd",
    )
} | {
    "nested": {"state": {"model": WHOLE}},
    "a list": [WHOLE],
    "a tuple": (3, WHOLE),
    "deep": {"a": {"b": {"c": {"d": WHOLE}}}},
    "empty averages": {"model": WHOLE, "model_ema": {}, "state_dict_ema": None},
    "fastai": {"model": under("0.model.", WHOLE), "opt": {}},
    "DeepSpeed": {"module": WHOLE, "buffer_names": [], "dp_world_size": 1},
    "Ignite": {"model": WHOLE, "trainer": {"iteration": 5}, "lr_scheduler": {"last_epoch": 1}},
    "OrderedDict": {"state_dict": OrderedDict(WHOLE)},
    "defaultdict": defaultdict(dict, {"state_dict": WHOLE}),
    "Counter beside": {"state_dict": WHOLE, "seen": Counter("abca")},
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrappers(tmp_path: Path, wrapper: str) -> None:
    assert_is(load(saved(tmp_path, WRAPPERS[wrapper])), NET)


PREFIXES = [
    "net.",
    "encoder.",
    "convnext.",
    "base_model.model.",
    "module.",
    "_orig_mod.",
    "module._orig_mod.",
    "model.model.",
    "backbone.bottom_up.",
    "sparse_encoder.sp_cnn.",
    "image_encoder.trunk.",
    "feature_extractor.",
    "student_of_it.x.",
    "pixel_level_module.encoder.",
    "a.b.c.d.e.f.g.h.i.j.",
    "0.",
    "_forward_module.model.",
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_prefixes(tmp_path: Path, prefix: str, ending: str) -> None:
    opened = load(saved(tmp_path, under(prefix, WHOLE), f"m{ending}"))
    assert_is(opened, NET)
    assert opened.config.num_classes == 7
    assert (
        prefix.startswith("_") or any(f"`{prefix}`" in note for note in opened.notes) or "_orig_mod" in prefix
    )


def test_parts_of_names_that_wrappers_put_in_between(tmp_path: Path) -> None:
    inner = {
        re.sub(r"^(stages\.\d)\.", r"_fsdp_wrapped_module.\1._fsdp_wrapped_module.", name): tensor
        for name, tensor in WHOLE.items()
    }
    assert sum("_fsdp" in name for name in inner) > 20
    opened = load(saved(tmp_path, {"model": under("_fsdp_wrapped_module.", inner)}))
    assert_is(opened, NET)


BESIDE: dict[str, dict[str, Any]] = {
    "n_averaged": {"n_averaged": torch.tensor(5)},
    "a loss": {"criterion.weight": torch.ones(7)},
    "metrics": {"train_acc.correct": torch.tensor(3), "val_acc.total": torch.tensor(9)},
    "mean and std": {"mean": torch.zeros(1, 3, 1, 1), "std": torch.ones(1, 3, 1, 1)},
    "a queue": {"queue": torch.randn(20, 64), "queue_ptr": torch.zeros(1, dtype=torch.long)},
    "a projector": {"projector.0.weight": torch.zeros(16, 20), "projector.0.bias": torch.zeros(16)},
    "projectors": {"projectors.a.weight": torch.zeros(20, 20), "projectors.a.bias": torch.zeros(20)},
    "a mask token": {"mask_token": torch.zeros(1, 8, 1, 1), "mask_tokens.0": torch.zeros(1, 20, 1, 1)},
    "prototypes": {"prototypes.weight": torch.zeros(30, 20), "prototypes.bias": torch.zeros(30)},
    "a decoder": {"decoder.0.dwconv.weight": torch.zeros(8, 1, 7, 7), "pred.weight": torch.zeros(48, 20, 1, 1)},
    "whole numbers": {"steps": torch.tensor([1, 2]), "flags": torch.tensor([True])},
}


@pytest.mark.parametrize("beside", BESIDE)
@pytest.mark.parametrize("prefix", ["", "model."])
def test_things_beside_never_make_it_fail(tmp_path: Path, beside: str, prefix: str) -> None:
    for weights, theirs in ((WHOLE, NET), (TRUNK, FEATURES)):
        for inside in (BESIDE[beside], under(prefix, BESIDE[beside])):
            opened = load(saved(tmp_path, {"state_dict": under(prefix, weights) | inside}))
            assert_is(opened, theirs)
            assert any("left out" in note for note in opened.notes)
            assert opened.has_classes == (theirs is NET)


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    heads = {f"decode_head.{at}": torch.zeros(1) for at in range(214)}
    heads |= {f"auxiliary_head.{at}": torch.zeros(1) for at in range(38)}
    opened = load(saved(tmp_path, under("backbone.", TRUNK) | heads))
    said = "The ConvNeXt under `backbone.` is open; decode_head (214 tensors) and auxiliary_head (38) left out."
    assert said in opened.notes


# ------------------------------------------------------------------------------------------- several networks

PAIRS: dict[str, tuple[dict[str, Any], str, str]] = {
    "EMA": ({"model": OTHER.state_dict(), "model_ema": WHOLE}, "model_ema", "model"),
    "EMA first": ({"params_ema": WHOLE, "params": OTHER.state_dict()}, "params_ema", "params"),
    "AveragedModel": (
        {"model": OTHER.state_dict(), "model_ema": {"n_averaged": torch.tensor(3)} | under("module.", WHOLE)},
        "model_ema.module",
        "model",
    ),
    "Lightning": (
        {"state_dict": under("net.", OTHER.state_dict()) | under("ema_net.", WHOLE)},
        "state_dict.ema_net",
        "state_dict.net",
    ),
    "teacher": ({"student": OTHER.state_dict(), "teacher": WHOLE}, "teacher", "student"),
    "MoCo": (
        {
            "state_dict": under("module.encoder_q.", OTHER.state_dict())
            | under("module.encoder_k.", WHOLE)
            | {"module.queue": torch.zeros(4, 4)}
        },
        "state_dict.module.encoder_k",
        "state_dict.module.encoder_q",
    ),
    "MoCo v3": (
        under("base_encoder.", OTHER.state_dict()) | under("momentum_encoder.", WHOLE),
        "momentum_encoder",
        "base_encoder",
    ),
    "BYOL": (
        {"online_network": OTHER.state_dict(), "target_network": WHOLE},
        "target_network",
        "online_network",
    ),
    "two colours": (under("rgb.", WHOLE) | under("depth.", OTHER.state_dict()), "rgb", "depth"),
    "a copy below the network": (dict(OTHER.state_dict()) | under("ema.", WHOLE), "ema", "."),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_of_two_networks_one_is_opened_and_the_other_offered(tmp_path: Path, pair: str) -> None:
    contents, first, second = PAIRS[pair]
    path = saved(tmp_path, contents)
    opened = load(path)
    assert_is(opened, NET)
    assert (opened.part, opened.other_parts) == (first, (second,))
    other = "the top of the file" if second == "." else second
    assert f"The file has other networks, which can be opened instead: {other}." in opened.notes
    assert_is(load(path, part=first), NET)
    assert_is(load(path, part=second), OTHER)
    assert load(path, part=f"{second}.".replace("..", ".")).other_parts == (first,)


def test_half_a_copy_is_passed_over(tmp_path: Path) -> None:
    cut = {name: tensor for name, tensor in WHOLE.items() if not name.startswith(("stages.2", "stem"))}
    opened = load(saved(tmp_path, {"model": WHOLE, "model_ema": cut}))
    assert_is(opened, NET)
    assert opened.part == "model"


def test_a_part_that_is_not_there(tmp_path: Path) -> None:
    path = saved(tmp_path, {"student": dict(WHOLE), "teacher": dict(WHOLE)})
    with pytest.raises(StudioError, match=r"no network or head “middle”.*networks under teacher, student"):
        load(path, part="middle")


def test_a_distilled_pair_with_projectors(tmp_path: Path) -> None:
    head = {"head.mlp.0.weight": torch.zeros(8, 20), "head.last_layer.weight_v": torch.zeros(9, 8)}
    student = under("student.backbone.", OTHER.state_dict()) | under("student.", head)
    teacher = under("teacher.backbone.", TRUNK) | under("teacher.", head)
    opened = load(saved(tmp_path, student | teacher))
    assert_is(opened, FEATURES)
    assert not opened.has_classes
    assert "The teacher (teacher.backbone) is open." in opened.notes


# -------------------------------------------------------------------------------------------------- own heads


def linear(outputs: int, inputs: int = DIMS[-1], seed: int = 0) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=0.3, generator=torch.Generator().manual_seed(seed))
    return layer.requires_grad_(False)


ONE, HIDDEN, LAST = linear(3), linear(9, seed=1), linear(3, 9, seed=2)
NAMES = (
    "fc",
    "classifier",
    "classifier.1",
    "head.1",
    "cls_head.fc",
    "linear",
    "my_classes",
    "net.output",
    "logits",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_own_heads(tmp_path: Path, name: str, ending: str) -> None:
    weights = under("backbone.", TRUNK) | under(f"{name}.", ONE.state_dict())
    opened = load(saved(tmp_path, weights, f"m{ending}"))
    assert_is(opened, lambda x: ONE(FEATURES(x)))
    assert opened.has_classes
    assert not any("left out" in note for note in opened.notes)


@pytest.mark.parametrize("name", ["head.fc.1", "head.fc", "head", "fc", "head.flatten.fc"])
def test_own_heads_within_the_network(tmp_path: Path, name: str) -> None:
    opened = load(saved(tmp_path, TRUNK | under(f"{name}.", ONE.state_dict())))
    assert_is(opened, lambda x: ONE(FEATURES(x)))


def test_a_head_without_bias(tmp_path: Path) -> None:
    opened = load(saved(tmp_path, under("m.", TRUNK) | {"fc.weight": ONE.weight}))
    assert_is(opened, lambda x: FEATURES(x) @ ONE.weight.T)


@pytest.mark.parametrize(
    "names", [("fc.0", "fc.3"), ("head.fc1", "head.fc2"), ("classifier.2", "classifier.10")]
)
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_a_hidden_layer(tmp_path: Path, names: tuple[str, str], ending: str) -> None:
    layers = under(f"{names[0]}.", HIDDEN.state_dict()) | under(f"{names[1]}.", LAST.state_dict())
    opened = load(saved(tmp_path, under("backbone.", TRUNK) | layers, f"m{ending}"))
    assert_is(opened, lambda x: LAST(nn.functional.gelu(HIDDEN(FEATURES(x)))))
    assert any("a GELU is assumed" in note for note in opened.notes)


@pytest.mark.parametrize("place", [0, 1])
def test_a_batch_norm_in_the_head_is_folded(tmp_path: Path, place: int) -> None:
    norm = nn.BatchNorm1d((DIMS[-1], 9)[place]).requires_grad_(False).eval()
    for at, tensor in enumerate((norm.weight, norm.bias, norm.running_mean, norm.running_var)):
        nn.init.uniform_(tensor, 0.5, 1.5, generator=torch.Generator().manual_seed(at))
    layers = [HIDDEN, nn.GELU(), LAST]
    layers.insert(place, norm)
    head = nn.Sequential(*layers).eval()
    opened = load(saved(tmp_path, under("backbone.", TRUNK) | under("fc.", head.state_dict())))
    assert_is(opened, lambda x: head(FEATURES(x)))


def test_a_layer_norm_in_the_head_is_the_last_norm(tmp_path: Path) -> None:
    without = {name: tensor for name, tensor in TRUNK.items() if not name.startswith("head.norm")}
    norm = {"classifier.0.weight": TRUNK["head.norm.weight"], "classifier.0.bias": TRUNK["head.norm.bias"]}
    weights = under("features.", without) | norm | under("classifier.2.", ONE.state_dict())
    assert_is(load(saved(tmp_path, weights)), lambda x: ONE(FEATURES(x)))


def test_several_task_heads(tmp_path: Path) -> None:
    colour, shape = linear(3, seed=5), linear(4, seed=6)
    heads = under("heads.colour.", colour.state_dict()) | under("heads.shape.", shape.state_dict())
    path = saved(tmp_path, {"state_dict": under("net.", TRUNK) | heads})
    opened = load(path)
    assert_is(opened, lambda x: colour(FEATURES(x)))
    assert opened.other_parts == ("state_dict.heads.shape",)
    assert any("it also has state_dict.heads.shape" in note for note in opened.notes)
    for part in ("heads.shape", "state_dict.heads.shape", "shape"):
        assert_is(load(path, part=part), lambda x: shape(FEATURES(x)))


@pytest.mark.parametrize(
    "name",
    ["projector", "projection_head", "predictor", "prototypes", "dino_head", "criterion", "embedding", "neck"],
)
def test_what_is_no_head(tmp_path: Path, name: str) -> None:
    opened = load(saved(tmp_path, under("backbone.", TRUNK) | under(f"{name}.", ONE.state_dict())))
    assert_is(opened, FEATURES)
    assert not opened.has_classes
    assert any(f"{name} (2 tensors) left out" in note for note in opened.notes)


@pytest.mark.parametrize("widths", [(9, 9, 3), (9, 11, 3), (20, 20, 20, 3), (9, 8, 7, 6, 5, 4)])
@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_a_head_of_more_layers(tmp_path: Path, widths: tuple[int, ...], ending: str) -> None:
    layers: list[nn.Module] = []
    for at, (before, after) in enumerate(pairwise((DIMS[-1], *widths))):
        layers += [nn.GELU()] if layers else []
        layers.append(linear(after, before, seed=at))
    head = nn.Sequential(*layers).eval()
    weights = under("backbone.", TRUNK) | under("fc.", head.state_dict())
    opened = load(saved(tmp_path, weights, f"m{ending}"))
    assert_is(opened, lambda x: head(FEATURES(x)))
    assert any("layers of its head (fc) a GELU is assumed" in note for note in opened.notes)
    save_as(opened, tmp_path / "own.safetensors")
    assert_is(load(str(tmp_path / "own.safetensors")), lambda x: head(FEATURES(x)))


@pytest.mark.parametrize("is_after", [True, False])
def test_a_batch_norm_is_folded_on_its_side_of_the_activation(tmp_path: Path, is_after: bool) -> None:
    norm = nn.BatchNorm1d(9).requires_grad_(False).eval()
    for at, tensor in enumerate((norm.weight, norm.bias, norm.running_mean, norm.running_var)):
        nn.init.uniform_(tensor, 0.5, 1.5, generator=torch.Generator().manual_seed(at))
    between = [nn.GELU(), norm] if is_after else [norm, nn.GELU()]
    head = nn.Sequential(HIDDEN, *between, nn.Dropout(), LAST).eval()
    opened = load(saved(tmp_path, under("backbone.", TRUNK) | under("fc.", head.state_dict())))
    assert_is(opened, lambda x: head(FEATURES(x)))


# ------------------------------------------------------------------------------------------- names of others


def facebook_names(weights: Mapping[str, Tensor]) -> Tensors:
    rules = [
        (r"^stem\.", "downsample_layers.0."),
        (r"^stages\.(\d)\.downsample\.", r"downsample_layers.\1."),
        (r"^stages\.(\d)\.blocks\.", r"stages.\1."),
        (r"conv_dw", "dwconv"),
        (r"mlp\.fc", "pwconv"),
        (r"^head\.norm\.", "norm."),
        (r"^head\.fc\.", "head."),
    ]
    found = {}
    for name, tensor in weights.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        found[name] = tensor
    return found


def openmmlab_names(weights: Mapping[str, Tensor]) -> Tensors:
    return {
        name.replace("dwconv", "depthwise_conv").replace("pwconv", "pointwise_conv"): tensor
        for name, tensor in facebook_names(weights).items()
    }


def stage_norms(pattern: str, last: Mapping[str, Tensor]) -> Tensors:
    """Return norms for the outputs of all stages; that of the last has the values of the network's own."""
    found = {}
    for at, width in enumerate(DIMS):
        scale, shift = torch.rand(width), torch.rand(width)
        if at == 3:
            scale, shift = last["norm.weight"].clone(), last["norm.bias"].clone()
        found |= {f"{pattern.format(at)}.weight": scale, f"{pattern.format(at)}.bias": shift}
    return found


@pytest.mark.parametrize("names", [facebook_names, openmmlab_names])
@pytest.mark.parametrize("pattern", ["norm{}", "norms.{}"])
@pytest.mark.parametrize("has_own", [True, False])
def test_norms_of_all_stages(
    tmp_path: Path, names: Callable[[Mapping[str, Tensor]], Tensors], pattern: str, has_own: bool
) -> None:
    weights = names(TRUNK)
    norms = stage_norms(pattern, facebook_names(TRUNK))
    if not has_own:
        weights = {name: tensor for name, tensor in weights.items() if not name.startswith("norm.")}
    opened = load(saved(tmp_path, {"state_dict": under("backbone.", weights | norms)}))
    assert_is(opened, FEATURES)


def test_openmmlab_with_its_head(tmp_path: Path) -> None:
    weights = {name: tensor for name, tensor in openmmlab_names(TRUNK).items() if not name.startswith("norm.")}
    weights |= {"norm3.weight": TRUNK["head.norm.weight"], "norm3.bias": TRUNK["head.norm.bias"]}
    contents = {
        "meta": {"epoch": 3},
        "state_dict": under("backbone.", weights) | under("head.fc.", ONE.state_dict()),
    }
    opened = load(saved(tmp_path, contents))
    assert "OpenMMLab" in opened.notes[0]
    assert_is(opened, lambda x: ONE(FEATURES(x)))


def test_torchvisions_features_without_their_name(tmp_path: Path) -> None:
    from tests.model.weights.test_formats import torchvision_network

    theirs = torchvision_network()
    weights = {name.removeprefix("features."): tensor for name, tensor in theirs.features.state_dict().items()}
    opened = load(saved(tmp_path, under("backbone.", weights)))
    maps = theirs.features(picture()).mean([-2, -1])
    expected = nn.functional.layer_norm(maps, maps.shape[1:], eps=1e-6)
    torch.testing.assert_close(opened.module(picture()), expected, rtol=1e-4, atol=1e-4)
