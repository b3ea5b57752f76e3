"""Non-maximum suppression in plain PyTorch: the definition of correct, and what runs without a GPU."""

import numpy as np
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
        inner = _suppresses(boxes_N4, labels_N, alive, alive, max_iou=max_iou).cpu().numpy()
        is_dropped = np.zeros(len(alive), dtype=bool)
        chosen: list[int] = []
        for index, drops in enumerate(inner):
            if not is_dropped[index]:
                chosen.append(index)
                is_dropped |= drops
        winners = alive[chosen]
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
