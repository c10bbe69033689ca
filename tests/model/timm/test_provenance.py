"""The meaning of tags, and parameter counts against timm's own networks."""

from typing import Any

import pytest
import timm

from convnext_studio.model.timm import pretrained
from convnext_studio.model.timm.provenance import count_trunk, is_noncommercial, trained_on


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("fb_in1k", "ImageNet-1k"),
        ("fb_in22k_ft_in1k_384", "ImageNet-22k, then ImageNet-1k"),
        ("r384_ad_in12k", "ImageNet-12k"),
        (
            "clip_laion2b_soup_ft_in12k_in1k_320",
            "LAION-2B (captions, CLIP), then ImageNet-12k, then ImageNet-1k",
        ),
        ("clip_laiona_augreg_320", "LAION-Aesthetic (captions, CLIP)"),
        ("dinov3_lvd1689m", "LVD-1689M (no labels, DINOv3)"),
        ("fcmae", "ImageNet-1k (no labels, masked pictures)"),
        (
            "fcmae_ft_in22k_in1k_384",
            "ImageNet-1k (no labels, masked pictures), then ImageNet-22k, then ImageNet-1k",
        ),
        ("something_new", "not stated"),
    ],
)
def test_tags_in_plain_english(tag: str, words: str) -> None:
    assert trained_on(tag) == words


def test_every_tag_of_timm_is_understood() -> None:
    assert [offer.name for offer in pretrained.catalogue() if trained_on(offer.tag) == "not stated"] == []


@pytest.mark.parametrize(
    ("licence", "forbids"),
    [
        ("apache-2.0", False),
        ("cc-by-nc-4.0", True),
        ("dinov3-license", False),
        ("fair-noncommercial-research-license", True),
        ("not stated", False),
    ],
)
def test_licences_that_forbid_commercial_use(licence: str, forbids: bool) -> None:
    assert is_noncommercial(licence) is forbids


@pytest.mark.parametrize(
    "name",
    [
        "convnext_tiny.fb_in22k",
        "convnext_large_mlp.clip_laion2b_soup_ft_in12k_320",
        "convnextv2_atto.fcmae",
        "convnext_tiny_hnf.a2h_in1k",
        "convnext_xxlarge.clip_laion2b_soup",
        "test_convnext3.r160_in1k",
    ],
)
def test_parameters_are_those_of_timms_network(name: str) -> None:
    theirs: Any = timm.create_model(name, device="meta")
    published: Any = timm.get_pretrained_cfg(name)
    trunk, channels = count_trunk(published.architecture)
    expected = sum(parameter.numel() for parameter in theirs.parameters())
    assert trunk + published.num_classes * (channels + 1) == expected
