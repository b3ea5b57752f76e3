"""Names of colours: the nearest of a dozen anchors in the Lab space, where distances are those that eyes see."""

from functools import lru_cache

import numpy as np

from pancap.engine.scenes.vocabulary import COLORS

# D65 white point and the linear sRGB to XYZ matrix (IEC 61966-2-1).
_XYZ_FROM_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
    dtype=np.float32,
)
_WHITE = np.array([0.95047, 1.0, 1.08883], dtype=np.float32)
# Hue says more about a name than brightness: a shaded red car is red.
_LIGHTNESS_WEIGHT = 0.5


@lru_cache
def _linear_table() -> np.ndarray:
    value = np.arange(256, dtype=np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def lab_from_rgb(rgb: np.ndarray) -> np.ndarray:
    """CIE Lab of sRGB colours.

    Args:
        rgb: (..., 3) uint8.

    Returns:
        (..., 3) float32: L 0..100, a and b about -110..110.

    Example:
        >>> lab_from_rgb(np.array([255, 255, 255], dtype=np.uint8)).round(0).tolist()[0]
        100.0
    """
    xyz = _linear_table()[rgb] @ _XYZ_FROM_RGB.T / _WHITE
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


@lru_cache
def color_names() -> tuple[str, ...]:
    """The names that colours can get."""
    return tuple(COLORS)


@lru_cache
def _anchors_lab() -> np.ndarray:
    return lab_from_rgb(np.array(list(COLORS.values()), dtype=np.uint8))


def name_indices(lab: np.ndarray) -> np.ndarray:
    """For each Lab colour the index in `color_names()` of the nearest anchor.

    Args:
        lab: (N, 3).
    """
    scale = np.array([_LIGHTNESS_WEIGHT, 1.0, 1.0], dtype=np.float32)
    distance = (((lab * scale)[:, None, :] - (_anchors_lab() * scale)[None]) ** 2).sum(-1)
    return distance.argmin(-1)


def name_shares(lab: np.ndarray, *, weights: np.ndarray | None = None) -> dict[str, float]:
    """Which share of the pixels has which colour name, largest first.

    Args:
        lab: (N, 3) pixels.
        weights: (N,) importance of each pixel; all alike where None.
    """
    if not len(lab):
        return {}
    counts = np.bincount(name_indices(lab), weights=weights, minlength=len(color_names()))
    total = counts.sum()
    order = np.argsort(-counts, kind="stable")
    return {color_names()[i]: float(counts[i] / total) for i in order if counts[i] > 0} if total > 0 else {}
