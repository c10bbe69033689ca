"""The likeness of all positions to one: live under the pointer, kept by a click, and the difference of two."""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from convnext_studio.common.caches import ByteCache, kept_bytes
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.common.likeness import (
    MEASURE_TEXTS,
    MEASURE_TITLES,
    MEASURES,
    Measure,
    centre_of,
    directions,
    likeness,
    likeness_text,
)
from convnext_studio.protocol.channels import Patch
from convnext_studio.protocol.envelope import Payload, Progress, Request
from convnext_studio.protocol.similarity import (
    MostAlike,
    MostAlikeResult,
    PlacedMaps,
    PositionVectors,
    PositionVectorsResult,
)
from convnext_studio.render import (
    OVER_PICTURE,
    SIGNED_OVER_PICTURE,
    Clipping,
    Limits,
    likeness_limits,
    limits_of,
    pluralize,
    seen_map,
    veil,
)
from convnext_studio.ui.panels.base import choice, plain_label
from convnext_studio.ui.panels.patch_list import PatchList
from convnext_studio.ui.panels.similarity.similarity_page import (
    Page,
    PageScene,
    SimilaritySubject,
    Unit,
    finer,
    position_text,
    unread_text,
)
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.map_texts import Placement, numbers_of
from convnext_studio.ui.plots.picture_gallery import GalleryOverlay
from convnext_studio.ui.plots.scene import Bitmap, Layer, Mark
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.cache_sizes import CacheSizes
from convnext_studio.ui.state.python_text import PythonLines, likeness_lines
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets.choices import Switch
from convnext_studio.ui.widgets.elided_label import PlainLabel

Map = NDArray[np.float32]
NAMES = ("P", "Q")  # A and B are networks.
COLOURS = ("#ffd640", "#5ee0ff")
_PANEL = "similarity_patches"
_KEPT_BYTES = 256 << 20
_LIVE_SIDE = 112
"""Finer interpolation would not be painted within one frame of the screen."""


class Point(Struct, frozen=True):
    """A position of a picture."""

    image: str
    unit: Unit


class PictureVectors:
    """The vectors at all positions of a node's map in many pictures, kept as comparisons need them.

    Attributes
    ----------
    node
        The name of the node.
    left_out, skipped
        The pictures that are left out to save memory, and those that could not be read.
    """

    def __init__(self, sizes: CacheSizes) -> None:
        self.node = ""
        self.left_out: tuple[str, ...] = ()
        self.skipped: tuple[str, ...] = ()
        self._vectors: dict[str, PlacedMaps] = {}
        self._field: FieldGeometry | None = None
        self._prepared: ByteCache[Map] = ByteCache(_KEPT_BYTES, kept_bytes)
        sizes.add(self._prepared)
        self._centres: dict[str, NDArray[np.float32]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._vectors

    def __len__(self) -> int:
        return len(self._vectors)

    def recall(self, question: Request) -> PositionVectorsResult | None:
        """Return an answer without vectors if all of them are here already."""
        if not isinstance(question, PositionVectors) or question.node != self.node or self._field is None:
            return None
        known = {*self._vectors, *self.left_out, *self.skipped}
        if question.images[0] not in self._vectors or not known >= {*question.images}:
            return None
        return PositionVectorsResult(
            node=self.node, vectors=(), field=self._field, left_out=self.left_out, skipped=self.skipped
        )

    def take(self, payload: PositionVectorsResult) -> None:
        """Add the vectors of more pictures."""
        self._field = payload.field
        for placed in payload.vectors:
            self._vectors[placed.image] = placed
        if not payload.vectors:
            self.left_out, self.skipped = payload.left_out, payload.skipped

    def forget(self) -> None:
        """Forget all vectors."""
        self._vectors, self._centres, self._field = {}, {}, None
        self.left_out = self.skipped = ()
        self._prepared.clear()

    def forget_all_but(self, keys: set[str]) -> None:
        """Forget the vectors of all other pictures than these."""
        self._vectors = {key: placed for key, placed in self._vectors.items() if key in keys}
        self._prepared.forget_where(lambda key, _maps: isinstance(key, tuple) and key[0] not in keys)

    def likeness(self, key: str, point: Point, measure: Measure) -> Map:
        """Return the likeness map (h, w) of a picture to a position."""
        own = self._directions(point.image, point.image, measure)
        shape = self._vectors[key].maps.shape[1:]
        width = self._vectors[point.image].maps.shape[2]
        one = own[:, point.unit[0] * width + point.unit[1]]
        return likeness(self._directions(key, point.image, measure), one).reshape(shape)

    def _directions(self, key: str, centre_key: str, measure: Measure) -> Map:
        """Return the prepared vectors (C, n) of a picture."""
        kept_as = (key, measure, centre_key if measure == "centred" else "")
        found = self._prepared.get(kept_as)
        if found is None:
            if centre_key not in self._centres:
                self._centres[centre_key] = centre_of(self._vectors[centre_key].maps)
            found = directions(self._vectors[key].maps, measure, self._centres[centre_key])
            self._prepared.put(kept_as, found)
        return found

    def placement(self, key: str) -> tuple[Placement, Unit] | None:
        """Return where the positions are in a picture, and the numbers of rows and columns."""
        placed = self._vectors.get(key)
        if placed is None or self._field is None:
            return None
        height, width = placed.maps.shape[1:]
        return Placement(self._field, placed.geometry), (height, width)


class AlikePatches(QWidget):
    """A list of the positions of other pictures that are most like one position.

    Parameters
    ----------
    state, bridge
        The pictures, and what searches them.
    """

    patch_chosen = Signal(object)  # Patch

    def __init__(self, state: AppState, bridge: EngineBridge) -> None:
        super().__init__()
        self._name = ""
        self._search = Query(bridge, self._receive, self._fail, self._advance, parent=self)
        self.list = PatchList("Most alike positions", state)
        self.list.patch_chosen.connect(self.patch_chosen)
        self.words = plain_label("muted")
        self._progress = PlainLabel()
        self._progress.setProperty("muted", True)
        head = PlainLabel("Most alike in other pictures")
        head.setProperty("heading", True)
        head.setWordWrap(True)
        row = QHBoxLayout()
        row.addWidget(head, 1)
        row.addWidget(self._progress)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(row)
        layout.addWidget(self.list, 1)
        layout.addWidget(self.words)

    @property
    def is_settled(self) -> bool:
        """Whether the search is over."""
        return not self._search.is_running

    def search(self, subject: SimilaritySubject, point: Point, measure: Measure, name: str) -> None:
        """Search the other pictures for positions like one, which has a name if it is kept."""
        others = tuple(key for key in subject.images if key != point.image)
        if not others:
            self.forget()
            self.words.setText("Open more pictures to search them for positions that are like this one.")
            return
        self._name = name
        question = MostAlike(
            panel=_PANEL,
            image=point.image,
            node=subject.node.name,
            y=point.unit[0],
            x=point.unit[1],
            images=others,
            measure=measure,
            network=subject.network,
        )
        if not self.list.count():
            self.words.clear()  # They may say that there is nothing to search.
        self._search.ask(question, of=subject.model)

    def forget(self) -> None:
        """Drop the search, and show no patches."""
        self._search.drop()
        self.list.show_patches(())

    def _advance(self, progress: Progress) -> None:
        self._progress.setText(f"{progress.done} of {progress.total} pictures")
        if isinstance(progress.partial, MostAlikeResult):
            self._show(progress.partial)

    def _receive(self, payload: Payload) -> None:
        self._progress.setText("")
        if isinstance(payload, MostAlikeResult):
            self._show(payload)

    def _fail(self, reason: str) -> None:
        self._progress.setText("")
        self.words.setText(reason)

    def _show(self, result: MostAlikeResult) -> None:
        self.list.show_patches(result.patches)
        what = f"{self._name or 'the position'} (y {result.y}, x {result.x})"
        pictures = pluralize(result.seen, "picture")
        self.words.setText(f"{MEASURE_TITLES[result.measure]} with {what}, best first, in {pictures}")


_VIEWS = (
    ("Like P", 0, "The likeness to the first kept position, while the pointer is elsewhere"),
    ("Like Q", 1, "The likeness to the second kept position, while the pointer is elsewhere"),
    ("Difference", 2, "The likeness to P minus that to Q, while the pointer is elsewhere"),
)


class LikenessPage(Page):
    """The page with the likeness to a position."""

    name, title = "likeness", "Likeness"
    tip = "Point at a position to see what is like it; click to keep it"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._subject: SimilaritySubject | None = None
        self._vectors = PictureVectors(state.cache_sizes)
        self._pointed: Unit | None = None
        self._maps: dict[str, Map] = {}
        self.kept: list[Point] = []
        self._make_controls()
        self.patches = AlikePatches(state, bridge)
        self.patches.patch_chosen.connect(self._show_patch)
        self.side = self.patches
        self.show_controls()
        for changed in (state.opened.changed, state.framing_changed):
            changed.connect(self._forget_closed)

    # ------------------------------------------------------------------------------------------- the parts

    def _make_controls(self) -> None:
        self.measure_box = choice(
            "Measure",
            "\n".join(f"{MEASURE_TITLES[each]}: {MEASURE_TEXTS[each]}" for each in MEASURES),
            ((MEASURE_TITLES[each], each) for each in MEASURES),
        )
        self.view = Switch("Kept positions", _VIEWS)
        self.release = QPushButton("Release")
        self.release.setToolTip("Forget the kept positions")
        self.controls = [self.measure_box, self.view, self.release]
        self.measure_box.currentIndexChanged.connect(lambda _index: self._measure_chosen())
        self.view.changed.connect(self._compare_all)
        self.release.clicked.connect(self._release)

    def show_controls(self) -> None:
        """Show the controls that have a meaning now."""
        self.view.setVisible(len(self.kept) > 1)
        self.release.setVisible(bool(self.kept))

    @property
    def measure(self) -> Measure:
        """The chosen measure."""
        chosen: Measure = self.measure_box.currentData()
        return chosen

    # ----------------------------------------------------------------------------------------- the engine

    def question(self, subject: SimilaritySubject) -> Request | str:
        """Return the request for the vectors of all pictures, that of the large one first."""
        if subject.node.name != self._vectors.node:
            self.forget()
            self._vectors.node = subject.node.name
        self._subject = subject
        return PositionVectors(images=subject.current_first, node=subject.node.name)

    def recall(self, question: Request) -> Payload | None:
        """Return an answer without vectors if all of them are here already."""
        return self._vectors.recall(question)

    def take(self, payload: Payload, subject: SimilaritySubject) -> None:
        """Add the vectors of more pictures."""
        if not isinstance(payload, PositionVectorsResult) or payload.node != self._vectors.node:
            return
        self._subject = subject
        self._vectors.take(payload)
        self._compare_all()
        self._find_patches()

    def forget(self) -> None:
        """Forget all vectors and the kept positions, which belong to one node."""
        self._vectors.forget()
        self._maps = {}
        self._pointed = None
        self.kept = []
        self.patches.forget()
        self.show_controls()

    def _forget_closed(self, _changed: object = None) -> None:
        """Forget the vectors and positions of closed pictures, and of other framings."""
        open_keys = {picture.key for picture in self.state.opened.images}
        self._vectors.forget_all_but(open_keys)
        self.kept = [point for point in self.kept if point.image in open_keys]
        self.show_controls()

    # ---------------------------------------------------------------------------------------- comparing

    def _likeness(self, key: str, point: Point) -> Map:
        return self._vectors.likeness(key, point, self.measure)

    def _difference(self, key: str) -> Map:
        first, second = (self._likeness(key, point) for point in self.kept)
        return first - second

    @property
    def points(self) -> tuple[Point, ...]:
        """The positions whose likeness is shown: one, or two for the difference."""
        subject = self._subject
        if subject is None:
            return ()
        if self._pointed is not None:
            return (Point(subject.picture.key, self._pointed),)
        if len(self.kept) > 1:
            shown = self.view.value
            return tuple(self.kept) if shown == 2 else (self.kept[1 if shown == 1 else 0],)
        return (self.kept[0],) if self.kept else (self._first(subject),)

    def _first(self, subject: SimilaritySubject) -> Point:
        """Return the selected unit of this node, or the middle one."""
        placed = self._vectors.placement(subject.picture.key)
        assert placed is not None
        height, width = placed[1]
        unit = self.state.unit if subject.node.name == self.state.node else None
        if unit is None or unit[0] >= height or unit[1] >= width:
            unit = height // 2, width // 2
        return Point(subject.picture.key, unit)

    def _map(self, key: str) -> Map | None:
        """Return what is shown of a picture, computed once for each state of pointer and choices."""
        if key not in self._vectors or self._subject is None:
            return None
        if self._subject.picture.key not in self._vectors:
            return None
        if key not in self._maps:
            points = self.points
            known = all(point.image in self._vectors for point in points)
            if not known:
                return None
            self._maps[key] = self._difference(key) if len(points) == 2 else self._likeness(key, points[0])
        return self._maps[key]

    def _compare_all(self) -> None:
        self._maps = {}
        self.changed.emit()

    def _measure_chosen(self) -> None:
        self._compare_all()
        self._find_patches()

    def point_at(self, unit: Unit | None) -> str:
        """Compare everything with the position under the pointer; None goes back to the kept ones."""
        if unit != self._pointed:
            self._pointed = unit
            self._compare_all()
        subject = self._subject
        if unit is None or subject is None or subject.picture.key not in self._vectors:
            return ""
        said = []
        for name, point in zip(NAMES, self.kept, strict=False):
            if point.image in self._vectors:
                value = float(self._likeness(subject.picture.key, point)[unit])
                said.append(f"{likeness_text(value, self.measure)} with {name}")
        placement = self.placement()
        return position_text(self._vectors.node, unit, None if placement is None else placement[0], *said)

    def choose(self, unit: Unit) -> None:
        """Keep a position, beside the one that was kept last; a click on a kept one releases it."""
        subject = self._subject
        if subject is None:
            return
        point = Point(subject.picture.key, unit)
        if point in self.kept:
            self.kept.remove(point)
        else:
            self.kept = [*self.kept[-1:], point]
            if len(self.kept) == 2:
                self.view.choose(2)
        self.select_unit(self._vectors.node, *unit)
        self.show_controls()
        self._measure_chosen()

    def _release(self) -> None:
        self.kept = []
        self.show_controls()
        self._measure_chosen()

    # ------------------------------------------------------------------------------------------ patches

    def _find_patches(self) -> None:
        """Ask for the positions of other pictures that are most like the one that was kept last."""
        subject = self._subject
        if subject is None or subject.picture.key not in self._vectors:
            return
        point = self.kept[-1] if self.kept else self._first(subject)
        self.patches.search(subject, point, self.measure, NAMES[len(self.kept) - 1] if self.kept else "")

    def _show_patch(self, patch: Patch) -> None:
        self.state.opened.select(patch.image)
        self.select_unit(self._vectors.node, patch.y, patch.x)

    @property
    def is_settled(self) -> bool:
        """Whether the search for patches is over."""
        return self.patches.is_settled

    # -------------------------------------------------------------------------------------------- display

    def _limits(self, values: Map) -> Limits:
        if len(self.points) == 2:
            return limits_of(values, symmetric=True)
        return likeness_limits(values, self.measure)

    def _scale(self) -> tuple[Limits, str, float] | None:
        """Return the limits, the colour map and the transparent value, the same for all pictures."""
        subject = self._subject
        values = None if subject is None else self._map(subject.picture.key)
        if values is None:
            return None
        limits = self._limits(values)
        signed = limits.low < 0
        return limits, SIGNED_OVER_PICTURE if signed else OVER_PICTURE, max(limits.low, 0.0)

    def shown(self) -> PageScene | None:
        """Return the likeness over the large picture, with frames around the kept positions."""
        subject, scale, placement = self._subject, self._scale(), self.placement()
        if subject is None or scale is None or placement is None:
            return None
        values = self._map(subject.picture.key)
        if values is None:
            return None
        limits, colormap, zero = scale
        seen, box = seen_map(values, placement[0].field, placement[0].crop)
        fine = finer(seen, self.look.smooth, _LIVE_SIDE)
        layer = Layer(
            Bitmap(veil(fine, limits, colormap, zero=zero)),
            box,
            self.look.opacity,
            self.look.smooth,
            numbers=numbers_of(seen),
        )
        marks = [
            Mark(placement[0].unit_box(*point.unit), NAMES[index], COLOURS[index])
            for index, point in enumerate(self.kept)
            if point.image == subject.picture.key
        ]
        if not self.kept and self._pointed is None:
            marks.append(Mark(placement[0].unit_box(*self.points[0].unit), "", COLOURS[0]))
        clipping = Clipping.of(values, limits)
        return PageScene(
            layers=(layer,),
            marks=tuple(marks),
            scale=ColorScale(colormap, limits, clipping=clipping, zero=zero),
            values=values,
        )

    def overlay(self, key: str) -> GalleryOverlay | None:
        """Return the likeness over a small picture."""
        scale, values = self._scale(), self._map(key)
        if scale is None or values is None:
            return None
        limits, colormap, zero = scale
        placed = self._vectors.placement(key)
        assert placed is not None
        seen, box = seen_map(values, placed[0].field, placed[0].crop)
        colours = veil(seen, limits, colormap, zero=zero)
        size = placed[0].crop.picture_size
        return GalleryOverlay(colours, box, size, self.look.opacity, self.look.smooth)

    def python(self, image: str) -> PythonLines | None:
        """Return the lines for the likeness that is shown, which follows the pointer."""
        points = [(point.image, *point.unit) for point in self.points if self._map(image) is not None]
        return likeness_lines(points, image, self._vectors.node, self.measure) if points else None

    def placement(self) -> tuple[Placement, Unit] | None:
        """Return where the positions are."""
        subject = self._subject
        return None if subject is None else self._vectors.placement(subject.picture.key)

    def caption(self) -> str:
        """Say what is compared with what."""
        subject = self._subject
        if subject is None or subject.picture.key not in self._vectors:
            return ""
        title, channels = MEASURE_TITLES[self.measure].lower(), subject.node.shape[0]
        said = [f"{self._vectors.node}: {title} of {channels} channels"]
        if len(self.kept) == 2:
            first, second = self.kept
            if first.image in self._vectors and second.image in self._vectors:
                value = float(self._likeness(second.image, first)[second.unit])
                said.append(f"P and Q: {likeness_text(value, self.measure)}")
        if not self.kept:
            said.append("point at the picture to compare, click to keep")
        elif len(self.kept) == 1:
            said.append("click a second position to see the difference")
        compared = len(self._vectors)
        said.append(f"{pluralize(compared, 'picture')} compared live")
        if self._vectors.left_out:
            said.append(
                f"{pluralize(len(self._vectors.left_out), 'picture')} more only in the list, to save memory"
            )
        return " · ".join((*said, *unread_text(self._vectors.skipped)))
