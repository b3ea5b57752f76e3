"""The box loss, forward and backward, against the same loss as one would write it.

Legend: M boxes, K coordinate values, H width.
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F

from pancap.custom_kernels.backend import Backend
from pancap.custom_kernels.bench.case import (
    Case,
    Check,
    compiled,
    copies_for,
    kernel_backend,
    limit_for,
    poisoned,
    relative_error,
    turn,
)
from pancap.custom_kernels.bench.peers import cross_entropies
from pancap.custom_kernels.box_loss.function import box_loss
from pancap.custom_kernels.box_loss.reference import expected_giou

_VALUES, _WIDTH = 1001, 5120


def checks(device: torch.device) -> Iterator[Check]:
    """Loss, figures and every gradient against float64, hard and soft targets."""
    generator = torch.Generator().manual_seed(2)
    backend = kernel_backend(device)
    # 600 boxes are more than a chunk of the kernel.
    shapes = ((1, 1001, 64), (3, 37, 100), (9, 130, 64)) + (((600, 1001, 256),) if device.type == "cuda" else ())
    for dtype in (torch.float32, torch.bfloat16):
        for num_boxes, num_values, width in shapes:
            for sigma in (0.0, 4.0):
                hidden = torch.randn(num_boxes, 4, width, generator=generator).to(dtype)
                weight = (torch.randn(num_values, width, generator=generator) / width**0.5 * 3).to(dtype)
                bias = torch.randn(num_values, generator=generator).to(dtype)
                low = torch.randint(0, num_values - 1, (num_boxes, 2), generator=generator)
                high = low + 1 + (torch.rand(num_boxes, 2, generator=generator) * (num_values - 1 - low)).long()
                targets = torch.cat([low, high], dim=1)
                with poisoned():
                    found = _gradients(
                        hidden, weight, bias, targets, sigma=sigma, device=device, dtype=dtype, backend=backend
                    )
                cpu = torch.device("cpu")
                expected = _gradients(
                    hidden, weight, bias, targets, sigma=sigma, device=cpu, dtype=torch.float64, backend="torch"
                )
                for part in expected:
                    yield Check(
                        name=f"box_loss M={num_boxes} K={num_values} H={width} sigma={sigma} {dtype} {part}",
                        error=relative_error(found[part], expected[part]),
                        limit=limit_for(dtype),
                    )


def cases(device: torch.device) -> Iterator[Case]:
    """M = 256, 4,096, 65,536 boxes of the 13B shape; a toy shape on the CPU."""
    is_gpu = device.type == "cuda"
    width = _WIDTH if is_gpu else 64
    dtype = torch.bfloat16 if is_gpu else torch.float32
    for num_boxes in (256, 4096, 65_536) if is_gpu else (16,):
        row_bytes = 4 * num_boxes * width * dtype.itemsize
        weight_bytes = _VALUES * width * dtype.itemsize
        copies = copies_for(row_bytes, device)
        inputs = []
        for _ in range(copies):
            hidden = torch.randn(num_boxes, 4, width, device=device).to(dtype).requires_grad_()
            weight = (torch.randn(_VALUES, width, device=device) / width**0.5).to(dtype).requires_grad_()
            corners = torch.randint(0, _VALUES, (num_boxes, 2, 2), device=device).sort(dim=1).values
            inputs.append((hidden, weight, corners.reshape(num_boxes, 4)))
        turns = {"pancap": turn(_ours, inputs), "torch eager": turn(_step(_plain), inputs)}
        for name, function in compiled(_plain, device).items():
            turns[name] = turn(_step(function), inputs)
        for name, peer in cross_entropies(device, reduction="mean").items():
            # Less work: no GIoU, no L1.
            rows = [(hidden.flatten(0, 1), weight, targets.flatten()) for hidden, weight, targets in inputs]
            turns[f"{name}, CE alone"] = turn(_step(peer), rows)
        yield Case(
            op="box_loss",
            shape=f"M={num_boxes} ({4 * num_boxes} rows) K={_VALUES} H={width}, forward and backward",
            dtype=str(dtype),
            turns=turns,
            copies=copies,
            num_bytes=2 * row_bytes + 2 * weight_bytes,
            num_flops=6 * 4 * num_boxes * _VALUES * width,
            is_graphable=False,
        )


def _gradients(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    targets: torch.Tensor,
    *,
    sigma: float,
    device: torch.device,
    dtype: torch.dtype,
    backend: Backend,
) -> dict[str, torch.Tensor]:
    leaves = [tensor.to(device=device, dtype=dtype).requires_grad_() for tensor in (hidden, weight, bias)]
    loss = box_loss(
        leaves[0],
        leaves[1],
        targets.to(device),
        bias_K=leaves[2],
        sigma=sigma,
        giou_weight=0.7,
        l1_weight=0.3,
        backend=backend,
    )
    grads = torch.autograd.grad(loss.total * 1.5, leaves)
    figures = {"total": loss.total.detach(), "ce": loss.ce, "giou": loss.giou, "l1": loss.l1, "box": loss.expected}
    return {**figures, **dict(zip(("d hidden", "d weight", "d bias"), grads, strict=True))}


def _ours(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return torch.autograd.grad(box_loss(hidden, weight, targets, l1_weight=1.0).total, (hidden, weight))


def _step(loss: Callable[..., torch.Tensor]) -> Callable[..., tuple[torch.Tensor, ...]]:
    def run(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad(loss(hidden, weight, targets), (hidden, weight))

    return run


def _plain(hidden_M4H: torch.Tensor, weight_KH: torch.Tensor, targets_M4: torch.Tensor) -> torch.Tensor:
    """The same loss with hard targets, as one would write it."""
    num_values = weight_KH.shape[0]
    logits_RK = F.linear(hidden_M4H.flatten(0, 1), weight_KH).float()
    ce = F.cross_entropy(logits_RK, targets_M4.flatten(), reduction="sum")
    values_K = torch.arange(num_values, device=logits_RK.device) / (num_values - 1)
    expected_M4 = (logits_RK.softmax(dim=1) @ values_K).view(-1, 4)
    truth_M4 = targets_M4 / (num_values - 1)
    near = (1 - expected_giou(expected_M4, truth_M4)).sum() + (expected_M4 - truth_M4).abs().sum()
    return (ce + near) / len(hidden_M4H)
