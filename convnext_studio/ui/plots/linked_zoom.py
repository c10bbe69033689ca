"""Link views of one picture, so that they share a crosshair and a zoom."""

from collections.abc import Callable

from PySide6.QtCore import QObject

from convnext_studio.ui.plots.image_view import ImageView
from convnext_studio.ui.state.app_state import AppState
from convnext_studio.ui.state.selection.linked_views import Viewport

Point = tuple[float, float]
Place = Callable[[float, float], Point | None]


def same_point(x: float, y: float) -> Point:
    """Return the point itself, for a scene in picture coordinates."""
    return x, y


class _Link(QObject):
    """A link of a view to all views of the current picture, as long as the view exists.

    Parameters
    ----------
    state
        State that holds what the views share.
    view
        View that reports what is done in it, and follows what is done in other views.
    to_picture, to_scene
        Functions from a point of the view's scene to the picture's pixels and back, which return None if there
        is no such point. By default the scene has the picture's coordinates.
    """

    def __init__(
        self, state: AppState, view: ImageView, to_picture: Place = same_point, to_scene: Place = same_point
    ) -> None:
        super().__init__(view)
        self._state = state
        self._view = view
        self._to_picture = to_picture
        self._to_scene = to_scene


class LinkedCrosshair(_Link):
    """Links a view's crosshair to those of all views of the current picture."""

    def __init__(
        self, state: AppState, view: ImageView, to_picture: Place = same_point, to_scene: Place = same_point
    ) -> None:
        super().__init__(state, view, to_picture, to_scene)
        view.hovered.connect(self._point)
        view.hover_left.connect(self._leave)
        state.views.pointed_at.connect(self._show)

    def _point(self, x: float, y: float) -> None:
        self._state.views.point_at(self._to_picture(x, y))

    def _leave(self) -> None:
        self._state.views.point_at(None)

    def _show(self, point: Point | None) -> None:
        self._view.set_crosshair(None if point is None else self._to_scene(*point))


class LinkedZoom(_Link):
    """Links a view's zoom to those of all views of the current picture.

    It reports and follows zooms only while the state says that they are linked.
    """

    def __init__(
        self, state: AppState, view: ImageView, to_picture: Place = same_point, to_scene: Place = same_point
    ) -> None:
        super().__init__(state, view, to_picture, to_scene)
        self._is_telling = False
        view.moved.connect(self._tell)
        view.refitted.connect(lambda: self._follow(state.views.viewport))
        state.views.viewport_changed.connect(self._follow)

    def _tell(self) -> None:
        if self._state.views.zoom_is_linked:
            self._is_telling = True
            self._state.views.set_viewport(self._viewport())
            self._is_telling = False

    def _viewport(self) -> Viewport | None:
        """Return the part of the picture that this view shows; None if it shows its whole scene."""
        view = self._view
        x, y = view.centre
        here, beside = self._to_picture(x, y), self._to_picture(x + 1, y)
        if view.is_fitted or here is None or beside is None:
            return None
        return Viewport(*here, self._shorter_px / view.scale * (beside[0] - here[0]))

    def _follow(self, viewport: Viewport | None) -> None:
        view = self._view
        if self._is_telling or not self._state.views.zoom_is_linked or view.scene is None:
            return
        if viewport is None:
            view.fit()
            return
        here, beside = self._to_scene(viewport.x, viewport.y), self._to_scene(viewport.x + 1, viewport.y)
        if here is not None and beside is not None:
            view.look(*here, self._shorter_px / (viewport.span_px * (beside[0] - here[0])))

    @property
    def _shorter_px(self) -> int:
        return max(1, min(self._view.width(), self._view.height()))
