"""Box decoding against what a decode step does today.

Legend: N rows, B boxes, K coordinate values, V vocabulary, H width.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F

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
from pancap.custom_kernels.box_decode.function import BoxDecode, box_decode, box_decode_joint
from pancap.custom_kernels.box_decode.module import BoxDecoder

# The 13B model's shape.
_VALUES, _WIDTH, _VOCABULARY = 1001, 5120, 32_000


def checks(device: torch.device) -> Iterator[Check]:
    """Greedy, drawn and joint against float64."""
    backend = kernel_backend(device)
    shapes = [(1, 100, 100), (17, 37, 64), (70, 33, 64)]
    if device.type == "cuda":
        shapes += [(1, 1001, 512), (63, 1001, 5120), (300, 1001, 192)]
    generator = torch.Generator().manual_seed(1)
    for dtype in (torch.float32, torch.bfloat16):
        for num_rows, num_values, width in shapes:
            hidden = torch.randn(num_rows, width, generator=generator).to(dtype)
            weight = (torch.randn(num_values, width, generator=generator) / width**0.5 * 3).to(dtype)
            lower = torch.randint(0, num_values, (num_rows,), generator=generator)
            seeds = torch.randint(-(2**62), 2**62, (num_rows,), generator=generator)
            for drawn in (None, seeds):
                with poisoned():
                    found = box_decode(
                        hidden.to(device),
                        weight.to(device),
                        lower_N=lower.to(device),
                        seeds_N=None if drawn is None else drawn.to(device),
                        embedding_KH=weight.to(device),
                        backend=backend,
                    )
                expected = box_decode(hidden.double(), weight.double(), lower_N=lower, seeds_N=drawn, backend="torch")
                name = (
                    f"box_decode N={num_rows} K={num_values} H={width} {dtype} {'greedy' if drawn is None else 'drawn'}"
                )
                yield from _compare(name, found, expected, embedding=weight)
            boxes = hidden[: num_rows // 4 * 4].view(-1, 4, width)
            with poisoned():
                found = box_decode_joint(
                    boxes.to(device), weight.to(device), embedding_KH=weight.to(device), backend=backend
                )
            expected = box_decode_joint(boxes.double(), weight.double(), backend="torch")
            yield from _compare(
                f"box_decode joint B={len(boxes)} K={num_values} {dtype}", found, expected, embedding=weight
            )


def cases(device: torch.device) -> Iterator[Case]:
    """N = 1, 8, 64, 256, 1024 rows of the 13B shape; a toy shape on the CPU."""
    is_gpu = device.type == "cuda"
    width, vocabulary = (_WIDTH, _VOCABULARY) if is_gpu else (64, 2000)
    dtype = torch.bfloat16 if is_gpu else torch.float32
    size = dtype.itemsize
    weight_bytes = _VALUES * width * size
    for num_rows in (1, 8, 64, 256, 1024) if is_gpu else (4,):
        copies = copies_for(weight_bytes, device)
        hidden = [torch.randn(num_rows, width, device=device).to(dtype) for _ in range(copies)]
        heads = [(torch.randn(vocabulary, width, device=device) / width**0.5).to(dtype) for _ in range(copies)]
        tables = [torch.randn(_VALUES, width, device=device).to(dtype) for _ in range(copies)]
        lower = torch.randint(0, _VALUES, (num_rows,), device=device)
        decoders = [
            BoxDecoder(head[:_VALUES], embedding_KH=table, max_rows=num_rows)
            for head, table in zip(heads, tables, strict=True)
        ]
        sliced = [(h, head[:_VALUES], table, lower) for h, head, table in zip(hidden, heads, tables, strict=True)]
        fulls = [(h, head, table, lower) for h, head, table in zip(hidden, heads, tables, strict=True)]
        turns = {
            "pancap": turn(
                lambda decoder, h, low: decoder(h, lower_N=low), [*zip(decoders, hidden, [lower] * copies, strict=True)]
            ),
            "torch eager": turn(_plain, sliced),
        }
        for name, function in compiled(_plain, device).items():
            turns[name] = turn(function, sliced)
        turns["full head, argmax"] = turn(_full_head, fulls)
        log_probs = {f"{name}, log-prob": peer for name, peer in cross_entropies(device, reduction="none").items()}
        for name, peer in log_probs.items():
            # Less work: of a bin that is known, without bounds; no choice, no expectation, no spread, no embedding.
            turns[name] = turn(peer, [(h, head[:_VALUES], lower) for h, head in zip(hidden, heads, strict=True)])
        yield Case(
            op="box_decode",
            shape=f"N={num_rows} K={_VALUES} H={width}",
            dtype=str(dtype),
            turns=turns,
            copies=copies,
            # The weight once, a row in and its embedding in and out.
            num_bytes=weight_bytes + 3 * num_rows * width * size,
            num_flops=2 * num_rows * _VALUES * width,
            is_graphable=True,
            waiting=tuple(log_probs),
        )


def _plain(
    hidden_NH: torch.Tensor, weight_KH: torch.Tensor, table_KH: torch.Tensor, lower_N: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """The same outputs from a head that was sliced beforehand, as one would write it."""
    bins_K = torch.arange(weight_KH.shape[0], device=hidden_NH.device)
    logits_NK = F.linear(hidden_NH, weight_KH).float().masked_fill(bins_K < lower_N.unsqueeze(1), float("-inf"))
    log_probs_NK = logits_NK.log_softmax(dim=1)
    log_prob_N, at_N = log_probs_NK.max(dim=1)
    values_K = bins_K / (weight_KH.shape[0] - 1)
    probs_NK = log_probs_NK.exp()
    mean_N = probs_NK @ values_K
    std_N = (probs_NK * (values_K - mean_N.unsqueeze(1)) ** 2).sum(dim=1).sqrt()
    return at_N, log_prob_N, mean_N, std_N, table_KH[at_N]


def _full_head(
    hidden_NH: torch.Tensor, head_VH: torch.Tensor, table_KH: torch.Tensor, lower_N: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """What a plain decode step does: all logits, then the best allowed coordinate. No expectation, no spread."""
    logits_NK = F.linear(hidden_NH, head_VH)[:, : table_KH.shape[0]]
    bins_K = torch.arange(table_KH.shape[0], device=hidden_NH.device)
    at_N = logits_NK.masked_fill(bins_K < lower_N.unsqueeze(1), float("-inf")).argmax(dim=1)
    return at_N, table_KH[at_N]


def _compare(name: str, found: BoxDecode, expected: BoxDecode, *, embedding: torch.Tensor) -> Iterator[Check]:
    bins = found.bins.cpu()
    differing = float((bins != expected.bins).double().mean()) if bins.numel() else 0.0
    # Two bins of almost equal score may change places under rounding.
    yield Check(name=f"{name} bins", error=differing, limit=0.0 if embedding.dtype == torch.float32 else 0.05)
    assert found.next_embedding is not None
    is_copied = torch.equal(found.next_embedding.cpu(), embedding[bins])
    yield Check(name=f"{name} embedding", error=0.0 if is_copied else 1.0, limit=0.0)
    limit = limit_for(embedding.dtype)
    same = bins == expected.bins
    yield Check(
        name=f"{name} log_prob", error=relative_error(found.log_prob.cpu()[same], expected.log_prob[same]), limit=limit
    )
    for figure in ("expected", "std"):
        error = relative_error(getattr(found, figure), getattr(expected, figure))
        yield Check(name=f"{name} {figure}", error=error, limit=limit)
