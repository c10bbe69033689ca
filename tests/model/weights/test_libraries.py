"""Networks of other libraries, saved as these save them, give the same maps at every stage here."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from convnext_studio.common.errors import StudioError
from convnext_studio.model import load
from convnext_studio.model.loaded import LoadedModel

transformers = pytest.importorskip("transformers")

SIZES = {"depths": [1, 2, 1, 1], "hidden_sizes": [8, 12, 16, 20]}
TIMM: dict[str, Any] = {"depths": (1, 2, 1, 1), "dims": (8, 12, 16, 20)}
PICTURES = ((75, 101), (64, 97))


@pytest.fixture(autouse=True)
def no_thread_of_progress_bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have tqdm start no thread that watches its bars, because it never ends."""
    monkeypatch.setattr(tqdm, "monitor_interval", 0)


def randomised(network: nn.Module) -> nn.Module:
    """Return the network with random weights, so that each one affects the output."""
    generator = torch.Generator().manual_seed(3)
    for name, parameter in network.named_parameters():
        scales = parameter.ndim == 1 and "bias" not in name
        nn.init.normal_(parameter, mean=1.0 if scales else 0.0, std=0.2, generator=generator)
    return network.eval().requires_grad_(False)


def pictures() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(1, 3, *size, generator=generator) for size in PICTURES]


def stage_maps(model: LoadedModel, x: Tensor) -> list[Tensor]:
    maps: list[Tensor] = []
    hooks = [stage.register_forward_hook(lambda _m, _i, out: maps.append(out)) for stage in model.module.stages]
    model.module(x)
    for hook in hooks:
        hook.remove()
    return maps


def assert_same_maps(model: LoadedModel, theirs: Callable[[Tensor], list[Tensor]]) -> None:
    for x in pictures():
        expected = theirs(x)
        assert expected[0].std() > 0.01
        ours = stage_maps(model, x)[-len(expected) :]
        for own, their in zip(ours, expected, strict=True):
            scale = float(their.abs().max())
            torch.testing.assert_close(own / scale, their / scale, rtol=1e-5, atol=1e-5)


def saved(folder: Path, state_dict: Mapping[str, Tensor]) -> str:
    save_file(
        {name: tensor.contiguous().clone() for name, tensor in state_dict.items()}, folder / "m.safetensors"
    )
    return str(folder / "m.safetensors")


def hooked(network: nn.Module, names: list[str]) -> Callable[[Tensor], list[Tensor]]:
    """Return a function from a picture to the outputs of the modules of these names."""

    def maps(x: Tensor) -> list[Tensor]:
        found: list[Tensor] = []
        hooks = [
            network.get_submodule(name).register_forward_hook(
                lambda _m, _i, out: found.append(out[0] if isinstance(out, tuple) else out)
            )
            for name in names
        ]
        network(x)
        for hook in hooks:
            hook.remove()
        return found

    return maps


def test_dinov3_of_transformers(tmp_path: Path) -> None:
    theirs = randomised(transformers.DINOv3ConvNextModel(transformers.DINOv3ConvNextConfig(**SIZES)))
    model = load(saved(tmp_path, theirs.state_dict()))
    assert "transformers' DINOv3" in model.notes[0]
    assert not model.has_classes
    assert_same_maps(model, hooked(theirs, [f"model.stages.{stage}" for stage in range(4)]))
    for x in pictures():
        torch.testing.assert_close(model.module(x), theirs(x).pooler_output, rtol=1e-5, atol=1e-5)


def test_dinov3_as_a_backbone(tmp_path: Path) -> None:
    theirs = randomised(transformers.DINOv3ConvNextBackbone(transformers.DINOv3ConvNextConfig(**SIZES)))
    model = load(saved(tmp_path, theirs.state_dict()))
    assert_same_maps(model, hooked(theirs, [f"model.stages.{stage}" for stage in range(4)]))


def test_dinov3_as_transformers_named_it_first(tmp_path: Path) -> None:
    theirs = randomised(transformers.DINOv3ConvNextModel(transformers.DINOv3ConvNextConfig(**SIZES)))
    named = {name.removeprefix("model."): tensor for name, tensor in theirs.state_dict().items()}
    model = load(saved(tmp_path, named))
    for x in pictures():
        torch.testing.assert_close(model.module(x), theirs(x).pooler_output, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("version", ["", "V2"])
@pytest.mark.parametrize("outputs", [["stage2", "stage4"], ["stage1", "stage2", "stage3", "stage4"]])
def test_backbones_of_transformers(tmp_path: Path, version: str, outputs: list[str]) -> None:
    config = getattr(transformers, f"ConvNext{version}Config")(**SIZES, out_features=outputs)
    theirs = randomised(getattr(transformers, f"ConvNext{version}Backbone")(config))
    model = load(saved(tmp_path, theirs.state_dict()))
    assert_same_maps(model, lambda x: list(theirs(x, output_hidden_states=True).hidden_states[1:]))


@pytest.mark.parametrize("version", ["", "V2"])
def test_classifiers_of_transformers(tmp_path: Path, version: str) -> None:
    config = getattr(transformers, f"ConvNext{version}Config")(**SIZES, num_labels=5)
    theirs = randomised(getattr(transformers, f"ConvNext{version}ForImageClassification")(config))
    theirs.save_pretrained(tmp_path)
    model = load(str(tmp_path / "model.safetensors"))
    for x in pictures():
        torch.testing.assert_close(model.module(x), theirs(x).logits, rtol=1e-5, atol=1e-5)


def test_upernet_of_transformers(tmp_path: Path) -> None:
    backbone = transformers.ConvNextConfig(**SIZES, out_features=["stage1", "stage2", "stage3", "stage4"])
    config = transformers.UperNetConfig(
        backbone_config=backbone, hidden_size=16, auxiliary_in_channels=16, num_labels=4
    )
    theirs = randomised(transformers.UperNetForSemanticSegmentation(config))
    model = load(saved(tmp_path, theirs.state_dict()))
    assert any("decode_head" in note and "auxiliary_head" in note for note in model.notes)
    assert not model.has_classes
    assert_same_maps(model, lambda x: list(theirs.backbone(x, output_hidden_states=True).hidden_states[1:]))


def test_mask2former_of_transformers(tmp_path: Path) -> None:
    backbone = transformers.ConvNextConfig(**SIZES, out_features=["stage1", "stage2", "stage3", "stage4"])
    config = transformers.Mask2FormerConfig(
        backbone_config=backbone,
        hidden_dim=32,
        feature_size=32,
        mask_feature_size=32,
        encoder_layers=1,
        decoder_layers=2,
        num_attention_heads=2,
        dim_feedforward=16,
        encoder_feedforward_dim=16,
        num_queries=3,
    )
    theirs = randomised(transformers.Mask2FormerModel(config))
    model = load(saved(tmp_path, theirs.state_dict()))
    encoder = theirs.pixel_level_module.encoder
    assert_same_maps(model, lambda x: list(encoder(x, output_hidden_states=True).hidden_states[1:]))


@pytest.mark.parametrize("architecture", ["convnext_tiny", "convnextv2_tiny"])
def test_features_of_timm(tmp_path: Path, architecture: str) -> None:
    theirs = randomised(timm.create_model(architecture, features_only=True, **TIMM))
    assert "stem_0.weight" in theirs.state_dict()
    model = load(saved(tmp_path, theirs.state_dict()))
    assert_same_maps(model, lambda x: list(theirs(x)))


def test_segmentation_models_pytorch(tmp_path: Path) -> None:
    smp = pytest.importorskip("segmentation_models_pytorch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It says that pretrained weights are to be asked for otherwise.
        theirs = randomised(smp.Unet("tu-convnext_atto", encoder_weights=None, classes=2))
    path = tmp_path / "best.pth"
    torch.save({"epoch": 3, "model_state_dict": theirs.state_dict()}, path)
    model = load(str(path))
    assert any("decoder (" in note and "segmentation_head (2)" in note for note in model.notes)
    assert_same_maps(model, lambda x: list(theirs.encoder.model(x)))


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize("targets", [["fc1", "fc2"], ["stem.0", "fc1"], ["downsample.1", "fc2"]])
def test_lora_of_peft(tmp_path: Path, is_whole: bool, targets: list[str]) -> None:
    peft = pytest.importorskip("peft")
    base = timm.create_model("convnext_tiny", num_classes=4, **TIMM)
    config = peft.LoraConfig(
        r=3,
        lora_alpha=5,
        target_modules=targets,
        modules_to_save=["head.fc"],
        use_rslora=targets[0] == "stem.0",
    )
    theirs = randomised(peft.get_peft_model(base, config))
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "all.pth"
    torch.save(theirs.state_dict(), path)
    x = pictures()[0]
    expected = theirs(x)
    if not is_whole:
        with pytest.raises(StudioError, match="LoRA adapter without its base"):
            load(str(tmp_path / "adapter_model.safetensors"))
        return
    model = load(str(path))
    torch.testing.assert_close(model.module(x), expected, rtol=1e-4, atol=1e-4)
    merged = theirs.merge_and_unload()
    torch.testing.assert_close(model.module(x), merged(x), rtol=1e-4, atol=1e-4)
    assert any("LoRA adapters of" in note and "adapter_config.json" in note for note in model.notes)
    (tmp_path / "adapter_config.json").unlink()
    assert any("alpha 8, assumed" in note for note in load(str(path)).notes)


def test_lora_of_a_depthwise_convolution_is_refused(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    base = timm.create_model("convnext_tiny", num_classes=4, **TIMM)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft warns that it cannot merge these either.
        theirs = peft.get_peft_model(base, peft.LoraConfig(r=8, target_modules=["stages.0.blocks.0.conv_dw"]))
    with pytest.raises(StudioError, match=r"conv_dw cannot be merged"):
        load(saved(tmp_path, theirs.state_dict()))


def test_lora_of_an_adapter_with_another_name(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    base = timm.create_model("convnext_tiny", num_classes=4, **TIMM)
    config = peft.LoraConfig(
        r=2, lora_alpha=8, target_modules=["fc1"], alpha_pattern={"stages.0.blocks.0.mlp.fc1": 2}
    )
    theirs = randomised(peft.get_peft_model(base, config, adapter_name="birds"))
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "birds" / "all.pth"
    torch.save({"state_dict": theirs.state_dict()}, path)
    x = pictures()[1]
    torch.testing.assert_close(load(str(path)).module(x), theirs(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "pattern", [r"stages.0.*fc1", r"^base_model.model.stages\.0\.blocks\.0\.mlp\.fc1", "mlp.fc1", "fc2"]
)
def test_patterns_of_lora_are_read_as_peft_does(tmp_path: Path, pattern: str) -> None:
    peft = pytest.importorskip("peft")
    base = timm.create_model("convnext_tiny", num_classes=4, **TIMM)
    config = peft.LoraConfig(r=2, lora_alpha=8, target_modules=["fc1"], alpha_pattern={pattern: 3, "never": 5})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft tells which patterns are for no layer.
        theirs = randomised(peft.get_peft_model(base, config))
    theirs.save_pretrained(tmp_path)
    path = tmp_path / "all.pth"
    torch.save({"state_dict": theirs.state_dict()}, path)
    x = pictures()[1]
    torch.testing.assert_close(load(str(path)).module(x), theirs(x), rtol=1e-4, atol=1e-4)


def test_of_two_adapters_one_is_merged_and_the_other_named(tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    base = timm.create_model("convnext_tiny", num_classes=4, **TIMM)
    theirs = peft.get_peft_model(base, peft.LoraConfig(r=2, target_modules=["fc1"]))
    theirs.add_adapter("birds", peft.LoraConfig(r=3, target_modules=["fc2"]))
    theirs = randomised(theirs)
    theirs.set_adapter("default")
    path = tmp_path / "all.pth"
    torch.save(theirs.state_dict(), path)
    x = pictures()[0]
    opened = load(str(path))
    torch.testing.assert_close(opened.module(x), theirs(x), rtol=1e-4, atol=1e-4)
    assert "Of several adapters, default is used; birds left out." in opened.notes


@pytest.mark.parametrize("kind", ["LoHaConfig", "LoKrConfig", "IA3Config"])
def test_adapters_of_other_kinds_are_refused_in_true_words(tmp_path: Path, kind: str) -> None:
    peft = pytest.importorskip("peft")
    base = timm.create_model("convnext_tiny", num_classes=4, **TIMM)
    others = {"feedforward_modules": []} if kind == "IA3Config" else {}
    theirs = peft.get_peft_model(base, getattr(peft, kind)(target_modules=["fc1"], **others))
    path = tmp_path / "all.pth"
    torch.save(theirs.state_dict(), path)
    with pytest.raises(StudioError, match="adapters of another kind than LoRA"):
        load(str(path))
