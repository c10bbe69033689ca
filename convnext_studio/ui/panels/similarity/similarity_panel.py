"""The panel "Similarity": what the positions of a node's map have in common, on one picture and on all."""

from dataclasses import replace
from typing import cast

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.similarity import Parts, PictureParts
from convnext_studio.ui.panels.base import (
    Panel,
    PanelQuery,
    QueryProgressBar,
    opacity_slider,
    resolution_switch,
)
from convnext_studio.ui.panels.pictures.pictures_model import short_name
from convnext_studio.ui.panels.similarity.components_page import ComponentsPage
from convnext_studio.ui.panels.similarity.likeness_page import LikenessPage
from convnext_studio.ui.panels.similarity.norms_page import NormsPage
from convnext_studio.ui.panels.similarity.parts_page import PartsPage
from convnext_studio.ui.panels.similarity.similarity_page import OverlayLook, Page, SimilaritySubject, Unit
from convnext_studio.ui.plots.linked_zoom import LinkedCrosshair, LinkedZoom
from convnext_studio.ui.plots.map_texts import Placement, picture_layer
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.picture_gallery import PictureGallery
from convnext_studio.ui.plots.scene import Layer, Scene
from convnext_studio.ui.state.app_state import NO_MODEL, NOTHING_OPEN, AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.thumbnail_loader import ThumbnailLoader
from convnext_studio.ui.widgets.choices import Switch
from convnext_studio.ui.widgets.popup import PopupButton

_WAIT_MS = 60
_OPACITY_PERCENT = 80
_STEPS = {Qt.Key.Key_Left: (0, -1), Qt.Key.Key_Right: (0, 1), Qt.Key.Key_Up: (-1, 0), Qt.Key.Key_Down: (1, 0)}


class SimilarityPanel(Panel):
    """A panel with four pages about the positions of the selected node, and a row of all pictures below."""

    title = "Similarity"
    labels_save_asked = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._subject: SimilaritySubject | None = None
        self._picture: ImageInfo | None = None
        self._below: Layer | None = None
        self._pointed: Unit | None = None
        self.components = ComponentsPage(state, bridge, self)
        self.likeness = LikenessPage(state, bridge, self)
        self.parts = PartsPage(state, bridge, self)
        self.norms = NormsPage(state, bridge, self)
        self.pages: tuple[Page, ...] = (self.components, self.likeness, self.parts, self.norms)
        self._make_controls()
        self.map = MapView("Similarity")
        self.gallery = PictureGallery("All open pictures")
        self.thumbnails = ThumbnailLoader(state, bridge, parent=self)
        self.thumbnails.setObjectName("similarity_thumbnails")
        self.query = PanelQuery(
            self,
            self.question,
            self._show,
            self._dim,
            recall=self._recall,
            wait_ms=_WAIT_MS,
            waiting="Comparing positions …",
        )
        self.progress = QueryProgressBar(self.query, "Similarity")
        self.set_body(self._body())
        self._connect()
        self._show_page()

    # ------------------------------------------------------------------------------------------- the parts

    def _make_controls(self) -> None:
        self.switch = Switch("Page", tuple((page.title, page.name, page.tip) for page in self.pages))
        self.controls.add(self.switch, kept=True)
        for page in self.pages:
            for control in page.controls:
                self.controls.add(control)
        self.resolution = resolution_switch()
        self.opacity = opacity_slider()
        self.opacity.setValue(_OPACITY_PERCENT)
        self.opacity.setToolTip("Opacity of the colours over the pictures")
        self.more = PopupButton("Look…", "Resolution and opacity")
        self.more.setAccessibleName("Appearance of the maps")
        self.more.add_row("Resolution", self.resolution)
        self.more.add_row("Opacity", self.opacity)
        self.controls.add(self.more)

    def _body(self) -> QWidget:
        self.sides = QStackedWidget()
        for page in self.pages:
            self.sides.addWidget(page.side)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self.map)
        self.splitter.addWidget(self.sides)
        self.splitter.setStretchFactor(0, 7)
        self.splitter.setStretchFactor(1, 3)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setSizes([700, 300])
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.gallery)
        layout.addWidget(self.progress)
        return body

    def _connect(self) -> None:
        state = self.state
        state.model_loaded.connect(self._forget)
        for changed in (
            state.picture_selected,
            state.framing_changed,
            state.node_selected,
            state.opened.changed,
        ):
            changed.connect(self._await)
        for page in self.pages:
            page.changed.connect(lambda page=page: self._paint() if page is self.page else None)
            page.asked.connect(lambda page=page: self._await() if page is self.page else None)
            page.read_out.connect(state.hovered)
        self.switch.changed.connect(self._show_page)
        self.resolution.changed.connect(self._follow_look)
        self.opacity.valueChanged.connect(self._follow_look)
        self.gallery.chosen.connect(state.opened.select)
        self.gallery.scrolled.connect(self._paint_small)
        self.thumbnails.arrived.connect(self._show_thumbnail)
        self.parts.save_asked.connect(self.labels_save_asked)
        view = self.map.view
        view.hovered.connect(self._hover)
        view.hover_left.connect(self._leave)
        view.clicked.connect(self._click)
        view.brushed.connect(self.components.brush)
        view.brush_lifted.connect(self.components.lift_brush)
        view.installEventFilter(self)
        LinkedCrosshair(state, view)
        LinkedZoom(state, view)

    @property
    def page(self) -> Page:
        """The page that is shown."""
        return next(page for page in self.pages if page.name == self.switch.value)

    @property
    def labelled(self) -> tuple[Parts, PictureParts] | None:
        """The parts with the labels of the selected picture, for a file; None if there are none."""
        return self.parts.labelled

    # ------------------------------------------------------------------------------------------ the engine

    def question(self) -> Request | str:
        """Return the request of the page that is shown, or why there is none."""
        subject = self._current()
        if isinstance(subject, str):
            return subject
        self._subject = subject
        return self.page.question(subject)

    def _current(self) -> SimilaritySubject | str:
        """Return what the panel is about now, or why there is nothing."""
        state = self.state
        if state.picture is None:
            return NOTHING_OPEN
        if state.model is None:
            return NO_MODEL
        node = state.model.node(state.node)
        if not node.has_positions:
            return f"{node.title} has no positions to compare. Select a stage, a block or an operation."
        images = tuple(picture.key for picture in state.opened.images)
        return SimilaritySubject(model=state.model, picture=state.picture, images=images, node=node)

    def _recall(self, question: Request) -> Payload | None:
        return self.page.recall(question) if self.isVisible() else None

    def _await(self, _changed: object = None) -> None:
        """Ask soon; what only needs another picture of an answer is shown at once."""
        if self.isVisible():
            self._fill_gallery()
        self.query.schedule()
        subject = self._current()
        if self.page is self.parts and isinstance(subject, SimilaritySubject) and self.query.is_current:
            self.parts.show_subject(subject)

    def _fill_gallery(self) -> None:
        self.gallery.show_pictures([(picture.key, short_name(picture)) for picture in self.state.opened.images])
        if self.state.picture is not None:
            self.gallery.select(self.state.picture.key)
        self._paint_small()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with the pictures that were opened while the panel was hidden."""
        self._fill_gallery()
        super().showEvent(event)

    def _show(self, payload: Payload) -> None:
        if self._subject is not None:
            self.page.take(payload, self._subject)

    def _forget(self, _model: object) -> None:
        for page in self.pages:
            page.forget()
        self._pointed = None
        self.map.view.set_highlight(None)
        self.query.refresh()

    def _dim(self, dimmed: bool) -> None:
        self.map.view.set_dimmed(dimmed)

    @property
    def is_settled(self) -> bool:
        """Whether everything is shown."""
        if not self.isVisible():
            return True
        return super().is_settled and self.page.is_settled

    # --------------------------------------------------------------------------------------------- display

    def _show_page(self) -> None:
        page = self.page
        for each in self.pages:
            for control in each.controls:
                control.setVisible(each is page)
        self.sides.setCurrentWidget(page.side)
        if page is self.components:
            self.components.show_controls()
        elif page is self.likeness:
            self.likeness.show_controls()
        self._pointed = None
        self.query.drop()
        self._await()
        self.query.refresh()
        self._paint()

    def _follow_look(self) -> None:
        look = OverlayLook(smooth=bool(self.resolution.value), opacity=self.opacity.value() / 100)
        for page in self.pages:
            page.set_look(look)

    def _paint(self) -> None:
        """Show what the page has to show, on the large picture and on the small ones."""
        page, picture = self.page, self.state.picture
        self.map.view.set_brush(page is self.components and self.components.is_marking)
        shown = page.shown()
        if picture is None or shown is None:
            return
        if picture is not self._picture or self._below is None:
            self._picture, self._below = picture, picture_layer(picture)
        self.map.view.set_scene(
            Scene(
                size=picture.size,
                layers=(self._below, *shown.layers),
                lines=shown.lines,
                marks=shown.marks,
            )
        )
        self.map.bar.set_scale(shown.scale)
        self._paint_small()
        self.set_caption(page.caption())
        self.map.set_contents(replace(self.contents(f"{picture.name} {page.name}"), values=shown.values))

    def _paint_small(self) -> None:
        """Show the small pictures that are in view, with what the page has to show over them."""
        keys = self.gallery.shown_keys
        self.page.show_small(keys)
        for key in keys:
            self.gallery.set_overlay(key, self.page.overlay(key))
            if not self.gallery.has_picture(key) and (pixels := self.thumbnails.get(key)) is not None:
                self.gallery.set_picture(key, pixels)

    def _show_thumbnail(self, key: str) -> None:
        pixels = self.thumbnails.get(key)
        if pixels is not None:
            self.gallery.set_picture(key, pixels)

    # -------------------------------------------------------------------------------------------- pointing

    def _unit_at(self, x: float, y: float) -> Unit | None:
        placed = self.page.placement()
        unit = None if placed is None else placed[0].unit_at(x, y, *placed[1])
        if placed is None or unit is None:
            return None
        rows, columns = _seen(placed)
        return unit if unit[0] in rows and unit[1] in columns else None

    def _hover(self, x: float, y: float) -> None:
        self._point(self._unit_at(x, y))

    def _leave(self) -> None:
        self._point(None)

    def _point(self, unit: Unit | None) -> None:
        self._pointed = unit
        placed = self.page.placement()
        box = None if unit is None or placed is None else placed[0].unit_box(*unit)
        self.map.view.set_highlight(box)
        self.state.hovered.emit(self.page.point_at(unit))

    def _click(self, x: float, y: float) -> None:
        unit = self._unit_at(x, y)
        if unit is not None:
            self.page.choose(unit)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Move from position to position with the arrow keys, and choose one with Enter or Space."""
        if watched is self.map.view and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            return self._press(event)
        return super().eventFilter(watched, event)

    def _press(self, event: QKeyEvent) -> bool:
        placed = self.page.placement()
        if placed is None or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            return False
        (rows, columns), unit = _seen(placed), self._pointed
        step = _STEPS.get(cast("Qt.Key", event.key()))
        if step is not None:
            y, x = rows[len(rows) // 2], columns[len(columns) // 2]
            if unit is not None:
                y, x = unit[0] + step[0], unit[1] + step[1]
            self._point((min(max(y, rows[0]), rows[-1]), min(max(x, columns[0]), columns[-1])))
            return True
        if unit is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            if self.page is self.components and self.components.is_marking:
                self.components.brush(*placed[0].centre(*unit), True)
                self.components.lift_brush()
            else:
                self.page.choose(unit)
            return True
        return False


def _seen(placed: tuple[Placement, Unit]) -> tuple[range, range]:
    """Return the rows and columns of the positions that are not in the padding."""
    placement, shape = placed
    rows, columns = placement.crop.seen_units(placement.field, *shape)
    return range(rows.start, rows.stop), range(columns.start, columns.stop)
