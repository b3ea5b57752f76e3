"""An image prepared for measuring: Lab colours, colour names, and which pixels of a box belong to its entity."""

from collections.abc import Sequence

import numpy as np

from pancap.caption.boxes import Box
from pancap.engine.captioners.colors import color_names, lab_from_rgb, name_indices

MAX_SIDE_PX = 256
# Edge of a cell of the colour histogram, in Lab units: about the difference between two named shades.
_CELL = 12.0
# Share of a box that is background where its colour is as frequent inside as around: measured over drawn scenes.
_BACKGROUND_SHARE = 0.7
_RING = 0.15


class Pixels:
    """Looks at boxes of one image.

    Args:
        rgb: the image, (H, W, 3) uint8; read at most at `MAX_SIDE_PX` a side.
    """

    def __init__(self, rgb: np.ndarray) -> None:
        """Converts the colours once for the whole image."""
        step = max(1, -(-max(rgb.shape[:2]) // MAX_SIDE_PX))
        self.rgb = rgb[::step, ::step]
        self.lab = lab_from_rgb(self.rgb)
        self.height, self.width = self.lab.shape[:2]
        self.names = name_indices(self.lab.reshape(-1, 3)).reshape(self.height, self.width)
        cells = ((self.lab + np.array([0.0, 128.0, 128.0])) / _CELL).astype(np.int32)
        self._cells = (cells[..., 0] * 22 + cells[..., 1]) * 22 + cells[..., 2]

    def under_white_light(self, ambient: tuple[float, float, float]) -> "Pixels":
        """The same image as it would look in plain daylight.

        Args:
            ambient: light that multiplied the surface colours, as (red, green, blue).
        """
        if min(ambient) >= 1.0:
            return self
        return Pixels(np.clip(self.rgb / np.array(ambient, np.float32), 0, 255).astype(np.uint8))

    def slices(self, box: Box) -> tuple[slice, slice]:
        """Rows and columns of a box, at least one of each."""
        x1, y1, x2, y2 = box.to_px(width=self.width, height=self.height)
        left, top = min(int(x1), self.width - 1), min(int(y1), self.height - 1)
        return slice(top, max(round(y2), top + 1)), slice(left, max(round(x2), left + 1))

    def foreground(self, box: Box, *, holes: Sequence[Box] = ()) -> np.ndarray:
        """How likely each pixel of the box belongs to its entity, 0..1: (rows, columns) float32.

        Colours that are as frequent around the box as inside count as background, pixels near the middle count more,
        and the holes (boxes of what lies in front) count nothing.
        """
        rows, columns = self.slices(box)
        inside = self._cells[rows, columns]
        weights = self._unlike_ring(box, inside) * _centre_weights(*inside.shape)
        return weights * self._without(rows, columns, holes)

    def visible(self, box: Box, *, holes: Sequence[Box] = ()) -> np.ndarray:
        """The same for a region without a shape of its own, such as the sky: all of the box but the holes."""
        rows, columns = self.slices(box)
        return self._without(rows, columns, holes)

    def name_shares(self, box: Box, weights: np.ndarray) -> dict[str, float]:
        """Share of each colour name in the box, largest first."""
        rows, columns = self.slices(box)
        labels = self.names[rows, columns].ravel()
        counts = np.bincount(labels, weights=weights.ravel(), minlength=len(color_names()))
        total = counts.sum()
        order = np.argsort(-counts, kind="stable")
        return {color_names()[i]: float(counts[i] / total) for i in order if counts[i] > 0} if total > 0 else {}

    def mean_lab(self, box: Box, weights: np.ndarray | None = None) -> np.ndarray:
        """(L, a, b) of the weighted mean colour."""
        rows, columns = self.slices(box)
        region = self.lab[rows, columns].reshape(-1, 3)
        if weights is None or not weights.any():
            return region.mean(0)
        return np.average(region, axis=0, weights=weights.ravel())

    def _unlike_ring(self, box: Box, inside: np.ndarray) -> np.ndarray:
        ring = self._ring(box)
        if not ring.size:
            return np.ones(inside.shape, np.float32)
        known, positions = np.unique(inside, return_inverse=True)
        share_in = np.bincount(positions.ravel(), minlength=len(known)) / inside.size
        found, counts = np.unique(ring, return_counts=True)
        share_ring = np.zeros(len(known))
        at = np.searchsorted(found, known).clip(max=len(found) - 1)
        share_ring[found[at] == known] = counts[at][found[at] == known] / ring.size
        weights = np.clip(1.0 - _BACKGROUND_SHARE * share_ring / share_in, 0.02, 1.0)
        return weights[positions].reshape(inside.shape).astype(np.float32)

    def _ring(self, box: Box) -> np.ndarray:
        rows, columns = self.slices(box)
        dy = max(2, int((rows.stop - rows.start) * _RING))
        dx = max(2, int((columns.stop - columns.start) * _RING))
        outer = np.zeros((self.height, self.width), bool)
        outer[max(0, rows.start - dy) : rows.stop + dy, max(0, columns.start - dx) : columns.stop + dx] = True
        outer[rows, columns] = False
        return self._cells[outer]

    def _without(self, rows: slice, columns: slice, holes: Sequence[Box]) -> np.ndarray:
        mask = np.ones((self.height, self.width), np.float32)
        for hole in holes:
            mask[self.slices(hole)] = 0.0
        left = mask[rows, columns]
        return left if left.mean() > 0.05 else np.ones(left.shape, np.float32)


def _centre_weights(height: int, width: int) -> np.ndarray:
    """1 in the middle, falling to 0.3 at the corners of the box."""
    y = np.abs(np.linspace(-1, 1, height, dtype=np.float32))[:, None]
    x = np.abs(np.linspace(-1, 1, width, dtype=np.float32))[None, :]
    return 1.0 - 0.35 * y**2 - 0.35 * x**2
