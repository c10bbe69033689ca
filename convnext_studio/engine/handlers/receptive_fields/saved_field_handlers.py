"""The handler that opens a saved field and evaluates it again, without any model."""

from pathlib import Path
from typing import Any

from msgspec import Struct

from convnext_studio.common.errors import StudioError
from convnext_studio.common.foreign.foreign_text import LONGEST_MESSAGE, one_line
from convnext_studio.common.geometry import FieldGeometry
from convnext_studio.engine.handlers.receptive_fields.receptive_field_handlers import squares_of
from convnext_studio.engine.server.handler_registry import handles
from convnext_studio.engine.server.workspace import ShouldStop, Workspace
from convnext_studio.erf import Protocol, curves_of, definition, field_notes, fit_gaussian
from convnext_studio.erf.field_files import SavedField, read_field
from convnext_studio.protocol.receptive_fields import OpenedField, OpenField

UNSAID = (
    "The file does not state how this field was measured. Its squares follow the published "
    "analysis (Ding et al. 2022, arXiv:2203.06717): log10(1 + field), around pixel (h // 2, w "
    "// 2)."
)


class _Told(Struct, frozen=True, kw_only=True):
    """The validated description of the measurement in a file."""

    protocol: Protocol
    protocol_text: str
    centre_px: tuple[float, float]
    title: str
    random_weights: bool = False
    node: str = ""
    unit: tuple[int, int] | None = None
    theoretical: FieldGeometry | None = None


@handles(OpenField)
def open_field(_workspace: Workspace, request: OpenField, _should_stop: ShouldStop) -> OpenedField:
    """Read a saved field and compute its squares, curves and Gaussian fit again."""
    saved, name = read_field(request.path), Path(request.path).name
    try:
        told = _told(saved, name)
    except (AttributeError, KeyError, TypeError, ValueError, StudioError) as error:
        raise StudioError(
            f"“{name}” describes a measurement that is not known here.",
            "It may have been written by a newer version of ConvNeXt Studio.",
        ) from error
    scale = definition(told.protocol).scale
    found = squares_of(saved.field_map, told.protocol, told.centre_px)
    return OpenedField(
        path=request.path,
        field_map=saved.field_map,
        protocol=told.protocol,
        protocol_text=told.protocol_text,
        is_protocol_told=bool(saved.about),
        squares=found,
        centre_px=told.centre_px,
        curves=curves_of(saved.field_map, told.centre_px),
        gaussian=fit_gaussian(saved.field_map, told.centre_px),
        notes=field_notes(saved.field_map, scale, found[scale]),
        title=told.title,
        random_weights=told.random_weights,
        node=told.node,
        unit=told.unit,
        theoretical=told.theoretical,
    )


def _told(saved: SavedField, name: str) -> _Told:
    """Return what the file says about the measurement; raise one of several errors if it is invalid."""
    about, (height, width) = saved.about, saved.field_map.shape
    if not about:
        centre = (width // 2 + 0.5, height // 2 + 0.5)
        return _Told(protocol="replknet", protocol_text=UNSAID, centre_px=centre, title=one_line(name))
    x, y = (float(about["centre_px"][axis]) for axis in ("x", "y"))
    if not (0 <= x <= width and 0 <= y <= height):
        raise ValueError("its centre lies outside the input")
    unit: Any = about["unit"]
    definition(about["protocol"])
    return _Told(
        protocol=about["protocol"],
        protocol_text=one_line(str(about["protocol_text"]), LONGEST_MESSAGE),
        centre_px=(x, y),
        title=one_line(str(about["model"]["title"])),
        random_weights=bool(about["random_weights"]),
        node=one_line(str(about["node"])),
        unit=(int(unit["row"]), int(unit["column"])),
        theoretical=_geometry(about["theoretical"]),
    )


def _geometry(values: Any) -> FieldGeometry:
    return FieldGeometry(
        size_px=int(values["size_px"]),
        stride_px=int(values["stride_px"]),
        first_centre_px=float(values["first_centre_px"]),
        is_global=bool(values["is_global"]),
        has_box=bool(values["has_box"]),
    )
