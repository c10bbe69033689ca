"""Files are told apart by what is in them, and what is no picture is named."""

import pytest

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.images import decode
from convnext_studio.decoding.kinds import kind_of


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><title>Sign in</title>", "is a web page, not a picture"),
        (b"\n  <HTML><body>404</body>", "is a web page, not a picture"),
        (b"<!-- a --><!doctype HTML>", "is a web page, not a picture"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9", "is a Git LFS pointer"),
        (b"%PDF-1.7", "is a PDF document"),
        (b"%!PS-Adobe-3.0", "is a PostScript file"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg">', "is an SVG drawing"),
        (b"PK\x03\x04" + bytes(30), "is an archive"),
        (b"8BPS\0\1" + bytes(30), "is a Photoshop document"),
        (b"v/1\x01" + bytes(30), "is an OpenEXR picture"),
        (b"\xff\x0a" + bytes(30), "is a JPEG XL picture"),
        (b"qoif\0\0\0\x40\0\0\0\x30\3\0", "is a QOI picture"),
        (b"DDS \x7c\0\0\0" + bytes(120), "is a DirectDraw surface"),
        (b"\x01\xda\1\1\0\3\0\x40\0\x30\0\3" + bytes(500), "is an SGI picture"),
        (b"\n\5\1\x08" + bytes(124), "is a PCX picture"),
        (b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 3\nMAXVAL 255\nENDHDR\n" + bytes(12), "is a PAM picture"),
        (b"PF\n2 2\n-1.0\n" + bytes(48), r"is a float map \(PFM\)"),
        (b"SDPX" + bytes(30), "is a DPX picture"),
        (b"/* XPM */\nstatic char", "is an X pixmap"),
        (b"#define dot_width 8\n#define dot_height 8\n", "is an X bitmap"),
        (b"icns\0\0\1\0", "is an Apple icon"),
        (b"AT&TFORM\0\0\0\0DJVU", "is a DjVu document"),
        (b"just some text", "is not a picture of a known format"),
    ],
)
def test_what_cannot_be_opened_is_named(content: bytes, words: str) -> None:
    with pytest.raises(StudioError, match=words) as caught:
        decode(content, "page.jpg")
    assert "“page.jpg”" in caught.value.message
    assert "damaged" not in caught.value.message


def test_kinds_by_their_first_bytes() -> None:
    heif = b"\0\0\0\x18ftypmif1\0\0\0\0"
    for head, kind in (
        (heif + b"mif1heic", "heif"),
        (heif + b"mif1avif", "other"),
        (b"II*\0\x10\0\0\0CR\2\0", "raw"),
        (b"II*\0\x08\0\0\0", "tiff"),
        (bytes(128) + b"DICM", "dicom"),
        (b"\x93NUMPY\1\0", "array"),
        (b"GIF89a", "other"),
        (b"\0\0\0\x20ftypisom" + bytes(30), "film"),
        (b"\0\0\0\x14ftypqt  " + bytes(30), "film"),
        (b"RIFF\0\0\0\0AVI LIST", "film"),
        (b"\x1aE\xdf\xa3" + bytes(30), "film"),
    ):
        assert kind_of(head) == kind
