"""Keys of the frames of a live source: a camera, a film that is played, a part of the screen.

A live source is one entry in the list of pictures, with one key. Each of its frames is a picture of its own for
the engine, so that nothing that was computed for one is ever shown for another: its key is that of the source
with a number. A framing comes behind that, as in the key of any image.
"""

import re

from convnext_studio.model.framing import picture_of

_FRAME = re.compile(r"~frame:(\d+)$", re.ASCII)


def frame_key(source: str, number: int) -> str:
    """Return the key of a frame of a source."""
    return f"{source}~frame:{number}"


def source_of(image: str) -> str:
    """Return the key of the list's entry that an image belongs to: without framing and number of the frame."""
    return _FRAME.sub("", picture_of(image))


def number_of(image: str) -> int | None:
    """Return the number of the frame that an image shows; None if it is not a frame of a live source."""
    found = _FRAME.search(picture_of(image))
    return None if found is None else int(found[1])
