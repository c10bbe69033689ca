"""One point of the picture, shown in every view of it."""

from collections.abc import Callable

from PySide6.QtCore import QObject

from convnext_studio.ui.imageview import ImageView
from convnext_studio.ui.state import AppState

Point = tuple[float, float]
Place = Callable[[float, float], Point | None]


def same_point(x: float, y: float) -> Point:
    """For a scene that is the picture."""
    return x, y


class LinkedCrosshair(QObject):
    """Ties a view to the point that is shown in all views of the current picture; lives as long as the view.

    Parameters
    ----------
    state
        Holds the point.
    view
        Tells where the pointer is, and shows where it is in other views.
    to_picture, to_scene
        From a point of the view's scene to the picture's pixels, and back; None where there is no such point.
        To be left out where the scene is the picture.
    """

    def __init__(
        self, state: AppState, view: ImageView, to_picture: Place = same_point, to_scene: Place = same_point
    ) -> None:
        super().__init__(view)
        self._state = state
        self._view = view
        self._to_picture = to_picture
        self._to_scene = to_scene
        view.hovered.connect(self._point)
        view.hover_left.connect(self._leave)
        state.pointed_at.connect(self._show)

    def _point(self, x: float, y: float) -> None:
        self._state.point_at(self._to_picture(x, y))

    def _leave(self) -> None:
        self._state.point_at(None)

    def _show(self, point: Point | None) -> None:
        self._view.set_crosshair(None if point is None else self._to_scene(*point))
