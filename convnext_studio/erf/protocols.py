"""Exact definitions of the protocols by which receptive fields are measured.

For every picture, a signal of the measured unit is differentiated with respect to the input, (3, H, W). The
gradient is turned into the field of the picture, (H, W), and the result is the mean over the pictures.

``replknet``
    Ding, Zhang, Han and Ding, "Scaling Up Your Kernels to 31x31", CVPR 2022, arXiv:2203.06717, and the
    authors' scripts (github.com/DingXiaoH/RepLKNet-pytorch, ``erf/``). Signal: ReLU of the map's column
    (:, h // 2, w // 2), summed over channels. Field: ReLU of the gradient, summed over the colours. Published
    for 50 pictures squashed bicubically to 1024 x 1024, and for the last map before norm and head. Squares are
    measured on log10(x + 1) around the pixel (H // 2, W // 2), with odd sides. They depend on the scale of the
    gradient and are not centred on the unit. The scripts skip a picture if its field has a NaN, but include
    infinities; here both are skipped.
``centred``
    The same field, but squares grow around the true centre of the unit's theoretical field and are measured on
    the field itself, so that they do not depend on the scale of the gradient.
``absolute``
    As ``centred``, but with the absolute value of the gradient instead of its ReLU: evidence against the unit
    counts like evidence for it.
``luo``
    Luo, Li, Urtasun and Zemel, "Understanding the Effective Receptive Field in Deep Convolutional Neural
    Networks", NIPS 2016, arXiv:1701.04128: a gradient of 1 at one unit and of 0 at all others, for random
    inputs. Signal: the unit itself, without ReLU, summed over channels. Inputs: independent standard normal
    noise. Field: absolute value of the gradient, summed over the colours (the paper does not say how colours
    and signs are combined). A round Gaussian is fitted around the true centre. Its radius is where it falls to
    1 - 95.45 % of its central value, the paper's edge of the field (`convnext_studio.erf.gaussian`).

For a class score, the signal is the logit of the class without ReLU, in every protocol.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from convnext_studio.common.errors import StudioError
from convnext_studio.erf.squares import Scale

Protocol = Literal["replknet", "centred", "absolute", "luo"]

REPLKNET_INPUT_PX = 1024
"""The side to which the published protocol squashes its pictures."""
REPLKNET_COUNT = 50
"""The number of pictures over which the published protocol averages."""


class Definition(Struct, frozen=True, kw_only=True):
    """The definition of a protocol.

    Attributes
    ----------
    source
        The publication.
    rectifies_unit
        Whether a ReLU is applied to the unit before it is differentiated.
    takes_absolute
        Whether the field is the absolute value of the gradient instead of its positive part.
    scale
        The scale on which the protocol measures its squares.
    published_centre
        Whether squares are centred on the pixel (H // 2, W // 2) instead of the true centre of the unit.
    takes_noise
        Whether inputs are random noise instead of pictures.
    """

    source: str
    rectifies_unit: bool = True
    takes_absolute: bool = False
    scale: Scale = "linear"
    published_centre: bool = False
    takes_noise: bool = False


_DING = "Ding et al. 2022, arXiv:2203.06717"

DEFINITIONS: Mapping[Protocol, Definition] = MappingProxyType(
    {
        "replknet": Definition(source=_DING, scale="log", published_centre=True),
        "centred": Definition(source=f"gradient of {_DING}"),
        "absolute": Definition(source=f"{_DING}, with the absolute gradient", takes_absolute=True),
        "luo": Definition(
            source="Luo et al. 2016, arXiv:1701.04128",
            rectifies_unit=False,
            takes_absolute=True,
            takes_noise=True,
        ),
    }
)


def definition(protocol: str) -> Definition:
    """Return the definition of the protocol with that name; a StudioError if there is none."""
    for name, known in DEFINITIONS.items():
        if name == protocol:
            return known
    raise StudioError(f"There is no protocol “{protocol}”.", f"There are: {', '.join(DEFINITIONS)}.")


SQUASHED = "squashed to"
"""How RepLKNet's authors bring pictures to the size of the input."""


class MeasurementSettings(Struct, frozen=True, kw_only=True):
    """The settings of a measurement, from which `protocol_text` makes its sentence.

    Attributes
    ----------
    protocol
        The protocol of the measurement.
    node, unit
        The measured unit, None for the middle one; ignored if `target` is a class, whose logit was measured.
    is_last_map
        Whether the map of the node is the last one before the head.
    input_size
        Width and height of the input.
    fitted
        How the pictures were brought to that size, such as ``squashed to``.
    pictures, noises
        The number of pictures and of noise inputs.
    has_own_squares
        Whether the squares are those of the protocol; otherwise they are those of the field itself around the
        true centre of the unit.
    """

    protocol: Protocol
    node: str
    unit: tuple[int, int] | None
    target: int | None
    is_last_map: bool
    input_size: tuple[int, int]
    pictures: int
    noises: int
    fitted: str = SQUASHED
    has_own_squares: bool = True


def protocol_text(measured: MeasurementSettings) -> str:
    """Describe exactly what was measured, for every figure and export."""
    known = DEFINITIONS[measured.protocol]
    if measured.target is not None:
        signal = f"the logit of class {measured.target}"
    else:
        rectified = "the ReLU of " if known.rectifies_unit else ""
        which = (
            "the middle unit" if measured.unit is None else "unit (row {}, column {})".format(*measured.unit)
        )
        signal = f"{rectified}{which} of {measured.node}, summed over channels"
    part = "absolute value" if known.takes_absolute else "positive part"
    said = [
        f"Protocol {measured.protocol} ({known.source}): gradient of {signal} by the input; its {part} summed "
        f"over the colours; mean over {_inputs(measured)}.",
        f"Squares of {_squares(measured)}.",
    ]
    departures = _departures(measured) if measured.protocol == "replknet" else []
    if departures:
        said.append(f"Not as published: {', '.join(departures)}.")
    return " ".join(said)


def averaged_text(pictures: int, noises: int, total: int | None = None) -> str:
    """Return what was averaged: “mean of 1 picture and 15 noise images”; or how many of how many inputs."""
    if total is not None:
        return f"{pictures + noises} of {total} input{'' if total == 1 else 's'}"
    counted = ((pictures, "picture"), (noises, "noise image"))
    said = " and ".join(f"{count} {what}{'' if count == 1 else 's'}" for count, what in counted if count)
    return said if pictures + noises == 1 else f"mean of {said}"


def _squares(measured: MeasurementSettings) -> str:
    known, is_own = DEFINITIONS[measured.protocol], measured.has_own_squares
    of_what = "log10(1 + field)" if is_own and known.scale == "log" else "the field"
    if is_own and known.published_centre:
        return f"{of_what} around pixel (h // 2, w // 2)"
    whose = "the unit's true" if measured.target is None else "the input's"
    return f"{of_what} around {whose} centre"


def _inputs(measured: MeasurementSettings) -> str:
    width, height = measured.input_size
    size = f"{width} × {height} px"
    said = []
    if measured.pictures or not measured.noises:
        counted = f"{measured.pictures} picture{'' if measured.pictures == 1 else 's'}"
        said.append(f"{counted} {measured.fitted} {size}")
    if measured.noises:
        said.append(
            f"{measured.noises} standard normal noise input{'' if measured.noises == 1 else 's'} of {size}"
        )
    return " and ".join(said)


def _departures(measured: MeasurementSettings) -> list[str]:
    """Return in what respects a measurement differs from the published setting."""
    found = []
    width, height = measured.input_size
    if (width, height) != (REPLKNET_INPUT_PX, REPLKNET_INPUT_PX):
        size = f"{width} px" if width == height else f"{width} × {height} px"
        found.append(f"{size} instead of {REPLKNET_INPUT_PX} px")
    if measured.fitted != SQUASHED:
        found.append(f"{measured.fitted.rpartition(' ')[0]} instead of squashed")
    if measured.noises:
        found.append("noise among the pictures" if measured.pictures else "noise instead of pictures")
    elif measured.pictures != REPLKNET_COUNT:
        found.append(f"{measured.pictures} instead of {REPLKNET_COUNT} pictures")
    if measured.target is not None:
        found.append("a class score instead of a unit")
    elif not measured.is_last_map:
        found.append("not the last map")
    if not measured.has_own_squares:
        found.append("other squares")
    return found
