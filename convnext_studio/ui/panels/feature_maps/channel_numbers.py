"""Show one channel in numbers: histogram, statistics, and its depthwise kernel."""

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QVBoxLayout, QWidget

from convnext_studio.protocol.channels import Kernel, KernelResult
from convnext_studio.protocol.envelope import Payload
from convnext_studio.render import ALL_VALUES, Clipping, Limits, Range, format_number, format_percent, limits_of
from convnext_studio.ui.panels.base import plain_label
from convnext_studio.ui.panels.feature_maps.channel_view import ChannelValues
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.histogram import Histogram
from convnext_studio.ui.plots.map_texts import is_signed, map_layer
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.saving.view_saver import ViewContents
from convnext_studio.ui.plots.scene import Scene
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.python_text import PythonLines, call
from convnext_studio.ui.state.query import Query

_SIGNED = "vik"


class ChannelNumbersView(QWidget):
    """A view with the histogram, the kernel and the statistics; it asks only while visible."""

    read_out = Signal(str)

    def __init__(self, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._wanted: ChannelValues | None = None
        self._kernel: KernelResult | None = None
        self._kernel_colormap, self._kernel_range = _SIGNED, ALL_VALUES
        self._question = Query(bridge, self._show_kernel, self._show_failure, parent=self)
        self.histogram = Histogram()
        self.statistics = plain_label("muted")
        self.kernel_map = MapView("Depthwise kernel")
        self.kernel_text = plain_label("muted")
        self._pictures = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._pictures.addWidget(self.histogram, 1)
        self._pictures.addWidget(self.kernel_map, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(self._pictures, 1)
        layout.addWidget(self.statistics)
        layout.addWidget(self.kernel_text)
        self.histogram.hovered.connect(self.read_out)
        self.kernel_map.view.hovered.connect(self._hover_kernel)
        self.kernel_map.view.hover_left.connect(lambda: self.read_out.emit(""))

    @property
    def is_settled(self) -> bool:
        """Whether no answer is pending that would be visible."""
        return not (self.isVisible() and self._question.is_running)

    def show_channel(self, shown: ChannelValues, limits: Limits, colormap: str) -> None:
        """Show the numbers of a channel, coloured as in its map."""
        self._wanted = shown
        self.histogram.show_values(shown.finite, limits, colormap)
        self.statistics.setText(_statistics_text(shown))
        self._ask()

    def colour_kernel(self, colormap: str, chosen: Range) -> None:
        """Set the kernel's colour map and range; an empty name selects the map for signed data.

        A range set by hand applies to the values of the feature map. It means nothing for weights, so all of
        them are then shown.
        """
        self._kernel_colormap = colormap or _SIGNED
        self._kernel_range = ALL_VALUES if chosen.kind == "hand" else chosen
        if self._kernel is not None and self._kernel.kernel is not None:
            self._show_weights(self._kernel.kernel)

    def forget(self) -> None:
        """Drop the pending question, because another model has other kernels."""
        self._question.drop()

    def showEvent(self, _event: object) -> None:
        """Ask for the kernel when the view becomes visible."""
        self._ask()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Put the pictures side by side in a wide view, one above the other in a tall one."""
        is_wide = event.size().width() > 0.8 * event.size().height()
        self._pictures.setDirection(
            QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom
        )

    def _ask(self) -> None:
        if self._wanted is not None and self.isVisible():
            subject, channel = self._wanted.subject, self._wanted.channel
            self._question.ask(
                Kernel(node=subject.result.node, channel=channel, panel="feature_maps", network=subject.network)
            )

    def _show_kernel(self, payload: Payload) -> None:
        if not isinstance(payload, KernelResult):
            return
        self._kernel = payload
        kernel = payload.kernel
        if kernel is None:
            self._show_failure(payload.why_not)
            return
        self._show_weights(kernel)
        self.kernel_map.show()
        height, width = kernel.shape
        text = (
            f"{payload.source}: {height} × {width} · sum {format_number(float(kernel.sum()))}"
            f" · bias {format_number(payload.bias)}"
        )
        self.kernel_text.setText(text)
        name = f"{payload.source} kernel {payload.channel}"
        python = PythonLines((f"values = {call('explorer.kernel', payload.node, payload.channel)}",))
        caption = f"Channel {payload.channel} of {text}."
        self.kernel_map.set_contents(ViewContents(name, caption, kernel, python))

    def _show_weights(self, kernel: NDArray[np.float32]) -> None:
        height, width = kernel.shape
        colormap, limits = self._kernel_colormap, self._kernel_range.limits(kernel)
        if is_signed(colormap):
            limits = limits_of(np.array([limits.low, limits.high]), symmetric=True)
        layer = map_layer(kernel, (0.0, 0.0, float(width), float(height)), limits, colormap)
        self.kernel_map.view.set_scene(Scene(size=(width, height), layers=(layer,)))
        self.kernel_map.bar.set_scale(ColorScale(colormap, limits, clipping=Clipping.of(kernel, limits)))

    def _show_failure(self, reason: str) -> None:
        self._kernel = None
        self.kernel_map.hide()
        self.kernel_text.setText(reason)

    def _hover_kernel(self, x: float, y: float) -> None:
        if self._kernel is not None and self._kernel.kernel is not None:
            row, column = int(y), int(x)
            weight = format_number(float(self._kernel.kernel[row, column]))
            self.kernel_map.view.set_highlight((float(column), float(row), 1.0, 1.0))
            place = f"channel {self._kernel.channel} · kernel (y {row}, x {column})"
            self.read_out.emit(f"{self._kernel.source} · {place} · weight {weight}")


def _statistics_text(shown: ChannelValues) -> str:
    """Return the channel's statistics as text."""
    finite: NDArray[np.float64] = shown.finite.astype(np.float64)
    total = shown.values.size
    said = []
    if not shown.is_exact:
        said.append("of the overview, until the exact values arrive")
    if finite.size < total:
        said.append(f"{total - finite.size} of {total} values are not finite")
    if finite.size:
        negative = np.count_nonzero(finite < 0) / finite.size
        named = (
            ("min", finite.min()),
            ("median", float(np.median(finite))),
            ("max", finite.max()),
            ("mean", finite.mean()),
            ("std", finite.std()),
        )
        said += [f"{name} {format_number(float(number))}" for name, number in named]
        said.append(f"{format_percent(negative, None)} negative")
    return " · ".join(said)
