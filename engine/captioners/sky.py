"""What the sky tells: time of day and weather. Thresholds lie between the groups of 220 drawn skies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pancap.caption.boxes import Box
from pancap.engine.captioners.pixels import Pixels

Time = Literal["day", "dusk", "night"]

_MIN_SIDE_PX = 12
_MAX_NIGHT_LIGHTNESS = 32.0
# Twilight reddens: a (green to red) is above this, or the sky is yellow and not bright.
_MIN_DUSK_REDNESS = 6.0
_MIN_DUSK_YELLOWNESS = 20.0
# Lightness varies along a row of clouds, hardly along a row of a clear sky (median over rows of the deviation).
_MIN_CLOUD_DEVIATION = 2.0
_MAX_FOG_DEVIATION = 2.2
_MIN_BLUENESS = 14.0
# Share of the sky's pixels that stand out from their surroundings; stars and lamps stay below.
_MIN_FALLING = 0.016
# Share of those that go on downwards: rain is a streak, snow a speck.
_MIN_STREAK = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyReading:
    """Measurements of one sky.

    Args:
        lab: median colour.
        spread: standard deviation of the lightness.
        deviation: the same along a row, median over the rows.
        falling: share of pixels that are lighter than their surroundings.
        streaks: share of those that go on further down.
    """

    lab: tuple[float, float, float]
    spread: float
    deviation: float
    falling: float
    streaks: float

    @property
    def time(self) -> Time:
        """Time of day."""
        light, red, yellow = self.lab
        if light < _MAX_NIGHT_LIGHTNESS:
            return "night"
        if red > _MIN_DUSK_REDNESS or (yellow > _MIN_DUSK_YELLOWNESS and light < 88):
            return "dusk"
        return "day"

    @property
    def weather(self) -> str:
        """`rainy`, `snowy`, `foggy`, `cloudy`, `sunny` by day and `clear` at other times."""
        if self.falling > _MIN_FALLING and self.streaks > _MIN_STREAK:
            return "rainy"
        light, _, yellow = self.lab
        if self.time == "day" and yellow < -_MIN_BLUENESS:
            return "sunny"
        if self.falling > _MIN_FALLING and (self.time == "day" or self.streaks < 0.2 < 100 * self.falling - 1.7):
            return "snowy"
        if self._is_foggy(light, yellow):
            return "foggy"
        if self.time == "day" or self.deviation > _MIN_CLOUD_DEVIATION:
            return "cloudy"
        return "clear"

    def _is_foggy(self, light: float, yellow: float) -> bool:
        if self.time == "day":
            return self.spread < _MAX_FOG_DEVIATION and light > 78
        if self.time == "night":
            return yellow > -15 and self.spread < _MAX_FOG_DEVIATION
        return self.spread < 5.0 and abs(yellow) < 15


def read_sky(pixels: Pixels, box: Box, *, holes: Sequence[Box]) -> SkyReading:
    """Measures a sky.

    Args:
        pixels: the image.
        box: extent of the sky.
        holes: boxes of what stands in front of it.
    """
    from scipy.ndimage import median_filter

    rows, columns = pixels.slices(box)
    seen = pixels.visible(box, holes=holes) > 0
    lab = pixels.lab[rows, columns]
    middle = np.median(lab[seen], axis=0)
    light = lab[..., 0]
    if min(light.shape) < _MIN_SIDE_PX:
        return SkyReading(lab=_triple(middle), spread=0.0, deviation=0.0, falling=0.0, streaks=0.0)
    smooth = median_filter(light, size=5)
    bright = (light - smooth > 5.0) & seen
    below = bright[4:]
    for shift in (-2, -1, 1, 2):
        below = below | np.roll(bright, shift, axis=1)[4:]
    num_bright = max(1, int(bright.sum()))
    return SkyReading(
        lab=_triple(middle),
        spread=float(light[seen].std()),
        deviation=_row_deviation(smooth, seen),
        falling=float(bright.sum() / seen.sum()),
        streaks=float((bright[:-4] & below).sum() / num_bright),
    )


def _row_deviation(light: np.ndarray, seen: np.ndarray) -> float:
    """Median over the rows of the deviation of the lightness along the row; the lowest rows are ground and haze."""
    deviations = [row[mask].std() for row, mask in zip(light[2:-6], seen[2:-6] > 0, strict=True) if mask.sum() > 20]
    return float(np.median(deviations)) if deviations else 0.0


def _triple(lab: np.ndarray) -> tuple[float, float, float]:
    return float(lab[0]), float(lab[1]), float(lab[2])
