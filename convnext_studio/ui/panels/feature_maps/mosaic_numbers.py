"""Get what only the engine can compute: contributions to a class, and exact statistics behind an overview."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from convnext_studio.common.caches import ByteCache
from convnext_studio.protocol.channels import ChannelStatistics, ChannelStatisticsResult
from convnext_studio.protocol.envelope import Payload
from convnext_studio.render import ChannelNumbers, format_number
from convnext_studio.ui.panels.feature_maps.mosaic_image import Order, Subject
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query

_KEPT_BYTES = 8 << 20


class MosaicNumbers(QObject):
    """Asks the engine for channel statistics where they are needed, and caches them.

    Parameters
    ----------
    on_known
        Called with the subject, which then holds its exact statistics, after the engine has answered.
    """

    def __init__(
        self, state: AppState, bridge: EngineBridge, on_known: Callable[[Subject], None], owner: QObject
    ) -> None:
        super().__init__(owner)
        self._state = state
        self._on_known = on_known
        self._subject: Subject | None = None
        self._order: Order = "index"
        self._known: ByteCache[ChannelStatisticsResult] = ByteCache(
            _KEPT_BYTES, lambda known: 8 * 8 * len(known.mean)
        )
        self._question = Query(bridge, self._receive, self._fail, parent=self)
        self._failure = ""
        state.model_loaded.connect(self._forget)
        state.opened.changed.connect(self._forget_closed)
        for changed in (state.target_selected, state.prediction_made):
            changed.connect(self._follow_target)

    @property
    def is_settled(self) -> bool:
        """Whether no answer from the engine is pending."""
        return not self._question.is_running

    @property
    def class_name(self) -> str:
        """The class that contributions refer to, as text for the user."""
        target, model = self._target, self._state.model
        if target is None or model is None:
            return "the class"
        return f"“{model.labels[target]}”" if target < len(model.labels) else f"class {target}"

    def ask(self, subject: Subject, order: Order) -> tuple[int | None, NDArray[np.float32] | None]:
        """Return class and contributions if wanted and known; ask the engine for what is not known."""
        self._subject, self._order = subject, order
        request = self._wanted(subject, order)
        if request is None:
            self._question.drop()
            return None, None
        known = self._known.get(request)
        if known is None:
            self._question.ask(request)
            return None, None
        return (request.target, known.contributions) if known.contributions is not None else (None, None)

    def contribution_text(self, subject: Subject, channel: int) -> str:
        """Describe a channel's contribution, or return an empty text if it is not what is sorted by."""
        if self._order != "contribution":
            return ""
        request = self._wanted(subject, self._order)
        known = self._known.get(request) if request is not None else None
        if known is None or known.contributions is None:
            return self._failure
        value = float(known.contributions[channel])
        return f"contributes {format_number(value)} to {self.class_name}"

    @property
    def _target(self) -> int | None:
        """The class to explain, or else the top prediction; None while neither is known."""
        if self._state.target is None and self._state.prediction is not None:
            return self._state.prediction.top(1)[0]
        return self._state.target

    def _wanted(self, subject: Subject, order: Order) -> ChannelStatistics | None:
        # Contributions are those to a class of A, in A.
        has_scores = order == "contribution" and subject.is_computed and subject.network == "A"
        target = self._target if has_scores else None
        if target is None and subject.is_sortable:
            return None
        result = subject.result
        return ChannelStatistics(
            image=result.image, node=result.node, target=target, panel="feature_maps", network=subject.network
        )

    def _receive(self, payload: Payload) -> None:
        if not isinstance(payload, ChannelStatisticsResult):
            return
        self._failure = ""
        subject = self._subject
        request = None if subject is None else self._wanted(subject, self._order)
        if request is not None and (request.image, request.node, request.target) == (
            payload.image,
            payload.node,
            payload.target,
        ):
            self._known.put(request, payload)
        if subject is None or (payload.image, payload.node) != (subject.result.image, subject.result.node):
            return
        if not subject.is_sortable:
            subject = replace(subject, exact=_numbers(payload))
        self._on_known(subject)

    def _fail(self, reason: str) -> None:
        self._failure = reason
        if self._subject is not None:
            self._on_known(self._subject)

    def _follow_target(self, _changed: object) -> None:
        if self._subject is not None and self._order == "contribution":
            self._on_known(self._subject)

    def _forget_closed(self) -> None:
        self._known.forget_where(lambda _, known: self._state.opened.row(known.image) is None)

    def _forget(self, _model: object) -> None:
        self._subject = None
        self._known.clear()
        self._question.drop()


def _numbers(payload: ChannelStatisticsResult) -> ChannelNumbers:
    return ChannelNumbers(
        minimum=payload.minimum,
        maximum=payload.maximum,
        mean=payload.mean,
        variance=payload.variance,
        sparsity=payload.sparsity,
        non_finite=payload.non_finite,
        is_dead=payload.is_dead,
    )
