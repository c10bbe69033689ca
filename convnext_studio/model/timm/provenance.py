"""What timm's tags and licences mean in plain English: the training data, and who may use the weights."""

from typing import Any

_DATA = {
    "in1k": "ImageNet-1k",
    "in12k": "ImageNet-12k",
    "in21k": "ImageNet-21k",
    "in22k": "ImageNet-22k",
    "laion2b": "LAION-2B",
    "laiona": "LAION-Aesthetic",
    "lvd1689m": "LVD-1689M",
}
# How the weights were trained on the first data set that the tag names after the method.
_METHODS = {"clip": "captions, CLIP", "dinov3": "no labels, DINOv3", "eupe": "no labels, EUPE"}
_MASKED = "ImageNet-1k (no labels, masked pictures)"
"""FCMAE, the pretraining of ConvNeXt V2, whose tag names no data set: Woo et al. 2023, section 3."""


def trained_on(tag: str) -> str:
    """Return the data sets of a tag in order, such as "LAION-2B (captions, CLIP), then ImageNet-1k"."""
    parts = tag.split("_")
    found = [_MASKED] if "fcmae" in parts else []
    method = next((_METHODS[part] for part in parts if part in _METHODS), "")
    for part in parts:
        if part in _DATA:
            found.append(f"{_DATA[part]} ({method})" if method else _DATA[part])
            method = ""
    return ", then ".join(found) or "not stated"


def is_noncommercial(licence: str) -> bool:
    """Return whether a licence, by timm's name for it, forbids commercial use."""
    return "-nc" in licence or "noncommercial" in licence.replace("-", "")


def count_trunk(architecture: str) -> tuple[int, int]:
    """Count the parameters before the classifier and its input channels, without allocating weights."""
    import timm  # Imported here because it takes seconds.

    network: Any = timm.create_model(architecture, device="meta")
    classifier = network.get_classifier()
    parameters = sum(parameter.numel() for parameter in network.parameters())
    parameters -= sum(parameter.numel() for parameter in classifier.parameters())
    return parameters, int(classifier.in_features)
