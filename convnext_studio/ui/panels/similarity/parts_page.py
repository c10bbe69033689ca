"""The parts that the open pictures have in common: outlines on every picture, and a card for each part."""

from functools import partial

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPixmap
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.protocol.channels import Patch
from convnext_studio.protocol.envelope import Payload, Request
from convnext_studio.protocol.similarity import (
    FEWEST_PARTS,
    MOST_PARTS,
    FindParts,
    Parts,
    PicturePart,
    PictureParts,
)
from convnext_studio.render import (
    PART_COLOURS,
    format_number,
    format_percent,
    part_outlines,
    part_veil,
    pluralize,
    seen_map,
)
from convnext_studio.ui.panels.base import choice, plain_label, with_held_lines
from convnext_studio.ui.panels.patch_list import PatchList
from convnext_studio.ui.panels.similarity.similarity_page import (
    Page,
    PageScene,
    SideArea,
    SimilaritySubject,
    Unit,
    position_text,
    unread_text,
)
from convnext_studio.ui.plots.map_texts import Placement
from convnext_studio.ui.plots.picture_gallery import GalleryOverlay
from convnext_studio.ui.plots.scene import Bitmap, Layer, Lines
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.python_text import PythonLines, parts_lines
from convnext_studio.ui.widgets.elided_label import PlainLabel
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

_SWATCH_PX = 14
_PATCH_PX = 44
_TINT = 0.4


class PartCard(QWidget):
    """A part's colour and name, how much of the pictures and of the Grad-CAM it has, and its patches."""

    renamed = Signal(str)
    shown_changed = Signal()
    patch_chosen = Signal(object)  # Patch

    def __init__(self, index: int, state: AppState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.index = index
        self.swatch = PlainLabel()
        self.swatch.setFixedSize(_swatch(PART_COLOURS[index]).size())
        self.swatch.setPixmap(_swatch(PART_COLOURS[index]))
        self.name = QLineEdit()
        self.name.setPlaceholderText(f"Part {index + 1}")
        self.name.setAccessibleName(f"Name of part {index + 1}")
        self.name.setToolTip("Type to rename this part")
        self.is_shown = QCheckBox("Show")
        self.is_shown.setChecked(True)
        self.is_shown.setAccessibleName(f"Show part {index + 1}")
        self.is_shown.setToolTip("Hide this part, or show it again; hidden ones are not in the label image")
        self.numbers = plain_label("muted")
        self.patches = PatchList(f"Strongest patches of part {index + 1}", state, _PATCH_PX, has_texts=False)
        follow_text(self.patches, lambda: self.patches.setFixedHeight(scaled_px(_PATCH_PX + 10)))
        self.patches.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        head = QHBoxLayout()
        for widget in (self.swatch, self.name, self.is_shown):
            head.addWidget(widget, 1 if widget is self.name else 0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 6)
        layout.setSpacing(1)
        layout.addLayout(head)
        layout.addWidget(self.numbers)
        layout.addWidget(self.patches)
        self.name.textChanged.connect(self.renamed)
        self.is_shown.toggled.connect(lambda _on: self.shown_changed.emit())
        self.patches.patch_chosen.connect(self.patch_chosen)

    def show_part(self, part: PicturePart, texts: str) -> None:
        """Show the numbers and patches of the part."""
        self.numbers.setText(with_held_lines(texts))
        if part.patches or not self.patches.count():
            self.patches.show_patches(part.patches)


def _swatch(colour: str) -> QPixmap:
    side = scaled_px(_SWATCH_PX)
    pixmap = QPixmap(QSize(side, side))
    pixmap.fill(Qt.GlobalColor.transparent)
    with QPainter(pixmap) as painter:
        painter.fillRect(1, 1, side - 2, side - 2, QColor(colour))
    return pixmap


class PartsPage(Page):
    """The page with the parts."""

    name, title = "parts", "Parts"
    tip = "Divide all open pictures into parts that they have in common"
    save_asked = Signal()

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QObject | None = None) -> None:
        super().__init__(state, bridge, parent)
        self._subject: SimilaritySubject | None = None
        self._result: Parts | None = None
        self._asked: FindParts | None = None
        self.names: dict[int, str] = {}
        self.cards: list[PartCard] = []
        self._make_controls()
        self._make_side()
        state.target_selected.connect(lambda _target: self.asked.emit())

    # ------------------------------------------------------------------------------------------- the parts

    def _make_controls(self) -> None:
        self.method = choice(
            "Method",
            "k-means gives each position the nearest of k centres. Non-negative matrix factorisation (NMF) "
            "explains the positive values as a sum of k parts, and gives each position the strongest",
            (("k-means", "kmeans"), ("NMF", "nmf")),
        )
        self.count = QSpinBox()
        self.count.setRange(FEWEST_PARTS, MOST_PARTS)
        self.count.setValue(6)
        self.count.setSuffix(" parts")
        self.count.setKeyboardTracking(False)
        self.count.setAccessibleName("Number of parts")
        self.count.setToolTip("How many parts to find, from 2 to 12")
        self.vectors = choice(
            "Compare",
            "Directions: what matters is the direction from the mean of all positions, not the length of the "
            "vectors, of which a few are very long in a ConvNeXt. Values: the vectors as they are",
            (("Directions", "direction"), ("Values", "value")),
        )
        self.save = QPushButton("Save labels…")
        self.save.setToolTip("Save the parts that are shown as a label image of the picture's size")
        self.controls = [self.method, self.count, self.vectors, self.save]
        self.method.currentIndexChanged.connect(lambda _index: self._method_chosen())
        self.vectors.currentIndexChanged.connect(lambda _index: self.asked.emit())
        self.count.valueChanged.connect(lambda _count: self.asked.emit())
        self.save.clicked.connect(self.save_asked)

    def _method_chosen(self) -> None:
        self.vectors.setEnabled(self.method.currentData() == "kmeans")
        self.asked.emit()

    def _make_side(self) -> None:
        inside = QWidget()
        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(0, 0, 0, 0)
        for index in range(MOST_PARTS):
            card = PartCard(index, self.state)
            card.hide()
            card.renamed.connect(partial(self._rename, index))
            card.shown_changed.connect(self.changed)
            card.patch_chosen.connect(self._show_patch)
            self.cards.append(card)
            self._column.addWidget(card)
        self._column.addStretch(1)
        self.side = SideArea(inside, "Cards of the parts")

    def _rename(self, index: int, name: str) -> None:
        self.names[index] = name.strip()

    def _show_patch(self, patch: Patch) -> None:
        self.state.opened.select(patch.image)
        if self._result is not None:
            self.select_unit(self._result.node, patch.y, patch.x)

    @property
    def hidden(self) -> frozenset[int]:
        """The parts that are hidden."""
        return frozenset(card.index for card in self.cards if not card.is_shown.isChecked())

    @property
    def part_names(self) -> tuple[str, ...]:
        """The names that were given to the parts; empty for those without."""
        count = 0 if self._result is None else len(self._result.parts)
        return tuple(self.names.get(index, "") for index in range(count))

    def name_of(self, index: int) -> str:
        """Return the name of a part."""
        return self.names.get(index) or f"Part {index + 1}"

    @property
    def labelled(self) -> tuple[Parts, PictureParts] | None:
        """The parts, and their labels on the large picture; None if there are none (yet)."""
        result, subject = self._result, self._subject
        if result is None or subject is None:
            return None
        own = [each for each in result.pictures if each.image == subject.picture.key]
        return (result, own[0]) if own else None

    # ----------------------------------------------------------------------------------------- the engine

    def question(self, subject: SimilaritySubject) -> Request | str:
        """Return the request for the parts of all pictures, which does not depend on the one that is shown."""
        self._subject = subject
        asked = FindParts(
            images=subject.images,
            node=subject.node.name,
            method=self.method.currentData(),
            count=self.count.value(),
            vectors=self.vectors.currentData(),
            target=subject.target,
        )
        if self._asked is not None and self._key(asked) != self._key(self._asked):
            self._reset_cards()
        self._asked = asked
        return asked

    @staticmethod
    def _key(asked: FindParts) -> tuple[object, ...]:
        """Return what the meaning of the parts depends on: other pictures may be added."""
        return asked.node, asked.method, asked.count, asked.vectors

    def _reset_cards(self) -> None:
        """Forget names and hidden parts, because the parts will be others."""
        self.names = {}
        for card in self.cards:
            for control in (card.name, card.is_shown):
                control.blockSignals(True)
            card.name.clear()
            card.is_shown.setChecked(True)
            for control in (card.name, card.is_shown):
                control.blockSignals(False)
            card.patches.show_patches(())

    def take(self, payload: Payload, subject: SimilaritySubject) -> None:
        """Show the parts, complete or so far."""
        if not isinstance(payload, Parts):
            return
        if self._result is not None and self._result.seen < self._result.total and payload.was_at:
            self._move_names(payload.was_at)
        self._subject, self._result = subject, payload
        self.show_subject(subject)

    def _move_names(self, was_at: tuple[int, ...]) -> None:
        """Let names, and what is hidden, stay with their parts, which are in the order of their sizes now."""
        names, hidden = self.names, self.hidden
        self._reset_cards()
        for index, before in enumerate(was_at):
            card = self.cards[index]
            card.name.setText(names.get(before, ""))
            card.is_shown.setChecked(before not in hidden)

    def show_subject(self, subject: SimilaritySubject) -> None:
        """Show the parts of another picture, for which nothing has to be asked."""
        self._subject, result = subject, self._result
        if result is None:
            return
        for card in self.cards:
            has_part = card.index < len(result.parts)
            card.setVisible(has_part)
            if has_part:
                part = result.parts[card.index]
                card.show_part(part, self._card_text(card.index, part))
        self.changed.emit()

    def _card_text(self, index: int, part: PicturePart) -> str:
        said = [
            f"{format_percent(part.area)} of all positions, in {pluralize(part.pictures, 'picture')}",
        ]
        labelled, model = self.labelled, self.model
        if labelled is not None:
            own = labelled[1]
            labels, _ = seen_map(own.labels, labelled[0].field, own.geometry)
            said.append(f"{format_percent(float((labels == index).mean()))} here")
            if own.cam_shares and own.target is not None and model is not None:
                label = model.labels[own.target] if own.target < len(model.labels) else f"class {own.target}"
                said.append(f"{format_percent(own.cam_shares[index])} of the Grad-CAM for {label}")
        shares = (
            [each.cam_shares[index] for each in labelled[0].pictures if each.cam_shares] if labelled else []
        )
        if len(shares) > 1:
            said.append(f"{format_percent(sum(shares) / len(shares))} of each picture's, on average")
        return " · ".join(said)

    def forget(self) -> None:
        """Forget the parts of another network."""
        self._result = None
        self._reset_cards()

    # -------------------------------------------------------------------------------------------- display

    def shown(self) -> PageScene | None:
        """Return the parts of the large picture, tinted and outlined."""
        labelled = self.labelled
        if labelled is None:
            return None
        result, own = labelled
        labels, box = seen_map(own.labels, result.field, own.geometry)
        veil = part_veil(labels, self.hidden, _TINT * self.look.opacity / 0.8)
        lines = tuple(
            Lines(ends, PART_COLOURS[part]) for part, ends in part_outlines(labels, box, self.hidden).items()
        )
        return PageScene(layers=(Layer(Bitmap(veil), box),), lines=lines, values=own.labels)

    def overlay(self, key: str) -> GalleryOverlay | None:
        """Return the parts of a small picture."""
        result = self._result
        own = None if result is None else next((each for each in result.pictures if each.image == key), None)
        if result is None or own is None:
            return None
        labels, box = seen_map(own.labels, result.field, own.geometry)
        lines = {PART_COLOURS[part]: ends for part, ends in part_outlines(labels, box, self.hidden).items()}
        veil = part_veil(labels, self.hidden, _TINT)
        return GalleryOverlay(veil, box, own.geometry.picture_size, 1.0, False, lines)

    def python(self, image: str) -> PythonLines | None:
        """Return the lines for the parts of the picture."""
        asked = self._asked
        return parts_lines(asked, image) if asked is not None and image in asked.images else None

    def placement(self) -> tuple[Placement, Unit] | None:
        """Return where the positions are."""
        labelled = self.labelled
        if labelled is None:
            return None
        result, own = labelled
        height, width = own.labels.shape
        return Placement(result.field, own.geometry), (height, width)

    def caption(self) -> str:
        """Say what was fitted, and how well."""
        result = self._result
        if result is None:
            return ""
        how = "k-means" if result.method == "kmeans" else "non-negative factorisation of the positive values"
        if result.method == "kmeans":
            how += " of the directions" if result.vectors == "direction" else " of the values"
        error = "inertia" if result.method == "kmeans" else "unexplained length"
        said = [f"{result.node}: {how} over {pluralize(len(result.pictures), 'picture')}"]
        if result.seen < result.total:
            said[0] += f" of {result.total} so far"
        said.append(f"{error} {format_number(result.error)}")
        if self.labelled is not None and not self.labelled[1].cam_shares:
            said.append(
                "Grad-CAM has no positive value here" if result.has_shares else "sharing out the Grad-CAM …"
            )
        return " · ".join((*said, *unread_text(result.skipped)))

    def point_at(self, unit: Unit | None) -> str:
        """Return the part of a position."""
        labelled = self.labelled
        if unit is None or labelled is None:
            return ""
        result, own = labelled
        part = int(own.labels[unit])
        said = "no part" if part < 0 else self.name_of(part)
        return position_text(result.node, unit, Placement(result.field, own.geometry), said)

    def choose(self, unit: Unit) -> None:
        """Scroll to the card of the part that was clicked, and select the unit."""
        labelled = self.labelled
        if labelled is None:
            return
        part = int(labelled[1].labels[unit])
        if part >= 0 and isinstance(self.side, QScrollArea):
            self.side.ensureWidgetVisible(self.cards[part])
        self.select_unit(labelled[0].node, *unit)
