"""Coordinate decoding in one launch: the head is cut over all processors and no logit leaves them.

A program multiplies a tile of rows with a block of bins and keeps seven figures of each row: peak, mass, mean and
spread of its part of the distribution, and its best bin. The last program of a row tile merges them. Where the tiles
are too few to fill the GPU, the width is cut too, and the last program of a block adds the partial products, in a
fixed order: the same inputs give the same bits.

Legend: N rows, K bins, H width of the model, J blocks of bins.
"""

# Triton compiles these functions: their arguments are blocks and pointers, which have no Python type.
# ruff: noqa: ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

from collections.abc import Sequence
from functools import partial

import torch
import triton
import triton.language as tl

from pancap.custom_kernels.backend import is_interpreting, num_processors
from pancap.custom_kernels.box_decode.merge import choose_boxes, copy_embeddings, merge_choice, merge_moments
from pancap.custom_kernels.box_decode.plan import make_plan
from pancap.custom_kernels.box_decode.tile import add_products, keep_figures, keep_pairs, sum_splits, within_bounds

NUM_STATS = 7
NUM_PAIR_STATS = 3
# One program copies the embeddings of its row tile at what one processor can move (about 100 GB/s of 3,000): above
# this many rows a gather in a second launch is faster.
MAX_FUSED_ROWS = 16


@triton.jit
def _is_last(counter_ptr, num_programs):
    """Whether this program is the last of so many to come here; what the others stored before is then seen."""
    tl.debug_barrier()
    is_last = tl.atomic_add(counter_ptr, 1, sem="acq_rel") == num_programs - 1
    if is_last:
        tl.store(counter_ptr, 0)
    return is_last


# Over 60 lines, half of them arguments: the early returns must stand in the kernel itself.
@triton.jit
def _box_decode_fwd_kernel(
    hidden_ptr,
    weight_ptr,
    bias_ptr,
    lower_ptr,
    upper_ptr,
    seeds_ptr,
    embedding_ptr,
    partial_ptr,
    stats_ptr,
    pairs_ptr,
    counters_ptr,
    bins_ptr,
    log_prob_ptr,
    mean_ptr,
    std_ptr,
    next_ptr,
    num_rows,
    num_values,
    width,
    split_width,
    stride_hidden,
    stride_weight,
    stride_embedding,
    temperature,
    HAS_BIAS: tl.constexpr,
    HAS_LOWER: tl.constexpr,
    HAS_UPPER: tl.constexpr,
    HAS_EMBEDDING: tl.constexpr,
    IS_SAMPLED: tl.constexpr,
    IS_JOINT: tl.constexpr,
    SPLITS: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_H: tl.constexpr,
    BLOCK_J: tl.constexpr,
    PRECISION: tl.constexpr,
    IS_WIDENED: tl.constexpr,
):
    block, split, row_tile = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    num_blocks = tl.num_programs(0)
    rows = row_tile * BLOCK_N + tl.arange(0, BLOCK_N)
    bins = block * BLOCK_K + tl.arange(0, BLOCK_K)
    is_row, is_bin = rows < num_rows, bins < num_values
    hidden_rows = hidden_ptr + rows.to(tl.int64) * stride_hidden
    weight_rows = weight_ptr + bins.to(tl.int64) * stride_weight
    start, stop = split * split_width, tl.minimum((split + 1) * split_width, width)
    logits = tl.zeros((BLOCK_N, BLOCK_K), dtype=tl.float32)
    logits = add_products(
        logits, hidden_rows, is_row, weight_rows, is_bin, width, start, stop, BLOCK_H, PRECISION, IS_WIDENED
    )
    if SPLITS > 1:
        tile = row_tile * num_blocks + block
        offsets = tl.arange(0, BLOCK_N)[:, None] * BLOCK_K + tl.arange(0, BLOCK_K)[None, :]
        tl.store(partial_ptr + (tile * SPLITS + split) * (BLOCK_N * BLOCK_K) + offsets, logits)
        if not _is_last(counters_ptr + tl.num_programs(2) + tile, SPLITS):
            return
        logits = sum_splits(partial_ptr, tile, offsets, SPLITS, BLOCK_N * BLOCK_K)

    if HAS_BIAS:
        logits += tl.load(bias_ptr + bins, mask=is_bin, other=0.0).to(tl.float32)[None, :]
    is_allowed = within_bounds(lower_ptr, upper_ptr, rows, bins, is_row, is_bin, HAS_LOWER, HAS_UPPER)
    scores = tl.where(is_allowed, logits / temperature, float("-inf"))
    plane = num_blocks.to(tl.int64) * num_rows
    mine = stats_ptr + rows.to(tl.int64) * num_blocks + block
    keep_figures(mine, plane, block, scores, is_allowed, bins, rows, is_row, seeds_ptr, IS_SAMPLED, BLOCK_N, BLOCK_K)
    if IS_JOINT:
        keep_pairs(pairs_ptr, scores, row_tile, num_rows, block, num_blocks, BLOCK_N, BLOCK_K)
    if not _is_last(counters_ptr + row_tile, num_blocks):
        return

    blocks = tl.arange(0, BLOCK_J)
    seen = is_row[:, None] & (blocks < num_blocks)[None, :]
    theirs = stats_ptr + rows.to(tl.int64)[:, None] * num_blocks + blocks[None, :]
    top, total, mean, variance = merge_moments(theirs, seen, is_row, plane)
    last = num_values - 1
    tl.store(mean_ptr + rows, mean / last, mask=is_row)
    tl.store(std_ptr + rows, tl.sqrt(variance) / last, mask=is_row)
    if IS_JOINT:
        log_mass = top + tl.log(total)
        choose_boxes(
            stats_ptr,
            pairs_ptr,
            bins_ptr,
            log_prob_ptr,
            row_tile,
            num_rows,
            num_blocks,
            plane,
            log_mass,
            BLOCK_N,
            BLOCK_K,
            BLOCK_J,
        )
    else:
        chosen, score = merge_choice(theirs, seen, plane, blocks)
        tl.store(bins_ptr + rows, tl.where(total > 0.0, chosen, -1).to(tl.int64), mask=is_row)
        tl.store(log_prob_ptr + rows, score - top - tl.log(total), mask=is_row)
    if HAS_EMBEDDING:
        # What other threads of this program stored is read back.
        tl.debug_barrier()
        chosen_64 = tl.load(bins_ptr + rows, mask=is_row, other=-1)
        copy_embeddings(embedding_ptr, next_ptr, chosen_64, rows, is_row, width, stride_embedding, BLOCK_H)


# Over 60 lines: one for each argument of the kernel.
def launch(
    hidden_NH: torch.Tensor,
    weight_KH: torch.Tensor,
    bias_K: torch.Tensor | None,
    lower_N: torch.Tensor | None,
    upper_N: torch.Tensor | None,
    seeds_N: torch.Tensor | None,
    embedding_KH: torch.Tensor | None,
    counters: torch.Tensor,
    temperature: float,
    *,
    is_joint: bool,
    results: Sequence[torch.Tensor],
) -> None:
    """Writes the results; the arguments are checked by `function.py`.

    Args:
        counters: `num_counters` int32 zeros, zero again afterwards.
        is_joint: rows are boxes of four slots.
        results: as `_empty_results` makes them, of one row or more.
    """
    (num_rows, width), num_values = hidden_NH.shape, weight_KH.shape[0]
    bins, log_prob, mean, std, next_NH = results
    plan = make_plan(
        num_rows,
        num_values,
        width,
        dtype=hidden_NH.dtype,
        is_joint=is_joint,
        processors=num_processors(hidden_NH.device),
    )
    num_blocks, row_tiles = triton.cdiv(num_values, plan.block_k), triton.cdiv(num_rows, plan.block_n)
    cells = num_blocks * plan.block_k * row_tiles * plan.block_n
    scratch = partial(torch.empty, dtype=torch.float32, device=hidden_NH.device)
    partials = scratch(plan.splits * cells if plan.splits > 1 else 0)
    stats = scratch(NUM_STATS * num_rows * num_blocks)
    pairs = scratch(NUM_PAIR_STATS * (num_rows // 2) * num_blocks if is_joint else 0)
    is_fused = embedding_KH is not None and num_rows <= MAX_FUSED_ROWS
    _box_decode_fwd_kernel[(num_blocks, plan.splits, row_tiles)](
        hidden_NH,
        weight_KH,
        weight_KH if bias_K is None else bias_K,
        counters if lower_N is None else lower_N,
        counters if upper_N is None else upper_N,
        counters if seeds_N is None else seeds_N,
        weight_KH if embedding_KH is None else embedding_KH,
        partials,
        stats,
        pairs,
        counters,
        bins,
        log_prob,
        mean,
        std,
        next_NH,
        num_rows,
        num_values,
        width,
        plan.split_width(width),
        hidden_NH.stride(0),
        weight_KH.stride(0),
        0 if embedding_KH is None else embedding_KH.stride(0),
        temperature,
        HAS_BIAS=bias_K is not None,
        HAS_LOWER=lower_N is not None,
        HAS_UPPER=upper_N is not None,
        HAS_EMBEDDING=is_fused,
        IS_SAMPLED=seeds_N is not None,
        IS_JOINT=is_joint,
        SPLITS=plan.splits,
        BLOCK_N=plan.block_n,
        BLOCK_K=plan.block_k,
        BLOCK_H=plan.block_h,
        BLOCK_J=triton.next_power_of_2(num_blocks),
        PRECISION="ieee",
        # Triton's interpreter multiplies the bit patterns of bf16 as if they were integers.
        IS_WIDENED=hidden_NH.dtype == torch.bfloat16 and is_interpreting(),
        num_warps=plan.num_warps,
        num_stages=plan.num_stages,
    )
    if embedding_KH is not None and not is_fused:
        torch.index_select(embedding_KH, 0, bins.clamp(min=0), out=next_NH)
