"""Relations between entities, from their boxes: parts, actions, neighbours, ground and backdrop."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from pancap.caption.content import Entity, Relation
from pancap.engine.captioners.actions import Pair, action
from pancap.engine.captioners.tags import (
    ANIMAL_TAGS,
    BACKDROP_TAGS,
    FLOATING_TAGS,
    FLYING_TAGS,
    GROUND_TAGS,
    HANGING_TAGS,
    PART_TAGS,
    PERSON_TAGS,
    SKY_TAGS,
    STUFF_TAGS,
    WATER_TAGS,
    WORN_TAGS,
)

# A part belongs to the smallest whole that holds at least this share of it.
MIN_PART_SHARE = 0.7
# Two things that share this much of the narrower one's columns stand before and behind each other, not side by side.
_MIN_BEHIND_SHARE = 0.35
_NEXT_TO_GAP = 0.04
MAX_NEIGHBOURS = 4
MAX_RELATIONS = 8


def mark_parts(entities: Sequence[Entity]) -> tuple[Entity, ...]:
    """The entities, those that are parts of another one with `kind="part"`."""
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
    """Relations of a scene, the surest first: actions, parts, neighbours, what stands on what, backdrops.

    Args:
        entities: with their kinds marked.
    """
    placed = [item for item in entities if item.box is not None]
    things = [item for item in placed if item.kind == "whole" and item.tag not in STUFF_TAGS]
    things.sort(key=lambda item: item.box.center if item.box else (0.0, 0.0))
    found = _actions(things) + [relation for item in placed if (relation := _part(item, placed))]
    resting = {relation.subject_id for relation in found if relation.text in {"rides", "sits on", "is on top of"}}
    tied = {frozenset((relation.subject_id, relation.object_id)) for relation in found}
    found += _neighbours(things, tied)
    standing = [item for item in things if item.id not in resting]
    found += _grounds(standing, placed)[: max(2, 4 - len(found))]
    found += _backdrops(things, placed)
    return tuple(found[:MAX_RELATIONS])


def _actions(things: Sequence[Entity]) -> list[Relation]:
    """At most one action for each pair and each actor."""
    found = []
    for one in things:
        for two in things:
            text = action(one, two) if one.id != two.id else None
            if text:
                found.append(Relation(subject_id=one.id, object_id=two.id, text=text))
                break
    return found


def _part(part: Entity, entities: Sequence[Entity]) -> Relation | None:
    whole = whole_of(part, entities) if part.kind == "part" else None
    if whole is None:
        return None
    if part.tag in WORN_TAGS:
        return Relation(subject_id=whole.id, object_id=part.id, text="wears")
    return Relation(subject_id=part.id, object_id=whole.id, text="is part of")


def _neighbours(things: Sequence[Entity], tied: set[frozenset[int]]) -> list[Relation]:
    """Each thing to the next one on its right."""
    found = []
    for left, right in list(pairwise(things))[:MAX_NEIGHBOURS]:
        if frozenset((left.id, right.id)) not in tied:
            found.append(Relation(subject_id=left.id, object_id=right.id, text=position(left, right)))
    return found


def position(one: Entity, two: Entity) -> str:
    """Where `one` is, seen from `two`: beside, above or below, before or behind.

    Args:
        one: the subject, with a box.
        two: what it is compared with, with a box.
    """
    assert one.box is not None and two.box is not None
    pair = Pair(one.box, two.box)
    if pair.shared_width <= _MIN_BEHIND_SHARE:
        if pair.gap_x < _NEXT_TO_GAP and pair.same_base:
            return "is next to"
        return "is to the left of" if one.box.center[0] < two.box.center[0] else "is to the right of"
    is_upper = one.box.center[1] < two.box.center[1]
    upper, lower = (one, two) if is_upper else (two, one)
    assert upper.box is not None and lower.box is not None
    is_clear = upper.box.y2 <= lower.box.y1 + 0.25 * (lower.box.y2 - lower.box.y1)
    if is_clear or upper.tag in FLYING_TAGS | HANGING_TAGS:
        return "is above" if is_upper else "is below"
    return "is in front of" if one.box.y2 > two.box.y2 else "is behind"


def _grounds(things: Sequence[Entity], placed: Sequence[Entity]) -> list[Relation]:
    grounds = [item for item in placed if item.tag in GROUND_TAGS | WATER_TAGS]
    found = []
    for thing in things:
        ground = None if thing.tag in FLYING_TAGS | HANGING_TAGS else _ground_under(thing, grounds)
        if ground is not None:
            found.append(Relation(subject_id=thing.id, object_id=ground.id, text=_standing(thing, ground)))
    return found


def _ground_under(thing: Entity, grounds: Sequence[Entity]) -> Entity | None:
    """The narrowest ground whose box holds the foot of the thing."""
    assert thing.box is not None
    x, y = thing.box.center[0], thing.box.y2 - 0.01
    holds = [(item, item.box) for item in grounds if item.box is not None]
    under = [item for item, box in holds if box.x1 <= x <= box.x2 and box.y1 <= y <= box.y2]
    return min(under, key=lambda item: item.box.y2 - item.box.y1 if item.box else 1.0, default=None)


def _standing(thing: Entity, ground: Entity) -> str:
    if ground.tag in WATER_TAGS and thing.tag in FLOATING_TAGS:
        return "floats on"
    return "stands on" if thing.tag in PERSON_TAGS | ANIMAL_TAGS else "is on"


def _backdrops(things: Sequence[Entity], placed: Sequence[Entity]) -> list[Relation]:
    """Mountains are behind the largest thing, the sky and the wall are above the ground, pictures hang on the wall."""
    by_tag = {item.tag: item for item in reversed(placed)}
    grounds = [item for item in placed if item.tag in GROUND_TAGS]
    top_ground = min(grounds, key=lambda item: item.box.y1 if item.box else 1.0, default=None)
    standing = [item for item in things if item.tag not in FLYING_TAGS | HANGING_TAGS]
    largest = max(standing, key=lambda item: item.box.area if item.box else 0.0, default=None)
    found = []
    for tag in sorted(BACKDROP_TAGS & by_tag.keys()):
        if largest is not None:
            found.append(Relation(subject_id=by_tag[tag].id, object_id=largest.id, text="is behind"))
    if "wall" in by_tag:
        hanging = [item for item in things if item.tag in HANGING_TAGS]
        found += [Relation(subject_id=item.id, object_id=by_tag["wall"].id, text="hangs on") for item in hanging]
    for tag in sorted((SKY_TAGS | {"wall"}) & by_tag.keys()):
        if top_ground is not None:
            found.append(Relation(subject_id=by_tag[tag].id, object_id=top_ground.id, text="is above"))
    return found
