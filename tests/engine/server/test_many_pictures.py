"""Many pictures, one after the other: nothing stays on the model, and what is kept stays within its bounds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convnext_studio.common.attribution_methods import MethodName
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.weights.checkpoint import StudioFile, write_studio_file
from convnext_studio.protocol.attributions import Explain
from convnext_studio.protocol.channels import ChannelStatistics, StrongestPatches
from convnext_studio.protocol.maps import FeatureMaps
from convnext_studio.protocol.models import LoadModel
from convnext_studio.protocol.pictures import CloseImage, Thumbnail
from convnext_studio.protocol.predictions import Predict
from convnext_studio.protocol.receptive_fields import UnitField
from tests.engine.opening import open_picture
from tests.networks import SMALL, lively

PICTURES = 30
METHODS: tuple[MethodName, ...] = ("gradcam", "hirescam", "eigencam", "saliency")
SIDE_PX = 64
# Too little for all results and all pictures.
RESULT_BYTES, PICTURE_BYTES = 200_000, 10 * 3 * SIDE_PX**2


@pytest.fixture
def dispatcher(tmp_path: Path) -> Dispatcher:
    """With a small network and little room."""
    path = tmp_path / "small.safetensors"
    write_studio_file(path, StudioFile(config=SMALL, state_dict=lively(SMALL).state_dict(), labels=()))
    dispatcher = Dispatcher(RESULT_BYTES, PICTURE_BYTES)
    dispatcher.run(LoadModel(source=str(path), device="cpu"))
    return dispatcher


def hooks(dispatcher: Dispatcher) -> int:
    parts = dispatcher._workspace.model.module.modules()
    return sum(
        len(part._forward_hooks) + len(part._forward_pre_hooks) + len(part._backward_hooks) for part in parts
    )


@pytest.mark.parametrize("closes", [True, False])
def test_no_hook_stays_and_the_caches_keep_to_their_bounds(
    dispatcher: Dispatcher, tmp_path: Path, *, closes: bool
) -> None:
    workspace, numbers = dispatcher._workspace, np.random.default_rng(0)
    full = 0
    for count in range(PICTURES):
        path = tmp_path / f"{count}.png"
        Image.fromarray(numbers.integers(0, 255, (SIDE_PX, SIDE_PX, 3), np.uint8)).save(path)
        key = open_picture(dispatcher, str(path))
        for question in (
            Predict(image=key),
            Predict(image=key, target=1),
            FeatureMaps(image=key, node="stage1"),
            FeatureMaps(image=key, node="stage2.block1.pwconv1"),
            ChannelStatistics(image=key, node="stage3", target=1),
            UnitField(image=key, node="stage2", channel=1, y=1, x=1),
            StrongestPatches(node="stage2", channel=1, images=(key,)),
            Explain(image=key, method=METHODS[count % len(METHODS)], nodes=("stage3",)),
            Thumbnail(image=key, longest_px=16),
        ):
            dispatcher.run(question)
        assert hooks(dispatcher) == 0
        assert workspace.results.held_bytes <= RESULT_BYTES
        assert workspace.pictures.held_bytes <= PICTURE_BYTES
        full += workspace.results.held_bytes > RESULT_BYTES // 2
        if closes:
            dispatcher.run(CloseImage(images=(key,)))
            assert (
                workspace.results.held_bytes
                == workspace.outputs.held_bytes
                == workspace.pictures.held_bytes
                == 0
            )
            assert not workspace.pictures.sources
    assert closes or full > PICTURES // 2
