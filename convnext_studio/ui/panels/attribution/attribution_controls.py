"""The controls of the attribution panel: method, parameters, class, place and colours."""

from collections.abc import Mapping
from typing import Literal, cast

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction, QIcon
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.common.attribution_methods import METHODS, Method, Output, Parameter, Value, method_named
from convnext_studio.export.contents import label_of
from convnext_studio.model.nodes import why_no_cam
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.predictions import Prediction
from convnext_studio.render import Rgb
from convnext_studio.ui.panels.attribution.attribution_map import COLORMAPS, Part, Shading
from convnext_studio.ui.panels.base import choice
from convnext_studio.ui.panels.predictions.prediction_row import PredictionRow
from convnext_studio.ui.widgets.class_search import ClassSearch
from convnext_studio.ui.widgets.popup import PopupButton
from convnext_studio.ui.widgets.qimage import to_qimage
from convnext_studio.ui.widgets.range_choice import RangeChoice
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px
from convnext_studio.ui.widgets.thumbnail_icon import SHARP, thumbnail


class LookButton(PopupButton):
    """A button that opens the choice of part, colour map, range and resampling."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Look…", "Signed or positive part, colour map, range, resampling", parent)
        self.setAccessibleName("Appearance of the map")
        self._chosen: dict[Part, str] = {part: names[0] for part, names in COLORMAPS.items()}
        self._signed_part: Part = "signed"
        self.part = choice(
            "Part",
            "Evidence for and against the class, or only for it (ReLU)",
            [("Signed", "signed"), ("Positive (ReLU)", "positive")],
        )
        self.colormap = choice("Colour map", "All colour maps are perceptually uniform", [])
        self.range = RangeChoice(("data", "percentile", "hand"))
        self.range.percentile.setToolTip("Percentage of the magnitudes below the end of the scale")
        self.resampling = choice(
            "Resampling",
            "Nearest shows the true resolution; bilinear interpolates between the centres of the units",
            [("Nearest (true resolution)", False), ("Bilinear", True)],
        )
        for text, control in (
            ("Part", self.part),
            ("Colours", self.colormap),
            ("Range", self.range),
            ("Resampling", self.resampling),
        ):
            self.add_row(text, control)
        self._offer_colormaps()
        self.part.currentIndexChanged.connect(self._part_changed)
        self.colormap.activated.connect(self._colormap_chosen)
        self.range.changed.connect(self.changed)
        self.resampling.currentIndexChanged.connect(self.changed)

    def suit(self, is_signed: bool) -> None:
        """Offer the signed part only if the sign has a meaning."""
        if is_signed != self.part.isEnabled():
            self.part.setEnabled(is_signed)
            was_blocked = self.part.blockSignals(True)
            self.part.setCurrentIndex(self.part.findData(self._signed_part if is_signed else "positive"))
            self.part.blockSignals(was_blocked)
            self._offer_colormaps()

    @property
    def shading(self) -> Shading:
        """The chosen shading of the maps."""
        chosen = self.range.value
        return Shading(
            part=self._part,
            colormap=self._chosen[self._part],
            percentile=chosen.percentile if chosen.kind == "percentile" else 100.0,
            smooth=bool(self.resampling.currentData()),
            hand=chosen.hand if chosen.kind == "hand" else None,
        )

    @property
    def _part(self) -> Part:
        return cast("Part", self.part.currentData())

    def _offer_colormaps(self) -> None:
        self.colormap.clear()
        for name in COLORMAPS[self._part]:
            self.colormap.addItem(name.capitalize(), name)
        self.colormap.setCurrentIndex(self.colormap.findData(self._chosen[self._part]))

    def _part_changed(self) -> None:
        self._signed_part = self._part
        self._offer_colormaps()
        self.changed.emit()

    def _colormap_chosen(self) -> None:
        self._chosen[self._part] = str(self.colormap.currentData())
        self.changed.emit()


Field = QComboBox | QSpinBox | QDoubleSpinBox


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
        spin.setToolTip(f"{parameter.sentence} From {parameter.low:g} to {parameter.high:g}")
        spin.valueChanged.connect(lambda number: self._take(parameter, number))
        return spin

    def _take(self, parameter: Parameter, value: Value) -> None:
        if self._method is not None:
            self._given.setdefault(self._method.name, {})[parameter.name] = value
            self.changed.emit()


ROWS = 5


class TargetColumn(QWidget):
    """A list of classes; a click explains one or, in “And not” mode, compares it with the explained one."""

    target_chosen = Signal(int)
    against_chosen = Signal(object)  # int | None
    output_chosen = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.this = _mode("Why", "Click a class to explain it")
        self.this.setAccessibleName("Choose the class to explain")
        self.this.setChecked(True)
        self.that = _mode(
            "And not", "Click a class to compare it with the explained one; click it again to stop"
        )
        self.that.setAccessibleName("Choose the class to compare it with")
        self._modes = QButtonGroup(self)
        for button in (self.this, self.that):
            self._modes.addButton(button)
        self.output = choice(
            "Output",
            "Explain the logit of the class, or its probability",
            [("Logit", "logit"), ("Prob.", "probability")],
        )
        self.output.currentIndexChanged.connect(self.output_chosen)
        self.rows = [PredictionRow(compact=True) for _ in range(ROWS)]
        for row in self.rows:
            row.hide()  # Hidden until there is a prediction.
            row.clicked.connect(lambda _checked, row=row: self._choose(row.target))
        self.search = ClassSearch(
            "Search for a class",
            "Type a part of the name or the number of a class to explain, or to compare with",
        )
        self.search.chosen.connect(self._choose)
        self._against: int | None = None
        self._lay_out()

    @property
    def chosen_output(self) -> Output:
        """The output to explain: the logit or the probability."""
        return "probability" if self.output.currentData() == "probability" else "logit"

    def show_output(self, output: Output) -> None:
        """Show an output that was chosen elsewhere."""
        was_blocked = self.output.blockSignals(True)
        self.output.setCurrentIndex(self.output.findData(output))
        self.output.blockSignals(was_blocked)

    def show_classes(self, model: ModelInfo, prediction: Prediction, target: int, against: int | None) -> None:
        """Show the most likely classes; a target or contrast that is not among them takes a last row."""
        self._against = against
        chosen = [index for index in (target, against) if index is not None]
        top = list(prediction.top(ROWS))
        others = [index for index in chosen if index not in top]
        shown = top[: ROWS - len(others)] + others
        for row, index in zip(self.rows, shown, strict=False):
            row.show_class(index, label_of(model, index), float(prediction.probabilities[index]))
            row.setChecked(index == target)
            row.set_contrast(index == against)
        for number, row in enumerate(self.rows):
            row.setVisible(number < len(shown))
        self.output.setEnabled(against is None)
        self.output.setToolTip(
            "Explain the logit of the class, or its probability"
            if against is None
            else "The difference of the two logits is explained"
        )

    def hide_classes(self) -> None:
        """Hide the classes when there is no prediction to explain."""
        for row in self.rows:
            row.hide()

    def _choose(self, index: int) -> None:
        if self.this.isChecked():
            self.target_chosen.emit(index)
        else:
            self.against_chosen.emit(None if index == self._against else index)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 0, 0)
        layout.setSpacing(1)
        head = QHBoxLayout()
        head.setSpacing(2)
        for part in (self.this, self.that):
            head.addWidget(part)
        head.addStretch()
        head.addWidget(self.output)
        layout.addLayout(head)
        layout.addWidget(self._list_of_rows(), 1)
        layout.addWidget(self.search)
        layout.addStretch()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        follow_text(self, lambda: self.setMinimumWidth(self.fontMetrics().averageCharWidth() * 26))

    def _list_of_rows(self) -> QScrollArea:
        """Return a scroll area with all rows; it scrolls when a long caption leaves too little room."""
        inside = QWidget()
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        for row in self.rows:
            column.addWidget(row)
        area = QScrollArea()
        area.setWidget(inside)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.viewport().setAutoFillBackground(False)
        inside.setAutoFillBackground(False)

        def limit_height() -> None:
            row_px = self.rows[0].sizeHint().height() + 1
            area.setMinimumHeight(3 * row_px)
            area.setMaximumHeight(len(self.rows) * row_px + 8)

        follow_text(area, limit_height)
        return area


def _mode(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setCheckable(True)
    button.setAutoRaise(True)
    return button


Where = Literal["node", "stages", "average"]
MOST_STAGES = 4
_THUMBNAIL_PX = 18
_STYLE = """
QToolButton { border: 1px solid palette(mid); border-radius: 3px; padding: 2px 5px; }
QToolButton:hover, QToolButton:focus { border-color: palette(text); }
QToolButton:checked { border: 2px solid palette(highlight); padding: 1px 4px; }
QToolButton[popupMode="1"] { padding-right: 18px; }
QToolButton::menu-button { width: 16px; border: none; }
"""


class WhereRow(QWidget):
    """A row of buttons: one per stage, one for all stages, and one for an average with a menu of its nodes."""

    stage_chosen = Signal(str)
    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._where: Where = "node"
        self._averaged: dict[str, QAction] = {}
        self.stages = {f"stage{number}": _button(str(number)) for number in range(1, MOST_STAGES + 1)}
        for name, button in self.stages.items():
            number = name[-1]
            button.setAccessibleName(f"Attribution at stage {number}")
            button.setToolTip(f"Select stage {number} ({number}); a small map has its own scale")
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.clicked.connect(lambda _checked, name=name: self._choose_stage(name))
        self.all = _button("All")
        self.all.setAccessibleName("All stages side by side")
        self.all.setToolTip("All stages side by side, each on its own scale")
        self.all.clicked.connect(lambda: self._toggle("stages"))
        self.average = _button("Mean")
        self.average.setAccessibleName("Average of several nodes")
        self.average.setToolTip(
            "Average of several nodes, each divided by its largest magnitude; choose the nodes below"
        )
        self.average.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        self._menu = QMenu(self.average)
        self._menu.setToolTipsVisible(True)
        self.average.setMenu(self._menu)
        self.average.clicked.connect(lambda: self._toggle("average"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(QLabel("Stage"))
        for button in (*self.stages.values(), self.all, self.average):
            layout.addWidget(button)

    @property
    def where(self) -> Where:
        """The chosen place: a single node, all stages, or the average."""
        return self._where

    @property
    def averaged(self) -> tuple[str, ...]:
        """The names of the nodes to average."""
        return tuple(name for name, action in self._averaged.items() if action.isChecked())

    def choose(self, where: Where) -> None:
        """Choose a single node, all stages, or the average."""
        self._where = where
        self.changed.emit()

    def _toggle(self, where: Where) -> None:
        self.choose("node" if self._where == where else where)

    def show_model(self, model: ModelInfo) -> None:
        """Offer the stages of another network, and its nodes to average (initially the last two stages)."""
        for name, button in self.stages.items():
            button.setVisible(name in model.config.stages)
        self._menu.clear()
        self._averaged = {}
        for stage in model.config.stages:
            self._offer(self._menu, stage, model, is_checked=stage in model.config.stages[-2:])
            inside = self._menu.addMenu(f"In {model.node(stage).title.lower()}")
            for node in model.nodes:
                if node.kind == "block" and node.name.startswith(f"{stage}."):
                    self._offer(inside, node.name, model)

    def _offer(self, menu: QMenu, name: str, model: ModelInfo, is_checked: bool = False) -> None:
        node = model.node(name)
        action = menu.addAction(node.title)
        action.setCheckable(True)
        action.setChecked(is_checked)
        action.setEnabled(not why_no_cam(node))
        action.setToolTip(why_no_cam(node) or f"Include {node.title.lower()} in the average")
        action.toggled.connect(lambda _checked: self.choose("average"))
        self._averaged[name] = action

    def show_choice(self, node: str, has_nodes: bool, thumbnails: Mapping[str, Rgb]) -> None:
        """Check the buttons for the current choice; disable them for a method on the input's pixels."""
        for name, button in self.stages.items():
            button.setChecked(has_nodes and self._where == "node" and node == name)
            picture = thumbnails.get(name)
            button.setIcon(QIcon() if picture is None else _icon(picture))
        self.all.setChecked(has_nodes and self._where == "stages")
        self.average.setChecked(has_nodes and self._where == "average")
        for button in (*self.stages.values(), self.all, self.average):
            button.setEnabled(has_nodes)

    def _choose_stage(self, name: str) -> None:
        self._where = "node"
        self.stage_chosen.emit(name)
        self.changed.emit()


def _button(text: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setCheckable(True)
    button.setStyleSheet(_STYLE)
    follow_text(button, lambda: button.setIconSize(QSize(scaled_px(_THUMBNAIL_PX), scaled_px(_THUMBNAIL_PX))))
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button


def _icon(picture: Rgb) -> QIcon:
    return thumbnail(to_qimage(picture), scaled_px(_THUMBNAIL_PX), SHARP)


class AttributionBar(QWidget):
    """A toolbar that emits `changed` for a new method or parameter; it shows progress of long methods."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._list = choice("Method", "", [(method.title, method.name) for method in METHODS])
        for index, method in enumerate(METHODS):
            self._list.setItemData(index, about(method), Qt.ItemDataRole.ToolTipRole)
        self.parameters = ParameterButton()
        self.look = LookButton()
        self.evidence = _attribution_bar_button("Evidence", "Measure whether this map can be trusted")
        self.sheet = _attribution_bar_button("Sheet", "This method on all opened pictures, as a contact sheet")
        self.save = _attribution_bar_button(
            "Save…", "Save this map: its values (.npy, .json) and its figure (.png)"
        )
        self.progress = QProgressBar()
        follow_text(self.progress, lambda: self.progress.setFixedSize(scaled_px(56), scaled_px(10)))
        self.progress.setTextVisible(False)
        self.progress.setAccessibleName("Progress of the map")
        self.progress.setToolTip("Progress of the map")
        self.stop = QPushButton("Stop")
        self.stop.setToolTip("Stop computing this map and keep the partial result (Esc)")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for control in (
            self._list,
            self.parameters,
            self.look,
            self.evidence,
            self.sheet,
            self.save,
            self.progress,
            self.stop,
        ):
            layout.addWidget(control)
        layout.addStretch()
        self._list.currentIndexChanged.connect(self._method_chosen)
        self.parameters.changed.connect(self.changed)
        self._explain_method()
        self.show_progress(None)

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
            done, total = done_of
            self.progress.setRange(0, total)
            self.progress.setValue(done)

    def _method_chosen(self) -> None:
        self._explain_method()
        self.changed.emit()

    def _explain_method(self) -> None:
        self._list.setToolTip(about(self.method))
        self.parameters.show_method(self.method)


def about(method: Method) -> str:
    """Return what a method does, and its source."""
    return f"{method.sentence} {method.source}"


def _attribution_bar_button(text: str, tip: str) -> QToolButton:
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
