"""What a program of the decoding kernel does with its tile: scores, and a few figures of each row that stand for them.

Legend: N rows, K bins, H width of the model, J blocks of bins.
"""

# Triton compiles these functions: their arguments are blocks and pointers, which have no Python type.
# ruff: noqa: ANN001, ANN201
# mypy: disable-error-code="no-untyped-def"

import triton
import triton.language as tl


@triton.jit
def pick(values, positions, at):
    """The value at one position of each row."""
    return tl.sum(tl.where(positions[None, :] == at[:, None], values, 0.0), axis=1)


@triton.jit
def add_products(
    logits,
    hidden_rows,
    is_row,
    weight_rows,
    is_bin,
    width,
    start,
    stop,
    BLOCK_H: tl.constexpr,
    PRECISION: tl.constexpr,
    IS_WIDENED: tl.constexpr,
):
    """Logits (N, K) plus the products over the columns start..stop; the rows are pointers to where they begin."""
    for first in range(start, stop, BLOCK_H):
        columns = first + tl.arange(0, BLOCK_H)
        is_column = (columns < width)[None, :]
        hidden = tl.load(hidden_rows[:, None] + columns[None, :], mask=is_row[:, None] & is_column, other=0.0)
        weight = tl.load(weight_rows[:, None] + columns[None, :], mask=is_bin[:, None] & is_column, other=0.0)
        if IS_WIDENED:
            hidden, weight = hidden.to(tl.float32), weight.to(tl.float32)
        logits = tl.dot(hidden, tl.trans(weight), logits, input_precision=PRECISION)
    return logits


@triton.jit
def sum_splits(partial_ptr, tile, offsets, SPLITS: tl.constexpr, TILE: tl.constexpr):
    """Partial products of a tile added in order, whoever came last."""
    total = tl.load(partial_ptr + tile * SPLITS * TILE + offsets, cache_modifier=".cg")
    for split in range(1, SPLITS):
        total += tl.load(partial_ptr + (tile * SPLITS + split) * TILE + offsets, cache_modifier=".cg")
    return total


@triton.jit
def within_bounds(lower_ptr, upper_ptr, rows, bins, is_row, is_bin, HAS_LOWER: tl.constexpr, HAS_UPPER: tl.constexpr):
    """Whether each bin (N, K) may be chosen."""
    is_allowed = is_row[:, None] & is_bin[None, :]
    if HAS_LOWER:
        lower = tl.load(lower_ptr + rows, mask=is_row, other=0)
        is_allowed &= bins[None, :] >= lower[:, None]
    if HAS_UPPER:
        upper = tl.load(upper_ptr + rows, mask=is_row, other=0)
        is_allowed &= bins[None, :] <= upper[:, None]
    return is_allowed


@triton.jit
def moments(scores, bins, peak):
    """(mass, mean bin, sum of squared distances from it) of exp(scores - peak)."""
    mass = tl.exp(scores - tl.where(peak == float("-inf"), 0.0, peak)[:, None])
    total = tl.sum(mass, axis=1)
    mean = tl.sum(mass * bins.to(tl.float32)[None, :], axis=1) / tl.where(total > 0.0, total, 1.0)
    distance = bins.to(tl.float32)[None, :] - mean[:, None]
    return total, mean, tl.sum(mass * distance * distance, axis=1)


@triton.jit
def draw(scores, is_allowed, bins, seeds, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr):
    """(best noisy score, its place) of each row: a draw; the noise is `gumbel_noise` of the reference."""
    counters = tl.zeros((BLOCK_N, BLOCK_K), dtype=tl.int32) + bins[None, :]
    words = tl.randint(seeds[:, None], counters).to(tl.uint32, bitcast=True)
    uniform = ((words >> 9).to(tl.float32) + 0.5) * 1.1920928955078125e-07
    noisy = tl.where(is_allowed, scores - tl.log(-tl.log(uniform)), float("-inf"))
    return tl.max(noisy, axis=1, return_indices=True)


@triton.jit
def keep_figures(
    mine,
    plane,
    block,
    scores,
    is_allowed,
    bins,
    rows,
    is_row,
    seeds_ptr,
    IS_SAMPLED: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """Writes peak, mass, mean and spread of each row, and value, score and bin of its best, (N, J) each."""
    peak, best = tl.max(scores, axis=1, return_indices=True)
    total, mean, spread = moments(scores, bins, peak)
    value, score = peak, peak
    if IS_SAMPLED:
        seeds = tl.load(seeds_ptr + rows, mask=is_row, other=0)
        value, best = draw(scores, is_allowed, bins, seeds, BLOCK_N, BLOCK_K)
        score = pick(scores, tl.arange(0, BLOCK_K), best)
    tl.store(mine, peak, mask=is_row)
    tl.store(mine + plane, total, mask=is_row)
    tl.store(mine + 2 * plane, mean, mask=is_row)
    tl.store(mine + 3 * plane, spread, mask=is_row)
    tl.store(mine + 4 * plane, value, mask=is_row)
    tl.store(mine + 5 * plane, score, mask=is_row)
    tl.store(mine + 6 * plane, (block * BLOCK_K + best).to(tl.float32), mask=is_row)


@triton.jit
def best_pairs(scores, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr):
    """(low score, high score, low place x K + high place) of the best ordered pair of each axis of each box."""
    # Rows come as boxes of (x1, y1, x2, y2): split off the corner, so that a row is one axis of one box.
    corners = tl.permute(tl.reshape(scores, (BLOCK_N // 4, 2, 2, BLOCK_K)), (0, 2, 3, 1))
    low, high = tl.split(corners)
    low = tl.reshape(low, (BLOCK_N // 2, BLOCK_K))
    high = tl.reshape(high, (BLOCK_N // 2, BLOCK_K))
    local = tl.arange(0, BLOCK_K)
    is_ordered = local[:, None] < local[None, :]
    sums = tl.where(is_ordered[None, :, :], low[:, :, None] + high[:, None, :], float("-inf"))
    _, at = tl.max(tl.reshape(sums, (BLOCK_N // 2, BLOCK_K * BLOCK_K)), axis=1, return_indices=True)
    low_at, high_at = at // BLOCK_K, at % BLOCK_K
    return tl.where(high_at > low_at, pick(low, local, low_at), float("-inf")), pick(high, local, high_at), at


@triton.jit
def keep_pairs(pairs_ptr, scores, row_tile, num_rows, block, num_blocks, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr):
    """Writes the best pair of each axis: low score, high score and place, (N / 2, J) each."""
    low, high, place = best_pairs(scores, BLOCK_N, BLOCK_K)
    axes = row_tile * (BLOCK_N // 2) + tl.arange(0, BLOCK_N // 2)
    is_axis = axes < num_rows // 2
    plane = num_blocks.to(tl.int64) * (num_rows // 2)
    mine = pairs_ptr + axes.to(tl.int64) * num_blocks + block
    tl.store(mine, low, mask=is_axis)
    tl.store(mine + plane, high, mask=is_axis)
    tl.store(mine + 2 * plane, place.to(tl.float32), mask=is_axis)
