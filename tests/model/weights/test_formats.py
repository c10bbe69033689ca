"""Weights of every published format give the same logits as the network of the other library."""

import json
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.convnext import ConvNeXt as TorchvisionConvNeXt

from convnext_studio.common.errors import StudioError
from convnext_studio.model import load
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.presets import preset
from convnext_studio.model.weights.names.converting import convert
from convnext_studio.model.weights.names.formats import TORCHVISION
from convnext_studio.model.weights.names.inference import infer_config, shapes_of
from convnext_studio.model.weights.reading import usual_preprocessing
from convnext_studio.model.weights.saved_weights import save_as
from tests.networks import lively, small_model

DEPTHS, DIMS = (1, 2, 3, 1), (8, 12, 16, 20)
V1 = ConvNeXtConfig(num_classes=7, depths=DEPTHS, dims=DIMS)
V2 = ConvNeXtConfig(num_classes=7, depths=DEPTHS, dims=DIMS, grn=True, layer_scale_init_value=0)
ISOTROPIC = ConvNeXtConfig(
    num_classes=7,
    depths=(3,),
    dims=(16,),
    stem_kernel_size=16,
    stem_stride=16,
    stem_norm=False,
    layer_scale_init_value=0,
)


def randomised(network: nn.Module) -> nn.Module:
    """Return the network with random weights, so that each one affects the output."""
    torch.manual_seed(0)
    for name, parameter in network.named_parameters():
        scales = parameter.ndim == 1 and "bias" not in name
        nn.init.normal_(parameter, mean=1.0 if scales else 0.0, std=0.2)
    return network.eval().requires_grad_(False)


def timm_network(architecture: str, **changes: Any) -> nn.Module:
    sizes: dict[str, Any] = {"depths": DEPTHS, "dims": DIMS, "num_classes": 7}
    return randomised(timm.create_model(architecture, **sizes | changes))


def torchvision_network() -> nn.Module:
    after = (*DIMS[1:], None)
    settings = [CNBlockConfig(*sizes) for sizes in zip(DIMS, after, DEPTHS, strict=True)]
    return randomised(TorchvisionConvNeXt(settings, num_classes=7))


def assert_same_logits(opened: LoadedModel, theirs: Callable[[Tensor], Tensor], side_px: int = 64) -> None:
    x = torch.randn(2, opened.config.in_chans, side_px, side_px, generator=torch.Generator().manual_seed(1))
    expected = theirs(x)
    assert expected.std() > 0.01
    torch.testing.assert_close(opened.module(x), expected, rtol=1e-4, atol=1e-4)


def saved(path: Path, state_dict: Mapping[str, Any]) -> str:
    if path.suffix == ".safetensors":
        save_file({name: tensor.clone() for name, tensor in state_dict.items()}, path)
    else:
        torch.save(state_dict, path)
    return str(path)


def transformers_names(state_dict: Mapping[str, Tensor], root: str) -> dict[str, Tensor]:
    """Return our tensors as in transformers' ConvNextForImageClassification (V1 and V2)."""
    theirs = {}
    for name, tensor in state_dict.items():
        first, *rest = name.split(".")
        if first == "head":
            theirs[f"classifier.{rest[0]}"] = tensor
        elif first == "norm":
            theirs[f"{root}.layernorm.{rest[0]}"] = tensor
        elif name.startswith("downsample_layers.0."):
            part = ("patch_embeddings", "layernorm")[int(rest[1])]
            theirs[f"{root}.embeddings.{part}.{rest[2]}"] = tensor
        elif first == "downsample_layers":
            theirs[f"{root}.encoder.stages.{rest[0]}.downsampling_layer.{rest[1]}.{rest[2]}"] = tensor
        else:
            stage, block, *parameter = rest
            words = {"gamma": "layer_scale_parameter", "norm": "layernorm", "beta": "bias"}
            if parameter[0] == "grn":
                words["gamma"] = "weight"
            told = ".".join(words.get(word, word) for word in parameter)
            theirs[f"{root}.encoder.stages.{stage}.layers.{block}.{told}"] = tensor
    return theirs


@pytest.mark.parametrize("suffix", [".safetensors", ".bin"])
@pytest.mark.parametrize(("config", "root"), [(V1, "convnext"), (V2, "convnextv2")])
def test_transformers(tmp_path: Path, config: ConvNeXtConfig, root: str, suffix: str) -> None:
    ours = lively(config)
    theirs = transformers_names(ours.state_dict(), root)
    assert f"{root}.encoder.stages.1.layers.0.pwconv1.weight" in theirs
    labels = {str(index): f"thing {index}" for index in range(7)}
    (tmp_path / "config.json").write_text(json.dumps({"id2label": labels}))
    opened = load(saved(tmp_path / f"model{suffix}", theirs))
    assert_same_logits(opened, ours)
    assert opened.labels == tuple(labels.values())
    assert "format of Hugging Face transformers" in opened.notes[0]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"id2label": {"0": "a"}}', '{"id2label": null}'])
def test_labels_next_to_a_file_are_used_only_if_they_fit(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    path = saved(tmp_path / "m.bin", transformers_names(lively(V1).state_dict(), "convnext"))
    assert load(path).labels[6] == "class 6"


@pytest.mark.parametrize("size", ["tiny", "small", "base", "large"])
def test_preprocessing_is_that_published_by_torchvision(size: str) -> None:
    theirs = torchvision.models.get_model_weights(f"convnext_{size}").DEFAULT.transforms()
    ours = usual_preprocessing(TORCHVISION, preset(f"convnext_{size}"))
    for shape in ((300, 451, 3), (640, 333, 3)):
        pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        picture = Image.fromarray(pixels)
        np.testing.assert_allclose(ours(picture)[0], theirs(picture).numpy(), rtol=0, atol=1e-5)


def test_assumed_preprocessing_is_noted(tmp_path: Path) -> None:
    save_file(torchvision_network().state_dict(), tmp_path / "theirs.safetensors")
    opened = load(str(tmp_path / "theirs.safetensors"))
    assert "pictures resized to 232 px (bilinear) and cropped to 224 px" in " ".join(opened.notes)


def test_torchvision(tmp_path: Path) -> None:
    theirs = torchvision_network()
    opened = load(saved(tmp_path / "m.pth", theirs.state_dict()))
    assert_same_logits(opened, theirs)
    assert opened.config == V1


@pytest.mark.parametrize(
    ("architecture", "changes", "expected"),
    [
        ("convnext_tiny", {}, {}),
        ("convnext_tiny", {"kernel_sizes": (7, 5, 5, 3)}, {"kernel_size": (7, 5, 5, 3)}),
        ("convnext_tiny", {"in_chans": 1}, {"in_chans": 1}),
        ("convnext_atto", {}, {}),  # 1x1 convolutions in place of linear layers.
        ("convnext_atto_ols", {"dims": (24, 28, 32, 36)}, {"stem_type": "overlap_tiered"}),
        ("convnext_nano_ols", {}, {"stem_type": "overlap"}),
        ("convnext_zepto_rms_ols", {}, {"stem_type": "overlap_act", "norm": "simple"}),
        ("convnext_tiny_hnf", {}, {"head_norm_first": True}),
        ("convnext_large_mlp", {"head_hidden_size": 24}, {"head_hidden_size": 24}),
        ("convnextv2_atto", {}, {"grn": True, "layer_scale_init_value": 0}),
        ("convnextv2_tiny", {}, {"grn": True, "layer_scale_init_value": 0}),
    ],
)
def test_timm(tmp_path: Path, architecture: str, changes: dict[str, Any], expected: dict[str, Any]) -> None:
    theirs = timm_network(architecture, **changes)
    opened = load(saved(tmp_path / "m.safetensors", theirs.state_dict()))
    assert_same_logits(opened, theirs)
    assert {name: getattr(opened.config, name) for name in expected} == expected


def test_clips_largest_is_known_by_its_size() -> None:
    # Only shapes are read, so three gigabytes of weights need not be allocated.
    theirs = timm.create_model("convnext_xxlarge", device="meta")
    config = infer_config(shapes_of(convert(theirs.state_dict(), 10**10).state_dict))
    assert config.norm_eps == theirs.head.norm.eps == 1e-5


@pytest.mark.parametrize("config", [V1, V2])
def test_facebookresearch(tmp_path: Path, config: ConvNeXtConfig) -> None:
    ours = lively(config)
    opened = load(saved(tmp_path / "m.pth", {"model": ours.state_dict()}))
    assert_same_logits(opened, ours)
    assert opened.config.grn == config.grn


def test_facebookresearch_isotropic(tmp_path: Path) -> None:
    ours = lively(ISOTROPIC)
    theirs = {
        re.sub(r"^stages\.0\.", "blocks.", name.replace("downsample_layers.0.0.", "stem.")): tensor
        for name, tensor in ours.state_dict().items()
    }
    assert {name.partition(".")[0] for name in theirs} == {"stem", "blocks", "norm", "head"}
    opened = load(saved(tmp_path / "m.pth", {"model": theirs}))
    assert_same_logits(opened, ours)
    assert opened.config == ISOTROPIC


@pytest.mark.parametrize("projection", ["linear", "mlp"])
def test_open_clip_opens_the_image_tower(tmp_path: Path, projection: str) -> None:
    trunk = timm_network("convnext_base", num_classes=0)
    sizes = [(20, 5)] if projection == "linear" else [(20, 10), (10, 5)]
    layers = [nn.Linear(*pair, bias=False) for pair in sizes[-1:]]
    head: dict[str, Tensor] = {"visual.head.proj.weight": layers[0].weight}
    if projection == "mlp":
        layers.insert(0, nn.Linear(*sizes[0]))
        head = {
            "visual.head.mlp.fc1.weight": layers[0].weight,
            "visual.head.mlp.fc1.bias": layers[0].bias,
            "visual.head.mlp.fc2.weight": layers[1].weight,
        }
    contents = {
        "logit_scale": torch.ones(()),
        "text.transformer.resblocks.0.attn.in_proj_weight": torch.ones(4, 4),
        **{f"visual.trunk.{name}": tensor for name, tensor in trunk.state_dict().items()},
        **head,
    }
    path = saved(tmp_path / "open_clip_pytorch_model.bin", contents)

    def theirs(x: Tensor) -> Tensor:
        x = layers[0](trunk(x))
        return (layers[1](nn.functional.gelu(x)) if projection == "mlp" else x).detach()

    opened = load(path)
    assert_same_logits(opened, theirs)
    assert (
        "The ConvNeXt under `visual.trunk.` is open; logit_scale (1 tensor) and text (1) left out."
        in opened.notes
    )
    assert any("embedding" in note for note in opened.notes)
    assert opened.preprocessing.mean[0] == pytest.approx(0.4815, abs=1e-4)


def test_network_without_a_classifier_gives_its_features(tmp_path: Path) -> None:
    theirs = timm_network("convnext_tiny", num_classes=0)
    opened = load(saved(tmp_path / "m.pth", theirs.state_dict()))
    assert_same_logits(opened, theirs)
    assert any("no classifier" in note for note in opened.notes)
    without_norm = {k: v for k, v in theirs.state_dict().items() if not k.startswith("head.norm")}
    opened = load(saved(tmp_path / "n.pth", without_norm))
    nn.init.ones_(theirs.head.norm.weight)
    nn.init.zeros_(theirs.head.norm.bias)
    assert_same_logits(opened, theirs)


def scaled(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: 3 * tensor for name, tensor in weights.items()}


def prefixed(prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor for name, tensor in weights.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: {"state_dict": weights, "epoch": 3, "arch": "convnext_tiny"},
        lambda weights: {"state_dict": scaled(weights), "state_dict_ema": weights},
        lambda weights: {"model": scaled(weights), "model_ema": weights, "optimizer": {"state": {}}},
        lambda weights: {"module": weights},
        lambda weights: {"model": {"state_dict": weights}},
        partial(lambda prefix, weights: {prefix + name: weights[name] for name in weights}, "module."),
        partial(
            lambda prefix, weights: {prefix + name: weights[name] for name in weights}, "_orig_mod.module."
        ),
        partial(lambda prefix, weights: {prefix + name: weights[name] for name in weights}, "model.backbone."),
        lambda weights: {
            "state_dict": {("" if n.startswith("head") else "backbone.") + n: weights[n] for n in weights}
        },
    ],
)
def test_wrapped_and_prefixed(tmp_path: Path, wrap: Callable[[Mapping[str, Tensor]], dict[str, Any]]) -> None:
    theirs = timm_network("convnext_tiny")
    contents = wrap(theirs.state_dict())
    opened = load(saved(tmp_path / "m.ckpt", contents))
    assert_same_logits(opened, theirs)
    averaged = any(name.endswith("_ema") for name in contents)
    assert any("averaged" in note for note in opened.notes) == averaged


def test_tensors_of_the_same_name_are_refused(tmp_path: Path) -> None:
    weights = timm_network("convnext_tiny").state_dict()
    both = OrderedDict(weights) | {"norm_pre.bias": torch.zeros(20)}
    with pytest.raises(StudioError, match=r"contains norm\.bias twice"):
        load(saved(tmp_path / "m.pth", both))


def test_missing_tensors_are_named(tmp_path: Path) -> None:
    weights = torchvision_network().state_dict()
    for name in list(weights):
        if name.startswith("features.5.1"):
            weights["extra." + name] = weights.pop(name)
    with pytest.raises(StudioError) as caught:
        load(saved(tmp_path / "m.pth", weights))
    assert "9 missing (stages.2.1.dwconv.bias, " in caught.value.message


def test_unexpected_tensors_of_the_trunk_are_named_as_in_the_file(tmp_path: Path) -> None:
    weights = torchvision_network().state_dict()
    weights.update({f"features.5.1.block.{index}.scale": torch.zeros(1) for index in range(30)})
    with pytest.raises(StudioError, match="30 unexpected") as caught:
        load(saved(tmp_path / "m.pth", weights))
    assert caught.value.message.count("features.5.1.block.") == 3


def test_what_lies_beside_the_network_is_left_out_and_counted(tmp_path: Path) -> None:
    theirs = timm_network("convnext_tiny")
    weights = theirs.state_dict() | {f"decoder.{index}": torch.zeros(1) for index in range(30)}
    opened = load(saved(tmp_path / "m.pth", weights))
    assert_same_logits(opened, theirs)
    assert "The ConvNeXt is open; decoder (30 tensors) left out." in opened.notes


@pytest.mark.parametrize("name", ["stem.0.weight", "stages.0.blocks.0.mlp.fc1.weight", "head.fc.weight"])
def test_a_missing_tensor_that_determines_the_architecture_is_named(tmp_path: Path, name: str) -> None:
    weights = timm_network("convnext_tiny").state_dict()
    del weights[name]
    with pytest.raises(StudioError, match=r"(downsample_layers\.0\.0|pwconv1|head\.fc)\.weight is missing"):
        load(saved(tmp_path / "m.pth", weights))


@pytest.mark.parametrize("contents", [{}, {"a": 1}, {"fc.weight": torch.ones(2)}, {"state_dict": {"w": [1]}}])
def test_other_networks_give_one_sentence(tmp_path: Path, contents: dict[str, Any]) -> None:
    with pytest.raises(StudioError, match=r"no named tensors|not the weights of a ConvNeXt"):
        load(saved(tmp_path / "m.pth", contents))


def test_integer_weights_are_refused(tmp_path: Path) -> None:
    weights = {name: tensor.long() for name, tensor in timm_network("convnext_tiny").state_dict().items()}
    with pytest.raises(StudioError, match="tensors that are not floating point"):
        load(saved(tmp_path / "m.safetensors", weights))


def test_non_finite_values_are_noted(tmp_path: Path) -> None:
    weights = timm_network("convnext_tiny").state_dict()
    weights["head.fc.bias"][2] = float("nan")
    weights["stem.1.weight"][0] = float("inf")
    opened = load(saved(tmp_path / "m.pth", weights))
    assert opened.notes[0] == "2 tensors contain values that are not finite: stem.1.weight, head.fc.bias."


def test_half_precision_is_computed_in_single(tmp_path: Path) -> None:
    theirs = timm_network("convnext_tiny").bfloat16()
    opened = load(saved(tmp_path / "m.safetensors", theirs.state_dict()))
    assert opened.module.head.weight.dtype == torch.float32
    assert_same_logits(opened, theirs.float())


def test_a_stem_that_tensors_do_not_show_is_assumed_noted_and_can_be_given(tmp_path: Path) -> None:
    ours = lively(ConvNeXtConfig(num_classes=7, depths=DEPTHS, dims=DIMS, stem_stride=1, stem_padding=1))
    path = saved(tmp_path / "m.pth", ours.state_dict())
    assumed = load(path)
    assert (assumed.config.stem_stride, assumed.config.stem_padding) == (4, 0)
    assert "stem stride 4, stem padding 0" in assumed.notes[-1]
    given = load(path, stem_stride=1, stem_padding=1)
    assert "stem" not in given.notes[-1]
    assert_same_logits(given, ours, side_px=24)


def test_imagenets_thousand_classes_have_labels(tmp_path: Path) -> None:
    weights = timm_network("convnext_tiny", num_classes=1000).state_dict()
    opened = load(saved(tmp_path / "m.pth", weights))
    assert opened.labels[281] == "tabby, tabby cat"
    assert any("assumed to be those of ImageNet" in note for note in opened.notes)


def test_the_file_may_change_once_it_is_open(tmp_path: Path) -> None:
    theirs = timm_network("convnext_tiny")
    for name in ("m.pth", "m.safetensors"):
        path = tmp_path / name
        opened = load(saved(path, theirs.state_dict()))
        with path.open("r+b") as stream:
            stream.write(bytes(path.stat().st_size))
        assert_same_logits(opened, theirs)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_tensors_of_any_shape_give_a_model_or_one_sentence(tmp_path: Path, data: st.DataObject) -> None:
    weights = dict(lively(data.draw(st.sampled_from([V1, V2]))).state_dict())
    names = st.sampled_from(sorted(weights))
    for name in data.draw(st.lists(names, max_size=3)):
        weights.pop(name, None)
    for name in data.draw(st.lists(names, max_size=3)):
        weights[name] = torch.zeros(data.draw(st.lists(st.integers(0, 5), max_size=4)))
    if data.draw(st.booleans()):
        weights = {name: tensor for name, tensor in weights.items() if not name.startswith("head.")}
    with suppress(StudioError):
        load(saved(tmp_path / "m.safetensors", weights)).module(torch.zeros(1, 3, 32, 32))


def test_a_cut_off_trunk_is_not_completed(tmp_path: Path) -> None:
    weights = {"downsample_layers.0.0.weight": torch.zeros(4, 3, 4, 4)}
    weights["stages.0.0.pwconv2.weight"] = torch.zeros(10**6, 1)
    with pytest.raises(StudioError, match="cut off"):
        load(saved(tmp_path / "m.safetensors", weights))


def test_a_file_that_does_not_state_its_stem_is_marked(tmp_path: Path) -> None:
    model = small_model()
    save_as(model, tmp_path / "theirs.pth", "facebookresearch")
    save_as(model, tmp_path / "ours.safetensors")
    assert load(str(tmp_path / "theirs.pth")).is_stem_untold
    assert load(str(tmp_path / "theirs.pth"), stem_stride=2, stem_padding=1).is_stem_untold
    assert not load(str(tmp_path / "ours.safetensors")).is_stem_untold


def sparse_names(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return our tensors as in MinkowskiEngine's encoder of FCMAE: kernels by position, column-major."""
    theirs: dict[str, Tensor] = {}
    for name, tensor in state_dict.items():
        if name.startswith(("head.", "norm.")):
            continue
        stem = name.startswith("downsample_layers.0.")
        if tensor.ndim == 4 and not stem and "grn" not in name:
            out_channels, in_channels, rows, columns = tensor.shape
            kernel = torch.zeros(rows * columns, in_channels, out_channels)
            for row in range(rows):
                for column in range(columns):
                    kernel[column * rows + row] = tensor[:, :, row, column].T
            depthwise = "dwconv" in name
            theirs[name.replace(".weight", ".kernel")] = kernel[:, 0] if depthwise else kernel
        elif ".grn." in name:
            theirs[name] = tensor.reshape(1, -1)
        elif stem:
            theirs[name] = tensor
        elif re.search(r"\.norm\.|downsample_layers\.\d\.0\.", name):
            theirs[re.sub(r"\.(weight|bias)$", r".ln.\1", name)] = tensor
        elif ".pwconv" in name:
            theirs[re.sub(r"\.(weight|bias)$", r".linear.\1", name)] = tensor
        else:
            theirs[name] = tensor.reshape(1, -1)  # Biases of the convolutions.
    return theirs


@pytest.mark.parametrize("prefix", ["encoder.", ""])
def test_sparse_pretraining(tmp_path: Path, prefix: str) -> None:
    ours = lively(V2)
    theirs = {prefix + name: tensor for name, tensor in sparse_names(ours.state_dict()).items()}
    assert theirs[f"{prefix}stages.0.0.dwconv.kernel"].shape == (49, DIMS[0])
    assert theirs[f"{prefix}downsample_layers.1.1.kernel"].shape == (4, DIMS[0], DIMS[1])
    if prefix:
        theirs |= {"decoder.0.dwconv.weight": torch.zeros(3), "mask_token": torch.zeros(1, 8, 1, 1)}
        theirs |= {"proj.weight": torch.zeros(2), "pred.bias": torch.zeros(2)}
    opened = load(saved(tmp_path / "m.pt", {"model": theirs}))
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    features = ours.forward_features(x).mean([-2, -1])
    expected = nn.functional.layer_norm(features, (DIMS[-1],), eps=1e-6)
    assert expected.std() > 0.1
    torch.testing.assert_close(opened.module(x), expected, rtol=1e-4, atol=1e-4)
    assert "FCMAE" in opened.notes[0]
    assert any("no classifier" in note for note in opened.notes)
    assert any("proj (1)" in note for note in opened.notes) == bool(prefix)


@pytest.mark.parametrize("shape", [(48, 8), (49,), (), (49, 1, 8, 1), (0, 8)])
def test_invalid_sparse_kernels_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    theirs = sparse_names(lively(V2).state_dict())
    theirs["stages.0.0.dwconv.kernel"] = torch.zeros(shape)
    with pytest.raises(StudioError):
        load(saved(tmp_path / "m.pt", theirs))


@pytest.mark.parametrize("patch", [1, 3, 7, 8, 16, 32])
def test_patches_of_other_sizes(tmp_path: Path, patch: int) -> None:
    theirs = timm_network("convnext_tiny", patch_size=patch)
    opened = load(saved(tmp_path / "m.pth", theirs.state_dict()))
    assert (opened.config.stem_kernel_size, opened.config.stem_stride) == (patch, patch)
    assert_same_logits(opened, theirs, side_px=16 * min(patch, 16))


def test_patches_with_which_timm_halves_the_map_in_its_first_stage_are_refused(tmp_path: Path) -> None:
    theirs = timm_network("convnext_tiny", patch_size=2)
    with pytest.raises(StudioError, match="patches of 2 × 2"):
        load(saved(tmp_path / "m.pth", theirs.state_dict()))


def test_the_list_of_known_formats_names_none_twice(tmp_path: Path) -> None:
    torch.save({"a.weight": torch.zeros(3, 3)}, tmp_path / "strange.pth")
    with pytest.raises(StudioError, match="not the weights of a ConvNeXt") as refused:
        load(str(tmp_path / "strange.pth"))
    listed = refused.value.hint.partition("those of ")[2].rstrip(".").split(", ")
    assert len(listed) > 8
    assert len(listed) == len(set(listed))
