"""What the pages of the panel have in common: a question, a large map, and a map over every small picture."""

from collections.abc import Sized
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtWidgets import QScrollArea, QWidget

from convnext_studio.model.nodes import NodeInfo
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.render import pluralize, resample
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.map_texts import Placement, point_text
from convnext_studio.ui.plots.picture_gallery import GalleryOverlay
from convnext_studio.ui.plots.scene import Layer, Lines, Mark
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

Unit = tuple[int, int]
"""Row and column of a position."""
SMOOTH_SIDE = 448
"""The longer side to which a map is interpolated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayLook:
    """How maps are laid over pictures.

    Attributes
    ----------
    smooth
        Whether values are interpolated between the centres of the units.
    opacity
        The opacity of the colours, from 0 to 1.
    """

    smooth: bool = True
    opacity: float = 0.8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PageScene:
    """What the large view shows over the picture.

    Attributes
    ----------
    layers, lines, marks
        Parts of its scene, above the picture.
    scale
        The colour bar; None if the colours have none.
    values
        The numbers behind the colours, for files.
    """

    layers: tuple[Layer, ...] = ()
    lines: tuple[Lines, ...] = ()
    marks: tuple[Mark, ...] = ()
    scale: ColorScale | None = None
    values: NDArray[Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilaritySubject:
    """What is asked about: the network, the picture that is shown large, all pictures, and the node."""

    model: ModelInfo
    picture: ImageInfo
    images: tuple[str, ...]
    node: NodeInfo

    @property
    def others(self) -> tuple[str, ...]:
        """The keys of the other pictures."""
        return tuple(key for key in self.images if key != self.picture.key)

    @property
    def current_first(self) -> tuple[str, ...]:
        """The keys of all pictures, that of the large one first."""
        return (self.picture.key, *self.others)


def finer(values: NDArray[np.float32], smooth: bool, side: int = SMOOTH_SIDE) -> NDArray[np.float32]:
    """Return a map interpolated between its units' centres, to about `side` values, if it is to be `smooth`."""
    if not (smooth and np.isfinite(values).all()):
        return values
    factor = max(1, side // max(values.shape))
    return resample(values, values.shape[0] * factor, values.shape[1] * factor) if factor > 1 else values


def position_text(node: str, unit: Unit, placement: Placement | None, *said: str) -> str:
    """Return the read-out of a position: the node, the unit, what is said about it, and where it is."""
    where = () if placement is None else (point_text(*placement.centre(*unit)),)
    return " · ".join((node, f"unit (y {unit[0]}, x {unit[1]})", *said, *where))


def unread_text(skipped: Sized) -> list[str]:
    """Say how many pictures could not be read; an empty list if all could."""
    return [f"{pluralize(len(skipped), 'picture')} could not be read"] if skipped else []


class SideArea(QScrollArea):
    """An area in which the content of a page's side scrolls up and down, but is never cut off at its sides."""

    def __init__(self, content: QWidget, name: str) -> None:
        super().__init__()
        self._content = content
        self.setAccessibleName(name)
        self.setAccessibleDescription("The arrow keys scroll")
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWidget(content)

    def minimumSizeHint(self) -> QSize:
        """Return the width of the content beside the scroll bar."""
        bar_px = self.verticalScrollBar().sizeHint().width()
        return QSize(self._content.minimumSizeHint().width() + bar_px, super().minimumSizeHint().height())


class Page(QObject):
    """One of the pages of the panel.

    Attributes
    ----------
    name, title, tip
        The value, the word and the tooltip of its button.
    controls
        What stands in the panel's row of controls while the page is shown.
    side
        What stands beside the large view.
    """

    changed = Signal()  # What is shown has changed.
    asked = Signal()  # Another question is to be asked.
    read_out = Signal(str)

    name: ClassVar[str]
    title: ClassVar[str]
    tip: ClassVar[str]

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.state = state
        self.bridge = bridge
        self.look = OverlayLook()
        self.controls: list[QWidget] = []
        self.side = QWidget()

    def question(self, subject: SimilaritySubject) -> Request | str:
        """Return the request whose answer the page shows, or a sentence that says why there is none."""
        raise NotImplementedError

    def take(self, payload: Payload, subject: SimilaritySubject) -> None:
        """Take an answer, complete or partial."""
        raise NotImplementedError

    def recall(self, _question: Request) -> Payload | None:
        """Return an answer that is at hand, or None."""
        return None

    def forget(self) -> None:
        """Forget everything that was computed."""

    def shown(self) -> PageScene | None:
        """Return what is shown over the large picture; None until there is something."""
        raise NotImplementedError

    def overlay(self, key: str) -> GalleryOverlay | None:
        """Return what lies over a small picture."""
        raise NotImplementedError

    def show_small(self, _keys: tuple[str, ...]) -> None:
        """Ask for what is missing of the small pictures that are in view."""

    def placement(self) -> tuple[Placement, tuple[int, int]] | None:
        """Return where the positions are in the large picture, and the numbers of rows and columns."""
        raise NotImplementedError

    def caption(self) -> str:
        """Describe what is shown, with its numbers."""
        raise NotImplementedError

    def point_at(self, unit: Unit | None) -> str:
        """Show what belongs to the position under the pointer, and return its read-out."""
        raise NotImplementedError

    def choose(self, unit: Unit) -> None:
        """Choose a position, which was clicked."""

    def select_unit(self, node: str, y: int, x: int) -> None:
        """Select a unit in all panels, if the node is the one that is selected there."""
        if node == self.state.node:
            self.state.set_unit(y, x)

    def set_look(self, look: OverlayLook) -> None:
        """Lay the maps over the pictures in another way."""
        if look != self.look:
            self.look = look
            self.changed.emit()

    @property
    def is_settled(self) -> bool:
        """Whether nothing is pending beside the page's question."""
        return True
