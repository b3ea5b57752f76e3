"""The public op: checks, choice of backend, and the registration with torch.library.

Legend: M boxes, four slots (x1, y1, x2, y2), K coordinate values, H width.
"""

from dataclasses import dataclass
from typing import Any

import torch

from pancap.custom_kernels.backend import Backend, choose_backend
from pancap.custom_kernels.box_loss.reference import box_loss_reference

_KERNEL_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
_MAX_VALUES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxLoss:
    """The loss to go down, and what it is made of (float32, detached).

    Args:
        total: scalar with gradient.
        ce: cross-entropy of each coordinate over the K values, (M, 4), nats.
        giou: GIoU of true and expected box, (M,), -1..1.
        l1: distance of each expected from its true coordinate, (M, 4), 0..1.
        expected: the expected box, (M, 4), 0..1.
    """

    total: torch.Tensor
    ce: torch.Tensor
    giou: torch.Tensor
    l1: torch.Tensor
    expected: torch.Tensor


def box_loss(
    hidden_M4H: torch.Tensor,
    weight_KH: torch.Tensor,
    targets_M4: torch.Tensor,
    *,
    bias_K: torch.Tensor | None = None,
    box_weights_M: torch.Tensor | None = None,
    sigma: float = 0.0,
    ce_weight: float = 1.0,
    giou_weight: float = 1.0,
    l1_weight: float = 0.0,
    backend: Backend = "auto",
) -> BoxLoss:
    """Sum over boxes of weight x (ce_weight sum(CE) + giou_weight (1 - GIoU) + l1_weight sum(L1)).

    On Triton the gradients are made in the forward pass, chunk by chunk, so that no (M, 4, K) tensor exists; the
    backward pass multiplies them by the incoming gradient in place. It can therefore run once: a second one through
    the same loss (`retain_graph=True`) raises. The torch path is plain autograd.

    Args:
        hidden_M4H: hidden states that predict the four coordinates, float dtype, any strides.
        weight_KH: the coordinate rows of the output head, same dtype.
        targets_M4: true bins, integers 0..K-1.
        bias_K: bias of the rows.
        box_weights_M: weight of each box, without gradient; None for 1 / M each, the mean.
        sigma: 0 aims at the true bin; above 0 at a bell of that many bins around it, cut at int(3 sigma) + 1.
        ce_weight, giou_weight, l1_weight: weights of the parts, >= 0.
        backend: see `choose_backend`.

    Raises:
        ValueError: shapes, dtypes or weights do not fit, or (checked on the CPU only) a target is outside 0..K-1.

    Source: GIoU, Rezatofighi et al., CVPR 2019; the expectation over bins, Sun et al., ECCV 2018 (integral regression).
    """
    weights = {"sigma": sigma, "ce_weight": ce_weight, "giou_weight": giou_weight, "l1_weight": l1_weight}
    _check_inputs(hidden_M4H, weight_KH, targets_M4, bias_K, box_weights_M, weights=weights)
    num_boxes = hidden_M4H.shape[0]
    if box_weights_M is None:
        box_weights_M = torch.full((num_boxes,), 1 / max(num_boxes, 1), device=hidden_M4H.device)
    box_weights_M = box_weights_M.detach()
    if choose_backend("box_loss", hidden_M4H, backend=backend) == "torch":
        parts = box_loss_reference(hidden_M4H, weight_KH, bias_K, targets_M4, box_weights_M, **weights)
    else:
        parts = _launch(hidden_M4H, weight_KH, bias_K, targets_M4, box_weights_M, **weights)
    total, *figures = parts
    ce, giou, l1, expected = (figure.detach() for figure in figures)
    return BoxLoss(total=total, ce=ce, giou=giou, l1=l1, expected=expected)


def _launch(
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
) -> tuple[torch.Tensor, ...]:
    if hidden_M4H.dtype not in _KERNEL_DTYPES or weight_KH.shape[0] > _MAX_VALUES:
        raise ValueError(
            f"box_loss on Triton takes float32, bfloat16 or float16 and K <= {_MAX_VALUES}, "
            f"got {hidden_M4H.dtype} and K = {weight_KH.shape[0]}; use backend='torch'"
        )
    is_recording = torch.is_grad_enabled()
    parts: tuple[torch.Tensor, ...] = _box_loss_op(
        hidden_M4H,
        weight_KH,
        bias_K,
        targets_M4.contiguous(),
        box_weights_M.to(torch.float32).contiguous(),
        float(sigma),
        float(ce_weight),
        float(giou_weight),
        float(l1_weight),
        is_recording and hidden_M4H.requires_grad,
        is_recording and weight_KH.requires_grad,
        is_recording and bias_K is not None and bias_K.requires_grad,
    )
    return parts[:5]


@torch.library.custom_op("pancap::box_loss", mutates_args=())
def _box_loss_op(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    targets: torch.Tensor,
    box_weights: torch.Tensor,
    sigma: float,
    ce_weight: float,
    giou_weight: float,
    l1_weight: float,
    needs_hidden: bool,
    needs_weight: bool,
    needs_bias: bool,
) -> tuple[
    torch.Tensor,
    torch.Tensor,
    torch.Tensor,
    torch.Tensor,
    torch.Tensor,
    torch.Tensor,
    torch.Tensor,
    torch.Tensor,
]:
    from pancap.custom_kernels.box_loss.kernel import launch

    return launch(
        hidden,
        weight,
        bias,
        targets,
        box_weights,
        sigma=sigma,
        ce_weight=ce_weight,
        giou_weight=giou_weight,
        l1_weight=l1_weight,
        needs_hidden=needs_hidden,
        needs_weight=needs_weight,
        needs_bias=needs_bias,
    )


@_box_loss_op.register_fake
def _box_loss_fake(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, *rest: Any
) -> tuple[torch.Tensor, ...]:
    needs_hidden, needs_weight, needs_bias = rest[-3:]
    num_boxes, _, width = hidden.shape
    num_values = weight.shape[0]
    shapes: tuple[tuple[int, ...], ...] = ((), (num_boxes, 4), (num_boxes,), (num_boxes, 4), (num_boxes, 4))
    figures = [hidden.new_empty(shape, dtype=torch.float32) for shape in shapes]
    return (
        *figures,
        hidden.new_empty(num_boxes if needs_hidden else 0, 4, width),
        weight.new_empty(num_values if needs_weight else 0, width),
        hidden.new_empty(num_values if needs_bias else 0, dtype=torch.float32 if bias is None else bias.dtype),
    )


@torch.library.custom_op("pancap::box_loss_scale", mutates_args=("gradient",))
def _scale_op(gradient: torch.Tensor, factor: torch.Tensor) -> None:
    from pancap.custom_kernels.box_loss.kernel import launch_scale

    launch_scale(gradient, factor)


@_scale_op.register_fake
def _scale_fake(gradient: torch.Tensor, factor: torch.Tensor) -> None:
    return None


def _keep_gradients(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, ...]) -> None:
    # Only the total is differentiated; zeros in place of the others' gradients would be as large as the hidden states.
    ctx.mark_non_differentiable(*output[1:])
    ctx.set_materialize_grads(False)
    ctx.needs = inputs[9:12]
    ctx.save_for_backward(*output[5:8])


def _scale_gradients(ctx: Any, by_total: torch.Tensor | None, *_: torch.Tensor | None) -> tuple[Any, ...]:
    grads: list[torch.Tensor | None] = [None, None, None]
    if by_total is not None:
        for index, gradient in enumerate(ctx.saved_tensors):
            if ctx.needs[index]:
                _scale_op(gradient, by_total.to(torch.float32))
                grads[index] = gradient
    return (*grads, *(None for _ in range(9)))


_box_loss_op.register_autograd(_scale_gradients, setup_context=_keep_gradients)


def _check_inputs(
    hidden_M4H: torch.Tensor,
    weight_KH: torch.Tensor,
    targets_M4: torch.Tensor,
    bias_K: torch.Tensor | None,
    box_weights_M: torch.Tensor | None,
    *,
    weights: dict[str, float],
) -> None:
    shape = tuple(hidden_M4H.shape)
    if len(shape) != 3 or shape[1] != 4 or weight_KH.ndim != 2 or shape[2] != weight_KH.shape[1]:
        raise ValueError(f"box_loss: need hidden (M, 4, H) and weight (K, H), got {shape}, {tuple(weight_KH.shape)}")
    if hidden_M4H.dtype != weight_KH.dtype:
        raise ValueError(f"box_loss: hidden and weight must share a dtype, got {hidden_M4H.dtype}, {weight_KH.dtype}")
    if weight_KH.shape[0] < 2:
        raise ValueError(f"box_loss: weight_KH must have at least 2 rows, got {weight_KH.shape[0]}")
    if tuple(targets_M4.shape) != shape[:2] or targets_M4.is_floating_point():
        raise ValueError(
            f"box_loss: targets_M4 must be integers {shape[:2]}, got {targets_M4.dtype} {tuple(targets_M4.shape)}"
        )
    if bias_K is not None and bias_K.shape != weight_KH.shape[:1]:
        raise ValueError(f"box_loss: bias_K must be ({weight_KH.shape[0]},), got {tuple(bias_K.shape)}")
    if box_weights_M is not None and tuple(box_weights_M.shape) != shape[:1]:
        raise ValueError(f"box_loss: box_weights_M must be {shape[:1]}, got {tuple(box_weights_M.shape)}")
    for name, value in weights.items():
        if not value >= 0:
            raise ValueError(f"box_loss: {name} must be >= 0, got {value}")
    # On a GPU the check would wait for the device.
    is_cpu = targets_M4.device.type == "cpu"
    if is_cpu and bool(((targets_M4 < 0) | (targets_M4 >= weight_KH.shape[0])).any()):
        raise ValueError(f"box_loss: targets_M4 must be 0..{weight_KH.shape[0] - 1}")
