"""Suppression of repeated boxes."""

import numpy as np


def pairwise_iou(boxes_N4: np.ndarray, others_M4: np.ndarray) -> np.ndarray:
    """Intersection over union of every pair.

    Args:
        boxes_N4: corners x1, y1, x2, y2, any unit.
        others_M4: the same, same unit.

    Returns:
        (N, M), 0..1; 0 where both boxes are empty.

    Example:
        >>> import numpy as np
        >>> float(pairwise_iou(np.array([[0, 0, 2, 2.0]]), np.array([[1, 0, 3, 2.0]]))[0, 0])
        0.3333333333333333
    """
    top_left = np.maximum(boxes_N4[:, None, :2], others_M4[None, :, :2])
    bottom_right = np.minimum(boxes_N4[:, None, 2:], others_M4[None, :, 2:])
    shared = np.clip(bottom_right - top_left, 0, None).prod(axis=-1)
    area_N = np.clip(boxes_N4[:, 2:] - boxes_N4[:, :2], 0, None).prod(axis=-1)
    area_M = np.clip(others_M4[:, 2:] - others_M4[:, :2], 0, None).prod(axis=-1)
    union = area_N[:, None] + area_M[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared, dtype=np.float64), where=union > 0)


def suppress(
    boxes_N4: np.ndarray, scores_N: np.ndarray, *, max_iou: float, labels_N: np.ndarray | None = None
) -> list[int]:
    """Greedy non-maximum suppression.

    Args:
        boxes_N4: corners, any unit.
        scores_N: the higher, the earlier kept.
        max_iou: a box is dropped when it overlaps a kept one by more than this.
        labels_N: where given, boxes of different labels never suppress each other.

    Returns:
        Kept indices, best score first; equal scores keep their order.
    """
    overlap = pairwise_iou(boxes_N4, boxes_N4) > max_iou
    if labels_N is not None:
        overlap &= labels_N[:, None] == labels_N[None, :]
    dropped = np.zeros(len(boxes_N4), dtype=bool)
    kept = []
    for index in np.argsort(-scores_N, kind="stable"):
        if not dropped[index]:
            kept.append(int(index))
            dropped |= overlap[index]
    return kept
