"""Boxes as models write them that nobody taught ours: `[[12, 34, 560, 780]]` in the frame that each was raised on.

The frame belongs to the model and is asked for in the prompt; here it becomes fractions of the image. Answers are free
text, so reading is tolerant: what cannot be a box is dropped and reported, and reading goes on behind it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pancap.caption.boxes import LETTERBOX_UNITS, Box
from pancap.caption.formats import sapancap
from pancap.caption.formats.parsed import Dropped, DropReason, Found, ParsedText, read_text
from pancap.chain.boxtokens import Instance

Frame = Literal["fractions", "thousandths", "thousandths_yx", "pixels"]

# Two numbers at least, so that `[1]` stays text.
_GROUP = re.compile(r"(?:<box>\s*)?\[+\s*(?P<numbers>[+-]?[0-9.][^\[\]\n]*,[^\[\]\n]*)(?P<close>\]*)(?:\s*</box>)?")
_LIST_MARK = re.compile(r"^[\s\-*#]*(?:\d+[.)])?[\s*]*")
# How far over the edge of the image a model may point; the rest is cut off.
_MAX_OVERSHOOT = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainCodec:
    """Turns boxes into what one model reads, and its answers into boxes, for pictures of one size.

    Args:
        frame: what its numbers mean: `fractions` or `thousandths` of the picture, `thousandths_yx` with each corner's
            y first, or `pixels`.
        width, height: pixels of the picture as it was sent.

    Example:
        >>> codec = PlainCodec(frame="thousandths_yx", width=200, height=100)
        >>> codec.from_model("A cat [100, 0, 900, 500].")
        'A cat [[0.000, 0.100, 0.500, 0.900]].'
    """

    frame: Frame
    width: int
    height: int

    def render_box(self, box: Box) -> str:
        """One box in the model's frame."""
        if self.frame == "fractions":
            return sapancap.render_box(box)
        if self.frame == "pixels":
            x1, y1, x2, y2 = (round(value) for value in box.to_px(width=self.width, height=self.height))
        else:
            x1, y1, x2, y2 = box.to_units()
        return f"[[{y1}, {x1}, {y2}, {x2}]]" if self.frame == "thousandths_yx" else f"[[{x1}, {y1}, {x2}, {y2}]]"

    def render_boxes(self, boxes: Iterable[Box]) -> str:
        """A list of boxes, a line each."""
        return "\n".join(map(self.render_box, boxes))

    def render_instances(self, instances: Iterable[Instance]) -> str:
        """A list of tags with boxes, a line each."""
        return "\n".join(f"{item.tag} {self.render_box(item.box)}" for item in instances)

    def parse_boxes(self, text: str) -> tuple[Box, ...]:
        """The boxes of an answer, exact duplicates dropped. Never raises."""
        return tuple(dict.fromkeys(self._parse(text).boxes))

    def parse_instances(self, text: str) -> tuple[Instance, ...]:
        """Boxes with the words before them, on the same line and behind the last comma. Never raises."""
        found: list[Instance] = []
        words = ""
        for segment in self._parse(text).segments:
            if isinstance(segment, str):
                words = re.split(r"[\n,;]", segment)[-1]
            elif tag := _LIST_MARK.sub("", words).strip(" :-*`\"'").lower():
                found.append(Instance(tag=tag, box=segment))
        return tuple(dict.fromkeys(found))

    def to_model(self, caption: str) -> str:
        """A caption in SA-Pancap form with its boxes in the model's frame."""
        segments = sapancap.parse(caption).segments
        return "".join(part if isinstance(part, str) else self.render_box(part) for part in segments)

    def from_model(self, text: str) -> str:
        """An answer as a caption in SA-Pancap form; malformed boxes are left out. Never raises."""
        return sapancap.render(self._parse(text).segments).strip()

    def dropped(self, text: str) -> tuple[str, ...]:
        """`reason: text` of what looked like a box and was none."""
        return tuple(map(str, self._parse(text).dropped))

    def _parse(self, text: str) -> ParsedText:
        return read_text(text, self._find(text))

    def _find(self, text: str) -> Iterator[Found]:
        for match in _GROUP.finditer(text):
            box = self._read(match["numbers"]) if match["close"] else "unclosed"
            if isinstance(box, Box):
                yield Found(start=match.start(), end=match.end(), boxes=(box,))
            else:
                yield Found(start=match.start(), end=match.end(), dropped=(Dropped(match[0], box),))

    def _read(self, text: str) -> Box | DropReason:
        try:
            numbers = [float(part) for part in text.split(",")]
        except ValueError:
            return "not_a_number"
        if len(numbers) != 4:
            return "wrong_count"
        if self.frame == "thousandths_yx":
            numbers = [numbers[index] for index in (1, 0, 3, 2)]
        width, height = {"fractions": (1, 1), "pixels": (self.width, self.height)}.get(
            self.frame, (LETTERBOX_UNITS, LETTERBOX_UNITS)
        )
        x1, y1, x2, y2 = (number / extent for number, extent in zip(numbers, (width, height) * 2, strict=True))
        if not all(-_MAX_OVERSHOOT <= value <= 1 + _MAX_OVERSHOOT for value in (x1, y1, x2, y2)):
            return "out_of_range"
        x1, y1, x2, y2 = (min(max(value, 0.0), 1.0) for value in (x1, y1, x2, y2))
        return Box(x1, y1, x2, y2) if x1 < x2 and y1 < y2 else "not_ordered"
