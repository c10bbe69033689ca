"""The likeness of all positions to one: live under the pointer, kept by a click, and the difference of two."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout

from convnext_studio.common.caches import ByteCache
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
    resample,
    seen_map,
    veil,
)
from convnext_studio.ui.panels.base import choice, plain_label
from convnext_studio.ui.panels.similarity.patch_list import PatchList
from convnext_studio.ui.panels.similarity.similarity_page import Page, PageScene, SimilaritySubject, Unit
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.map_texts import Placement, numbers_of, point_text
from convnext_studio.ui.plots.picture_gallery import GalleryOverlay
from convnext_studio.ui.plots.scene import Bitmap, Layer, Mark
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets.choices import Switch

Map = NDArray[np.float32]
NAMES = ("A", "B")
COLOURS = ("#ffd640", "#5ee0ff")
_PANEL = "similarity_patches"
_KEPT_BYTES = 256 << 20
_SMOOTH_SIDE = 112
"""Finer interpolation would not be painted within one frame of the screen."""


@dataclass(frozen=True, slots=True)
class Point:
    """A position of a picture."""

    image: str
    unit: Unit


class LikenessPage(Page):
    """The page with the likeness to a position."""

    name, title = "likeness", "Likeness"
    tip = "Point at a position to see what is like it; click to keep it"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._subject: SimilaritySubject | None = None
        self._vectors: dict[str, PlacedMaps] = {}
        self._node = ""
        self._left_out: tuple[str, ...] = ()
        self._skipped: tuple[str, ...] = ()
        self._prepared: ByteCache[Map] = ByteCache(_KEPT_BYTES, lambda maps: maps.nbytes)
        self._centres: dict[str, NDArray[np.float32]] = {}
        self._pointed: Unit | None = None
        self._is_for_all = True
        self._maps: dict[str, Map] = {}
        self.kept: list[Point] = []
        self._search = Query(bridge, self._take_patches, self._say_failure, self._advance, parent=self)
        self._make_controls()
        self._make_side()
        for changed in (state.opened.changed, state.framing_changed):
            changed.connect(self._forget_closed)

    # ------------------------------------------------------------------------------------------- the parts

    def _make_controls(self) -> None:
        self.measure_box = choice(
            "Measure",
            "\n".join(f"{MEASURE_TITLES[each]}: {MEASURE_TEXTS[each]}" for each in MEASURES),
            ((MEASURE_TITLES[each], each) for each in MEASURES),
        )
        self.view = Switch(
            "Kept positions",
            (
                ("Like A", 0, "The likeness to the first kept position, while the pointer is elsewhere"),
                ("Like B", 1, "The likeness to the second kept position, while the pointer is elsewhere"),
                ("Difference", 2, "The likeness to A minus that to B, while the pointer is elsewhere"),
            ),
        )
        self.release = QPushButton("Release")
        self.release.setToolTip("Forget the kept positions")
        self.controls = [self.measure_box, self.view, self.release]
        self.measure_box.currentIndexChanged.connect(lambda _index: self._measure_chosen())
        self.view.changed.connect(self._compare_all)
        self.release.clicked.connect(self._release)

    def _make_side(self) -> None:
        self.words = plain_label("muted")
        self.progress_words = QLabel()
        self.progress_words.setProperty("muted", True)
        self.patches = PatchList("Most alike positions", self.state)
        self.patches.patch_chosen.connect(self._show_patch)
        head = QLabel("Most alike in other pictures")
        head.setProperty("heading", True)
        head.setWordWrap(True)
        layout = QVBoxLayout(self.side)
        layout.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        row.addWidget(head, 1)
        row.addWidget(self.progress_words)
        layout.addLayout(row)
        layout.addWidget(self.patches, 1)
        layout.addWidget(self.words)
        self.show_controls()

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
        if subject.node.name != self._node:
            self.forget()
            self._node = subject.node.name
        self._subject = subject
        return PositionVectors(images=subject.current_first, node=subject.node.name)

    def recall(self, question: Request) -> Payload | None:
        """Return an answer without vectors if all of them are here already."""
        if not isinstance(question, PositionVectors) or question.node != self._node:
            return None
        known = {*self._vectors, *self._left_out, *self._skipped}
        if question.images[0] not in self._vectors or not known >= {*question.images}:
            return None
        field = next(iter(self._fields.values()))
        return PositionVectorsResult(
            node=self._node, vectors=(), field=field, left_out=self._left_out, skipped=self._skipped
        )

    def take(self, payload: Payload, subject: SimilaritySubject) -> None:
        """Add the vectors of more pictures."""
        if not isinstance(payload, PositionVectorsResult) or payload.node != self._node:
            return
        self._subject = subject
        self._fields = {payload.node: payload.field}
        for placed in payload.vectors:
            self._vectors[placed.image] = placed
        if not payload.vectors:
            self._left_out, self._skipped = payload.left_out, payload.skipped
        self._compare_all()
        self._find_patches()

    def forget(self) -> None:
        """Forget all vectors and the kept positions, which belong to one node."""
        self._search.drop()
        self._vectors, self._centres, self._maps = {}, {}, {}
        self._fields = {}
        self._left_out = self._skipped = ()
        self._prepared.clear()
        self._pointed = None
        self.kept = []
        self.patches.clear()
        self.show_controls()

    def _forget_closed(self, _changed: object = None) -> None:
        """Forget the vectors and positions of closed pictures, and of other framings."""
        open_keys = {picture.key for picture in self.state.opened.images}
        self._vectors = {key: placed for key, placed in self._vectors.items() if key in open_keys}
        self.kept = [point for point in self.kept if point.image in open_keys]
        self._prepared.forget_where(lambda key, _maps: isinstance(key, tuple) and key[0] not in open_keys)
        self.show_controls()

    # ---------------------------------------------------------------------------------------- comparing

    def _directions(self, key: str, centre_key: str) -> Map:
        """Return the prepared vectors (C, n) of a picture."""
        measure = self.measure
        kept_as = (key, measure, centre_key if measure == "centred" else "")
        found = self._prepared.get(kept_as)
        if found is None:
            if centre_key not in self._centres:
                self._centres[centre_key] = centre_of(self._vectors[centre_key].maps)
            found = directions(self._vectors[key].maps, measure, self._centres[centre_key])
            self._prepared.put(kept_as, found)
        return found

    def _likeness(self, key: str, point: Point) -> Map:
        """Return the likeness map (h, w) of a picture to a position."""
        own = self._directions(point.image, point.image)
        shape = self._vectors[key].maps.shape[1:]
        width = self._vectors[point.image].maps.shape[2]
        one = own[:, point.unit[0] * width + point.unit[1]]
        return likeness(self._directions(key, point.image), one).reshape(shape)

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
        placed = self._vectors[subject.picture.key]
        height, width = placed.maps.shape[1:]
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
        where = "" if placement is None else point_text(*placement[0].centre(*unit))
        return " · ".join(
            (f"{self._node} · unit (y {unit[0]}, x {unit[1]})", *said, *([where] if where else []))
        )

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
        if self._node == self.state.node:
            self.state.set_unit(*unit)
        self.show_controls()
        self._compare_all()
        self._find_patches()

    def _release(self) -> None:
        self.kept = []
        self.show_controls()
        self._compare_all()
        self._find_patches()

    # ------------------------------------------------------------------------------------------ patches

    def _find_patches(self) -> None:
        """Ask for the positions of other pictures that are most like the one that was kept last."""
        subject = self._subject
        if subject is None or subject.picture.key not in self._vectors:
            return
        point = self.kept[-1] if self.kept else self._first(subject)
        others = tuple(key for key in subject.images if key != point.image)
        if not others:
            self.patches.clear()
            self.words.setText("Open more pictures to search them for positions that are like this one.")
            return
        self._search.ask(
            MostAlike(
                panel=_PANEL,
                image=point.image,
                node=self._node,
                y=point.unit[0],
                x=point.unit[1],
                images=others,
                measure=self.measure,
            ),
            of=subject.model,
        )

    def _advance(self, progress: Progress) -> None:
        self.progress_words.setText(f"{progress.done} of {progress.total} pictures")
        if isinstance(progress.partial, MostAlikeResult):
            self._show_patches(progress.partial)

    def _take_patches(self, payload: Payload) -> None:
        self.progress_words.setText("")
        if isinstance(payload, MostAlikeResult):
            self._show_patches(payload)

    def _show_patches(self, result: MostAlikeResult) -> None:
        self.patches.show_patches(result.patches)
        of = "the position" if not self.kept else NAMES[len(self.kept) - 1]
        self.words.setText(
            f"{MEASURE_TITLES[result.measure]} with {of} (y {result.y}, x {result.x}), best first, "
            f"in {pluralize(result.seen, 'picture')}"
        )

    def _say_failure(self, reason: str) -> None:
        self.progress_words.setText("")
        self.words.setText(reason)

    def _show_patch(self, patch: Patch) -> None:
        self.state.opened.select(patch.image)
        if self._node == self.state.node:
            self.state.set_unit(patch.y, patch.x)

    @property
    def is_settled(self) -> bool:
        """Whether the search for patches is over."""
        return not self._search.is_running

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
        fine, box = seen_map(values, placement[0].field, placement[0].crop)
        if self.look.smooth and np.isfinite(fine).all():
            factor = max(1, _SMOOTH_SIDE // max(fine.shape))
            fine = resample(fine, fine.shape[0] * factor, fine.shape[1] * factor)
        layer = Layer(
            Bitmap(veil(fine, limits, colormap, zero=zero)),
            box,
            self.look.opacity,
            self.look.smooth,
            numbers=numbers_of(seen_map(values, placement[0].field, placement[0].crop)[0]),
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
        placed = self._vectors[key]
        seen, box = seen_map(values, self._fields[self._node], placed.geometry)
        colours = veil(seen, limits, colormap, zero=zero)
        return GalleryOverlay(colours, box, placed.geometry.picture_size, self.look.opacity, self.look.smooth)

    def placement(self) -> tuple[Placement, Unit] | None:
        """Return where the positions are."""
        subject = self._subject
        placed = None if subject is None else self._vectors.get(subject.picture.key)
        if placed is None or self._node not in self._fields:
            return None
        height, width = placed.maps.shape[1:]
        return Placement(self._fields[self._node], placed.geometry), (height, width)

    def caption(self) -> str:
        """Say what is compared with what."""
        subject = self._subject
        if subject is None or subject.picture.key not in self._vectors:
            return ""
        said = [f"{self._node}: {MEASURE_TITLES[self.measure].lower()} of {subject.node.shape[0]} channels"]
        if len(self.kept) == 2:
            first, second = self.kept
            if first.image in self._vectors and second.image in self._vectors:
                value = float(self._likeness(second.image, first)[second.unit])
                said.append(f"A and B: {likeness_text(value, self.measure)}")
        if not self.kept:
            said.append("point at the picture to compare, click to keep")
        elif len(self.kept) == 1:
            said.append("click a second position to see the difference")
        compared = len(self._vectors)
        said.append(f"{pluralize(compared, 'picture')} compared live")
        if self._left_out:
            said.append(f"{pluralize(len(self._left_out), 'picture')} more only in the list, to save memory")
        if self._skipped:
            said.append(f"{pluralize(len(self._skipped), 'picture')} could not be read")
        return " · ".join(said)
