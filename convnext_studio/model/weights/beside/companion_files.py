"""What the files beside weights say, whichever program wrote them; see `config_files`, which reads them."""

from collections.abc import Mapping

from msgspec import Struct, field

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


OF_ANOTHER = "config.json next to it is left out: it describes another network."


class CompanionFiles(Struct, frozen=True, kw_only=True):
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
    is_multi_label
        Whether each class is on its own, so that several can be right.
    notes
        Sentences to be shown to the user, among them what the files ask for and is not done.
    """

    config: ConvNeXtConfig
    labels: tuple[str, ...] = ()
    preprocessing: Preprocessing | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    is_act_known: bool = False
    is_multi_label: bool = False
    notes: tuple[str, ...] = ()


def not_followed(what: str, used: str) -> str:
    """Return the sentence about something that a file asks for and that is not done."""
    return f"The files next to it ask for {what[:100]}, which is not followed: {used[:100]}."


def not_understood(name: str) -> str:
    """Return the sentence about a file whose means, sizes or crop are impossible."""
    return f"{name} next to it is not understood, and not used."
