"""Boxes in the model's own text: the padded square in 1/1000, spelled as five tokens or as ASMv2 digits.

Captions outside the model are in SA-Pancap form (`a cat [[0.004, 0.322, 0.454, 0.927]]`, fractions of the image).
Inside they stand in the frame that the vision tower sees, so that a coordinate means the same place in every image:
`a cat<box><c4><c322><c454><c927>` (`coordinates: tokens`; lists need no commas: each entry ends with its box) or
`a cat <box>[[4, 322, 454, 927]]</box>` (`coordinates: text`, the form of ASMv2 and the released PancapChain).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from pancap.caption.boxes import Box
from pancap.caption.formats import asmv2, sapancap
from pancap.caption.letterbox import to_letterbox
from pancap.chain.config import Coordinates

TOKEN_BOX = re.compile(r" ?<box><c(\d{1,4})><c(\d{1,4})><c(\d{1,4})><c(\d{1,4})>")
LOOSE_TOKENS = re.compile(r"(?:<box>(?!\[)|<c\d{1,4}>)+")

Units = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A tag and the box it names, as the stages pass them on."""

    tag: str
    box: Box


class Codec(Protocol):
    """How boxes stand in the text of one model, for images of one size; no reader raises, whatever the text."""

    def render_boxes(self, boxes: Iterable[Box]) -> str:
        """A list of boxes as model text."""
        ...

    def render_instances(self, instances: Iterable[Instance]) -> str:
        """A list of tags with boxes as model text."""
        ...

    def parse_boxes(self, text: str) -> tuple[Box, ...]:
        """The boxes of such a list."""
        ...

    def parse_instances(self, text: str) -> tuple[Instance, ...]:
        """The tags with boxes of such a list."""
        ...

    def from_model(self, text: str) -> str:
        """Model text as a caption in SA-Pancap form."""
        ...

    def dropped(self, text: str) -> tuple[str, ...]:
        """`reason: text` of what looked like a box and was none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxCodec:
    """Turns boxes and captions into model text and back, for images of one size.

    Args:
        coordinates: `tokens` or `text`, see the module.
        width, height: pixels of the original image; only their ratio matters.

    Example:
        >>> codec = BoxCodec(coordinates="tokens", width=200, height=100)
        >>> codec.render_box(Box(0.0, 0.0, 0.5, 1.0))
        '<box><c0><c250><c500><c750>'
    """

    coordinates: Coordinates
    width: int = 1
    height: int = 1

    @property
    def gap(self) -> str:
        """What stands between a word and the box that follows it."""
        return "" if self.coordinates == "tokens" else " "

    def to_units(self, box: Box) -> Units:
        """The box in 1/1000 of the padded square; at least one unit wide and high, even for the thinnest box."""
        return to_letterbox(box, width=self.width, height=self.height)

    def limits(self) -> Units:
        """Smallest and largest units inside the image: (x_min, y_min, x_max, y_max)."""
        return self.to_units(Box(0.0, 0.0, 1.0, 1.0))

    def render_box(self, box: Box) -> str:
        """One box as model text."""
        if self.coordinates == "text":
            return asmv2.render_box(box, width=self.width, height=self.height)
        return render_units(self.to_units(box))

    def render_boxes(self, boxes: Iterable[Box]) -> str:
        """A list of boxes as model text."""
        return ("" if self.coordinates == "tokens" else ", ").join(self.render_box(box) for box in boxes)

    def render_instances(self, instances: Iterable[Instance]) -> str:
        """A list of tags with boxes as model text."""
        if self.coordinates == "tokens":
            return "".join(f" {item.tag}{self.render_box(item.box)}" for item in instances)
        return ", ".join(f"{item.tag} {self.render_box(item.box)}" for item in instances)

    def parse_boxes(self, text: str) -> tuple[Box, ...]:
        """Boxes of a list, exact duplicates dropped, up to the first malformed entry. Never raises."""
        return asmv2.parse_boxes(self._as_asmv2(text, after=", "), width=self.width, height=self.height).boxes

    def parse_instances(self, text: str) -> tuple[Instance, ...]:
        """Tags with boxes of a list, exact duplicates dropped, up to the first malformed entry. Never raises."""
        parsed = asmv2.parse_instances(self._as_asmv2(text, after=", "), width=self.width, height=self.height)
        return tuple(Instance(tag=tag, box=box) for tag, box in parsed.instances if box is not None)

    def to_model(self, caption: str) -> str:
        """A caption in SA-Pancap form as model text; malformed boxes are left out. Never raises."""
        pieces: list[str] = []
        for segment in sapancap.parse(caption).segments:
            if isinstance(segment, str):
                pieces.append(segment)
                continue
            if self.coordinates == "tokens" and pieces:
                pieces[-1] = pieces[-1].removesuffix(" ")
            pieces.append(self.render_box(segment))
        return "".join(pieces)

    def from_model(self, text: str) -> str:
        """Model text as a caption in SA-Pancap form; malformed boxes are left out. Never raises."""
        parsed = asmv2.parse(self._as_asmv2(text, after=""), width=self.width, height=self.height)
        return sapancap.render(parsed.segments).strip()

    def dropped(self, text: str) -> tuple[str, ...]:
        """`reason: text` of what looked like a box and was none; coordinate tokens respelled as digits."""
        parsed = asmv2.parse(self._as_asmv2(text, after=""), width=self.width, height=self.height)
        return tuple(map(str, parsed.dropped))

    def _as_asmv2(self, text: str, *, after: str) -> str:
        """Coordinate tokens respelled as ASMv2 digits, with `after` behind each box; loose tokens as unclosed boxes."""
        if self.coordinates == "text":
            return text
        respelled = TOKEN_BOX.sub(rf" <box>[[\1, \2, \3, \4]]</box>{after}", text)
        return LOOSE_TOKENS.sub("<box>", respelled)


def render_units(units: Units) -> str:
    """A box as five tokens."""
    return "<box>" + "".join(f"<c{unit}>" for unit in units)


def without_open_box(text: str) -> str:
    """An answer that was cut, without the box in which it ends, if it does.

    Example:
        >>> [without_open_box(text) for text in ("A cat<box><c1><c2>", "a <box>[[1, 2, 3, 4]]</box>, b <box>[[1")]
        ['A cat', 'a <box>[[1, 2, 3, 4]]</box>, b']
    """
    before, begin, rest = text.rpartition("<box>")
    is_open = begin and "</box>" not in rest and not TOKEN_BOX.match(begin + rest)
    return before.removesuffix(" ") if is_open else text


def without_boxes(captions: Iterable[str]) -> Iterator[str]:
    """Captions with their boxes cut out, and the space before each: what a tokenizer learns its words from."""
    for caption in captions:
        segments = sapancap.parse(caption).segments
        before_box = [isinstance(part, Box) for part in (*segments[1:], "")]
        texts = zip(segments, before_box, strict=True)
        yield "".join(part.removesuffix(" ") if cut else part for part, cut in texts if isinstance(part, str))
