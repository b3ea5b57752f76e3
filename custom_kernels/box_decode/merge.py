"""What the last program of a row tile does: merges what all blocks of bins left, chooses, and copies the next input.

The scratch holds planes of (N, J) figures, one a block: 0 peak, 1 mass, 2 mean, 3 spread, 4 value to choose by,
5 score and 6 bin of the best; and for boxes planes of (N / 2, J): low score, high score and place of the best pair.
Other processors wrote it, so that it is read past the L1 cache.

Legend: N rows, J blocks of bins, H width of the model.
"""

# Triton compiles these functions: their arguments are blocks and pointers, which have no Python type.
# ruff: noqa: ANN001, ANN201
# mypy: disable-error-code="no-untyped-def"

import triton
import triton.language as tl

from pancap.custom_kernels.box_decode.tile import pick


@triton.jit
def merge_moments(theirs, seen, is_row, plane):
    """(peak, mass, mean bin, variance) of each row over all blocks, by Chan's parallel formula."""
    peaks = tl.load(theirs, mask=seen, other=float("-inf"), cache_modifier=".cg")
    totals = tl.load(theirs + plane, mask=seen, other=0.0, cache_modifier=".cg")
    means = tl.load(theirs + 2 * plane, mask=seen, other=0.0, cache_modifier=".cg")
    spreads = tl.load(theirs + 3 * plane, mask=seen, other=0.0, cache_modifier=".cg")
    top = tl.max(peaks, axis=1)
    top = tl.where(top == float("-inf"), 0.0, top)
    scale = tl.exp(peaks - top[:, None])
    share = scale * totals
    total = tl.where(is_row, tl.sum(share, axis=1), 1.0)
    mean = tl.sum(share * means, axis=1) / total
    distance = means - mean[:, None]
    variance = tl.sum(scale * spreads + share * distance * distance, axis=1) / total
    return top, total, mean, variance


@triton.jit
def merge_choice(theirs, seen, plane, blocks):
    """(bin, its score) of each row: that of the block with the best value."""
    values = tl.load(theirs + 4 * plane, mask=seen, other=float("-inf"), cache_modifier=".cg")
    scores = tl.load(theirs + 5 * plane, mask=seen, other=float("-inf"), cache_modifier=".cg")
    bins = tl.load(theirs + 6 * plane, mask=seen, other=0.0, cache_modifier=".cg")
    _, home = tl.max(values, axis=1, return_indices=True)
    return pick(bins, blocks, home).to(tl.int32), pick(scores, blocks, home)


@triton.jit
def best_across(low_at, high_at, plane, blocks, is_block, BLOCK_J: tl.constexpr):
    """(sum, scores, bins) of the best pair with its ends in two blocks, the low one's first."""
    low_best = tl.load(low_at, mask=is_block, other=float("-inf"), cache_modifier=".cg")
    high_best = tl.load(high_at, mask=is_block, other=float("-inf"), cache_modifier=".cg")
    low_bins = tl.load(low_at + 6 * plane, mask=is_block, other=0.0, cache_modifier=".cg")
    high_bins = tl.load(high_at + 6 * plane, mask=is_block, other=0.0, cache_modifier=".cg")
    is_before = blocks[:, None] < blocks[None, :]
    sums = tl.where(is_before, low_best[:, None] + high_best[None, :], float("-inf"))
    best, cell = tl.max(tl.reshape(sums, (BLOCK_J * BLOCK_J,)), axis=0, return_indices=True)
    is_low, is_high = blocks == cell // BLOCK_J, blocks == cell % BLOCK_J
    return (
        best,
        tl.sum(tl.where(is_low, low_best, 0.0)),
        tl.sum(tl.where(is_high, high_best, 0.0)),
        tl.sum(tl.where(is_low, low_bins, 0.0)).to(tl.int32),
        tl.sum(tl.where(is_high, high_bins, 0.0)).to(tl.int32),
    )


@triton.jit
def best_within(pair_at, pair_plane, blocks, is_block, BLOCK_K: tl.constexpr):
    """(sum, scores, bins) of the best pair with both ends in one block."""
    lows = tl.load(pair_at, mask=is_block, other=float("-inf"), cache_modifier=".cg")
    highs = tl.load(pair_at + pair_plane, mask=is_block, other=0.0, cache_modifier=".cg")
    places = tl.load(pair_at + 2 * pair_plane, mask=is_block, other=0.0, cache_modifier=".cg")
    best, home = tl.max(lows + highs, axis=0, return_indices=True)
    place = tl.sum(tl.where(blocks == home, places, 0.0)).to(tl.int32)
    return (
        best,
        tl.sum(tl.where(blocks == home, lows, 0.0)),
        tl.sum(tl.where(blocks == home, highs, 0.0)),
        home * BLOCK_K + place // BLOCK_K,
        home * BLOCK_K + place % BLOCK_K,
    )


@triton.jit
def choose_boxes(
    stats_ptr,
    pairs_ptr,
    bins_ptr,
    log_prob_ptr,
    row_tile,
    num_rows,
    num_blocks,
    plane,
    log_mass,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_J: tl.constexpr,
):
    """Writes bins and log-probabilities of the best ordered pair of each axis; -1 and NaN where there is none."""
    lanes, blocks = tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_J)
    is_block = blocks < num_blocks
    pair_plane = num_blocks.to(tl.int64) * (num_rows // 2)
    for axis in range(BLOCK_N // 2):
        low_lane = (axis // 2) * 4 + axis % 2
        low_row = row_tile * BLOCK_N + low_lane
        if low_row < num_rows:
            low_at = stats_ptr + low_row.to(tl.int64) * num_blocks + blocks
            pair_at = pairs_ptr + (row_tile * (BLOCK_N // 2) + axis).to(tl.int64) * num_blocks + blocks
            across, low_score, high_score, low_bin, high_bin = best_across(
                low_at, low_at + 2 * num_blocks, plane, blocks, is_block, BLOCK_J
            )
            within, inner_low, inner_high, inner_low_bin, inner_high_bin = best_within(
                pair_at, pair_plane, blocks, is_block, BLOCK_K
            )
            is_across, is_possible = across >= within, tl.maximum(across, within) > float("-inf")
            low_bin = tl.where(is_across, low_bin, inner_low_bin)
            high_bin = tl.where(is_across, high_bin, inner_high_bin)
            low_score = tl.where(is_across, low_score, inner_low) - tl.sum(tl.where(lanes == low_lane, log_mass, 0.0))
            high_mass = tl.sum(tl.where(lanes == low_lane + 2, log_mass, 0.0))
            high_score = tl.where(is_across, high_score, inner_high) - high_mass
            tl.store(bins_ptr + low_row, tl.where(is_possible, low_bin, -1).to(tl.int64))
            tl.store(bins_ptr + low_row + 2, tl.where(is_possible, high_bin, -1).to(tl.int64))
            tl.store(log_prob_ptr + low_row, tl.where(is_possible, low_score, float("nan")))
            tl.store(log_prob_ptr + low_row + 2, tl.where(is_possible, high_score, float("nan")))


@triton.jit
def copy_embeddings(embedding_ptr, next_ptr, bins, rows, is_row, width, stride_embedding, BLOCK_H: tl.constexpr):
    """Row `bins` of the table as the next input of each row; zeros without a bin."""
    for start in range(0, width, BLOCK_H):
        columns = start + tl.arange(0, BLOCK_H)
        is_column = (columns < width)[None, :]
        embedding = tl.load(
            embedding_ptr + bins[:, None] * stride_embedding + columns[None, :],
            mask=(bins >= 0)[:, None] & is_column,
            other=0.0,
        )
        target = next_ptr + rows.to(tl.int64)[:, None] * width + columns[None, :]
        tl.store(target, embedding, mask=is_row[:, None] & is_column)
