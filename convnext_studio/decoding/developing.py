"""From stored samples to the 8-bit sRGB picture on the screen."""

from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.decoding.colour_profiles import ColourProfile, is_srgb_gamma, on_white, tone_curve
from convnext_studio.decoding.picture_view import PictureView, frame_note
from convnext_studio.decoding.raster import COLOUR_BANDS, Colours, Raster, is_whole, stripes, too_large
from convnext_studio.decoding.value_range import ValueRange, is_no_data, no_data_note, range_of

TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transpositions that make a picture upright, by its EXIF orientation."""
_TURN_WORDS = {
    2: "mirrored left to right",
    3: "by 180°",
    4: "mirrored top to bottom",
    5: "mirrored along its main diagonal",
    6: "by 90° clockwise",
    7: "mirrored along its other diagonal",
    8: "by 90° anticlockwise",
}
_MAX_VALUE_BYTES = 320_000_000
# LittleCMS takes 0.2 s for a million colours without its shortcuts, which are wrong by up to 8 %.
_MAX_EXACT_COLOURS = 8_000_000
_TABLE_SIZES = {1: 2**8, 2: 2**16}


class Developed(Struct, frozen=True):
    """A picture as it is shown, and as networks take it.

    Attributes
    ----------
    pixels
        (h, w, 3) uint8 sRGB, upright.
    values
        The same from 0 to 1 before it was rounded to 8 bits, (h, w, 1 or 3) float32; None where the file has no
        more than 8 bits.
    notes
        One sentence about each thing that was done.
    """

    pixels: NDArray[np.uint8]
    values: NDArray[np.float32] | None
    notes: list[str]


def develop(raster: Raster, name: str, view: PictureView, is_for_networks: bool = True) -> Developed:
    """Make a picture of the bands of a view, upright.

    Raises
    ------
    StudioError
        If there are no such bands, or values that are not finite.
    """
    view.check(raster.samples.shape[2], name)
    notes, stored = [*_frame_notes(raster), *raster.notes], raster
    if view.bands:
        notes.append(_bands_note(view.bands, raster.samples.shape[2]))
        raster = _chosen(raster, view.bands)
    plan = _plan(raster, name, view.contrast)
    values = _empty_values(plan, notes) if is_for_networks and not view.takes_all else None
    pixels = plan.shown if plan.is_ready else _developed(plan, values, notes)
    if view.takes_all:
        values = _every_band(stored, name)
    notes += plan.notes
    if raster.orientation in TURNS:
        pixels = np.asarray(Image.fromarray(pixels).transpose(TURNS[raster.orientation]))
        values = None if values is None else np.ascontiguousarray(_turned(values, raster.orientation))
        notes.append(turn_note(raster.orientation, raster.orientation_source))
    return Developed(np.ascontiguousarray(pixels), values, notes)


def _every_band(raster: Raster, name: str) -> NDArray[np.float32]:
    """Return all bands as they are stored, (h, w, bands) from 0 to 1, with one range for all of them."""
    height, width, count = raster.samples.shape
    if height * width * count * 4 > _MAX_VALUE_BYTES:
        raise too_large(name, f"{count} bands of {width} × {height} pixels")
    alone = replace(raster, colours="rgb", alpha="none")
    found = range_of(alone, raster.samples, name)
    values = np.empty((height, width, count), np.float32)
    for rows in stripes(height, width):
        unit = found.unit(raster.samples[rows])
        values[rows] = 1 - unit if raster.zero_is_white else unit
    return values


def _empty_values(plan: "_Plan", notes: list[str]) -> NDArray[np.float32] | None:
    """Return the array for the values that networks take, if there is more to keep than 8 bits."""
    is_deep = plan.shown.dtype.itemsize > 1 and plan.raster.colours != "cmyk"
    if not is_deep:
        return None
    bands = 1 if plan.shown.shape[2] == 1 else 3
    count = plan.shown.shape[0] * plan.shown.shape[1]
    if count * bands * 4 > _MAX_VALUE_BYTES or (plan.profile.is_used and count > _MAX_EXACT_COLOURS):
        notes.append("Too large to keep more than 8 bits of each value.")
        return None
    return np.empty((*plan.shown.shape[:2], bands), np.float32)


def _turned(values: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """Return values (h, w, bands) turned as EXIF's orientation says."""
    if orientation >= 5:
        values = values.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return values[:, ::-1] if orientation in (2, 3, 6, 7) else values


def turn_note(orientation: int, source: str) -> str:
    """Return the sentence about a picture that was turned."""
    return f"Turned upright by its {source}: {_TURN_WORDS[orientation]} (orientation {orientation})."


def _frame_notes(raster: Raster) -> list[str]:
    return [] if raster.frames <= 1 else [frame_note(raster.frame, raster.frames)]


class _Plan(Struct, kw_only=True):
    """How the samples of a raster become colours."""

    raster: Raster
    shown: NDArray[Any]
    alpha: NDArray[Any] | None
    values: ValueRange
    profile: ColourProfile
    gamma: float
    notes: list[str]

    @property
    def is_ready(self) -> bool:
        """Whether the samples are 8-bit sRGB already."""
        return (
            self.shown.dtype == np.uint8
            and self.raster.colours == "rgb"
            and float(self.values.high[0]) == 255
            and self.alpha is None
            and not self.profile.is_used
            and not self.gamma
            and not self.raster.zero_is_white
            and self.values.no_data is None
        )


def _chosen(raster: Raster, bands: tuple[int, ...]) -> Raster:
    """Return a raster of these bands alone; without their neighbours they have no profile and no alpha."""
    samples = raster.samples[..., list(bands)]
    colours: Colours = "bands" if raster.colours == "bands" else "grey" if len(bands) == 1 else "rgb"
    return replace(raster, samples=samples, colours=colours, alpha="none", profile=b"", notes=[])


def _plan(raster: Raster, name: str, contrast: tuple[float, float] | None) -> _Plan:
    notes: list[str] = []
    count = raster.samples.shape[2]
    if raster.colours == "bands":
        kept = 3 if count >= 3 else 1
        shown = raster.samples[..., :kept]
        if count > kept:
            notes.append(_bands_note(tuple(range(kept)), count))
    else:
        kept = COLOUR_BANDS[raster.colours]
        shown = raster.samples[..., :kept]
    has_alpha = raster.alpha != "none"
    if raster.colours != "bands" and count > kept + has_alpha:
        notes.append(_others_note(kept + has_alpha, count))
    alpha = raster.samples[..., kept] if has_alpha else None
    if alpha is not None and float(alpha.min()) >= _full_alpha(alpha, raster.bits):
        raster, alpha = replace(raster, alpha="none"), None  # Opaque everywhere: nothing is blended.
    values = range_of(raster, shown, name, contrast)
    profile = ColourProfile(raster.profile if raster.colours != "bands" else b"", kept)
    gamma = 0.0 if profile.is_used or is_srgb_gamma(raster.gamma) else raster.gamma
    return _Plan(
        raster=raster,
        shown=shown,
        alpha=alpha,
        values=values,
        profile=profile,
        gamma=gamma,
        notes=notes + _colour_notes(raster, values, profile, gamma),
    )


def _colour_notes(raster: Raster, values: ValueRange, profile: ColourProfile, gamma: float) -> list[str]:
    notes = [values.note]
    if raster.colours == "grey" and raster.alpha == "none":
        notes.append("" if values.note or raster.notes else "Greyscale copied to all three channels.")
    if raster.zero_is_white:
        notes.append("Small values are bright in this file (WhiteIsZero), and are shown so.")
    notes.append(profile.note)
    if raster.colours == "cmyk" and not profile.is_used:
        notes.append("CMYK converted to RGB, without a colour profile.")
    if gamma:
        notes.append(f"Values stored with a gamma of {gamma:.4g} converted to that of sRGB.")
    if raster.alpha != "none":
        notes.append("Transparency blended with white.")
    return [note for note in notes if note]


def _bands_note(bands: tuple[int, ...], count: int) -> str:
    numbers = [str(band + 1) for band in bands]
    if len(numbers) == 1:
        return f"Band {numbers[0]} of {count} is shown, in grey."
    return f"Bands {numbers[0]}, {numbers[1]} and {numbers[2]} of {count} are shown as red, green and blue."


def _others_note(first: int, count: int) -> str:
    if first + 1 == count:
        return f"Band {count} has no colour and is not shown."
    return f"Bands {first + 1} to {count} have no colours and are not shown."


def _developed(plan: _Plan, values: NDArray[np.float32] | None, notes: list[str]) -> NDArray[np.uint8]:
    """Return the pixels, and fill in the values that networks take."""
    height, width = plan.shown.shape[:2]
    pixels = np.empty((height, width, 3), np.uint8)
    table = _table(plan)
    byte_table = None if table is None else _as_bytes(table)
    missing = 0
    for rows in stripes(height, width):
        stored = plan.shown[rows]
        unit: NDArray[Any] = np.empty(0)
        if byte_table is None:
            unit = _unit(plan, stored)
        elif table is not None and values is not None:
            unit = table[stored]
        rgb = plan.profile.to_srgb(_as_bytes(unit) if byte_table is None else byte_table[stored])
        alpha = _alpha(plan, rows)
        if alpha is not None:
            rgb = on_white(rgb, alpha, plan.raster.alpha == "premultiplied")
        none = None
        if plan.values.no_data is not None:
            none = np.asarray(is_no_data(stored, plan.values.no_data).all(axis=2))
            missing += int(np.count_nonzero(none))
            rgb = np.where(none[..., None], np.uint8(255), rgb)
        pixels[rows] = rgb
        if values is not None:
            values[rows] = _exact(plan, unit, alpha, none)
    if missing and plan.values.no_data is not None:
        notes.append(no_data_note(missing, plan.values.no_data))
    return pixels


def _exact(
    plan: _Plan, unit: NDArray[Any], alpha: NDArray[np.float64] | None, none: NDArray[np.bool_] | None
) -> NDArray[Any]:
    """Return what the pixels show with all the bits of the file, (h, w, 1 or 3) from 0 to 1."""
    exact = plan.profile.to_exact_srgb(unit)
    if alpha is not None:
        cover = alpha[..., None]
        own = exact if plan.raster.alpha == "premultiplied" else exact * cover
        exact = np.clip(own + 1 - cover, 0, 1)
    return exact if none is None else np.where(none[..., None], 1.0, exact)


def _table(plan: _Plan) -> NDArray[np.float32] | None:
    """Return the units of all values of a small type, where one range goes for all bands."""
    dtype, low, high = plan.shown.dtype, plan.values.low, plan.values.high
    if dtype.kind != "u" or dtype.itemsize not in _TABLE_SIZES or np.ptp(low) or np.ptp(high):
        return None
    every = np.arange(_TABLE_SIZES[dtype.itemsize], dtype=dtype)[:, None, None]
    return _unit(plan, every, ValueRange(low=low[:1], high=high[:1])).reshape(-1).astype(np.float32)


def _unit(plan: _Plan, values: NDArray[Any], own_range: ValueRange | None = None) -> NDArray[np.float64]:
    """Return stored values from 0, black, to 1, white."""
    unit = (own_range or plan.values).unit(values)
    if plan.raster.zero_is_white:
        unit = 1 - unit
    if plan.gamma:
        steps = 4096
        unit = np.interp(unit, np.linspace(0, 1, steps), tone_curve(plan.gamma, steps))
    return unit


def _as_bytes(unit: NDArray[Any]) -> NDArray[np.uint8]:
    scaled = 255 * unit
    return np.asarray(np.rint(scaled, out=scaled), np.uint8)


def _alpha(plan: _Plan, rows: slice) -> NDArray[np.float64] | None:
    """Return alpha from 0 to 1, or None if there is none."""
    if plan.alpha is None:
        return None
    values = plan.alpha[rows].astype(np.float64)
    return np.clip(values / _full_alpha(plan.alpha, plan.raster.bits), 0, 1)


def _full_alpha(alpha: NDArray[Any], bits: int) -> float:
    """Return the value of alpha that stands for opaque."""
    if alpha.dtype == np.bool_:
        return 1.0
    if not is_whole(alpha.dtype):
        return max(1.0, float(alpha.max()))
    highest = float(np.iinfo(alpha.dtype).max)
    stated = 2.0**bits - 1 if bits else highest
    return highest if alpha.max() > stated else stated
