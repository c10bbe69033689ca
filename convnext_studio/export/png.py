"""Pictures as PNG files that say what they show."""

from io import BytesIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from convnext_studio import __version__


def encoded_png(picture: Image.Image, texts: dict[str, str]) -> bytes:
    """A picture as a PNG file with texts in it."""
    written = PngInfo()
    for key, text in {"Software": f"ConvNeXt Studio {__version__}", **texts}.items():
        # Names of files may have characters that no encoding has.
        written.add_itxt(key, text.encode(errors="replace"))
    buffer = BytesIO()
    picture.save(buffer, "PNG", pnginfo=written)
    return buffer.getvalue()
