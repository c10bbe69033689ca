"""The dispatcher's answers against plain computations with the same weights."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from PIL import Image

from convnext_studio import analysis
from convnext_studio.common.errors import StudioError
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.handlers import model_handlers as models
from convnext_studio.engine.handlers import prediction_handlers as predictions
from convnext_studio.engine.handlers.receptive_fields import receptive_field_handlers as fields
from convnext_studio.engine.server import node_outputs as outputs
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.architecture import WeightsLayout
from convnext_studio.model.loaded import LoadedModel, load
from convnext_studio.protocol.attributions import Explain
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import LoadModel, ModelInfo, SavedModel, SaveModel
from convnext_studio.protocol.pictures import CloseImage, ImageInfo, OpenImage
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.receptive_fields import ReceptiveField, ReceptiveFieldResult
from tests.networks import small_model


def open_cat(engine: Dispatcher) -> ImageInfo:
    info = engine.run(OpenImage(path="sample:cat"))
    assert isinstance(info, ImageInfo)
    return info


def test_model_info_tells_the_model(model: LoadedModel) -> None:
    info = Dispatcher().run(LoadModel(source="test", device="cpu"))
    assert isinstance(info, ModelInfo)
    assert info.parameters == sum(parameter.numel() for parameter in model.module.parameters())
    assert (info.device, info.input_px, info.labels[3]) == ("cpu", 64, "thing 3")
    assert info.node("stage2").shape == (12, 8, 8)


def test_a_prediction_tells_whether_it_was_computed_now(opened: Dispatcher) -> None:
    key = open_cat(opened).key
    for target in (None, 2):
        first, again = (opened.run(Predict(image=key, target=target)) for _ in range(2))
        assert isinstance(first, Prediction)
        assert isinstance(again, Prediction)
        assert (first.is_kept, again.is_kept) == (False, True)
        np.testing.assert_array_equal(again.cams["stage4"], first.cams["stage4"])


def test_a_sure_answer_leaves_something_for_the_other_classes(opened: Dispatcher, model: LoadedModel) -> None:
    """With logits 25 apart, float32 would make 1 of the first probability."""
    image = open_cat(opened)
    logits = model.module(model.preprocess(analysis.decode("sample:cat").to_pil()))[0]
    first, second = torch.topk(logits, 2).values
    with torch.no_grad():
        model.module.head.weight *= 25 / (first - second)
        model.module.head.bias *= 25 / (first - second)
    prediction = opened.run(Predict(image=image.key))
    assert isinstance(prediction, Prediction)
    exact = [math.exp(float(logit) - float(prediction.logits.max())) for logit in prediction.logits]
    np.testing.assert_allclose(prediction.probabilities, np.array(exact) / sum(exact), rtol=1e-12)
    assert 0 < 1 - prediction.probabilities.max() < 1e-10


def test_picture_comes_with_preview_and_thumbnail(opened: Dispatcher) -> None:
    info = open_cat(opened)
    assert info.size == (451, 300)
    np.testing.assert_array_equal(info.preview, analysis.decode("sample:cat").pixels)
    assert max(info.thumbnail.shape) == 128


def test_prediction_maps_and_cams_are_those_of_the_network(opened: Dispatcher, model: LoadedModel) -> None:
    image = open_cat(opened)
    x = model.preprocess(analysis.decode("sample:cat").to_pil())
    logits = model.module(x)[0]
    prediction = opened.run(Predict(image=image.key))
    assert isinstance(prediction, Prediction)
    np.testing.assert_allclose(prediction.logits, logits, rtol=1e-5)
    np.testing.assert_allclose(prediction.probabilities, torch.softmax(logits, 0), rtol=1e-5)
    assert prediction.top(3) == torch.topk(logits, 3).indices.tolist()
    assert prediction.target == int(logits.argmax())
    for stage in ("stage1", "stage2", "stage3", "stage4"):
        maps = opened.run(FeatureMaps(image=image.key, node=stage))
        assert isinstance(maps, FeatureMapsResult)
        np.testing.assert_array_equal(maps.maps, analysis.feature_maps(model, x, stage))
        np.testing.assert_allclose(prediction.stage_means[stage], maps.maps.mean(axis=0), rtol=1e-6)
        theirs = LayerGradCam(model.module, model.module_at(stage)).attribute(
            x.clone().requires_grad_(), int(logits.argmax())
        )
        np.testing.assert_allclose(prediction.cams[stage], theirs[0, 0].detach(), rtol=1e-4, atol=1e-6)
    # 451 x 300 resized to 109 x 73, of which the crop takes 64 x 64 from (22, 4).
    expected_box = (22 * 451 / 109, 4 * 300 / 73, 64 * 451 / 109, 64 * 300 / 73)
    assert prediction.geometry.crop_box == pytest.approx(expected_box)


def test_in_bfloat16_the_first_cam_is_in_float32_as_all_others(model: LoadedModel) -> None:
    dispatcher = Dispatcher()
    dispatcher._workspace.open_model(model, "bfloat16")
    image = open_cat(dispatcher)
    x = model.preprocess(analysis.decode("sample:cat").to_pil())
    prediction = dispatcher.run(Predict(image=image.key))
    assert isinstance(prediction, Prediction)
    assert not np.array_equal(prediction.logits, model.module(x)[0])  # These are of the lower precision.
    for stage, cam in prediction.cams.items():
        theirs = LayerGradCam(model.module, model.module_at(stage)).attribute(
            x.clone().requires_grad_(), prediction.target
        )
        np.testing.assert_allclose(cam, theirs[0, 0].detach(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"depths": (3,), "dims": (8,), "stem_kernel_size": 16, "stem_stride": 16, "stem_norm": False},
        {"grn": True, "layer_scale_init_value": 0.0},
        {"downsample": "block", "norm": "batch", "depthwise": False, "act": "relu"},
        {"stem_type": "overlap_act", "head_norm_first": True},
    ],
    ids=["isotropic", "v2", "lecture", "overlapping stem"],
)
def test_every_architecture_is_explained_at_its_own_stages(
    changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_model(**changes)
    monkeypatch.setattr(models, "load", lambda *_, **__: model)
    engine = Dispatcher()
    engine.run(LoadModel(source="test", device="cpu"))
    image = open_cat(engine)
    prediction = engine.run(Predict(image=image.key, target=3))
    assert isinstance(prediction, Prediction)
    x = model.preprocess(analysis.decode("sample:cat").to_pil())
    np.testing.assert_allclose(prediction.logits, model.module(x)[0], rtol=1e-5, atol=1e-6)
    assert tuple(prediction.cams) == tuple(prediction.stage_means) == model.config.stages
    for stage in model.config.stages:
        theirs = LayerGradCam(model.module, model.module_at(stage)).attribute(x.clone().requires_grad_(), 3)
        cam = prediction.cams[stage]
        np.testing.assert_allclose(cam, theirs[0, 0].detach(), rtol=1e-4, atol=1e-6)
    for node in model.nodes:
        maps = engine.run(FeatureMaps(image=image.key, node=node.name))
        assert isinstance(maps, FeatureMapsResult)
        assert maps.maps.shape == node.shape
        expected_maps = analysis.feature_maps(model, x, node.name)
        np.testing.assert_allclose(maps.maps, expected_maps, atol=1e-6 * np.abs(expected_maps).max())
    last = model.config.stages[-1]
    np.testing.assert_allclose(
        analysis.attribute(model, x, target=3), prediction.cams[last], rtol=1e-4, atol=1e-6
    )
    field = engine.run(ReceptiveField(node=last, images=(image.key,), count=1))
    assert isinstance(field, ReceptiveFieldResult)
    assert field.theoretical == model.node(last).field
    squashed, _ = model.preprocessing.squashed(64)(analysis.decode("sample:cat").to_pil())
    expected = analysis.effective_receptive_field(model, [model.to_tensor(squashed)])
    np.testing.assert_allclose(field.field_map, expected, rtol=1e-4, atol=1e-6 * expected.max())


def test_targets_are_explained_whatever_was_asked_before(opened: Dispatcher, model: LoadedModel) -> None:
    image = open_cat(opened)
    first = opened.run(Predict(image=image.key, target=6))
    plain = opened.run(Predict(image=image.key))
    assert isinstance(first, Prediction)
    assert isinstance(plain, Prediction)
    assert first.target == 6
    assert plain.target == plain.top(1)[0]
    other = opened.run(Predict(image=image.key, target=2))
    assert isinstance(other, Prediction)
    x = model.preprocess(analysis.decode("sample:cat").to_pil())
    np.testing.assert_allclose(
        other.cams["stage3"], analysis.attribute(model, x, node="stage3", target=2), rtol=1e-4, atol=1e-6
    )


def test_answers_are_kept(opened: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    image = open_cat(opened)
    questions = [
        Predict(image=image.key),
        Predict(image=image.key, target=4),
        FeatureMaps(image=image.key, node="stage2.block1"),
        FeatureMaps(image=image.key, node="stage2.block1.pwconv1"),
        ReceptiveField(node="stage2", images=(image.key,), count=2),
    ]
    first = [opened.run(question) for question in questions]

    def computed(*_: object, **__: object) -> None:
        raise AssertionError("computed again")

    for module, function in (
        (predictions, "stage_pass"),
        (outputs, "trunk_outputs"),
        (outputs, "inner_outputs"),
        (fields, "running_average"),
    ):
        monkeypatch.setattr(module, function, computed)
    for question, answer in zip(questions, first, strict=True):
        again = opened.run(msgspec.structs.replace(question, id=9, panel="other"))
        assert isinstance(answer, msgspec.Struct)
        assert isinstance(again, Prediction) or again is answer
        for name in answer.__struct_fields__:
            assert name == "is_kept" or getattr(again, name) is getattr(answer, name)
    stage = opened.run(FeatureMaps(image=image.key, node="stage3"))
    assert isinstance(stage, FeatureMapsResult)


def test_another_model_voids_what_was_kept(opened: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    image = open_cat(opened)
    before = opened.run(Predict(image=image.key))
    monkeypatch.setattr(models, "load", lambda *_, **__: small_model(seed=1))
    opened.run(LoadModel(source="other", device="cpu"))
    after = opened.run(Predict(image=image.key))
    assert isinstance(before, Prediction)
    assert isinstance(after, Prediction)
    assert not np.array_equal(before.logits, after.logits)


def test_small_pictures_and_inputs_are_refused_with_the_size(opened: Dispatcher, tmp_path: Path) -> None:
    for size in ((1, 1), (2000, 10)):
        Image.new("RGB", size).save(tmp_path / "small.png")
        with pytest.raises(StudioError, match=rf"{size[0]} × {size[1]} pixels") as caught:
            opened.run(OpenImage(path=str(tmp_path / "small.png")))
        assert "32 × 32" in caught.value.hint
    with pytest.raises(StudioError, match="too small"):
        opened.run(ReceptiveField(node="stage2", input_px=20, inputs="noise"))


def test_bad_questions_are_one_sentence_and_lose_nothing(opened: Dispatcher) -> None:
    image = open_cat(opened)
    for question in (
        Predict(image="nothing"),
        Predict(image=image.key, target=7),
        Predict(image=image.key, target=-1),
        FeatureMaps(image=image.key, node="stage7"),
        ReceptiveField(node="stage1", count=0, inputs="noise"),
        OpenImage(path="/nowhere.png"),
        LoadModel(source="test", device="cuda:99"),
        LoadModel(source="test", device="cpu", precision="bfloat16"),
    ):
        with pytest.raises(StudioError):
            opened.run(question)
    assert isinstance(opened.run(Predict(image=image.key)), Prediction)
    with pytest.raises(StudioError, match="No model"):
        Dispatcher().run(FeatureMaps(image=image.key, node="stage1"))


def test_failed_load_keeps_the_model(opened: Dispatcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StudioError("There is no such model.")

    image = open_cat(opened)
    monkeypatch.setattr(models, "load", fail)
    with pytest.raises(StudioError):
        opened.run(LoadModel(source="gone", device="cpu"))
    assert isinstance(opened.run(Predict(image=image.key)), Prediction)


def test_closed_pictures_are_gone(opened: Dispatcher) -> None:
    image = open_cat(opened)
    opened.run(CloseImage(images=(image.key,)))
    with pytest.raises(StudioError, match="no longer open"):
        opened.run(Predict(image=image.key))


def test_closing_a_picture_lets_go_of_what_was_found_out_about_it_alone(opened: Dispatcher) -> None:
    workspace = opened._workspace
    coffee = opened.run(OpenImage(path="sample:coffee"))
    assert isinstance(coffee, ImageInfo)

    def ask_about(image: str) -> None:
        opened.run(Predict(image=image))
        opened.run(FeatureMaps(image=image, node="stage2"))
        opened.run(Explain(image=image, nodes=("stage3",)))
        opened.run(ReceptiveField(node="stage2", images=(coffee.key, image), count=1))

    ask_about(coffee.key)
    held = workspace.results.held_bytes, workspace.outputs.held_bytes
    cat = open_cat(opened)
    ask_about(cat.key)
    assert workspace.results.held_bytes > held[0]
    opened.run(CloseImage(images=(cat.key,)))
    assert (workspace.results.held_bytes, workspace.outputs.held_bytes) == held


def test_pictures_are_read_again_when_memory_is_short(model: LoadedModel, tmp_path: Path) -> None:
    engine = Dispatcher(picture_bytes=100 * 100 * 3)
    engine.run(LoadModel(source="test", device="cpu"))
    keys = []
    for shade in (10, 200):
        file = tmp_path / f"{shade}.png"
        Image.new("RGB", (100, 100), (shade, 0, 0)).save(file)
        info = engine.run(OpenImage(path=str(file)))
        assert isinstance(info, ImageInfo)
        keys.append(info.key)
    assert isinstance(engine.run(Predict(image=keys[0])), Prediction)
    Image.new("RGB", (100, 100), (11, 0, 0)).save(tmp_path / "200.png")
    with pytest.raises(StudioError, match="has changed"):
        engine.run(Predict(image=keys[1]))
    assert model.parameters > 0


def test_a_field_of_a_model_that_has_gone_is_not_finished(opened: Dispatcher) -> None:
    work = opened.answer(ReceptiveField(node="stage2", count=99, inputs="noise"))
    next(work)
    opened.run(LoadModel(source="test", device="cpu"))
    with pytest.raises(Stopped):
        next(work)


def test_a_cancelled_load_keeps_the_model(
    opened: Dispatcher, model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "load", lambda *_, **__: small_model(num_classes=3))
    with pytest.raises(Stopped):
        list(opened.answer(LoadModel(source="other", device="cpu"), lambda: True))
    prediction = opened.run(Predict(image=open_cat(opened).key))
    assert isinstance(prediction, Prediction)
    assert prediction.logits.shape == (model.config.num_classes,)


def test_work_can_be_stopped(opened: Dispatcher) -> None:
    image = open_cat(opened)
    for question in (
        Predict(image=image.key),
        FeatureMaps(image=image.key, node="stage2.block2"),
        ReceptiveField(node="stage2", inputs="noise"),
    ):
        with pytest.raises(Stopped):
            list(opened.answer(question, lambda: True))


@pytest.mark.parametrize("layout", ["studio", "facebookresearch"])
def test_saved_weights_open_as_the_same_model(
    opened: Dispatcher, model: LoadedModel, tmp_path: Path, layout: WeightsLayout
) -> None:
    request = SaveModel(path=str(tmp_path / "saved"), layout=layout, title=model.title)
    saved = opened.run(request)
    assert isinstance(saved, SavedModel)
    assert saved.size_bytes == (tmp_path / "saved").stat().st_size
    state = load(saved.path).module.state_dict()
    for name, tensor in model.module.state_dict().items():
        torch.testing.assert_close(state[name], tensor)


def test_a_model_that_was_replaced_is_not_saved(opened: Dispatcher, tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="Another is no longer open"):
        opened.run(SaveModel(path=str(tmp_path / "saved"), title="Another"))
    assert not list(tmp_path.iterdir())
