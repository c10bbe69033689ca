"""Format numbers for display, and choose the ticks of a scale."""

import math
from collections.abc import Sequence

from convnext_studio.render.limits import UNCLIPPED, Clipping, Limits


def format_number(value: float, significant: int = 3) -> str:
    """Format a number with that many significant digits: "0.132", "-12.5", "40231", "1.2e-05"."""
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "NaN")
    if value == 0:
        return "0"
    rounded = float(f"{value:.{significant - 1}e}")
    exponent = math.floor(math.log10(abs(rounded)))
    if -4 <= exponent < 5:
        return f"{value:.{max(significant - 1 - exponent, 0)}f}"
    mantissa, _, power = f"{value:.{significant - 1}e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{power}"


def format_percent(share: float, decimals: int | None = 1) -> str:
    """Format a fraction as a percentage: "12.5 %".

    Fractions that would be rounded to nothing or to everything become "< 0.1 %" and "> 99.9 %". Exactly 0 is
    "0 %", and exactly 1 is "100 %".

    Parameters
    ----------
    decimals
        Digits after the decimal point; three significant digits if None.
    """
    if not math.isfinite(share):
        return "NaN"
    if share in (0, 1):
        return f"{100 * share:.0f} %"
    text = format_number(100 * share) if decimals is None else f"{100 * share:.{decimals}f}"
    step = 10.0 ** -(1 if decimals is None else decimals)
    if 0 < share < 1 and float(text) == 0:
        return f"< {step:g} %"
    if 0 < share < 1 and float(text) == 100:
        return f"> {100 - step:g} %"
    return f"{text} %"


def pluralize(count: int, one: str, many: str = "", *, is_grouped: bool = False) -> str:
    """Return a number of things: "1 picture", "2 pictures"; grouped: "1,000 pictures"."""
    number = f"{count:,}" if is_grouped else str(count)
    return f"{number} {one if count == 1 else many or one + 's'}"


def format_size(count: int) -> str:
    """Format a number of bytes: "114 MB", "1.2 GB"."""
    return f"{count / 1e9:.1f} GB" if count >= 999.5e6 else f"{max(count / 1e6, 1):.0f} MB"


def format_memory(count: float) -> str:
    """Format an amount of memory in powers of 1,024: "86.4 MiB"."""
    for power, unit in ((40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")):
        # What would be rounded to 1,024.0 of a unit is 1.0 of the next one.
        if count >= (1 << power) - (1 << power - 10) / 20:
            return f"{count / (1 << power):.1f} {unit}"
    return f"{count:.0f} B"


def format_count(count: float) -> str:
    """Format a count of parameters or operations with three digits: "28.6 M"."""
    rounded = float(f"{count:.2e}")
    for unit, size in (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if rounded >= size:
            digits = 2 if rounded < 10 * size else 1 if rounded < 100 * size else 0
            return f"{rounded / size:.{digits}f} {unit}"
    return f"{count:.0f}"


def format_round_count(count: float) -> str:
    """Format a count for the tick of an axis, without zeros after its decimal point: "100 M", "2.5 k"."""
    number, _, unit = format_count(round(count)).partition(" ")
    return f"{float(number):g} {unit}".rstrip()


def nice_ticks(limits: Limits, count: int = 5) -> tuple[float, ...]:
    """Return about `count` round numbers within the limits, in steps of 1, 2 or 5 times a power of ten."""
    span = limits.high - limits.low
    if not math.isfinite(span) or span / max(abs(limits.low), abs(limits.high)) < 1e-12:
        return limits.low, limits.high
    raw = span / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.ceil(limits.low / step - 1e-9), math.floor(limits.high / step + 1e-9)
    return tuple(min(max(index * step, limits.low), limits.high) for index in range(first, last + 1))


def number_ticks(limits: Limits) -> list[tuple[float, str]]:
    """Return round numbers within the limits, each with its text."""
    ticks = nice_ticks(limits)
    return list(zip(ticks, format_ticks(ticks), strict=True))


def bar_labels(limits: Limits, clipping: Clipping = UNCLIPPED) -> list[tuple[float, str]]:
    """Return the labels of a colour bar from the lowest, as (height from 0 to 1, text): ends and round numbers.

    The text of an end with values beyond it says so, such as "≥ 2.41". The window, the lecture and exported
    figures have these labels, as many of them as there is room for.
    """
    low, high = clipping.end_texts(format_number(limits.low), format_number(limits.high))
    inner = [
        ((tick - limits.low) / (limits.high - limits.low), text)
        for tick, text in number_ticks(limits)
        if limits.low < tick < limits.high
    ]
    return [(0.0, low), *inner, (1.0, high)]


def labels_with_room(
    labels: Sequence[tuple[float, str]], length: float, line: float
) -> list[tuple[float, str]]:
    """Return the labels that are `line` apart on a bar of a length; the first and the last are always there."""
    kept = [labels[0]]
    for height, text in labels[1:-1]:
        if min(height - kept[-1][0], 1 - height) * length >= line:
            kept.append((height, text))
    return [*kept, *labels[-1:]] if len(labels) > 1 else kept


def format_ticks(ticks: Sequence[float]) -> tuple[str, ...]:
    """Format ticks with enough digits to distinguish them."""
    step = min((later - earlier for earlier, later in zip(ticks, ticks[1:], strict=False)), default=0.0)
    largest = max((abs(tick) for tick in ticks), default=0.0)
    if not (step > 0 and math.isfinite(step)):
        return tuple(format_number(tick) for tick in ticks)
    power = math.floor(math.log10(step) + 1e-9)
    if 1e-4 <= largest < 1e5:
        return tuple(f"{tick:.{max(-power, 0)}f}" for tick in ticks)
    digits = min(max(math.floor(math.log10(largest) + 1e-9) - power + 1, 1), 17)
    return tuple(format_number(tick, digits) for tick in ticks)
