"""The head, from the last map to the classes: pool, norm, linear layer."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF

from convnext_studio.export.export_contents import label_of
from convnext_studio.lecture.setting import Whole
from convnext_studio.model.config import GlobalPool
from convnext_studio.model.nodes import HEAD_NORM, head_parameters
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.maps import FeatureMaps, FeatureMapsResult
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.render import format_count
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.network_picture import NetworkView
from convnext_studio.ui.plots.ink import Ink, MapPicture, map_picture, shared_columns
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.node_texts import linear_layers, outputs_word, shape_text


class HeadView(NetworkView):
    """The map of the last stage, pooled over the positions, the pooled values normalised, and the top classes.

    Attributes
    ----------
    vectors
        Pooled and normalised, (channels,) each; none where the head normalises before it pools.
    prediction
        None before it is there.
    """

    needs_picture = True
    name = "The head"
    lacks = "head of pool, norm and linear layer"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.vectors: dict[str, NDArray[np.float32]] = {}
        self.prediction: Prediction | None = None
        self._shown: list[tuple[str, MapPicture, str]] = []

    def network_questions(self) -> Sequence[Request]:
        """Ask for the last map, the features of the head, and the classes."""
        picture = self.state.picture
        assert picture is not None
        last = self.config.stages[-1]
        return [
            FeatureMaps(panel=f"{self.panel} {node}", image=picture.key, node=node)
            for node in (last, HEAD_NORM)
        ] + [Predict(panel=self.panel, image=picture.key)]

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Pool the map, and colour map and vectors."""
        last, head, prediction = answers
        if (
            isinstance(last, FeatureMapsResult)
            and isinstance(head, FeatureMapsResult)
            and isinstance(prediction, Prediction)
        ):
            self._take(last, head, prediction)
        super().show_answers(answers)

    def _take(self, last: FeatureMapsResult, head: FeatureMapsResult, prediction: Prediction) -> None:
        self.prediction = prediction
        words = shape_text(self.model.node(last.node))
        self._shown = [("Last map (mean)", map_picture(last.maps.mean(axis=0)), words)]
        pooled, features = pooled_as(self.config.global_pool, last.maps), head.maps[:, 0, 0]
        if self.config.head_norm_first:
            self.vectors = {"normalised and pooled": features}
        else:
            self.vectors = {"pooled": pooled, "normalised": features}
        for name, vector in self.vectors.items():
            words = f"{len(vector)} numbers"
            self._shown.append((name.capitalize(), map_picture(folded(vector), symmetric=True), words))

    def forget(self) -> None:
        """Clear features and classes."""
        self.vectors, self.prediction, self._shown = {}, None, []

    def caption(self) -> str:
        """Return the caption, which says what is shown."""
        return self.subject("vectors are folded into rectangles, with channel 0 at the upper left")

    def rows(self) -> list[tuple[str, float]]:
        """Return the most likely classes with their probabilities."""
        if self.prediction is None:
            return []
        top = self.prediction.top(int(self.settings["classes"]))
        return [(label_of(self.model, index), float(self.prediction.probabilities[index])) for index in top]

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the way through the head from left to right: map, vectors, classes."""
        if not self._shown:
            return
        line = ink.line()
        *columns, last = shared_columns(room, len(self._shown) + 1, 2.2 * ink.px)
        for column, (title, shown, words) in zip(columns, self._shown, strict=True):
            ink.map(column, shown, title, words)
            start = QPointF(column.right() + 0.2 * ink.px, column.center().y())
            ink.arrow(start, start + QPointF(1.8 * ink.px, 0))
        parameters = format_count(head_parameters(self.config))
        outputs = f"{self.config.num_classes} {outputs_word(self.model)}"
        words = f"{outputs}, {parameters} parameters with the norm"
        rows = self.rows()
        place = last.adjusted(0, max((last.height() - (2.2 * len(rows) + 3.6) * line) / 2, 0), 0, 0)
        layers = linear_layers(self.config).capitalize()
        ink.text(QRectF(place.left(), place.top(), place.width(), line), layers, bold=True)
        place.setTop(place.top() + 1.1 * line)
        used = ink.paragraph(place, words, px=ink.small, colour=ink.look.muted)
        ink.bars(place.adjusted(0, used + 0.5 * line, 0, 0), rows, ink.look.accent)


def pooled_as(pool: GlobalPool, maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pool maps (channels, h, w) as a head does that pools before it normalises, (channels,)."""
    mean: NDArray[np.float32] = maps.mean(axis=(1, 2))
    most: NDArray[np.float32] = maps.max(axis=(1, 2))
    if pool == "avg":
        return mean
    return most if pool == "max" else np.asarray((mean + most) / 2, np.float32)


def folded(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fold a vector into a nearly square rectangle, row by row, padded with NaN if necessary."""
    size = len(vector)
    rows = next(each for each in range(math.isqrt(size), 0, -1) if size % each == 0)
    if rows * 4 >= math.isqrt(size):
        return vector.reshape(rows, -1)
    rows = math.isqrt(size)
    columns = -(-size // rows)
    filled = np.full(rows * columns, np.nan, dtype=np.float32)
    filled[:size] = vector
    return filled.reshape(rows, columns)


SPEC = ViewSpec(
    name="head",
    title="From the last map to the classes: pool, norm, linear layer",
    make=HeadView,
    arrangement="below",
    settings={
        "classes": Whole(help="How many of the most likely classes to show", default="3", least=1, most=5)
    },
)
