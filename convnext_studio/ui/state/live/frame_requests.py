"""What requests say about frames of a live source."""

from msgspec.structs import replace

from convnext_studio.model.frame_keys import frame_key, number_of, source_of
from convnext_studio.model.framing import framed, framing_of
from convnext_studio.protocol.envelope import Request

_FIELDS = ("image", "images", "key")


def images_of(request: Request) -> tuple[str, ...]:
    """Return the keys of the images that a request is about."""
    found: list[str] = []
    for name in _FIELDS:
        value = getattr(request, name, None)
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, tuple):
            found += [each for each in value if isinstance(each, str)]
    return tuple(found)


def frame_of(request: Request) -> int | None:
    """Return the number of the newest frame that a request is about; None if it is about none."""
    numbers = [number for image in images_of(request) if (number := number_of(image)) is not None]
    return max(numbers, default=None)


def without_frames(request: Request) -> Request:
    """Return a request that is the same for all frames of a source."""
    changed: dict[str, object] = {}
    for name in ("image", "images"):
        value = getattr(request, name, None)
        if isinstance(value, str):
            changed[name] = _without(value)
        elif isinstance(value, tuple):
            changed[name] = tuple(dict.fromkeys(_without(each) for each in value))
    return replace(request, id=0, **changed) if changed else request


def differ_in_frame_only(one: Request, other: Request) -> bool:
    """Whether two requests ask the same of different frames of one source."""
    if type(one) is not type(other) or frame_of(one) is None or frame_of(other) is None:
        return False
    return without_frames(one) == without_frames(other)


def _without(image: str) -> str:
    if number_of(image) is None:
        return image
    return framed(frame_key(source_of(image), 0), framing_of(image))
