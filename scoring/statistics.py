"""Bootstrap intervals of means over images, and tests of two systems on the same images."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pancap.scoring.results import DIMENSIONS, OVERALL_WEIGHTS, Interval

_CHUNK_CELLS = 4_000_000  # of the (resamples, images) index matrix that is held at once: 32 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """A figure of system b minus that of system a over the same images.

    Args:
        a, b: the figures themselves.
        interval: 95 % bootstrap interval of b - a, images resampled in pairs.
        p_value: two-sided permutation test: how often swapping the two systems' figures image by image, at random,
            gives a difference at least as large.
    """

    a: float
    b: float
    interval: Interval
    p_value: float

    @property
    def mean(self) -> float:
        """b - a."""
        return self.b - self.a


def bootstrap_means(values: np.ndarray, *, num_resamples: int, seed: int) -> np.ndarray:
    """Column means of resampled rows.

    Args:
        values: (images, columns) float; NaN cells are left out of the mean of their column.
        num_resamples: rows of the result.
        seed: the same seed gives the same resamples for any columns.

    Returns:
        (num_resamples, columns); NaN where a resample has no cell of a column.
    """
    num_images = len(values)
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // max(1, num_images))
    means = np.empty((num_resamples, values.shape[1]))
    for start in range(0, num_resamples, chunk):
        stop = min(start + chunk, num_resamples)
        drawn = rng.integers(0, num_images, size=(stop - start, num_images))
        counts = np.stack([np.bincount(row, minlength=num_images) for row in drawn]).astype(np.float64)
        with np.errstate(invalid="ignore"):
            means[start:stop] = (counts @ filled) / (counts @ known.astype(np.float64))
    return means


def column_means(values: np.ndarray) -> np.ndarray:
    """Mean of each column over its cells that are not NaN; NaN where there is none."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        means: np.ndarray = np.where(known, values, 0.0).sum(axis=0) / known.sum(axis=0)
    return means


def interval_95(samples: np.ndarray) -> Interval | None:
    """The middle 95 % of samples, NaN left out; None where nothing is left."""
    kept = samples[~np.isnan(samples)]
    if not kept.size:
        return None
    low, high = np.percentile(kept, [2.5, 97.5])
    return Interval(low=float(low), high=float(high))


def overall_of_means(means: np.ndarray) -> np.ndarray:
    """Overall (percent, 0..410) of rows of dimension means; columns of NaN are made up for by the others.

    Args:
        means: (rows, 5) mean F1 in the order of `DIMENSIONS`.

    Returns:
        (rows,); 0 where a row is all NaN.
    """
    weights = np.array([OVERALL_WEIGHTS[name] for name in DIMENSIONS])
    known = ~np.isnan(means)
    total = np.where(known, means, 0.0) @ weights
    weight = known @ weights
    overall: np.ndarray = 100.0 * weights.sum() * np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
    return overall


def paired_difference(
    a: np.ndarray,
    b: np.ndarray,
    *,
    combine: Callable[[np.ndarray], np.ndarray] = lambda means: means[:, 0],
    num_resamples: int = 1000,
    num_permutations: int = 10_000,
    seed: int = 0,
) -> PairedDifference:
    """Difference of two systems on the same images.

    Args:
        a: (images, columns) figures of each image under one system; NaN cells are left out of their column's mean.
        b: the same images in the same order under the other.
        combine: one figure from rows of column means, (rows, columns) to (rows,).
        num_resamples: bootstrap resamples.
        num_permutations: random swaps of the permutation test; its smallest p-value is 1 / (num_permutations + 1).
        seed: of both.

    Raises:
        ValueError: the shapes differ, there is no image, or a system has no figure at all.

    Source: paired bootstrap and approximate randomization as in Dror et al., ACL 2018.

    Example:
        >>> round(paired_difference(np.array([[1.0], [2.0], [3.0]]), np.array([[2.0], [3.0], [4.0]])).mean, 6)
        1.0
    """
    if a.shape != b.shape or a.ndim != 2:
        raise ValueError(f"a and b must be (images, columns) of one shape, got {a.shape} and {b.shape}")
    observed = [combine(column_means(side)[None])[0] for side in (a, b)]
    if not len(a) or np.isnan(observed).any():
        raise ValueError("a and b have no image with a figure in common")
    samples = [combine(bootstrap_means(side, num_resamples=num_resamples, seed=seed)) for side in (a, b)]
    interval = interval_95(samples[1] - samples[0])
    assert interval is not None
    swapped = _swapped_differences(a, b, combine=combine, num_permutations=num_permutations, seed=seed)
    difference = float(observed[1] - observed[0])
    num_as_large = int((np.abs(swapped) >= abs(difference) - 1e-12).sum())
    return PairedDifference(
        a=float(observed[0]),
        b=float(observed[1]),
        interval=interval,
        p_value=(num_as_large + 1) / (num_permutations + 1),
    )


def _swapped_differences(
    a: np.ndarray,
    b: np.ndarray,
    *,
    combine: Callable[[np.ndarray], np.ndarray],
    num_permutations: int,
    seed: int,
) -> np.ndarray:
    """Differences after each image's two rows were swapped or not, by a fair coin: (num_permutations,)."""
    known_a, known_b = (~np.isnan(side) for side in (a, b))
    filled_a, filled_b = np.where(known_a, a, 0.0), np.where(known_b, b, 0.0)
    rng = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_CELLS // len(a))
    differences = np.empty(num_permutations)
    for start in range(0, num_permutations, chunk):
        stop = min(start + chunk, num_permutations)
        keep = rng.integers(0, 2, size=(stop - start, len(a))).astype(np.float64)
        swap = 1.0 - keep
        with np.errstate(invalid="ignore"):
            first = (keep @ filled_a + swap @ filled_b) / (keep @ known_a + swap @ known_b)
            second = (swap @ filled_a + keep @ filled_b) / (swap @ known_a + keep @ known_b)
        differences[start:stop] = combine(first) - combine(second)
    return differences[~np.isnan(differences)]
