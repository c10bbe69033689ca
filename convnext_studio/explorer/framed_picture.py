"""An opened picture, and what the network is shown of it."""

from collections.abc import Iterable
from io import BytesIO
from typing import Self, cast

from msgspec.structs import replace
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.picture_view import WHOLE, PictureView
from convnext_studio.engine.server.dispatch import Answers
from convnext_studio.explorer.checked_requests import checked, not_negative
from convnext_studio.explorer.picture_sources import PictureSource, opening
from convnext_studio.model.framing import FRAMING_KINDS, Framing, FramingKind, PictureBox, framed, framing_of
from convnext_studio.protocol.models import ModelInfo
from convnext_studio.protocol.pictures import ImageInfo, PictureFailure, ShowPicture


class FramedPicture:
    """A picture that is open in an `Explorer`, and its framing.

    Attributes
    ----------
    info
        Name, size in pixels, notes about decoding, and a preview (h, w, 3) uint8.
    """

    def __init__(self, dispatcher: Answers, model: ModelInfo, info: ImageInfo) -> None:
        self._dispatcher = dispatcher
        self._model = model
        self.info = info

    @property
    def key(self) -> str:
        """The key of the picture in the engine."""
        return self.info.key

    @property
    def framing(self) -> Framing:
        """What the network is shown of the picture."""
        return framing_of(self.key)

    def framed(
        self, framing: FramingKind = "trained", *, input_px: int = 0, box: PictureBox | None = None
    ) -> Self:
        """Return the same picture, of which the network is shown another part or at another size.

        Parameters
        ----------
        framing
            ``trained``: resized and cropped as in the network's training. ``whole``: the whole picture, padded
            with the mean colour to a multiple of the network's stride. ``native``: the same at its own size.
        input_px
            The side of the crop, or the longer side of the whole picture; 0 for the network's own.
        box
            x, y, width and height of the only part to show, in pixels of the picture.

        Raises
        ------
        StudioError
            If there is no such framing.
        """
        if framing not in FRAMING_KINDS:
            raise StudioError(f"There is no framing “{framing}”.", f"There are: {', '.join(FRAMING_KINDS)}.")
        chosen = checked(Framing(kind=framing, input_px=input_px, box=box))
        not_negative(input_px=chosen.input_px)
        for number in chosen.box or ():
            not_negative(box=number)
        info = replace(self.info, key=framed(self.key, chosen))
        return type(self)(self._dispatcher, self._model, info)

    def __repr__(self) -> str:
        width, height = self.info.size
        said = [f"{self.info.name}, {width} × {height} px", self.framing.text]
        return f"<Picture: {', '.join(text for text in said if text)}>"

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        Image.fromarray(self.info.preview).save(buffer, "PNG")
        return buffer.getvalue()


def keys_of(pictures: object) -> tuple[str, ...]:
    """Return the keys of opened pictures; a StudioError names what is none."""
    return tuple(map(_key_of, pictures if isinstance(pictures, Iterable) else (pictures,)))


def _key_of(picture: object) -> str:
    if not isinstance(picture, FramedPicture):
        raise StudioError(f"{str(picture)[:60]} is no opened picture.", "Give what Explorer.open returns.")
    return picture.key


def picture_info(dispatcher: Answers, picture: PictureSource, name: str, view: PictureView) -> ImageInfo:
    """Open a picture in the engine, and return what is known of it; see `Explorer.open`."""
    info = cast(ImageInfo, dispatcher.run(opening(picture, str(name))))
    if not isinstance(view, PictureView):
        raise StudioError(f"{str(view)[:60]} is no view of a picture.", "Give a PictureView.")
    if view == WHOLE:
        return info
    answer = dispatcher.run(ShowPicture(image=info.key, view=view))
    if isinstance(answer, PictureFailure):
        raise StudioError(answer.message, answer.hint)
    return cast(ImageInfo, answer)
