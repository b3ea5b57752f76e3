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

import torch
import triton
import triton.language as tl

from pancap.custom_kernels.backend import is_interpreting, num_processors
from pancap.custom_kernels.box_decode.plan import make_plan

NUM_STATS = 7
NUM_PAIR_STATS = 3
# One program copies the embeddings of its row tile at what one processor can move (about 100 GB/s of 3,000): above
# this many rows a gather in a second launch is faster.
MAX_FUSED_ROWS = 16


@triton.jit
def _sum_splits(partial_ptr, tile, offsets, SPLITS: tl.constexpr, TILE: tl.constexpr):
    total = tl.load(partial_ptr + tile * SPLITS * TILE + offsets, cache_modifier=".cg")
    for split in range(1, SPLITS):
        total += tl.load(partial_ptr + (tile * SPLITS + split) * TILE + offsets, cache_modifier=".cg")
    return total


@triton.jit
def _pick(values, positions, at):
    """The value at one position of each row."""
    return tl.sum(tl.where(positions[None, :] == at[:, None], values, 0.0), axis=1)


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
    is_row = rows < num_rows
    bins = block * BLOCK_K + tl.arange(0, BLOCK_K)
    is_bin = bins < num_values
    row_starts = rows.to(tl.int64) * stride_hidden
    bin_starts = bins.to(tl.int64) * stride_weight

    logits = tl.zeros((BLOCK_N, BLOCK_K), dtype=tl.float32)
    for start in range(split * split_width, tl.minimum((split + 1) * split_width, width), BLOCK_H):
        columns = start + tl.arange(0, BLOCK_H)
        is_column = columns < width
        hidden = tl.load(
            hidden_ptr + row_starts[:, None] + columns[None, :], mask=is_row[:, None] & is_column[None, :], other=0.0
        )
        weight = tl.load(
            weight_ptr + bin_starts[:, None] + columns[None, :], mask=is_bin[:, None] & is_column[None, :], other=0.0
        )
        if IS_WIDENED:
            hidden, weight = hidden.to(tl.float32), weight.to(tl.float32)
        logits = tl.dot(hidden, tl.trans(weight), logits, input_precision=PRECISION)

    if SPLITS > 1:
        tile = row_tile * num_blocks + block
        offsets = tl.arange(0, BLOCK_N)[:, None] * BLOCK_K + tl.arange(0, BLOCK_K)[None, :]
        tl.store(partial_ptr + (tile * SPLITS + split) * (BLOCK_N * BLOCK_K) + offsets, logits)
        tl.debug_barrier()
        arrived = tl.atomic_add(counters_ptr + tl.num_programs(2) + tile, 1, sem="acq_rel")
        if arrived != SPLITS - 1:
            return
        tl.store(counters_ptr + tl.num_programs(2) + tile, 0)
        logits = _sum_splits(partial_ptr, tile, offsets, SPLITS, BLOCK_N * BLOCK_K)

    if HAS_BIAS:
        logits += tl.load(bias_ptr + bins, mask=is_bin, other=0.0).to(tl.float32)[None, :]
    is_allowed = is_row[:, None] & is_bin[None, :]
    if HAS_LOWER:
        lower = tl.load(lower_ptr + rows, mask=is_row, other=0)
        is_allowed &= bins[None, :] >= lower[:, None]
    if HAS_UPPER:
        upper = tl.load(upper_ptr + rows, mask=is_row, other=0)
        is_allowed &= bins[None, :] <= upper[:, None]
    scores = tl.where(is_allowed, logits / temperature, float("-inf"))

    local = tl.arange(0, BLOCK_K)
    peak, best = tl.max(scores, axis=1, return_indices=True)
    mass = tl.exp(scores - tl.where(peak == float("-inf"), 0.0, peak)[:, None])
    total = tl.sum(mass, axis=1)
    mean = tl.sum(mass * bins.to(tl.float32)[None, :], axis=1) / tl.where(total > 0.0, total, 1.0)
    distance = bins.to(tl.float32)[None, :] - mean[:, None]
    spread = tl.sum(mass * distance * distance, axis=1)
    value, score = peak, peak
    if IS_SAMPLED:
        seeds = tl.load(seeds_ptr + rows, mask=is_row, other=0)
        counters = tl.zeros((BLOCK_N, BLOCK_K), dtype=tl.int32) + bins[None, :]
        words = tl.randint(seeds[:, None], counters).to(tl.uint32, bitcast=True)
        uniform = ((words >> 9).to(tl.float32) + 0.5) * 1.1920928955078125e-07
        drawn = tl.where(is_allowed, scores - tl.log(-tl.log(uniform)), float("-inf"))
        value, best = tl.max(drawn, axis=1, return_indices=True)
        score = _pick(scores, local, best)

    plane = num_blocks.to(tl.int64) * num_rows
    mine = stats_ptr + rows.to(tl.int64) * num_blocks + block
    tl.store(mine, peak, mask=is_row)
    tl.store(mine + plane, total, mask=is_row)
    tl.store(mine + 2 * plane, mean, mask=is_row)
    tl.store(mine + 3 * plane, spread, mask=is_row)
    tl.store(mine + 4 * plane, value, mask=is_row)
    tl.store(mine + 5 * plane, score, mask=is_row)
    tl.store(mine + 6 * plane, (block * BLOCK_K + best).to(tl.float32), mask=is_row)

    if IS_JOINT:
        # Rows come as boxes of (x1, y1, x2, y2): split off the corner, so that a row is one axis of one box.
        corners = tl.permute(tl.reshape(scores, (BLOCK_N // 4, 2, 2, BLOCK_K)), (0, 2, 3, 1))
        low, high = tl.split(corners)
        low = tl.reshape(low, (BLOCK_N // 2, BLOCK_K))
        high = tl.reshape(high, (BLOCK_N // 2, BLOCK_K))
        is_ordered = local[:, None] < local[None, :]
        sums = tl.where(is_ordered[None, :, :], low[:, :, None] + high[:, None, :], float("-inf"))
        _, at = tl.max(tl.reshape(sums, (BLOCK_N // 2, BLOCK_K * BLOCK_K)), axis=1, return_indices=True)
        axes = row_tile * (BLOCK_N // 2) + tl.arange(0, BLOCK_N // 2)
        is_axis = axes < num_rows // 2
        pair_plane = num_blocks.to(tl.int64) * (num_rows // 2)
        pair = pairs_ptr + axes.to(tl.int64) * num_blocks + block
        tl.store(pair, tl.where(at % BLOCK_K > at // BLOCK_K, _pick(low, local, at // BLOCK_K), float("-inf")), is_axis)
        tl.store(pair + pair_plane, _pick(high, local, at % BLOCK_K), mask=is_axis)
        tl.store(pair + 2 * pair_plane, at.to(tl.float32), mask=is_axis)

    tl.debug_barrier()
    arrived = tl.atomic_add(counters_ptr + row_tile, 1, sem="acq_rel")
    if arrived != num_blocks - 1:
        return
    tl.store(counters_ptr + row_tile, 0)

    blocks = tl.arange(0, BLOCK_J)
    seen = is_row[:, None] & (blocks[None, :] < num_blocks)
    theirs = stats_ptr + rows.to(tl.int64)[:, None] * num_blocks + blocks[None, :]
    peaks = tl.load(theirs, mask=seen, other=float("-inf"), cache_modifier=".cg")
    totals = tl.load(theirs + plane, mask=seen, other=0.0, cache_modifier=".cg")
    means = tl.load(theirs + 2 * plane, mask=seen, other=0.0, cache_modifier=".cg")
    spreads = tl.load(theirs + 3 * plane, mask=seen, other=0.0, cache_modifier=".cg")
    values = tl.load(theirs + 4 * plane, mask=seen, other=float("-inf"), cache_modifier=".cg")

    top = tl.max(peaks, axis=1)
    top = tl.where(top == float("-inf"), 0.0, top)
    scale = tl.exp(peaks - top[:, None])
    share = scale * totals
    total = tl.where(is_row, tl.sum(share, axis=1), 1.0)
    mean = tl.sum(share * means, axis=1) / total
    distance = means - mean[:, None]
    variance = tl.sum(scale * spreads + share * distance * distance, axis=1) / total
    last = num_values - 1
    tl.store(mean_ptr + rows, mean / last, mask=is_row)
    tl.store(std_ptr + rows, tl.sqrt(variance) / last, mask=is_row)
    log_total = tl.log(total)

    if IS_JOINT:
        lanes = tl.arange(0, BLOCK_N)
        is_block = blocks < num_blocks
        for axis in range(BLOCK_N // 2):
            low_lane = (axis // 2) * 4 + axis % 2
            low_row = row_tile * BLOCK_N + low_lane
            if low_row < num_rows:
                # The ends in two blocks: any block of the low end before the block of the high end.
                low_at = stats_ptr + low_row.to(tl.int64) * num_blocks + blocks
                high_at = low_at + 2 * num_blocks
                low_best = tl.load(low_at, mask=is_block, other=float("-inf"), cache_modifier=".cg")
                high_best = tl.load(high_at, mask=is_block, other=float("-inf"), cache_modifier=".cg")
                low_bins = tl.load(low_at + 6 * plane, mask=is_block, other=0.0, cache_modifier=".cg")
                high_bins = tl.load(high_at + 6 * plane, mask=is_block, other=0.0, cache_modifier=".cg")
                is_before = blocks[:, None] < blocks[None, :]
                pair_sums = tl.where(is_before, low_best[:, None] + high_best[None, :], float("-inf"))
                across, cell = tl.max(tl.reshape(pair_sums, (BLOCK_J * BLOCK_J,)), axis=0, return_indices=True)
                # Both ends in one block.
                pair_at = pairs_ptr + (row_tile * (BLOCK_N // 2) + axis).to(tl.int64) * num_blocks + blocks
                inner_low = tl.load(pair_at, mask=is_block, other=float("-inf"), cache_modifier=".cg")
                inner_high = tl.load(pair_at + pair_plane, mask=is_block, other=0.0, cache_modifier=".cg")
                codes = tl.load(pair_at + 2 * pair_plane, mask=is_block, other=0.0, cache_modifier=".cg")
                within, inner = tl.max(inner_low + inner_high, axis=0, return_indices=True)
                code = tl.sum(tl.where(blocks == inner, codes, 0.0)).to(tl.int32)

                is_across = across >= within
                low_block = tl.where(is_across, cell // BLOCK_J, inner)
                high_block = tl.where(is_across, cell % BLOCK_J, inner)
                low_score = tl.sum(tl.where(blocks == low_block, tl.where(is_across, low_best, inner_low), 0.0))
                high_score = tl.sum(tl.where(blocks == high_block, tl.where(is_across, high_best, inner_high), 0.0))
                low_bin = tl.sum(tl.where(blocks == low_block, low_bins, 0.0)).to(tl.int32)
                high_bin = tl.sum(tl.where(blocks == high_block, high_bins, 0.0)).to(tl.int32)
                low_bin = tl.where(is_across, low_bin, inner * BLOCK_K + code // BLOCK_K)
                high_bin = tl.where(is_across, high_bin, inner * BLOCK_K + code % BLOCK_K)
                is_possible = tl.maximum(across, within) > float("-inf")
                low_norm = tl.sum(tl.where(lanes == low_lane, top + log_total, 0.0))
                high_norm = tl.sum(tl.where(lanes == low_lane + 2, top + log_total, 0.0))
                tl.store(bins_ptr + low_row, tl.where(is_possible, low_bin, -1).to(tl.int64))
                tl.store(bins_ptr + low_row + 2, tl.where(is_possible, high_bin, -1).to(tl.int64))
                tl.store(log_prob_ptr + low_row, tl.where(is_possible, low_score - low_norm, float("nan")))
                tl.store(log_prob_ptr + low_row + 2, tl.where(is_possible, high_score - high_norm, float("nan")))
    else:
        scores = tl.load(theirs + 5 * plane, mask=seen, other=float("-inf"), cache_modifier=".cg")
        indices = tl.load(theirs + 6 * plane, mask=seen, other=0.0, cache_modifier=".cg")
        _, home = tl.max(values, axis=1, return_indices=True)
        chosen = tl.where(total > 0.0, _pick(indices, blocks, home).to(tl.int32), -1)
        tl.store(bins_ptr + rows, chosen.to(tl.int64), mask=is_row)
        tl.store(log_prob_ptr + rows, _pick(scores, blocks, home) - top - log_total, mask=is_row)

    if HAS_EMBEDDING:
        # What other threads of this program stored is read back.
        tl.debug_barrier()
        chosen_64 = tl.load(bins_ptr + rows, mask=is_row, other=-1)
        for start in range(0, width, BLOCK_H):
            columns = start + tl.arange(0, BLOCK_H)
            is_column = (columns < width)[None, :]
            embedding = tl.load(
                embedding_ptr + chosen_64[:, None] * stride_embedding + columns[None, :],
                mask=(chosen_64 >= 0)[:, None] & is_column,
                other=0.0,
            )
            target = next_ptr + rows.to(tl.int64)[:, None] * width + columns[None, :]
            tl.store(target, embedding, mask=is_row[:, None] & is_column)


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
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(bins int64, log-probability, mean, deviation: N each; next embedding (N, H), (0, H) without a table).

    Args:
        counters: `num_counters` int32 zeros, zero again afterwards.
        is_joint: rows are boxes of four slots.

    The arguments are checked by `function.py`.
    """
    num_rows, width = hidden_NH.shape
    num_values = weight_KH.shape[0]
    device = hidden_NH.device
    bins = torch.empty(num_rows, dtype=torch.int64, device=device)
    log_prob, mean, std = (torch.empty(num_rows, dtype=torch.float32, device=device) for _ in range(3))
    next_rows = num_rows if embedding_KH is not None else 0
    next_dtype = hidden_NH.dtype if embedding_KH is None else embedding_KH.dtype
    next_NH = torch.empty(next_rows, width, dtype=next_dtype, device=device)
    if num_rows == 0:
        return bins, log_prob, mean, std, next_NH
    plan = make_plan(
        num_rows,
        num_values,
        width,
        dtype=hidden_NH.dtype,
        is_joint=is_joint,
        processors=num_processors(device),
    )
    num_blocks = triton.cdiv(num_values, plan.block_k)
    row_tiles = triton.cdiv(num_rows, plan.block_n)
    tiles = num_blocks * row_tiles
    partial = torch.empty(
        tiles * plan.splits * plan.block_n * plan.block_k if plan.splits > 1 else 0, dtype=torch.float32, device=device
    )
    stats = torch.empty(NUM_STATS * num_rows * num_blocks, dtype=torch.float32, device=device)
    pairs = torch.empty(
        NUM_PAIR_STATS * (num_rows // 2) * num_blocks if is_joint else 0, dtype=torch.float32, device=device
    )
    is_fused = embedding_KH is not None and num_rows <= MAX_FUSED_ROWS
    _box_decode_fwd_kernel[(num_blocks, plan.splits, row_tiles)](
        hidden_NH,
        weight_KH,
        weight_KH if bias_K is None else bias_K,
        counters if lower_N is None else lower_N,
        counters if upper_N is None else upper_N,
        counters if seeds_N is None else seeds_N,
        weight_KH if embedding_KH is None else embedding_KH,
        partial,
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
    return bins, log_prob, mean, std, next_NH
