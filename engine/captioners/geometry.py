"""Relations between entities, from their boxes: parts, support, actions and position."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pancap.caption.boxes import Box
from pancap.caption.content import Entity, Relation
from pancap.engine.captioners.tags import (
    ANIMAL_TAGS,
    HELD_TAGS,
    PART_TAGS,
    PERSON_TAGS,
    RIDDEN_TAGS,
    SEAT_TAGS,
    STUFF_TAGS,
    SUPPORT_TAGS,
    WORN_TAGS,
)

# A part belongs to the smallest whole that holds at least this share of it.
MIN_PART_SHARE = 0.7
MAX_RELATIONS = 8


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two boxes, and how they lie to each other."""

    one: Box
    two: Box

    @property
    def shared_width(self) -> float:
        """Overlap of the columns, as a share of the narrower box."""
        shared = min(self.one.x2, self.two.x2) - max(self.one.x1, self.two.x1)
        return shared / min(self.one.x2 - self.one.x1, self.two.x2 - self.two.x1)

    @property
    def shared_height(self) -> float:
        """Overlap of the rows, as a share of the lower box."""
        shared = min(self.one.y2, self.two.y2) - max(self.one.y1, self.two.y1)
        return shared / min(self.one.y2 - self.one.y1, self.two.y2 - self.two.y1)


def mark_parts(entities: Sequence[Entity]) -> tuple[Entity, ...]:
    """The entities with `kind="part"` for those that are parts of another one."""
    return tuple(replace(item, kind="part") if whole_of(item, entities) else item for item in entities)


def whole_of(part: Entity, entities: Sequence[Entity]) -> Entity | None:
    """The smallest entity that the part lies in, None where it is no part."""
    if part.tag not in PART_TAGS or part.box is None:
        return None
    holders = [
        item
        for item in entities
        if item.id != part.id
        and item.box is not None
        and item.tag not in PART_TAGS | STUFF_TAGS
        and (item.tag in PERSON_TAGS) == (part.tag in WORN_TAGS)
        and item.box.area > part.box.area
        and item.box.intersection(part.box) > MIN_PART_SHARE * part.box.area
    ]
    return min(holders, key=lambda item: item.box.area if item.box else 1.0, default=None)


def relate(entities: Sequence[Entity]) -> tuple[Relation, ...]:
    """Relations of a scene: every part and action, and the position of every thing to its nearest neighbour.

    Args:
        entities: with their kinds marked.
    """
    placed = [item for item in entities if item.box is not None]
    relations = [relation for item in placed if (relation := _part_relation(item, placed))]
    things = [item for item in placed if item.kind == "whole" and item.tag not in STUFF_TAGS]
    tied: set[frozenset[int]] = set()
    for one in things:
        for two in things:
            text = _action(one, two) if one.id != two.id and frozenset((one.id, two.id)) not in tied else None
            if text:
                tied.add(frozenset((one.id, two.id)))
                relations.append(Relation(subject_id=one.id, object_id=two.id, text=text))
    relations += _positions(things, tied)
    return tuple(relations[:MAX_RELATIONS])


def _part_relation(part: Entity, entities: Sequence[Entity]) -> Relation | None:
    whole = whole_of(part, entities) if part.kind == "part" else None
    if whole is None:
        return None
    if part.tag in WORN_TAGS:
        return Relation(subject_id=whole.id, object_id=part.id, text="wears")
    return Relation(subject_id=part.id, object_id=whole.id, text="is part of")


def _action(one: Entity, two: Entity) -> str | None:
    """What `one` does to `two` or how it rests on it."""
    assert one.box is not None and two.box is not None
    box, other = one.box, two.box
    pair = _Pair(box, other)
    is_person = one.tag in PERSON_TAGS
    rests = pair.shared_width > 0.5 and other.y1 - 0.02 <= box.y2 <= other.y2 and box.y1 < other.y1
    if is_person and two.tag in RIDDEN_TAGS and rests:
        return "rides"
    if (is_person or one.tag in ANIMAL_TAGS) and two.tag in SEAT_TAGS and rests:
        return "sits on"
    if is_person and two.tag in HELD_TAGS and _touch(box, other) and pair.shared_height > 0.1:
        return "holds"
    if two.tag in SUPPORT_TAGS and rests and box.area < other.area:
        return "is on top of"
    return None


def _touch(one: Box, two: Box) -> bool:
    return one.x1 <= two.x2 and two.x1 <= one.x2 and one.y1 <= two.y2 and two.y1 <= one.y2


def _positions(things: Sequence[Entity], tied: set[frozenset[int]]) -> list[Relation]:
    """One position for each thing, to the nearest other thing that it has none to yet."""
    relations = []
    for one in things:
        others = [two for two in things if two.id != one.id and frozenset((one.id, two.id)) not in tied]
        nearest = min(others, key=lambda two: _distance(one, two), default=None)
        if nearest is None:
            continue
        text = position(one, nearest)
        if text:
            tied.add(frozenset((one.id, nearest.id)))
            relations.append(Relation(subject_id=one.id, object_id=nearest.id, text=text))
    return relations


def _distance(one: Entity, two: Entity) -> float:
    assert one.box is not None and two.box is not None
    (x1, y1), (x2, y2) = one.box.center, two.box.center
    return (x1 - x2) ** 2 + (y1 - y2) ** 2


def position(one: Entity, two: Entity) -> str | None:
    """Where `one` is, seen from `two`, or None where the boxes do not tell."""
    assert one.box is not None and two.box is not None
    pair = _Pair(one.box, two.box)
    if pair.shared_width < 0.3:
        return "is to the left of" if one.box.center[0] < two.box.center[0] else "is to the right of"
    if pair.shared_height < 0.1:
        return "is above" if one.box.y2 < two.box.center[1] else "is below"
    gap = one.box.y2 - two.box.y2
    if abs(gap) > 0.02:
        return "is in front of" if gap > 0 else "is behind"
    return None
