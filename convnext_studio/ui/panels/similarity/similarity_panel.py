"""The panel "Similarity": what the positions of a node's map have in common, on one picture and on all."""

from msgspec.structs import replace
from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from convnext_studio.protocol.envelope import Network, Payload, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.similarity import Parts, PictureParts
from convnext_studio.ui.panels.base import Panel, opacity_slider, resolution_switch
from convnext_studio.ui.panels.interventions.photographs import Photographs
from convnext_studio.ui.panels.panel_query import PanelQuery, QueryProgressBar
from convnext_studio.ui.panels.pictures.pictures_model import short_name
from convnext_studio.ui.panels.similarity.components_page import ComponentsPage
from convnext_studio.ui.panels.similarity.likeness_page import LikenessPage
from convnext_studio.ui.panels.similarity.norms_page import NormsPage
from convnext_studio.ui.panels.similarity.parts_page import PartsPage
from convnext_studio.ui.panels.similarity.similarity_page import (
    OverlayLook,
    Page,
    PositionPointer,
    SimilaritySubject,
    Unit,
    subject_of,
)
from convnext_studio.ui.plots.linked_zoom import LinkedCrosshair, LinkedZoom
from convnext_studio.ui.plots.map_texts import picture_layer
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.picture_gallery import PictureGallery
from convnext_studio.ui.plots.scene import Layer, Scene
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.python_text import PythonLines
from convnext_studio.ui.state.thumbnail_loader import ThumbnailLoader
from convnext_studio.ui.widgets.choices import Switch
from convnext_studio.ui.widgets.popup import PopupButton

_WAIT_MS = 60
_OPACITY_PERCENT = 80


class SimilarityPanel(Panel):
    """A panel with four pages about the positions of the selected node, and a row of all pictures below."""

    title = "Similarity"
    labels_save_asked = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        self._subject: SimilaritySubject | None = None
        super().__init__(state, bridge, parent)
        self._photographs = Photographs(state)
        self._picture: ImageInfo | None = None
        self._below: Layer | None = None
        self._shown_of: tuple[Network, ModelInfo | None] = ("A", None)
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
        state.second.shown_changed.connect(self._follow_second)
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
        self._pointer = PositionPointer(
            view, lambda: self.page.placement(), lambda unit: self.page.point_at(unit), self._choose
        )
        self._pointer.read_out.connect(state.hovered)
        view.brushed.connect(self.components.brush)
        view.brush_lifted.connect(self.components.lift_brush)
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
        subject = subject_of(self.state, self._network)
        if isinstance(subject, str):
            return subject
        self._subject = subject
        self._turn_to(subject)
        question = self.page.question(subject)
        return replace(question, network=subject.network) if isinstance(question, Request) else question

    @property
    def _network(self) -> Network:
        """The network whose positions are compared; components and parts of two have nothing in common."""
        return "B" if self.state.second.shown == "second" else "A"

    @property
    def network_title(self) -> str:
        """The title of the network whose positions are compared."""
        return super().network_title if self._subject is None else self._subject.model.title

    @property
    def is_of_random_weights(self) -> bool:
        """Whether that network has random weights."""
        return self._subject is not None and self._subject.model.random_weights

    @property
    def is_of_changes(self) -> bool:
        """Whether that network has changes."""
        return self._network == "B" and self.state.second.is_changed_first

    def _turn_to(self, subject: SimilaritySubject) -> None:
        """Have all pages ask the network that is shown."""
        for page in self.pages:
            page.model, page.network = subject.model, subject.network
        self._show_badge()

    def _follow_second(self) -> None:
        """Show the other network, if another one is to be shown."""
        if self._network_shown != self._shown_of:
            self.gallery.forget_pictures()
            self._forget(None)

    @property
    def _network_shown(self) -> tuple[Network, ModelInfo | None]:
        return self._network, self.state.second.model if self._network == "B" else None

    def _recall(self, question: Request) -> Payload | None:
        return self.page.recall(question) if self.isVisible() else None

    def _await(self, _changed: object = None) -> None:
        """Ask soon; what only needs another picture of an answer is shown at once."""
        if self.isVisible():
            self._fill_gallery()
        self.query.schedule()
        subject = subject_of(self.state, self._network)
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
        self._shown_of = self._network_shown
        for page in self.pages:
            page.forget()
        self._pointer.leave()
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
        self._pointer.leave()
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
        below = self._photographs.shown(picture)
        if below is not self._picture or self._below is None:
            self._picture, self._below = below, picture_layer(below)
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
        choice = self.state.second.choice
        which = choice.second if self._network == "B" else choice.first
        notes = () if self._subject is None else self._subject.notes
        said = " · ".join((page.caption(), *notes))
        self.set_caption(said if self.state.second.model is None else f"{which}: {said}")
        self.map.set_contents(self.contents(f"{picture.name} {page.name}", shown.values, self.python))

    @property
    def python(self) -> PythonLines | None:
        """The lines of Python that give what the page shows of the large picture."""
        picture = self.state.picture
        found = self.page.python(picture.key) if picture is not None and self.query.is_current else None
        return None if found is None else replace(found, network=self._network)

    def _paint_small(self) -> None:
        """Show the small pictures that are in view, with what the page has to show over them."""
        keys = self.gallery.shown_keys
        self.page.show_small(keys)
        for key in keys:
            self.gallery.set_overlay(key, self.page.overlay(key))
            if not self.gallery.has_picture(key):
                self._show_thumbnail(key)

    def _show_thumbnail(self, key: str) -> None:
        pixels, overlay = self.thumbnails.get(key), self.page.overlay(key)
        if pixels is not None:
            width = 0 if overlay is None else overlay.size[0]
            shown = self._photographs.small_if_known(key, pixels, width)
            if shown is not None:
                self.gallery.set_picture(key, shown)

    def _choose(self, unit: Unit, with_key: bool) -> None:
        """Choose a position, or mark it while the foreground is brushed, for which the mouse needs no click."""
        placed = self.page.placement()
        if with_key and placed is not None and self.page is self.components and self.components.is_marking:
            self.components.brush(*placed[0].centre(*unit), True)
            self.components.lift_brush()
        else:
            self.page.choose(unit)
