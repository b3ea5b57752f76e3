"""ASMv2's text format: `<box>[[4, 322, 454, 927]]</box>`, thousandths of the padded square (see `letterbox`).

The numbers mean nothing without the size of the image, so every function takes its width and height in pixels.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from pancap.caption.boxes import LETTERBOX_UNITS, Box
from pancap.caption.formats.brackets import GROUP, read_group
from pancap.caption.formats.parsed import (
    Dropped,
    DropReason,
    Found,
    Instance,
    ParsedBoxes,
    ParsedInstances,
    ParsedText,
    Segment,
    group_segments,
    read_boxes,
    read_instances,
    read_numbers,
    read_text,
)
from pancap.caption.letterbox import from_letterbox, to_letterbox

_BOX = re.compile(rf"<box>\s*(?P<group>{GROUP})\s*</box>|<box>[0-9\s.,+\-\[\]]*(?:</box>)?|</box>")


def parse(text: str, *, width: int, height: int) -> ParsedText:
    """Finds the boxes of a text; never raises for a positive size.

    Example:
        >>> parse("cat <box>[[4, 322, 454, 927]]</box>", width=100, height=100).boxes
        (Box(x1=0.004, y1=0.322, x2=0.454, y2=0.927),)
    """
    return read_text(text, _find(text, width=width, height=height))


def parse_instances(text: str, *, width: int, height: int) -> ParsedInstances:
    """Reads `tag <box>[[x1, y1, x2, y2]]</box>, ...`; stops at the first malformed instance."""
    return read_instances(text, _find(text, width=width, height=height))


def parse_boxes(text: str, *, width: int, height: int) -> ParsedBoxes:
    """Reads `<box>[[x1, y1, x2, y2]]</box>, ...`; stops at the first malformed box."""
    return read_boxes(text, _find(text, width=width, height=height))


def render(segments: Iterable[Segment], *, width: int, height: int) -> str:
    """Writes text and boxes; boxes that follow each other directly share one pair of tags.

    Example:
        >>> render(["cat ", Box(0.0, 0.0, 1.0, 1.0)], width=400, height=200)
        'cat <box>[[0, 250, 1000, 750]]</box>'
    """
    return "".join(
        part if isinstance(part, str) else _render_group(part, width=width, height=height)
        for part in group_segments(segments)
    )


def render_box(box: Box, *, width: int, height: int) -> str:
    """One box."""
    return _render_group([box], width=width, height=height)


def render_boxes(boxes: Iterable[Box], *, width: int, height: int) -> str:
    """Boxes joined by `, `."""
    return ", ".join(render_box(box, width=width, height=height) for box in boxes)


def render_instances(instances: Iterable[Instance], *, width: int, height: int) -> str:
    """`tag <box>[[x1, y1, x2, y2]]</box>` joined by `, `."""
    return ", ".join(
        tag if box is None else f"{tag} {render_box(box, width=width, height=height)}" for tag, box in instances
    )


def _render_group(boxes: Sequence[Box], *, width: int, height: int) -> str:
    inner = (", ".join(map(str, to_letterbox(box, width=width, height=height))) for box in boxes)
    return "<box>[" + ", ".join(f"[{numbers}]" for numbers in inner) + "]</box>"


def _find(text: str, *, width: int, height: int) -> Iterator[Found]:
    def to_box(numbers_text: str) -> Box | DropReason:
        numbers = read_numbers(numbers_text, maximum=LETTERBOX_UNITS)
        if not isinstance(numbers, tuple):
            return numbers
        try:
            return from_letterbox(numbers, width=width, height=height)
        except ValueError:
            return "outside_image"

    for match in _BOX.finditer(text):
        if match["group"] is not None:
            boxes, dropped = read_group(match["group"], to_box)
        else:
            boxes, dropped = (), (Dropped(match[0], "stray" if match[0] == "</box>" else "unclosed"),)
        yield Found(start=match.start(), end=match.end(), boxes=boxes, dropped=dropped)
