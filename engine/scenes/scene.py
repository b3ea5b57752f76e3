"""One scene from one seed: image, exact content, caption."""

from dataclasses import dataclass

import numpy as np

from pancap.caption.boxes import Box
from pancap.caption.content import Attribute, CaptionContent, Entity, Relation
from pancap.engine.scenes.canvas import Canvas, Draft, Pen
from pancap.engine.scenes.light import finish, mask_extents
from pancap.engine.scenes.places import PLACES, furnish
from pancap.engine.scenes.plan import Item, Plan
from pancap.engine.scenes.relations import Placed, relate
from pancap.engine.scenes.settings import Setting
from pancap.engine.scenes.things import KINDS
from pancap.engine.scenes.vocabulary import LARGE_AREA, PEOPLE, SMALL_AREA
from pancap.engine.scenes.world import World, imagine_world

SCENES_VERSION = 1
"""Enters every seed: a change of the drawing that changes pixels raises it."""

MIN_ENTITIES, MAX_ENTITIES = 3, 9
_MIN_VISIBLE = 0.42
"""A thing of which less than this share can be seen is not in the scene."""
_MIN_SIDE = 0.033
"""Shortest side of a thing's visible box (8 px of 256)."""
_MIN_PART_SIDE = 0.052
"""Shortest side of a listed part (13 px of 256)."""
_MAX_ATTRIBUTES = 3


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A drawn image and everything that can be said of it.

    Args:
        image: uint8 RGB (size, size, 3).
        content: exact content; boxes are the visible extents in `mask`.
        caption: SA-Pancap style English that states all of the content.
        mask: uint8 (size, size), the entity id of each pixel (a part's pixels carry the part's id), 0 for none.
        place: kind of place.
    """

    image: np.ndarray
    content: CaptionContent
    caption: str
    mask: np.ndarray
    place: str


@dataclass(kw_only=True)
class _Painted:
    canvas: Canvas
    stuff: list[Draft]
    drafts: list[Draft]
    items: list[Item]


def render_scene(seed: int | tuple[int, ...], *, size_px: int = 256) -> Scene:
    """Draws the scene of a seed; the same seed gives the same bytes in every process.

    Args:
        seed: one number, or several (run seed, index).
        size_px: side of the square image.
    """
    from pancap.engine.captioners.writer import write_caption

    scene = draw_scene(seed, size_px=size_px)
    words = np.random.SeedSequence((SCENES_VERSION, *_numbers(seed), 1)).generate_state(1)
    caption = write_caption(scene.content, seed=int(words[0]))
    return Scene(image=scene.image, content=scene.content, caption=caption, mask=scene.mask, place=scene.place)


def draw_scene(seed: int | tuple[int, ...], *, size_px: int = 256) -> Scene:
    """As `render_scene`, with an empty caption (for those who write their own)."""
    for attempt in range(50):
        rng = np.random.default_rng(np.random.SeedSequence((SCENES_VERSION, *_numbers(seed), 0, attempt)))
        scene = _try_scene(rng, size_px=size_px)
        if scene is not None:
            return scene
    raise RuntimeError(f"no scene with {MIN_ENTITIES} to {MAX_ENTITIES} entities was found for seed {seed}; report it")


def _numbers(seed: int | tuple[int, ...]) -> tuple[int, ...]:
    return seed if isinstance(seed, tuple) else (seed,)


def _try_scene(rng: np.random.Generator, *, size_px: int) -> Scene | None:
    weights = np.array([place.weight for place in PLACES])
    place = PLACES[int(rng.choice(len(PLACES), p=weights / weights.sum()))]
    world = imagine_world(rng, is_indoor=place.is_indoor, weathers=place.weathers)
    setting = place.build(world, rng)
    plan = Plan(world, rng)
    furnish(setting, plan)
    stuff_seed, light_seed = (int(v) for v in rng.integers(2**31, size=2))
    painted = _paint(plan.items, world, setting, seed=stuff_seed, size_px=size_px)
    for _ in range(4):
        hidden = _hidden(painted)
        if not hidden:
            break
        plan.items = plan.without(hidden)
        painted = _paint(plan.items, world, setting, seed=stuff_seed, size_px=size_px)
    content, mask = _describe(painted, world, rng)
    if content is None or not painted.items:
        return None
    image = finish(painted.canvas, world, np.random.default_rng(light_seed))
    return Scene(image=image, content=content, caption="", mask=mask, place=place.name)


def _paint(items: list[Item], world: World, setting: Setting, *, seed: int, size_px: int) -> _Painted:
    canvas = Canvas(size_px)
    setting.paint(canvas, np.random.default_rng(seed))
    stuff = list(canvas.drafts)
    drafts: dict[int, Draft] = {}
    for index in sorted(range(len(items)), key=lambda k: items[k].order):
        item = items[index]
        depth = float(np.clip((item.order - world.horizon) / (1.0 - world.horizon), 0.05, 1.0))
        draft = canvas.register(item.tag, role="thing", depth=depth)
        first = draft.id
        if item.cord is not None:
            side = canvas.side
            x1, y1, x2, y2 = item.cord
            canvas.line([(x1 * side, y1 * side), (x2 * side, y2 * side)], width=2, rgb=(60, 54, 52), draft_id=None)
        pen = Pen(
            canvas,
            x=item.x,
            y=item.y,
            height=item.height,
            draft=draft,
            flip=item.flip,
            pose=item.pose,
            is_night=world.is_night,
        )
        KINDS[item.tag].draw(pen, np.random.default_rng(item.seed))
        counts = canvas.ids.histogram()
        for new in canvas.drafts[first - 1 :]:
            new.drawn_px = counts[new.id]
        drafts[index] = draft
    by_item = [draft for _, draft in sorted(drafts.items())]
    return _Painted(canvas=canvas, stuff=stuff, drafts=by_item, items=items)


def _family(canvas: Canvas, draft: Draft) -> list[int]:
    """Ids whose pixels make up an entity: its own and its parts'."""
    return [draft.id, *(part.id for part in canvas.drafts if part.whole_id == draft.id)]


def _hidden(painted: _Painted) -> set[int]:
    """Indices of items of which too little can be seen."""
    counts = painted.canvas.ids.histogram()
    boxes = mask_extents(painted.canvas.id_mask(), count=len(painted.canvas.drafts))
    size = painted.canvas.size_px
    hidden = set()
    for index, draft in enumerate(painted.drafts):
        ids = _family(painted.canvas, draft)
        drawn = sum(painted.canvas.drafts[i - 1].drawn_px for i in ids)
        box = _union([boxes[i - 1] for i in ids])
        is_small = box is None or min(box[2] - box[0], box[3] - box[1]) < _MIN_SIDE * size
        if is_small or sum(counts[i] for i in ids) < _MIN_VISIBLE * drawn:
            hidden.add(index)
    return hidden


def _union(boxes: list[tuple[int, int, int, int] | None]) -> tuple[int, int, int, int] | None:
    found = [box for box in boxes if box is not None]
    if not found:
        return None
    x1, y1 = min(box[0] for box in found), min(box[1] for box in found)
    return x1, y1, max(box[2] for box in found), max(box[3] for box in found)


def _listed_parts(painted: _Painted, boxes: list[tuple[int, int, int, int] | None], *, room: int) -> list[Draft]:
    """The parts that are large enough to be entities; the largest first, as many as there is room for."""
    counts = painted.canvas.ids.histogram()
    size = painted.canvas.size_px
    fit = []
    for draft in painted.canvas.drafts:
        box = boxes[draft.id - 1]
        if draft.role != "part" or box is None or counts[draft.id] < 0.6 * draft.drawn_px:
            continue
        if min(box[2] - box[0], box[3] - box[1]) >= max(_MIN_PART_SIDE, draft.min_side) * size:
            fit.append(draft)
    return sorted(fit, key=lambda d: (-counts[d.id], d.id))[:room]


def _describe(painted: _Painted, world: World, rng: np.random.Generator) -> tuple[CaptionContent | None, np.ndarray]:
    canvas = painted.canvas
    ids = canvas.id_mask()
    boxes = mask_extents(ids, count=len(canvas.drafts))
    size = canvas.size_px
    visible = np.bincount(ids.ravel(), minlength=len(canvas.drafts) + 1)
    stuff = [d for d in painted.stuff if d.role == "thing" or visible[d.id] >= 0.012 * ids.size]
    wholes = [*stuff, *painted.drafts]
    parts = _listed_parts(painted, boxes, room=MAX_ENTITIES - len(wholes))
    if not MIN_ENTITIES <= len(wholes) + len(parts) <= MAX_ENTITIES:
        return None, ids
    listed = {draft.id: number for number, draft in enumerate([*wholes, *parts], start=1)}
    table = np.zeros(256, dtype=np.uint8)
    entities, attributes = [], []
    for draft in [*wholes, *parts]:
        family = [draft.id] if draft.role == "part" else _family(canvas, draft)
        box_px = _union([boxes[i - 1] for i in family])
        if box_px is None:
            return None, ids
        box = Box.from_px(box_px, width=size, height=size)
        for i in family:
            table[i] = table[i] or listed[draft.id]
        number = listed[draft.id]
        kind = "part" if draft.role == "part" and draft.link == "is part of" else "whole"
        entities.append(Entity(id=number, tag=draft.tag, kind=kind, box=box))  # type: ignore[arg-type]
        attributes += [Attribute(entity_id=number, text=text) for text in _attributes(canvas, draft, listed, box)]
    for part in parts:
        table[part.id] = listed[part.id]
    content = CaptionContent(
        entities=tuple(entities),
        attributes=tuple(attributes),
        relations=_relations(painted, world, entities, listed, parts, rng),
        globals=world.globals(
            num_people=sum(d.tag in PEOPLE for d in painted.drafts),
            num_lights=sum(d.tag in {"lamp", "candle"} and "is lit" in d.attributes for d in painted.drafts),
        ),
    )
    return content, table[ids]


def _attributes(canvas: Canvas, draft: Draft, listed: dict[int, int], box: Box) -> list[str]:
    """Stated predicates, then those of parts too small to be listed, then size; at most three."""
    texts = list(draft.attributes)
    for part in canvas.drafts:
        if part.whole_id == draft.id and part.id not in listed:
            texts = [*part.fallback, *texts] if part.tag == "shirt" else [*texts, *part.fallback]
    if draft.role == "thing":
        size = "is large" if box.area >= LARGE_AREA else "is small" if box.area < SMALL_AREA else None
        texts = [*texts[: _MAX_ATTRIBUTES - 1], size] if size else texts
    return list(dict.fromkeys(texts))[:_MAX_ATTRIBUTES]


def _relations(
    painted: _Painted,
    world: World,
    entities: list[Entity],
    listed: dict[int, int],
    parts: list[Draft],
    rng: np.random.Generator,
) -> tuple[Relation, ...]:
    by_number = {entity.id: entity for entity in entities}
    numbers = [listed[draft.id] for draft in painted.drafts]
    arranged = [
        Relation(subject_id=numbers[index], object_id=numbers[end], text=text)
        for index, item in enumerate(painted.items)
        for text, end in item.links
    ]
    for part in parts:
        assert part.whole_id is not None
        ends = (listed[part.id], listed[part.whole_id])
        subject, target = ends[::-1] if part.link_from_whole else ends
        arranged.append(Relation(subject_id=subject, object_id=target, text=part.link))
    grounds = {draft.tag: listed[draft.id] for draft in painted.stuff if draft.id in listed}
    placed = [
        Placed(id=listed[d.id], tag=d.tag, role="stuff", box=_box(by_number, listed[d.id]), order=0.0)
        for d in painted.stuff
        if d.id in listed
    ]
    poses = {}
    for item, draft in zip(painted.items, painted.drafts, strict=True):
        number = listed[draft.id]
        poses[number] = item.pose
        ground = grounds.get(item.ground or "")
        airborne = item.ground is None and not item.links
        placed.append(
            Placed(
                id=number,
                tag=draft.tag,
                role="thing",
                box=_box(by_number, number),
                order=item.order,
                ground_id=ground,
                is_airborne=airborne,
            )
        )
    return relate(placed, arranged=arranged, poses=poses, rng=rng)


def _box(by_number: dict[int, Entity], number: int) -> Box:
    box = by_number[number].box
    assert box is not None
    return box
