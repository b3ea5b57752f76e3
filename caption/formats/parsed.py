"""What every format's parsers give, and the reading that the formats share."""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from pancap.caption.boxes import Box

DropReason = Literal[
    "unclosed", "wrong_count", "not_a_number", "not_finite", "out_of_range", "not_ordered", "outside_image", "stray"
]
Segment = str | Box
Instance = tuple[str, Box | None]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE)
_SEPARATOR = re.compile(r"[\s,;.]*")


@dataclass(frozen=True, slots=True)
class Dropped:
    """A piece of text that looked like a box and was not one."""

    text: str
    reason: DropReason

    def __str__(self) -> str:
        """`reason: text`."""
        return f"{self.reason}: {self.text}"


@dataclass(frozen=True, slots=True)
class ParsedText:
    """Text with the boxes found in it.

    Args:
        segments: pieces of text and boxes in reading order; no empty and no two adjacent pieces of text.
        dropped: malformed boxes, which are in no segment.
    """

    segments: tuple[Segment, ...]
    dropped: tuple[Dropped, ...] = ()

    @property
    def boxes(self) -> tuple[Box, ...]:
        """The boxes alone, in reading order."""
        return tuple(segment for segment in self.segments if isinstance(segment, Box))


@dataclass(frozen=True, slots=True)
class ParsedBoxes:
    """A list of boxes, duplicates removed, and `reason: text` of what was dropped."""

    boxes: tuple[Box, ...]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedInstances:
    """A list of (tag, box), duplicates removed, and `reason: text` of what was dropped."""

    instances: tuple[Instance, ...]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One place of a text where a format found a group of boxes, or what should have been one."""

    start: int
    end: int
    boxes: tuple[Box, ...] = ()
    dropped: tuple[Dropped, ...] = ()


def read_text(text: str, found: Iterable[Found]) -> ParsedText:
    """Cuts a text at the groups that a format found in it."""
    segments: list[Segment] = []
    dropped: list[Dropped] = []
    position = 0
    for group in found:
        _append_text(segments, text[position : group.start])
        segments += group.boxes
        dropped += group.dropped
        position = group.end
    _append_text(segments, text[position:])
    return ParsedText(tuple(segments), tuple(dropped))


def read_instances(text: str, found: Iterable[Found]) -> ParsedInstances:
    """Reads `tag BOX, tag BOX`; a tag without a box is an instance without a box.

    Reading stops at the first malformed instance (a bad box, a box without a tag); exact duplicates are dropped.
    """
    instances: dict[Instance, None] = {}
    dropped: list[str] = []
    if text.strip(" \n\t.").casefold() in {"none", ""}:
        return ParsedInstances(())
    position = 0
    for group in found:
        tags = _split_tags(text[position : group.start])
        if group.dropped or not tags:
            reason = group.dropped[0].reason if group.dropped else "untagged"
            return ParsedInstances(tuple(instances), (*dropped, f"{reason}: {text[position:]}"))
        read: list[Instance] = [(tag, None) for tag in tags[:-1]]
        read += [(tags[-1], box) for box in group.boxes]
        dropped += _add_new(instances, read)
        position = group.end
    dropped += _add_new(instances, [(tag, None) for tag in _split_tags(text[position:])])
    return ParsedInstances(tuple(instances), tuple(dropped))


def read_boxes(text: str, found: Iterable[Found]) -> ParsedBoxes:
    """Reads `BOX, BOX`; stops at the first malformed box or other text; exact duplicates are dropped."""
    boxes: dict[Box, None] = {}
    dropped: list[str] = []
    position = 0
    for group in found:
        between = text[position : group.start]
        if group.dropped or not _SEPARATOR.fullmatch(between):
            reason = group.dropped[0].reason if group.dropped else "not_a_box"
            return ParsedBoxes(tuple(boxes), (*dropped, f"{reason}: {text[position:]}"))
        for box in group.boxes:
            if box in boxes:
                dropped.append(f"duplicate: {box.as_tuple()}")
            boxes[box] = None
        position = group.end
    rest = text[position:]
    if not _SEPARATOR.fullmatch(rest) and rest.strip(" \n\t.").casefold() != "none":
        dropped.append(f"not_a_box: {rest}")
    return ParsedBoxes(tuple(boxes), tuple(dropped))


def read_numbers(text: str, *, maximum: float) -> tuple[float, float, float, float] | DropReason:
    """Four ordered numbers of 0..maximum from `x1, y1, x2, y2`, or why they are not."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4:
        return "wrong_count"
    if any(_NOT_FINITE.fullmatch(part) for part in parts):
        return "not_finite"
    if not all(_NUMBER.fullmatch(part) for part in parts):
        return "not_a_number"
    return check_order([float(part) for part in parts], maximum=maximum)


def check_order(numbers: Sequence[float], *, maximum: float) -> tuple[float, float, float, float] | DropReason:
    """The four corners themselves when they make a box, or why they do not."""
    x1, y1, x2, y2 = numbers
    if not all(math.isfinite(number) for number in numbers):
        return "not_finite"
    if not all(0 <= number <= maximum for number in numbers):
        return "out_of_range"
    if not (x1 < x2 and y1 < y2):
        return "not_ordered"
    return x1, y1, x2, y2


def group_segments(segments: Iterable[Segment]) -> list[str | list[Box]]:
    """Joins boxes that follow each other directly into one group."""
    groups: list[str | list[Box]] = []
    for segment in segments:
        if isinstance(segment, str):
            groups.append(segment)
        elif groups and isinstance(groups[-1], list):
            groups[-1].append(segment)
        else:
            groups.append([segment])
    return groups


def _append_text(segments: list[Segment], text: str) -> None:
    if not text:
        return
    if segments and isinstance(segments[-1], str):
        segments[-1] += text
    else:
        segments.append(text)


def _split_tags(text: str) -> list[str]:
    return [tag for tag in (part.strip(" \n\t.;:") for part in text.split(",")) if tag]


def _add_new(instances: dict[Instance, None], read: list[Instance]) -> list[str]:
    """Adds what is new; returns a line for each duplicate."""
    duplicates = []
    for instance in read:
        if instance in instances:
            duplicates.append(f"duplicate: {instance[0]}")
        instances[instance] = None
    return duplicates
