"""Bracket groups `[[a, b, c, d]]` and `[[a, b, c, d], [e, f, g, h]]`, shared by the formats that write numbers."""

import re
from collections.abc import Callable, Iterator

from pancap.caption.boxes import Box
from pancap.caption.formats.parsed import Dropped, DropReason

GROUP = r"\[\[(?!\[)[^\[\]]*\](?:\s*,\s*\[[^\[\]]*\])*\s*\]"
UNCLOSED = r"\[\[(?!\[)[0-9\s.,+\-\[\]]*"

_INNER = re.compile(r"\[([^\[\]]*)\]")
_GROUP_OR_UNCLOSED = re.compile(rf"(?P<closed>{GROUP})|{UNCLOSED}")
_DIGIT_OR_NAN = re.compile(r"[0-9]|nan|inf", re.IGNORECASE)

ToBox = Callable[[str], Box | DropReason]


def read_group(text: str, to_box: ToBox) -> tuple[tuple[Box, ...], tuple[Dropped, ...]]:
    """Boxes of one group and what of it was malformed."""
    boxes: list[Box] = []
    dropped: list[Dropped] = []
    for match in _INNER.finditer(text):
        box = to_box(match[1])
        if isinstance(box, Box):
            boxes.append(box)
        else:
            dropped.append(Dropped(f"[[{match[1]}]]", box))
    return tuple(boxes), tuple(dropped)


def looks_like_boxes(text: str) -> bool:
    """False for brackets that hold no number at all, which are ordinary text."""
    return _DIGIT_OR_NAN.search(text) is not None


def find_groups(text: str) -> Iterator[tuple[re.Match[str], bool]]:
    """Every group in reading order, with whether it is closed."""
    for match in _GROUP_OR_UNCLOSED.finditer(text):
        if looks_like_boxes(match[0]):
            yield match, match["closed"] is not None
