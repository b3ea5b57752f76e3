"""Text cross-entropy in the step: only supervised rows reach the head, against the loss over all rows.

Legend: N tokens, V vocabulary, H width.
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F

from pancap.custom_kernels.bench.case import Case, Check, compiled, limit_for, relative_error, turn
from pancap.custom_kernels.bench.peers import cross_entropies
from pancap.custom_kernels.linear_cross_entropy.function import linear_cross_entropy

# Of the training tokens, 22 % are supervised.
_SUPERVISED = 0.22


def checks(device: torch.device) -> Iterator[Check]:
    """Loss and gradients of tokens of unequal weight against float64 over all rows."""
    for dtype in (torch.float32, torch.bfloat16):
        hidden, weight, targets = _inputs(50, 200, 64, dtype, device)
        leaves = [tensor.detach().requires_grad_() for tensor in (hidden, weight)]
        wide = [tensor.detach().double().requires_grad_() for tensor in (hidden, weight)]
        nll = linear_cross_entropy(leaves[0], leaves[1], targets)
        expected = F.cross_entropy(F.linear(wide[0], wide[1]), targets, reduction="none")
        weights = torch.linspace(0, 1, len(targets), device=device)
        grads = torch.autograd.grad((weights * nll).sum(), leaves)
        wide_grads = torch.autograd.grad((weights.double() * expected).sum(), wide)
        found = {"loss": (nll, expected), "d hidden": (grads[0], wide_grads[0]), "d weight": (grads[1], wide_grads[1])}
        for part, (ours, theirs) in found.items():
            error = relative_error(ours.detach(), theirs.detach())
            yield Check(name=f"linear_cross_entropy {dtype} {part}", error=error, limit=limit_for(dtype))


def cases(device: torch.device) -> Iterator[Case]:
    """16k tokens of the 13B shape; a toy shape on the CPU."""
    is_gpu = device.type == "cuda"
    num_tokens, vocabulary, width = (16_384, 32_000, 5120) if is_gpu else (64, 500, 64)
    dtype = torch.bfloat16 if is_gpu else torch.float32
    inputs = _inputs(num_tokens, vocabulary, width, dtype, device)
    supervised = int((inputs[2] != -100).sum())
    peers = {"torch eager": _full_head, **compiled(_full_head, device), **cross_entropies(device, reduction="mean")}
    yield Case(
        op="linear_cross_entropy",
        shape=f"N={num_tokens} ({supervised} supervised) V={vocabulary} H={width}, forward and backward",
        dtype=str(dtype),
        turns={
            "pancap": turn(_step(_mean), [inputs]),
            **{f"all rows, {name}": turn(_step(peer), [inputs]) for name, peer in peers.items()},
        },
        copies=1,
        num_bytes=dtype.itemsize * (2 * vocabulary * width + num_tokens * width + supervised * width),
        num_flops=6 * supervised * vocabulary * width,
        is_graphable=False,
    )


def _inputs(
    num_tokens: int, vocabulary: int, width: int, dtype: torch.dtype, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(10)
    hidden = torch.randn(num_tokens, width, generator=generator).to(device, dtype).requires_grad_()
    weight = (torch.randn(vocabulary, width, generator=generator) / width**0.5).to(device, dtype).requires_grad_()
    targets = torch.randint(0, vocabulary, (num_tokens,), generator=generator)
    targets[torch.rand(num_tokens, generator=generator) > _SUPERVISED] = -100
    return hidden, weight, targets.to(device)


def _mean(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return linear_cross_entropy(hidden, weight, targets).sum() / (targets != -100).sum()


def _full_head(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    logits = F.linear(hidden, weight)
    return F.cross_entropy(logits.to(torch.promote_types(logits.dtype, torch.float32)), targets)


def _step(loss: Callable[..., torch.Tensor]) -> Callable[..., object]:
    def run(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> object:
        return torch.autograd.grad(loss(hidden, weight, targets), (hidden, weight))

    return run
