"""The arrangements of panels that the View menu offers."""

from dataclasses import dataclass
from typing import Literal, get_args

ArrangementName = Literal["inspect", "compare", "teach"]
Columns = tuple[tuple[float, tuple[tuple[str, float], ...]], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """An arrangement of panels in columns.

    Attributes
    ----------
    title, tip
        Text and tooltip of the menu entry.
    columns
        The columns from left to right: the fraction of the window's width, and the panels from top to bottom
        with their fractions of the height. All other panels are hidden.
    """

    title: str
    tip: str
    columns: Columns


ARRANGEMENT_NAMES: tuple[ArrangementName, ...] = get_args(ArrangementName)
ARRANGEMENTS: dict[ArrangementName, Arrangement] = {
    "inspect": Arrangement(
        title="&Inspect",
        tip="Everything about one picture side by side",
        columns=(
            (0.18, (("model", 0.36), ("pictures", 0.20), ("predictions", 0.44))),
            (0.38, (("picture", 0.5), ("receptive_field", 0.5))),
            (0.44, (("feature_maps", 0.46), ("attribution", 0.54))),
        ),
    ),
    "compare": Arrangement(
        title="&Compare",
        tip="Several pictures side by side: their maps on one sheet, and one picture enlarged",
        columns=(
            (0.16, (("pictures", 0.45), ("predictions", 0.55))),
            (0.44, (("attribution", 0.52), ("feature_maps", 0.48))),
            (0.40, (("contact_sheet", 1.0),)),
        ),
    ),
    "teach": Arrangement(
        title="&Teach",
        tip="A few large panels, for a lecture hall",
        columns=(
            (0.5, (("picture", 0.62), ("predictions", 0.38))),
            (0.5, (("attribution", 0.62), ("feature_maps", 0.38))),
        ),
    ),
}
