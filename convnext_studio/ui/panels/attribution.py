"""Where in the picture the evidence for a class is."""

from dataclasses import replace
from typing import Literal, cast

import numpy as np
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from convnext_studio.engine.messages import (
    Attribute,
    Attribution,
    Cancelled,
    Done,
    Failed,
    ImageInfo,
    Request,
)
from convnext_studio.render import Limits, colorize, format_number, limits_of
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.colorbar import ColorScale, MapView
from convnext_studio.ui.panels.base import NO_MODEL, NO_PICTURE, Panel, choice, opacity_slider
from convnext_studio.ui.panels.maps import Map, Placement, map_layer, picture_layer, point_text, value_text
from convnext_studio.ui.qimage import to_qimage
from convnext_studio.ui.scene import Layer, Scene
from convnext_studio.ui.state import AppState

Sign = Literal["raw", "relu"]
COLORMAPS: dict[Sign, str] = {"raw": "vik", "relu": "viridis"}
_MOST_STAGES = 4
_THUMBNAIL_PX = 32
_THUMBNAIL_STYLE = """
QToolButton { border: 1px solid palette(mid); border-radius: 3px; padding: 2px 6px 2px 2px; }
QToolButton:hover, QToolButton:focus { border-color: palette(text); }
QToolButton:checked { border: 2px solid palette(highlight); padding: 1px 5px 1px 1px; }
"""


class AttributionPanel(Panel):
    """The class activation map of the selected stage over the picture; thumbnails of all stages."""

    title = "Attribution"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._attribution: Attribution | None = None
        self._failure = ""
        self._picture: ImageInfo | None = None
        self._picture_layer: Layer | None = None
        self._map_layer: Layer | None = None
        self._add_controls()
        self.map = MapView("Attribution")
        self.thumbnails: dict[str, QToolButton] = {}
        body = QWidget()
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.map, 1)
        layout.addLayout(self._thumbnail_row())
        self.set_body(body)
        self._connect()
        self._show_attribution(state.attribution)

    def _add_controls(self) -> None:
        self.sign = choice(
            "Sign",
            "Evidence for and against the class, or (ReLU) only that for it",
            [("Signed map", "raw"), ("ReLU map", "relu")],
        )
        self.smooth = QCheckBox("Smooth")
        self.smooth.setToolTip(
            "Interpolate between the units' centres, instead of showing the units as they are"
        )
        self.opacity = opacity_slider()
        for control in (self.sign, self.smooth, self.opacity):
            self.controls.addWidget(control)

    def _thumbnail_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        group = QButtonGroup(self)
        for number in range(1, _MOST_STAGES + 1):
            stage = f"stage{number}"
            button = QToolButton()
            button.setText(f"Stage {number}")
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setStyleSheet(_THUMBNAIL_STYLE)
            button.setIconSize(QSize(_THUMBNAIL_PX, _THUMBNAIL_PX))
            button.setToolTip(f"Select stage {number}; each thumbnail has its own scale")
            button.setAccessibleName(f"Attribution at stage {number}")
            button.clicked.connect(lambda _checked, stage=stage: self.state.set_node(stage))
            group.addButton(button)
            row.addWidget(button)
            self.thumbnails[stage] = button
        row.addStretch()
        return row

    def _connect(self) -> None:
        state = self.state
        state.attribution_made.connect(self._show_attribution)
        state.picture_selected.connect(lambda _picture: self._await())
        state.model_loaded.connect(lambda _model: self._await())
        state.target_selected.connect(lambda _target: self._await())
        state.prediction_made.connect(lambda _prediction: self._paint())
        state.prediction_failed.connect(lambda _reason: self._paint())
        state.node_selected.connect(lambda _node: self._paint())
        self.bridge.request_finished.connect(self._notice_end)
        self.sign.currentIndexChanged.connect(self._paint)
        self.smooth.toggled.connect(self._paint)
        self.opacity.valueChanged.connect(self._compose)
        self.map.view.hovered.connect(self._hover)
        self.map.view.hover_left.connect(lambda: state.hovered.emit(""))

    # ----------------------------------------------------------------------------------------- what is there

    @property
    def is_settled(self) -> bool:
        """Whether the attribution of what is selected is there, or will not come."""
        return not self.isVisible() or self._nothing_to_show() != "" or self._is_current()

    @property
    def stage(self) -> str | None:
        """The stage of the selected node; None for the stem, which belongs to none."""
        name = self.state.node.partition(".")[0]
        return name if name in self._stages else None

    @property
    def _stages(self) -> tuple[str, ...]:
        return () if self.state.model is None else self.state.model.config.stages

    def _nothing_to_show(self) -> str:
        if self.state.picture is None:
            return NO_PICTURE
        if self.state.model is None:
            return NO_MODEL
        return self.state.prediction_failure or self._failure

    def _is_current(self) -> bool:
        """Whether the attribution held explains what is selected now."""
        held, picture = self._attribution, self.state.picture
        if held is None or held is not self.state.attribution or picture is None or held.image != picture.key:
            return False
        return self._wanted is None or held.target == self._wanted

    @property
    def _wanted(self) -> int | None:
        """The class to explain; None while it is not known which one comes first."""
        if self.state.target is None and self.state.prediction is not None:
            return self.state.prediction.top(1)[0]
        return self.state.target

    def _await(self) -> None:
        """Something else was selected: the answer is under way."""
        self._failure = ""
        self._paint()

    def _notice_end(self, finished: tuple[Request, Done | Failed | Cancelled]) -> None:
        """Another class was to be explained and will not be; why a prediction failed is in the state."""
        request, message = finished
        picture = self.state.picture
        if not isinstance(request, Attribute) or isinstance(message, Done) or self._is_current():
            return
        # What was replaced, because something else was selected, is of no interest.
        if picture is not None and (request.image, request.target) == (picture.key, self._wanted):
            self._failure = (
                f"{message.message} {message.hint}".rstrip() if isinstance(message, Failed) else "Stopped."
            )
            self._paint()

    def _show_attribution(self, attribution: Attribution | None) -> None:
        if attribution is not None:
            self._attribution = attribution
            self._failure = ""
        self._paint()

    # --------------------------------------------------------------------------------------------- display

    @property
    def _sign(self) -> Sign:
        return cast("Sign", self.sign.currentData())

    def shown_map(self, stage: str) -> Map | None:
        """The map of a stage as it is coloured: signed, or its positive part."""
        if self._attribution is None or stage not in self._attribution.cams:
            return None
        cam = self._attribution.cams[stage]
        return np.maximum(cam, 0) if self._sign == "relu" else cam

    def _limits(self, values: Map) -> Limits:
        if self._sign == "raw":
            return limits_of(values, symmetric=True)
        high = limits_of(values).high
        return Limits(0.0, high if high > 0 and np.any(values > 0) else 1.0)

    def _paint(self) -> None:
        missing = self._nothing_to_show()
        attribution, picture = self._attribution, self.state.picture
        if missing or attribution is None or picture is None:
            self.show_notice(missing or "Computing …")
            return
        self.show_body()
        self.map.view.set_dimmed(not self._is_current())
        if not self._is_current():
            return
        if picture is not self._picture:
            self._picture, self._picture_layer = picture, picture_layer(picture)
        self._paint_thumbnails()
        values = None if self.stage is None else self.shown_map(self.stage)
        placement = None if self.stage is None else self._placement(self.stage)
        if values is None or placement is None:
            self._map_layer = None
            self.map.bar.set_scale(None)
            self._compose()
            self.set_caption("The stem has no attribution: select a stage or a block.")
            self.map.set_contents(None)
            return
        limits, colormap = self._limits(values), COLORMAPS[self._sign]
        self._map_layer = map_layer(
            values, placement.box(*values.shape), limits, colormap, self.smooth.isChecked()
        )
        self.map.bar.set_scale(ColorScale(colormap, limits))
        self._compose()
        self.set_caption(self._describe(attribution, values))
        self.map.set_contents(self.contents(f"{picture.name} {attribution.method} {self.stage}", values))

    def _placement(self, stage: str) -> Placement | None:
        model = self.state.model
        if model is None or self._attribution is None:
            return None
        return Placement(model.node(stage).field, self._attribution.geometry)

    def _compose(self) -> None:
        layer, below, picture = self._map_layer, self._picture_layer, self._picture
        if below is None or picture is None:
            return
        over = () if layer is None else (replace(layer, opacity=self.opacity.value() / 100),)
        self.map.view.set_scene(Scene(size=picture.size, layers=(below, *over)))

    def _paint_thumbnails(self) -> None:
        for stage, button in self.thumbnails.items():
            values = self.shown_map(stage)
            if values is not None:
                image = to_qimage(colorize(values, self._limits(values), COLORMAPS[self._sign]))
                size = QSize(_THUMBNAIL_PX, _THUMBNAIL_PX)
                button.setIcon(QIcon(QPixmap.fromImage(image.scaled(size))))
            button.setVisible(stage in self._stages)
            button.setChecked(stage == self.stage)

    def _describe(self, attribution: Attribution, values: Map) -> str:
        height, width = values.shape
        said = [
            f"{attribution.method} for {self._target_text(attribution)} at stage {str(self.stage)[-1]}",
            f"{height} × {width} units, {'smoothed' if self.smooth.isChecked() else 'as they are'}",
            "signed, symmetric about 0" if self._sign == "raw" else "ReLU, from 0",
        ]
        missing = int(np.count_nonzero(~np.isfinite(values)))
        if missing:
            said.append(f"{missing} of {values.size} values are not finite")
        elif self._sign == "relu" and not np.any(values > 0):
            said.append("nothing is positive: this stage only speaks against the class (see the signed map)")
        return " · ".join(said)

    def _target_text(self, attribution: Attribution) -> str:
        model, prediction, target = self.state.model, self.state.prediction, attribution.target
        labels = model.labels if model is not None else ()
        name = labels[target] if target < len(labels) else f"class {target}"
        if prediction is None:
            return f"“{name}”"
        logit = format_number(float(prediction.logits[target]))
        probability = 100 * float(prediction.probabilities[target])
        return f"“{name}” (logit {logit}, {format_number(probability)} %)"

    def _hover(self, x: float, y: float) -> None:
        stage = self.stage
        placement = None if stage is None else self._placement(stage)
        values = None if stage is None else self.shown_map(stage)
        if placement is None or values is None or self._attribution is None or not self._is_current():
            return
        unit = placement.unit_at(x, y, *values.shape)
        self.map.view.set_highlight(None if unit is None else placement.unit_box(*unit))
        here = point_text(x, y)
        if unit is not None:
            named = f"{self._attribution.method} · {stage} · unit (y {unit[0]}, x {unit[1]})"
            here = f"{named} · {value_text(float(values[unit]))} · {here}"
        self.state.hovered.emit(here)
