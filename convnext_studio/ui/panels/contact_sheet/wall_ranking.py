"""Rank the methods on a wall by how faithful their maps are, or by how much they agree."""

from collections.abc import Sequence
from math import isfinite

from PySide6.QtCore import QObject, Signal

from convnext_studio.protocol.attributions import RankBy, RankedMaps, RankMaps
from convnext_studio.protocol.envelope import Payload, Progress
from convnext_studio.render import format_number
from convnext_studio.ui.panels.contact_sheet.wall_subject import PANEL, WallTile
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query

RANKS: dict[RankBy, tuple[str, str]] = {
    "insertion": ("Insertion", "insertion area"),
    "deletion": ("Deletion", "deletion area"),
    "agreement": ("Agreement", "agrees by"),
}
"""By what methods are ranked: the text of the choice, and the words before a score."""


class Ranking(QObject):
    """Has the maps of a wall measured, and tells the scores as they come and the order at the end."""

    scored = Signal()  # there are more scores
    ranked = Signal(object)  # tuple[int, ...]: the indices of the tiles, the best first
    failed = Signal(str)

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject) -> None:
        super().__init__(parent)
        self._state = state
        self._tiles: Sequence[WallTile] = ()
        self._by: RankBy = "insertion"
        self._scores: dict[str, float] = {}
        self._query = Query(
            bridge, self._receive, self.failed.emit, self._advance, on_cancel=self._keep_order, parent=self
        )

    @property
    def is_running(self) -> bool:
        """Whether the measurement is in progress."""
        return self._query.is_running

    def rank(self, tiles: Sequence[WallTile], by: str) -> None:
        """Measure these maps, unless that is what is known or being measured."""
        self._tiles = tiles
        self._by = next(each for each in RANKS if each == by)
        questions = tuple(tile.question for tile in tiles)
        network = questions[0].network if questions else "A"
        of = self._state.second.model if network == "B" else self._state.model
        self._query.ask(RankMaps(questions=questions, by=self._by, panel=PANEL, network=network), of=of)

    def pause(self) -> None:
        """Measure nothing more until `rank` is called again; the scores so far stay."""
        if self._query.is_running:
            self._query.drop()

    def drop(self) -> None:
        """Forget the scores, and what is being measured."""
        self._query.drop()
        self._scores = {}

    def text_of(self, key: str) -> str:
        """Return the score of a tile with what it is; empty while it is not known."""
        return f"{RANKS[self._by][1]} {format_number(self._scores[key])}" if key in self._scores else ""

    def _advance(self, progress: Progress) -> None:
        if isinstance(progress.partial, RankedMaps):
            self._take(progress.partial)

    def _receive(self, answer: Payload) -> None:
        if isinstance(answer, RankedMaps):
            self._take(answer)
            self.ranked.emit(answer.order)

    def _take(self, ranked: RankedMaps) -> None:
        pairs = zip(self._tiles, ranked.scores, strict=True)
        self._scores = {tile.key: score for tile, score in pairs if isfinite(score)}
        self.scored.emit()

    def _keep_order(self) -> None:
        """Leave the order as it is, because someone stopped the measurement."""
        self._query.drop()
