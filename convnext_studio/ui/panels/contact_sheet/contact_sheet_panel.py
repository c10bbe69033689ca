"""The wall of maps: all methods on one picture, one method for many classes, or on all opened pictures."""

from msgspec.structs import replace
from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QListWidgetItem, QPushButton, QSpinBox, QWidget

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.export.export_contents import label_of
from convnext_studio.protocol.attributions import Explanation
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.ui.panels.attribution.attribution_controls import LookControls
from convnext_studio.ui.panels.attribution.attribution_texts import node_text
from convnext_studio.ui.panels.base import Panel, choice
from convnext_studio.ui.panels.contact_sheet.wall_ranking import RANKS, Ranking
from convnext_studio.ui.panels.contact_sheet.wall_subject import (
    WallOf,
    base_question,
    wall,
)
from convnext_studio.ui.panels.contact_sheet.wall_tiles import WallMaps, WallTiles
from convnext_studio.ui.panels.measuring import add_running_controls, measuring_query
from convnext_studio.ui.plots.color_bar import ColorBar
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

_USUAL_CLASSES, _MOST_CLASSES = 12, 60


class ContactSheetPanel(Panel):
    """A panel with a tile for each method, class or picture; a click shows that map large."""

    title = "Wall of maps"
    follows_changes = True
    save_asked = Signal()
    large_asked = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._add_choices()
        self.query = measuring_query(self, self.question, self._show, self._dim)
        self._ranking = Ranking(state, bridge, self)
        self.look = LookControls(self)
        self.save = QPushButton("Save…")
        self.save.setToolTip("Save the wall as one figure: PNG, PDF or SVG")
        self._arrange_controls()
        self.tiles = WallTiles()
        self.bar = ColorBar()
        self.maps = WallMaps(state, bridge, self.tiles, self.bar, self.look, self._ranking)
        self.set_body(self._beside_each_other())
        self.setFocusProxy(self.tiles)
        self._connect()
        self.query.refresh()

    def _add_choices(self) -> None:
        self.of = choice(
            "What is on the wall",
            "All methods on the selected picture; one method for the likeliest classes, or on all pictures",
            [("All pictures", "pictures"), ("All methods", "methods"), ("Likeliest classes", "classes")],
            word="Show",
        )
        if len(self.state.opened.all) < 2:  # A wall of one picture would be one map.
            self.of.setCurrentIndex(self.of.findData("methods"))
        self.count = QSpinBox()
        self.count.setRange(2, _MOST_CLASSES)
        self.count.setValue(_USUAL_CLASSES)
        self.count.setAccessibleName("Number of classes")
        self.count.setToolTip("How many of the likeliest classes are shown")
        self.rank = choice(
            "Order of the methods",
            "Rank the methods by the area under their insertion or deletion curve, or by their agreement with "
            "all others",
            [("As listed", ""), *((text, key) for key, (text, _) in RANKS.items())],
            word="Rank by",
        )

    def _arrange_controls(self) -> None:
        self.controls.add(self.of, kept=True)
        self.controls.add(self.count, word="Classes")
        self.controls.add(self.rank)
        self.controls.add(self.look.resolution, word="Resolution")
        self.controls.add(self.look.part, word="Part")
        self.controls.add(self.look.more)
        add_running_controls(self, self.query)
        self.controls.add(self.save)
        self._show_choices()

    def _connect(self) -> None:
        state = self.state
        self._ranking.scored.connect(self.maps.label_all)
        self._ranking.ranked.connect(self._put_in_order)
        self._ranking.failed.connect(self.set_caption)
        state.opened.changed.connect(self.query.schedule)
        state.framing_changed.connect(self.query.schedule)
        state.picture_selected.connect(self._mark_current)
        state.target_selected.connect(self._mark_current)
        state.attributions.explaining_changed.connect(self._mark_current)
        self.tiles.currentItemChanged.connect(self._tile_chosen)
        self.tiles.itemClicked.connect(self._tile_clicked)
        self.tiles.itemActivated.connect(lambda _item: self.large_asked.emit())
        self.of.currentIndexChanged.connect(self._change_wall)
        self.count.valueChanged.connect(self.query.schedule)
        self.rank.currentIndexChanged.connect(self._rank)
        self.look.changed.connect(self._repaint)
        self.look.opacity.valueChanged.connect(self._repaint)
        self.save.clicked.connect(self.save_asked)
        self.query.asked.connect(self._show_bare)
        self.query.changed.connect(self._follow_query)

    def hideEvent(self, event: QHideEvent) -> None:
        """Pause the ranking, too, while nobody sees it."""
        super().hideEvent(event)
        if not event.spontaneous():
            self._ranking.pause()

    def showEvent(self, event: QShowEvent) -> None:
        """Go on with the ranking."""
        super().showEvent(event)
        self._follow_query()

    def sizeHint(self) -> QSize:
        """Make room for three thumbnails side by side."""
        return QSize(500, 560)

    def _beside_each_other(self) -> QWidget:
        body = QWidget()
        row = QHBoxLayout(body)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.tiles, 1)
        row.addWidget(self.bar)
        return body

    # ------------------------------------------------------------------------------------------ the engine

    @property
    def is_settled(self) -> bool:
        """Whether all thumbnails are complete, or none are expected."""
        is_painted = self.maps.is_settled and not self._ranking.is_running
        return super().is_settled and (is_painted or not self.isVisible())

    @property
    def kind(self) -> WallOf:
        """What is on the wall: pictures, methods or classes."""
        kinds: tuple[WallOf, ...] = ("pictures", "methods", "classes")
        return next(kind for kind in kinds if kind == self.of.currentData())

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """The explanations received so far, in the order of the tiles."""
        return self.maps.explanations

    def as_shown(self, picture: ImageInfo) -> ImageInfo:
        """Return a picture as it is under its map: with its changes, where the wall is of what they make."""
        return self.maps.photographs.shown(picture) if self.network == "B" else picture

    def question(self) -> Request | str:
        """Return the request for the maps of all tiles, or why there is none."""
        found = wall(self.state, self.kind, self.count.value(), self.network)
        return found if isinstance(found, str) else found.request

    def _change_wall(self) -> None:
        self._show_choices()
        self.query.refresh()

    def _show_choices(self) -> None:
        self.count.setVisible(self.kind == "classes")
        self.rank.setVisible(self.kind == "methods")

    def _show_bare(self) -> None:
        """Show the pictures without their maps, which have just been requested."""
        found = wall(self.state, self.kind, self.count.value(), self.network)
        if isinstance(found, str):
            return
        self._ranking.drop()
        self.maps.show_bare(found)
        self._mark_current()
        self._dim(False)
        self.show_body()
        self._describe()

    def _show(self, payload: Payload) -> None:
        """Show the maps that have been computed."""
        self.maps.take(payload)
        self._describe()

    def _dim(self, dimmed: bool) -> None:
        self.tiles.setEnabled(not dimmed)

    def _follow_query(self) -> None:
        self.save.setEnabled(bool(self.explanations) and not self.query.is_running)
        if self.query.is_current:
            self._rank()

    # --------------------------------------------------------------------------------------------- ranking

    @property
    def _by(self) -> str:
        return str(self.rank.currentData()) if self.kind == "methods" else ""

    def _rank(self) -> None:
        """Have the maps measured once they are all there, and put them in order."""
        shown = self.maps.wall
        if shown is None or not self.query.is_current or shown.of != "methods":
            return
        if self._by:
            self._ranking.rank(shown.tiles, self._by)
        else:
            self._ranking.drop()
            self._put_in_order(tuple(range(len(shown.tiles))))

    def _put_in_order(self, order: tuple[int, ...]) -> None:
        if self.maps.wall is not None:
            self.tiles.put_in_order([self.maps.wall.tiles[index].key for index in order])
        self.maps.label_all()
        self._describe()

    # --------------------------------------------------------------------------------------------- display

    def _mark_current(self, _changed: object = None) -> None:
        """Mark the tile of what the other panels show."""
        state = self.state
        picture: ImageInfo | None = state.picture
        current = "" if picture is None else picture.key
        if self.kind == "methods":
            current = state.attributions.explaining.method
        elif self.kind == "classes":
            current = str(state.explained_class)
        self.tiles.choose(current)

    def _tile_chosen(self, item: QListWidgetItem | None) -> None:
        key = None if item is None else str(item.data(Qt.ItemDataRole.UserRole))
        tiles = () if self.maps.wall is None else self.maps.wall.tiles
        tile = next((each for each in tiles if each.key == key), None)
        if tile is None:
            return
        if self.kind == "pictures":
            if self.state.opened.row(tile.key) is not None:
                self.state.opened.select(tile.key)
        elif self.kind == "methods":
            question = tile.question
            attributions = self.state.attributions
            attributions.set_explaining(
                replace(attributions.explaining, method=question.method, parameters=question.parameters)
            )
        else:
            self.state.set_target(tile.question.target)

    def _repaint(self) -> None:
        self.maps.repaint()
        self._describe()

    def _tile_clicked(self, _item: QListWidgetItem) -> None:
        """Show a method's or a class's map large; a picture is shown by its panels, as it always was."""
        if self.kind != "pictures":
            self.large_asked.emit()

    def _describe(self) -> None:
        model, shown = self.state.model, self.maps.wall
        if model is None or shown is None or isinstance(self.question(), str):
            return
        said = [
            self._subject(model),
            self.look.shading.text,
            "each on its own scale" if self.look.shading.hand is None else "one scale for all",
            *self.maps.counts(),
        ]
        stopped = f"{self.query.progress_text}\n" if self.query.is_stopped else ""
        self.set_caption(stopped + " · ".join(said))

    def _subject(self, model: ModelInfo) -> str:
        """Return what the maps are of."""
        question = base_question(self.state)
        target = "the top class" if question.target is None else f"“{label_of(model, question.target)}”"
        if self.kind == "classes":
            target = "each class"
        if question.output == "probability":
            target = f"the probability of {target}"
        if question.against is not None:
            target += f" and not “{label_of(model, question.against)}”"
        names = question.nodes or (() if self.kind == "pictures" else model.config.stages[-1:])
        nodes = ", ".join(node_text(name, model).lower() for name in names)
        if question.average:
            nodes = f"the average of {nodes or 'all stages'}"
        method = "All methods" if self.kind == "methods" else method_named(question.method).title
        where = " of each picture" if self.kind == "pictures" else ""
        return f"{method} for {target}{where}" + (f" at {nodes}" if nodes else "")
