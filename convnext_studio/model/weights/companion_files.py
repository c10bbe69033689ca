"""What the files beside weights say, whichever program wrote them; see `config_files`, which reads them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from convnext_studio.common.errors import StudioError
from convnext_studio.model.config import ConvNeXtConfig
from convnext_studio.model.preprocessing import Preprocessing

UNUSABLE = (
    StudioError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    ZeroDivisionError,
    OverflowError,
)
"""What reading a value of a file can raise that may hold anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanionFiles:
    """What the files next to the weights say.

    Attributes
    ----------
    config
        The architecture, completed by what cannot be read off the tensors.
    labels
        Class names in plain English; empty if there are none.
    preprocessing
        How pictures are turned into the network's input; None if the files do not say.
    provenance
        Where the weights come from, as pairs of name and text.
    is_act_known
        Whether the activation was read from a file instead of being assumed.
    notes
        Sentences to be shown to the user, among them what the files ask for and is not done.
    """

    config: ConvNeXtConfig
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    is_act_known: bool = False
    notes: tuple[str, ...] = ()


def crop_fraction(input_px: int, resized_px: int) -> float:
    """Return the crop fraction with which the shorter side becomes exactly that many pixels before the crop."""
    fraction = input_px / resized_px
    # The quotient may be rounded such that one pixel is lost.
    return fraction if math.floor(input_px / fraction) == resized_px else math.nextafter(fraction, 0.0)


def not_followed(what: str, used: str) -> str:
    """Return the sentence about something that a file asks for and that is not done."""
    return f"The files next to it ask for {what[:100]}, which is not followed: {used[:100]}."
