"""How the work of one call is cut over a GPU; plain arithmetic, no Triton."""

from dataclasses import dataclass, replace

import torch

# The smallest tile, in rows and in bins.
TILE = 16
# Columns of one step. float32 is multiplied without tensor cores, whose operands then live in registers: less of them.
_BLOCK_H_HALF, _BLOCK_H_FLOAT = 128, 32
_MAX_SPLITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The cut.

    Args:
        block_n, block_k: rows and bins of a tile.
        block_h: columns of one step.
        splits: programs that share the width of a tile.
        num_warps, num_stages: of the launch.
    """

    block_n: int
    block_k: int
    block_h: int
    splits: int
    num_warps: int = 4
    num_stages: int = 3

    def split_width(self, width: int) -> int:
        """Columns of one split, whole steps."""
        return ceil_div(ceil_div(width, self.splits), self.block_h) * self.block_h


def make_plan(
    num_rows: int, num_values: int, width: int, *, dtype: torch.dtype, is_joint: bool, processors: int
) -> Plan:
    """A cut that gives every processor about one tile.

    Few rows: the weight is the traffic (K x H elements, read once), so the bins are cut finely. Many rows: every
    block of bins reads the rows again from the L2 cache, so tiles grow square. Both: what is left of the processors
    after that shares the width.
    """
    block_h = _BLOCK_H_FLOAT if dtype == torch.float32 else _BLOCK_H_HALF
    if is_joint or num_rows <= TILE:
        block_n, block_k = TILE, TILE
    elif num_rows <= 32:
        block_n, block_k = 32, 32
    else:
        block_n, block_k = 64, 32 if num_rows <= 64 else 64
    tiles = ceil_div(num_rows, block_n) * ceil_div(num_values, block_k)
    splits = max(1, min(_MAX_SPLITS, processors // tiles, ceil_div(width, block_h)))
    plan = Plan(block_n=block_n, block_k=block_k, block_h=block_h, splits=splits)
    # Whole steps may leave the last splits without columns.
    return replace(plan, splits=ceil_div(width, plan.split_width(width)))


def num_counters(num_rows: int, num_values: int) -> int:
    """Counters that no cut of so many rows goes beyond: one a row tile and one a tile."""
    return ceil_div(num_rows, TILE) * (ceil_div(num_values, TILE) + 1)


def ceil_div(number: int, size: int) -> int:
    """Pieces of that size that cover the number."""
    return -(-number // size)
