"""The frames of a live source that panels still show or compute with; it needs no Qt."""

from collections.abc import Collection

from msgspec import Struct
from msgspec.structs import replace

from convnext_studio.model.frame_keys import number_of
from convnext_studio.model.framing import picture_of
from convnext_studio.protocol.pictures import ImageInfo
from convnext_studio.protocol.predictions import Prediction


class ShownFrame(Struct, frozen=True, kw_only=True, eq=False):
    """A frame of a live source that is to be the picture.

    Attributes
    ----------
    picture
        The frame, by its key without a framing.
    prediction, second
        The predictions of A and B, which all panels can so show at once.
    failure
        Why there is no prediction of A.
    averaged
        The keys of the frames that averages are over.
    kept
        The keys of the earlier frames about which something is still being computed.
    """

    picture: ImageInfo
    prediction: Prediction | None
    second: Prediction | None = None
    failure: str = ""
    averaged: tuple[str, ...] = ()
    kept: Collection[str] = ()


class LiveFrames:
    """The frame that is the picture, and earlier ones about which something is still being computed.

    Attributes
    ----------
    averaged
        The keys of the frames that averages are over, the latest last; empty unless a frame is the picture.
    is_on
        Whether the picture is a frame of a live source, which others follow.
    """

    def __init__(self) -> None:
        self.averaged: tuple[str, ...] = ()
        self.is_on = False
        self._frames: dict[str, ImageInfo] = {}

    def take(self, shown: ShownFrame) -> None:
        """Take a frame as the picture."""
        self.is_on, self.averaged = True, shown.averaged
        self._frames = {key: each for key, each in self._frames.items() if key in shown.kept}
        self._frames[shown.picture.key] = shown.picture

    def follow(self, picture: ImageInfo | None) -> None:
        """Take note of another picture."""
        self.is_on = picture is not None and number_of(picture.key) is not None
        if not self.is_on:
            self.averaged, self._frames = (), {}

    def picture(self, image: str, current: ImageInfo | None) -> ImageInfo | None:
        """Return the picture that an answer is about: the current one, or an earlier frame."""
        if current is not None and current.key == image:
            return current
        known = self._frames.get(picture_of(image))
        return None if known is None else replace(known, key=image)
