"""The wall of maps: all methods on one picture, one method for many classes, or on all opened pictures."""

from msgspec.structs import replace
from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QListWidgetItem, QPushButton, QSpinBox, QWidget

from convnext_studio.common.attribution_methods import method_named
from convnext_studio.export.contents import label_of
from convnext_studio.protocol.attributions import INPUT, Explanation, Explanations
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Predict, Prediction
from convnext_studio.protocol.walls import ExplainedEach
from convnext_studio.render import Clipping, Map, Rgb, Shading, format_number, format_percent, why_empty
from convnext_studio.ui.panels.attribution.attribution_texts import has_sign, node_text
from convnext_studio.ui.panels.attribution.look import Look
from convnext_studio.ui.panels.base import Panel, choice
from convnext_studio.ui.panels.contact_sheet.wall_look import map_on_picture, shading_for, shown_map
from convnext_studio.ui.panels.contact_sheet.wall_ranking import RANKS, Ranking
from convnext_studio.ui.panels.contact_sheet.wall_subject import (
    MOST,
    Wall,
    WallOf,
    WallTile,
    base_question,
    wall,
)
from convnext_studio.ui.panels.contact_sheet.wall_tiles import TILE_PX, WallTiles
from convnext_studio.ui.panels.measuring import add_running_controls, measuring_query
from convnext_studio.ui.plots.color_bar import ColorBar, ColorScale
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.thumbnail_loader import ThumbnailLoader
from convnext_studio.ui.widgets.qimage import device_px
from convnext_studio.ui.widgets.text_size import scaled_px

_USUAL_CLASSES, _MOST_CLASSES = 12, 60


def seconds_text(seconds: float) -> str:
    """Return a computing time: "12 ms", "3.4 s"."""
    return f"{max(round(1000 * seconds), 1)} ms" if seconds < 1 else f"{format_number(seconds, 2)} s"


class ContactSheetPanel(Panel):
    """A panel with a tile for each method, class or picture; a click shows that map large."""

    title = "Wall of maps"
    save_asked = Signal()
    large_asked = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._add_choices()
        self.query = measuring_query(self, self.question, self._show, self._dim)
        self._ranking = Ranking(state, bridge, self)
        self._ranking.scored.connect(self._label_all)
        self._ranking.ranked.connect(self._put_in_order)
        self._ranking.failed.connect(self.set_caption)
        self._wall: Wall | None = None
        self._explanations: dict[str, Explanation] = {}
        self._unfinished: set[str] = set()
        self._failures: dict[str, str] = {}
        self._predictions: dict[str, Prediction] = {}
        self._thumbnails = ThumbnailLoader(state, bridge, device_px(scaled_px(TILE_PX)), parent=self)
        self._thumbnails.setObjectName("contact_sheet")
        # One thumbnail is coloured per event-loop turn, so that the window stays responsive.
        self._to_paint: list[str] = []
        self._next = QTimer(self, singleShot=True, interval=0)
        self._next.timeout.connect(self._paint_next)
        self.look = Look(self)
        self.save = QPushButton("Save…")
        self.save.setToolTip("Save the wall as one figure: PNG, PDF or SVG")
        self._arrange_controls()
        self.tiles = WallTiles()
        self.bar = ColorBar()
        self._clipped: dict[str, Clipping] = {}
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
        self._thumbnails.arrived.connect(self._paint_picture)
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
        self.look.changed.connect(self._paint_all)
        self.look.opacity.valueChanged.connect(self._paint_all)
        self.save.clicked.connect(self.save_asked)
        self.query.asked.connect(self._show_bare)
        self.query.changed.connect(self._follow_query)

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
        is_painted = self._thumbnails.is_settled and not self._to_paint and not self._ranking.is_running
        return super().is_settled and (is_painted or not self.isVisible())

    @property
    def kind(self) -> WallOf:
        """What is on the wall: pictures, methods or classes."""
        kinds: tuple[WallOf, ...] = ("pictures", "methods", "classes")
        return next(kind for kind in kinds if kind == self.of.currentData())

    @property
    def explanations(self) -> tuple[Explanation, ...]:
        """The explanations received so far, in the order of the tiles."""
        return tuple(self._explanations[key] for key in self.tiles.order if key in self._explanations)

    def question(self) -> Request | str:
        """Return the request for the maps of all tiles, or why there is none."""
        found = wall(self.state, self.kind, self.count.value())
        return found if isinstance(found, str) else found.request

    def _change_wall(self) -> None:
        self._show_choices()
        self.query.refresh()

    def _show_choices(self) -> None:
        self.count.setVisible(self.kind == "classes")
        self.rank.setVisible(self.kind == "methods")

    def _show_bare(self) -> None:
        """Show the pictures without their maps, which have just been requested."""
        found = wall(self.state, self.kind, self.count.value())
        if isinstance(found, str):
            return
        self._wall = found
        self._ranking.drop()
        self._explanations, self._failures, self._predictions, self._clipped = {}, {}, {}, {}
        self._unfinished = set()
        self.tiles.show_tiles([(tile.key, tile.title, self._bare(tile.question.image)) for tile in found.tiles])
        self._mark_current()
        self._dim(False)
        self.show_body()
        self._describe()

    def _show(self, payload: Payload) -> None:
        """Show the maps that have been computed."""
        if isinstance(payload, Explanations):
            for explanation in payload.explanations:
                self._take(explanation.image, explanation)
            for key, why_not in payload.failures:
                self._fail(key, why_not)
        elif isinstance(payload, ExplainedEach) and self._wall is not None:
            keys = [tile.key for tile in self._wall.tiles]
            self._unfinished = {keys[index] for index in payload.unfinished}
            for index, explanation in payload.explanations:
                self._take(keys[index], explanation)
            for index, why_not in payload.failures:
                self._fail(keys[index], why_not)
        self._describe()

    def _take(self, key: str, explanation: Explanation) -> None:
        if self._explanations.get(key) is explanation:
            return
        is_new = key not in self._explanations
        if is_new or self._explanations[key].seconds != explanation.seconds:
            self._explanations[key] = explanation
            self._paint_soon(key)
        if is_new and (self.kind == "pictures" or not self._predictions):
            self._ask_prediction(explanation.image)

    def _fail(self, key: str, why_not: str) -> None:
        self._failures[key] = why_not
        self._label(key)

    def _dim(self, dimmed: bool) -> None:
        self.tiles.setEnabled(not dimmed)

    def _ask_prediction(self, key: str) -> None:
        """Request the probability of the class, which the engine still has cached."""
        model = self.state.model

        def receive(answer: Payload) -> None:
            if isinstance(answer, Prediction) and model is self.state.model:
                self._predictions[key] = answer
                for tile in self._tiles_of(key):
                    self._label(tile.key)

        self.bridge.ask(Predict(panel=f"contact_sheet {key}", image=key), receive, on_failure=lambda _: None)

    def _follow_query(self) -> None:
        self.save.setEnabled(bool(self._explanations) and not self.query.is_running)
        if self.query.is_current:
            self._rank()

    # --------------------------------------------------------------------------------------------- ranking

    @property
    def _by(self) -> str:
        return str(self.rank.currentData()) if self.kind == "methods" else ""

    def _rank(self) -> None:
        """Have the maps measured once they are all there, and put them in order."""
        shown = self._wall
        if shown is None or not self.query.is_current or shown.of != "methods":
            return
        if self._by:
            self._ranking.rank(shown.tiles, self._by)
        else:
            self._ranking.drop()
            self._put_in_order(tuple(range(len(shown.tiles))))

    def _put_in_order(self, order: tuple[int, ...]) -> None:
        if self._wall is not None:
            self.tiles.put_in_order([self._wall.tiles[index].key for index in order])
        self._label_all()
        self._describe()

    def _label_all(self) -> None:
        for key in (*self._explanations, *self._failures):
            self._label(key)

    # --------------------------------------------------------------------------------------------- display

    def _bare(self, key: str) -> Rgb | None:
        """Return a picture's thumbnail without its map if it is cached."""
        preview = self.state.opened.preview(key)
        return None if preview is None else preview.thumbnail

    def _tiles_of(self, picture: str) -> list[WallTile]:
        """Return the tiles that show a picture."""
        tiles = () if self._wall is None else self._wall.tiles
        return [tile for tile in tiles if tile.question.image == picture]

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
        tile = next((each for each in self._wall.tiles if each.key == key), None) if self._wall else None
        if tile is None:
            return
        if self.kind == "pictures":
            if self.state.opened.row(tile.key) is not None:
                self.state.opened.select(tile.key)
        elif self.kind == "methods":
            question = tile.question
            self.state.attributions.set_explaining(
                replace(
                    self.state.attributions.explaining, method=question.method, parameters=question.parameters
                )
            )
        else:
            self.state.set_target(tile.question.target)

    def _tile_clicked(self, _item: QListWidgetItem) -> None:
        """Show a method's or a class's map large; a picture is shown by its panels, as it always was."""
        if self.kind != "pictures":
            self.large_asked.emit()

    def _paint_all(self) -> None:
        for key in self._explanations:
            self._paint_soon(key)
        self._describe()

    def _paint_picture(self, picture: str) -> None:
        """Paint the tiles of a picture whose pixels have arrived."""
        for tile in self._tiles_of(picture):
            self._paint_soon(tile.key)

    def _paint_soon(self, key: str) -> None:
        if key not in self._to_paint:
            self._to_paint.append(key)
        self._next.start()

    def _paint_next(self) -> None:
        if not self._to_paint:
            return
        key = self._to_paint.pop(0)
        explanation = self._explanations.get(key)
        pixels = None if explanation is None else self._thumbnails.get(explanation.image)
        if explanation is not None and pixels is not None and explanation.maps:
            shading = self._suited(explanation)
            self._show_scale(key, shown_map(explanation)[1], shading)
            self.tiles.show_tile(key, map_on_picture(pixels, explanation, shading))
            self._label(key)
        if self._to_paint:
            self._next.start()

    def _suited(self, explanation: Explanation) -> Shading:
        """Return the look of a map: on a wall of methods one look for all, as far as a method allows it."""
        is_on_pixels = INPUT in explanation.maps
        is_signed = has_sign(explanation.method, explanation.output)
        is_difference = explanation.output == "difference"
        is_mixed = self.kind == "methods"
        self.look.suit(
            is_signed=is_signed or is_mixed,
            is_difference=is_difference,
            is_on_pixels=is_on_pixels and not is_mixed,
        )
        return self._shading_of(explanation)

    def _shading_of(self, explanation: Explanation) -> Shading:
        return shading_for(self.look.shading, explanation) if self.kind == "methods" else self.look.shading

    def _show_scale(self, key: str, values: Map, shading: Shading) -> None:
        """Show this map's colour scale in the bar, and whether any map has values beyond its scale."""
        self._clipped[key] = Clipping.of(shading.part_of(values), shading.limits_of([values]))
        clipped = self._clipped.values()
        beyond = Clipping(any(each.below for each in clipped), any(each.above for each in clipped))
        shared = self.look.shading  # Of the wall, and not of a map that allows less.
        end = "max" if shared.percentile == 100 else f"p{shared.percentile:g}"
        ends = (f"-{end}" if shared.part == "signed" else "0", end)
        self.bar.set_scale(ColorScale(shared.colormap, shared.hand, ends, beyond, zero=0.0))

    def _label(self, key: str) -> None:
        """Set the text below the thumbnail: its title, and what is said about its map."""
        tiles = () if self._wall is None else self._wall.tiles
        tile = next((each for each in tiles if each.key == key), None)
        if tile is not None and self.state.model is not None:
            self.tiles.label(key, [tile.title, *self.lines_about(key, self.state.model)])

    def lines_about(self, key: str, model: ModelInfo) -> list[str]:
        """Return what is said about a map: class, probability, time, score and scale; or why there is none."""
        explanation = self._explanations.get(key)
        if explanation is None:
            return [self._failures.get(key, "…")]
        prediction = self._predictions.get(explanation.image)
        chance = f"{explanation.output} {format_number(explanation.score)}"
        if prediction is not None:
            chance = format_percent(float(prediction.probabilities[explanation.target]))
        scale = "…"
        if explanation.maps:
            values, shading = shown_map(explanation)[1], self._shading_of(explanation)
            limits = shading.limits_of([values])
            scale = f"scale {format_number(limits.low)} to {format_number(limits.high)}"
            scale = why_empty(values, shading.part) or scale
        if self.kind == "pictures":
            return [label_of(model, explanation.target), chance, scale]
        time = "…" if key in self._unfinished else seconds_text(explanation.seconds)
        if self.kind == "classes":
            return [chance, time, scale]
        score = self._ranking.text_of(key)
        source = method_named(explanation.method).source
        return [*([score] if score else []), time, scale, source]

    def _describe(self) -> None:
        model, shown = self.state.model, self._wall
        if model is None or shown is None or isinstance(self.question(), str):
            return
        said = [
            self._subject(model),
            self.look.shading.text,
            "each on its own scale" if self.look.shading.hand is None else "one scale for all",
            *self._counts(shown),
        ]
        if self._failures:
            said.append(f"{len(self._failures)} could not be explained")
        stopped = f"{self.query.progress_text}\n" if self.query.is_stopped else ""
        self.set_caption(stopped + " · ".join(said))

    def _counts(self, shown: Wall) -> list[str]:
        """Return how many maps there are, and how long they took together."""
        word = {"pictures": "pictures", "methods": "methods", "classes": "classes"}[shown.of]
        said = [f"{len(self._explanations)} of {len(shown.tiles)} {word}"]
        if shown.of == "pictures" and len(self.state.opened.all) > MOST:
            said.append(f"the first of {len(self.state.opened.all):,}")
        if shown.of != "pictures" and self._explanations:
            seconds = sum(each.seconds for each in self._explanations.values())
            said.append(f"{seconds_text(seconds)} in all")
        return said

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
