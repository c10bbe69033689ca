"""Kinds of files whose libraries are extras: DICOM, camera raw files and HEIC."""

import importlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from convnext_studio.common.errors import StudioError
from convnext_studio.decoding.formats import extras
from convnext_studio.decoding.images import decode
from tests.decoding.ramps import GREY, RGB, Values, imagemagick_writes, said, shows, stored_as

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT, JPEG_LOSSLESS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.57"
JPEG_LS, JPEG2000 = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90"


def dicom(
    values: Values, syntax: str = EXPLICIT, pack: Callable[[Values], bytes] | None = None, **facts: Any
) -> bytes:
    """A DICOM file of (H, W) or (H, W, 3)."""
    pytest.importorskip("pydicom")
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.uid import UID

    data, meta = Dataset(), FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    meta.MediaStorageSOPClassUID = data.SOPClassUID = SECONDARY_CAPTURE
    meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = "1.2.3.4"
    data.file_meta = meta
    data.Rows, data.Columns = values.shape[-3:-1] if values.shape[-1] == 3 else values.shape[-2:]
    is_colour = values.shape[-1] == 3
    data.SamplesPerPixel = 3 if is_colour else 1
    data.PhotometricInterpretation = "RGB" if is_colour else "MONOCHROME2"
    data.BitsAllocated = 8 * values.dtype.itemsize
    data.BitsStored = facts.pop("BitsStored", data.BitsAllocated)
    data.HighBit, data.PixelRepresentation = data.BitsStored - 1, int(values.dtype.kind == "i")
    if is_colour:
        data.PlanarConfiguration = 0
    for name, value in facts.items():
        setattr(data, name, value)
    data.PixelData = values.tobytes() if pack is None else encapsulate([pack(values)])
    data["PixelData"].VR = "OB" if pack or data.BitsAllocated == 8 else "OW"
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


DEEP = stored_as(GREY, "u2", 12)


def test_dicom_in_grey_and_colour() -> None:
    assert "4,095" in said(shows(dicom(DEEP, BitsStored=12), GREY, 1))
    shows(dicom(stored_as(RGB, "u1")), RGB, 0)
    inverted = dicom(4095 - DEEP, BitsStored=12, PhotometricInterpretation="MONOCHROME1")
    shows(inverted, GREY, 1)


def test_the_window_of_a_dicom_file_is_used_and_told() -> None:
    stored = (DEEP.astype(np.int16) - 1024) * 2
    content = dicom(stored, RescaleSlope=0.5, RescaleIntercept=0, WindowCenter=1024, WindowWidth=4096)
    found = shows(content, GREY, 1)
    assert "-1,024 to 3,071" in said(found)


@pytest.mark.parametrize(
    ("syntax", "pack"),
    [
        (JPEG2000, lambda values: imagecodecs.jpeg2k_encode(values, 0, codecformat="j2k", bitspersample=12)),
        (JPEG_LS, imagecodecs.jpegls_encode),
        (JPEG_LOSSLESS, lambda values: imagecodecs.ljpeg_encode(values, bitspersample=12)),
    ],
)
def test_compressed_dicom(syntax: str, pack: Callable[[Values], bytes]) -> None:
    shows(dicom(DEEP, syntax, lambda values: bytes(pack(values)), BitsStored=12), GREY, 1)


def test_frames_of_a_dicom_file() -> None:
    content = dicom(np.stack([DEEP, DEEP[::-1]]), BitsStored=12, NumberOfFrames=2)
    assert "First of 2 frames." in shows(content, GREY, 1).notes


def dng() -> bytes:
    """A raw file of 640 x 480 pixels with a preview of 16 x 12."""
    sensor = np.where(np.indices((480, 640)).sum(0) % 2, 600, np.linspace(0, 4000, 640)).astype(np.uint16)
    unit = (10_000, 10_000, 0, 1, 0, 1, 0, 1, 10_000, 10_000, 0, 1, 0, 1, 0, 1, 10_000, 10_000)
    version = [(50706, 1, 4, b"\1\4\0\0", True), (271, 2, 0, "Maker", True), (272, 2, 0, "Model", True)]
    version += [(50721, 10, 9, unit, True), (50728, 5, 3, (1, 1) * 3, True)]
    pattern = [(33421, 3, 2, (2, 2), True), (33422, 1, 4, b"\0\1\1\2", True), (50717, 3, 1, 4095, True)]
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        small = np.zeros((12, 16, 3), np.uint8)
        file.write(small, photometric="rgb", subfiletype=1, subifds=1, metadata=None, extratags=version)
        file.write(sensor, photometric="cfa", subfiletype=0, metadata=None, extratags=pattern)
    return buffer.getvalue()


def test_a_raw_file_is_developed_and_its_preview_not_shown() -> None:
    pytest.importorskip("rawpy")
    found = decode(dng())
    assert found.size == (640, 480)
    assert "developed by LibRaw" in said(found)
    assert found.pixels[200, 600].mean() > found.pixels[200, 40].mean() + 30


def test_heic(tmp_path: Path) -> None:
    pytest.importorskip("pi_heif")
    file = tmp_path / "a.heic"
    imagemagick_writes(file, RGB, "-quality", "95")
    shows(str(file), RGB, 30)


@pytest.mark.parametrize(
    ("content", "words", "extra"),
    [
        (dng(), "is a camera's raw file; to open it, rawpy is needed.*preview", "raw"),
        (bytes(128) + b"DICM" + bytes(40), "is a DICOM picture; to open it, pydicom is needed", "dicom"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is a HEIC picture; to open it, .*heif is needed", "heic"),
    ],
)
def test_a_missing_library_is_named(
    content: bytes, words: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> Any:
        if name.partition(".")[0] in ("rawpy", "pydicom", "pi_heif", "pillow_heif"):
            raise ImportError(name)
        return importlib.import_module(name)

    monkeypatch.setattr(extras, "importlib", type("without", (), {"import_module": staticmethod(refuse)}))
    with pytest.raises(StudioError, match=words) as caught:
        decode(content)
    assert f"convnext-studio[{extra}]" in caught.value.hint
