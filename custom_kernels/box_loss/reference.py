"""The box loss in plain PyTorch: the definition of correct, and what runs without a GPU.

Legend: M boxes, four slots (x1, y1, x2, y2), K coordinate values, O of them around the true one, H width.
"""

import torch

# Below the smallest area and hull of an ordered box on 1001 values (1e-6): only unordered targets come near it.
MIN_AREA = 1e-9


def box_loss_reference(
    hidden_M4H: torch.Tensor,
    weight_KH: torch.Tensor,
    bias_K: torch.Tensor | None,
    targets_M4: torch.Tensor,
    box_weights_M: torch.Tensor,
    *,
    sigma: float,
    ce_weight: float,
    giou_weight: float,
    l1_weight: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(total, cross-entropy (M, 4), GIoU (M,), L1 (M, 4), expected box (M, 4)); see `box_loss`."""
    wide = torch.float64 if hidden_M4H.dtype == torch.float64 else torch.float32
    num_values = weight_KH.shape[0]
    logits_M4K = hidden_M4H.to(wide) @ weight_KH.to(wide).T
    if bias_K is not None:
        logits_M4K = logits_M4K + bias_K.to(wide)
    log_probs_M4K = logits_M4K.log_softmax(dim=2)
    bins_M4O, shares_M4O = soft_targets(targets_M4, num_values, sigma=sigma)
    ce_M4 = -(shares_M4O.to(wide) * log_probs_M4K.gather(2, bins_M4O)).sum(dim=2)
    values_K = torch.arange(num_values, dtype=wide, device=logits_M4K.device) / (num_values - 1)
    expected_M4 = log_probs_M4K.exp() @ values_K
    truth_M4 = targets_M4.to(wide) / (num_values - 1)
    giou_M = expected_giou(expected_M4, truth_M4)
    l1_M4 = (expected_M4 - truth_M4).abs()
    loss_M = ce_weight * ce_M4.sum(dim=1) + giou_weight * (1 - giou_M) + l1_weight * l1_M4.sum(dim=1)
    return (loss_M * box_weights_M.to(wide)).sum(), ce_M4, giou_M, l1_M4, expected_M4


def soft_targets(targets_M4: torch.Tensor, num_values: int, *, sigma: float) -> tuple[torch.Tensor, torch.Tensor]:
    """What the distribution should be: bins and their shares, (M, 4, O) each, a bin outside the scale with share 0.

    The true bin, or a bell of `sigma` bins around it, cut at int(3 sigma) + 1 bins and at the ends of the scale, that
    sums to 1. Elsewhere the distribution should be 0, so that the O bins are all a cross-entropy needs.
    """
    reach = reach_of(sigma) if sigma > 0 else 0
    offsets_O = torch.arange(-reach, reach + 1, device=targets_M4.device)
    bins_M4O = targets_M4.unsqueeze(-1) + offsets_O
    bell_O = torch.exp(-0.5 * (offsets_O.double() / max(sigma, 1e-9)) ** 2)
    shares_M4O = bell_O * ((bins_M4O >= 0) & (bins_M4O < num_values))
    return bins_M4O.clamp(0, num_values - 1), shares_M4O / shares_M4O.sum(dim=-1, keepdim=True)


def reach_of(sigma: float) -> int:
    """Bins on either side of the truth that a bell covers."""
    return int(3 * sigma) + 1


def expected_giou(boxes_M4: torch.Tensor, truth_M4: torch.Tensor) -> torch.Tensor:
    """GIoU (M,), -1..1; a box with corners out of order has no area, its hull counts.

    Source: Rezatofighi et al., CVPR 2019: IoU - (hull - union) / hull.
    """
    shared_M = _area(torch.maximum(boxes_M4[:, :2], truth_M4[:, :2]), torch.minimum(boxes_M4[:, 2:], truth_M4[:, 2:]))
    union_M = _area(boxes_M4[:, :2], boxes_M4[:, 2:]) + _area(truth_M4[:, :2], truth_M4[:, 2:]) - shared_M
    low_M2 = torch.minimum(boxes_M4[:, :2], truth_M4[:, :2])
    high_M2 = torch.maximum(boxes_M4[:, 2:], truth_M4[:, 2:])
    hull_M = (high_M2 - low_M2).prod(dim=1).clamp_min(MIN_AREA)
    union_M = union_M.clamp_min(MIN_AREA)
    return shared_M / union_M + union_M / hull_M - 1


def _area(low_M2: torch.Tensor, high_M2: torch.Tensor) -> torch.Tensor:
    return (high_M2 - low_M2).clamp_min(0).prod(dim=1)
