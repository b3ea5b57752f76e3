"""Kernels of other libraries, timed on a GPU where they are installed; the head of a report names what is not.

Legend: N rows, V vocabulary, H width.
"""

from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Literal

import torch

_PACKAGES = ("triton", "liger-kernel", "cut-cross-entropy", "torchvision")


def versions() -> dict[str, str]:
    """Version of each package by name, "not installed" without it."""
    return {name: _version(name) for name in _PACKAGES}


def cross_entropies(
    device: torch.device, *, reduction: Literal["none", "mean"]
) -> dict[str, Callable[..., torch.Tensor]]:
    """By name, `(hidden_NH, weight_VH, targets_N) -> cross-entropy` that never holds (N, V) logits.

    They wait for the GPU, so that no CUDA graph can hold them.

    Source: Liger-Kernel, Hsu et al., 2024; CCE, Wijmans et al., Cut Your Losses in Large-Vocabulary Language Models,
    ICLR 2025.
    """
    found: dict[str, Callable[..., torch.Tensor]] = {}
    if device.type == "cuda" and find_spec("liger_kernel"):
        from liger_kernel.transformers.functional import liger_fused_linear_cross_entropy

        found["Liger"] = partial(liger_fused_linear_cross_entropy, reduction=reduction)
    if device.type == "cuda" and find_spec("cut_cross_entropy"):
        from cut_cross_entropy import linear_cross_entropy

        found["CCE"] = partial(linear_cross_entropy, reduction=reduction)
    return found


def torchvision_op(name: str, device: torch.device) -> dict[str, Callable[..., Any]]:
    """{"torchvision": its op of that name}; nothing without a GPU or where it does not fit torch."""
    if device.type != "cuda":
        return {}
    try:
        from torchvision import ops
    except (ImportError, RuntimeError):
        return {}
    return {"torchvision": getattr(ops, name)}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
