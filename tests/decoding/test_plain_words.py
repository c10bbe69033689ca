"""What is said of damaged pictures is for people: no words of the libraries that read them."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.images import decode

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
FOR_PROGRAMMERS = re.compile(
    r"decoder|index|out of range|IFD|None|Error|errno|offset|buffer|tuple|byte string|to unpack|struct|0x|"
    r"object|attribute|argument|assert|exception|traceback|string|literal|invalid",
    re.IGNORECASE,
)


def encoded(kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    if kind in ("npy", "npz"):
        write = np.save if kind == "npy" else np.savez_compressed
        write(buffer, PIXELS)
    else:
        Image.fromarray(PIXELS).save(buffer, kind, **options)
    return buffer.getvalue()


def refusal(content: bytes) -> str:
    """What is said of a file; nothing if it opens."""
    try:
        decode(content, "it")
    except StudioError as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize(
    "kind", ["PNG", "JPEG", "GIF", "WEBP", "AVIF", "TIFF", "BMP", "ICO", "PPM", "TGA", "JPEG2000", "npy", "npz"]
)
def test_sentences_are_for_people(kind: str) -> None:
    """Files that are cut off, and files with a few other bytes, mostly in their headers."""
    whole, random = encoded(kind), np.random.default_rng(1)
    files = [whole[:length] for length in (3, 9, 12, 20, 30, 40, 60, len(whole) // 2, len(whole) - 5)]
    for _ in range(25):
        changed = bytearray(whole)
        for place in random.integers(0, min(len(whole), 200), 3):
            changed[place] = random.integers(0, 256)
        files.append(bytes(changed))
    said = [refusal(content) for content in files]
    assert any(said)
    assert not [sentence for sentence in said if FOR_PROGRAMMERS.search(sentence) or len(sentence) > 300]


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("PNG", "a PNG picture"),
        ("GIF", "a GIF picture"),
        ("WEBP", "a WebP picture"),
        ("AVIF", "an AVIF picture"),
    ],
)
def test_what_begins_as_a_picture_is_called_so(kind: str, named: str) -> None:
    beginning = encoded(kind)[:16]
    with pytest.raises(StudioError) as refused:
        decode(beginning + bytes(64), "it")
    assert named in str(refused.value) or "damaged" in str(refused.value)
    assert "not a picture" not in str(refused.value)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "TGA", "WEBP", "JPEG2000"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_only_what_is_transparent_somewhere_is_blended(kind: str, mode: str) -> None:
    picture = Image.fromarray(PIXELS).convert(mode)
    for alpha, is_blended in ((255, False), (254, True)):
        picture.putalpha(alpha)
        buffer = io.BytesIO()
        picture.save(buffer, kind, **({"lossless": True} if kind == "WEBP" else {}))
        found = decode(buffer.getvalue(), "it")
        assert ("Transparency blended with white." in found.notes) == is_blended
        if not is_blended:
            np.testing.assert_array_equal(
                found.pixels, np.asarray(Image.fromarray(PIXELS).convert(mode[:-1]).convert("RGB"))
            )
