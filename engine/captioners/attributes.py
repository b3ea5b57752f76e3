"""Attributes of single entities, from their pixels: colour, clothes, size, pattern, light."""

from collections.abc import Sequence

from pancap.caption.boxes import Box
from pancap.caption.content import Attribute, Entity
from pancap.engine.captioners.details import PATCHED_TAGS, STATES, describe_patches, describe_person
from pancap.engine.captioners.light import SceneState
from pancap.engine.captioners.pixels import Pixels
from pancap.engine.captioners.tags import (
    BACKDROP_TAGS,
    PAVED_TAGS,
    PERSON_TAGS,
    SKY_TAGS,
    STUFF_TAGS,
    THIN_TAGS,
)
from pancap.engine.scenes.vocabulary import LARGE_AREA, SMALL_AREA

# A thing whose main colour covers less of it than this has no colour that one word tells.
MIN_COLOR_SHARE = 0.25
# Wheels, window panes and shadows are black, gray or white on things of any colour; most on things made of rods.
_NEUTRAL = frozenset({"black", "gray", "white"})
_NEUTRAL_WEIGHT = 0.8
_THIN_NEUTRAL_WEIGHT = 0.4


MAX_ATTRIBUTES = 4


def measure_attributes(
    pixels: Pixels, entity: Entity, *, others: Sequence[Entity], scene: SceneState
) -> list[Attribute]:
    """Attributes of one entity.

    Args:
        pixels: the image, with the light of the scene taken out.
        entity: whom to measure; one without a box has no attributes.
        others: the other entities; smaller ones that lie in the box cover it.
        scene: the state of the image.
    """
    if entity.box is None:
        return []
    if entity.tag in SKY_TAGS:
        texts = _sky(scene)
    elif entity.tag in PERSON_TAGS:
        texts = _person(pixels, entity, others=others)
    else:
        texts = _thing(pixels, entity, others=others)
    return [Attribute(entity_id=entity.id, text=text) for text in dict.fromkeys(texts[:MAX_ATTRIBUTES])]


def holes_in(box: Box, others: Sequence[Entity]) -> list[Box]:
    """Boxes of smaller entities that lie mostly inside a box."""
    boxes = [other.box for other in others if other.box is not None]
    return [item for item in boxes if item.area < 0.8 * box.area and item.intersection(box) > 0.6 * item.area]


def main_color(pixels: Pixels, entity: Entity, *, others: Sequence[Entity]) -> str | None:
    """The colour that covers most of the entity, or None where none stands out."""
    assert entity.box is not None
    box = entity.box
    holes = holes_in(box, others)
    if entity.tag in BACKDROP_TAGS:
        box = Box(box.x1, box.y2 - 0.5 * (box.y2 - box.y1), box.x2, box.y2)
    if entity.tag in STUFF_TAGS:
        weights = pixels.visible(box, holes=holes)
    else:
        weights = pixels.foreground(box, holes=holes)
    shares = pixels.name_shares(box, weights)
    if entity.tag in PAVED_TAGS:
        shares["gray"] = shares.get("gray", 0.0) + shares.pop("white", 0.0)
    elif entity.tag not in STUFF_TAGS:
        factor = _THIN_NEUTRAL_WEIGHT if entity.tag in THIN_TAGS else _NEUTRAL_WEIGHT
        shares = {name: share * (factor if name in _NEUTRAL else 1.0) for name, share in shares.items()}
    name, share = max(shares.items(), key=lambda item: item[1], default=("", 0.0))
    return name if share >= MIN_COLOR_SHARE * sum(shares.values()) else None


def _sky(scene: SceneState) -> list[str]:
    if scene.time == "night":
        return ["is dark"]
    if scene.time == "dusk":
        return ["is orange"]
    if scene.weather in {"sunny", "clear"}:
        return ["is blue", "is clear"]
    return ["is gray", "is cloudy"] if scene.weather == "cloudy" else ["is gray"]


def _person(pixels: Pixels, entity: Entity, *, others: Sequence[Entity]) -> list[str]:
    assert entity.box is not None
    box = entity.box
    worn = {other.tag for other in others if other.box and other.box.intersection(box) > 0.7 * other.box.area}
    return [*describe_person(pixels, entity.tag, box, has_shirt="shirt" in worn), *_size(entity)]


def _thing(pixels: Pixels, entity: Entity, *, others: Sequence[Entity]) -> list[str]:
    assert entity.box is not None
    color = None if entity.tag in PATCHED_TAGS else main_color(pixels, entity, others=others)
    texts = [f"is {color}"] if color else []
    texts += describe_patches(pixels, entity.tag, entity.box)
    state = STATES[entity.tag](pixels, entity.box) if entity.tag in STATES else None
    return [*texts, *([state] if state else []), *_size(entity)]


def _size(entity: Entity) -> list[str]:
    assert entity.box is not None
    if entity.kind == "part" or entity.tag in STUFF_TAGS:
        return []
    if entity.box.area < SMALL_AREA:
        return ["is small"]
    return ["is large"] if entity.box.area >= LARGE_AREA else []
