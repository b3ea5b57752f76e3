"""The public op: checks, choice of backend, and the registration with torch.library."""

import torch

from pancap.custom_kernels.backend import Backend, choose_backend
from pancap.custom_kernels.nms.reference import kept_of_sorted

# 65,536 boxes take 512 MiB of bits.
_MAX_BOXES = 65_536


def nms(
    boxes_N4: torch.Tensor,
    scores_N: torch.Tensor,
    *,
    max_iou: float,
    labels_N: torch.Tensor | None = None,
    backend: Backend = "auto",
) -> torch.Tensor:
    """Keeps the best box, drops what overlaps it by more than `max_iou`, and so on.

    Args:
        boxes_N4: corners (x1, y1, x2, y2), any unit, float dtype; compared in float32, float64 boxes on the torch
            path in float64.
        scores_N: the higher, the earlier kept; equal scores in the order given.
        max_iou: 0..1.
        labels_N: integers; boxes of different labels never suppress each other.
        backend: see `choose_backend`.

    Returns:
        Indices of the kept boxes, int64, best score first. Its length depends on the values: on a GPU this waits.

    Raises:
        ValueError: shapes or dtypes do not fit, max_iou is outside 0..1, or Triton gets more than 65,536 boxes.

    Example:
        >>> import torch
        >>> boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 5.0], [9.0, 9.0, 10.0, 10.0]])
        >>> nms(boxes, torch.tensor([0.5, 0.9, 0.1]), max_iou=0.5)
        tensor([1, 2])
    """
    num_boxes = len(boxes_N4)
    if tuple(boxes_N4.shape) != (num_boxes, 4) or not boxes_N4.is_floating_point():
        raise ValueError(f"nms: boxes_N4 must be float (N, 4), got {boxes_N4.dtype} {tuple(boxes_N4.shape)}")
    if tuple(scores_N.shape) != (num_boxes,):
        raise ValueError(f"nms: scores_N must be ({num_boxes},), got {tuple(scores_N.shape)}")
    if labels_N is None:
        labels_N = torch.zeros(num_boxes, dtype=torch.int64, device=boxes_N4.device)
    if tuple(labels_N.shape) != (num_boxes,) or labels_N.is_floating_point():
        raise ValueError(f"nms: labels_N must be integers ({num_boxes},), got {labels_N.dtype} {tuple(labels_N.shape)}")
    if not 0 <= max_iou <= 1:
        raise ValueError(f"nms: max_iou must be 0..1, got {max_iou}")
    order_N = torch.argsort(scores_N.detach(), descending=True, stable=True)
    boxes_N4, labels_N = boxes_N4.detach()[order_N], labels_N[order_N]
    if choose_backend("nms", boxes_N4, backend=backend) == "torch":
        wide = torch.float64 if boxes_N4.dtype == torch.float64 else torch.float32
        return order_N[kept_of_sorted(boxes_N4.to(wide), labels_N, max_iou=max_iou)]
    if num_boxes > _MAX_BOXES:
        raise ValueError(f"nms on Triton takes up to {_MAX_BOXES} boxes, got {num_boxes}; keep the best before")
    return order_N[_nms_op(boxes_N4.to(torch.float32).contiguous(), labels_N.contiguous(), float(max_iou))]


@torch.library.custom_op("pancap::nms", mutates_args=())
def _nms_op(boxes: torch.Tensor, labels: torch.Tensor, max_iou: float) -> torch.Tensor:
    from pancap.custom_kernels.nms.kernel import launch

    return launch(boxes, labels, max_iou=max_iou)


@_nms_op.register_fake
def _nms_fake(boxes: torch.Tensor, labels: torch.Tensor, max_iou: float) -> torch.Tensor:
    return boxes.new_empty(len(boxes), dtype=torch.bool)
