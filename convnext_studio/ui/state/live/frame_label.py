"""The line in a panel that says which frame of a live source it shows, and how many a second."""

from PySide6.QtWidgets import QSizePolicy, QWidget

from convnext_studio.model.frame_keys import number_of
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.live.rates import FrameRate
from convnext_studio.ui.widgets.elided_label import ElidedLabel

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
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
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
