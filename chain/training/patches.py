"""What each patch of an image shows: the targets that the vision tower is pretrained on.

A patch belongs to the smallest entity that fills a quarter of it; where the dataset has no masks (real photographs), to
the smallest box that holds its centre. Its targets are that entity's tag, its box and its attributes. The image as a
whole has its global state. Without exact content tags and boxes remain.
"""

import io
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
SAMPLES = 16  # points of the mask looked at along each side of a patch
MIN_SHARE = 0.25


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
    codec = BoxCodec(coordinates="tokens", width=image.width, height=image.height)
    tag_index = {tag: index for index, tag in enumerate(classes.tags)}
    has_by_box = _attributes_by_box(image)
    shown_P = _shown_by_masks(image, grid=grid) if image.mask else _shown_by_boxes(image, codec=codec, grid=grid)
    for number, item in enumerate(image.instances):
        x1, y1, x2, y2 = (unit / LETTERBOX_UNITS for unit in codec.to_units(item.box))
        inside = shown_P == number
        tags[inside] = tag_index.get(item.tag, len(classes.tags) - 1)
        boxes[inside] = (x1, y1, x2, y2)
        has = has_by_box.get(_rounded(item.box.as_tuple()), frozenset())
        attributes[inside] = [text in has for text in classes.attributes]
    stated = set(image.content.globals) if image.content else set()
    return PatchTargets(
        tags_P=tags,
        weights_P=np.where(shown_P >= 0, np.bincount(shown_P + 1)[shown_P + 1] ** -0.5, 0.0).astype(np.float32),
        boxes_P4=boxes,
        attributes_PA=attributes,
        globals_G=np.array([item in stated for item in classes.globals], np.float32),
        has_content=image.content is not None,
    )


def _shown_by_boxes(image: TrainingImage, *, codec: BoxCodec, grid: int) -> np.ndarray:
    """The instance of each patch, -1 for none: that of the smallest box which holds its centre."""
    shown = np.full((grid, grid), -1, np.int64)
    centers = (np.arange(grid) + 0.5) / grid
    for number in sorted(range(len(image.instances)), key=lambda index: -image.instances[index].box.area):
        x1, y1, x2, y2 = (unit / LETTERBOX_UNITS for unit in codec.to_units(image.instances[number].box))
        shown[np.ix_((centers >= y1) & (centers < y2), (centers >= x1) & (centers < x2))] = number
    return shown.ravel()


def _shown_by_masks(image: TrainingImage, *, grid: int) -> np.ndarray:
    """The instance of each patch, -1 for none: the smallest that fills a quarter of it."""
    from PIL import Image

    assert image.mask is not None
    values = np.array(Image.open(io.BytesIO(image.mask)))
    side = max(image.width, image.height)
    rows, columns = (
        np.floor((np.arange(grid * SAMPLES) + 0.5) * side / (grid * SAMPLES)).astype(int) - (side - extent) // 2
        for extent in (image.height, image.width)
    )
    is_inside = np.outer((rows >= 0) & (rows < image.height), (columns >= 0) & (columns < image.width))
    sampled = values[np.ix_(rows.clip(0, image.height - 1), columns.clip(0, image.width - 1))] * is_inside
    patches = sampled.reshape(grid, SAMPLES, grid, SAMPLES).swapaxes(1, 2).reshape(grid * grid, SAMPLES**2)
    shown = np.full(grid * grid, -1, np.int64)
    sizes = [int((values == value).sum()) for value in image.mask_values]
    for number in sorted(range(len(sizes)), key=lambda index: -sizes[index]):
        shown[(patches == image.mask_values[number]).mean(axis=1) >= MIN_SHARE] = number
    return shown


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
