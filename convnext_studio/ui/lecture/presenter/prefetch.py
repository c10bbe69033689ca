"""Prefetch the live views of the steps around the current one."""

from collections.abc import Mapping

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QStackedWidget

from convnext_studio.lecture.script import Lecture
from convnext_studio.ui.lecture.views.live_view import LectureView, ViewSpec
from convnext_studio.ui.lecture.views.registry import complete_settings
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.bridge import EngineBridge

_POLL_MS = 30
_AROUND = (1, 2, -1)
"""The steps that are prefetched, relative to the current one, in the order in which they ask the engine."""


class StepViews(QObject):
    """Keeps the views of the current step and of those around it in a stack, and shows the current one.

    Once the current view shows its answer, the views of the next two steps are created and query the engine,
    then the previous step's. The second of them does not wait for the first, whose answer may take a minute: a
    lecturer who passes it quickly would otherwise find a step that nobody has prepared.

    Parameters
    ----------
    stack
        Stack that holds the views.
    """

    network_chosen = Signal(str)  # Forwarded from the views; see `LectureView`.
    network_left = Signal()

    def __init__(
        self,
        state: AppState,
        bridge: EngineBridge,
        lecture: Lecture,
        views: Mapping[str, ViewSpec],
        stack: QStackedWidget,
    ) -> None:
        super().__init__(stack)
        self._state = state
        self._bridge = bridge
        self._steps = lecture.steps
        self._specs = views
        self._stack = stack
        self._views: dict[int, LectureView] = {}
        self._index = 0
        self._text_px = 16
        self._inset_px = 0
        self._ahead = QTimer(self)
        self._ahead.setInterval(_POLL_MS)
        self._ahead.timeout.connect(self._look_ahead)

    @property
    def live(self) -> tuple[int, ...]:
        """The indices of the steps that have a view now."""
        return tuple(sorted(self._views))

    @property
    def current(self) -> LectureView:
        """The view that is shown."""
        return self._views[self._index]

    @property
    def is_looking_ahead(self) -> bool:
        """Whether a view may still have to be created."""
        return self._ahead.isActive()

    def show(self, index: int) -> LectureView:
        """Show a step's view, and create it if it was not prefetched."""
        self._index = index
        view = self._made(index)
        self._stack.setCurrentWidget(view)
        view.prepare()
        for far in [other for other in self._views if other - index not in (0, *_AROUND)]:
            self._discard(far)
        self._ahead.start()
        return view

    def set_text_px(self, px: int) -> None:
        """Scale the text of all views."""
        self._text_px = px
        for view in self._views.values():
            view.set_text_px(px)

    def set_inset(self, px: int) -> None:
        """Set the border inside all views, so that a view on the whole screen does not touch its edges."""
        self._inset_px = px
        for view in self._views.values():
            view.setContentsMargins(px, px, px, px)

    def close(self) -> None:
        """Discard all views and their requests."""
        self._ahead.stop()
        for index in list(self._views):
            self._discard(index)

    def _made(self, index: int) -> LectureView:
        if index not in self._views:
            step = self._steps[index]
            view = self._specs[step.view].make(self._state, self._bridge, complete_settings(step, self._specs))
            view.network_chosen.connect(self.network_chosen)
            view.network_left.connect(self.network_left)
            self._stack.addWidget(view)
            view.ensurePolished()  # Otherwise Qt would reset the fonts when the view is shown.
            view.set_text_px(self._text_px)
            view.setContentsMargins(*[self._inset_px] * 4)
            # At its final size, the view is already laid out when it is shown.
            view.resize(self._stack.size())
            self._views[index] = view
        return self._views[index]

    def _look_ahead(self) -> None:
        """Create one missing view per call, once the current view has settled."""
        if not self.current.is_settled:
            return
        for neighbour in (self._index + distance for distance in _AROUND):
            if 0 <= neighbour < len(self._steps) and neighbour not in self._views:
                self._made(neighbour).prepare()
                return
        self._ahead.stop()

    def _discard(self, index: int) -> None:
        view = self._views.pop(index)
        view.retire()
        self._stack.removeWidget(view)
        view.hide()
        view.deleteLater()
