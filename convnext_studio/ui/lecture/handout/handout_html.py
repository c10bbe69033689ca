"""The hand-out as one HTML file, with all pictures inside."""

import base64
from html import escape

from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QImage, QImageWriter

from convnext_studio.lecture.formula import EM, Outline
from convnext_studio.lecture.markup import to_html
from convnext_studio.ui.lecture.handout.handout_page import HandoutContents, Page

_STYLE = """
:root { color-scheme: light; }
body { margin: 2.5rem auto; max-width: 66rem; padding: 0 1.5rem; color: #000; background: #fff;
  font: 1.05rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { margin: 0 0 .2rem; } h2 { margin: 3.5rem 0 0; color: #0a5ca4; } h3 { margin: 2.2rem 0 .4rem; }
.subject, figcaption { color: #3c4046; } .subject { margin: 0 0 2rem; }
section { break-inside: avoid; } figure { margin: 1rem 0 0; }
figure img { display: block; width: 100%; height: auto; border: 1px solid #d9dde2; }
figcaption { font-size: .9rem; margin-top: .3rem; }
.try { border-left: .25rem solid #0a5ca4; padding-left: .9rem; }
svg.formula { display: block; max-width: 100%; margin: .8rem 0; } .missing { color: #a8221a; }
"""
_FORMULA_EM = 1.35  # Height of a formula's font, in the text's.


def html_bytes(contents: HandoutContents) -> bytes:
    """The file's content."""
    parts: list[str] = []
    chapter = ""
    for page in contents.pages:
        if page.chapter != chapter:
            chapter = page.chapter
            parts.append(f"<h2>{escape(chapter)}</h2>")
        parts.append(_section(page, contents.formulas.get(page.step.formula)))
    text = (
        "<!DOCTYPE html>\n"
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Lecture hand-out</title><style>{_STYLE}</style></head>\n"
        f'<body><h1>Lecture hand-out</h1><p class="subject">{escape(contents.subject)}</p>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )
    return text.encode()


def _section(page: Page, outline: Outline | None) -> str:
    step = page.step
    parts = [f"<h3>{page.number}  {escape(step.title)}</h3>", to_html(step.text)]
    if outline is not None:
        parts.append(_svg(step.formula, outline))
    elif step.formula:
        parts.append(f"<p><code>{escape(step.formula)}</code></p>")
    if step.try_this:
        parts.append(f'<div class="try">{to_html(f"**Try:** {step.try_this}")}</div>')
    if page.image is None:
        parts.append(f'<p class="missing">{escape(page.caption)}</p>')
    else:
        data = base64.b64encode(png_of(page.image)).decode("ascii")
        parts.append(
            f'<figure><img src="data:image/png;base64,{data}" alt="{escape(step.title)}">'
            f"<figcaption>{escape(page.caption)}</figcaption></figure>"
        )
    return f"<section>{''.join(parts)}</section>"


def _svg(tex: str, outline: Outline) -> str:
    em = _FORMULA_EM / EM
    return (
        f'<svg class="formula" role="img" viewBox="0 0 {outline.width:.1f} {outline.height:.1f}" '
        f'style="width: {outline.width * em:.2f}em"><title>{escape(tex)}</title>'
        f'<path d="{outline.svg_path}"/></svg>'
    )


def png_of(image: QImage) -> bytes:
    """A picture as the bytes of a PNG file."""
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"PNG")).write(image)
    return bytes(data.data())
