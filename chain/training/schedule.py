"""How far a run is, by steps or by the clock, and the learning rate that follows from it."""

import math


def progress_of_run(step: int, *, steps: int, elapsed_s: float, time_limit_s: float | None) -> float:
    """Share of the run that is over, 0..1: the larger of the shares of steps and of time."""
    by_steps = step / steps
    by_time = elapsed_s / time_limit_s if time_limit_s else 0.0
    return min(max(by_steps, by_time), 1.0)


def cosine_with_warmup(progress: float, *, warmup: float) -> float:
    """Factor of the peak rate: up along a line to 1 at `warmup`, then down along a half cosine to 0.

    Example:
        >>> [round(cosine_with_warmup(p, warmup=0.1), 2) for p in (0.05, 0.1, 0.55, 1.0)]
        [0.5, 1.0, 0.5, 0.0]
    """
    if progress < warmup:
        return max(progress / warmup, 0.01)
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))
