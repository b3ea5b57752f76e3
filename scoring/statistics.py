"""Bootstrap intervals of means over images."""

from dataclasses import dataclass

import numpy as np

from pancap.scoring.results import DIMENSIONS, OVERALL_WEIGHTS, Interval

_CHUNK_CELLS = 4_000_000  # of the (resamples, images) index matrix that is held at once: 32 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """Mean of a minus mean of b over the same images.

    Args:
        mean: the difference.
        interval: its 95 % bootstrap interval, images resampled in pairs.
        p_value: two-sided: twice the share of resamples on the other side of 0 (ties count), at most 1.
        num_images: images that both have.
    """

    mean: float
    interval: Interval
    p_value: float
    num_images: int


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


def paired_bootstrap(a: np.ndarray, b: np.ndarray, *, num_resamples: int = 1000, seed: int = 0) -> PairedDifference:
    """Difference of two systems on the same images.

    Args:
        a: (images,) figure of each image under one system.
        b: (images,) the same images in the same order under the other; an image with NaN in either is left out.
        num_resamples: bootstrap resamples.
        seed: of the resampling.

    Raises:
        ValueError: the lengths differ, or no image is left.

    Example:
        >>> paired_bootstrap(np.array([2.0, 3.0, 4.0]), np.array([1.0, 2.0, 3.0])).mean
        1.0
    """
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"a and b must be of one length, got shapes {a.shape} and {b.shape}")
    differences = (a - b)[~np.isnan(a - b)]
    if not differences.size:
        raise ValueError("a and b have no image in common")
    samples = bootstrap_means(differences[:, None], num_resamples=num_resamples, seed=seed)[:, 0]
    interval = interval_95(samples)
    assert interval is not None
    tail = min(float(np.mean(samples <= 0)), float(np.mean(samples >= 0)))
    return PairedDifference(
        mean=float(differences.mean()),
        interval=interval,
        p_value=min(1.0, 2 * tail),
        num_images=len(differences),
    )
