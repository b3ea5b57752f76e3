"""Suppression in two launches: one bit for every pair of sorted boxes, then one program that walks down the list.

Legend: N boxes, best first; W = N / 32 words of a row of bits.
"""

# Triton compiles these functions: their arguments are blocks and pointers, which have no Python type.
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

import torch
import triton
import triton.language as tl

from pancap.custom_kernels.pairwise_iou.kernel import _load_corners, overlap_tile
from pancap.custom_kernels.pairwise_iou.reference import MIN_AREA

_WORD = 32
_BLOCK = 64


@triton.jit
def _nms_bits_kernel(
    boxes_ptr,
    labels_ptr,
    bits_ptr,
    num_boxes,
    num_words,
    max_iou,
    MIN_AREA: tl.constexpr,
    BLOCK: tl.constexpr,
    WORD: tl.constexpr,
):
    word, rows = tl.program_id(0), tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    # Only later boxes are suppressed: below the diagonal there is nothing to do, and the walk does not look.
    if (word + 1) * WORD > tl.program_id(1) * BLOCK:
        columns = word * WORD + tl.arange(0, WORD)
        is_row, is_column = rows < num_boxes, columns < num_boxes
        x1, y1, x2, y2 = _load_corners(boxes_ptr, rows, is_row)
        other_x1, other_y1, other_x2, other_y2 = _load_corners(boxes_ptr, columns, is_column)
        overlap = overlap_tile(x1, y1, x2, y2, other_x1, other_y1, other_x2, other_y2, False, MIN_AREA)
        labels = tl.load(labels_ptr + rows, mask=is_row, other=0)
        other_labels = tl.load(labels_ptr + columns, mask=is_column, other=0)
        is_suppressed = (overlap > max_iou) & (labels[:, None] == other_labels[None, :])
        is_suppressed &= (columns[None, :] > rows[:, None]) & is_column[None, :]
        bits = tl.sum(is_suppressed.to(tl.int32) << tl.arange(0, WORD)[None, :], axis=1)
        tl.store(bits_ptr + rows.to(tl.int64) * num_words + word, bits, mask=is_row)


@triton.jit
def _nms_walk_kernel(bits_ptr, kept_ptr, num_boxes, num_words, BLOCK_W: tl.constexpr, WORD: tl.constexpr):
    words = tl.arange(0, BLOCK_W)
    dropped = tl.zeros((BLOCK_W,), dtype=tl.int32)
    for index in range(num_boxes):
        word = index // WORD
        # Loaded whether or not the box is kept, so that the loads run ahead of the decisions.
        start = bits_ptr + (tl.zeros((BLOCK_W,), dtype=tl.int64) + index) * num_words
        bits = tl.load(start + words, mask=(words >= word) & (words < num_words), other=0)
        is_dropped = (tl.sum(tl.where(words == word, dropped, 0)) >> (index % WORD)) & 1
        dropped = tl.where(is_dropped == 0, dropped | bits, dropped)
        tl.store(kept_ptr + index, (1 - is_dropped).to(tl.int8))


def launch(boxes_N4: torch.Tensor, labels_N: torch.Tensor, *, max_iou: float) -> torch.Tensor:
    """Which boxes stay, bool (N,); boxes come best first, float32 and contiguous. Holds N^2 / 8 bytes of bits."""
    num_boxes, device = len(boxes_N4), boxes_N4.device
    num_words = triton.cdiv(num_boxes, _WORD)
    bits = torch.empty(num_boxes, num_words, dtype=torch.int32, device=device)
    kept = torch.empty(num_boxes, dtype=torch.int8, device=device)
    if num_boxes:
        _nms_bits_kernel[(num_words, triton.cdiv(num_boxes, _BLOCK))](
            boxes_N4,
            labels_N,
            bits,
            num_boxes,
            num_words,
            max_iou,
            MIN_AREA=MIN_AREA,
            BLOCK=_BLOCK,
            WORD=_WORD,
            num_warps=4,
        )
        _nms_walk_kernel[(1,)](
            bits, kept, num_boxes, num_words, BLOCK_W=triton.next_power_of_2(num_words), WORD=_WORD, num_warps=1
        )
    return kept.to(torch.bool)
