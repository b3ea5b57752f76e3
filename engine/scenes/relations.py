"""Relations between drawn entities: what was arranged (riding, standing on) and what the geometry shows."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pancap.caption.boxes import Box
from pancap.caption.content import Relation
from pancap.engine.scenes.vocabulary import ANIMALS, PEOPLE

MAX_RELATIONS = 8
_BEHIND_OVERLAP = 0.35
"""Share of the narrower thing's width that must be shared to call a pair before and behind each other."""


@dataclass(frozen=True, kw_only=True)
class Placed:
    """What relations need to know of one listed entity.

    Args:
        id: entity id in the content.
        tag, role: label; `thing`, `stuff` or `part`.
        box: visible extent.
        order: painter's order; larger is nearer.
        ground_id: entity id of the stuff underfoot, if listed.
        is_airborne: hangs or flies.
    """

    id: int
    tag: str
    role: str
    box: Box
    order: float
    ground_id: int | None = None
    is_airborne: bool = False


def relate(
    placed: Sequence[Placed], *, arranged: Sequence[Relation], poses: dict[int, str], rng: np.random.Generator
) -> tuple[Relation, ...]:
    """All relations that the scene states: arranged ones first, then pairs, then grounds; at most eight."""
    found = list(arranged)
    linked = {frozenset((item.subject_id, item.object_id)) for item in arranged}
    things = sorted((p for p in placed if p.role == "thing"), key=lambda p: p.box.center[0])
    for left, right in _neighbours(things):
        if frozenset((left.id, right.id)) not in linked:
            found.append(_position(left, right, rng))
    tables = {p.id for p in placed if p.tag == "table" and p.role == "stuff"}
    grounds = [
        _standing(p, poses.get(p.id, ""), is_table=p.ground_id in tables) for p in things if p.ground_id is not None
    ]
    found += grounds[: max(2, 4 - len(found))]
    found += _backdrops(placed)
    return tuple(found[:MAX_RELATIONS])


def _neighbours(things: Sequence[Placed]) -> list[tuple[Placed, Placed]]:
    return list(itertools.pairwise(things))[:4]


def _position(left: Placed, right: Placed, rng: np.random.Generator) -> Relation:
    """How two neighbours stand to each other, from their boxes and depths."""
    shared = min(left.box.x2, right.box.x2) - max(left.box.x1, right.box.x1)
    narrow = min(left.box.x2 - left.box.x1, right.box.x2 - right.box.x1)
    swap = bool(rng.random() < 0.5)
    if shared > _BEHIND_OVERLAP * narrow:
        upper, lower = (left, right) if left.box.center[1] < right.box.center[1] else (right, left)
        if upper.box.y2 <= lower.box.y1 + 0.25 * (lower.box.y2 - lower.box.y1) or upper.is_airborne:
            words, a, b = ("is below", lower, upper) if swap else ("is above", upper, lower)
        else:
            far, near = (left, right) if left.order < right.order else (right, left)
            words, a, b = ("is in front of", near, far) if swap else ("is behind", far, near)
        return Relation(subject_id=a.id, object_id=b.id, text=words)
    gap = max(right.box.x1 - left.box.x2, 0.0)
    same_row = abs(left.box.y2 - right.box.y2) < 0.05
    if gap < 0.04 and same_row:
        a, b = (left, right) if swap else (right, left)
        return Relation(subject_id=a.id, object_id=b.id, text="is next to")
    if swap:
        return Relation(subject_id=left.id, object_id=right.id, text="is to the left of")
    return Relation(subject_id=right.id, object_id=left.id, text="is to the right of")


def _standing(thing: Placed, pose: str, *, is_table: bool) -> Relation:
    assert thing.ground_id is not None
    if pose == "walk" and thing.tag in PEOPLE:
        words = "walks on"
    elif pose == "float":
        words = "floats on"
    elif thing.tag in PEOPLE or thing.tag in ANIMALS:
        words = "stands on"
    else:
        words = "is on top of" if is_table else "is on"
    return Relation(subject_id=thing.id, object_id=thing.ground_id, text=words)


def _backdrops(placed: Sequence[Placed]) -> list[Relation]:
    """The sky is above the land; mountains and walls are behind the nearest thing."""
    by_tag = {p.tag: p for p in placed if p.role == "stuff"}
    things = [p for p in placed if p.role == "thing" and not p.is_airborne]
    found = []
    for tag in ("mountain", "hill"):
        if tag in by_tag and things:
            largest = max(things, key=lambda p: p.box.area)
            found.append(Relation(subject_id=by_tag[tag].id, object_id=largest.id, text="is behind"))
    below = [p for p in placed if p.role == "stuff" and p.tag not in {"sky", "mountain", "hill", "wall"}]
    if "sky" in by_tag and below:
        found.append(Relation(subject_id=by_tag["sky"].id, object_id=below[0].id, text="is above"))
    hanging = [p for p in placed if p.role == "thing" and p.tag in {"picture", "clock", "window"}]
    if "wall" in by_tag:
        found += [Relation(subject_id=p.id, object_id=by_tag["wall"].id, text="hangs on") for p in hanging]
    if "wall" in by_tag and below:
        found.append(Relation(subject_id=by_tag["wall"].id, object_id=below[0].id, text="is above"))
    return found
