"""Which implementation an op runs on, said once in the log."""

import logging
from functools import cache
from importlib.util import find_spec
from typing import Literal

import torch

Backend = Literal["auto", "triton", "torch"]

_LOGGER = logging.getLogger(__name__)


def choose_backend(op: str, tensor: torch.Tensor, *, backend: Backend) -> Literal["triton", "torch"]:
    """Resolves `backend` for one call.

    Args:
        op: name of the op, for the log and for errors.
        tensor: an input of the op; its device decides.
        backend: "auto" takes Triton for CUDA tensors and torch elsewhere, and logs its choice once.

    Raises:
        ValueError: an unknown name, or "triton" where Triton cannot run.
    """
    if backend == "auto":
        choice: Literal["triton", "torch"] = "triton" if tensor.is_cuda and _has_triton() else "torch"
        _say_once(op, choice, tensor.device.type)
        return choice
    if backend == "torch":
        return "torch"
    if backend != "triton":
        raise ValueError(f"{op}: backend must be auto, triton or torch, got {backend!r}")
    if not _has_triton():
        raise ValueError(f'{op}: backend="triton" needs the triton package; install it or use backend="torch"')
    if not (tensor.is_cuda or is_interpreting()):
        raise ValueError(
            f'{op}: backend="triton" needs CUDA tensors, got {tensor.device}; '
            'use backend="torch", or set TRITON_INTERPRET=1 before Python starts'
        )
    return "triton"


def is_interpreting() -> bool:
    """Whether Triton runs its kernels as Python on the CPU (TRITON_INTERPRET=1), the way tests do."""
    if not _has_triton():
        return False
    import triton

    return bool(triton.knobs.runtime.interpret)


@cache
def num_processors(device: torch.device) -> int:
    """Streaming multiprocessors of a CUDA device; 132 (an H100) for any other, so that tests cut the work alike."""
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 132


@cache
def _has_triton() -> bool:
    return find_spec("triton") is not None


@cache
def _say_once(op: str, choice: str, device: str) -> None:
    _LOGGER.info("%s runs on %s (tensors on %s)", op, choice, device)
