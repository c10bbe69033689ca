"""A second network beside the first: every handler answers for either, and neither takes from the other."""

from pathlib import Path

import numpy as np
import pytest
import torch
from ckatorch.cka import cka_batch
from msgspec.structs import replace
from PIL import Image

from convnext_studio import analysis
from convnext_studio.analysis.features import trunk_nodes
from convnext_studio.analysis.node_similarity import SimilaritySum
from convnext_studio.common.errors import StudioError
from convnext_studio.common.samples import SAMPLES
from convnext_studio.common.stopping import Stopped
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.engine.server.hardware.memory_estimates import estimated_memory
from convnext_studio.model.loaded import LoadedModel, load
from convnext_studio.protocol.attributions import Explain, Explanation
from convnext_studio.protocol.comparison import CompareNodes, CompareWeights, NodeSimilarity, WeightDistances
from convnext_studio.protocol.envelope import Network
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.models import (
    CloseModel,
    EstimateMemory,
    LoadModel,
    MemoryEstimate,
    ModelInfo,
    SwapModels,
)
from convnext_studio.protocol.pictures import CloseImage
from convnext_studio.protocol.predictions import Predict, Prediction
from tests.engine.opening import all_steps, input_of, open_picture
from tests.networks import small_model, write_weights

NAMES = tuple(SAMPLES)


@pytest.fixture
def models() -> tuple[LoadedModel, LoadedModel]:
    """Two networks of one architecture with other weights."""
    return small_model(0), small_model(1)


@pytest.fixture
def files(models: tuple[LoadedModel, LoadedModel], tmp_path: Path) -> tuple[str, str]:
    a, b = (
        str(write_weights(tmp_path / f"{name}.safetensors", one))
        for name, one in zip("ab", models, strict=True)
    )
    return a, b


@pytest.fixture
def engine(files: tuple[str, str]) -> Dispatcher:
    dispatcher = Dispatcher()
    networks: tuple[Network, Network] = ("A", "B")
    for network, file in zip(networks, files, strict=True):
        info = dispatcher.run(LoadModel(source=file, device="cpu", network=network))
        assert isinstance(info, ModelInfo)
    return dispatcher


def predict(engine: Dispatcher, image: str, network: Network = "A") -> Prediction:
    answer = engine.run(Predict(image=image, network=network))
    assert isinstance(answer, Prediction)
    return answer


def test_each_network_answers_with_its_own_weights(
    engine: Dispatcher, models: tuple[LoadedModel, LoadedModel]
) -> None:
    image = open_picture(engine, "sample:cat")
    networks: tuple[Network, Network] = ("A", "B")
    for network, model in zip(networks, models, strict=True):
        with torch.no_grad():
            expected = model.module(input_of(model))[0].numpy()
        np.testing.assert_allclose(predict(engine, image, network).logits, expected, rtol=1e-4, atol=1e-5)
        maps = engine.run(FeatureMaps(image=image, node="stage2", network=network))
        assert isinstance(maps, FeatureMapsResult)
        np.testing.assert_allclose(
            maps.maps, analysis.feature_maps(model, input_of(model), "stage2"), rtol=1e-4, atol=1e-5
        )
        explained = engine.run(Explain(image=image, nodes=("stage3",), target=2, network=network))
        assert isinstance(explained, Explanation)


def test_a_network_that_is_opened_or_closed_takes_nothing_from_the_other(
    engine: Dispatcher, files: tuple[str, str]
) -> None:
    image = open_picture(engine, "sample:cat")
    of_a, of_b = predict(engine, image), predict(engine, image, "B")
    engine.run(LoadModel(source=files[0], device="cpu", network="B"))
    assert predict(engine, image).logits is of_a.logits
    assert predict(engine, image, "B").logits is not of_b.logits
    np.testing.assert_array_equal(predict(engine, image, "B").logits, of_a.logits)
    engine.run(CloseModel(network="B"))
    assert predict(engine, image).logits is of_a.logits
    with pytest.raises(StudioError, match="No model is open"):
        predict(engine, image, "B")
    with pytest.raises(StudioError, match="no second network"):
        engine.run(CompareWeights())


def test_swapped_networks_keep_what_was_computed(engine: Dispatcher) -> None:
    image = open_picture(engine, "sample:cat")
    of_a, of_b = predict(engine, image), predict(engine, image, "B")
    engine.run(SwapModels())
    assert predict(engine, image).logits is of_b.logits
    assert predict(engine, image, "B").logits is of_a.logits


def test_a_closed_picture_is_forgotten_by_both(engine: Dispatcher) -> None:
    image = open_picture(engine, "sample:cat")
    predict(engine, image)
    predict(engine, image, "B")
    engine.run(CloseImage(images=(image,)))
    assert not engine._workspace.results.held_bytes
    assert not engine._workspace.outputs.held_bytes


def test_work_on_a_network_ends_when_it_is_replaced(engine: Dispatcher, files: tuple[str, str]) -> None:
    images = tuple(open_picture(engine, f"sample:{name}") for name in NAMES[:5])
    work = engine.answer(CompareNodes(images=images, batch=4))
    next(work)
    engine.run(LoadModel(source=files[0], device="cpu", network="B"))
    with pytest.raises(Stopped):
        list(work)


# ------------------------------------------------------------------------------------------------------ CKA


def similarity(engine: Dispatcher, request: CompareNodes) -> NodeSimilarity:
    steps, answer = all_steps(engine.answer(request))
    assert isinstance(answer, NodeSimilarity)
    assert [step.done for step in steps] == list(range(len(request.images)))
    return answer


def pictures(folder: Path, count: int) -> list[str]:
    """Write pictures of noise with other colours."""
    rng, paths = np.random.default_rng(0), []
    for number in range(count):
        values = rng.integers(0, rng.integers(20, 256, 3), (80, 90, 3)).astype(np.uint8)
        paths.append(str(folder / f"{number}.png"))
        Image.fromarray(values).save(paths[-1])
    return paths


def test_cka_is_ckatorchs(engine: Dispatcher, models: tuple[LoadedModel, LoadedModel], tmp_path: Path) -> None:
    """Against ckatorch's minibatch CKA, on features that plain passes give."""
    names = pictures(tmp_path, 8)
    images = tuple(open_picture(engine, name) for name in names)
    found = similarity(engine, CompareNodes(images=images, batch=4))
    assert found.nodes_a == tuple(trunk_nodes(models[0]))
    assert (found.pictures, found.batches) == (8, 2)
    features = []
    for model in models:
        maps = {
            node: torch.stack(
                [
                    torch.from_numpy(analysis.feature_maps(model, input_of(model, name), node)).flatten()
                    for name in names
                ]
            ).reshape(2, 4, -1)
            for node in found.nodes_a
        }
        features.append(maps)
    expected = [[float(cka_batch(x, y)) for y in features[1].values()] for x in features[0].values()]
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-5, atol=1e-7)


def test_a_network_is_like_itself(engine: Dispatcher, files: tuple[str, str]) -> None:
    engine.run(LoadModel(source=files[0], device="cpu", network="B"))
    images = tuple(open_picture(engine, f"sample:{name}") for name in NAMES[:5])
    found = similarity(engine, CompareNodes(images=images))
    np.testing.assert_allclose(np.diag(found.matrix), 1.0, rtol=1e-9)


def test_cka_ignores_rotations_and_scales_but_not_other_maps() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(12, 40))
    rotation, _ = np.linalg.qr(rng.normal(size=(40, 40)))
    changed = (features @ rotation, 7.5 * features, features + 3.0)
    for other in changed:
        sums = SimilaritySum(1, 1)
        sums.add([features @ features.T], [other @ other.T])
        assert sums.cka[0, 0] == pytest.approx(1.0, abs=1e-9)
    stretched = features * np.linspace(0.1, 10, 40)
    sums = SimilaritySum(1, 1)
    sums.add([features @ features.T], [stretched @ stretched.T])
    assert sums.cka[0, 0] < 0.95


def test_too_few_pictures_are_said(engine: Dispatcher) -> None:
    images = tuple(open_picture(engine, f"sample:{name}") for name in NAMES[:3])
    with pytest.raises(StudioError, match="at least 4 pictures, and there are 3"):
        engine.run(CompareNodes(images=images))


# -------------------------------------------------------------------------------------------------- weights


def test_weight_distances_are_those_of_plain_tensors(
    engine: Dispatcher, models: tuple[LoadedModel, LoadedModel]
) -> None:
    found = engine.run(CompareWeights())
    assert isinstance(found, WeightDistances)
    assert found.is_same_architecture
    ours, theirs = (dict(model.module.state_dict()) for model in models)
    assert [tensor.name for tensor in found.tensors] == list(ours)
    for tensor in found.tensors:
        a, b = ours[tensor.name].double(), theirs[tensor.name].double()
        assert tensor.distance == pytest.approx(float((a - b).norm()))
        assert tensor.relative == pytest.approx(float((a - b).norm() / a.norm()))
        cosine = torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0)
        assert tensor.cosine == pytest.approx(float(cosine))
        assert tensor.largest == pytest.approx(float((a - b).abs().max()))


def test_tensors_that_do_not_correspond_are_named(engine: Dispatcher, tmp_path: Path) -> None:
    wider = write_weights(
        tmp_path / "wider.safetensors", small_model(dims=(8, 12, 16, 24), depths=(1, 1, 1, 1))
    )
    engine.run(LoadModel(source=str(wider), device="cpu", network="B"))
    found = engine.run(CompareWeights())
    assert isinstance(found, WeightDistances)
    assert not found.is_same_architecture
    assert all(name.startswith("stages.1.1.") for name in found.only_a)
    assert "stages.3.0.dwconv.weight" in found.other_shapes
    assert "only in A" in found.text


# --------------------------------------------------------------------------------------------------- memory


@pytest.mark.parametrize("source", ["preset:convnextv2_atto", "road:start", "timm-random:resnet18", "bundled"])
def test_memory_is_known_before_it_is_taken(source: str) -> None:
    if source == "road:start":
        from convnext_studio.model.road.steps import ROAD

        source = next(iter(ROAD.values())).source
    told = estimated_memory(LoadModel(source=source, device="cpu"))
    model = load(source)
    assert told.parameters == pytest.approx(model.parameters, rel=1e-3)
    assert told.weights_bytes == 4 * told.parameters
    assert told.free_bytes is None or told.free_bytes > 0


def test_a_network_says_what_it_takes_and_that_is_what_was_estimated(engine: Dispatcher) -> None:
    asked = LoadModel(source="preset:convnextv2_atto", device="cpu", network="B")
    told = engine.run(EstimateMemory(model=asked))
    info = engine.run(asked)
    assert isinstance(told, MemoryEstimate)
    assert isinstance(info, ModelInfo)
    assert info.memory_bytes == told.total_bytes


def test_the_same_network_untrained_keeps_classes_and_framing(
    engine: Dispatcher, files: tuple[str, str], models: tuple[LoadedModel, LoadedModel]
) -> None:
    asked = LoadModel(source=files[0], device="cpu", untrained=True, network="B")
    info, again = engine.run(asked), engine.run(replace(asked, seed=1))
    assert isinstance(info, ModelInfo)
    assert isinstance(again, ModelInfo)
    assert info.random_weights
    assert (info.labels, info.config, info.input_px) == (models[0].labels, models[0].config, 64)
    assert info.title.endswith(", untrained")
