"""Pieces that both rule sets share: pairwise IoU and the optimal one-to-one assignment."""

import numpy as np


def pairwise_iou(row_boxes: np.ndarray, column_boxes: np.ndarray) -> np.ndarray:
    """IoU of every row box with every column box, in the inputs' own precision.

    Area is (x2 - x1) * (y2 - y1) and nothing is checked, as in torchvision's `box_iou`: boxes out of order or out of
    range give what the formula gives, NaN stays NaN.

    Args:
        row_boxes: (R, 4) corners.
        column_boxes: (C, 4) corners of the same dtype.

    Returns:
        (R, C) of that dtype.
    """
    low = np.maximum(row_boxes[:, None, :2], column_boxes[None, :, :2])
    high = np.minimum(row_boxes[:, None, 2:], column_boxes[None, :, 2:])
    with np.errstate(all="ignore"):
        shared_RC = np.clip(high - low, 0, None).prod(axis=2)
        areas_R = (row_boxes[:, 2] - row_boxes[:, 0]) * (row_boxes[:, 3] - row_boxes[:, 1])
        areas_C = (column_boxes[:, 2] - column_boxes[:, 0]) * (column_boxes[:, 3] - column_boxes[:, 1])
        iou: np.ndarray = shared_RC / (areas_R[:, None] + areas_C[None, :] - shared_RC)
    return iou


def assign(costs_RC: np.ndarray) -> list[tuple[int, int]]:
    """(row, column) pairs of least total cost, by row; scipy's solver, so that ties fall as in the published code."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(costs_RC)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))
