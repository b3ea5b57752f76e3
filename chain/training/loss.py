"""The loss of the chain's answers: text by cross-entropy, coordinates so that near misses cost less than far ones.

Legend: M supervised tokens, V vocabulary, B boxes, K = 1001 coordinate values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pancap.chain.stages import StageName
from pancap.chain.training.config import LossConfig
from pancap.chain.training.encoding import STAGE_NAMES

if TYPE_CHECKING:
    import torch

COPIED_STAGES: tuple[StageName, ...] = ("tag", "cap")


@dataclass(frozen=True, slots=True)
class LossParts:
    """The loss to go down, and what it is made of (detached).

    Args:
        total: weighted sum, a scalar with gradient.
        stages: mean cross-entropy over the answer tokens of each stage in the batch, by stage name.
        giou: mean GIoU of the expected boxes, -1..1; None without boxes.
        patches: loss of the questions at the image tokens; None where none were asked.
    """

    total: "torch.Tensor"
    stages: dict[str, float]
    giou: float | None
    patches: float | None = None


def answer_loss(
    logits_MV: "torch.Tensor",
    *,
    targets_M: "torch.Tensor",
    stages_M: "torch.Tensor",
    coordinates: range,
    config: LossConfig,
    copied_stages: Sequence[StageName] = COPIED_STAGES,
) -> LossParts:
    """Loss over the supervised tokens of a batch.

    A coordinate's cross-entropy aims at a bell around the true value instead of at the value alone, and every box
    adds 1 - GIoU between the true box and the box of the expected coordinates.

    Args:
        logits_MV: scores of the supervised tokens only.
        targets_M: their right ids; the four coordinates of a box follow one another.
        stages_M: index into STAGE_NAMES.
        coordinates: ids of the coordinate tokens, in order of value; empty in text form.
        config: weights.
        copied_stages: where coordinates repeat what the prompt said; they count `config.copied_coordinates`.
    """
    import torch

    nll_M = torch.nn.functional.cross_entropy(logits_MV, targets_M, reduction="none")
    weights = torch.tensor([config.loc, config.tag, config.disc, config.cap, config.cap], device=logits_MV.device)
    counts = torch.bincount(stages_M, minlength=len(STAGE_NAMES)).clamp_min(1)
    use_M = _use(
        targets_M,
        stages_M,
        coordinates=coordinates,
        copied_stages=copied_stages,
        copied=config.copied_coordinates,
    )
    used = use_M.new_zeros(len(STAGE_NAMES)).index_add(0, stages_M, use_M).clamp_min(1e-6)
    share_M = use_M * (weights / used)[stages_M]
    giou = None
    total_boxes = logits_MV.new_zeros(())
    if coordinates:
        rows = ((targets_M >= coordinates.start) & (targets_M < coordinates.stop)).nonzero().squeeze(1)
        if len(rows):
            scores_BK = logits_MV[rows, coordinates.start : coordinates.stop]
            true_B = targets_M[rows] - coordinates.start
            if config.coordinate_sigma > 0:
                soft = soft_correction(scores_BK, true_B, sigma=config.coordinate_sigma)
                nll_M = nll_M.index_add(0, rows, soft)
            giou_B = _expected_giou(scores_BK, true_B, num_values=len(coordinates))
            giou = giou_B.mean().item()
            box_share = (share_M[rows].view(-1, 4) * 4).mean(dim=1)
            total_boxes = config.giou * ((1 - giou_B) * box_share).sum()
    sums = nll_M.new_zeros(len(STAGE_NAMES)).index_add(0, stages_M, nll_M.detach())
    present = stages_M.unique().tolist()
    return LossParts(
        total=(nll_M * share_M).sum() + total_boxes,
        stages={STAGE_NAMES[stage]: (sums[stage] / counts[stage]).item() for stage in present},
        giou=giou,
    )


def _use(
    targets_M: "torch.Tensor",
    stages_M: "torch.Tensor",
    *,
    coordinates: range,
    copied_stages: Sequence[StageName],
    copied: float,
) -> "torch.Tensor":
    """How much each token counts within its stage: less where decoding copies the coordinate from a known box."""
    import torch

    is_coordinate = (targets_M >= coordinates.start) & (targets_M < coordinates.stop)
    stages = torch.tensor([STAGE_NAMES.index(name) for name in copied_stages], device=stages_M.device)
    is_copy = is_coordinate & torch.isin(stages_M, stages)
    return 1.0 - (1.0 - copied) * is_copy.float()


def soft_correction(scores_BK: "torch.Tensor", true_B: "torch.Tensor", *, sigma: float) -> "torch.Tensor":
    """What turns hard into soft cross-entropy: the true score minus the mean score under the bell, per coordinate."""
    import torch

    reach = int(3 * sigma) + 1
    offsets = torch.arange(-reach, reach + 1, device=scores_BK.device)
    bell = torch.exp(-0.5 * (offsets / sigma) ** 2)
    near_BO = true_B.unsqueeze(1) + offsets
    inside = (near_BO >= 0) & (near_BO < scores_BK.shape[1])
    weights_BO = bell * inside
    weights_BO = weights_BO / weights_BO.sum(dim=1, keepdim=True)
    near_scores = scores_BK.gather(1, near_BO.clamp(0, scores_BK.shape[1] - 1))
    return scores_BK.gather(1, true_B.unsqueeze(1)).squeeze(1) - (weights_BO * near_scores).sum(dim=1)


def _expected_giou(scores_BK: "torch.Tensor", true_B: "torch.Tensor", *, num_values: int) -> "torch.Tensor":
    """GIoU of true and expected boxes, one per four coordinates."""
    import torch

    values = torch.arange(num_values, dtype=torch.float32, device=scores_BK.device) / (num_values - 1)
    expected = (scores_BK.float().softmax(dim=1) @ values).view(-1, 4)
    return giou(expected, (true_B / (num_values - 1)).view(-1, 4))


def giou(boxes: "torch.Tensor", others: "torch.Tensor") -> "torch.Tensor":
    """Generalized IoU of box pairs, (N, 4) each, -1..1; corners out of order count as empty.

    Source: Rezatofighi et al., CVPR 2019: IoU - (hull - union) / hull.
    """
    import torch

    def area(corners: "torch.Tensor") -> "torch.Tensor":
        return (corners[:, 2:] - corners[:, :2]).clamp_min(0).prod(dim=1)

    low, high = torch.maximum(boxes[:, :2], others[:, :2]), torch.minimum(boxes[:, 2:], others[:, 2:])
    shared = (high - low).clamp_min(0).prod(dim=1)
    union = area(boxes) + area(others) - shared
    hull_low, hull_high = torch.minimum(boxes[:, :2], others[:, :2]), torch.maximum(boxes[:, 2:], others[:, 2:])
    hull = (hull_high - hull_low).prod(dim=1).abs().clamp_min(1e-6)
    return shared / union.clamp_min(1e-6) - (hull - union) / hull
