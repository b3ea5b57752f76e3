"""The token format: `<box><c4><c322><c454><c927>`, thousandths of the original image, five tokens a box."""

import re
from collections.abc import Iterable, Iterator

from pancap.caption.boxes import LETTERBOX_UNITS, Box
from pancap.caption.formats.parsed import (
    Dropped,
    DropReason,
    Found,
    Instance,
    ParsedBoxes,
    ParsedInstances,
    ParsedText,
    Segment,
    check_order,
    read_boxes,
    read_instances,
    read_text,
)

BOX_TOKEN = "<box>"
COORDINATE_TOKENS = tuple(f"<c{unit}>" for unit in range(LETTERBOX_UNITS + 1))

_TOKENS = re.compile(r"<box>(?:\s*<c[0-9]{1,9}>)*|<c[0-9]{1,9}>(?:\s*<c[0-9]{1,9}>)*")
_UNIT = re.compile(r"<c([0-9]+)>")


def parse(text: str) -> ParsedText:
    """Finds the boxes of a text; never raises.

    Example:
        >>> parse("cat <box><c4><c322><c454><c927>").boxes
        (Box(x1=0.004, y1=0.322, x2=0.454, y2=0.927),)
    """
    return read_text(text, _find(text))


def parse_instances(text: str) -> ParsedInstances:
    """Reads `tag <box><cX1><cY1><cX2><cY2>, ...`; stops at the first malformed instance."""
    return read_instances(text, _find(text))


def parse_boxes(text: str) -> ParsedBoxes:
    """Reads `<box><cX1><cY1><cX2><cY2>, ...`; stops at the first malformed box."""
    return read_boxes(text, _find(text))


def render(segments: Iterable[Segment]) -> str:
    """Writes text and boxes.

    Example:
        >>> render(["cat ", Box(0.004, 0.322, 0.454, 0.927)])
        'cat <box><c4><c322><c454><c927>'
    """
    return "".join(segment if isinstance(segment, str) else render_box(segment) for segment in segments)


def render_box(box: Box) -> str:
    """One box: `<box>` and four coordinate tokens with x1 < x2 and y1 < y2."""
    return BOX_TOKEN + "".join(COORDINATE_TOKENS[unit] for unit in box.to_units())


def render_boxes(boxes: Iterable[Box]) -> str:
    """Boxes joined by `, `."""
    return ", ".join(render_box(box) for box in boxes)


def render_instances(instances: Iterable[Instance]) -> str:
    """`tag <box><cX1><cY1><cX2><cY2>` joined by `, `."""
    return ", ".join(tag if box is None else f"{tag} {render_box(box)}" for tag, box in instances)


def _find(text: str) -> Iterator[Found]:
    for match in _TOKENS.finditer(text):
        yield _read_tokens(match)


def _read_tokens(match: re.Match[str]) -> Found:
    start, end = match.span()
    units = [float(unit) for unit in _UNIT.findall(match[0])]
    if not match[0].startswith(BOX_TOKEN):
        return Found(start=start, end=end, dropped=(Dropped(match[0], "stray"),))
    if len(units) != 4:
        reason: DropReason = "unclosed" if len(units) < 4 else "wrong_count"
        return Found(start=start, end=end, dropped=(Dropped(match[0], reason),))
    corners = check_order(units, maximum=LETTERBOX_UNITS)
    if not isinstance(corners, tuple):
        return Found(start=start, end=end, dropped=(Dropped(match[0], corners),))
    return Found(start=start, end=end, boxes=(Box(*(corner / LETTERBOX_UNITS for corner in corners)),))
