"""What the files beside weights say is followed as their own library does, or named."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import timm.data
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from convnext_studio.model import load
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.loaded import LoadedModel
from convnext_studio.model.preprocessing import Preprocessing
from tests.model.weights.names.test_finding import DEPTHS, DIMS, NET, WHOLE, network, picture, saved, under

transformers = pytest.importorskip("transformers")

SHAPES = ((301, 433, 3), (517, 389, 3))


def photographs() -> list[Image.Image]:
    random = np.random.default_rng(0)
    return [Image.fromarray(random.integers(0, 256, shape, dtype=np.uint8)) for shape in SHAPES]


def folder(path: Path, weights: dict[str, Tensor], **files: Any) -> str:
    """Write weights, and JSON files beside them; those that are bytes are written as they are."""
    save_file(
        {name: tensor.contiguous().clone() for name, tensor in weights.items()}, path / "model.safetensors"
    )
    for name, values in files.items():
        content = values if isinstance(values, bytes) else json.dumps(values).encode()
        (path / f"{name}.json").write_bytes(content)
    return str(path / "model.safetensors")


def assert_same_input(opened: LoadedModel, theirs: Callable[[Image.Image], Any], atol: float = 1e-5) -> None:
    for photograph in photographs():
        expected = np.asarray(theirs(photograph))
        np.testing.assert_allclose(opened.preprocessing(photograph)[0], expected, rtol=1e-5, atol=atol)


# ---------------------------------------------------------------------------------------------------- timm

TIMM: dict[str, Any] = {
    "input_size": [3, 224, 224],
    "crop_pct": 0.9,
    "interpolation": "bicubic",
    "mean": [0.5, 0.4, 0.3],
    "std": [0.5, 0.6, 0.7],
    "crop_mode": "center",
}


def timm_file(prepared: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {"architecture": "convnext_tiny", "num_classes": 7, "pretrained_cfg": TIMM | prepared} | others


@pytest.mark.parametrize(
    "prepared",
    [
        {},
        {"crop_pct": 1.0, "interpolation": "bilinear"},
        {"crop_pct": 224 / 236},
        {"interpolation": "lanczos"},
        {"interpolation": "hamming"},
        {"crop_mode": "squash", "crop_pct": 1.0},
        {"input_size": [3, 160, 160]},
        {"test_input_size": [3, 288, 288], "test_crop_pct": 1.0},
        {"input_size": [3, 224, 320]},
        {"input_size": [3, 320, 224], "crop_pct": 1.0},
        {"input_size": [3, 192, 224], "crop_mode": "border"},
        {"crop_mode": "border"},
        {"crop_mode": "border", "crop_pct": 1.0},
        {"crop_mode": "squash", "crop_pct": 0.9},
        {"crop_mode": "squash", "input_size": [3, 224, 96], "crop_pct": 0.875},
        {"crop_pct": 1.2},
        {"crop_pct": None, "mean": None, "std": None, "crop_mode": None},
    ],
)
def test_timms_transform(tmp_path: Path, prepared: dict[str, Any]) -> None:
    opened = load(folder(tmp_path, WHOLE, config=timm_file(prepared)))
    resolved = timm.data.resolve_data_config(pretrained_cfg=TIMM | prepared)
    assert_same_input(opened, timm.data.create_transform(**resolved))
    assert any("tested it with 288" in note for note in opened.notes) == ("test_input_size" in prepared)
    assert not any("not followed" in note for note in opened.notes)
    height, width = (TIMM | prepared)["input_size"][1:]
    assert opened.preprocess(photographs()[0]).shape == (1, 3, height, width)
    assert opened.node("stage2").shape == (DIMS[1], height // 8, width // 8)


@pytest.mark.parametrize(
    ("prepared", "named"),
    [
        ({"crop_mode": "spiral"}, "the crop mode “spiral”"),
        ({"interpolation": "random"}, "the interpolation “random”"),
    ],
)
def test_what_is_not_followed_of_timms_transform_is_named(
    tmp_path: Path, prepared: dict[str, Any], named: str
) -> None:
    opened = load(folder(tmp_path, WHOLE, config=timm_file(prepared)))
    assert any(f"ask for {named}, which is not followed" in note for note in opened.notes)


@pytest.mark.parametrize(
    ("others", "changes"),
    [
        ({"global_pool": "max"}, {"global_pool": "max"}),
        ({"global_pool": "avgmax"}, {"global_pool": "avgmax"}),
        ({"global_pool": "fastavgmax"}, {"global_pool": "avgmax"}),
        ({"global_pool": "fast"}, {}),
        ({"model_args": {"output_stride": 16}}, {"output_stride": 16}),
        ({"model_args": {"output_stride": 8}}, {"output_stride": 8}),
        ({"model_args": {"output_stride": 32}}, {}),
        ({"model_args": {"global_pool": "max"}}, {"global_pool": "max"}),
        ({"model_args": {"act_layer": "relu"}}, {"act_layer": "relu"}),
        ({"model_args": {"act_layer": "silu", "norm_eps": 0.01}}, {"act_layer": "silu", "norm_eps": 0.01}),
        ({"model_args": {"depths": list(DEPTHS), "drop_path_rate": 0.2}}, {}),
    ],
)
def test_timms_arguments(tmp_path: Path, others: dict[str, Any], changes: dict[str, Any]) -> None:
    theirs = network(**changes)
    theirs.load_state_dict(WHOLE)
    opened = load(folder(tmp_path, WHOLE, config=timm_file({}, **others)))
    torch.testing.assert_close(opened.module(picture()), theirs(picture()), rtol=1e-4, atol=1e-4)
    assert not any("not followed" in note for note in opened.notes)
    if changes:
        assert not torch.allclose(theirs(picture()), NET(picture()), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    ("others", "named"),
    [
        ({"global_pool": "catavgmax"}, "pooling by “catavgmax”"),
        ({"global_pool": ""}, "outputs at each position, without pooling"),
        ({"model_args": {"output_stride": 4}}, "an output stride of 4"),
        ({"model_args": {"act_layer": "mish"}}, "the activation “mish”"),
        ({"model_args": {"block_stride": 3}}, "block_stride"),
        ({"model_args": {"norm_layer": "rmsnorm"}}, "the norm “rmsnorm”"),
        ({"model_args": {"norm_layer": "groupnorm"}}, "the norm “groupnorm”"),
    ],
)
def test_arguments_of_timm_that_are_not_followed_are_named(
    tmp_path: Path, others: dict[str, Any], named: str
) -> None:
    opened = load(folder(tmp_path, WHOLE, config=timm_file({}, **others)))
    assert any(f"ask for {named}, which is not followed" in note for note in opened.notes)


@pytest.mark.parametrize("norm", ["rmsnorm", "rmsnorm2d", "simplenorm", "layernorm2d"])
def test_norms_that_tensors_do_not_tell_apart(tmp_path: Path, norm: str) -> None:
    theirs = network(norm_layer=norm)
    opened = load(folder(tmp_path, theirs.state_dict(), config=timm_file({}, model_args={"norm_layer": norm})))
    torch.testing.assert_close(opened.module(picture()), theirs(picture()), rtol=1e-4, atol=1e-4)
    assert not any("not followed" in note for note in opened.notes)


@pytest.mark.parametrize("is_told", [True, False])
def test_a_head_that_pools_twice(tmp_path: Path, is_told: bool) -> None:
    theirs = network(head_norm_first=True, global_pool="catavgmax")
    files = {"config": timm_file({}, global_pool="catavgmax")} if is_told else {}
    opened = load(folder(tmp_path, theirs.state_dict(), **files))
    torch.testing.assert_close(opened.module(picture()), theirs(picture()), rtol=1e-4, atol=1e-4)
    assert not any("not followed" in note for note in opened.notes)
    assert opened.node("head.norm").shape == (2 * DIMS[-1], 1, 1)


@pytest.mark.parametrize(
    ("others", "prepared"),
    [
        ({"label_names": list("abcdefg")}, {}),
        ({"label_names": list("abcdefg")}, {"label_names": list("ABCDEFG")}),
        ({}, {"labels": list("abcdefg")}),
        (
            {"label_names": list("1234567")},
            {"label_descriptions": dict(zip("1234567", "abcdefg", strict=True))},
        ),
        ({"label_descriptions": list("abcdefg")}, {"label_names": list("1234567")}),
    ],
)
def test_timms_names_of_classes(tmp_path: Path, others: dict[str, Any], prepared: dict[str, Any]) -> None:
    opened = load(folder(tmp_path, WHOLE, config=timm_file(prepared, **others)))
    assert opened.labels == tuple("abcdefg")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    content = json.dumps(timm_file({"label_names": list("abcdefg")})).encode(encoding)
    assert load(folder(tmp_path, WHOLE, config=content)).labels == tuple("abcdefg")


def test_grey_pictures(tmp_path: Path) -> None:
    weights = network(in_chans=1).state_dict()
    prepared = {"input_size": [1, 224, 224], "mean": [0.5], "std": [0.25]}
    opened = load(folder(tmp_path, weights, config=timm_file(prepared)))
    transform = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=TIMM | prepared))
    assert_same_input(opened, lambda photograph: transform(photograph.convert("L")))
    assert opened.preprocess(photographs()[0]).shape == (1, 1, 224, 224)
    alone = load(saved(tmp_path, weights, "alone.pth"))
    assert alone.module(alone.preprocess(photographs()[0])).shape == (1, 7)


def test_four_channels_are_told(tmp_path: Path) -> None:
    opened = load(saved(tmp_path, network(in_chans=4).state_dict()))
    assert "It takes 4 channels: the bands of a picture with as many, or chosen ones." in opened.notes


# -------------------------------------------------------------------------------------------- transformers

PROCESSOR: dict[str, Any] = {
    "size": {"shortest_edge": 224},
    "crop_pct": 0.875,
    "resample": 3,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.5, 0.6, 0.7],
}


def convnext(**changes: Any) -> nn.Module:
    config = transformers.ConvNextConfig(depths=DEPTHS, hidden_sizes=DIMS, num_labels=7, **changes)
    theirs = transformers.ConvNextForImageClassification(config)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in theirs.named_parameters():
        scales = parameter.ndim == 1 and "bias" not in name
        nn.init.normal_(parameter, mean=1.0 if scales else 0.0, std=0.2, generator=generator)
    return theirs.eval().requires_grad_(False)


HF = convnext()


@pytest.mark.parametrize(
    ("changes", "atol"),
    [
        ({}, 1e-5),
        ({"crop_pct": 0.9, "size": {"shortest_edge": 160}, "resample": 2}, 1e-5),
        ({"size": {"shortest_edge": 384}}, 1e-5),
        ({"do_normalize": False}, 1e-5),
        ({"do_rescale": False}, 1e-3),
        ({"rescale_factor": 1 / 127.5}, 1e-5),
        ({"do_normalize": False, "do_rescale": False}, 1e-3),
    ],
)
def test_the_processor_of_transformers(tmp_path: Path, changes: dict[str, Any], atol: float) -> None:
    processor = transformers.ConvNextImageProcessorPil(**PROCESSOR | changes)
    values = PROCESSOR | changes | {"image_processor_type": "ConvNextImageProcessor"}
    opened = load(folder(tmp_path, HF.state_dict(), config=HF.config.to_dict(), preprocessor_config=values))
    assert_same_input(
        opened, lambda photograph: processor(photograph, return_tensors="np").pixel_values[0], atol
    )
    assert not any("not followed" in note for note in opened.notes)


@pytest.mark.parametrize(
    ("kind", "changes", "expected"),
    [
        ("ViTImageProcessor", {"size": {"height": 256, "width": 256}}, {"input_px": 256, "squash": True}),
        ("ViTImageProcessor", {"size": 224}, {"input_px": 224, "squash": True}),
        ("ConvNextFeatureExtractor", {"size": 224}, {"input_px": 224, "crop_fraction": 0.875, "squash": False}),
        ("ConvNextFeatureExtractor", {"size": 384}, {"input_px": 384, "squash": True}),
    ],
)
def test_sizes_in_all_forms(
    tmp_path: Path, kind: str, changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    values = PROCESSOR | changes | {"image_processor_type": kind}
    opened = load(folder(tmp_path, HF.state_dict(), config=HF.config.to_dict(), preprocessor_config=values))
    assert {name: getattr(opened.preprocessing, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("ViT", {"size": {"height": 224, "width": 320}}),
        (
            "ViT",
            {
                "size": {"height": 160, "width": 96},
                "do_center_crop": True,
                "crop_size": {"height": 90, "width": 77},
            },
        ),
        ("ViT", {"size": 96}),
        ("Bit", {"size": 256, "crop_size": 224, "do_center_crop": True}),
        ("Bit", {"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 320}}),
        ("Bit", {"size": {"shortest_edge": 201}, "crop_size": {"height": 224, "width": 333}}),
        ("CLIP", {"size": {"shortest_edge": 224}, "crop_size": {"height": 224, "width": 192}}),
        ("ViT", {"image_mean": 0.4, "image_std": 0.3}),
    ],
)
def test_other_processors_of_transformers(tmp_path: Path, kind: str, changes: dict[str, Any]) -> None:
    asked = PROCESSOR | {"size": {"height": 224, "width": 224}} | changes
    processor = getattr(transformers, f"{kind}ImageProcessorPil")(**asked)
    values = asked | {"image_processor_type": f"{kind}ImageProcessor"}
    opened = load(folder(tmp_path, HF.state_dict(), config=HF.config.to_dict(), preprocessor_config=values))
    assert_same_input(opened, lambda photograph: processor(photograph, return_tensors="np").pixel_values[0])
    assert not any("not followed" in note for note in opened.notes)


@pytest.mark.parametrize("resized", [224, 230, 235, 249, 255, 256, 257, 288])
def test_a_crop_after_any_resizing(tmp_path: Path, resized: int) -> None:
    values = PROCESSOR | {"size": {"shortest_edge": resized}, "crop_size": {"height": 224, "width": 224}}
    processor = transformers.BitImageProcessorPil(**values)
    values |= {"image_processor_type": "BitImageProcessor", "do_center_crop": True}
    opened = load(folder(tmp_path, HF.state_dict(), config=HF.config.to_dict(), preprocessor_config=values))
    geometry = opened.preprocessing.geometry((resized * 2, resized))
    assert geometry.resized_size[1] == resized
    for photograph in photographs():
        expected = processor(photograph, return_tensors="np").pixel_values[0]
        np.testing.assert_allclose(opened.preprocessing(photograph)[0], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("size", "width"), [(224, 224), (160, 160), (96, 160)])
def test_dinov3s_processor(tmp_path: Path, size: int, width: int) -> None:
    config = transformers.DINOv3ConvNextConfig(
        depths=list(DEPTHS), hidden_sizes=list(DIMS), layer_norm_eps=0.02
    )
    theirs = transformers.DINOv3ConvNextModel(config).eval().requires_grad_(False)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(parameter.numel()))
    processor = transformers.DINOv3ViTImageProcessor(size={"height": size, "width": width})
    values = processor.to_dict() | {"image_processor_type": "DINOv3ViTImageProcessorFast"}
    told = load(folder(tmp_path, theirs.state_dict(), config=config.to_dict(), preprocessor_config=values))
    assert_same_input(told, lambda photograph: processor(photograph, return_tensors="np").pixel_values[0])
    torch.testing.assert_close(told.module(picture()), theirs(picture()).pooler_output, rtol=1e-4, atol=1e-5)
    if size == 224:
        alone = load(saved(tmp_path, theirs.state_dict(), "alone.pth"))
        assert_same_input(alone, lambda photograph: processor(photograph, return_tensors="np").pixel_values[0])


@pytest.mark.parametrize(
    "changes", [{"layer_norm_eps": 0.5}, {"hidden_act": "relu"}, {"hidden_act": "silu", "layer_norm_eps": 1e-3}]
)
def test_the_config_of_transformers(tmp_path: Path, changes: dict[str, Any]) -> None:
    theirs = convnext(**changes)
    opened = load(folder(tmp_path, theirs.state_dict(), config=theirs.config.to_dict()))
    torch.testing.assert_close(opened.module(picture()), theirs(picture()).logits, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(theirs(picture()).logits, HF(picture()).logits, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("config", "processor", "named"),
    [
        ({"problem_type": "regression"}, {}, "the problem type “regression”"),
        ({}, {"do_resize": False}, "pictures that are not resized"),
        ({}, {"size": {"shortest_edge": 224, "longest_edge": 500}}, "a limit for the longer side"),
        ({}, {"do_pad": True}, "do_pad"),
        ({}, {"rescale_offset": True}, "rescale_offset"),
        ({}, {"do_flip_channel_order": True}, "do_flip_channel_order"),
        ({}, {"do_center_crop": True, "crop_size": 200}, "a second crop"),
    ],
)
def test_what_is_not_followed_of_transformers_is_named(
    tmp_path: Path, config: dict[str, Any], processor: dict[str, Any], named: str
) -> None:
    files = {"config": HF.config.to_dict() | config, "preprocessor_config": PROCESSOR | processor}
    opened = load(folder(tmp_path, HF.state_dict(), **files))
    assert any(f"ask for {named}" in note and "not followed" in note for note in opened.notes)


def test_a_processor_that_is_not_understood_is_named(tmp_path: Path) -> None:
    values = PROCESSOR | {"size": {"max_height": 224, "max_width": 224}}
    opened = load(folder(tmp_path, HF.state_dict(), config=HF.config.to_dict(), preprocessor_config=values))
    assert "preprocessor_config.json next to it is not understood, and not used." in opened.notes
    assert opened.preprocessing == Preprocessing()


# ----------------------------------------------------------------------------------- OpenCLIP and OpenMMLab


@pytest.mark.parametrize(
    "prepared",
    [
        {"mean": [0.5, 0.4, 0.3], "std": [0.5, 0.6, 0.7], "interpolation": "bilinear", "resize_mode": "squash"},
        {
            "mean": [0.5, 0.4, 0.3],
            "std": [0.5, 0.6, 0.7],
            "interpolation": "bicubic",
            "resize_mode": "shortest",
        },
        {"resize_mode": "longest"},
        {"resize_mode": "longest", "fill_color": 127, "interpolation": "bilinear"},
        {"mean": 0.5, "std": 0.25},
        {},
        None,
    ],
)
@pytest.mark.parametrize("size", [224, 256, 320, [224, 160], [96, 320]])
def test_open_clips_transform(tmp_path: Path, prepared: dict[str, Any] | None, size: int | list[int]) -> None:
    open_clip = pytest.importorskip("open_clip")
    weights = under("visual.trunk.", network(0).state_dict()) | {
        "visual.head.proj.weight": torch.ones(5, DIMS[-1])
    }
    vision = {"timm_model_name": "convnext_base", "image_size": size, "timm_pool": "", "timm_proj": "linear"}
    values = {"model_cfg": {"embed_dim": 5, "vision_cfg": vision}}
    if prepared is not None:
        values["preprocess_cfg"] = prepared
    opened = load(folder(tmp_path, weights, open_clip_config=values))
    transform = open_clip.image_transform(size, is_train=False, **(prepared or {}))
    assert_same_input(opened, transform)
    assert not any("not followed" in note for note in opened.notes)


def test_open_clip_without_its_file_resizes_to_the_input(tmp_path: Path) -> None:
    open_clip = pytest.importorskip("open_clip")
    weights = under("visual.trunk.", network(0).state_dict()) | {
        "visual.head.proj.weight": torch.ones(5, DIMS[-1])
    }
    assert_same_input(load(saved(tmp_path, weights)), open_clip.image_transform(224, is_train=False))


def test_openmmlabs_config_in_the_checkpoint(tmp_path: Path) -> None:
    program = (
        "data_preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)\n"
        "test_pipeline = [dict(type='ResizeEdge', scale=232, edge='short', backend='pillow'), "
        "dict(type='CenterCrop', crop_size=224)]\nimport os; os.system('touch harm')"
    )
    opened = load(saved(tmp_path, {"meta": {"cfg": program}, "state_dict": WHOLE}))
    assert opened.preprocessing.mean == pytest.approx((0.485, 0.456, 0.406), abs=1e-6)
    assert opened.preprocessing.geometry((464, 232)).resized_size == (464, 232)


HEAD = "model = dict(backbone=dict(type='ConvNeXt'), head=dict(type='{}', num_classes=7))"


@pytest.mark.parametrize(
    ("contents", "is_multi_label"),
    [
        ({"meta": {"cfg": HEAD.format("MultiLabelLinearClsHead")}}, True),
        ({"meta": {"config": HEAD.format("MultiLabelClsHead")}}, True),
        ({"meta": {"cfg": HEAD.format("mmpretrain.models.heads.CSRAClsHead")}}, True),
        ({"meta": {"cfg": '{"head": {"type": "MultiLabelLinearClsHead"}}'}}, True),
        ({"hyper_parameters": {"task": "multilabel"}}, True),
        ({"config": {"problem_type": "multi_label_classification"}}, True),
        # OpenMMLab's other heads end with a softmax, even where their loss has a sigmoid.
        ({"meta": {"cfg": HEAD.format("LinearClsHead") + "\nloss = dict(use_sigmoid=True)"}}, False),
        ({"meta": {"cfg": "dataset = dict(type='MultiLabelDataset')"}}, False),
        ({"meta": {"cfg": "head = dict(type='MultiTaskHead', heads=[dict(type='MultiLabelClsHead')])"}}, False),
        ({"hyper_parameters": {"task": "multiclass"}}, False),
        ({"hyper_parameters": {"task": ["multilabel"]}}, False),
        ({"meta": {"cfg": 5}}, False),
    ],
)
def test_several_classes_are_right_where_the_checkpoint_says_so(
    tmp_path: Path, contents: dict[str, Any], is_multi_label: bool
) -> None:
    opened = load(saved(tmp_path, {**contents, "state_dict": WHOLE}))
    assert opened.is_multi_label == is_multi_label
    assert any("each percentage is a sigmoid of its own" in note for note in opened.notes) == is_multi_label
    logits = torch.tensor([[2.0, 2.0, -1.0, 0.0, 0.0, 0.0, 0.0]])
    expected = [1 / (1 + math.exp(-value)) for value in logits[0].tolist()]
    given = opened.probabilities(logits)[0].tolist()
    assert (given == pytest.approx(expected)) == is_multi_label
    assert (sum(given) == pytest.approx(1)) != is_multi_label


@pytest.mark.parametrize("said", ["", "mean=[1], std=[x]", "mean=[1,2], std=[3]", 5, {"mean": 3}])
def test_other_configs_in_a_checkpoint_are_ignored(tmp_path: Path, said: object) -> None:
    opened = load(saved(tmp_path, {"meta": {"cfg": said}, "state_dict": WHOLE}))
    assert opened.preprocessing == Preprocessing()


def test_dinov3_as_meta_names_it_is_squashed_to_256_px(tmp_path: Path) -> None:
    from tests.model.weights.names.test_finding import TRUNK, facebook_names

    names = facebook_names(TRUNK)
    names |= {"norms.3.weight": names["norm.weight"], "norms.3.bias": names["norm.bias"]}
    opened = load(saved(tmp_path, names))
    assert isinstance(opened.config, ConvNeXtConfig)
    prepared = opened.preprocessing
    assert (prepared.input_px, prepared.squash, prepared.interpolation) == (256, True, "bilinear")
    assert "DINOv3 License" in opened.provenance["licence of the weights"]


# -------------------------------------------------------------------------------------------------- licences


@pytest.mark.parametrize(
    ("name", "card", "licence"),
    [
        ("m.pth", "---\nlicense: mit\ntags: [a]\n---\nText", "mit"),
        ("m.pth", "---\nlicense: other\nlicense_name: dinov3-license\n---\n", "dinov3-license"),
        ("m.pth", "license: mit", None),
        ("convnextv2_tiny_1k_224_ema.pt", None, "CC BY-NC 4.0"),
        ("eupe_convnext_tiny.pth", None, "FAIR Noncommercial"),
    ],
)
def test_licences(tmp_path: Path, name: str, card: str | None, licence: str | None) -> None:
    if card is not None:
        (tmp_path / "README.md").write_text(card)
    opened = load(saved(tmp_path, WHOLE, name))
    found = opened.provenance.get("licence of the weights")
    assert found is None if licence is None else licence in str(found)
    assert licence is None or any(note.startswith("Licence of the weights: ") for note in opened.notes)
