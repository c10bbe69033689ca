"""Principal components: three as the colours of every picture, and each alone as a signed map."""

from typing import cast

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import (
    QLabel,
    QLineEdit,
    QPushButton,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.model.framing import picture_of
from convnext_studio.protocol.envelope import Payload, Progress, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.similarity import (
    MARKED_PX,
    Basis,
    Components,
    ComponentsResult,
    KeptBasis,
    Marked,
    PlacedMaps,
    ScoreMaps,
    ScoreMapsResult,
)
from convnext_studio.render import (
    OPACITY,
    SIGNED_OVER_PICTURE,
    Clipping,
    Limits,
    format_number,
    format_percent,
    seen_map,
    signed_limits,
    three_colours,
    veil,
)
from convnext_studio.ui.panels.base import choice
from convnext_studio.ui.panels.similarity.similarity_page import (
    OverlayLook,
    Page,
    PageScene,
    SideArea,
    SimilaritySubject,
    Unit,
    finer,
    position_text,
    unread_text,
)
from convnext_studio.ui.plots.color_bar import ColorScale
from convnext_studio.ui.plots.map_texts import Placement, numbers_of, picture_layer
from convnext_studio.ui.plots.map_view import MapView
from convnext_studio.ui.plots.picture_gallery import GalleryOverlay
from convnext_studio.ui.plots.saving.view_saver import ViewContents
from convnext_studio.ui.plots.scene import Bitmap, Layer, Scene
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.python_text import PythonLines, lines_of
from convnext_studio.ui.state.query import Query
from convnext_studio.ui.widgets.choices import Switch
from convnext_studio.ui.widgets.popup import PopupButton
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

COLOUR_NAMES = ("red", "green", "blue")
_COLOURS = ("#ff5a50", "#3fc66b", "#5c8dff")
_MARK_COLOUR = (255, 214, 64)
_PANEL = "similarity_gallery"
_VIEWS = (
    ("Colours", -1, "The first three components as red, green and blue"),
    ("First", 0, "The first component alone, as a signed map"),
    ("Second", 1, "The second component alone, as a signed map"),
    ("Third", 2, "The third component alone, as a signed map"),
)
_BASIS_TIP = (
    "What the components are computed from. Kept ones stay the same for all pictures, and are saved with the "
    "session"
)


def component_lines(
    asked: Components | None, model: ModelInfo | None, image: str, index: int
) -> PythonLines | None:
    """Return the lines for one component of a picture, or for all if the index is negative."""
    found = None if asked is None or model is None else lines_of(replace(asked, image=image), model)
    if found is None or index < 0:
        return found
    return replace(found, lines=(*found.lines[:-1], f"{found.lines[-1]}[{index}]"))


class SingleComponent(QWidget):
    """One component as a signed map, with its share of the variance and the channels that load on it."""

    def __init__(self, index: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.index = index
        self.heading = QLabel()
        self.heading.setTextFormat(Qt.TextFormat.RichText)
        self.heading.setWordWrap(True)
        self.map = MapView(f"Component {index + 1}")
        follow_text(self.map, lambda: self.map.setMinimumHeight(scaled_px(84)))
        self.map.save.hide()
        self.loadings = QLabel()
        self.loadings.setTextFormat(Qt.TextFormat.RichText)
        self.loadings.setWordWrap(True)
        self.loadings.setTextInteractionFlags(
            Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
        )
        self.loadings.setAccessibleName(f"Channels of component {index + 1}")
        self.loadings.setToolTip("Click a channel to select it in all panels")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 4)
        layout.setSpacing(1)
        for widget in (self.heading, self.map, self.loadings):
            layout.addWidget(widget, 1 if widget is self.map else 0)

    def show_map(self, scene: Scene, values: NDArray[np.float32], limits: Limits) -> None:
        """Show the scores over the picture."""
        self.map.view.set_scene(scene)
        clipping = Clipping.of(values, limits)
        self.map.bar.set_scale(ColorScale(SIGNED_OVER_PICTURE, limits, clipping=clipping, zero=0.0))

    def show_basis(self, basis: Basis) -> None:
        """Describe the component."""
        share = format_percent(basis.shares[self.index])
        self.heading.setText(
            f'<span style="color:{_COLOURS[self.index]}">■</span> <b>{self.index + 1}</b> '
            f"{COLOUR_NAMES[self.index]} · {share} of the variance"
        )
        texts = [
            f'<a href="{channel}">{channel}</a> ({"+" if loading > 0 else "−"}{abs(loading):.2f})'
            for channel, loading in basis.loadings(self.index, 4)
        ]
        self.loadings.setText("Channels " + ", ".join(texts) if texts else "No variance is left for it.")


class KeepButton(PopupButton):
    """A button that opens the form in which components get a name and are kept, or are forgotten."""

    keep_asked = Signal(str)  # The name that was typed; empty for a name of the program.

    def __init__(self) -> None:
        super().__init__("Keep…", "Keep these components under a name, or forget some")
        self.setAccessibleName("Keep or forget components")
        self.name = QLineEdit()
        self.name.setPlaceholderText("Name")
        self.name.setAccessibleName("Name of the kept components")
        self.name.setToolTip("A name for the components that are shown; press Enter to keep them")
        self.keep = QPushButton("Keep")
        self.keep.setToolTip("Keep the components that are shown, with this name")
        self.forget = QPushButton("Forget")
        self.forget.setToolTip("Forget the kept components that are chosen as the basis")
        self.add_row("Name", self.name)
        self.add_wide(self.keep)
        self.add_wide(self.forget)
        self.keep.clicked.connect(lambda: self.keep_asked.emit(self.name.text().strip()))
        self.name.returnPressed.connect(self.keep.click)

    def close_sheet(self) -> None:
        """Close the form, and clear the name."""
        self.name.clear()
        self.sheet.hide()


class ForegroundMarks:
    """The foreground that people mark on pictures with a brush."""

    def __init__(self) -> None:
        self._masks: dict[str, NDArray[np.bool_]] = {}
        self._sizes: dict[str, tuple[int, int]] = {}
        self._last: tuple[float, float] | None = None

    def brush(
        self, picture: ImageInfo, at: tuple[float, float], share: float, *, begins: bool, erases: bool
    ) -> None:
        """Mark or erase a round spot of a picture, and what lies between it and the last one.

        Parameters
        ----------
        at
            Where the spot is, in pixels of the picture.
        share
            The spot's diameter, as a share of the picture's longer side.
        begins
            Whether it is the first spot of a stroke.
        """
        width, height = picture.size
        reduced = MARKED_PX / max(width, height)
        key = picture_of(picture.key)
        mask = self._masks.get(key)
        if mask is None:
            shape = max(1, round(height * reduced)), max(1, round(width * reduced))
            mask = self._masks[key] = np.zeros(shape, np.bool_)
            self._sizes[key] = picture.size
        radius = share * MARKED_PX / 2
        here = at[0] * mask.shape[1] / width, at[1] * mask.shape[0] / height
        last = here if begins or self._last is None else self._last
        steps = max(1, round(np.hypot(here[0] - last[0], here[1] - last[1]) / max(radius / 2, 1)))
        rows, columns = np.ogrid[: mask.shape[0], : mask.shape[1]]
        for step in range(1, steps + 1):
            at_x, at_y = (a + (b - a) * step / steps for a, b in zip(last, here, strict=True))
            mask[(columns + 0.5 - at_x) ** 2 + (rows + 0.5 - at_y) ** 2 <= radius**2] = not erases
        self._last = here

    def lift(self) -> None:
        """End the stroke."""
        self._last = None

    def clear(self) -> None:
        """Remove all marks."""
        self._masks.clear()

    def forget_all_but(self, keys: set[str]) -> None:
        """Forget the marks of all other pictures than these."""
        self._masks = {key: mask for key, mask in self._masks.items() if key in keys}

    @property
    def items(self) -> tuple[tuple[str, NDArray[np.bool_]], ...]:
        """The key and the marks of each picture that has some."""
        return tuple((key, mask) for key, mask in self._masks.items() if mask.any())

    def layer(self, key: str) -> Layer | None:
        """Return the marks of a picture as a layer, or None if it has none."""
        key = picture_of(key)
        mask = self._masks.get(key)
        if mask is None or not mask.any():
            return None
        colours = np.zeros((*mask.shape, 4), np.uint8)
        colours[mask] = (*_MARK_COLOUR, 90)
        inner = mask.copy()
        for axis in (0, 1):
            for step in (-1, 1):
                inner &= np.roll(mask, step, axis)
        colours[mask & ~inner] = (*_MARK_COLOUR, 255)
        width, height = self._sizes[key]
        return Layer(Bitmap(colours), (0.0, 0.0, float(width), float(height)), smooth=True)


class ComponentImages:
    """Draws components over pictures, and keeps the layers, because a brush has them painted often."""

    def __init__(self) -> None:
        self._layers: dict[tuple[str, int], Layer] = {}
        self._overlays: dict[tuple[str, int], GalleryOverlay] = {}
        self._drawn: tuple[object, ...] = ()

    def forget_others(self, basis: Basis | None, look: OverlayLook) -> None:
        """Forget what was drawn for other components or in another look."""
        if (basis, look) != self._drawn:
            self._drawn, self._layers, self._overlays = (basis, look), {}, {}

    def layer(self, placed: PlacedMaps, result: ComponentsResult, index: int, look: OverlayLook) -> Layer:
        """Return three components as colours, or a single one as a signed map."""
        self.forget_others(result.basis, look)
        if (placed.image, index) not in self._layers:
            maps, box = seen_map(placed.maps, result.field, placed.geometry)
            ends = result.basis.ends
            if index < 0:
                colours = three_colours(maps, ends, smooth=look.smooth)
                layer = Layer(Bitmap(colours), box, look.opacity, look.smooth)
            else:
                layer = _signed_layer(maps[index], box, ends[index], smooth=look.smooth)
            self._layers[placed.image, index] = layer
        return self._layers[placed.image, index]

    def overlay(
        self, placed: PlacedMaps, result: ComponentsResult, index: int, look: OverlayLook
    ) -> GalleryOverlay:
        """Return what lies over a small picture."""
        self.forget_others(result.basis, look)
        if (placed.image, index) not in self._overlays:
            maps, box = seen_map(placed.maps, result.field, placed.geometry)
            if index < 0:
                colours, opacity = three_colours(maps, result.basis.ends, smooth=False), look.opacity
            else:
                limits = signed_limits(result.basis.ends[index])
                colours, opacity = veil(maps[index], limits, SIGNED_OVER_PICTURE), OPACITY
            overlay = GalleryOverlay(colours, box, placed.geometry.picture_size, opacity, look.smooth)
            self._overlays[placed.image, index] = overlay
        return self._overlays[placed.image, index]


class ComponentsPage(Page):
    """The page with the components."""

    name, title = "components", "Components"
    tip = "The three directions in which the positions differ most, as red, green and blue"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._subject: SimilaritySubject | None = None
        self._in_view: tuple[str, ...] = ()
        self._asked: Components | None = None
        self._result: ComponentsResult | None = None
        self._others: dict[str, PlacedMaps] = {}
        self._images = ComponentImages()
        self._marks = ForegroundMarks()
        self._gallery = Query(bridge, self._take_others, lambda _reason: None, self._advance, parent=self)
        self.singles = [SingleComponent(index) for index in range(3)]
        self._make_controls()
        self._make_side()
        state.kept.bases_changed.connect(self._offer_bases)
        state.opened.changed.connect(self._forget_closed)
        self._offer_bases()

    # ------------------------------------------------------------------------------------------- the parts

    def _make_controls(self) -> None:
        self.basis = choice("Basis", _BASIS_TIP, [])
        self.view = Switch("Shown", _VIEWS)
        self.keep = KeepButton()
        self.erase = QToolButton()
        self.erase.setText("Erase")
        self.erase.setCheckable(True)
        self.erase.setToolTip("Erase marks instead of adding to them")
        self.clear = QPushButton("Clear")
        self.clear.setToolTip("Remove all marks from all pictures")
        self.brush_size = _brush_slider()
        self.controls = [self.basis, self.view, self.erase, self.brush_size, self.clear, self.keep]
        self.basis.activated.connect(self._basis_chosen)
        self.basis.currentIndexChanged.connect(lambda _index: self._basis_chosen())
        self.view.changed.connect(self.changed)
        self.keep.keep_asked.connect(self._keep)
        self.keep.forget.clicked.connect(self._forget_kept)
        self.clear.clicked.connect(self.clear_marks)

    def _make_side(self) -> None:
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(0, 0, 0, 0)
        for single in self.singles:
            layout.addWidget(single, 1)
            single.loadings.linkActivated.connect(lambda channel: self.state.set_channel(int(channel)))
            single.map.view.clicked.connect(lambda _x, _y, index=single.index: self.view.choose(index))
        self.side = SideArea(inside, "Single components")

    def _offer_bases(self, _bases: object = None) -> None:
        """List what the components can be computed from, and the kept ones."""
        chosen = self.basis.currentText()
        self.basis.blockSignals(True)
        self.basis.clear()
        for text, value in (
            ("This picture", "picture"),
            ("All open pictures", "pictures"),
            ("Marked foreground", "foreground"),
        ):
            self.basis.addItem(text, value)
        for kept in self.state.kept.bases:
            self.basis.addItem(kept.name, kept)
        index = max(0, self.basis.findText(chosen))
        self.basis.setCurrentIndex(index)
        self.basis.blockSignals(False)
        self._basis_chosen()

    def show_controls(self) -> None:
        """Show the controls that have a meaning now."""
        for control in (self.erase, self.brush_size, self.clear):
            control.setVisible(self.is_marking)
        self.keep.forget.setEnabled(self._kept is not None)

    def _basis_chosen(self) -> None:
        self.show_controls()
        self.changed.emit()
        self.asked.emit()

    @property
    def _kept(self) -> KeptBasis | None:
        """The kept components that are chosen, or None."""
        data = self.basis.currentData()
        return data if isinstance(data, KeptBasis) else None

    @property
    def is_marking(self) -> bool:
        """Whether dragging over the large picture marks its foreground."""
        return bool(self.basis.currentData() == "foreground")

    def _keep(self, typed: str) -> None:
        if self._result is None:
            return
        number = len(self.state.kept.bases) + 1
        basis = self._result.basis
        name = typed or f"{basis.node}, {basis.origin} ({number})"
        self.state.kept.set_bases((*self.state.kept.bases, KeptBasis(name=name, basis=basis)))
        self.basis.setCurrentIndex(self.basis.findText(name))
        self.keep.close_sheet()

    def _forget_kept(self) -> None:
        kept = self._kept
        self.state.kept.set_bases(each for each in self.state.kept.bases if each is not kept)
        self.keep.sheet.hide()

    # ------------------------------------------------------------------------------------------ the brush

    def brush(self, x: float, y: float, begins: bool) -> None:
        """Mark or erase a round spot of the large picture, and what lies between it and the last one."""
        subject = self._subject
        if subject is None:
            return
        share, erases = self.brush_size.value() / 100, self.erase.isChecked()
        self._marks.brush(subject.picture, (x, y), share, begins=begins, erases=erases)
        self.changed.emit()

    def lift_brush(self) -> None:
        """Compute the components of what is marked now."""
        self._marks.lift()
        self.asked.emit()

    def clear_marks(self) -> None:
        """Remove all marks."""
        self._marks.clear()
        self.changed.emit()
        self.asked.emit()

    @property
    def marked(self) -> tuple[Marked, ...]:
        """The marks of all pictures that have some."""
        return tuple(
            Marked.of(self.state.opened.framings.image_of(key), mask) for key, mask in self._marks.items
        )

    def _forget_closed(self, _pictures: object = None) -> None:
        open_keys = {picture.key for picture in self.state.opened.images}
        self._marks.forget_all_but({picture.key for picture in self.state.opened.all})
        self._others = {key: maps for key, maps in self._others.items() if key in open_keys}

    # ----------------------------------------------------------------------------------------- the engine

    def question(self, subject: SimilaritySubject) -> Request | str:
        """Return the request for the components, and this picture's scores."""
        self._subject = subject
        asked = Components(image=subject.picture.key, node=subject.node.name)
        kept = self._kept
        if kept is not None:
            asked = replace(asked, node=kept.basis.node, kept=kept.basis)
        elif self.basis.currentData() == "pictures":
            asked = replace(asked, over=subject.images)
        elif self.is_marking:
            asked = replace(asked, marked=self.marked)
        self._asked = asked
        return asked

    def take(self, payload: Payload, subject: SimilaritySubject) -> None:
        """Show components, and ask for the other pictures' scores."""
        if not isinstance(payload, ComponentsResult):
            return
        if self._result is None or payload.basis != self._result.basis:
            self._others = {}
        self._subject, self._result = subject, payload
        self._others[payload.scores.image] = payload.scores
        for single in self.singles:
            single.show_basis(payload.basis)
        self.changed.emit()
        self.show_small(self._in_view)

    def show_small(self, keys: tuple[str, ...]) -> None:
        """Ask for the scores of the small pictures that are in view: there may be thousands of others."""
        self._in_view, subject, result = keys, self._subject, self._result
        if subject is None or result is None:
            return
        missing = tuple(key for key in keys if key not in self._others and key in subject.images)
        if missing:
            asked = ScoreMaps(panel=_PANEL, images=missing, basis=result.basis, network=subject.network)
            self._gallery.ask(asked, of=subject.model)

    def _advance(self, progress: Progress) -> None:
        if isinstance(progress.partial, ScoreMapsResult):
            self._take_others(progress.partial)

    def _take_others(self, payload: Payload) -> None:
        if isinstance(payload, ScoreMapsResult):
            self._others.update({each.image: each for each in payload.scores})
            self.changed.emit()

    def forget(self) -> None:
        """Forget the components of another network, but not the marks."""
        self._gallery.drop()
        self._result, self._others = None, {}
        self._images.forget_others(None, self.look)

    @property
    def is_settled(self) -> bool:
        """Whether the other pictures have their colours."""
        return not self._gallery.is_running

    # -------------------------------------------------------------------------------------------- display

    def shown(self) -> PageScene | None:
        """Return the colours or the signed map of the large picture, and what the brush has marked."""
        result = self._result
        if result is None:
            return None
        index = cast("int", self.view.value)
        layers: tuple[Layer, ...] = (self._images.layer(result.scores, result, index, self.look),)
        self._show_singles(result)
        if self.is_marking and (mark := self._marks.layer(result.scores.image)) is not None:
            layers = (*layers, mark)
        if index < 0:
            return PageScene(layers=layers, values=result.scores.maps)
        values = result.scores.maps[index]
        limits = signed_limits(result.basis.ends[index])
        scale = ColorScale(SIGNED_OVER_PICTURE, limits, clipping=Clipping.of(values, limits), zero=0.0)
        return PageScene(layers=layers, scale=scale, values=values)

    def _show_singles(self, result: ComponentsResult) -> None:
        subject = self._subject
        if subject is None or subject.picture.key != result.scores.image:
            return
        below = picture_layer(subject.picture)
        for single in self.singles:
            layer = self._images.layer(result.scores, result, single.index, self.look)
            scene = Scene(size=subject.picture.size, layers=(below, layer))
            values = result.scores.maps[single.index]
            single.show_map(scene, values, signed_limits(result.basis.ends[single.index]))
            name = f"{subject.picture.name} component {single.index + 1}"
            python = component_lines(self._asked, self.model, subject.picture.key, single.index)
            single.map.set_contents(ViewContents(name, self.caption(), values, python))

    def python(self, image: str) -> PythonLines | None:
        """Return the lines for all components of a picture, or for the one that is shown alone."""
        return component_lines(self._asked, self.model, image, cast("int", self.view.value))

    def overlay(self, key: str) -> GalleryOverlay | None:
        """Return the colours of a small picture."""
        placed, result = self._others.get(key), self._result
        if placed is None or result is None:
            return None
        return self._images.overlay(placed, result, cast("int", self.view.value), self.look)

    def placement(self) -> tuple[Placement, Unit] | None:
        """Return where the positions are."""
        result = self._result
        if result is None:
            return None
        height, width = result.scores.maps.shape[1:]
        return Placement(result.field, result.scores.geometry), (height, width)

    def caption(self) -> str:
        """Describe the basis, and how much it explains."""
        result = self._result
        if result is None:
            return ""
        basis = result.basis
        explained = " + ".join(format_percent(share) for share in basis.shares)
        whole = format_percent(sum(basis.shares))
        said = [
            f"{basis.node}: components of {basis.origin}, {basis.positions} positions",
            f"explained variance {explained} = {whole}",
        ]
        kept = self._kept
        if kept is not None:
            said.insert(0, f"“{kept.name}”, kept")
            if basis.network != (self.model.title if self.model is not None else ""):
                said.append(f"computed with {basis.network}")
        if self.is_marking and not self.marked:
            said.append("drag over the picture to mark its foreground; until then, all of this picture counts")
        return " · ".join((*said, *unread_text(result.skipped)))

    def point_at(self, unit: Unit | None) -> str:
        """Return the scores of a position."""
        result = self._result
        if unit is None or result is None:
            return ""
        scores = ", ".join(
            f"{index + 1}: {format_number(float(value))}"
            for index, value in enumerate(result.scores.maps[:, unit[0], unit[1]])
        )
        placement = Placement(result.field, result.scores.geometry)
        return position_text(result.node, unit, placement, f"components {scores}")

    def choose(self, unit: Unit) -> None:
        """Select the unit in all panels."""
        if self._result is not None:
            self.select_unit(self._result.node, *unit)


def _brush_slider() -> QSlider:
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(1, 30)
    slider.setValue(8)
    slider.setAccessibleName("Size of the brush")
    slider.setToolTip("Diameter of the brush, in per cent of the picture's longer side")
    follow_text(slider, lambda: slider.setFixedWidth(scaled_px(70)))
    return slider


def _signed_layer(
    values: NDArray[np.float32],
    box: tuple[float, float, float, float],
    ends: tuple[float, float],
    *,
    smooth: bool,
) -> Layer:
    colours = veil(finer(values, smooth), signed_limits(ends), SIGNED_OVER_PICTURE)
    return Layer(Bitmap(colours), box, OPACITY, smooth, numbers=numbers_of(values))
