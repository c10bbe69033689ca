"""A list of patches cut from the photographs, best first."""

from collections.abc import Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QListView, QListWidget, QListWidgetItem, QWidget

from convnext_studio.protocol.channels import Patch
from convnext_studio.render import format_number
from convnext_studio.ui.panels.pictures.pictures_model import short_name
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.widgets.elided_label import plain_tip
from convnext_studio.ui.widgets.qimage import thumbnail, to_qimage
from convnext_studio.ui.widgets.text_size import follow_text, scaled_px


class PatchList(QListWidget):
    """Patches with their value and picture; a click shows the picture.

    Parameters
    ----------
    icon_px
        The side of a patch, in pixels for text of 9 points.
    word
        What a place is called.
    has_texts
        Whether value and name stand below each patch.
    """

    patch_chosen = Signal(object)  # Patch

    def __init__(
        self,
        name: str,
        state: AppState,
        icon_px: int = 64,
        *,
        word: str = "position",
        has_texts: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._state, self._icon_px, self._word, self._has_texts = state, icon_px, word, has_texts
        self._patches: Sequence[Patch] = ()
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setMovement(QListView.Movement.Static)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setWrapping(has_texts)  # Otherwise one row.
        self.setSpacing(1)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setFrameShape(QListWidget.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setAccessibleName(name)
        self.setToolTip(f"Click a patch, or press Enter on it, to see that picture and {word}")
        follow_text(self, self._fit_text)
        self.itemActivated.connect(self._choose)
        self.itemClicked.connect(self._choose)

    def show_patches(self, patches: Sequence[Patch]) -> None:
        """Show these patches in place of the previous ones."""
        self._patches = patches
        self.clear()
        pictures = {picture.key: picture for picture in self._state.opened.images}
        side = scaled_px(self._icon_px)
        for patch in patches:
            picture = pictures.get(patch.image)
            name, short = ("", "") if picture is None else (picture.name, short_name(picture))
            text = f"{format_number(patch.value)}\n{short}" if self._has_texts else ""
            item = QListWidgetItem(thumbnail(to_qimage(patch.pixels), side), text)
            item.setData(Qt.ItemDataRole.UserRole, patch)
            room = scaled_px(38) if self._has_texts else scaled_px(4)
            item.setSizeHint(QSize(side + scaled_px(6), side + room))
            where = f"{name}, {self._word} (y {patch.y}, x {patch.x}), {format_number(patch.value)}"
            item.setToolTip(plain_tip(where))
            item.setData(Qt.ItemDataRole.AccessibleTextRole, where)
            self.addItem(item)

    def _fit_text(self) -> None:
        """Show the patches in the size that goes with the text."""
        side = scaled_px(self._icon_px)
        self.setIconSize(QSize(side, side))
        self.show_patches(self._patches)

    def _choose(self, item: QListWidgetItem) -> None:
        self.patch_chosen.emit(item.data(Qt.ItemDataRole.UserRole))
