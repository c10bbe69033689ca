"""Opening and closing pictures."""

from convnext_studio.decoding.images import PREVIEW_PX, THUMBNAIL_PX
from convnext_studio.engine.answering.bench import Bench
from convnext_studio.engine.messages import CloseImage, ImageInfo, OpenImage


def open_image(bench: Bench, request: OpenImage) -> ImageInfo:
    """Decode a picture and keep it."""
    picture = bench.open_picture(request.data or request.path, request.name)
    return ImageInfo(
        key=picture.key,
        name=picture.name,
        path=picture.path,
        size=picture.size,
        notes=picture.notes,
        preview=picture.reduced(PREVIEW_PX),
        thumbnail=picture.reduced(THUMBNAIL_PX),
    )


def close_image(bench: Bench, request: CloseImage) -> None:
    """Forget a picture."""
    bench.close_picture(request.image)
