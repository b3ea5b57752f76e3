"""Pictures with their boxes drawn, for people to look at."""

import colorsys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pancap.caption.content import Entity

if TYPE_CHECKING:
    import numpy as np

MIN_LONG_SIDE_PX = 640  # smaller pictures are enlarged to at least this, or labels would hide them
_MAX_ENLARGEMENT = 4
_GOLDEN_RATIO = 0.618034  # steps of this share of the hue circle stay far apart


def draw_boxes(rgb: "np.ndarray", entities: Iterable[Entity]) -> "np.ndarray":
    """Draws each entity's box with its tag; entities without a box are left out.

    Args:
        rgb: (H, W, 3) uint8.
        entities: what to draw; the colour follows the order, so the same input gives the same picture.

    Returns:
        A new (H', W', 3) uint8 array: a small picture is enlarged by a whole factor up to 4.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    picture = _enlarge(Image.fromarray(np.ascontiguousarray(rgb)).convert("RGB"))
    draw = ImageDraw.Draw(picture)
    line_px = max(2, round(max(picture.size) / 320))
    boxed = [(index, entity) for index, entity in enumerate(entities) if entity.box is not None]
    boxed.sort(key=lambda pair: -pair[1].box.area if pair[1].box else 0.0)  # small boxes on top of large ones
    taken: list[tuple[float, float, float, float]] = []
    for index, entity in boxed:
        assert entity.box is not None
        corners = entity.box.to_px(width=picture.width - 1, height=picture.height - 1)
        draw.rectangle(corners, outline=_color(index), width=line_px)
    for index, entity in boxed:
        assert entity.box is not None
        corners = entity.box.to_px(width=picture.width - 1, height=picture.height - 1)
        taken.append(_draw_label(draw, entity.tag, corners, color=_color(index), taken=taken))
    return np.array(picture)


def _enlarge(picture: Any) -> Any:
    from PIL import Image

    factor = min(_MAX_ENLARGEMENT, -(-MIN_LONG_SIDE_PX // max(picture.size)))
    if factor <= 1:
        return picture
    return picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.BICUBIC)


def _draw_label(
    draw: Any,
    text: str,
    box_px: Sequence[float],
    *,
    color: tuple[int, int, int],
    taken: Sequence[tuple[float, float, float, float]],
) -> tuple[float, float, float, float]:
    """Writes the tag at the first corner of the box where no label stands yet; returns the label's rectangle."""
    from PIL import ImageFont

    width, height = draw.im.size
    font = ImageFont.load_default(max(12, round(max(width, height) / 48)))
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    label_w, label_h = right - left + 6, bottom - top + 6
    x1, y1, x2, y2 = box_px
    corners = [(x1, y1 - label_h), (x1, y1), (x2 - label_w, y1), (x1, y2 - label_h), (x2 - label_w, y2 - label_h)]
    corners += [(x1, y1 + step * label_h) for step in range(1, 6)]
    places = [_keep_inside(x, y, label_w, label_h, width=width, height=height) for x, y in corners]
    place = next((place for place in places if not any(_overlap(place, other) for other in taken)), places[0])
    draw.rectangle(place, fill=color)
    red, green, blue = color
    ink = (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (255, 255, 255)
    draw.text((place[0] + 3 - left, place[1] + 3 - top), text, fill=ink, font=font)
    return place


def _keep_inside(
    x: float, y: float, label_w: float, label_h: float, *, width: int, height: int
) -> tuple[float, float, float, float]:
    x = max(0.0, min(x, width - label_w))
    y = max(0.0, min(y, height - label_h))
    return x, y, x + label_w, y + label_h


def _overlap(a: Sequence[float], b: Sequence[float]) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def _color(index: int) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN_RATIO % 1.0, 0.85 if index % 2 else 0.65, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)
