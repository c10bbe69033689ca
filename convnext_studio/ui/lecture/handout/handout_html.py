"""Lay out a hand-out as one HTML file, for screens of any width."""

import base64
from html import escape

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImage, QImageWriter

from convnext_studio.lecture.formula import EM, Outline
from convnext_studio.lecture.markup import to_html
from convnext_studio.ui.lecture.handout.handout_contents import HandoutContents, HandoutStep
from convnext_studio.ui.widgets.qimage import png_of

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 80rem; padding: 0 1rem 4rem; color: #000; background: #fff;
  overflow-wrap: break-word;
  font: 1.05rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { margin: 0; font-size: clamp(2rem, 7vw, 3.6rem); line-height: 1.1; }
h2 { margin: 3.5rem 0 0; padding-top: 1rem; border-top: 3px solid #0a5ca4; color: #0a5ca4; }
h3 { margin: 0 0 .4rem; font-size: 1.3rem; line-height: 1.25; }
p { margin: 0 0 .8rem; }
a { color: #0a5ca4; text-decoration: none; } a:hover { text-decoration: underline; }
code { font-size: .92em; }
.cover { padding-top: 2.5rem; } .cover figure { margin-top: 1.5rem; }
.lead { margin: 1rem 0; max-width: 46rem; font-size: 1.15rem; }
.subject, figcaption, .number { color: #3c4046; }
.contents ol { margin: 0; padding: 0; list-style: none; }
.contents > ol > li { margin: 1rem 0; break-inside: avoid; }
.contents li li { display: flex; gap: .6rem; padding: .2rem 0; }
.contents .number { min-width: 1.6em; text-align: right; }
article { padding: 1.8rem 0; border-bottom: 1px solid #d9dde2; break-inside: avoid; }
figure { margin: 1rem 0 0; }
figure img { display: block; width: 100%; height: auto; }
figcaption { font-size: .85rem; line-height: 1.4; margin-top: .4rem; }
.try { border-left: .25rem solid #0a5ca4; padding-left: .8rem; }
.try p, .notes p { margin-bottom: .3rem; }
.notes { margin-top: 1rem; padding: .7rem .9rem; background: #f1f3f5; font-size: .95rem; }
svg.formula { display: block; max-width: 100%; height: auto; margin: .8rem 0 1rem; }
.missing { color: #a8221a; }
@media (max-width: 56rem) {
  figure:target a { display: block; overflow-x: auto; } figure:target img { width: 48rem; }
}
@media (min-width: 56rem) {
  body { padding: 0 2.5rem 5rem; }
  .contents > ol { columns: 2; column-gap: 3rem; } .contents > ol > li:first-child { margin-top: 0; }
  .beside { display: grid; grid-template-columns: 2fr 3fr; gap: 0 2.2rem; align-items: start; }
  .beside figure { margin: 0; } .beside .notes { grid-column: 1 / -1; }
  .wide .words { display: grid; grid-template-columns: 3fr 2fr; gap: 0 2.2rem; }
  .wide h3 { grid-column: 1 / -1; }
}
@media print { body { max-width: none; padding: 0; font-size: 10pt; } .cover { break-after: page; } }
"""
_FORMULA_EM = 1.35  # Font size of a formula relative to the text.
_QUALITY = 90


def handout_html(contents: HandoutContents) -> bytes:
    """Return the HTML file, with all pictures embedded."""
    chapters = [
        f'<section><h2 id="chapter-{number}">{number}  {escape(title)}</h2>'
        + "".join(_article(each, contents) for each in contents.steps_of(number))
        + "</section>"
        for number, title in enumerate(contents.chapters, 1)
        if contents.steps_of(number)
    ]
    text = (
        "<!DOCTYPE html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(contents.title)}</title><style>{_STYLE}</style></head>\n"
        f"<body>{_cover(contents)}\n{_table_of_contents(contents)}\n<main>\n"
        + "\n".join(chapters)
        + "\n</main></body></html>\n"
    )
    return text.encode()


def _cover(contents: HandoutContents) -> str:
    cover = contents.cover
    parts = [f"<h1>{escape(contents.title)}</h1>"]
    if cover is not None:
        parts.append(f'<div class="lead">{to_html(cover.step.text)}</div>')
    parts.append(f'<p class="subject">{escape(contents.subject)}<br>{escape(contents.made_on)}</p>')
    if cover is not None:
        parts += [_figure(cover), _notes(cover, contents)]
    return f'<header class="cover" id="step-1">{"".join(parts)}</header>'


def _table_of_contents(contents: HandoutContents) -> str:
    rows = []
    for number, title in enumerate(contents.chapters, 1):
        steps = "".join(
            f'<li><span class="number">{each.number}</span>'
            f'<a href="#step-{each.number}">{escape(each.step.title)}</a></li>'
            for each in contents.listed_of(number)
        )
        place = f"#chapter-{number}" if contents.steps_of(number) else "#step-1"
        link = f'<a href="{place}"><b>{number}  {escape(title)}</b></a>'
        rows.append(f"<li>{link}<ol>{steps}</ol></li>")
    return f'<nav class="contents"><h2>Contents</h2><ol>{"".join(rows)}</ol></nav>'


def _article(each: HandoutStep, contents: HandoutContents) -> str:
    step = each.step
    aside = _formula(step.formula, contents.formulas.get(step.formula)) if step.formula else ""
    if step.try_this:
        aside += f'<div class="try">{to_html(f"**Try:** {step.try_this}")}</div>'
    heading = f'<h3><span class="number">{each.number}</span>  {escape(step.title)}</h3>'
    words = f'<div class="words">{heading}<div>{to_html(step.text)}</div><div>{aside}</div></div>'
    kind, rest = "wide" if each.is_wide else "beside", _figure(each) + _notes(each, contents)
    return f'<article class="{kind}" id="step-{each.number}">{words}{rest}</article>'


def _figure(each: HandoutStep) -> str:
    image = each.image
    if image is None:
        return f'<p class="missing">{escape(each.caption)}</p>'
    return (
        f'<figure id="view-{each.number}"><a href="#view-{each.number}" title="Enlarge on a small screen">'
        f'<img src="{_data_url(image)}" alt="{escape(each.step.title)}" '
        f'width="{image.width()}" height="{image.height()}"></a>'
        f"<figcaption>{escape(each.caption)}</figcaption></figure>"
    )


def _notes(each: HandoutStep, contents: HandoutContents) -> str:
    if not contents.has_notes or not each.step.notes:
        return ""
    return f'<aside class="notes">{to_html(f"**Notes:** {each.step.notes}")}</aside>'


def _formula(tex: str, outline: Outline | None) -> str:
    if outline is None:
        return f"<p><code>{escape(tex)}</code></p>"
    em = _FORMULA_EM / EM
    return (
        f'<svg class="formula" role="img" viewBox="0 0 {outline.width:.1f} {outline.height:.1f}" '
        f'style="width: {outline.width * em:.2f}em"><title>{escape(tex)}</title>'
        f'<path d="{outline.svg_path}"/></svg>'
    )


def _data_url(image: QImage) -> str:
    """Return an image as PNG, or as WebP if that is smaller, which it is for photographs and maps."""
    # Not every distribution's Qt can write WebP.
    lossy = "webp" if b"webp" in [each.data() for each in QImageWriter.supportedImageFormats()] else "jpeg"
    encoded = {"png": png_of(image), lossy: _lossy(image, lossy)}
    kind = min(encoded, key=lambda kind: len(encoded[kind]))
    return f"data:image/{kind};base64,{base64.b64encode(encoded[kind]).decode('ascii')}"


def _lossy(image: QImage, kind: str) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    writer = QImageWriter(buffer, QByteArray(kind.encode()))
    writer.setQuality(_QUALITY)
    writer.write(image)
    return bytes(buffer.data().data())
