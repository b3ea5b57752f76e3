"""One interface over the fused cross-entropy of a well-kept library; we write no kernel of our own for it.

Legend: N tokens, S supervised ones, V vocabulary, H width.
"""

import logging
from functools import cache
from importlib.util import find_spec
from typing import Literal

import torch

_LOGGER = logging.getLogger(__name__)


def linear_cross_entropy(
    hidden_NH: torch.Tensor,
    weight_VH: torch.Tensor,
    targets_N: torch.Tensor,
    *,
    bias_V: torch.Tensor | None = None,
    ignore_index: int = -100,
    reduction: Literal["mean", "sum"] = "mean",
    backend: Literal["auto", "liger", "torch"] = "auto",
) -> torch.Tensor:
    """Cross-entropy of `hidden @ weight.T + bias`; only supervised rows reach the head.

    Choosing the rows waits for the GPU once. Tokens of unequal weight: one call a weight with `reduction="sum"`
    (Liger makes its gradients in the forward pass, so weights cannot follow).

    Args:
        hidden_NH: last hidden states.
        weight_VH: output head, same dtype.
        targets_N: right ids; `ignore_index` where a token is not supervised.
        bias_V: bias of the head.
        ignore_index: see targets.
        reduction: over the supervised tokens; 0 where there are none.
        backend: "auto" takes Liger-Kernel for CUDA tensors where it is installed, torch elsewhere, and says so once.

    Returns:
        A scalar with gradient, nats; float32 at least.

    Raises:
        ValueError: shapes or names do not fit, or "liger" is asked for and not installed.
    """
    if hidden_NH.ndim != 2 or weight_VH.ndim != 2 or hidden_NH.shape[1] != weight_VH.shape[1]:
        raise ValueError(
            "linear_cross_entropy: need hidden (N, H) and weight (V, H), "
            f"got {tuple(hidden_NH.shape)} and {tuple(weight_VH.shape)}"
        )
    if targets_N.shape != hidden_NH.shape[:1]:
        raise ValueError(f"linear_cross_entropy: targets_N must be ({len(hidden_NH)},), got {tuple(targets_N.shape)}")
    if reduction not in ("mean", "sum"):
        raise ValueError(f"linear_cross_entropy: reduction must be mean or sum, got {reduction!r}")
    rows_S = (targets_N != ignore_index).nonzero().squeeze(1)
    hidden_SH, targets_S = hidden_NH.index_select(0, rows_S), targets_N.index_select(0, rows_S)
    if _choose(hidden_NH, backend) == "liger" and len(rows_S):
        from liger_kernel.transformers.functional import liger_fused_linear_cross_entropy

        loss: torch.Tensor = liger_fused_linear_cross_entropy(
            hidden_SH, weight_VH, targets_S, bias=bias_V, reduction="sum"
        )
    else:
        logits_SV = torch.nn.functional.linear(hidden_SH, weight_VH, bias_V)
        wide = torch.promote_types(logits_SV.dtype, torch.float32)
        loss = torch.nn.functional.cross_entropy(logits_SV.to(wide), targets_S, reduction="sum")
    return loss / max(len(rows_S), 1) if reduction == "mean" else loss


def _choose(tensor: torch.Tensor, backend: str) -> str:
    if backend not in ("auto", "liger", "torch"):
        raise ValueError(f"linear_cross_entropy: backend must be auto, liger or torch, got {backend!r}")
    if backend == "liger" and not has_liger():
        raise ValueError('linear_cross_entropy: backend="liger" needs the liger-kernel package; install it')
    if backend != "auto":
        return backend
    choice = "liger" if tensor.is_cuda and has_liger() else "torch"
    _say_once(choice, tensor.device.type)
    return choice


@cache
def has_liger() -> bool:
    """Whether Liger-Kernel is installed."""
    return find_spec("liger_kernel") is not None


@cache
def _say_once(choice: str, device: str) -> None:
    _LOGGER.info("linear_cross_entropy runs on %s (tensors on %s)", choice, device)
