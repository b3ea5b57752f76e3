"""What one entity does to another or rests on, as far as two boxes and two tags tell."""

from collections.abc import Callable
from dataclasses import dataclass

from pancap.caption.boxes import Box
from pancap.caption.content import Entity
from pancap.engine.captioners.tags import (
    HELD_TAGS,
    PERCH_TAGS,
    PERCHING_TAGS,
    PERSON_TAGS,
    RIDDEN_TAGS,
    SEAT_TAGS,
    SUPPORT_TAGS,
    TABLE_OBJECT_TAGS,
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two boxes, and how they lie to each other."""

    one: Box
    two: Box

    @property
    def shared_width(self) -> float:
        """Overlap of the columns as a share of the narrower box; negative for a gap."""
        shared = min(self.one.x2, self.two.x2) - max(self.one.x1, self.two.x1)
        return shared / min(self.one.x2 - self.one.x1, self.two.x2 - self.two.x1)

    @property
    def shared_height(self) -> float:
        """Overlap of the rows as a share of the lower box; negative for a gap."""
        shared = min(self.one.y2, self.two.y2) - max(self.one.y1, self.two.y1)
        return shared / min(self.one.y2 - self.one.y1, self.two.y2 - self.two.y1)

    @property
    def gap_x(self) -> float:
        """Width of the gap between the boxes, 0 where they share columns."""
        return max(0.0, max(self.one.x1, self.two.x1) - min(self.one.x2, self.two.x2))

    @property
    def rests(self) -> bool:
        """Whether the first box stands within the upper part of the second."""
        is_over = self.shared_width > 0.6 and self.one.y1 < self.two.y1 + 0.1 * (self.two.y2 - self.two.y1)
        return is_over and self.two.y1 - 0.02 <= self.one.y2 <= self.two.y2 + 0.02

    @property
    def same_base(self) -> bool:
        """Whether both stand on about the same row."""
        return abs(self.one.y2 - self.two.y2) < 0.035


def _holds(pair: Pair) -> bool:
    is_near = pair.gap_x < 0.02 and pair.shared_height > 0.05
    return is_near and pair.two.area < 1.2 * pair.one.area


def _flies_kite(pair: Pair) -> bool:
    return pair.two.y2 < pair.one.y1 + 0.1 and pair.gap_x < 0.35


def _walks_dog(pair: Pair) -> bool:
    return pair.same_base and pair.gap_x < 0.12 and pair.shared_width < 0.5


def _plays(pair: Pair) -> bool:
    return pair.same_base and pair.gap_x < 0.1


def _sits(pair: Pair) -> bool:
    return pair.shared_width > 0.6 and pair.one.y1 < pair.two.y1 and pair.one.y2 < pair.two.y2 + 0.05


_RULES: tuple[tuple[str, frozenset[str], frozenset[str], Callable[[Pair], bool]], ...] = (
    ("rides", PERSON_TAGS, RIDDEN_TAGS, _sits),
    ("sits on", PERSON_TAGS, SEAT_TAGS, _sits),
    ("sits on", PERCHING_TAGS, PERCH_TAGS, lambda pair: pair.rests),
    ("holds", PERSON_TAGS, HELD_TAGS, _holds),
    ("flies", PERSON_TAGS, frozenset({"kite"}), _flies_kite),
    ("walks", PERSON_TAGS, frozenset({"dog"}), _walks_dog),
    ("plays with", PERSON_TAGS | {"dog"}, frozenset({"ball"}), _plays),
    ("is on top of", TABLE_OBJECT_TAGS, SUPPORT_TAGS, lambda pair: pair.rests),
)


def action(one: Entity, two: Entity) -> str | None:
    """The predicate that ties `one` to `two` (`rides`, `holds`, `is on top of`), or None.

    Args:
        one: the one who acts or rests; has a box.
        two: what it acts on; has a box.
    """
    assert one.box is not None and two.box is not None
    pair = Pair(one.box, two.box)
    for text, subjects, objects, holds in _RULES:
        if one.tag in subjects and two.tag in objects and holds(pair):
            return text
    return None
