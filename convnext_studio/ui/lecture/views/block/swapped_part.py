"""The open network with another activation or norm in all blocks: its predictions, and the map of a stage."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QRectF

from convnext_studio.export.export_contents import label_of
from convnext_studio.lecture.activations import CURVES
from convnext_studio.lecture.setting import OneOf, Whole
from convnext_studio.model.config import Act, ConvNeXtConfig, Norm
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.lecture import SwapPart, SwappedPart
from convnext_studio.render import format_number
from convnext_studio.ui.lecture.views.controls import ValueSlider
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.norm_and_gelu.norm_values import NORM_TITLES
from convnext_studio.ui.lecture.views.painted_view import OPEN_A_CONVNEXT, PaintedView
from convnext_studio.ui.plots.ink import Ink, MapPicture, is_wide, map_picture, shared_columns
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

CLASSES = 4
_STAGES = range(1, 5)
_BARS_PART = 0.4  # Fraction of the width for the bars next to the map.
PARTS = {"act": "the activation", "norm": "the norm"}
_BATCH_NORM = (
    "Batch norm here uses the mean and variance of each channel over the positions of this one "
    "picture. The norm of the head stays the same."
)


def other_act(act: Act) -> Act:
    """Return the activation to swap in: ReLU, or GELU if the network has ReLU."""
    return "gelu" if act == "relu" else "relu"


def other_norm(norm: Norm) -> Norm:
    """Return the norm to swap in: batch norm, or layer norm if the network has batch norm."""
    return "layer" if norm == "batch" else "batch"


class SwappedPartView(PaintedView):
    """The predictions and the mean map of a stage, before and after the swap."""

    needs_model = True
    needs_picture = True
    name = "The network with one part swapped"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.shown: SwappedPart | None = None
        self._maps: tuple[MapPicture, MapPicture] | None = None
        self.parts = self.add_choice(
            "Swap",
            "The part to swap in all blocks; the weights stay the same",
            ((text, name) for name, text in PARTS.items()),
            settings["part"],
            self.prepare,
        )
        self.stages = ValueSlider(
            "Map of stage", "The stage whose map to show", _STAGES, int(settings["stage"])
        )
        self.stages.changed.connect(self.prepare)
        self.controls.addWidget(self.stages, 1)
        self.controls.addStretch(1)

    def questions(self) -> Sequence[Request] | str:
        """Ask for the network with the swapped part."""
        model, picture = self.state.model, self.state.picture
        assert model is not None
        assert picture is not None
        config = model.config
        if not isinstance(config, ConvNeXtConfig):
            return f"{model.title} is not a ConvNeXt, so its parts cannot be swapped here. {OPEN_A_CONVNEXT}"
        swaps_act = self.parts.currentData() == "act"
        stages = config.stages
        self._offer(len(stages))
        return (
            SwapPart(
                panel=self.panel,
                image=picture.key,
                stage=stages[self.stages.value - 1],
                act=other_act(config.act) if swaps_act else None,
                norm=None if swaps_act else other_norm(config.norm),
            ),
        )

    def _offer(self, count: int) -> None:
        """Set the range of the slider to the stages of the network, at the wanted stage or the last one."""
        self.stages.go_through(range(1, count + 1), int(self.settings["stage"]))
        self.stages.setEnabled(count > 1)

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Colour the maps once, then paint."""
        (result,) = answers
        assert isinstance(result, SwappedPart)
        self.shown = result
        self._maps = (map_picture(result.mean_map), map_picture(result.swapped_mean_map))
        self.canvas.update()

    def titles(self) -> tuple[str, str]:
        """Return the names of the part before and after the swap."""
        model, shown = self.state.model, self.shown
        config = model.config if model is not None else None
        if not isinstance(config, ConvNeXtConfig) or shown is None:
            return "", ""
        if shown.act is not None:
            return CURVES[config.act][0], CURVES[shown.act][0]
        assert shown.norm is not None
        return NORM_TITLES[config.norm].capitalize(), NORM_TITLES[shown.norm].capitalize()

    def rows(self) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
        """Return the most likely classes before and after."""
        model, shown = self.state.model, self.shown
        if model is None or shown is None:
            return [], []
        before, after = (
            [(label_of(model, index), float(shares[index])) for index in (-shares).argsort()[:CLASSES].tolist()]
            for shares in (shown.probabilities, shown.swapped_probabilities)
        )
        return before, after

    def caption(self) -> str:
        """Return the caption: what was swapped, and which map is shown."""
        shown = self.shown
        if shown is None:
            return self.subject()
        before, after = self.titles()
        where = "all blocks" if shown.act is not None else "stem, blocks and downsampling"
        return self.subject(
            f"{before} → {after} in {where}, same weights", f"{shown.stage}, mean over the channels"
        )

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint before on the left and after on the right, with classes at the top and maps below."""
        if self.shown is None or self._maps is None:
            return
        foot = QRectF(room)
        foot.setTop(room.bottom() - ink.paragraph_height(room.width(), self.foot_text(), ink.small))
        columns = shared_columns(room.adjusted(0, 0, 0, -foot.height() - ink.px * 0.3), 2, 2 * ink.px)
        for place, title, rows, shown, colour in zip(
            columns, self.titles(), self.rows(), self._maps, (ink.look.accent, ink.look.warning), strict=True
        ):
            ink.text(
                QRectF(place.left(), place.top(), place.width(), ink.line()), title, bold=True, colour=colour
            )
            body = place.adjusted(0, ink.line() * 1.3, 0, 0)
            left, right = QRectF(body), QRectF(body)
            if is_wide(room):
                left.setWidth(body.width() * _BARS_PART)
                right.setLeft(left.right() + ink.px)
            else:
                left.setHeight(len(rows) * 2 * ink.line())
                right.setTop(left.bottom())
            ink.bars(left, rows, colour)
            ink.map(right, shown, self.stage_title())
        ink.paragraph(foot, self.foot_text(), px=ink.small, colour=ink.look.muted)

    def stage_title(self) -> str:
        """Return the title of the stage whose map is shown."""
        assert self.shown is not None
        return "" if self.state.model is None else self.state.model.node(self.shown.stage).title

    def foot_text(self) -> str:
        """Return how much the output of the stage changed, and what was done."""
        assert self.shown is not None
        change = format_number(100 * self.shown.relative_change)
        text = (
            f"The output of {self.stage_title().lower()} changed by {change} % of its norm. "
            "The maps are means over the channels, and each has its own scale."
        )
        return f"{text} {_BATCH_NORM}" if self.shown.norm == "batch" else text


SPEC = ViewSpec(
    name="swapped-part",
    title="Predictions and a stage’s map with GELU swapped for ReLU, or layer norm for batch norm",
    make=SwappedPartView,
    settings={
        "part": OneOf(help="The part to swap in all blocks", default="act", values=tuple(PARTS)),
        "stage": Whole(
            help="The stage whose map to show; the last one if there are fewer", default="4", least=1, most=4
        ),
    },
)
