"""Names of colours: the nearest of a dozen anchors by lightness, colourfulness and hue, as eyes tell them apart."""

from functools import lru_cache

import numpy as np

from pancap.engine.scenes.vocabulary import COLORS

# D65 white point and the linear sRGB to XYZ matrix (IEC 61966-2-1).
_XYZ_FROM_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
    dtype=np.float32,
)
_WHITE = np.array([0.95047, 1.0, 1.08883], dtype=np.float32)
# How much a difference of lightness, of the logarithm of chroma, and of hue counts. Fitted on the median colours of
# 2264 drawn entities: 93.0 % get their name, against 89.3 % with plain Lab distance (pale blue walls looked gray).
_WEIGHTS = (0.6, 20.0, 1.0)
_CHROMA_OFFSET = 5.0


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


def _polar(lab: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Weighted lightness and log chroma, root of the chroma, hue angle."""
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    log_chroma = np.log(chroma + _CHROMA_OFFSET) * _WEIGHTS[1]
    return lab[:, 0] * _WEIGHTS[0], log_chroma, np.sqrt(chroma) * _WEIGHTS[2], np.arctan2(lab[:, 2], lab[:, 1])


@lru_cache
def _anchors() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    return _polar(lab_from_rgb(np.array(list(COLORS.values()), dtype=np.uint8)))


def name_indices(lab: np.ndarray) -> np.ndarray:
    """For each Lab colour the index in `color_names()` of the nearest anchor.

    Args:
        lab: (N, 3).
    """
    lights, chromas, roots, hues = _polar(lab)
    nearest = np.zeros(len(lab), dtype=np.int64)
    smallest = np.full(len(lab), np.inf, dtype=np.float32)
    for index, (light, chroma, root, hue) in enumerate(zip(*_anchors(), strict=True)):
        # (2 sqrt(C1 C2) sin(dh / 2))^2 = 2 C1 C2 (1 - cos dh)
        distance = (lights - light) ** 2 + (chromas - chroma) ** 2
        distance += 2 * (roots * root) ** 2 * (1 - np.cos(hues - hue)) if root else 0
        closer = distance < smallest
        nearest[closer], smallest[closer] = index, distance[closer]
    return nearest


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
