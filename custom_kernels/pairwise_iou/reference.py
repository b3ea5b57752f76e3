"""Overlap of boxes in plain PyTorch: the definition of correct, and what runs without a GPU.

Legend: N and M boxes of two sets, P pairs of sets, R rows.
"""

import torch

# Keeps the share of two empty boxes at 0 / MIN_AREA = 0; no area of float32 boxes of use comes near it.
MIN_AREA = 1e-30
# Values worked on at once, 0.5 MB an array in float32. Shorter steps fit a core's L2 cache and lose more to the calls.
_STEP_VALUES = 131_072


def pairwise_overlap(boxes_N4: torch.Tensor, others_M4: torch.Tensor, *, is_generalized: bool) -> torch.Tensor:
    """(N, M) IoU or GIoU; see `pairwise_iou`."""
    boxes_N51, others_15M = _planes(boxes_N4).unsqueeze(2), _planes(others_M4).T.unsqueeze(0)
    return _overlap(boxes_N51, others_15M, is_generalized=is_generalized)


def ragged_overlap(
    boxes_N4: torch.Tensor,
    others_M4: torch.Tensor,
    counts_P: torch.Tensor,
    other_counts_P: torch.Tensor,
    *,
    is_generalized: bool,
) -> torch.Tensor:
    """The blocks (n_p, m_p) of all pairs, flattened one after another; see `pairwise_iou_ragged`.

    A loop over pairs costs a dozen calls each. Pairs whose second sets are equally long are stacked instead: a row is
    one box of the first set against the m boxes of the second, and many rows go at once.
    """
    device = boxes_N4.device
    order_P = other_counts_P.argsort(stable=True)
    counts_S, other_counts_S = counts_P[order_P], other_counts_P[order_P]
    pair_R = torch.arange(len(order_P)).repeat_interleave(counts_S)
    within_R = torch.arange(len(pair_R)) - _starts(counts_S).index_select(0, pair_R)
    box_R = _starts(counts_P)[order_P].index_select(0, pair_R) + within_R
    boxes_R51 = _planes(boxes_N4.index_select(0, box_R.to(device))).unsqueeze(2)
    first_value_S = _starts(counts_P * other_counts_P)[order_P]
    target_R = first_value_S.index_select(0, pair_R) + within_R * other_counts_S.index_select(0, pair_R)
    target_R1 = target_R.unsqueeze(1)
    other_starts_S = _starts(other_counts_P)[order_P]
    values = boxes_N4.new_empty(int((counts_P * other_counts_P).sum()))
    first_pair = first_row = 0
    for length, num_pairs in zip(*(found.tolist() for found in other_counts_S.unique(return_counts=True)), strict=True):
        pairs = slice(first_pair, first_pair + num_pairs)
        last_row = first_row + int(counts_S[pairs].sum())
        columns_L = torch.arange(length)
        at_GL = other_starts_S[pairs].unsqueeze(1) + columns_L
        others = _planes(others_M4.index_select(0, at_GL.view(-1).to(device)))
        # One gather brings all that a row needs.
        sets_G5L = others.view(num_pairs, length, 5).transpose(1, 2).contiguous()
        rows = max(1, _STEP_VALUES // max(length, 1))
        for start in range(first_row, last_row if length else first_row, rows):
            step = slice(start, min(start + rows, last_row))
            others_R5L = sets_G5L.index_select(0, (pair_R[step] - first_pair).to(device))
            found_RL = _overlap(boxes_R51[step], others_R5L, is_generalized=is_generalized)
            values.scatter_(0, (target_R1[step] + columns_L).view(-1).to(device), found_RL.view(-1))
        first_pair, first_row = pairs.stop, last_row
    return values


def _overlap(boxes_N51: torch.Tensor, others_N5M: torch.Tensor, *, is_generalized: bool) -> torch.Tensor:
    """(N, M) overlap of planes that broadcast against each other, as `_planes` makes them."""
    sides_N2M = _sides(torch.minimum(boxes_N51[:, :4], others_N5M[:, :4])).clamp_min_(0)
    shared_NM = sides_N2M[:, 0] * sides_N2M[:, 1]
    union_NM = (boxes_N51[:, 4] + others_N5M[:, 4]).sub_(shared_NM)
    overlap_NM = shared_NM.div_(union_NM)
    if is_generalized:
        hull_N2M = _sides(torch.maximum(boxes_N51[:, :4], others_N5M[:, :4]))
        hull_NM = (hull_N2M[:, 0] * hull_N2M[:, 1]).clamp_min_(MIN_AREA)
        overlap_NM.add_(union_NM.div_(hull_NM)).sub_(1)
    return overlap_NM


def _sides(ends_N4M: torch.Tensor) -> torch.Tensor:
    """Widths and heights (N, 2, M): of what two boxes share by their smaller ends, of their hull by the larger."""
    return ends_N4M[:, :2] + ends_N4M[:, 2:]


def _planes(boxes_N4: torch.Tensor) -> torch.Tensor:
    """(N, 5): the ends -x1, -y1, x2, y2, and the area."""
    x1, y1, x2, y2 = boxes_N4.unbind(1)
    area_N = ((x2 - x1).clamp_min_(0) * (y2 - y1).clamp_min_(0)).clamp_min_(MIN_AREA)
    return torch.stack([-x1, -y1, x2, y2, area_N], dim=1)


def _starts(counts: torch.Tensor) -> torch.Tensor:
    """Where each of consecutive groups begins."""
    return counts.cumsum(0) - counts
