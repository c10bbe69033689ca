"""The licences of published weights, where these can be recognised, and what a model card beside them says."""

import re
from collections.abc import Mapping
from pathlib import Path

from convnext_studio.common.foreign.bounded_files import read_beginning
from convnext_studio.model.weights.names.formats import DINOV3_FORMATS, SPARSE, Format

LICENCE_KEY = "licence of the weights"
_DINOV3 = "DINOv3 License (Meta), if these are the published weights"
_EUPE = "FAIR Noncommercial Research License, if these are EUPE's published weights"
_V2 = "CC BY-NC 4.0, if these are the published weights of ConvNeXt V2"
_PUBLISHED_V2 = re.compile(r"convnextv2_\w+_(1k|22k|384|fcmae|pretrain)", re.IGNORECASE)
_CARD_BYTES = 20_000


def known_licence(path: Path, format_: Format, left_out: tuple[str, ...]) -> Mapping[str, str]:
    """Return the licence of weights as an entry of their provenance; empty if nothing is known.

    Parameters
    ----------
    path
        The file; a model card may be beside it.
    format_
        The format of its tensors' names.
    left_out
        Names of what else is in the file.
    """
    if told := licence_in_card(path.with_name("README.md")):
        return {LICENCE_KEY: told}
    if any(name.startswith("projectors") for name in left_out) or "eupe" in path.name.lower():
        return {LICENCE_KEY: _EUPE}
    if format_ in DINOV3_FORMATS or "dinov3" in path.name.lower():
        return {LICENCE_KEY: _DINOV3}
    if format_ is SPARSE or _PUBLISHED_V2.search(path.name):
        return {LICENCE_KEY: _V2}
    return {}


def licence_in_card(path: Path) -> str:
    """Return the licence in the head of a model card, which is YAML between two lines of dashes."""
    try:
        text = read_beginning(path, _CARD_BYTES).decode("utf-8-sig", "replace")
    except OSError:
        return ""
    head = re.match(r"---\s*\n(.*?)\n---", text, re.DOTALL)
    entries = re.findall(
        r"^(license|license_name)\s*:\s*[\"']?([^\"'\n]+)", head[1] if head else "", re.MULTILINE
    )
    lines: dict[str, str] = dict(entries)
    told = lines.get("license_name") if lines.get("license") == "other" else lines.get("license")
    return (told or lines.get("license", "")).strip()[:100]
