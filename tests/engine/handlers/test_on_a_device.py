"""What the engine does on a graphics device, proven without one: no mixed devices, no needless waiting."""

from functools import partial

import pytest
import torch

from convnext_studio.analysis.attribution.batches import batch_size
from convnext_studio.analysis.receptive_field import batching
from convnext_studio.common.attribution_methods import METHODS
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.loaded import LoadedModel, load
from convnext_studio.protocol.attributions import Explain
from convnext_studio.protocol.envelope import Request
from convnext_studio.protocol.lecture import (
    Distributions,
    DropBlocks,
    LayerWeights,
    MeanMaps,
    SlideKernel,
    StemMaps,
    SwapPart,
    WalkBlock,
)
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import FieldGrowth, ReceptiveField
from tests.engine.opening import open_picture
from tests.engine.server.test_out_of_memory import NAMES, SIDE_PX, explained, of_pictures
from tests.meta_device import META, DevicesMixed, WatchedDevice, on_meta
from tests.networks import small_model

PREDICTION = 6
"""Most waits of a prediction: logits, class, stages' maps and their CAMs; logits and CAMs of another class."""
WAITS = {
    "costs": 0,  # The clock waits, which is what it is for.
    "load": 0,
    "values": 4,  # For each of four nodes, so that there is progress.
    "field": 2,  # For each batch; the first is of one picture.
    "several": 2 * PREDICTION,
    "faithfulness": PREDICTION + 1 + 22,  # The probability of the whole picture, and the curves of 22 orders.
    "sanity": PREDICTION + 14,  # The maps of seven networks, and what is to be said of them.
    "agreement": PREDICTION + 6,
    # Reading the maps of two pictures, twice for the ends of the scales.
    "components": 12,
    "vectors": 4,
    "likeness": 4,
    "norms": 4,
    "parts": 200,  # Every step of k-means, from eight starts and over again for the second picture.
    "factors": 200,
}
"""Most waits of a request where it is more than two, and what it waits for."""
LECTURE_WAITS = {"walk": 8, "drop": 6, "distributions": 3, "swap": 5}


def session_of(model: LoadedModel) -> Dispatcher:
    session = Dispatcher()
    session._workspace.open_model(on_meta(model), "float32")
    return session


def watched(session: Dispatcher, request: Request) -> WatchedDevice:
    with WatchedDevice() as watch:
        session.run(request)
    return watch


@pytest.fixture(autouse=True)
def _clock_needs_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda *_: None)
    # On a busy machine the first input takes long; the others must be in one batch all the same.
    monkeypatch.setattr(batching, "STEP_S", 3600.0)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "load"])
def test_a_request_mixes_no_devices_and_waits_no_more_than_it_must(name: str) -> None:
    session = session_of(small_model(input_px=SIDE_PX))
    request = of_pictures(session)[name]
    watch = watched(session, request)
    assert watch.operations > 0
    most = WAITS.get(name, PREDICTION + 5 if isinstance(request, Explain | Predict) else 2)
    assert watch.waits.total() <= most, watch.waits


def of_lecture(image: str) -> dict[str, Request]:
    return {
        "distributions": Distributions(image=image, node="stage1.block1.norm"),
        "swap": SwapPart(image=image, act="relu", norm="batch", stage="stage2"),
        "weights": LayerWeights(node="stage1.block1.dwconv"),
        "slide": SlideKernel(image=image, block="stage1.block1", channel=1),
        "walk": WalkBlock(image=image, block="stage2.block1"),
        "drop": DropBlocks(image=image),
        "means": MeanMaps(image=image, nodes=("stage1", "stage2", "stage3")),
        "stems": StemMaps(image=image, moves=((2, 0), (4, 0))),
    }


@pytest.mark.parametrize("name", of_lecture(""))
def test_a_step_of_the_lecture_mixes_no_devices(name: str) -> None:
    session = session_of(small_model())
    watch = watched(session, of_lecture(open_picture(session, "sample:cat"))[name])
    assert watch.operations > 0
    assert watch.waits.total() <= LECTURE_WAITS.get(name, 3), watch.waits


def v2() -> LoadedModel:
    return small_model(input_px=SIDE_PX, grn=True, layer_scale_init_value=0.0)


NETWORKS = {"V2": v2} | {name: partial(load, f"timm-random:{name}") for name in ("test_vit3", "test_resnet")}


@pytest.mark.parametrize("name", NETWORKS)
def test_other_networks_mix_no_devices(name: str) -> None:
    model = NETWORKS[name]()
    image = open_picture(Dispatcher(), "sample:cat")
    for request in (
        Predict(image=image),
        FeatureMaps(image=image, node="stage2"),
        ReceptiveField(node="stage2", images=(image,), count=1),
        FieldGrowth(images=(image,), count=1),
        Explain(image=image, method="ablationcam", nodes=("stage3",)),
    ):
        session = session_of(model)
        open_picture(session, "sample:cat")
        assert watched(session, request).operations > 0


@pytest.mark.parametrize(
    ("method", "few", "many"),
    [
        ("smoothgrad", {"samples": 2}, {"samples": 16}),
        ("occlusion", {"window": 16, "stride": 16}, {"window": 8, "stride": 4}),
        ("superpixels", {"count": 4}, {"count": 30}),
    ],
)
def test_more_work_in_a_batch_waits_no_more_often(
    method: str, few: dict[str, int], many: dict[str, int]
) -> None:
    waits = []
    for parameters in (few, many):
        session = session_of(small_model(input_px=SIDE_PX))
        image = open_picture(session, "sample:cat")
        request = Explain(
            image=image, method=method, nodes=("stage3",), target=1, parameters=tuple(parameters.items())
        )
        waits.append(watched(session, request).waits.total())
    assert waits[0] == waits[1]
    assert batch_size(META) >= 64


def test_every_method_is_asked() -> None:
    assert {method.name for method in METHODS} <= set(NAMES)
    assert isinstance(explained("gradcam", ""), Explain)


def test_the_watch_sees_mixed_devices_masks_and_reading() -> None:
    there, here = torch.ones(2, 3, device=META), torch.ones(2, 3)
    calls = {
        "mixed": lambda: there + here,
        "mixed index": lambda: there[torch.tensor([0, 1])],
    }
    for call in calls.values():
        with WatchedDevice(), pytest.raises(DevicesMixed):
            call()
    with WatchedDevice(), pytest.raises(AssertionError, match="to know its size"):
        there[there > 0]
    for read in (lambda: float(there.sum()), there.cpu, lambda: bool(there.any()), lambda: here.copy_(there)):
        with WatchedDevice() as watch:
            read()
        assert watch.waits.total() == 1
