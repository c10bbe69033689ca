"""The theoretical field of each stage, drawn to scale on the picture, for any kernel size."""

from collections.abc import Mapping

from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor

from convnext_studio.common.foreign.limits import LARGEST_KERNEL
from convnext_studio.common.geometry import Box, FieldGeometry
from convnext_studio.lecture.setting import OneOf
from convnext_studio.model.design_costs import kernel_figures
from convnext_studio.render import format_percent
from convnext_studio.ui.lecture.views.controls import ValueSlider, toggle
from convnext_studio.ui.lecture.views.live_view import ViewSpec
from convnext_studio.ui.lecture.views.network_picture import SeenView, draw_frame, series_colour
from convnext_studio.ui.plots.ink import Ink
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

KERNELS = tuple(range(3, LARGEST_KERNEL + 1, 2))
_PICTURE_SHARE = 0.46  # Fraction of the side of the drawing, so that there is room beyond the picture.
_DRAWING_PART = 0.6  # Fraction of the width.


def kernel_slider(value: str) -> ValueSlider:
    """Create a slider over the kernel size of the blocks."""
    tip = "Kernel size of all blocks; the rest of the network stays the same"
    return ValueSlider("Kernel", tip, KERNELS, int(value), [f"{side} × {side}" for side in KERNELS])


KERNEL = OneOf(help="Initial kernel size", default="7", values=tuple(map(str, KERNELS)))


class KernelFieldView(SeenView):
    """The theoretical field of the middle unit of each stage, as squares on the picture.

    Attributes
    ----------
    kernel
        Slider over the kernel's side.
    whole
        Whether the drawing reaches as far as the largest field.
    """

    name = "Theoretical receptive fields on the picture"
    lacks = "blocks whose kernels could be changed"

    def __init__(self, state: AppState, bridge: EngineBridge, settings: Mapping[str, str]) -> None:
        super().__init__(state, bridge, settings)
        self.kernel = kernel_slider(settings["kernel"])
        self.whole = toggle("Whole fields", "Zoom out until the whole largest field is visible")
        self.whole.setChecked(settings["extent"] == "fields")
        self.controls.addWidget(self.kernel, 1)
        self.controls.addWidget(self.whole)
        self.kernel.changed.connect(self.canvas.update)
        self.whole.toggled.connect(self.canvas.update)

    def caption(self) -> str:
        """Return the caption: model, picture, and that the fields are calculated."""
        side = self.kernel.value
        return self.subject(f"theoretical fields with {side} × {side} kernels, calculated")

    def fields(self) -> dict[str, FieldGeometry]:
        """Return the field of each stage of the open ConvNeXt with the chosen kernel."""
        return kernel_figures(self.config, self.kernel.value, self.model.input_px).fields

    def rows(self) -> list[tuple[str, str]]:
        """Return, for each stage, the size of its field and how it compares with the picture."""
        return [field_words(field, self.model.input_px) for field in self.fields().values()]

    def boxes(self) -> list[Box | None]:
        """Return the box of each stage's middle unit in the input; None if it sees everything."""
        return [
            None
            if field.is_global
            else field.unit_box(*(side // 2 for side in self.model.node(name).shape[1:]))
            for name, field in self.fields().items()
        ]

    def paint(self, ink: Ink, room: QRectF) -> None:
        """Paint the picture with the squares on the left, and their sizes on the right."""
        side = min(room.height(), room.width() * _DRAWING_PART)
        self._paint_drawing(ink, QRectF(room.left(), room.center().y() - side / 2, side, side))
        self._paint_list(ink, room.adjusted(side + ink.px, 0, 0, 0))

    def _paint_drawing(self, ink: Ink, drawing: QRectF) -> None:
        boxes, input_px = self.boxes(), self.model.input_px
        reach = input_px / _PICTURE_SHARE
        if self.whole.isChecked():
            reach = max([reach, *(1.04 * box[2] for box in boxes if box is not None)])
        scale = drawing.width() / reach
        picture = QRectF(0, 0, input_px * scale, input_px * scale)
        picture.moveCenter(drawing.center())
        ink.painter.save()
        ink.painter.setClipRect(drawing)
        ink.painter.fillRect(drawing, QColor(ink.look.raised))
        self.paint_seen(ink, picture)
        for index, box in enumerate(boxes):
            if box is not None:
                place = QRectF(*(value * scale for value in box)).translated(picture.topLeft())
                draw_frame(ink, place, series_colour(ink, index), halo=True)
        ink.painter.restore()

    def _paint_list(self, ink: Ink, room: QRectF) -> None:
        rows, line = self.rows(), ink.line()
        pitch = min(3.2 * line, (room.height() - 2 * line) / len(rows))
        y = room.center().y() - (len(rows) * pitch + 1.6 * line) / 2
        ink.text(QRectF(room.left(), y, room.width(), line), "What a unit can see", bold=True)
        y += 1.6 * line
        for index, (size, compared) in enumerate(rows):
            swatch = QRectF(room.left() + 2, y + 0.25 * line, 0.5 * line, 0.5 * line)
            draw_frame(ink, swatch, series_colour(ink, index), width=0.16 * line)
            place = QRectF(room.left() + line, y, room.width() - line, line)
            ink.text(place, f"Stage {index + 1}: {size}")
            below = place.translated(0, line)
            ink.text(below, compared, px=ink.small, colour=ink.look.muted)
            y += pitch


def field_words(field: FieldGeometry, input_px: int) -> tuple[str, str]:
    """Return the size of a theoretical field, and how it compares with the input."""
    if field.is_global:
        return "everything (GRN)", f"convolutions only: {field.size_px} px"
    ratio = field.size_px / input_px
    if ratio > 1:
        return f"{field.size_px} px", f"{ratio:.2g} × the picture's side"
    return f"{field.size_px} px", f"{format_percent(ratio, 0)} of the picture's {input_px} px"


SPEC = ViewSpec(
    name="kernel-field",
    title="The theoretical field of each stage on the picture, to scale, for any kernel size",
    make=KernelFieldView,
    settings={
        "kernel": KERNEL,
        "extent": OneOf(
            help="The initial zoom: about twice the picture, or the whole largest field",
            default="picture",
            values=("picture", "fields"),
        ),
    },
)
