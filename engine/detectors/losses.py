"""What the detector is trained on: which cell answers for which box, and how wrong it is. Imports torch.

Shapes: P points, G boxes of one image, B images, K classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pancap.engine.detectors.network import STRIDES, DetectorOutput, boxes_from_sides

# Longest side (input pixels) that a level answers for; the last level takes the rest.
LEVEL_MAX_SIDE_PX = (56.0, 120.0)
CENTER_RADIUS_CELLS = 1.5
FOCUS = 2.0
BOX_WEIGHT = 2.0


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Ground truth of one image in input pixels: corners (G, 4) and class indices (G,)."""

    boxes_G4: Tensor
    labels_G: Tensor


def assign(centers_P2: Tensor, strides_P: Tensor, boxes_G4: Tensor) -> Tensor:
    """The box each point answers for.

    A box belongs to the level of its size, and there to the cells around its middle; of several boxes a cell takes
    the one whose middle is nearest.

    Returns:
        (P,) index of the box, -1 for none.
    """
    if len(boxes_G4) == 0:
        return torch.full((len(centers_P2),), -1, dtype=torch.long)
    longest_G = (boxes_G4[:, 2:] - boxes_G4[:, :2]).amax(dim=1)
    level_G = torch.bucketize(longest_G, torch.tensor(LEVEL_MAX_SIDE_PX))
    stride_G = torch.tensor([float(stride) for stride in STRIDES])[level_G]
    middle_G2 = (boxes_G4[:, :2] + boxes_G4[:, 2:]) / 2
    offset_PG2 = (centers_P2[:, None] - middle_G2[None]).abs() / strides_P[:, None, None]
    inside_PG = ((centers_P2[:, None] > boxes_G4[None, :, :2]) & (centers_P2[:, None] < boxes_G4[None, :, 2:])).all(-1)
    near_PG = (offset_PG2 <= CENTER_RADIUS_CELLS).all(-1) & inside_PG
    holds_middle_PG = (offset_PG2 <= 0.5).all(-1)
    allowed_PG = (near_PG | holds_middle_PG) & (strides_P[:, None] == stride_G[None])
    distance_PG = offset_PG2.square().sum(-1).masked_fill(~allowed_PG, torch.inf)
    distance_P, index_P = distance_PG.min(dim=1)
    return torch.where(distance_P.isinf(), -1, index_P)


def giou(boxes_N4: Tensor, others_N4: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalized IoU of matching rows (Source: Rezatofighi et al., 2019)."""
    shared = torch.minimum(boxes_N4[:, 2:], others_N4[:, 2:]) - torch.maximum(boxes_N4[:, :2], others_N4[:, :2])
    hull = torch.maximum(boxes_N4[:, 2:], others_N4[:, 2:]) - torch.minimum(boxes_N4[:, :2], others_N4[:, :2])
    shared_N, hull_N = shared.clamp(min=0).prod(-1), hull.clamp(min=0).prod(-1)
    area_N = (boxes_N4[:, 2:] - boxes_N4[:, :2]).clamp(min=0).prod(-1)
    area_N = area_N + (others_N4[:, 2:] - others_N4[:, :2]).clamp(min=0).prod(-1)
    union_N = (area_N - shared_N).clamp(min=1e-6)
    iou_N = shared_N / union_N
    return iou_N, iou_N - (hull_N - union_N) / hull_N.clamp(min=1e-6)


def detector_loss(
    output: DetectorOutput, targets: Sequence[Targets], *, centers_P2: Tensor, strides_P: Tensor
) -> Tensor:
    """Quality focal loss plus GIoU loss, per positive cell (Source: Generalized Focal Loss, Li et al., 2020).

    The quality target of a positive cell is the IoU that its box has now, so that the score of a box says how well
    it is placed; every other score has target 0.
    """
    index_BP = torch.stack([assign(centers_P2, strides_P, target.boxes_G4) for target in targets])
    batch_N, point_N = torch.nonzero(index_BP >= 0, as_tuple=True)
    counts = torch.tensor([0, *(len(target.boxes_G4) for target in targets[:-1])])
    row_N = index_BP[batch_N, point_N] + counts.cumsum(0)[batch_N]
    wanted_N4 = torch.cat([target.boxes_G4 for target in targets])[row_N]
    labels_N = torch.cat([target.labels_G for target in targets])[row_N]
    predicted_N4 = boxes_from_sides(centers_P2[point_N], output.sides_BP4[batch_N, point_N])
    iou_N, giou_N = giou(predicted_N4, wanted_N4)
    quality_BPK = torch.zeros_like(output.logits_BPK)
    quality_BPK[batch_N, point_N, labels_N] = iou_N.detach().clamp(0, 1)
    score_BPK = output.logits_BPK.sigmoid().detach()
    focus_BPK = (quality_BPK - score_BPK).abs().pow(FOCUS)
    quality_loss = nn.functional.binary_cross_entropy_with_logits(
        output.logits_BPK, quality_BPK, weight=focus_BPK, reduction="sum"
    )
    return (quality_loss + BOX_WEIGHT * (1 - giou_N).sum()) / max(len(row_N), 1)
