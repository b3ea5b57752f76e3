"""Boxes: fractions of the original image everywhere inside the program, other frames only at the edges."""

from dataclasses import dataclass
from math import floor

LETTERBOX_UNITS = 1000


def span_to_units(low: float, high: float) -> tuple[int, int]:
    """Rounds an interval to whole units, half up, and keeps it an interval.

    Args:
        low, high: the interval, already in units, 0 <= low < high <= 1000.

    Returns:
        (a, b) with a < b: where both ends round to one unit, the neighbouring unit on the side of the middle is
        taken too, so that the pair always overlaps the interval.

    Example:
        >>> span_to_units(4.4, 454.5), span_to_units(7.1, 7.3), span_to_units(999.6, 1000.0)
        ((4, 455), (7, 8), (999, 1000))
    """
    a, b = floor(low + 0.5), floor(high + 0.5)
    if a < b:
        return a, b
    return (a - 1, a) if (low + high) / 2 < a else (a, a + 1)


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """An axis-aligned box in fractions of the original image.

    Args:
        x1, y1: top-left corner, 0..1.
        x2, y2: bottom-right corner, 0..1, with x1 < x2 and y1 < y2.

    Raises:
        ValueError: a coordinate is not finite, outside 0..1, or the corners are out of order.
    """

    x1: float
    y1: float
    x2: float
    y2: float

    def __post_init__(self) -> None:
        """Refuses what is not a box; NaN fails both comparisons."""
        if not (0.0 <= self.x1 < self.x2 <= 1.0 and 0.0 <= self.y1 < self.y2 <= 1.0):
            raise ValueError(
                f"a box needs 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1, got ({self.x1}, {self.y1}, {self.x2}, {self.y2})"
            )

    @property
    def area(self) -> float:
        """Share of the image that the box covers, 0..1."""
        return (self.x2 - self.x1) * (self.y2 - self.y1)

    @property
    def center(self) -> tuple[float, float]:
        """(x, y) of the middle, in fractions."""
        return (self.x1 + self.x2) / 2, (self.y1 + self.y2) / 2

    def as_tuple(self) -> tuple[float, float, float, float]:
        """(x1, y1, x2, y2)."""
        return self.x1, self.y1, self.x2, self.y2

    def intersection(self, other: "Box") -> float:
        """Area shared with another box, in shares of the image."""
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        return width * height if width > 0 and height > 0 else 0.0

    def iou(self, other: "Box") -> float:
        """Intersection over union, 0..1."""
        shared = self.intersection(other)
        return shared / (self.area + other.area - shared)

    @classmethod
    def from_px(cls, box_px: tuple[float, float, float, float], *, width: int, height: int) -> "Box":
        """From pixel corners; clamped to the image.

        Raises:
            ValueError: nothing of the box lies inside the image.
        """
        x1, y1, x2, y2 = box_px
        return cls(
            min(max(x1 / width, 0.0), 1.0),
            min(max(y1 / height, 0.0), 1.0),
            min(max(x2 / width, 0.0), 1.0),
            min(max(y2 / height, 0.0), 1.0),
        )

    def to_px(self, *, width: int, height: int) -> tuple[float, float, float, float]:
        """Pixel corners (not rounded)."""
        return self.x1 * width, self.y1 * height, self.x2 * width, self.y2 * height

    def to_units(self) -> tuple[int, int, int, int]:
        """Corners in whole thousandths of the original image; x1 < x2 and y1 < y2 hold for the result too."""
        x1, x2 = span_to_units(self.x1 * LETTERBOX_UNITS, self.x2 * LETTERBOX_UNITS)
        y1, y2 = span_to_units(self.y1 * LETTERBOX_UNITS, self.y2 * LETTERBOX_UNITS)
        return x1, y1, x2, y2

    @classmethod
    def from_units(cls, units: tuple[int, int, int, int]) -> "Box":
        """From thousandths of the original image.

        Raises:
            ValueError: a unit is outside 0..1000, or the corners are out of order.
        """
        x1, y1, x2, y2 = units
        return cls(x1 / LETTERBOX_UNITS, y1 / LETTERBOX_UNITS, x2 / LETTERBOX_UNITS, y2 / LETTERBOX_UNITS)
