"""One interface over the fused cross-entropy of a well-kept library; we write no kernel of our own for it.

Legend: N tokens, S supervised ones, V vocabulary, H width.
"""

import logging
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

import torch

_LOGGER = logging.getLogger(__name__)
# Versions before multiply the gradient of the weight by the first token's factor alone.
# Source: pull request 1298 of linkedin/Liger-Kernel.
_LIGER_SINCE = (0, 8, 2)


def linear_cross_entropy(
    hidden_NH: torch.Tensor,
    weight_VH: torch.Tensor,
    targets_N: torch.Tensor,
    *,
    bias_V: torch.Tensor | None = None,
    ignore_index: int = -100,
    backend: Literal["auto", "liger", "torch"] = "auto",
) -> torch.Tensor:
    """Cross-entropy of each token under `hidden @ weight.T + bias`; only supervised rows reach the head.

    One call serves tokens of any weights: `(weights_N * linear_cross_entropy(...)).sum()`. Choosing the rows waits
    for the GPU once. Liger cannot know the weights in its forward pass: it makes the logits a second time in the
    backward pass, 8 instead of 6 S V H operations, and holds no gradient between the two.

    Args:
        hidden_NH: last hidden states.
        weight_VH: output head, same dtype.
        targets_N: right ids; `ignore_index` where a token is not supervised.
        bias_V: bias of the head.
        ignore_index: see targets.
        backend: "auto" takes Liger-Kernel for CUDA tensors where it is installed, torch elsewhere, and says so once.

    Returns:
        (N,) with gradient, nats; 0 where a token is not supervised; float32 at least.

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
    rows_S = (targets_N != ignore_index).nonzero().squeeze(1)
    hidden_SH, targets_S = hidden_NH.index_select(0, rows_S), targets_N.index_select(0, rows_S)
    if _choose(hidden_NH, backend) == "liger" and len(rows_S):
        from liger_kernel.transformers.functional import liger_fused_linear_cross_entropy

        nll_S: torch.Tensor = liger_fused_linear_cross_entropy(
            hidden_SH, weight_VH, targets_S, bias=bias_V, reduction="none"
        )
    else:
        logits_SV = torch.nn.functional.linear(hidden_SH, weight_VH, bias_V)
        wide = torch.promote_types(logits_SV.dtype, torch.float32)
        nll_S = torch.nn.functional.cross_entropy(logits_SV.to(wide), targets_S, reduction="none")
    return nll_S.new_zeros(len(targets_N)).index_copy(0, rows_S, nll_S)


def _choose(tensor: torch.Tensor, backend: str) -> str:
    if backend not in ("auto", "liger", "torch"):
        raise ValueError(f"linear_cross_entropy: backend must be auto, liger or torch, got {backend!r}")
    if backend == "liger" and not has_liger():
        wanted = ".".join(map(str, _LIGER_SINCE))
        raise ValueError(f'linear_cross_entropy: backend="liger" needs liger-kernel {wanted} or later; install it')
    if backend != "auto":
        return backend
    choice = "liger" if tensor.is_cuda and has_liger() else "torch"
    _say_once(choice, tensor.device.type)
    return choice


@cache
def has_liger() -> bool:
    """Whether a Liger-Kernel is installed that weighs the gradients of tokens rightly."""
    try:
        found = version("liger-kernel")
    except PackageNotFoundError:
        return False
    return tuple(int(part) for part in re.findall(r"\d+", found)[:3]) >= _LIGER_SINCE


@cache
def _say_once(choice: str, device: str) -> None:
    _LOGGER.info("linear_cross_entropy runs on %s (tensors on %s)", choice, device)
