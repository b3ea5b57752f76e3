"""The padded-square frame of ASMv2: integers 0..1000 over a square that holds the image in its middle.

With `side = max(width, height)` and `pad = (side - min(width, height)) // 2` pixels before the image on its short
axis (0 on the long one), a coordinate becomes

    unit = (fraction * extent + pad) / side * 1000        rounded half up
    fraction = (unit / 1000 * side - pad) / extent        clamped to 0..1

where `extent` is the image's size on that axis. Fractions come out unrounded; the text format that writes them rounds
to three decimals.
"""

from pancap.caption.boxes import LETTERBOX_UNITS, Box, span_to_units


def to_letterbox(box: Box, *, width: int, height: int) -> tuple[int, int, int, int]:
    """A box of the original image in units of the padded square.

    Args:
        box: fractions of the original image.
        width, height: size of the original image in pixels.

    Returns:
        (x1, y1, x2, y2), 0..1000, x1 < x2 and y1 < y2: a box thinner than a unit takes one unit.

    Example:
        >>> to_letterbox(Box(0.0, 0.0, 1.0, 1.0), width=400, height=200)
        (0, 250, 1000, 750)
    """
    pad_x, pad_y, side = _frame(width, height)
    scale = LETTERBOX_UNITS / side
    x1, x2 = span_to_units((box.x1 * width + pad_x) * scale, (box.x2 * width + pad_x) * scale)
    y1, y2 = span_to_units((box.y1 * height + pad_y) * scale, (box.y2 * height + pad_y) * scale)
    return x1, y1, x2, y2


def from_letterbox(units: tuple[float, float, float, float], *, width: int, height: int) -> Box:
    """A box of the padded square as fractions of the original image; what lies in the padding is cut off.

    Args:
        units: (x1, y1, x2, y2), 0..1000.
        width, height: size of the original image in pixels.

    Raises:
        ValueError: nothing of the box lies inside the image, or its corners are out of order.

    Example:
        >>> from_letterbox((4, 300, 454, 600), width=400, height=200)
        Box(x1=0.004, y1=0.1, x2=0.454, y2=0.7)
    """
    pad_x, pad_y, side = _frame(width, height)
    x1, x2 = (_to_fraction(unit, pad_px=pad_x, extent_px=width, side_px=side) for unit in (units[0], units[2]))
    y1, y2 = (_to_fraction(unit, pad_px=pad_y, extent_px=height, side_px=side) for unit in (units[1], units[3]))
    if not (x1 < x2 and y1 < y2):
        raise ValueError(
            f"a letterbox box must overlap the {width} x {height} image with x1 < x2 and y1 < y2, got {tuple(units)}"
        )
    return Box(x1, y1, x2, y2)


def _frame(width: int, height: int) -> tuple[int, int, int]:
    """(pad_x, pad_y, side) in pixels."""
    if width < 1 or height < 1:
        raise ValueError(f"an image has at least one pixel, got {width} x {height}")
    side = max(width, height)
    return (side - width) // 2, (side - height) // 2, side


def _to_fraction(unit: float, *, pad_px: int, extent_px: int, side_px: int) -> float:
    return min(max((unit * side_px / LETTERBOX_UNITS - pad_px) / extent_px, 0.0), 1.0)
