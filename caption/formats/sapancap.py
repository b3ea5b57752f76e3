"""SA-Pancap's text format: `[[0.004, 0.322, 0.454, 0.927]]`, fractions of the original image, three decimals."""

from collections.abc import Iterable, Iterator, Sequence

from pancap.caption.boxes import LETTERBOX_UNITS, Box
from pancap.caption.formats.brackets import find_groups, read_group
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


def parse(text: str) -> ParsedText:
    """Finds the boxes of a caption; never raises.

    Example:
        >>> parse("A cat [[0.100, 0.200, 0.300, 0.400]].").segments
        ('A cat ', Box(x1=0.1, y1=0.2, x2=0.3, y2=0.4), '.')
    """
    return read_text(text, _find(text))


def parse_instances(text: str) -> ParsedInstances:
    """Reads `tag [[x1, y1, x2, y2]], ...`; stops at the first malformed instance."""
    return read_instances(text, _find(text))


def parse_boxes(text: str) -> ParsedBoxes:
    """Reads `[[x1, y1, x2, y2]], ...`; stops at the first malformed box."""
    return read_boxes(text, _find(text))


def render(segments: Iterable[Segment]) -> str:
    """Writes text and boxes; boxes that follow each other directly share one pair of outer brackets.

    Example:
        >>> render(["A cat ", Box(0.1, 0.2, 0.3, 0.4), "."])
        'A cat [[0.100, 0.200, 0.300, 0.400]].'
    """
    return "".join(part if isinstance(part, str) else _render_group(part) for part in group_segments(segments))


def render_box(box: Box) -> str:
    """One box. A box thinner than a thousandth is written one thousandth wide."""
    return _render_group([box])


def render_boxes(boxes: Iterable[Box]) -> str:
    """Boxes joined by `, `."""
    return ", ".join(render_box(box) for box in boxes)


def render_instances(instances: Iterable[Instance]) -> str:
    """`tag [[x1, y1, x2, y2]]` joined by `, `."""
    return ", ".join(tag if box is None else f"{tag} {render_box(box)}" for tag, box in instances)


def _render_group(boxes: Sequence[Box]) -> str:
    inner = (", ".join(f"{unit / LETTERBOX_UNITS:.3f}" for unit in box.to_units()) for box in boxes)
    return "[" + ", ".join(f"[{numbers}]" for numbers in inner) + "]"


def _find(text: str) -> Iterator[Found]:
    for match, is_closed in find_groups(text):
        if is_closed:
            boxes, dropped = read_group(match[0], _to_box)
        else:
            boxes, dropped = (), (Dropped(match[0], "unclosed"),)
        yield Found(start=match.start(), end=match.end(), boxes=boxes, dropped=dropped)


def _to_box(text: str) -> Box | DropReason:
    numbers = read_numbers(text, maximum=1.0)
    return Box(*numbers) if isinstance(numbers, tuple) else numbers
