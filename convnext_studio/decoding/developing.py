"""From stored samples to the 8-bit sRGB picture on the screen."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convnext_studio.decoding.colours import Profile, is_srgb_gamma, on_white, tone_curve
from convnext_studio.decoding.picture_view import PictureView
from convnext_studio.decoding.raster import COLOUR_BANDS, Colours, Raster, is_whole, stripes
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
_TABLE_SIZES = {1: 2**8, 2: 2**16}


def develop(raster: Raster, name: str, view: PictureView) -> tuple[NDArray[np.uint8], list[str]]:
    """Return the bands of a view as sRGB (h, w, 3), upright, with a note on everything that was done.

    Raises
    ------
    StudioError
        If there are no such bands, or values that are not finite.
    """
    view.check(raster.samples.shape[2], name)
    notes = [*_frame_notes(raster), *raster.notes]
    if view.bands:
        notes.append(_bands_note(view.bands, raster.samples.shape[2]))
        raster = _chosen(raster, view.bands)
    plan = _plan(raster, name, view.contrast)
    pixels = plan.shown if plan.is_ready else _developed(plan, notes)
    notes += plan.notes
    if raster.orientation in TURNS:
        turned = Image.fromarray(pixels).transpose(TURNS[raster.orientation])
        pixels = np.asarray(turned)
        notes.append(turn_note(raster.orientation, raster.orientation_source))
    return np.ascontiguousarray(pixels), notes


def turn_note(orientation: int, source: str) -> str:
    """Return the sentence about a picture that was turned."""
    return f"Turned upright by its {source}: {_TURN_WORDS[orientation]} (orientation {orientation})."


def _frame_notes(raster: Raster) -> list[str]:
    if raster.frames <= 1:
        return []
    if raster.frame == 0:
        return [f"First of {raster.frames} frames."]
    return [f"Frame {raster.frame + 1} of {raster.frames}."]


@dataclass(slots=True, kw_only=True)
class _Plan:
    """How the samples of a raster become colours."""

    raster: Raster
    shown: NDArray[Any]
    alpha: NDArray[Any] | None
    values: ValueRange
    profile: Profile
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
    values = range_of(raster, shown, name, contrast)
    profile = Profile(raster.profile if raster.colours != "bands" else b"", kept)
    gamma = 0.0 if profile.is_used or is_srgb_gamma(raster.gamma) else raster.gamma
    return _Plan(
        raster=raster,
        shown=shown,
        alpha=raster.samples[..., kept] if has_alpha else None,
        values=values,
        profile=profile,
        gamma=gamma,
        notes=notes + _colour_notes(raster, values, profile, gamma),
    )


def _colour_notes(raster: Raster, values: ValueRange, profile: Profile, gamma: float) -> list[str]:
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


def _developed(plan: _Plan, notes: list[str]) -> NDArray[np.uint8]:
    height, width = plan.shown.shape[:2]
    pixels = np.empty((height, width, 3), np.uint8)
    table = _table(plan)
    missing = 0
    for rows in stripes(height, width):
        values = plan.shown[rows]
        rgb = plan.profile.to_srgb(table[values] if table is not None else _as_bytes(plan, values))
        if plan.alpha is not None:
            rgb = on_white(rgb, _alpha(plan, rows), plan.raster.alpha == "premultiplied")
        if plan.values.no_data is not None:
            none = np.asarray(is_no_data(values, plan.values.no_data).all(axis=2))
            missing += int(np.count_nonzero(none))
            rgb = np.where(none[..., None], np.uint8(255), rgb)
        pixels[rows] = rgb
    if missing and plan.values.no_data is not None:
        notes.append(no_data_note(missing, plan.values.no_data))
    return pixels


def _table(plan: _Plan) -> NDArray[np.uint8] | None:
    """Return the bytes of all values of a small type, where one range goes for all bands."""
    dtype, low, high = plan.shown.dtype, plan.values.low, plan.values.high
    if dtype.kind != "u" or dtype.itemsize not in _TABLE_SIZES or np.ptp(low) or np.ptp(high):
        return None
    every = np.arange(_TABLE_SIZES[dtype.itemsize], dtype=dtype)[:, None, None]
    return _as_bytes(plan, every, ValueRange(low=low[:1], high=high[:1])).reshape(-1)


def _as_bytes(plan: _Plan, values: NDArray[Any], own_range: ValueRange | None = None) -> NDArray[np.uint8]:
    unit = (own_range or plan.values).unit(values)
    if plan.raster.zero_is_white:
        unit = 1 - unit
    if plan.gamma:
        steps = 4096
        unit = np.interp(unit, np.linspace(0, 1, steps), tone_curve(plan.gamma, steps))
    return np.rint(255 * unit).astype(np.uint8)


def _alpha(plan: _Plan, rows: slice) -> NDArray[np.float64]:
    assert plan.alpha is not None
    values = plan.alpha[rows].astype(np.float64)
    if plan.alpha.dtype == np.bool_:
        return values
    if is_whole(plan.alpha.dtype):
        own = plan.raster.bits
        top = 2.0**own - 1 if own else float(np.iinfo(plan.alpha.dtype).max)
        if plan.alpha.max() > top:
            top = float(np.iinfo(plan.alpha.dtype).max)
    else:
        top = max(1.0, float(plan.alpha.max()))
    return np.clip(values / top, 0, 1)
