"""A second captioner, made differently, so that what both state was hardly a fault of the measuring."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pancap.caption.boxes import Box
from pancap.caption.content import Attribute, CaptionContent, Entity, Relation
from pancap.engine.captioners.colors import lab_from_rgb, name_shares
from pancap.engine.captioners.embedded import seed_of
from pancap.engine.captioners.measure import number_entities
from pancap.engine.captioners.tags import INDOOR_TAGS, OUTDOOR_TAGS, PERSON_TAGS, SKY_TAGS, STUFF_TAGS
from pancap.engine.captioners.writer import write_caption
from pancap.engine.detections import Detection

_NUM_CLUSTERS = 3
_NUM_STEPS = 6
_SAMPLE_SIDE = 24


class EmbeddedVerifyCaptioner:
    """Names the colour of the largest cluster of raw pixels, orders things by their centres, and writes plainly."""

    name = "embedded_verify"

    def caption(self, rgb: np.ndarray, detections: Sequence[Detection]) -> str:
        """The caption, with the box of every entity.

        Args:
            rgb: the image, (H, W, 3) uint8.
            detections: entities to describe.
        """
        return write_caption(self.measure(rgb, detections), seed=seed_of(rgb), style="plain")

    def measure(self, rgb: np.ndarray, detections: Sequence[Detection]) -> CaptionContent:
        """The content, measured in this captioner's own way."""
        entities = number_entities(detections)
        attributes = [item for entity in entities for item in _attributes(rgb, entity)]
        return CaptionContent(
            entities=entities,
            attributes=tuple(attributes),
            relations=_relations(entities),
            globals=_globals(rgb, entities),
        )


def _attributes(rgb: np.ndarray, entity: Entity) -> list[Attribute]:
    if entity.box is None:
        return []
    if entity.tag in PERSON_TAGS:
        width, height = entity.box.x2 - entity.box.x1, entity.box.y2 - entity.box.y1
        chest = Box(
            entity.box.x1 + 0.3 * width, entity.box.y1 + 0.25 * height, entity.box.x2 - 0.3 * width,
            entity.box.y1 + 0.45 * height,
        )  # fmt: skip
        texts = [f"wears a {cluster_color(_sample(rgb, chest))} shirt"]
    else:
        texts = [f"is {cluster_color(_sample(rgb, entity.box))}"]
    return [Attribute(entity_id=entity.id, text=text) for text in texts]


def _sample(rgb: np.ndarray, box: Box) -> np.ndarray:
    """Lab of a regular grid of pixels of the middle of a box: (N, 3)."""
    height, width = rgb.shape[:2]
    x1, y1, x2, y2 = box.to_px(width=width, height=height)
    inset_x, inset_y = 0.15 * (x2 - x1), 0.15 * (y2 - y1)
    columns = np.linspace(x1 + inset_x, x2 - inset_x, _SAMPLE_SIDE).astype(int).clip(0, width - 1)
    rows = np.linspace(y1 + inset_y, y2 - inset_y, _SAMPLE_SIDE).astype(int).clip(0, height - 1)
    return lab_from_rgb(rgb[rows[:, None], columns[None, :]]).reshape(-1, 3)


def cluster_color(lab: np.ndarray) -> str:
    """Name of the colour of the largest of three clusters (k-means from the darkest, middle and lightest pixels).

    Args:
        lab: (N, 3) pixels, at least one.
    """
    order = np.argsort(lab[:, 0], kind="stable")
    centres = lab[order[[0, len(order) // 2, -1]]]
    nearest = np.zeros(len(lab), dtype=int)
    for _ in range(_NUM_STEPS):
        nearest = ((lab[:, None] - centres[None]) ** 2).sum(-1).argmin(1)
        centres = np.stack(
            [lab[nearest == i].mean(0) if (nearest == i).any() else centres[i] for i in range(_NUM_CLUSTERS)]
        )
    largest = centres[np.bincount(nearest, minlength=_NUM_CLUSTERS).argmax()]
    return next(iter(name_shares(largest[None])))


def _relations(entities: Sequence[Entity]) -> tuple[Relation, ...]:
    """Each thing to its neighbour in the order from left to right; only the centres are compared."""
    things = [item for item in entities if item.box and item.kind == "whole" and item.tag not in STUFF_TAGS]
    things.sort(key=lambda item: item.box.center if item.box else (0.0, 0.0))
    relations = []
    for one, two in pairwise(things):
        assert one.box is not None and two.box is not None
        dx, dy = two.box.center[0] - one.box.center[0], two.box.center[1] - one.box.center[1]
        if abs(dx) >= abs(dy):
            text = "is to the left of"
        else:
            text = "is above" if dy > 0 else "is below"
        relations.append(Relation(subject_id=one.id, object_id=two.id, text=text))
    return tuple(relations)


def _globals(rgb: np.ndarray, entities: Sequence[Entity]) -> tuple[str, ...]:
    tags = [entity.tag for entity in entities]
    num_outdoor, num_indoor = sum(tag in OUTDOOR_TAGS for tag in tags), sum(tag in INDOOR_TAGS for tag in tags)
    is_indoor = num_indoor > num_outdoor and not any(tag in SKY_TAGS for tag in tags)
    red, green, blue = rgb[::4, ::4].reshape(-1, 3).mean(0)
    brightness = (red + green + blue) / 3
    if is_indoor:
        return ("the scene is indoors", f"the lighting is {'dim' if brightness < 100 else 'bright'}")
    if brightness < 70:
        time = "at night"
    else:
        time = "at dusk" if red > 1.25 * blue and brightness < 150 else "during the day"
    return ("the scene is outdoors", f"the scene is {time}")
