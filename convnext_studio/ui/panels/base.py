"""The base class for panels, and the small widgets that panels share."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QRect, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSlider,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from convnext_studio.model.frame_keys import number_of
from convnext_studio.protocol.envelope import Network, Request
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.render import DIVERGING, OPACITY, SEQUENTIAL
from convnext_studio.ui.panels.python_of_two import lines_of_two
from convnext_studio.ui.plots.saving.view_saver import RANDOM_WEIGHTS, ViewContents
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge
from convnext_studio.ui.state.live.rates import FrameRate
from convnext_studio.ui.state.python_text import PythonLines, lines_of
from convnext_studio.ui.widgets.choices import Switch, WordedBox
from convnext_studio.ui.widgets.control_row import ControlRow
from convnext_studio.ui.widgets.elided_label import ElidedLabel, PlainLabel, plain_tip
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px

if TYPE_CHECKING:  # A query is made for a panel.
    from convnext_studio.ui.panels.panel_query import PanelQuery

_LEAST_CAPTION_PX = 150
_GAP_PX = 6  # Between a caption and the badges.
COPY_AS_PYTHON = "Copy as P&ython\tCtrl+Shift+C"


_KEEPS_UP = 0.75
"""A panel that shows a smaller share of the frames says so."""


class FrameLabel(ElidedLabel):
    """Says which frame a panel shows and how many a second it really has; hidden unless the picture is live.

    Parameters
    ----------
    follows
        Whether the panel shows every frame as soon as it is the picture; otherwise it calls `count`.
    """

    def __init__(self, state: AppState, follows: bool, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self._state = state
        self._follows = follows
        self._last: int | None = None
        self._own, self._of_picture = FrameRate(), FrameRate()
        self.setProperty("muted", True)
        self.setAccessibleName("Frame")
        self.setToolTip("The frame that is shown here, and how many frames a second this panel really shows")
        follow_text(self, lambda: self.setFixedHeight(self.fontMetrics().height()))  # Also without a text.
        self.hide()
        state.picture_selected.connect(self._follow)

    def count(self, number: int | None) -> None:
        """Take note that the panel shows that frame now; None if it shows none."""
        if number is None:
            return
        if number != self._last:
            self._last = number
            self._own.count()
        self._show(number)

    def _follow(self, picture: ImageInfo | None) -> None:
        number = None if picture is None else number_of(picture.key)
        if number is None:
            # The first is a frozen frame: the line stays, so that nothing moves.
            self.setVisible(bool(self.text()))
            self.setText("")
            self._own.clear()
            self._of_picture.clear()
            return
        self._of_picture.count()
        if self._follows:
            self.count(number)

    def _show(self, number: int) -> None:
        if not self._state.live.is_on:
            return
        own, all_of = self._own.per_second, self._of_picture.per_second
        lags = own < _KEEPS_UP * all_of
        self.setText(
            f"frame {number + 1:,} · {own:.1f} of {all_of:.1f}/s"
            if lags
            else f"frame {number + 1:,} · {own:.1f}/s"
        )
        self.show()


class _Caption(PlainLabel):
    """A caption that keeps room for what it may say next, however wide it is."""

    def __init__(self) -> None:
        super().__init__()
        self._possible: tuple[str, ...] = ()

    def keep_room(self, texts: tuple[str, ...]) -> None:
        """Keep room for the longest of these texts."""
        self._possible = texts
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if self._possible:
            self._fit()

    def _fit(self) -> None:
        room, flags, metrics = QRect(0, 0, self.width(), 1 << 16), Qt.TextFlag.TextWordWrap, self.fontMetrics()
        boxes = [metrics.boundingRect(room, flags.value, with_held_lines(text)) for text in self._possible]
        self.setMinimumHeight(max((box.height() for box in boxes), default=0))


class _CaptionRow(QWidget):
    """A caption with badges beside it, or below it where it would become a narrow column.

    It places them itself: a layout of Qt would lay out the whole panel anew for every caption, even for one of
    the same height.
    """

    def __init__(self, caption: QLabel, badges: tuple[QLabel, ...]) -> None:
        super().__init__()
        self._caption, self._badges = caption, badges
        self._told = QSize()
        for part in (caption, *badges):
            part.setParent(self)
        for badge in badges:
            badge.hide()

    def hasHeightForWidth(self) -> bool:
        """Return True, because a narrow caption has more lines."""
        return True

    def heightForWidth(self, width: int) -> int:
        """Return the height of the caption and the badges at a width."""
        badges = self._badges_size
        if badges.isEmpty():
            return self._caption_height(width)
        if self._is_narrow(width):
            return self._caption_height(width) + _GAP_PX + badges.height()
        return max(self._caption_height(width - badges.width() - _GAP_PX), badges.height())

    def sizeHint(self) -> QSize:
        """Return the size in which the caption has as many lines as it likes best."""
        width = self._caption.sizeHint().width() + self._badges_size.width()
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        """Return the width of the badges: the caption has as much room as there is."""
        badges = self._badges_size
        return QSize(badges.width(), max(badges.height(), self._caption.minimumSizeHint().height()))

    def follow(self) -> None:
        """Place the parts, and ask for another size if they need one."""
        self._place()
        needed = QSize(self._badges_size.width(), self.heightForWidth(self.width()))
        if needed != self._told:
            self._told = needed
            self.updateGeometry()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Place the parts for this width."""
        super().resizeEvent(event)
        self.follow()

    def showEvent(self, event: QShowEvent) -> None:
        """Take note of what has changed while Qt told nothing."""
        super().showEvent(event)
        self.follow()

    def event(self, event: QEvent) -> bool:
        """Follow the text, and the badges that there are now."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.follow()
        return super().event(event)

    @property
    def _shown(self) -> list[QLabel]:
        return [badge for badge in self._badges if not badge.isHidden()]

    @property
    def _badges_size(self) -> QSize:
        """The size of the badges side by side; empty without one."""
        sizes = [badge.sizeHint() for badge in self._shown]
        width = sum(size.width() for size in sizes) + _GAP_PX * max(len(sizes) - 1, 0)
        return QSize(width, max((size.height() for size in sizes), default=0))

    def _is_narrow(self, width: int) -> bool:
        return width - self._badges_size.width() < scaled_px(_LEAST_CAPTION_PX)

    def _caption_height(self, width: int) -> int:
        return max(self._caption.heightForWidth(max(width, 1)), self._caption.minimumHeight())

    def _place(self) -> None:
        shown, badges, width = self._shown, self._badges_size, self.width()
        height = self.height()
        if shown and self._is_narrow(width):
            self._caption.setGeometry(0, 0, width, max(height - badges.height() - _GAP_PX, 0))
        else:
            self._caption.setGeometry(0, 0, width - badges.width() - _GAP_PX if shown else width, height)
        x = width - badges.width()
        for badge in shown:
            size = badge.sizeHint()
            badge.setGeometry(x, height - size.height(), size.width(), size.height())
            x += size.width() + _GAP_PX


class Panel(QWidget):
    """A dock panel that shows one aspect of the selection.

    Attributes
    ----------
    title
        Title of the dock.
    state, bridge
        The application state (the selection), and the connection to the engine.
    is_of_model
        Whether the panel shows data of the open model, so that random weights have to be marked.
    compares
        Whether the panel can show the second network, too; otherwise it shows the first, whatever is chosen.
    follows_changes
        Whether a panel that does not compare shows what is seen after changes, where that is chosen.
    follows_picture
        Whether the panel shows a picture as soon as it is selected, and asks nothing about it.
    controls
        The row of controls above the content; those that do not fit fold into a popup.
    ways_out
        The row of buttons below the notice.
    """

    title = ""
    is_of_model = True
    compares = False
    follows_changes = False
    follows_picture = False
    python_asked = Signal(object)  # PythonLines: the script of the panel is to be copied

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.state = state
        self.bridge = bridge
        self._query: PanelQuery | None = None
        self.controls = ControlRow(f"More controls of “{self.title}”")
        self._badge = random_badge()
        self._changed_badge = changed_badge()
        self._notice = PlainLabel()
        self._notice.setWordWrap(True)
        self._notice.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._notice.setProperty("muted", True)
        self._again = QPushButton("Try again")
        self._again.setToolTip("Try this computation again")
        self._again.clicked.connect(self.ask_again)
        self.ways_out = QHBoxLayout()
        self.ways_out.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.ways_out.addWidget(self._again)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._notice_page())
        self._said = ""
        self._caption = _Caption()
        self._caption.setWordWrap(True)
        self._caption.setProperty("muted", True)
        self._caption.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        # A long caption wraps rather than widening the panel.
        self._caption.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.setSpacing(4)
        layout.addWidget(self.controls)
        layout.addWidget(self._stack, 1)
        self.frame_label = FrameLabel(state, self.follows_picture)
        layout.addWidget(self.frame_label)
        self._caption_row = _CaptionRow(self._caption, (self._changed_badge, self._badge))
        layout.addWidget(self._caption_row)
        state.model_loaded.connect(self._show_badge)
        state.second.shown_changed.connect(self._show_badge)
        self._show_badge()

    def _notice_page(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.addStretch()
        layout.addWidget(self._notice)
        layout.addLayout(self.ways_out)
        layout.addStretch()
        return page

    def set_body(self, body: QWidget) -> None:
        """Set the widget for the panel's content; call this once."""
        self._stack.addWidget(body)

    def set_query(self, query: "PanelQuery") -> None:
        """Set the query whose answer the panel shows; it is refreshed whenever the panel is shown."""
        self._query = query

    @property
    def is_settled(self) -> bool:
        """Whether the panel is up to date, with no work in progress."""
        return self._query is None or self._query.is_settled

    @property
    def notice(self) -> str:
        """The sentence shown instead of the content; empty while there is content."""
        return self._notice.text() if self._stack.currentIndex() == 0 else ""

    @property
    def is_of_networks(self) -> bool:
        """Whether the content is that of one or both of two open networks, which the caption then says."""
        return self.compares and self.state.second.model is not None

    @property
    def network(self) -> Network:
        """The network that a panel asks which follows changes: B is the first one with changes."""
        second = self.state.second
        is_after = self.follows_changes and second.is_changed_first and second.shown == "second"
        return "B" if is_after else "A"

    @property
    def asked_model(self) -> ModelInfo | None:
        """The network that the panel asks about."""
        return self.state.second.model if self.network == "B" else self.state.model

    @property
    def caption(self) -> str:
        """The line below the content."""
        return self._said

    @property
    def marks_random_weights(self) -> bool:
        """Whether the panel shows the badge for random weights."""
        return not self._badge.isHidden()

    @property
    def marks_changes(self) -> bool:
        """Whether the panel shows the badge for what was changed by hand."""
        return not self._changed_badge.isHidden()

    def show_notice(self, text: str, can_retry: bool = False) -> None:
        """Show a plain sentence instead of the content."""
        self._notice.setText(text)
        self._again.setVisible(can_retry)
        self._stack.setCurrentIndex(0)
        self.set_caption("")

    def show_body(self) -> None:
        """Show the content instead of the notice."""
        self._stack.setCurrentIndex(1)

    @property
    def shows_body(self) -> bool:
        """Whether the panel shows its content rather than a notice."""
        return self._stack.currentIndex() == 1

    def set_caption(self, text: str) -> None:
        """Set the caption, which gives the scale and geometry of the content in words."""
        if text and self.is_of_networks:
            text = f"{self.state.second.choice.text()}: {text}"
        elif text and self.follows_changes and self.state.second.is_changed_first:
            choice = self.state.second.choice
            text = f"{choice.second if self.network == 'B' else choice.first}: {text}"
        self._said = text
        self._caption.setText(with_held_lines(text))
        self._caption_row.follow()
        self.setAccessibleDescription(text or self.notice)

    def keep_caption_room(self, *texts: str) -> None:
        """Keep room for the longest of these captions, so that nothing moves when one replaces another."""
        self._caption.keep_room(texts)
        self._caption_row.follow()

    @property
    def python(self) -> PythonLines | None:
        """The lines of Python that give what the panel shows; None if it shows nothing, or scripts cannot."""
        question = None if self._query is None else self._query.shown_question
        return None if question is None else self.python_of(question)

    def python_of(self, question: Request, share: float | None = None) -> PythonLines | None:
        """Return the lines that give what the panel shows of the answers to a request.

        Parameters
        ----------
        share
            Where the curtain's line is in the map, as a share of its width; that of the view if None.
        """
        model, second = self.state.model, self.state.second
        pair = second.pair
        if not self.compares or pair is None or second.shown == "first":
            lines = None if model is None else lines_of(question, model)
            return lines if lines is None or self.network == "A" else replace(lines, network=self.network)
        return lines_of_two(question, pair, second.shown, second.choice.curtain if share is None else share)

    @property
    def network_title(self) -> str:
        """The title of the network or the networks that the panel is about."""
        if self.compares:
            return self.state.second.title
        return "" if self.asked_model is None else self.asked_model.title

    @property
    def is_of_random_weights(self) -> bool:
        """Whether a network that the panel is about has random weights."""
        if self.compares:
            return self.state.second.marks_random_weights
        return self.state.model is not None and self.state.model.random_weights

    @property
    def is_of_changes(self) -> bool:
        """Whether what the panel shows was computed with changes."""
        return self.network == "B" or (self.compares and self.state.second.marks_changes)

    def contents(
        self, name: str, values: NDArray[Any] | None = None, python: PythonLines | None = None
    ) -> ViewContents:
        """Return the contents of one of the panel's views for files: model, caption, mark of random weights."""
        said = (self.network_title, self.caption, RANDOM_WEIGHTS if self.marks_random_weights else "")
        return ViewContents(name, " · ".join(text for text in said if text), values, python)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Offer to copy what the panel shows as Python, wherever a view has no menu of its own."""
        if self.python is None:
            event.ignore()
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(COPY_AS_PYTHON).triggered.connect(self.copy_python)
        menu.popup(event.globalPos())

    def copy_python(self) -> None:
        """Ask for the script of the panel on the clipboard."""
        if self.python is not None:
            self.python_asked.emit(self.python)

    def ask_again(self) -> None:
        """Send the panel's request to the engine again."""
        if self._query is not None:
            self._query.ask_again()

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with changes that were made while the panel was hidden."""
        super().showEvent(event)
        if self._query is not None:
            self._query.refresh()

    def hideEvent(self, event: QHideEvent) -> None:
        """Pause long work that nobody can see; a window that is minimised is not meant."""
        super().hideEvent(event)
        if self._query is not None and not event.spontaneous():
            self._query.pause()

    def _show_badge(self, _changed: object = None) -> None:
        self._badge.setVisible(self.is_of_model and self.is_of_random_weights)
        self._changed_badge.setVisible(self.is_of_model and self.is_of_changes)


def random_badge() -> QLabel:
    """Return the badge that marks random weights."""
    badge = PlainLabel("random weights")
    badge.setProperty("badge", True)
    badge.setToolTip("This network has learnt nothing: you see what chance made of the picture.")
    return badge


def changed_badge() -> QLabel:
    """Return the badge that marks what is computed with changes."""
    badge = PlainLabel("changed")
    badge.setProperty("badge", True)
    badge.setToolTip("This is computed with the changes that are listed over the network.")
    return badge


def plain_label(role: str = "", text: str = "") -> QLabel:
    """Return a label with plain text that wraps and can be copied, styled by one of the theme's roles."""
    label = PlainLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setWordWrap(True)
    if role:
        label.setProperty(role, True)
    return label


def choice(name: str, tip: str, items: Iterable[tuple[str, object]], word: str | None = None) -> WordedBox:
    """Return a combo box with (text, data) items and a name for screen readers.

    It shows `word` in front of its text unless a label beside it says what it is; by default its name.
    """
    box = WordedBox(name if word is None else word)
    box.setAccessibleName(name)
    box.setToolTip(plain_tip(tip))
    for text, data in items:
        box.addItem(text, data)
    box.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    return box


def colormap_choice(signed_first: bool = False) -> QComboBox:
    """Return a combo box of the colour maps, with those for signed data marked as such."""
    sequential = [(name.capitalize(), name) for name in SEQUENTIAL]
    diverging = [(f"{name.capitalize()} (±)", name) for name in DIVERGING]
    items = diverging + sequential if signed_first else sequential + diverging
    tip = "Colour map; ± is for signed data, symmetric about 0"
    return choice("Colour map", tip, items, word="Colours")


def opacity_slider() -> QSlider:
    """Return a slider for the opacity of the map over the picture, from 0 to 100 %."""
    slider = QSlider(Qt.Orientation.Horizontal)
    slider.setRange(0, 100)
    slider.setValue(round(100 * OPACITY))
    follow_text(slider, lambda: slider.setFixedWidth(scaled_px(80)))
    slider.setAccessibleName("Opacity")
    slider.setToolTip("Opacity of the largest value; that of any other is proportional to its size")
    return slider


def resolution_switch() -> Switch:
    """Return a switch between maps that are interpolated, for which its value is True, and their true grid."""
    return Switch(
        "Resolution",
        (
            ("Smooth", True, "Interpolate between the units' centres, at which the values are exact"),
            ("True grid", False, "Show each unit as a square of one colour"),
        ),
    )


_NO_BREAK = "\N{NO-BREAK SPACE}"


_HELD = re.compile(
    r"(?<=[a-z]) (?=[-+]?\d)"  # min -3.84
    r"|(?<=\d) (?=(?:px|%|ms|s|G|×)(?!\w))|(?<=×) (?=\d)"  # 96 × 96 px
    r"| (?=·)"
)


def with_held_lines(text: str) -> str:
    """Insert no-break spaces so that short facts are not split when a label wraps the text."""
    return _HELD.sub(_NO_BREAK, text)
