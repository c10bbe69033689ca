"""Frames and their names on a map: white with dark edges, so that they are seen on every colour."""

from PIL import Image, ImageDraw

from convnext_studio.common.geometry import Box
from convnext_studio.export.sheet import INK, PAPER, font


def frame(body: Image.Image, box: Box) -> None:
    """Draw a line just inside the box."""
    draw, width = ImageDraw.Draw(body), _line_width(body)
    left, top, right, bottom = _pixels(box, width)
    draw.rectangle((left, top, right, bottom), outline=INK, width=width)
    draw.rectangle((left + 1, top + 1, right - 1, bottom - 1), outline=PAPER, width=width - 2)


def dashed_frame(body: Image.Image, box: Box) -> None:
    """Draw a dashed line just inside the box."""
    draw, width = ImageDraw.Draw(body), _line_width(body)
    left, top, right, bottom = _pixels(box, width)
    dash = 5 * width
    for x in range(left, right, 2 * dash):
        end = min(x + dash, right)
        draw.rectangle((x, top, end, top + width - 1), PAPER, INK)
        draw.rectangle((x, bottom - width + 1, end, bottom), PAPER, INK)
    for y in range(top, bottom, 2 * dash):
        end = min(y + dash, bottom)
        draw.rectangle((left, y, left + width - 1, end), PAPER, INK)
        draw.rectangle((right - width + 1, y, right, end), PAPER, INK)


def label(body: Image.Image, point: tuple[float, float], anchor: str, text: str) -> None:
    """Write at a point; the anchor is Pillow's."""
    size = _text_size(body)
    edge = max(2, size // 8)
    ImageDraw.Draw(body).text(point, text, PAPER, font(size), anchor, stroke_width=edge, stroke_fill=INK)


def label_boxes(body: Image.Image, boxes: list[Box], texts: list[str]) -> None:
    """Name nested boxes beside the largest, from the largest down, each tied to its upper right corner.

    The names stay apart however small the boxes are.
    """
    if not boxes:
        return
    size = _text_size(body)
    widest = max(font(size).getlength(text) for text in texts)
    left = min(max(x + width for x, _, width, _ in boxes) + 2 * size, body.width - widest - size)
    draw, lowest = ImageDraw.Draw(body), 0.0
    for (x, top, width, _), text in sorted(zip(boxes, texts, strict=True), key=lambda pair: -pair[0][2]):
        y = max(top + size, lowest)
        lowest = y + 1.4 * size
        if x + width < left:
            tie = (x + width, top + 1, left - size / 3, y)
            draw.line(tie, INK, 4)
            draw.line(tie, PAPER, 2)
        label(body, (left, y), "lm", text)


def _line_width(body: Image.Image) -> int:
    return max(4, round(max(body.size) / 300))


def _text_size(body: Image.Image) -> int:
    return round(max(body.size) / 42)


def _pixels(box: Box, smallest: int) -> tuple[int, int, int, int]:
    """The first and the last column and row in the box, which has at least `smallest` of each."""
    left, top = round(box[0]), round(box[1])
    right = max(round(box[0] + box[2]), left + smallest) - 1
    bottom = max(round(box[1] + box[3]), top + smallest) - 1
    return left, top, right, bottom
