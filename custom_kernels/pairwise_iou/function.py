"""The public ops: checks, choice of backend, and the registration with torch.library.

Legend: N and M boxes of two sets, P pairs of sets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

from pancap.custom_kernels.backend import Backend, choose_backend
from pancap.custom_kernels.pairwise_iou import reference

Kind = Literal["iou", "giou"]
# Pairs of one launch: the third axis of a CUDA grid ends at 65,535.
_MAX_PAIRS = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class RaggedIoU:
    """The overlaps of many pairs of sets.

    Args:
        values: one block (n_p, m_p) after another, flat, row by row.
        counts, other_counts: n_p and m_p, int64 (P,) on the CPU.
    """

    values: torch.Tensor
    counts: torch.Tensor
    other_counts: torch.Tensor

    def blocks(self) -> list[torch.Tensor]:
        """The (n_p, m_p) block of each pair, views of `values`."""
        shapes = list(zip(self.counts.tolist(), self.other_counts.tolist(), strict=True))
        parts = self.values.split([rows * columns for rows, columns in shapes])
        return [part.view(shape) for part, shape in zip(parts, shapes, strict=True)]


def pairwise_iou(
    boxes_N4: torch.Tensor, others_M4: torch.Tensor, *, kind: Kind = "iou", backend: Backend = "auto"
) -> torch.Tensor:
    """Overlap of every box with every other box.

    Not differentiable: made for matching, merging and suppression.

    Args:
        boxes_N4, others_M4: corners (x1, y1, x2, y2), any unit, float dtype, the same for both. Corners out of order
            make an empty box; NaN stays NaN on the torch path.
        kind: "iou", 0..1 (0 for two empty boxes), or "giou", -1..1.
        backend: see `choose_backend`.

    Returns:
        (N, M), float64 for float64 boxes (torch only), else float32.

    Raises:
        ValueError: shapes, dtypes or kind do not fit.

    Source: GIoU = IoU - (hull - union) / hull, Rezatofighi et al., CVPR 2019.

    Example:
        >>> import torch
        >>> pairwise_iou(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[1.0, 0.0, 3.0, 2.0]]))
        tensor([[0.3333]])
    """
    boxes_N4, others_M4 = _as_boxes(boxes_N4, others_M4, kind=kind)
    if choose_backend("pairwise_iou", boxes_N4, backend=backend) == "torch":
        with torch.no_grad():
            return reference.pairwise_overlap(boxes_N4, others_M4, is_generalized=kind == "giou")
    counts, other_counts = torch.tensor([len(boxes_N4)]), torch.tensor([len(others_M4)])
    values = _launch(boxes_N4, others_M4, counts, other_counts, kind=kind)
    return values.view(len(boxes_N4), len(others_M4))


def pairwise_iou_ragged(
    boxes_N4: torch.Tensor,
    others_M4: torch.Tensor,
    *,
    counts: Sequence[int] | torch.Tensor,
    other_counts: Sequence[int] | torch.Tensor,
    kind: Kind = "iou",
    backend: Backend = "auto",
) -> RaggedIoU:
    """Overlaps within each of P pairs of sets, of any sizes, in one call.

    Args:
        boxes_N4: the first sets of all pairs, one after another.
        others_M4: the second sets, likewise.
        counts, other_counts: boxes of each set, P each; a tensor on a GPU is copied to the CPU, which waits.
        kind, backend: as in `pairwise_iou`.

    Raises:
        ValueError: as in `pairwise_iou`, or the counts do not add up to N and M.

    Example:
        >>> import torch
        >>> boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 2.0, 2.0], [5.0, 5.0, 6.0, 6.0]])
        >>> found = pairwise_iou_ragged(boxes, boxes, counts=[2, 1], other_counts=[1, 2])
        >>> [block.tolist() for block in found.blocks()]
        [[[1.0], [0.25]], [[0.0, 1.0]]]
    """
    boxes_N4, others_M4 = _as_boxes(boxes_N4, others_M4, kind=kind)
    counts_P, other_counts_P = (torch.as_tensor(c, dtype=torch.int64).cpu() for c in (counts, other_counts))
    _check_counts(counts_P, other_counts_P, num_boxes=len(boxes_N4), num_others=len(others_M4))
    if choose_backend("pairwise_iou", boxes_N4, backend=backend) == "torch":
        with torch.no_grad():
            values = reference.ragged_overlap(
                boxes_N4, others_M4, counts_P, other_counts_P, is_generalized=kind == "giou"
            )
    else:
        values = _launch(boxes_N4, others_M4, counts_P, other_counts_P, kind=kind)
    return RaggedIoU(values=values, counts=counts_P, other_counts=other_counts_P)


def _launch(
    boxes_N4: torch.Tensor, others_M4: torch.Tensor, counts_P: torch.Tensor, other_counts_P: torch.Tensor, *, kind: Kind
) -> torch.Tensor:
    if boxes_N4.dtype == torch.float64:
        raise ValueError("pairwise_iou on Triton computes in float32, got float64 boxes; use backend='torch'")
    if len(counts_P) > _MAX_PAIRS:
        middle = len(counts_P) // 2
        cut, other_cut = int(counts_P[:middle].sum()), int(other_counts_P[:middle].sum())
        head = _launch(boxes_N4[:cut], others_M4[:other_cut], counts_P[:middle], other_counts_P[:middle], kind=kind)
        tail = _launch(boxes_N4[cut:], others_M4[other_cut:], counts_P[middle:], other_counts_P[middle:], kind=kind)
        return torch.cat([head, tail])
    sizes_3P = torch.stack([counts_P, other_counts_P, counts_P * other_counts_P])
    starts_3Q = torch.nn.functional.pad(sizes_3P.cumsum(1), (1, 0))
    return _pairwise_iou_op(
        boxes_N4.contiguous(),
        others_M4.contiguous(),
        starts_3Q.to(boxes_N4.device, non_blocking=True),
        int(starts_3Q[2, -1]),
        int(counts_P.max()) if len(counts_P) else 0,
        int(other_counts_P.max()) if len(counts_P) else 0,
        kind == "giou",
    )


@torch.library.custom_op("pancap::pairwise_iou", mutates_args=())
def _pairwise_iou_op(
    boxes: torch.Tensor,
    others: torch.Tensor,
    starts: torch.Tensor,
    num_values: int,
    longest: int,
    other_longest: int,
    is_generalized: bool,
) -> torch.Tensor:
    from pancap.custom_kernels.pairwise_iou.kernel import launch

    return launch(
        boxes,
        others,
        starts,
        num_values=num_values,
        longest=longest,
        other_longest=other_longest,
        is_generalized=is_generalized,
    )


@_pairwise_iou_op.register_fake
def _pairwise_iou_fake(boxes: torch.Tensor, others: Any, starts: Any, num_values: int, *_: Any) -> torch.Tensor:
    return boxes.new_empty(num_values, dtype=torch.float32)


def _as_boxes(boxes_N4: torch.Tensor, others_M4: torch.Tensor, *, kind: Kind) -> tuple[torch.Tensor, torch.Tensor]:
    for boxes in (boxes_N4, others_M4):
        if boxes.ndim != 2 or boxes.shape[1] != 4 or not boxes.is_floating_point():
            raise ValueError(f"pairwise_iou: boxes must be float (N, 4), got {boxes.dtype} {tuple(boxes.shape)}")
    if boxes_N4.dtype != others_M4.dtype:
        raise ValueError(f"pairwise_iou: both sets must share a dtype, got {boxes_N4.dtype} and {others_M4.dtype}")
    if kind not in ("iou", "giou"):
        raise ValueError(f"pairwise_iou: kind must be iou or giou, got {kind!r}")
    wide = torch.float64 if boxes_N4.dtype == torch.float64 else torch.float32
    return boxes_N4.detach().to(wide), others_M4.detach().to(wide)


def _check_counts(counts_P: torch.Tensor, other_counts_P: torch.Tensor, *, num_boxes: int, num_others: int) -> None:
    if counts_P.ndim != 1 or counts_P.shape != other_counts_P.shape:
        raise ValueError(
            f"pairwise_iou: need one count a pair for both, got {tuple(counts_P.shape)}, {tuple(other_counts_P.shape)}"
        )
    for name, counts, total in (("counts", counts_P, num_boxes), ("other_counts", other_counts_P, num_others)):
        if bool((counts < 0).any()) or int(counts.sum()) != total:
            raise ValueError(f"pairwise_iou: {name} must be >= 0 and add up to {total} boxes, got {int(counts.sum())}")
