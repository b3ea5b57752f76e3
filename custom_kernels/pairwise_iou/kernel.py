"""Overlap of all pairs: one program a tile of one pair of sets, each box read once a tile, each value written once.

Legend: P pairs of sets; N and M boxes of the two sets of a pair.
"""

# Triton compiles these functions: their arguments are blocks and pointers, which have no Python type.
# ruff: noqa: ANN001, ANN201, ANN202
# mypy: disable-error-code="no-untyped-def"

import torch
import triton
import triton.language as tl

from pancap.custom_kernels.pairwise_iou.reference import MIN_AREA

BLOCK_N = 32
BLOCK_M = 64


@triton.jit
def _load_corners(boxes_ptr, index, mask):
    start = boxes_ptr + index * 4
    return (
        tl.load(start, mask=mask, other=0.0).to(tl.float32),
        tl.load(start + 1, mask=mask, other=0.0).to(tl.float32),
        tl.load(start + 2, mask=mask, other=0.0).to(tl.float32),
        tl.load(start + 3, mask=mask, other=0.0).to(tl.float32),
    )


@triton.jit
def overlap_tile(
    x1, y1, x2, y2, other_x1, other_y1, other_x2, other_y2, IS_GENERALIZED: tl.constexpr, MIN_AREA: tl.constexpr
):
    """(N, M) overlap of N and M corners."""
    shared_x = tl.minimum(x2[:, None], other_x2[None, :]) - tl.maximum(x1[:, None], other_x1[None, :])
    shared_y = tl.minimum(y2[:, None], other_y2[None, :]) - tl.maximum(y1[:, None], other_y1[None, :])
    shared = tl.maximum(shared_x, 0.0) * tl.maximum(shared_y, 0.0)
    area = tl.maximum(tl.maximum(x2 - x1, 0.0) * tl.maximum(y2 - y1, 0.0), MIN_AREA)
    other_area = tl.maximum(other_x2 - other_x1, 0.0) * tl.maximum(other_y2 - other_y1, 0.0)
    union = area[:, None] + tl.maximum(other_area, MIN_AREA)[None, :] - shared
    overlap = shared / union
    if IS_GENERALIZED:
        hull_x = tl.maximum(x2[:, None], other_x2[None, :]) - tl.minimum(x1[:, None], other_x1[None, :])
        hull_y = tl.maximum(y2[:, None], other_y2[None, :]) - tl.minimum(y1[:, None], other_y1[None, :])
        overlap += union / tl.maximum(hull_x * hull_y, MIN_AREA) - 1.0
    return overlap


@triton.jit
def _pairwise_iou_fwd_kernel(
    boxes_ptr,
    others_ptr,
    starts_ptr,
    values_ptr,
    num_pairs,
    IS_GENERALIZED: tl.constexpr,
    MIN_AREA: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_M: tl.constexpr,
):
    pair = tl.program_id(2)
    plane = num_pairs + 1
    first, stop = tl.load(starts_ptr + pair), tl.load(starts_ptr + pair + 1)
    other_first, other_stop = tl.load(starts_ptr + plane + pair), tl.load(starts_ptr + plane + pair + 1)
    value_first = tl.load(starts_ptr + 2 * plane + pair)
    rows = first + tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    columns = other_first + tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    is_row, is_column = rows < stop, columns < other_stop
    x1, y1, x2, y2 = _load_corners(boxes_ptr, rows, is_row)
    other_x1, other_y1, other_x2, other_y2 = _load_corners(others_ptr, columns, is_column)
    overlap = overlap_tile(x1, y1, x2, y2, other_x1, other_y1, other_x2, other_y2, IS_GENERALIZED, MIN_AREA)
    target = value_first + (rows - first)[:, None] * (other_stop - other_first) + (columns - other_first)[None, :]
    tl.store(values_ptr + target, overlap, mask=is_row[:, None] & is_column[None, :])


def launch(
    boxes_N4: torch.Tensor,
    others_M4: torch.Tensor,
    starts_3Q: torch.Tensor,
    *,
    num_values: int,
    longest: int,
    other_longest: int,
    is_generalized: bool,
) -> torch.Tensor:
    """All values, flat, float32.

    Args:
        boxes_N4, others_M4: contiguous.
        starts_3Q: int64 on the boxes' device, Q = P + 1: first box, first other and first value of each pair, and
            behind them the totals.
        num_values: of all pairs.
        longest, other_longest: boxes of the largest sets: the grid.
    """
    values = torch.empty(num_values, dtype=torch.float32, device=boxes_N4.device)
    if num_values:
        num_pairs = starts_3Q.shape[1] - 1
        grid = (triton.cdiv(other_longest, BLOCK_M), triton.cdiv(longest, BLOCK_N), num_pairs)
        _pairwise_iou_fwd_kernel[grid](
            boxes_N4,
            others_M4,
            starts_3Q,
            values,
            num_pairs,
            IS_GENERALIZED=is_generalized,
            MIN_AREA=MIN_AREA,
            BLOCK_N=BLOCK_N,
            BLOCK_M=BLOCK_M,
            num_warps=8,
        )
    return values
