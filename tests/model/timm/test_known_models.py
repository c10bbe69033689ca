"""The table names what timm has and this program opens, and its accuracies are published ones."""

import csv
from pathlib import Path

import pytest
import timm
import torch

from convnext_studio.model.presets import PRESETS
from convnext_studio.model.timm.families import find_family
from convnext_studio.model.timm.known_models import TABLE, known_models
from convnext_studio.model.timm.timm_names import PATTERNS


def test_it_names_every_model_of_timm_that_can_be_opened() -> None:
    of_timm = set(timm.list_models(pretrained=True))
    opened = {name for name in of_timm if find_family(name.partition(".")[0]) is not None}
    opened |= set(timm.list_models(PATTERNS, pretrained=True))
    on_hub = {name for name in opened if timm.get_pretrained_cfg(name).hf_hub_id}
    assert (
        set(known_models()) >= on_hub or set(known_models()) <= of_timm
    )  # Of this version, or of an older one.
    assert len(on_hub & set(known_models())) > 0.9 * len(on_hub)


def test_the_accuracies_agree_with_those_of_the_authors() -> None:
    """The presets have the figures of the papers; timm measured the same weights at the same size."""
    compared = 0
    for name, tag in (
        ("convnext_tiny", "fb_in1k"),
        ("convnext_base", "fb_in1k"),
        ("convnextv2_atto", "fcmae_ft_in1k"),
    ):
        published, known = PRESETS[name].published, known_models()[f"{name}.{tag}"]
        assert published is not None
        assert known.accuracy is not None
        # timm tests at a larger size (288 px) unless the weights say otherwise, which adds up to one point.
        assert -0.4 < known.accuracy - published.accuracy < 1.1
        compared += 1
    assert compared == 3


def test_each_row_is_whole() -> None:
    for known in known_models().values():
        assert (known.accuracy is None) == (known.measured_px is None)
        assert known.accuracy is None or 30 < known.accuracy < 95
    text = Path(TABLE).read_text(encoding="utf-8")
    rows = list(csv.reader(line for line in text.splitlines() if not line.startswith("#")))
    assert len(rows) == 1 + len(known_models())


@pytest.mark.parametrize("name", ["convnext_tiny.fb_in1k", "convnextv2_atto.fcmae", "resnet18.a1_in1k"])
def test_the_parameters_are_those_of_timms_network(name: str) -> None:
    with torch.device("meta"):
        network = timm.create_model(
            name.partition(".")[0], num_classes=timm.get_pretrained_cfg(name).num_classes
        )
    assert known_models()[name].parameters == sum(each.numel() for each in network.parameters())
