"""The arrangements of panels that the View menu offers, for windows of every size."""

from typing import Literal, get_args

from msgspec import Struct

ArrangementName = Literal["inspect", "compare", "teach"]
Row = tuple[tuple[str, ...], float]
Columns = tuple[tuple[float, tuple[Row, ...]], ...]


class Variant(Struct, frozen=True, kw_only=True):
    """An arrangement for windows of at least a certain size.

    Attributes
    ----------
    least_width, least_height
        The size of the window that it needs, in pixels for text of 9 points: with text twice as large, the
        window has to be twice as large.
    columns
        The columns from left to right: the fraction of the window's width, and the rows from top to bottom
        with their fractions of the height. The panels of a row lie behind one another as tabs, the first in
        front. All other panels are hidden.
    """

    least_width: int = 0
    least_height: int = 0
    columns: Columns

    @property
    def panels(self) -> tuple[str, ...]:
        """The names of its panels, column by column, those behind tabs included."""
        return tuple(name for _, rows in self.columns for names, _ in rows for name in names)


class Arrangement(Struct, frozen=True, kw_only=True):
    """An arrangement of panels.

    Attributes
    ----------
    title, tip
        Text and tooltip of the menu entry.
    variants
        The largest first; the last one needs no room.
    """

    title: str
    tip: str
    variants: tuple[Variant, ...]

    def variant_for(self, width: float, height: float) -> Variant:
        """Return the first variant that fits into a window of this size, in pixels for text of 9 points."""
        fitting = (
            variant
            for variant in self.variants
            if width >= variant.least_width and height >= variant.least_height
        )
        return next(fitting, self.variants[-1])


_ABOUT = ("predictions", "pictures", "model")
_MAPS = ("feature_maps", "attribution", "receptive_field")


def _everything(least_height: int, model: float, pictures: float) -> Variant:
    """Return the variant with everything about a picture; the fractions are of the left column."""
    about = ((("model",), model), (("pictures",), pictures), (("predictions",), 1.0 - model - pictures))
    return Variant(
        least_width=1300,
        least_height=least_height,
        columns=(
            (0.18, about),
            (0.38, ((("picture",), 0.5), (("receptive_field",), 0.5))),
            (0.44, ((("feature_maps",), 0.46), (("attribution",), 0.54))),
        ),
    )


ARRANGEMENT_NAMES: tuple[ArrangementName, ...] = get_args(ArrangementName)
ARRANGEMENTS: dict[ArrangementName, Arrangement] = {
    "inspect": Arrangement(
        title="&Inspect",
        tip="Everything about one picture side by side",
        variants=(
            _everything(900, model=0.32, pictures=0.31),  # Two rows of thumbnails with their classes.
            _everything(640, model=0.27, pictures=0.31),  # A laptop shows whole thumbnails, too.
            Variant(
                least_width=1300,
                columns=(
                    (0.2, ((_ABOUT, 1.0),)),
                    (0.36, ((("picture", "receptive_field"), 1.0),)),
                    (0.44, ((("feature_maps", "attribution"), 1.0),)),
                ),
            ),
            Variant(
                least_width=760,
                least_height=560,
                columns=((0.4, ((("picture",), 0.52), (_ABOUT, 0.48))), (0.6, ((_MAPS, 1.0),))),
            ),
            Variant(
                least_width=760,
                columns=((0.4, ((("picture", *_ABOUT), 1.0),)), (0.6, ((_MAPS, 1.0),))),
            ),
            Variant(
                least_width=560,
                columns=((1.0, ((("picture", *_MAPS, *_ABOUT), 1.0),)),),
            ),
            Variant(columns=((1.0, ((("picture", "feature_maps", "attribution"), 1.0),)),)),
        ),
    ),
    "compare": Arrangement(
        title="&Compare",
        tip="Two networks or several pictures side by side: the maps of both, and one picture enlarged",
        variants=(
            Variant(
                least_width=1300,
                least_height=640,
                columns=(
                    (0.16, ((("pictures",), 0.45), (("predictions",), 0.55))),
                    (0.44, ((("attribution",), 0.52), (("feature_maps",), 0.48))),
                    (0.40, ((("contact_sheet", "comparison"), 1.0),)),
                ),
            ),
            Variant(
                least_width=760,
                columns=(
                    (0.4, ((("contact_sheet", "comparison", "pictures"), 1.0),)),
                    (0.6, ((("attribution", "feature_maps", "predictions"), 1.0),)),
                ),
            ),
            Variant(columns=((1.0, ((("contact_sheet", "attribution", "comparison"), 1.0),)),)),
        ),
    ),
    "teach": Arrangement(
        title="&Teach",
        tip="A few large panels, for a lecture hall",
        variants=(
            Variant(
                least_width=1200,
                least_height=640,
                columns=(
                    (0.5, ((("picture",), 0.62), (("predictions",), 0.38))),
                    (0.5, ((("attribution",), 0.62), (("feature_maps",), 0.38))),
                ),
            ),
            Variant(
                least_width=760,
                columns=(
                    (0.44, ((("picture", "predictions"), 1.0),)),
                    (0.56, ((("attribution", "feature_maps"), 1.0),)),
                ),
            ),
            Variant(columns=((1.0, ((("picture", "attribution"), 1.0),)),)),
        ),
    ),
}
