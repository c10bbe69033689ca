"""The presets against the published figures."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from convnext_studio.common.errors import StudioError
from convnext_studio.model import ConvNeXt
from convnext_studio.model.nodes import node_table, total_macs, total_parameters
from convnext_studio.model.presets import PRESETS, preset

PUBLISHED = {name: known.published for name, known in PRESETS.items() if known.published is not None}


def agrees(ours: int, printed: float, unit: float) -> bool:
    """Return whether a count rounds to the published number, or is within one per cent of it."""
    number = f"{printed / unit:g}"
    decimals = len(number.partition(".")[2])
    return f"{ours / unit:.{decimals}f}" == number or abs(ours / printed - 1) <= 0.01


@pytest.mark.parametrize("name", PRESETS)
def test_parameters_and_macs_are_torchs_and_the_papers(name: str) -> None:
    config = preset(name)
    with torch.device("meta"):
        network = ConvNeXt.from_config(config)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    with FlopCounterMode(display=False) as counter:
        assert network(torch.empty(1, 3, 224, 224, device="meta")).shape == (1, 1000)
    nodes = node_table(config, 224)
    assert total_parameters(nodes, config) == parameters
    assert 2 * total_macs(nodes, config) == counter.get_total_flops()
    published = PRESETS[name].published
    if published is not None:
        assert agrees(parameters, published.parameters, 1e6)
        assert agrees(counter.get_total_flops() // 2, published.macs, 1e9)
        assert 70 < published.accuracy < 90
        assert published.source


PRINTED = """
convnext_tiny 29M 4.5G 82.1
convnext_small 50M 8.7G 83.1
convnext_base 89M 15.4G 83.8
convnext_large 198M 34.4G 84.3
convnext_xlarge 350M 60.9G 87.0
convnext_isotropic_small 22M 4.3G 78.7
convnext_isotropic_base 87M 16.9G 82.0
convnext_isotropic_large 306M 59.7G 82.6
convnextv2_atto 3.7M 0.55G 76.7
convnextv2_femto 5.2M 0.78G 78.5
convnextv2_pico 9.1M 1.37G 80.3
convnextv2_nano 15.6M 2.45G 81.9
convnextv2_tiny 28.6M 4.47G 83.0
convnextv2_base 89M 15.4G 84.9
convnextv2_large 198M 34.4G 85.8
convnextv2_huge 660M 115G 86.3
"""
"""As in the tables of the two repositories' READMEs, at 224 x 224 pixels."""


def test_published_figures_have_the_digits_that_are_printed() -> None:
    ours = [
        f"{name} {known.parameters / 1e6:g}M {known.macs / 1e9:g}G {known.accuracy:.1f}"
        for name, known in PUBLISHED.items()
        if known is not None
    ]
    assert ours == PRINTED.split("\n")[1:-1]


def test_all_published_networks_are_there() -> None:
    assert set(PRESETS) - set(PUBLISHED) == {"tutorial"}
    v1 = {"tiny", "small", "base", "large", "xlarge"}
    v2 = {"atto", "femto", "pico", "nano", "tiny", "base", "large", "huge"}
    expected = {f"convnext_{size}" for size in v1} | {f"convnextv2_{size}" for size in v2}
    assert set(PUBLISHED) == expected | {f"convnext_isotropic_{size}" for size in ("small", "base", "large")}


def test_the_tutorials_network() -> None:
    nodes = {node.name: node for node in node_table(preset("tutorial"), 224)}
    assert total_parameters(tuple(nodes.values()), preset("tutorial")) == 28_324_168
    assert nodes["stem"].shape == (96, 223, 223)


def test_isotropic_networks_have_14_units_throughout() -> None:
    nodes = node_table(preset("convnext_isotropic_small"), 224)
    assert {node.shape for node in nodes if node.is_explainable} == {(384, 14, 14)}
    assert [node.name for node in nodes if node.kind == "stage"] == ["stage1"]


def test_the_error_for_an_unknown_name_lists_the_presets() -> None:
    with pytest.raises(StudioError, match="There is no preset “convnext_giant”") as caught:
        preset("convnext_giant")
    assert "convnextv2_huge" in caught.value.hint


def test_a_long_name_is_quoted_in_short() -> None:
    with pytest.raises(StudioError) as caught:
        preset("a b " * 5000)
    assert len(caught.value.message) < 250
