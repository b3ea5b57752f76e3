"""Augmented boxes still hold what they held."""

import numpy as np
import pytest

from pancap.engine.detectors.augment import augment, jitter_boxes
from pancap.engine.detectors.letterbox import INPUT_PX


def _scene():
    rgb = np.full((256, 256, 3), 30, dtype=np.uint8)
    rgb[80:140, 60:160] = 240
    return rgb, np.array([[60, 80, 160, 140]], dtype=np.float32) / 256, np.array([5])


@pytest.mark.parametrize("seed", range(20))
def test_the_bright_object_stays_inside_its_box(seed):
    rgb, boxes, labels = _scene()
    sample = augment(rgb, boxes, labels, rng=np.random.default_rng(seed), strength="mild")
    picture = sample.rgb[: sample.height_px, : sample.width_px].mean(axis=-1)
    if len(sample.labels) == 0:
        assert (picture > 150).mean() < 0.3
        return
    rows, columns = np.nonzero(picture > 110)
    extent = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    np.testing.assert_allclose(sample.boxes_px[0], extent, atol=4)
    assert sample.labels.tolist() == [5]


def test_same_stream_of_chance_same_sample():
    rgb, boxes, labels = _scene()
    first, second = (augment(rgb, boxes, labels, rng=np.random.default_rng(3), strength="strong") for _ in range(2))
    np.testing.assert_array_equal(first.rgb, second.rgb)
    np.testing.assert_array_equal(first.boxes_px, second.boxes_px)


def test_the_original_is_left_alone():
    rgb, boxes, labels = _scene()
    before = rgb.copy()
    for seed in range(5):
        augment(rgb, boxes, labels, rng=np.random.default_rng(seed), strength="strong")
    np.testing.assert_array_equal(rgb, before)


def test_jitter_stays_inside_the_frame():
    boxes = np.array([[0.0, 0.0, 256.0, 256.0], [10.0, 10.0, 20.0, 30.0]], dtype=np.float32)
    moved = jitter_boxes(boxes, rng=np.random.default_rng(0))
    assert moved.min() >= 0 and moved.max() <= INPUT_PX
    assert np.abs(moved - boxes).max() > 0
