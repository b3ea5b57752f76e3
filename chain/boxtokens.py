"""Boxes in the model's own text: the padded square in 1/1000, spelled as five tokens or as ASMv2 digits.

Captions outside the model are in SA-Pancap form (`a cat [[0.004, 0.322, 0.454, 0.927]]`, fractions of the image).
Inside they stand in the frame that the vision tower sees, so that a coordinate means the same place in every image:
`a cat<box><c4><c322><c454><c927>` (`coordinates: tokens`; lists need no commas: each entry ends with its box) or
`a cat <box>[[4, 322, 454, 927]]</box>` (`coordinates: text`, the form of ASMv2 and the released PancapChain).
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pancap.caption.boxes import LETTERBOX_UNITS, Box
from pancap.caption.letterbox import from_letterbox, to_letterbox
from pancap.chain.config import Coordinates

SAPANCAP_BOX = re.compile(r"[ ]?\[\[\s*([\d.]+)\s*,\s*([\d.]+)\s*,\s*([\d.]+)\s*,\s*([\d.]+)\s*\]\]")
TOKEN_BOX = re.compile(r"<box><c(\d{1,4})><c(\d{1,4})><c(\d{1,4})><c(\d{1,4})>")
TEXT_BOX = re.compile(r"<box>\[\[\s*(\d{1,4})\s*,\s*(\d{1,4})\s*,\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\]\]</box>")
LEFTOVER = re.compile(r"[ ]?(</?box>|<c\d{1,4}>)")

Units = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A tag and the box it names, as the stages pass them on."""

    tag: str
    box: Box


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

    def to_units(self, box: Box) -> Units:
        """The box in 1/1000 of the padded square; at least one unit wide and high, even for the thinnest box."""
        return to_letterbox(box, width=self.width, height=self.height)

    def from_units(self, units: Units) -> Box | None:
        """The box in fractions, three decimals; None if the corners are out of order or nothing is inside the image."""
        if any(unit > LETTERBOX_UNITS for unit in units):
            return None
        try:
            box = from_letterbox(units, width=self.width, height=self.height)
            return Box(*(round(value, 3) for value in box.as_tuple()))
        except ValueError:
            return None

    def limits(self) -> Units:
        """Smallest and largest units inside the image: (x_min, y_min, x_max, y_max)."""
        return self.to_units(Box(0.0, 0.0, 1.0, 1.0))

    def render_box(self, box: Box) -> str:
        """One box as model text."""
        units = self.to_units(box)
        if self.coordinates == "tokens":
            return "<box>" + "".join(f"<c{unit}>" for unit in units)
        return f"<box>[[{', '.join(map(str, units))}]]</box>"

    def render_boxes(self, boxes: Iterable[Box]) -> str:
        """A list of boxes as model text."""
        return ("" if self.coordinates == "tokens" else ", ").join(self.render_box(box) for box in boxes)

    def render_instances(self, instances: Iterable[Instance]) -> str:
        """A list of tags with boxes as model text."""
        if self.coordinates == "tokens":
            return "".join(f" {item.tag}{self.render_box(item.box)}" for item in instances)
        return ", ".join(f"{item.tag} {self.render_box(item.box)}" for item in instances)

    def parse_boxes(self, text: str) -> tuple[Box, ...]:
        """Boxes of a list, exact duplicates dropped, up to the first malformed entry."""
        return tuple(dict.fromkeys(box for words, box in self._entries(text) if not words))

    def parse_instances(self, text: str) -> tuple[Instance, ...]:
        """Tags with boxes of a list, exact duplicates dropped, up to the first malformed entry."""
        found: dict[Instance, None] = {}
        for words, box in self._entries(text):
            if not words:
                break
            found[Instance(tag=words, box=box)] = None
        return tuple(found)

    def to_model(self, caption: str) -> str:
        """A caption in SA-Pancap form as model text; boxes that are none are left out."""

        def spell(match: re.Match[str]) -> str:
            try:
                box = Box(*(float(value) for value in match.groups()))
            except ValueError:
                return ""
            return self.gap + self.render_box(box)

        return SAPANCAP_BOX.sub(spell, caption)

    def from_model(self, text: str) -> str:
        """Model text as a caption in SA-Pancap form; malformed boxes are left out. Never raises."""

        def spell(match: re.Match[str]) -> str:
            values = tuple(int(value) for value in match.groups())
            box = self.from_units((values[0], values[1], values[2], values[3]))
            return "" if box is None else " " + render_sapancap_box(box)

        spelled = re.sub(r"[ ]?" + self._pattern.pattern, spell, text)
        return LEFTOVER.sub("", spelled).strip()

    @property
    def gap(self) -> str:
        """What stands between a word and the box that follows it."""
        return "" if self.coordinates == "tokens" else " "

    @property
    def _pattern(self) -> re.Pattern[str]:
        return TOKEN_BOX if self.coordinates == "tokens" else TEXT_BOX

    def _entries(self, text: str) -> Iterator[tuple[str, Box]]:
        end = 0
        for match in self._pattern.finditer(text):
            words = text[end : match.start()].strip(" ,\n")
            values = tuple(int(value) for value in match.groups())
            box = self.from_units((values[0], values[1], values[2], values[3]))
            if box is None or "<" in words:
                return
            yield words, box
            end = match.end()


def render_sapancap_box(box: Box) -> str:
    """`[[x1, y1, x2, y2]]` with three decimals, as SA-Pancap writes it."""
    return f"[[{', '.join(f'{value:.3f}' for value in box.as_tuple())}]]"


def caption_boxes(caption: str) -> tuple[Box, ...]:
    """The distinct boxes of a caption in SA-Pancap form, in order of appearance."""
    found: dict[Box, None] = {}
    for match in SAPANCAP_BOX.finditer(caption):
        try:
            found[Box(*(float(value) for value in match.groups()))] = None
        except ValueError:
            continue
    return tuple(found)


def without_boxes(captions: Sequence[str]) -> Iterator[str]:
    """Captions with their boxes cut out: what a tokenizer learns its words from."""
    return (SAPANCAP_BOX.sub("", caption) for caption in captions)
