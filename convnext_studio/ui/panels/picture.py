"""The picture as it was opened, and the part of it that the network sees."""

import math

from PySide6.QtWidgets import QWidget

from convnext_studio.engine.messages import ImageInfo, Prediction
from convnext_studio.geometry import CropGeometry
from convnext_studio.ui import theme
from convnext_studio.ui.bridge import EngineBridge
from convnext_studio.ui.imageview import ImageView
from convnext_studio.ui.panels.base import NO_PICTURE, Panel
from convnext_studio.ui.scene import Bitmap, Layer, Mark, Scene
from convnext_studio.ui.state import AppState


class PicturePanel(Panel):
    """Shows the picture with the network's crop on it, in the coordinates of the full picture."""

    title = "Picture"

    def __init__(self, state: AppState, bridge: EngineBridge, parent: QWidget | None = None) -> None:
        super().__init__(state, bridge, parent)
        self.view = ImageView()
        self.view.setAccessibleName("Picture")
        self.set_body(self.view)
        self._layers: tuple[Layer, ...] = ()
        self._crop: CropGeometry | None = None
        self.view.hovered.connect(self._hover)
        self.view.hover_left.connect(lambda: state.hovered.emit(""))
        state.picture_selected.connect(self._show_picture)
        state.prediction_made.connect(self._show_crop)
        self._show_picture(state.picture)
        self._show_crop(state.prediction)

    def _show_picture(self, picture: ImageInfo | None) -> None:
        self._crop = None
        if picture is None:
            self.view.set_scene(None)
            self.show_notice(NO_PICTURE)
            return
        width, height = picture.size
        self._layers = (Layer(Bitmap(picture.preview), (0.0, 0.0, float(width), float(height))),)
        self.show_body()
        self._paint()

    def _show_crop(self, prediction: Prediction | None) -> None:
        # While there is none, the crop of the last prediction stays: most often it is the next one's too.
        if prediction is not None and self.state.picture is not None:
            self._crop = prediction.geometry
            self._paint()

    def _paint(self) -> None:
        picture = self.state.picture
        if picture is None:
            return
        crop = self._crop
        scene = Scene(
            size=picture.size,
            layers=self._layers,
            marks=() if crop is None else (Mark(crop.crop_box, "what the network sees", theme.DARK.accent),),
            bright_box=None if crop is None else crop.crop_box,
        )
        self.view.set_scene(scene)
        self.set_caption(" · ".join(self._facts(picture, crop)))

    @staticmethod
    def _facts(picture: ImageInfo, crop: CropGeometry | None) -> list[str]:
        facts = [f"{picture.name}: {picture.size[0]} × {picture.size[1]} px"]
        if crop is not None:
            resized, taken = crop.resized_size, crop.input_size
            facts.append(f"resized to {resized[0]} × {resized[1]}, cropped to {taken[0]} × {taken[1]}")
        if picture.preview.shape[1] != picture.size[0]:
            facts.append("shown reduced")
        return [*facts, *picture.notes]

    def _hover(self, x: float, y: float) -> None:
        text = f"picture ({math.floor(x)}, {math.floor(y)})"
        if self._crop is not None:
            in_x, in_y = self._crop.to_input(x, y)
            width, height = self._crop.input_size
            inside = 0 <= in_x < width and 0 <= in_y < height
            text += (
                f" · network input ({math.floor(in_x)}, {math.floor(in_y)})"
                if inside
                else " · outside the crop"
            )
        self.state.hovered.emit(text)
