"""Variation for training pictures, so that what is learned on drawings carries some way towards photographs."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from pancap.engine.detectors.letterbox import INPUT_PX, letterbox

Strength = Literal["mild", "strong"]

MIN_VISIBLE_SHARE = 0.4
MIN_SIDE_PX = 3.0
CROP_CHANCE = 0.6
SMALLEST_CROP = 0.55


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One training picture in the frame of the networks.

    Args:
        rgb: (256, 256, 3) uint8.
        width_px, height_px: extent of the picture in it.
        boxes_px: (G, 4) corners.
        labels: (G,) class indices.
    """

    rgb: np.ndarray
    width_px: int
    height_px: int
    boxes_px: np.ndarray
    labels: np.ndarray


def augment(
    rgb: np.ndarray, boxes: np.ndarray, labels: np.ndarray, *, rng: np.random.Generator, strength: Strength
) -> Sample:
    """A random view of a scene: window, shape, mirror image, colours, blur and noise.

    Args:
        rgb: (H, W, 3) uint8.
        boxes: (G, 4) fractions.
        labels: (G,).
        rng: the only source of chance.
        strength: `strong` also turns hues around and takes colour away.
    """
    height, width = rgb.shape[:2]
    x1, y1, x2, y2 = _window(rng, width=width, height=height)
    boxes_px = boxes * np.array([width, height, width, height], dtype=np.float32)
    clipped = np.clip(boxes_px, [x1, y1, x1, y1], [x2, y2, x2, y2])
    boxed = letterbox(rgb[y1:y2, x1:x2])
    scale = np.array([boxed.width_px / (x2 - x1), boxed.height_px / (y2 - y1)] * 2, dtype=np.float32)
    view_px = (clipped - np.array([x1, y1, x1, y1], dtype=np.float32)) * scale
    size_px = view_px[:, 2:] - view_px[:, :2]
    share = (clipped[:, 2:] - clipped[:, :2]).prod(axis=1) / (boxes_px[:, 2:] - boxes_px[:, :2]).prod(axis=1)
    kept = (share >= MIN_VISIBLE_SHARE) & (size_px >= MIN_SIDE_PX).all(axis=1)
    picture = _recolor(boxed.rgb[: boxed.height_px, : boxed.width_px], rng=rng, strength=strength)
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
        view_px = np.stack(
            [boxed.width_px - view_px[:, 2], view_px[:, 1], boxed.width_px - view_px[:, 0], view_px[:, 3]], axis=1
        )
    canvas = boxed.rgb.copy()
    canvas[: boxed.height_px, : boxed.width_px] = picture
    return Sample(
        rgb=canvas,
        width_px=boxed.width_px,
        height_px=boxed.height_px,
        boxes_px=view_px[kept].astype(np.float32),
        labels=labels[kept],
    )


def jitter_boxes(boxes_px: np.ndarray, *, rng: np.random.Generator, amount: float = 0.12) -> np.ndarray:
    """Boxes whose sides are moved by up to `amount` of their length, as a detector's are."""
    size = np.concatenate([boxes_px[:, 2:] - boxes_px[:, :2]] * 2, axis=1)
    return (boxes_px + rng.uniform(-amount, amount, boxes_px.shape) * size).clip(0, INPUT_PX).astype(np.float32)


def _window(rng: np.random.Generator, *, width: int, height: int) -> tuple[int, int, int, int]:
    if rng.random() >= CROP_CHANCE:
        return 0, 0, width, height
    new_width = round(width * rng.uniform(SMALLEST_CROP, 1.0))
    new_height = round(height * rng.uniform(SMALLEST_CROP, 1.0))
    x1 = int(rng.integers(0, width - new_width + 1))
    y1 = int(rng.integers(0, height - new_height + 1))
    return x1, y1, x1 + new_width, y1 + new_height


def _recolor(rgb: np.ndarray, *, rng: np.random.Generator, strength: Strength) -> np.ndarray:
    spread = 0.3 if strength == "strong" else 0.15
    levels = np.arange(256, dtype=np.float32) / 255
    curves = [
        (np.clip(levels ** rng.uniform(1 - spread, 1 + spread) * rng.uniform(1 - spread, 1 + spread), 0, 1) * 255)
        for _ in range(3)
    ]
    table = np.stack(curves, axis=1).astype(np.uint8)
    picture = np.stack([table[:, channel][rgb[..., channel]] for channel in range(3)], axis=-1)
    if strength == "strong":
        chance = rng.random()
        if chance < 0.15:
            picture = picture[..., rng.permutation(3)]
        elif chance < 0.25:
            picture = np.repeat(picture.mean(axis=-1, keepdims=True).astype(np.uint8), 3, axis=-1)
    if rng.random() < 0.25:
        blur = ImageFilter.GaussianBlur(rng.uniform(0.4, 1.4))
        picture = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).filter(blur))
    if rng.random() < 0.3:
        amount = int(rng.integers(4, 16))
        noise = rng.integers(-amount, amount + 1, picture.shape, dtype=np.int16)
        picture = np.clip(picture.astype(np.int16) + noise, 0, 255).astype(np.uint8)
    return picture
