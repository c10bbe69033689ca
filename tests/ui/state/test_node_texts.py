"""What is said of the head, against the modules of the network."""

from typing import Any

import pytest
from msgspec.structs import replace
from torch import nn

from convnext_studio.model.nodes import HEAD_NORM
from convnext_studio.ui.state.node_texts import describe, linear_layers, outputs_word
from tests.networks import small_model
from tests.ui.desk import model


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_classes": 1},
        {"head_hidden_size": 9},
        {"head_hidden_size": (9, 5)},
        {"head_norm_first": True},
        {"head_norm_first": True, "global_pool": "catavgmax", "num_classes": 2000},
    ],
)
def test_the_head_is_described_layer_by_layer(changes: dict[str, Any]) -> None:
    network = small_model(**changes)
    blocks = {id(module) for stage in network.module.stages for module in stage.modules()}
    linear = [
        module
        for module in network.module.modules()
        if isinstance(module, nn.Linear) and id(module) not in blocks
    ]
    text = describe(network.node(HEAD_NORM), network.module.config)
    layers = "linear layer" if len(linear) == 1 else f"{len(linear)} linear layers"
    first = "norm, pooling" if changes.get("head_norm_first") else "pooling, norm"
    outputs = f"{linear[-1].out_features:,} output{'' if linear[-1].out_features == 1 else 's'}"
    assert text.startswith(f"Head: {first} and {layers} to {outputs} · {linear[0].in_features} pooled channels")
    assert linear_layers(network.module.config) == layers


@pytest.mark.parametrize(
    ("count", "has_classes", "word"),
    [(1, True, "class"), (3, True, "classes"), (1, False, "feature"), (3, False, "features")],
)
def test_outputs_that_are_no_classes_are_not_called_so(count: int, has_classes: bool, word: str) -> None:
    shown = model()
    shown = replace(shown, config=replace(shown.config, num_classes=count), has_classes=has_classes)
    assert outputs_word(shown) == word
