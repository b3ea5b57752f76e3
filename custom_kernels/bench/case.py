"""What an op's `bench.py` hands to the runner."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from pancap.custom_kernels.backend import Backend, is_interpreting

Turn = Callable[[], object]

# Copies of the inputs together go well past the L2 cache (50 MB on an H100): no run finds the last one's data there.
_ROTATED_BYTES = 200e6
_MAX_COPIES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One comparison with the float64 reference.

    Args:
        name: op, shape, dtype and what is compared.
        error: ||ours - reference|| / ||reference||, or the share of unequal indices.
        limit: what is allowed.
    """

    name: str
    error: float
    limit: float

    @property
    def is_passed(self) -> bool:
        """False for NaN too."""
        return self.error <= self.limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One shape of one op, with its peers.

    Args:
        op: name of the op.
        shape: for the table.
        dtype: of the inputs.
        turns: by name, a call that goes through all copies of the inputs once; the first is ours.
        copies: calls in a turn.
        num_bytes, num_flops: the least that one call must move and compute.
        is_graphable: whether a CUDA graph can hold a turn.
        waiting: names of the turns that it cannot hold all the same, because they wait for the GPU.
    """

    op: str
    shape: str
    dtype: str
    turns: dict[str, Turn]
    copies: int
    num_bytes: float
    num_flops: float
    is_graphable: bool
    waiting: tuple[str, ...] = ()


class OpBench(Protocol):
    """The module `bench.py` of an op."""

    def checks(self, device: torch.device) -> Iterator[Check]:
        """Comparisons at shapes that hurt."""
        ...

    def cases(self, device: torch.device) -> Iterator[Case]:
        """Shapes to time: those of the issue on a GPU, toy ones on the CPU."""
        ...


def kernel_backend(device: torch.device) -> Backend:
    """Triton wherever it can run, so that a check never passes on the reference by mistake."""
    return "triton" if device.type == "cuda" or is_interpreting() else "torch"


@contextmanager
def poisoned() -> Iterator[None]:
    """Memory from `torch.empty` holds NaN (integers: the largest) meanwhile: what a kernel forgets to write shows."""
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    was_filling = torch.utils.deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = True
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(was_deterministic)
        torch.utils.deterministic.fill_uninitialized_memory = was_filling


def relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    """||found - expected|| / ||expected|| in float64; 0 for two empty tensors."""
    wide, expected = found.double().cpu(), expected.double().cpu()
    return float((wide - expected).norm() / expected.norm().clamp_min(1e-30))


def limit_for(dtype: torch.dtype) -> float:
    """float32 sums in another order agree to 1e-5; bf16 and fp16 inputs are rounded to 8 and 11 bits before."""
    return 1e-5 if dtype == torch.float32 else 1e-2


def copies_for(num_bytes: float, device: torch.device) -> int:
    """Input sets to rotate through."""
    return max(1, min(_MAX_COPIES, round(_ROTATED_BYTES / max(num_bytes, 1)))) if device.type == "cuda" else 1


def turn(function: Callable[..., object], inputs: Sequence[tuple[Any, ...]]) -> Turn:
    """A call that runs the function once on every set of inputs."""

    def run() -> None:
        for arguments in inputs:
            function(*arguments)

    return run


def compiled(function: Callable[..., Any], device: torch.device) -> dict[str, Callable[..., Any]]:
    """{"torch.compile": ...} on a GPU; nothing on the CPU, where it would time a C++ compiler."""
    if device.type != "cuda":
        return {}
    return {"torch.compile": torch.compile(function, mode="max-autotune-no-cudagraphs", dynamic=False)}
