"""What each patch of an image shows: the targets that the vision tower is pretrained on.

A patch belongs to the smallest box that holds its centre; its targets are that entity's tag, its box and its
attributes. The image as a whole has its global state. Without exact content (real photographs) tags and boxes remain.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pancap.caption.boxes import LETTERBOX_UNITS
from pancap.chain.boxtokens import BoxCodec
from pancap.chain.tuples import TrainingImage

MAX_ATTRIBUTES = 64
MAX_GLOBALS = 32
OTHER_TAG = "<other>"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchClasses:
    """The closed lists that the throw-away heads choose from; frequent ones only."""

    tags: tuple[str, ...]
    attributes: tuple[str, ...]
    globals: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchTargets:
    """Targets of one image of P patches.

    Args:
        tags_P: class of the tag; -1 where no box is.
        weights_P: how much the patch counts: one over the root of the number of patches that its entity has.
        boxes_P4: box in fractions of the padded square.
        attributes_PA: 1 where the entity has the attribute.
        globals_G: 1 where the image has the global item.
        has_content: whether attributes and globals are known at all.
    """

    tags_P: np.ndarray
    weights_P: np.ndarray
    boxes_P4: np.ndarray
    attributes_PA: np.ndarray
    globals_G: np.ndarray
    has_content: bool


def collect_classes(images: Sequence[TrainingImage], *, max_tags: int) -> PatchClasses:
    """The most frequent tags, attributes and global items of a dataset; ties in alphabetical order."""
    tags = Counter(item.tag for image in images for item in image.instances)
    contents = [image.content for image in images if image.content is not None]
    attributes = Counter(item.text for content in contents for item in content.attributes)
    global_items = Counter(item for content in contents for item in content.globals)
    return PatchClasses(
        tags=(*_frequent(tags, max_tags), OTHER_TAG),
        attributes=_frequent(attributes, MAX_ATTRIBUTES),
        globals=_frequent(global_items, MAX_GLOBALS),
    )


def patch_targets(image: TrainingImage, *, classes: PatchClasses, grid: int) -> PatchTargets:
    """Targets of every patch of an image, row by row.

    Args:
        image: the row of the dataset.
        classes: the closed lists.
        grid: patches along one side.
    """
    num_patches = grid * grid
    tags = np.full(num_patches, -1, np.int64)
    boxes = np.zeros((num_patches, 4), np.float32)
    attributes = np.zeros((num_patches, len(classes.attributes)), np.float32)
    owners = np.full(num_patches, -1, np.int64)
    codec = BoxCodec(coordinates="tokens", width=image.width, height=image.height)
    tag_index = {tag: index for index, tag in enumerate(classes.tags)}
    has_by_box = _attributes_by_box(image)
    centers = (np.arange(grid) + 0.5) / grid
    for number, item in enumerate(sorted(image.instances, key=lambda instance: -instance.box.area)):
        x1, y1, x2, y2 = (unit / LETTERBOX_UNITS for unit in codec.to_units(item.box))
        inside = np.outer((centers >= y1) & (centers < y2), (centers >= x1) & (centers < x2)).ravel()
        tags[inside] = tag_index.get(item.tag, len(classes.tags) - 1)
        owners[inside] = number
        boxes[inside] = (x1, y1, x2, y2)
        has = has_by_box.get(_rounded(item.box.as_tuple()), frozenset())
        attributes[inside] = [text in has for text in classes.attributes]
    stated = set(image.content.globals) if image.content else set()
    return PatchTargets(
        tags_P=tags,
        weights_P=np.where(owners >= 0, np.bincount(owners + 1)[owners + 1] ** -0.5, 0.0).astype(np.float32),
        boxes_P4=boxes,
        attributes_PA=attributes,
        globals_G=np.array([item in stated for item in classes.globals], np.float32),
        has_content=image.content is not None,
    )


def _attributes_by_box(image: TrainingImage) -> dict[tuple[float, ...], frozenset[str]]:
    if image.content is None:
        return {}
    texts: dict[int, set[str]] = {}
    for item in image.content.attributes:
        texts.setdefault(item.entity_id, set()).add(item.text)
    return {
        _rounded(entity.box.as_tuple()): frozenset(texts.get(entity.id, ()))
        for entity in image.content.entities
        if entity.box is not None
    }


def _rounded(box: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(round(value, 3) for value in box)


def _frequent(counts: Counter[str], limit: int) -> tuple[str, ...]:
    return tuple(sorted(counts, key=lambda text: (-counts[text], text))[:limit])
