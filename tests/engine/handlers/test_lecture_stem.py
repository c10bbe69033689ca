"""The stem with another stride, against a network that is built with it and gets the same weights."""

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from convnext_studio.common.errors import StudioError
from convnext_studio.engine.server.dispatch import Dispatcher
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.protocol.lecture import StemMaps, StemMapsResult
from tests.engine.opening import Opener, input_of

PATCHIFY, TUTORIAL = (4, 0), (1, 1)


def maps_of(dispatcher: Dispatcher, image: str, channel: int | None) -> dict[tuple[int, int], np.ndarray]:
    result = dispatcher.run(StemMaps(image=image, channel=channel, moves=(PATCHIFY, TUTORIAL)))
    assert isinstance(result, StemMapsResult)
    assert (result.image, result.channel) == (image, channel)
    return result.maps


@pytest.mark.parametrize("stem_norm", [True, False])
def test_the_maps_are_those_of_networks_built_with_these_strides(engine_of: Opener, stem_norm: bool) -> None:
    dispatcher, model, image = engine_of(stem_norm=stem_norm)
    assert isinstance(model.module, ConvNeXt)
    outputs = {}
    for stride, padding in (PATCHIFY, TUTORIAL):
        other = ConvNeXt.from_config(
            replace(model.module.config, stem_stride=stride, stem_padding=padding)
        ).eval()
        other.load_state_dict(model.module.state_dict())
        with torch.no_grad():
            outputs[stride, padding] = other.downsample_layers[0](input_of(model))[0].numpy()
    assert outputs[PATCHIFY].shape == (8, 16, 16)
    assert outputs[TUTORIAL].shape == (8, 63, 63)
    for channel in (0, 5, None):
        for move, found in maps_of(dispatcher, image, channel).items():
            expected = outputs[move].mean(axis=0) if channel is None else outputs[move][channel]
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_every_fourth_value_of_the_tutorials_map_is_the_patchify_stems(engine_of: Opener) -> None:
    dispatcher, _, image = engine_of()
    maps = maps_of(dispatcher, image, 2)
    # Padded by one, its window number 4 i + 1 begins at pixel 4 i.
    np.testing.assert_allclose(maps[TUTORIAL][1::4, 1::4], maps[PATCHIFY], rtol=1e-5, atol=1e-6)


def test_what_cannot_be_shown_is_one_sentence(engine_of: Opener) -> None:
    dispatcher, _, image = engine_of()
    with pytest.raises(StudioError, match="no channel 8"):
        maps_of(dispatcher, image, 8)
    dispatcher, _, image = engine_of(stem_type="overlap")
    with pytest.raises(StudioError, match="not a single patch convolution"):
        maps_of(dispatcher, image, 0)
