"""What the network decides while one channel of its last stage is scaled."""

from collections.abc import Mapping, Sequence

import numpy as np
from PySide6.QtCore import QRectF

from convnext_studio.common.interventions import HIGHEST_FACTOR, LOWEST_FACTOR, Change
from convnext_studio.export.export_contents import label_of
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.interventions import ChangedLogits, ChangedLogitsResult, RankedParts, RankParts
from convnext_studio.render import format_number, pluralize
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.painted_view import OPEN_A_CONVNEXT, PaintedView, blocks_of
from convnext_studio.ui.plots.ink import Ink, shared_columns
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.following_query import FollowingQuery

_STEPS = 10  # For each 1 of the factor.
_CLASSES = 6


class OneChannelView(PaintedView):
    """The classes before and after one channel is scaled; channels are sorted by what they do.

    Attributes
    ----------
    ranked
        The channels tried so far, with the change of the top prediction's logit; None before there are any.
    after
        The prediction with the channel scaled as the sliders say; None until it is there.
    """

    needs_model = True
    needs_picture = True
    name = "What one channel does"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.ranked: RankedParts | None = None
        self.after: ChangedLogitsResult | None = None
        self._following = FollowingQuery(bridge, self._take, self.show_notice, self)
        self.place = self.add_slider(
            "Channel", "The channel, those that matter most for the top prediction first", 1, 1, 1, self._ask
        )
        least, most = round(LOWEST_FACTOR * _STEPS), round(HIGHEST_FACTOR * _STEPS)
        self.factor = self.add_slider(
            "Factor",
            "What the channel is multiplied by: 1 changes nothing, 0 is off",
            least,
            most,
            0,
            self._ask,
        )

    @property
    def node(self) -> str:
        """The last stage."""
        model = self.state.model
        return "" if model is None else model.config.stages[-1]

    @property
    def channel(self) -> int | None:
        """The channel that is scaled; None while none is known."""
        ranked = () if self.ranked is None else self.ranked.ranked
        if self.ranked is None or not ranked:
            return None
        return self.ranked.changes[ranked[min(self.place.value(), len(ranked)) - 1]].channels[0]

    def questions(self) -> Sequence[Request] | str:
        """Ask what each channel does to the top prediction."""
        model, picture = self.state.model, self.state.picture
        assert model is not None
        assert picture is not None
        if not blocks_of(model):
            return f"{model.title} is not a ConvNeXt, so its channels cannot be changed here. {OPEN_A_CONVNEXT}"
        return (RankParts(panel=self.panel, image=picture.key, node=self.node),)

    def show_answers(self, answers: tuple[Payload, ...]) -> None:
        """Sort all channels."""
        self._rank(answers[0])

    def show_partial(self, _index: int, payload: Payload) -> None:
        """Sort the channels so far."""
        self.show_body()
        self._rank(payload)

    def _rank(self, answer: Payload) -> None:
        assert isinstance(answer, RankedParts)
        self.ranked = answer
        self.place.setRange(1, max(len(answer.ranked), 1))
        self._ask()

    def _ask(self) -> None:
        """Have the network predict with the channel scaled, as soon as it can."""
        picture, channel = self.state.picture, self.channel
        if picture is not None and channel is not None and self.ranked is not None:
            change = Change(
                node=self.node, effect="factor", factor=self.factor.value() / _STEPS, channels=(channel,)
            )
            self._following.ask(ChangedLogits(panel=self.panel, image=picture.key, changes=(change,)))
        self.canvas.update()

    def _take(self, answer: Payload) -> None:
        if isinstance(answer, ChangedLogitsResult):
            self.after = answer
            self.canvas.update()

    def retire(self) -> None:
        """Drop all requests, because the view is about to be deleted."""
        self._following.drop()
        super().retire()

    @property
    def is_settled(self) -> bool:
        """Whether the prediction with the channel scaled is shown, or a sentence in its place."""
        return super().is_settled and not self._following.is_running

    def caption(self) -> str:
        """Return the caption, which says how channels are sorted."""
        tried = 0 if self.ranked is None else len(self.ranked.ranked)
        return self.subject(
            f"{self.node}: {pluralize(tried, 'channel')}, sorted by what switching one off does to the logit"
        )

    # ----------------------------------------------------------------------------------------- painting

    def rows(self) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
        """Return the likeliest classes with their probabilities, before and after."""
        model, after = self.state.model, self.after
        if model is None or after is None:
            return [], []
        shown = [int(index) for index in np.argsort(-after.before, kind="stable")[:_CLASSES]]
        first = int(after.after.argmax())
        if first not in shown:
            shown[-1] = first
        return (
            [(label_of(model, index), float(after.probabilities_before[index])) for index in shown],
            [(label_of(model, index), float(after.probabilities[index])) for index in shown],
        )

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the classes before and after, side by side, and what the channel does."""
        before, after = self.rows()
        channel, ranked = self.channel, self.ranked
        if not before or channel is None or ranked is None:
            return
        line = ink.line()
        factor = self.factor.value() / _STEPS
        text = f"Channel {channel} of the last stage × {factor:.1f}".replace("-", "−")
        ink.text(QRectF(room.left(), room.top(), room.width(), line), text, bold=True)
        part = ranked.ranked[min(self.place.value(), len(ranked.ranked)) - 1]
        fall = format_number(float(ranked.differences[part]))
        words = f"Switched off, it moves the logit of the top prediction by {fall}."
        ink.text(QRectF(room.left(), room.top() + 1.2 * line, room.width(), line), words, colour=ink.look.muted)
        left, right = shared_columns(room.adjusted(0, 3.2 * line, 0, 0), 2, 2 * ink.px)
        for column, title, rows, colour in (
            (left, "Before", before, ink.look.muted),
            (right, "After", after, ink.look.accent),
        ):
            ink.text(QRectF(column.left(), column.top(), column.width(), line), title, bold=True)
            ink.bars(column.adjusted(0, 1.4 * line, 0, 0), rows, colour)


SPEC = ViewSpec(
    name="one-channel",
    title="The predictions while one channel of the last stage is scaled, before and after",
    make=OneChannelView,
)
