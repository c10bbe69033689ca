"""A report on a picture as one HTML file, with all figures in it, that can be read, mailed and printed."""

import base64
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.metadata import PackageNotFoundError, version

from convnext_studio import __version__
from convnext_studio.common.attribution_methods import mean_colour, method_named
from convnext_studio.erf import side_text
from convnext_studio.export.drawing.figure_page import RANDOM_WEIGHTS, Figure
from convnext_studio.export.export_contents import (
    TOP_COUNT,
    ExportContents,
    explained_text,
    label_of,
    map_stems,
)
from convnext_studio.model.framing import FRAMING_TITLES, framing_of
from convnext_studio.protocol.attributions import Explanation
from convnext_studio.protocol.receptive_fields import ReceptiveFieldResult
from convnext_studio.render import format_percent

_STYLE = """
:root { color-scheme: light; }
body { margin: 2.5rem auto; max-width: 58rem; padding: 0 1.5rem; color: #181c22; background: #fff;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .6rem; padding-bottom: .25rem; border-bottom: 1px solid #d9dde2; }
.lead { color: #5c636c; margin: 0 0 1.5rem; overflow-wrap: anywhere; }
.warning { color: #a83e0c; border-left: .3rem solid #a83e0c; background: #fdf3ee; padding: .6rem 1rem; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 1.2rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid #e8ebee;
  overflow-wrap: anywhere; }
th { font-weight: 600; color: #5c636c; }
td.number, th.number { text-align: right; white-space: nowrap; }
figure { margin: 1.2rem 0 2rem; break-inside: avoid; }
figure img { display: block; width: auto; height: auto; max-width: 100%; max-height: 92vh;
  border: 1px solid #e8ebee; }
figcaption { color: #5c636c; font-size: .9rem; margin-top: .4rem; }
@media print { body { margin: 0; max-width: none; font-size: 10pt; } h2 { break-after: avoid; }
  figure img { max-height: 22cm; } }
"""
_LIBRARIES = ("torch", "timm", "captum", "numpy", "pillow")


def report_html(
    contents: ExportContents, explanation: Explanation, figures: Mapping[str, tuple[Figure, bytes]]
) -> bytes:
    """Return the report as an HTML file.

    Parameters
    ----------
    explanation
        The explanation that is shown under "Why".
    figures
        Each figure and its PNG data, by file name.
    """
    name = escape(contents.image.name)
    marked = f'<p class="warning">{escape(RANDOM_WEIGHTS)}</p>' if contents.model.random_weights else ""
    sections = [
        ("Predictions", _predictions(contents, explanation)),
        ("Why", _why(contents, explanation, figures)),
        ("What each stage makes of it", _figures(figures, [f"{node}.png" for node in contents.maps])),
        ("What a unit sees", _receptive_field(contents.receptive_field) + _figures(figures, ["erf.png"])),
        ("Picture", _picture(contents)),
        ("Model", _model(contents)),
        ("How this was made", _provenance()),
    ]
    body = "\n".join(f"<section>\n<h2>{title}</h2>\n{text}\n</section>" for title, text in sections)
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: {escape(contents.model.title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<header>
<h1>{name}</h1>
<p class="lead">seen by {escape(contents.model.title)}</p>
{marked}
</header>
{body}
</body>
</html>
"""
    return page.encode(errors="replace")


def _predictions(contents: ExportContents, explanation: Explanation) -> str:
    prediction = contents.prediction
    rows = [
        (
            label_of(contents.model, index),
            str(index),
            f"{prediction.logits[index]:.4f}",
            format_percent(float(prediction.probabilities[index]), 2),
        )
        for index in prediction.top(TOP_COUNT)
    ]
    text, method = explained_text(contents.model, explanation), method_named(explanation.method)
    explained = (
        f"<p>Explained below: {escape(text)} (class {explanation.target}), by {escape(method.title)}.</p>"
    )
    return _table(("Class", "Number", "Logit", "Probability"), rows, numbers=(1, 2, 3)) + explained


def _why(
    contents: ExportContents, explanation: Explanation, figures: Mapping[str, tuple[Figure, bytes]]
) -> str:
    """Return the method's sentence and source, the maps, and the maps' faithfulness if it was measured."""
    method, result = method_named(explanation.method), contents.faithfulness
    said = f"<p>{escape(method.title)}: {escape(method.sentence)} ({escape(method.source)})</p>\n"
    shown = _figures(figures, [f"{stem}.png" for stem in map_stems(explanation).values()])
    if result is None:
        return said + shown
    rows = [
        (
            of,
            f"{curves.insertion_area:.3f}",
            f"{curves.deletion_area:.3f}",
            format_percent(curves.kept, 2),
            format_percent(curves.removed, 2),
        )
        for of, curves in (
            ("This map", result.of_map),
            ("From the centre outwards", result.of_centre),
            *((f"Random order {number}", each) for number, each in enumerate(result.of_random, 1)),
        )
    ]
    top = f"{100 * result.top_share:g} %"
    head = ("Order of", "Insertion area", "Deletion area", f"Top {top} kept", f"Top {top} removed")
    table = _table(head, rows, numbers=(1, 2, 3, 4))
    fill = "the blurred picture" if result.fill == "blur" else mean_colour(contents.model.mean)
    how = (
        f"<p>Areas under the probability of the class over {result.steps} steps (Petsiuk et al. 2018), "
        f"filled with {fill}; "
        f"the whole picture has {format_percent(result.probability, 2)}.</p>"
    )
    verdict = " ".join((result.verdict_text("insertion"), result.verdict_text("deletion")))
    return said + shown + f"<p>{escape(verdict)}</p>\n" + table + how


def _receptive_field(result: ReceptiveFieldResult) -> str:
    rows = [
        (
            "logarithm, log10(1 + gradient)" if scale == "log" else "gradient itself",
            f"{100 * square.threshold:g} %",
            side_text(square, result.centre_px, result.field_map.shape),
            format_percent(square.area_ratio, 2),
        )
        for scale, squares in result.squares.items()
        for square in squares
    ]
    table = _table(
        ("Share of the", "Share", "Side of the square", "Part of the input"), rows, numbers=(1, 2, 3)
    )
    return table + "<p>If a share is missing, no centred square inside the input holds it.</p>"


def _picture(contents: ExportContents) -> str:
    image, geometry = contents.image, contents.prediction.geometry
    x, y, width, height = geometry.seen_box
    shown = framing_of(image.key).text or FRAMING_TITLES["trained"]
    left, top, right, bottom = geometry.padding
    colour = mean_colour(contents.model.mean)
    padding = f"{left} px left, {top} px above, {right} px right, {bottom} px below, in {colour}"
    rows = [
        ("Name", image.name),
        ("Size", _pixels(image.size)),
        ("Decoding", " ".join(image.notes) or "Nothing had to be changed."),
        ("Framing", shown),
        ("Resized to", _pixels(geometry.resized_size)),
        ("Cropped at", f"x = {geometry.crop_origin[0]}, y = {geometry.crop_origin[1]} of the resized picture"),
        ("Network's input", _pixels(geometry.input_size)),
        ("Padding", padding if geometry.is_padded else "None."),
        ("Visible part of the picture", f"{width:.2f} × {height:.2f} px from x = {x:.2f}, y = {y:.2f}"),
    ]
    return _facts(rows)


def _model(contents: ExportContents) -> str:
    model = contents.model
    rows = [
        ("Model", model.title),
        ("Source", model.source),
        ("Notes", " ".join(model.notes) or "None."),
        ("Blocks, channels", f"{_numbers(model.config.depths)}; {_numbers(model.config.dims)}"),
        ("Parameters", f"{model.parameters:,}"),
        ("Multiply-accumulates", f"{model.macs:,} at {model.input_px} × {model.input_px} px"),
        ("Run on", f"{model.device_name} ({model.device})"),
        ("Precision", f"{model.precision} forward, float32 attribution and receptive field"),
    ]
    nodes = [
        (
            node.title,
            " × ".join(map(str, node.shape)),
            node.field.extent,
            f"{node.field.stride_px} px",
            f"{node.parameters:,}",
            f"{node.macs:,}",
        )
        for node in model.nodes
        if node.kind in ("stem", "stage")
    ]
    head = ("Node", "Shape", "Theoretical field", "Stride", "Parameters", "Multiply-accumulates")
    return _facts(rows) + _table(head, nodes, numbers=(1, 2, 3, 4, 5))


def _provenance() -> str:
    libraries = ", ".join(f"{library} {_version(library)}" for library in _LIBRARIES)
    written = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return _facts(
        [
            ("Written", f"{written} by ConvNeXt Studio {__version__}"),
            ("Libraries", f"Python {platform.python_version()}, {libraries}"),
            ("Machine", f"{platform.system()} {platform.machine()}"),
            (
                "Numbers",
                (
                    "The arrays next to this report (.npy) are those of the network, neither "
                    "scaled nor clipped. Each figure states how its values were coloured."
                ),
            ),
        ]
    )


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def _figures(figures: Mapping[str, tuple[Figure, bytes]], names: Iterable[str]) -> str:
    return "\n".join(_figure(name, *figures[name]) for name in names)


def _figure(name: str, figure: Figure, png: bytes) -> str:
    data = base64.b64encode(png).decode()
    width, height = figure.picture.size
    return (
        f'<figure>\n<img alt="{escape(figure.title)}" width="{width}" height="{height}" '
        f'src="data:image/png;base64,{data}">\n<figcaption>{escape(name)}</figcaption>\n</figure>'
    )


def _facts(rows: Iterable[tuple[str, str]]) -> str:
    lines = (f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>' for name, value in rows)
    return "<table>\n" + "\n".join(lines) + "\n</table>\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Return a table with a header row; the columns in `numbers` are right-aligned."""
    kinds = [' class="number"' if column in numbers else "" for column in range(len(head))]
    lines = [
        "".join(f'<th scope="col"{kind}>{escape(text)}</th>' for kind, text in zip(kinds, head, strict=True))
    ]
    lines += [
        "".join(f"<td{kind}>{escape(text)}</td>" for kind, text in zip(kinds, row, strict=True)) for row in rows
    ]
    return "<table>\n" + "\n".join(f"<tr>{line}</tr>" for line in lines) + "\n</table>\n"


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]} × {size[1]} px"


def _numbers(values: Iterable[int]) -> str:
    return "-".join(map(str, values))
