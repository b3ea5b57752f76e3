"""The public ops: checks, choice of backend, and the registration with torch.library.

Legend: N rows (sequences in a coordinate slot), B boxes of four slots (x1, y1, x2, y2), K coordinate values, H width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pancap.custom_kernels.backend import Backend, choose_backend
from pancap.custom_kernels.box_decode import reference
from pancap.custom_kernels.box_decode.plan import num_counters

_KERNEL_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
# The kernel compares every block of bins with every other one in one tile.
_MAX_JOINT_VALUES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxDecode:
    """One coordinate a row; shapes (N,) from `box_decode`, (B, 4) from `box_decode_joint`.

    Args:
        bins: int64, 0..K-1; -1 where the bounds leave nothing (CUDA only, on the CPU that raises).
        log_prob: of the bin among the allowed ones at the given temperature; float32.
        expected: mean of the value k / (K - 1) under that distribution, 0..1.
        std: its standard deviation in the same unit: how sure the model is of where the edge lies.
        next_embedding: row `bins` of the embedding table, (N, H) or (B, 4, H); None without a table.
    """

    bins: torch.Tensor
    log_prob: torch.Tensor
    expected: torch.Tensor
    std: torch.Tensor
    next_embedding: torch.Tensor | None


def box_decode(
    hidden_NH: torch.Tensor,
    weight_KH: torch.Tensor,
    *,
    bias_K: torch.Tensor | None = None,
    lower_N: torch.Tensor | None = None,
    upper_N: torch.Tensor | None = None,
    temperature: float = 1.0,
    seeds_N: torch.Tensor | None = None,
    embedding_KH: torch.Tensor | None = None,
    counters: torch.Tensor | None = None,
    backend: Backend = "auto",
) -> BoxDecode:
    """Chooses the next coordinate of each row among the bins lower..upper.

    Args:
        hidden_NH: last hidden states, any float dtype, also strided in N.
        weight_KH: the coordinate rows of the output head, same dtype.
        bias_K: their bias.
        lower_N, upper_N: first and last allowed bin, integers; None for 0 and K - 1. For x2 > x1 the lower bound is
            x1 + 1.
        temperature: divides the logits, > 0.
        seeds_N: int64, one a row: draw instead of taking the best. A row draws the same bin in any batch and on
            either backend; change the seed from step to step. None is greedy.
        embedding_KH: coordinate rows of the input embedding: the next input is gathered too.
        counters: zeros that the Triton kernel reuses, see `BoxDecoder`; None takes new ones (one more launch).
        backend: see `choose_backend`.

    Raises:
        ValueError: shapes, dtypes or temperature do not fit, or (checked on the CPU only) a row has no allowed bin.
    """
    _check_inputs(hidden_NH, weight_KH, bias_K, embedding_KH, temperature=temperature)
    num_rows, num_values = hidden_NH.shape[0], weight_KH.shape[0]
    _check_bounds(lower_N, upper_N, (num_rows,), num_values)
    if seeds_N is not None and seeds_N.shape != (num_rows,):
        raise ValueError(f"box_decode: seeds_N must be ({num_rows},), got {tuple(seeds_N.shape)}; give one a row")
    if choose_backend("box_decode", hidden_NH, backend=backend) == "torch":
        found = reference.decode_slots(hidden_NH, weight_KH, bias_K, lower_N, upper_N, seeds_N, temperature)
        return _result(found, None if embedding_KH is None else embedding_KH[found[0].clamp(min=0)])
    *figures, next_NH = _launch(
        hidden_NH, weight_KH, bias_K, lower_N, upper_N, seeds_N, embedding_KH, counters, temperature, is_joint=False
    )
    return _result(figures, None if embedding_KH is None else next_NH)


def box_decode_joint(
    hidden_B4H: torch.Tensor,
    weight_KH: torch.Tensor,
    *,
    bias_K: torch.Tensor | None = None,
    lower_B4: torch.Tensor | None = None,
    upper_B4: torch.Tensor | None = None,
    temperature: float = 1.0,
    embedding_KH: torch.Tensor | None = None,
    counters: torch.Tensor | None = None,
    backend: Backend = "auto",
) -> BoxDecode:
    """The most likely box with x1 < x2 and y1 < y2 where all four slots are known at once.

    The slots are independent given the hidden states, so the best pair of an axis maximises the sum of two
    log-probabilities over ordered bins, O(K) by a prefix maximum. `log_prob` is each slot's own; a box's is the sum
    over its four slots. `expected` and `std` belong to the slots' own distributions, without the order.

    Args:
        hidden_B4H: hidden states of the slots (x1, y1, x2, y2).
        weight_KH, bias_K, temperature, embedding_KH, counters, backend: as in `box_decode`.
        lower_B4, upper_B4: allowed bins of each slot.

    Raises:
        ValueError: as in `box_decode`; Triton takes K <= 1024.
    """
    if hidden_B4H.ndim != 3 or hidden_B4H.shape[1] != 4:
        raise ValueError(f"box_decode_joint: hidden_B4H must be (B, 4, H), got {tuple(hidden_B4H.shape)}")
    flat_NH = hidden_B4H.reshape(-1, hidden_B4H.shape[2])
    _check_inputs(flat_NH, weight_KH, bias_K, embedding_KH, temperature=temperature)
    num_boxes, num_values = hidden_B4H.shape[0], weight_KH.shape[0]
    _check_bounds(lower_B4, upper_B4, (num_boxes, 4), num_values)
    if choose_backend("box_decode", hidden_B4H, backend=backend) == "torch":
        found = reference.decode_boxes(hidden_B4H, weight_KH, bias_K, lower_B4, upper_B4, temperature)
        return _result(found, None if embedding_KH is None else embedding_KH[found[0].clamp(min=0)])
    if num_values > _MAX_JOINT_VALUES:
        raise ValueError(
            f"box_decode_joint on Triton takes K <= {_MAX_JOINT_VALUES}, got {num_values}; use backend='torch'"
        )
    *figures, next_NH = _launch(
        flat_NH,
        weight_KH,
        bias_K,
        None if lower_B4 is None else lower_B4.reshape(-1),
        None if upper_B4 is None else upper_B4.reshape(-1),
        None,
        embedding_KH,
        counters,
        temperature,
        is_joint=True,
    )
    next_B4H = None if embedding_KH is None else next_NH.view(num_boxes, 4, hidden_B4H.shape[2])
    return _result([figure.view(num_boxes, 4) for figure in figures], next_B4H)


def new_counters(num_rows: int, num_values: int, *, device: torch.device) -> torch.Tensor:
    """Zeros for the kernel's `counters` of up to so many rows; a launch leaves them zero.

    One set serves one stream: two launches at once must not share it.
    """
    return torch.zeros(num_counters(num_rows, num_values), dtype=torch.int32, device=device)


@torch.library.custom_op("pancap::box_decode", mutates_args=("counters",))
def _box_decode_op(
    hidden: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    lower: torch.Tensor | None,
    upper: torch.Tensor | None,
    seeds: torch.Tensor | None,
    embedding: torch.Tensor | None,
    counters: torch.Tensor,
    temperature: float,
    is_joint: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    from pancap.custom_kernels.box_decode.kernel import launch

    results = _empty_results(hidden, embedding)
    if len(hidden):
        given = (hidden, weight, bias, lower, upper, seeds, embedding, counters, temperature)
        launch(*given, is_joint=is_joint, results=results)
    return results


@_box_decode_op.register_fake
def _box_decode_fake(
    hidden: torch.Tensor, weight: Any, bias: Any, lower: Any, upper: Any, seeds: Any, embedding: Any, *_: Any
) -> tuple[torch.Tensor, ...]:
    return _empty_results(hidden, embedding)


def _empty_results(
    hidden: torch.Tensor, embedding: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(bins, log-probability, mean, deviation: N each; next embedding (N, H), (0, H) without a table)."""
    num_rows, width = hidden.shape
    bins = hidden.new_empty(num_rows, dtype=torch.int64)
    log_prob, mean, std = (hidden.new_empty(num_rows, dtype=torch.float32) for _ in range(3))
    table = hidden if embedding is None else embedding
    return bins, log_prob, mean, std, table.new_empty(0 if embedding is None else num_rows, width)


def _launch(
    hidden_NH: torch.Tensor,
    weight_KH: torch.Tensor,
    bias_K: torch.Tensor | None,
    lower_N: torch.Tensor | None,
    upper_N: torch.Tensor | None,
    seeds_N: torch.Tensor | None,
    embedding_KH: torch.Tensor | None,
    counters: torch.Tensor | None,
    temperature: float,
    *,
    is_joint: bool,
) -> tuple[torch.Tensor, ...]:
    if hidden_NH.dtype not in _KERNEL_DTYPES:
        raise ValueError(
            f"box_decode on Triton takes float32, bfloat16 or float16, got {hidden_NH.dtype}; use backend='torch'"
        )
    needed = num_counters(hidden_NH.shape[0], weight_KH.shape[0])
    if counters is None:
        counters = new_counters(hidden_NH.shape[0], weight_KH.shape[0], device=hidden_NH.device)
    elif counters.numel() < needed or counters.dtype != torch.int32:
        raise ValueError(f"box_decode: counters must be {needed} int32 zeros, got {counters.numel()} {counters.dtype}")
    # Decoding is not trained through: nothing of it is recorded.
    return _box_decode_op(
        _rows(hidden_NH.detach()),
        _rows(weight_KH.detach()),
        None if bias_K is None else bias_K.detach().contiguous(),
        None if lower_N is None else lower_N.contiguous(),
        None if upper_N is None else upper_N.contiguous(),
        None if seeds_N is None else seeds_N.to(torch.int64).contiguous(),
        None if embedding_KH is None else _rows(embedding_KH.detach()),
        counters,
        float(temperature),
        is_joint,
    )


def _rows(matrix: torch.Tensor) -> torch.Tensor:
    """The matrix itself if its rows are dense, else a copy."""
    return matrix if matrix.stride(-1) == 1 else matrix.contiguous()


def _check_inputs(
    hidden_NH: torch.Tensor,
    weight_KH: torch.Tensor,
    bias_K: torch.Tensor | None,
    embedding_KH: torch.Tensor | None,
    *,
    temperature: float,
) -> None:
    if hidden_NH.ndim != 2 or weight_KH.ndim != 2 or hidden_NH.shape[1] != weight_KH.shape[1]:
        raise ValueError(
            "box_decode: hidden must end in the width of weight_KH, "
            f"got {tuple(hidden_NH.shape)} and {tuple(weight_KH.shape)}"
        )
    if weight_KH.shape[0] < 2:
        raise ValueError(f"box_decode: weight_KH must have at least 2 rows, got {weight_KH.shape[0]}")
    if hidden_NH.dtype != weight_KH.dtype:
        raise ValueError(f"box_decode: hidden and weight must share a dtype, got {hidden_NH.dtype}, {weight_KH.dtype}")
    if bias_K is not None and bias_K.shape != weight_KH.shape[:1]:
        raise ValueError(f"box_decode: bias_K must be ({weight_KH.shape[0]},), got {tuple(bias_K.shape)}")
    if embedding_KH is not None and embedding_KH.shape != weight_KH.shape:
        raise ValueError(f"box_decode: embedding_KH must be {tuple(weight_KH.shape)}, got {tuple(embedding_KH.shape)}")
    if not temperature > 0:
        raise ValueError(f"box_decode: temperature must be > 0, got {temperature}; leave out the seeds to be greedy")


def _check_bounds(
    lower: torch.Tensor | None, upper: torch.Tensor | None, shape: tuple[int, ...], num_values: int
) -> None:
    for name, bound in (("lower", lower), ("upper", upper)):
        if bound is not None and (bound.shape != shape or bound.is_floating_point()):
            raise ValueError(
                f"box_decode: {name} must be integers of shape {shape}, got {bound.dtype} {tuple(bound.shape)}"
            )
    # On a GPU the check would wait for the device.
    given = [bound.device.type for bound in (lower, upper) if bound is not None]
    if given and set(given) == {"cpu"}:
        first = torch.tensor(0) if lower is None else lower.clamp(min=0)
        last = torch.tensor(num_values - 1) if upper is None else upper.clamp(max=num_values - 1)
        if bool((first > last).any()):
            raise ValueError(
                f"box_decode: every row needs 0 <= lower <= upper <= {num_values - 1}; a row has no bin left"
            )


def _result(figures: Sequence[torch.Tensor], next_embedding: torch.Tensor | None) -> BoxDecode:
    bins, log_prob, mean, std = figures
    return BoxDecode(bins=bins, log_prob=log_prob, expected=mean, std=std, next_embedding=next_embedding)
