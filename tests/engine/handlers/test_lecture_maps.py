"""Mean maps, against the network run by hand."""

import numpy as np
import pytest
import torch

from convnext_studio.common.errors import StudioError
from convnext_studio.model.convnext import ConvNeXt
from convnext_studio.protocol.lecture import MeanMaps, MeanMapsResult
from tests.engine.opening import Opener, input_of


def test_each_map_is_the_mean_of_the_channels_of_what_the_network_computes(engine_of: Opener) -> None:
    session, model, image = engine_of()
    nodes = ("stem", "stage1", "stage2.downsample.norm", "stage2.downsample.conv", "stage2", "stage4")
    result = session.run(MeanMaps(image=image, nodes=nodes))
    assert isinstance(result, MeanMapsResult)
    assert list(result.maps) == list(nodes)
    module = model.module
    assert isinstance(module, ConvNeXt)
    expected: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        x = input_of(model)
        for number, (downsample, stage) in enumerate(
            zip(module.downsample_layers, module.stages, strict=True), 1
        ):
            if number == 2:
                expected["stage2.downsample.norm"] = downsample[0](x)
                expected["stage2.downsample.conv"] = downsample(x)
            x = downsample(x)
            if number == 1:
                expected["stem"] = x
            x = stage(x)
            expected[f"stage{number}"] = x
    for name, found in result.maps.items():
        np.testing.assert_allclose(found, expected[name][0].numpy().mean(axis=0), rtol=1e-4, atol=1e-5)
    assert result.geometry == model.preprocessing.geometry((451, 300))


def test_an_unknown_node_is_one_sentence(engine_of: Opener) -> None:
    session, _, image = engine_of()
    with pytest.raises(StudioError, match="no node"):
        session.run(MeanMaps(image=image, nodes=("stage9",)))
