"""The models of timm that this program opens, with their published accuracies; read without torch or timm."""

import csv
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

from convnext_studio.common.paths import ASSETS

TABLE = ASSETS / "models" / "timm.csv"


class KnownModel(Struct, frozen=True):
    """A model of timm that can be opened.

    Attributes
    ----------
    name
        The architecture and the tag of its weights: ``convnext_tiny.fb_in1k``.
    parameters
        Number of parameters, including the classifier.
    accuracy
        Published top-1 accuracy on the validation photographs of ImageNet-1k, in per cent; None if there is
        none.
    measured_px
        Side of the pictures for that accuracy; None if there is none.
    """

    name: str
    parameters: int
    accuracy: float | None = None
    measured_px: int | None = None


@lru_cache(maxsize=1)
def known_models() -> Mapping[str, KnownModel]:
    """Return the models by name, in alphabetical order."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        models = [
            KnownModel(
                row["name"],
                int(row["parameters"]),
                float(row["accuracy"]) if row["accuracy"] else None,
                int(row["measured_px"]) if row["measured_px"] else None,
            )
            for row in rows
        ]
    return {model.name: model for model in models}
