"""Decoded pictures with places that were blurred or filled."""

from collections.abc import Sequence

from msgspec.structs import replace

from convnext_studio.common.retouches import Retouch
from convnext_studio.decoding.images import DecodedImage
from convnext_studio.render.retouching import PastedPixels, retouched


def with_retouches(picture: DecodedImage, retouches: Sequence[Retouch], pasted: PastedPixels) -> DecodedImage:
    """Return a picture with changes; in 8 bits and, where its file has more, in all of them.

    Parameters
    ----------
    pasted
        Returns the pixels of the pictures that are pasted.

    Raises
    ------
    StudioError
        If a change makes no sense.
    """
    for retouch in retouches:
        retouch.check()
    pixels = retouched(picture.pixels, retouches, pasted)
    values = None if picture.values is None else retouched(picture.values, retouches, pasted)
    for array in (pixels, values):
        if array is not None:
            array.flags.writeable = False
    changed = sum(retouch.enabled for retouch in retouches)
    note = f"{changed} {'place was' if changed == 1 else 'places were'} changed by hand."
    return replace(
        picture, path="", pixels=pixels, values=values, notes=(*picture.notes, note), is_retouched=True
    )
