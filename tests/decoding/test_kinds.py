"""Files are told apart by what is in them, and what is no picture is named."""

import pytest

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.images import decode
from convnext_studio.decoding.kinds import kind_of, stranger


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


BEGINNINGS: list[tuple[bytes, str]] = [
    (b"\xff\xd8\xff\xe0", "jpeg"),
    (b"\xff\xd8", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\x89PNG\r\n\x1a\r", "other"),
    (b"II*\0\x08\0\0\0", "tiff"),
    (b"MM\0*\0\0\0\x08", "tiff"),
    (b"II+\0\x08\0\0\0", "tiff"),
    (b"MM\0+\0\x08\0\0", "tiff"),
    (b"II*\0\x10\0\0\0CR\2\0", "raw"),
    (b"II*\0\x10\0\0\0CS\2\0", "tiff"),
    (b"\xff\xd8\xff\xe0\0\x10JFCR", "jpeg"),  # Only a TIFF file with these letters is Canon's.
    (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg2000"),
    (b"\xff\x4f\xff\x51", "jpeg2000"),
    (b"BM" + bytes(20), "bmp"),
    (b"\x93NUMPY\1\0", "array"),
    (b"FUJIFILMCCD-RAW 0201", "raw"),
    (b"IIU\0\x18", "raw"),
    (b"IIRO\x08", "raw"),
    (b"IIRS\x08", "raw"),
    (b"MMOR\0", "raw"),
    (b"FOVb\0", "raw"),
    (b"\0MRM\0", "raw"),
    (b"II\x1a\0\0\0HEAPCCDR", "raw"),
    (b"\x1aE\xdf\xa3" + bytes(30), "film"),
    (b"\0\0\x01\xba\x44", "film"),
    (b"FLV\x01\x05", "film"),
    (b"OggS\0", "film"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6", "film"),
    (b"RIFF\0\0\0\0AVI LIST", "film"),
    (b"RIFF\0\0\0\0WEBPVP8 ", "other"),
    (b"RIFX\0\0\0\0AVI LIST", "other"),
    (b"\0\0\0\x08moov" + bytes(20), "film"),
    (b"\0\0\0\x08mdat" + bytes(20), "film"),
    (b"\0\0\0\x08wide" + bytes(20), "film"),
    (b"\0\0\0\x08free", "other"),
    # The packets of an MPEG transport stream have 188 bytes and begin with a G.
    (b"G" + bytes(187) + b"G" + bytes(187) + b"G" + bytes(20), "film"),
    (b"G" + bytes(187) + b"G" + bytes(187) + b"H" + bytes(20), "other"),
    (b"G" + bytes(187) + b"H" + bytes(187) + b"G" + bytes(20), "other"),
    (b"H" + bytes(187) + b"G" + bytes(187) + b"G" + bytes(20), "other"),
    (b"GIF89a", "other"),
    (bytes(128) + b"DICM", "dicom"),
    (bytes(127) + b"DICM", "other"),
    (bytes(129) + b"DICM", "other"),
    (b"PK\x03\x04" + bytes(26) + b"picture.npy", "array"),
    (b"PK\x03\x04" + bytes(26) + b"picture.png", "other"),
    (b"PK\x05\x06" + bytes(26) + b"picture.npy", "other"),
    (b"", "other"),
    (b"G", "other"),
]


@pytest.mark.parametrize(
    ("head", "kind"), BEGINNINGS, ids=lambda value: repr(value[:24]) if value else "nothing"
)
def test_kinds_by_their_first_bytes(head: bytes, kind: str) -> None:
    assert kind_of(head) == kind


def boxes(major: bytes, *compatible: bytes) -> bytes:
    """The first box of a file in ISO's base media format."""
    brands = major + bytes(4) + b"".join(compatible)
    return (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (boxes(b"mif1", b"mif1", b"heic"), "heif"),
        (boxes(b"mif1", b"mif1", b"avif"), "other"),  # for Pillow
        (boxes(b"avif", b"mif1"), "other"),
        (boxes(b"avis", b"msf1"), "other"),
        (boxes(b"heic"), "heif"),
        *((boxes(brand), "heif") for brand in (b"heix", b"heim", b"heis", b"hevc", b"hevx", b"msf1")),
        (boxes(b"abcd", b"heic"), "heif"),
        (boxes(b"abcd", b"efgh", b"ijkl", b"heix"), "heif"),
        (boxes(b"isom", b"heic"), "heif"),
        (boxes(b"isom"), "film"),
        (boxes(b"iso6"), "film"),
        (boxes(b"isml"), "other"),
        (boxes(b"abcd", b"iso6"), "other"),
        *((boxes(brand), "film") for brand in (b"mp41", b"mp42", b"M4V ", b"qt  ", b"avc1", b"dash")),
        *((boxes(brand), "film") for brand in (b"3gp4", b"3gp5", b"mmp4", b"MSNV", b"f4v ")),
        (boxes(b"abcd", b"mp42"), "film"),
        (boxes(b"crx ", b"crx ", b"isom"), "raw"),
        (boxes(b"abcd"), "other"),
        # The version number is no brand, and what follows the box is none either.
        (b"\0\0\0\x14ftypabcdheicefgh", "other"),
        (boxes(b"abcd", b"efgh") + b"heic", "other"),
        # A box that says that it is endless is looked at for 256 bytes.
        (b"\xff\xff\xff\xffftypabcd" + bytes(4) + 59 * b"efgh" + b"heic", "heif"),
        (b"\xff\xff\xff\xffftypabcd" + bytes(4) + 60 * b"efgh" + b"heic", "other"),
    ],
    ids=lambda value: repr(value[:40]) if isinstance(value, bytes) else value,
)
def test_kinds_by_the_brands_that_a_file_names(head: bytes, kind: str) -> None:
    assert kind_of(head) == kind


@pytest.mark.parametrize(
    ("head", "title"),
    [
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b"GIF87a", "a GIF picture"),
        (b"GIF89a", "a GIF picture"),
        (b"RIFF\0\n\0\0WEBP", "a WebP picture"),
        (b"\0\0\0\x14ftypavif", "an AVIF picture"),
        (b"\0\0\x01\0\x02\0", "an icon"),
        (b"P6 2 2", "a picture of Netpbm (PBM, PGM, PPM)"),
        (b"\xff\xd8", "a JPEG picture"),
        (b"BM", "a BMP picture"),
        (b"II*\0", "a TIFF picture"),
        (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
        (boxes(b"heic"), "a HEIC picture"),
        (bytes(128) + b"DICM", "a DICOM file"),
        (b"\x93NUMPY", "an array of numpy"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_damaged_picture_is_called_what_it_begins_as(head: bytes, title: str) -> None:
    found = stranger(head, "a.png")
    assert found.message == f"“a.png” begins as {title}, but is damaged after that, or of a rare variant."


@pytest.mark.parametrize(
    "head", [b"GIF88a", b"GIF80a", b"\0\0\x01\0\x21\0", b"P8 2", b"P6x", b"RIFF\0\0\0\0WEB"]
)
def test_what_only_nearly_begins_as_a_picture(head: bytes) -> None:
    assert "not a picture of a known format" in stranger(head, "a.png").message


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"\x1f\x8b\x08", "is a gzip archive, not a picture. Unpack it first."),
        (b"Rar!\x1a", "is an archive, not a picture. Unpack it first."),
        (b"7z\xbc\xaf", "is an archive, not a picture. Unpack it first."),
        (b"RIFF\n\0\0\0WAVE", "is a sound, not a picture."),
        (b"\x7fELF", "is a program, not a picture."),
        (
            b"#?RADIANCE",
            "is a Radiance HDR picture; files of this kind cannot be opened. Save it as a float TIFF",
        ),
        (
            b"\0\0\0\x0cJXL ",
            "is a JPEG XL picture; files of this kind cannot be opened. Save it as PNG or TIFF",
        ),
        (b"II\xbc", "is a JPEG XR picture;"),
        (b"SIMPLE  =", "is a FITS file;"),
        (b"\x89HDF\r\n", "is an HDF5 file;"),
        (b"gimp xcf", "is a GIMP document;"),
        (b"\x59\xa6\x6a\x95", "is a Sun raster;"),
        (b"\x97JB2", "is a JBIG2 picture;"),
        (b"\xd7\xcd\xc6\x9a", "is a Windows metafile;"),
        (b"\xc5\xd0\xd3\xc6", "is a PostScript file, which is a program, not a picture."),
    ],
)
def test_strangers_are_told_what_to_do(head: bytes, said: str) -> None:
    assert str(stranger(head, "a.png")).startswith(f"“a.png” {said}")
