"""Overlap and suppression against a plain brute force."""

import numpy as np
import pytest

from pancap.caption.boxes import Box
from pancap.engine.detectors.nms import pairwise_iou, suppress


def _random_boxes(rng, num):
    corner = rng.uniform(0, 0.6, (num, 2))
    return np.concatenate([corner, corner + rng.uniform(0.05, 0.4, (num, 2))], axis=1)


def _brute_force(boxes, scores, labels, max_iou):
    kept = []
    for index in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        rivals = [other for other in kept if labels[other] == labels[index]]
        if all(Box(*boxes[index]).iou(Box(*boxes[other])) <= max_iou for other in rivals):
            kept.append(index)
    return kept


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("num_labels", [1, 3])
def test_suppression_equals_brute_force(seed, num_labels):
    rng = np.random.default_rng(seed)
    boxes, scores = _random_boxes(rng, 60), rng.uniform(size=60)
    labels = rng.integers(0, num_labels, 60)
    assert suppress(boxes, scores, max_iou=0.4, labels_N=labels) == _brute_force(boxes, scores, labels, 0.4)


def test_iou_equals_the_box_type():
    rng = np.random.default_rng(0)
    left, right = _random_boxes(rng, 7), _random_boxes(rng, 5)
    expected = [[Box(*one).iou(Box(*other)) for other in right] for one in left]
    np.testing.assert_allclose(pairwise_iou(left, right), expected, atol=1e-12)


def test_nothing_in_nothing_out():
    assert suppress(np.zeros((0, 4)), np.zeros(0), max_iou=0.5) == []


def test_empty_boxes_have_no_overlap_instead_of_nan():
    empty = np.array([[0.2, 0.2, 0.2, 0.2]])
    assert pairwise_iou(empty, empty)[0, 0] == 0.0
