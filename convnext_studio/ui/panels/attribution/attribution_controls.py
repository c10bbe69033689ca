"""The controls of the attribution panel: method, parameters, class, place and colours."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, cast

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QMenu,
    QPushButton,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.common.attribution_methods import METHODS, Method, Output, Parameter, Value, method_named
from convnext_studio.export.export_contents import label_of
from convnext_studio.model.nodes import why_no_cam
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.render import COLORMAPS, PIXEL_PERCENTILE, Part, Rgb, Shading, format_percent
from convnext_studio.ui.panels.attribution.map_button import MapButton
from convnext_studio.ui.panels.base import choice, opacity_slider, resolution_switch
from convnext_studio.ui.panels.predictions.prediction_row import PredictionRow
from convnext_studio.ui.widgets.choices import Switch
from convnext_studio.ui.widgets.control_row import ControlRow
from convnext_studio.ui.widgets.elided_label import PlainLabel, plain_tip
from convnext_studio.ui.widgets.popup import LatePart, PopupButton, empty_menu
from convnext_studio.ui.widgets.progress_bar import ProgressBar
from convnext_studio.ui.widgets.range_choice import RangeChoice
from convnext_studio.ui.widgets.search.class_search import ClassSearch
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

Field = QComboBox | QSpinBox | QDoubleSpinBox


class LookControls(QObject):
    """The choices of how maps are laid over the picture: two switches, and the rest behind a button.

    Attributes
    ----------
    resolution, part
        The switches between smooth and true grid, and between the class alone and for and against it.
    more
        The button that opens colour map, range and opacity.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._is_difference = self._is_on_pixels = False
        self._ranges: dict[bool, str] = {False: "data", True: "percentile"}
        self._parts: dict[bool, Part] = {False: "positive", True: "signed"}
        self._chosen: dict[Part, str] = {part: names[0] for part, names in COLORMAPS.items()}
        self.resolution = resolution_switch()
        self.part = Switch(
            "Part",
            (
                ("For the class", "positive", "Show only what speaks for the class: values above 0 (ReLU)"),
                ("For and against", "signed", "Also show what speaks against the class: values below 0"),
            ),
        )
        self.more = PopupButton("Look…", "Colour map, range and opacity")
        self.more.setAccessibleName("Appearance of the map")
        self.colormap = choice("Colour map", "All colour maps are perceptually uniform", [])
        self.range = RangeChoice(("data", "percentile", "hand"))
        self.range.percentile.setToolTip("Percentage of the magnitudes below the end of the scale")
        self.range.percentile.setValue(PIXEL_PERCENTILE)
        self.opacity = opacity_slider()
        for text, control in (("Colours", self.colormap), ("Range", self.range), ("Opacity", self.opacity)):
            self.more.add_row(text, control)
        self._offer_colormaps()
        self.part.changed.connect(self._part_changed)
        self.colormap.activated.connect(self._colormap_chosen)
        self.range.changed.connect(self.changed)
        self.resolution.changed.connect(self.changed)

    @property
    def in_row(self) -> tuple[QWidget, ...]:
        """The controls below the map; the others are in the sheet of `more`."""
        return self.resolution, self.part, self.more

    def suit(self, *, is_signed: bool, is_difference: bool, is_on_pixels: bool) -> None:
        """Offer what has a meaning for a kind of maps, as it was chosen for that kind before.

        Parameters
        ----------
        is_signed
            Whether negative values have a meaning.
        is_difference
            Whether the maps compare two classes, of which both parts are shown at first.
        is_on_pixels
            Whether the maps are over the input's pixels, which are not interpolated.
        """
        controls = (self.part, self.resolution, self.range.kind)
        were_blocked = [control.blockSignals(True) for control in controls]
        self._is_difference = is_difference
        self.part.setEnabled(is_signed)
        self.part.choose(self._parts[is_difference] if is_signed else "positive")
        if is_on_pixels != self._is_on_pixels:
            self._ranges[self._is_on_pixels] = self.range.value.kind
            self.range.choose(self._ranges[is_on_pixels])
            self._is_on_pixels = is_on_pixels
        self.resolution.setEnabled(not is_on_pixels)
        for control, was_blocked in zip(controls, were_blocked, strict=True):
            control.blockSignals(was_blocked)
        self._offer_colormaps()

    @property
    def shading(self) -> Shading:
        """The chosen shading of the maps."""
        chosen = self.range.value
        return Shading(
            part=self._part,
            colormap=self._chosen[self._part],
            percentile=chosen.percentile if chosen.kind == "percentile" else 100.0,
            smooth=bool(self.resolution.value) and not self._is_on_pixels,
            hand=chosen.hand if chosen.kind == "hand" else None,
            opacity=self.opacity.value() / 100,
        )

    @property
    def _part(self) -> Part:
        return cast("Part", self.part.value)

    def _offer_colormaps(self) -> None:
        if self.colormap.findData(self._chosen[self._part]) >= 0:
            return
        self.colormap.clear()
        for name in COLORMAPS[self._part]:
            self.colormap.addItem(name.capitalize(), name)
        self.colormap.setCurrentIndex(self.colormap.findData(self._chosen[self._part]))

    def _part_changed(self) -> None:
        self._parts[self._is_difference] = self._part
        self._offer_colormaps()
        self.changed.emit()

    def _colormap_chosen(self) -> None:
        self._chosen[self._part] = str(self.colormap.currentData())
        self.changed.emit()


class ParameterButton(PopupButton):
    """A button that opens the form of the method's parameters; hidden if it has none."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("More…", "Parameters of the method, such as steps, windows and seeds", parent)
        self.setAccessibleName("Parameters of the method")
        self._method: Method | None = None
        self._given: dict[str, dict[str, Value]] = {}
        self.fields: dict[str, Field] = {}
        self.hide()

    def show_method(self, method: Method) -> None:
        """Show another method's parameters, with the values that were set before."""
        if method is self._method:
            return
        self._method = method
        self.clear()
        given = self._given.get(method.name, {})
        self.fields = {
            parameter.name: self._field(parameter, given.get(parameter.name, parameter.default))
            for parameter in method.parameters
        }
        for parameter in method.parameters:
            self.add_row(parameter.title, self.fields[parameter.name])
        self.setVisible(bool(method.parameters))

    @property
    def given(self) -> tuple[tuple[str, Value], ...]:
        """The parameters that differ from their defaults, as (name, value) pairs."""
        if self._method is None:
            return ()
        values = self._given.get(self._method.name, {})
        return tuple(
            (parameter.name, values[parameter.name])
            for parameter in self._method.parameters
            if values.get(parameter.name, parameter.default) != parameter.default
        )

    def _field(self, parameter: Parameter, value: Value) -> Field:
        if isinstance(value, str):
            texts = [(text.capitalize(), text) for text in parameter.choices]
            box = choice(parameter.title, parameter.sentence, texts)
            box.setCurrentIndex(box.findData(value))
            box.currentIndexChanged.connect(lambda _: self._take(parameter, str(box.currentData())))
            return box
        spin: QSpinBox | QDoubleSpinBox
        if isinstance(parameter.default, int):
            spin = QSpinBox()
            spin.setRange(int(parameter.low), int(parameter.high))
            spin.setValue(int(value))
        else:
            spin = QDoubleSpinBox()
            spin.setDecimals(2)
            spin.setSingleStep((parameter.high - parameter.low) / 20)
            spin.setRange(parameter.low, parameter.high)
            spin.setValue(float(value))
        spin.setKeyboardTracking(False)  # Ignore numbers that are only half typed.
        spin.setAccessibleName(parameter.title)
        spin.setToolTip(plain_tip(f"{parameter.sentence} From {parameter.low:g} to {parameter.high:g}"))
        spin.valueChanged.connect(lambda number: self._take(parameter, number))
        return spin

    def _take(self, parameter: Parameter, value: Value) -> None:
        if self._method is not None:
            self._given.setdefault(self._method.name, {})[parameter.name] = value
            self.changed.emit()


ROWS = 8


_MOST_CHARACTERS = 20


class ClassButton(PopupButton):
    """A button that names a class, and opens the most likely classes and a search over all.

    Parameters
    ----------
    word
        The word before the class.
    tip
        What the class is chosen for.
    """

    chosen = Signal(int)

    def __init__(self, word: str, tip: str, parent: QWidget | None = None) -> None:
        super().__init__(word, tip, parent)
        self._word, self._tip = word, tip
        self.setAccessibleName(tip)
        self._labels: Sequence[str] = ()
        self._listed: tuple[ModelInfo, Prediction, int | None] | None = None
        self._contents = LatePart(self, self._make_contents)
        self.name_class(None)

    def _make_contents(self) -> None:
        self._class_rows = [PredictionRow(compact=True) for _ in range(ROWS)]
        self._class_list = QWidget(self.sheet)
        column = QVBoxLayout(self._class_list)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        for row in self._class_rows:
            row.clicked.connect(lambda _checked, row=row: self._choose(row.target))
            column.addWidget(row)
        follow_text(
            self._class_list,
            lambda: self._class_list.setMinimumWidth(self.fontMetrics().averageCharWidth() * 32),
        )
        self._search = ClassSearch(self._tip, "Type a part of the name or the number of a class", self.sheet)
        self._search.chosen.connect(self._choose)
        self._search.taken_by_name.connect(lambda said: self.setToolTip(plain_tip(said)))
        self._search.set_labels(self._labels)
        self.add_wide(self._search, first=True)
        self.add_wide(self._class_list, first=True)
        self._show_rows()

    @property
    def rows(self) -> Sequence[PredictionRow]:
        """The rows of the most likely classes; those without a class are hidden."""
        self._contents.make()
        return self._class_rows

    @property
    def list(self) -> QWidget:
        """The widget that has the rows."""
        self._contents.make()
        return self._class_list

    @property
    def search(self) -> ClassSearch:
        """The search over all classes."""
        self._contents.make()
        return self._search

    def open_sheet(self) -> None:
        """List the classes, and open the form."""
        self._contents.make()
        super().open_sheet()

    def set_labels(self, labels: Sequence[str]) -> None:
        """Set the classes that can be searched."""
        self._labels = labels
        if self._contents.is_made:
            self.search.set_labels(labels)

    def show_classes(self, model: ModelInfo, prediction: Prediction, chosen: int | None) -> None:
        """List the most likely classes; a chosen one that is not among them takes the last row."""
        self._listed = model, prediction, chosen
        if self._contents.is_made:
            self._show_rows()
        if chosen is None:
            self.name_class(None)
        else:
            share = format_percent(float(prediction.probabilities[chosen]))
            self.name_class(label_of(model, chosen), share)

    def hide_classes(self) -> None:
        """List no class, because there is no prediction."""
        self._listed = None
        if self._contents.is_made:
            self._show_rows()
        self.name_class(None)

    def _show_rows(self) -> None:
        shown: Sequence[int] = ()
        if self._listed is not None:
            model, prediction, chosen = self._listed
            top = prediction.top(ROWS)
            shown = top if chosen is None or chosen in top else [*top[: ROWS - 1], chosen]
            for row, index in zip(self._class_rows, shown, strict=False):
                row.show_class(index, label_of(model, index), float(prediction.probabilities[index]))
                row.setChecked(index == chosen)
        for number, row in enumerate(self._class_rows):
            row.setVisible(number < len(shown))

    def name_class(self, label: str | None, share: str = "") -> None:
        """Write the chosen class on the button, with its probability; None for no class."""
        if label is None:
            self.setText(f"{self._word}: –")
            self.setToolTip(plain_tip(self._tip))
        else:
            short = label if len(label) <= _MOST_CHARACTERS else f"{label[: _MOST_CHARACTERS - 1]}…"
            self.setText(f"{self._word}: {short} {share}".rstrip())
            self.setToolTip(plain_tip(f"{self._tip}: {label} {share}".rstrip()))

    def _choose(self, index: int) -> None:
        self.sheet.hide()
        self.chosen.emit(index)


class TargetButtons(QObject):
    """The choice of the class to explain, of another one to compare it with, and of the output.

    Attributes
    ----------
    this, that
        The buttons for the two classes.
    nothing
        The button that ends the comparison.
    output
        The choice between logit and probability.
    """

    target_chosen = Signal(int)
    against_chosen = Signal(object)  # int | None
    output_chosen = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.this = ClassButton("Why", "The class to explain")
        self.that = ClassButton("And not", "The class to compare it with")
        self.output = choice(
            "Output",
            _OUTPUT_TIP,
            [("Logit", "logit"), ("Probability", "probability")],
        )
        self.this.add_row("Explain its", self.output)
        self.nothing = QPushButton("No other class")
        self.nothing.setToolTip("Explain the one class by itself")
        self.that.add_wide(self.nothing)
        self.this.chosen.connect(self.target_chosen)
        self.that.chosen.connect(lambda index: self.against_chosen.emit(index))
        self.nothing.clicked.connect(self._end)
        self.output.currentIndexChanged.connect(self.output_chosen)

    @property
    def chosen_output(self) -> Output:
        """The output to explain: the logit or the probability."""
        return "probability" if self.output.currentData() == "probability" else "logit"

    def show_output(self, output: Output) -> None:
        """Show an output that was chosen elsewhere."""
        was_blocked = self.output.blockSignals(True)
        self.output.setCurrentIndex(self.output.findData(output))
        self.output.blockSignals(was_blocked)

    def set_labels(self, labels: Sequence[str]) -> None:
        """Set the classes that can be searched."""
        for button in (self.this, self.that):
            button.set_labels(labels)

    def show_classes(self, model: ModelInfo, prediction: Prediction, target: int, against: int | None) -> None:
        """Show the most likely classes, and which of them are chosen."""
        self.this.show_classes(model, prediction, target)
        self.that.show_classes(model, prediction, against)
        self.nothing.setEnabled(against is not None)
        self.output.setEnabled(against is None)
        self.output.setToolTip(
            _OUTPUT_TIP if against is None else "The difference of the two logits is explained"
        )

    def hide_classes(self) -> None:
        """Hide the classes when there is no prediction to explain."""
        for button in (self.this, self.that):
            button.hide_classes()

    def _end(self) -> None:
        self.that.sheet.hide()
        self.against_chosen.emit(None)


_OUTPUT_TIP = "Explain the logit of the class, or its probability"


Where = Literal["node", "stages", "average"]


MOST_STAGES = 4
FOLLOWING = ""
"""The value of the choice of a stage while the panel follows the selection."""


class WhereRow(QObject):
    """The place of the maps: the pinned stage or the selected node, all stages, or an average of nodes.

    Attributes
    ----------
    pin
        The choice between the stages, each of which stays whatever is selected, and the selection.
    stages, all, average
        The buttons: one per stage, one for all stages, and one for an average with a menu of its nodes.
    """

    stage_chosen = Signal(str)  # While the selection is followed: it is to become this stage.
    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._where: Where = "node"
        self._model: ModelInfo | None = None
        self._menu_of: ModelInfo | None = None
        self._averaged: dict[str, bool] = {}  # Whether a node is in the average.
        self._thumbnails: Mapping[str, Rgb] | None = None
        self.pin = choice(
            "Place of the map",
            "A pinned stage stays, whatever is selected; otherwise the map is that of the selected node",
            [("At the selection", FOLLOWING)],
            word="Map",
        )
        self.pin.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.pin.currentIndexChanged.connect(self._pin_chosen)
        self.stages = {f"stage{number}": MapButton(str(number)) for number in range(1, MOST_STAGES + 1)}
        for name, button in self.stages.items():
            number = name[-1]
            button.setAccessibleName(f"Attribution at stage {number}")
            button.setToolTip(plain_tip(f"Show the map at stage {number}; the small map has its own scale"))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.clicked.connect(lambda _checked, name=name: self._choose_stage(name))
        self._word = PlainLabel("Stage")
        self._word.setBuddy(self.stages["stage1"])
        self.all = MapButton("All")
        self.all.setAccessibleName("All stages side by side")
        self.all.setToolTip("All stages side by side, each on its own scale")
        self.all.clicked.connect(lambda: self._toggle("stages"))
        self.average = MapButton("Mean")
        self.average.setAccessibleName("Average of several nodes")
        self.average.setToolTip(
            "Average of several nodes, each divided by its largest magnitude; choose the nodes below"
        )
        self.average.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self._menu = QMenu(self.average)
        self._menu.setToolTipsVisible(True)
        self._menu.aboutToShow.connect(self.fill_menu)
        self.average.setMenu(self._menu)
        self.average.clicked.connect(lambda: self._toggle("average"))

    @property
    def widgets(self) -> tuple[QWidget, ...]:
        """The controls, in the order of the row."""
        return (self.pin, self._word, *self.stages.values(), self.all, self.average)

    @property
    def where(self) -> Where:
        """The chosen place: a single node, all stages, or the average."""
        return self._where

    @property
    def pinned(self) -> str:
        """The name of the pinned stage; empty if the selection is followed."""
        return str(self.pin.currentData())

    @property
    def averaged(self) -> tuple[str, ...]:
        """The names of the nodes to average."""
        return tuple(name for name, is_in in self._averaged.items() if is_in)

    def choose(self, where: Where) -> None:
        """Choose a single node, all stages, or the average."""
        self._where = where
        self.changed.emit()

    def pin_stage(self, name: str) -> None:
        """Stay at a stage whatever is selected; follow the selection if the name is `FOLLOWING`."""
        self.pin.setCurrentIndex(self.pin.findData(name))

    def _toggle(self, where: Where) -> None:
        self.choose("node" if self._where == where else where)

    def show_model(self, model: ModelInfo) -> None:
        """Offer the stages of another network, and its nodes to average (initially the last two stages).

        The last stage is pinned if the one that was pinned does not exist, or was the last one of its network.
        """
        for name, button in self.stages.items():
            button.setVisible(name in model.config.stages)
        self._offer_pins(model)
        stages = model.config.stages
        self._model, self._averaged = (
            model,
            {name: name in stages[-2:] for stage in stages for name in (stage, *_blocks_of(model, stage))},
        )

    def fill_menu(self) -> None:
        """Offer the nodes to average; when the menu is opened at the latest, because it takes milliseconds."""
        model = self._model
        if model is None or self._menu_of is model:
            return
        self._menu_of = model
        empty_menu(self._menu)
        for stage in model.config.stages:
            self._offer(self._menu, stage, model)
            inside = self._menu.addMenu(f"In {model.node(stage).title.lower()}")
            for name in _blocks_of(model, stage):
                self._offer(inside, name, model)

    def _offer_pins(self, model: ModelInfo) -> None:
        before, count, stages = self.pinned, self.pin.count() - 1, model.config.stages
        was_last = bool(before) and self.pin.currentIndex() == count
        is_first_model = count == 0
        was_blocked = self.pin.blockSignals(True)
        self.pin.clear()
        self.pin.addItem("At the selection", FOLLOWING)
        for stage in stages:
            self.pin.addItem(f"At {model.node(stage).title.lower()} (pinned)", stage)
        if is_first_model or was_last or (before and before not in stages):
            before = stages[-1]
        self.pin_stage(before)
        self.pin.blockSignals(was_blocked)

    def _offer(self, menu: QMenu, name: str, model: ModelInfo) -> None:
        node = model.node(name)
        action = menu.addAction(node.title)
        action.setCheckable(True)
        action.setChecked(self._averaged[name])
        action.setEnabled(not why_no_cam(node))
        action.setToolTip(plain_tip(why_no_cam(node) or f"Include {node.title.lower()} in the average"))
        action.toggled.connect(partial(self._average, name))

    def _average(self, name: str, is_in: bool) -> None:
        """Take a node into the average, or out of it, and show the average."""
        self._averaged[name] = is_in
        self.choose("average")

    def show_choice(self, node: str, has_nodes: bool, thumbnails: Mapping[str, Rgb]) -> None:
        """Check the buttons for the current choice.

        For a method on the input's pixels, and while there is no network yet, they are disabled.
        """
        has_nodes = has_nodes and bool(self._averaged)
        for name, button in self.stages.items():
            button.setChecked(has_nodes and self._where == "node" and node == name)
        if thumbnails is not self._thumbnails:
            before, self._thumbnails = self._thumbnails or {}, thumbnails
            for name, button in self.stages.items():
                picture = thumbnails.get(name)
                if picture is not before.get(name):
                    button.show_map(picture)
            if thumbnails:  # They come in a turn of their own, which has time for the menu, too.
                self.fill_menu()
        self.all.setChecked(has_nodes and self._where == "stages")
        self.average.setChecked(has_nodes and self._where == "average")
        for control in self.widgets:
            control.setEnabled(has_nodes)

    def _pin_chosen(self) -> None:
        self.choose("node")

    def _choose_stage(self, name: str) -> None:
        if not self.pinned:
            self._where = "node"
            self.stage_chosen.emit(name)
            self.changed.emit()
        elif self.pinned == name:
            self.choose("node")
        else:
            self.pin_stage(name)


def _blocks_of(model: ModelInfo, stage: str) -> list[str]:
    return [node.name for node in model.nodes if node.kind == "block" and node.name.startswith(f"{stage}.")]


class AttributionBar(QObject):
    """The controls above the map; `changed` tells a new method or parameter.

    Long methods have a progress bar and a button that stops them.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._list = choice("Method", "", [(method.title, method.name) for method in METHODS])
        for index, method in enumerate(METHODS):
            self._list.setItemData(index, plain_tip(about(method)), Qt.ItemDataRole.ToolTipRole)
        self.parameters = ParameterButton()
        self.target = TargetButtons(self)
        self.evidence = _attribution_bar_button("Evidence", "Measure whether this map can be trusted")
        self.sheet = _attribution_bar_button(
            "Wall", "All methods on this picture, this method for many classes, or on all opened pictures"
        )
        self.progress = ProgressBar("Progress of the map")
        follow_text(self.progress, lambda: self.progress.setFixedSize(scaled_px(56), scaled_px(12)))
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Stop computing this map and keep the partial result (Ctrl+.)")
        self._list.currentIndexChanged.connect(self._method_chosen)
        self.parameters.changed.connect(self.changed)
        self._explain_method()
        self.show_progress(None)

    def add_to(self, row: ControlRow) -> None:
        """Add the controls to a row, in which the method and the class always stay.

        The second class is the last to be folded: two long names would be wider than a projector's panel.
        """
        for control in (self._list, self.target.this):
            row.add(control, kept=True)
        for other in (
            self.target.that,
            self.parameters,
            self.progress,
            self.stop,
            self.evidence,
            self.sheet,
        ):
            row.add(other)

    @property
    def method(self) -> Method:
        """The chosen method."""
        return method_named(str(self._list.currentData()))

    def choose_method(self, name: str) -> None:
        """Choose a method by its name in requests."""
        self._list.setCurrentIndex(self._list.findData(name))

    def show_progress(self, done_of: tuple[int, int] | None) -> None:
        """Show how much is done of how much, with a Stop button; hide both if given None."""
        self.progress.setVisible(done_of is not None)
        self.stop.setVisible(done_of is not None)
        if done_of is not None:
            self.progress.show_progress(*done_of)

    def _method_chosen(self) -> None:
        self._explain_method()
        self.changed.emit()

    def _explain_method(self) -> None:
        self._list.setToolTip(plain_tip(about(self.method)))
        self.parameters.show_method(self.method)


def about(method: Method) -> str:
    """Return what a method does, and its source."""
    return f"{method.sentence} {method.source}"


def _attribution_bar_button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(plain_tip(tip))
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
