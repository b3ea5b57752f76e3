"""From pixels and detections to the content of a caption."""

from collections.abc import Sequence

import numpy as np

from pancap.caption.content import CaptionContent, Entity
from pancap.engine.captioners.attributes import measure_attributes
from pancap.engine.captioners.geometry import mark_parts, relate
from pancap.engine.captioners.light import measure_scene
from pancap.engine.captioners.pixels import Pixels
from pancap.engine.detections import Detection


def number_entities(detections: Sequence[Detection]) -> tuple[Entity, ...]:
    """Detections as entities 1, 2, ..., in their order, parts marked."""
    return mark_parts([Entity(id=i, tag=item.tag, box=item.box) for i, item in enumerate(detections, start=1)])


def measure(rgb: np.ndarray, detections: Sequence[Detection]) -> CaptionContent:
    """Measures what a caption states: tags and boxes are given, all the rest comes from the pixels.

    Args:
        rgb: the image, (H, W, 3) uint8.
        detections: its entities.
    """
    entities = number_entities(detections)
    pixels = Pixels(rgb)
    scene = measure_scene(pixels, entities)
    lit = pixels.under_white_light(scene.ambient)
    attributes = []
    for entity in entities:
        others = [item for item in entities if item.id != entity.id]
        attributes += measure_attributes(lit, entity, others=others, scene=scene)
    return CaptionContent(
        entities=entities, attributes=tuple(attributes), relations=relate(entities), globals=scene.clauses()
    )
