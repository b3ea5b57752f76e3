"""Non-maximum suppression in plain PyTorch: the definition of correct, and what runs without a GPU."""

import torch

from pancap.custom_kernels.pairwise_iou.reference import pairwise_overlap

# Rows of the overlap matrix made at once: a block of 256 x N instead of N x N.
_BLOCK = 256


def kept_of_sorted(boxes_N4: torch.Tensor, labels_N: torch.Tensor, *, max_iou: float) -> torch.Tensor:
    """Which boxes stay, bool (N,); boxes come best first.

    Block by block: the boxes of a block that are still there are settled among themselves one by one, then all that
    follow are compared with the kept ones at once.
    """
    kept_N = torch.ones(len(boxes_N4), dtype=torch.bool, device=boxes_N4.device)
    for start in range(0, len(boxes_N4), _BLOCK):
        alive = kept_N[start : start + _BLOCK].nonzero().squeeze(1) + start
        dropped: set[int] = set()
        # Row by row: when a box's own row comes, all that could have dropped it have had theirs.
        for index, other in _suppresses(boxes_N4, labels_N, alive, alive, max_iou=max_iou).triu(1).nonzero().tolist():
            if index not in dropped:
                dropped.add(other)
        winners = alive[[index for index in range(len(alive)) if index not in dropped]]
        kept_N[start : start + _BLOCK] = False
        kept_N[winners] = True
        rest = kept_N[start + _BLOCK :].nonzero().squeeze(1) + start + _BLOCK
        if len(rest):
            kept_N[rest] = ~_suppresses(boxes_N4, labels_N, winners, rest, max_iou=max_iou).any(dim=0)
    return kept_N


def _suppresses(
    boxes_N4: torch.Tensor, labels_N: torch.Tensor, first: torch.Tensor, others: torch.Tensor, *, max_iou: float
) -> torch.Tensor:
    overlap = pairwise_overlap(boxes_N4[first], boxes_N4[others], is_generalized=False)
    return (overlap > max_iou) & (labels_N[first].unsqueeze(1) == labels_N[others])
