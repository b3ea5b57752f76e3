"""The state of the whole image, from its pixels: place, time of day, weather, light and viewpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pancap.caption.content import Entity
from pancap.engine.captioners.pixels import Pixels
from pancap.engine.captioners.tags import GROUND_TAGS, INDOOR_TAGS, OUTDOOR_TAGS, PERSON_TAGS, SKY_TAGS

Time = Literal["day", "dusk", "night"]

# Light that multiplies surface colours, as (red, green, blue): twilight is reddish, night bluish, lamps yellowish.
AMBIENT: dict[str, tuple[float, float, float]] = {
    "day": (1.0, 1.0, 1.0),
    "dusk": (0.9, 0.72, 0.62),
    "night": (0.38, 0.42, 0.56),
    "bright": (1.0, 1.0, 1.0),
    "warm": (0.96, 0.84, 0.68),
    "dim": (0.6, 0.58, 0.6),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneState:
    """What was measured of the image as a whole.

    Args:
        is_indoor: a room rather than the open air.
        time: time of day; `day` where nothing tells.
        weather: one adjective, or None indoors and where no sky shows it.
        lighting: `bright`, `soft`, `warm` or `dim`.
        viewpoint: `high`, `low` or None for eye level.
        num_people: persons among the entities.
    """

    is_indoor: bool
    time: Time
    weather: str | None
    lighting: str
    viewpoint: str | None = None
    num_people: int = 0

    @property
    def ambient(self) -> tuple[float, float, float]:
        """The light that fell on the surfaces."""
        return AMBIENT[self.lighting if self.is_indoor else self.time]

    def clauses(self) -> tuple[str, ...]:
        """Global items of a caption."""
        view = (f"the viewpoint is {self.viewpoint}",) if self.viewpoint else ()
        if self.is_indoor:
            mood = "cozy" if self.lighting == "warm" else "calm"
            return ("the scene is indoors", f"the lighting is {self.lighting}", f"the mood is {mood}", *view)
        time = {"day": "during the day", "dusk": "at dusk", "night": "at night"}[self.time]
        weather = (f"the weather is {self.weather}",) if self.weather else ()
        if not view:
            lively = self.num_people >= 2 and self.time == "day"
            view = ("the mood is lively",) if lively else (f"the lighting is {self.lighting}",)
        return ("the scene is outdoors", f"the scene is {time}", *weather, *view)


def measure_scene(pixels: Pixels, entities: Sequence[Entity]) -> SceneState:
    """Reads the state of the image.

    Args:
        pixels: the image.
        entities: what is in it; their tags tell the place, the sky its weather.
    """
    num_people = sum(entity.tag in PERSON_TAGS for entity in entities)
    if _is_indoor(entities):
        return SceneState(is_indoor=True, time="day", weather=None, lighting=_room_light(pixels), num_people=num_people)
    sky = next((entity for entity in entities if entity.tag in SKY_TAGS and entity.box), None)
    sky_lab = _sky_lab(pixels, sky, entities)
    time = _time_of_day(sky_lab)
    weather = _weather(pixels, sky_lab, time=time, entities=entities)
    lighting = {"day": "bright" if weather == "sunny" else "soft", "dusk": "warm", "night": "dim"}[time]
    return SceneState(
        is_indoor=False, time=time, weather=weather, lighting=lighting, viewpoint=_viewpoint(entities),
        num_people=num_people,
    )  # fmt: skip


def _is_indoor(entities: Sequence[Entity]) -> bool:
    tags = [entity.tag for entity in entities]
    if any(tag in SKY_TAGS for tag in tags):
        return False
    return sum(tag in INDOOR_TAGS for tag in tags) > sum(tag in OUTDOOR_TAGS for tag in tags)


def _room_light(pixels: Pixels) -> str:
    bright, _, yellow = np.percentile(pixels.lab.reshape(-1, 3), 60, axis=0)
    if bright < 48:
        return "dim"
    return "warm" if yellow > 22 else "bright"


def _sky_lab(pixels: Pixels, sky: Entity | None, entities: Sequence[Entity]) -> np.ndarray:
    """Pixels of the sky, else of the upper third of the image: (N, 3)."""
    if sky is None or sky.box is None:
        return pixels.lab[: max(1, pixels.height // 3)].reshape(-1, 3)
    holes = [item.box for item in entities if item.box and item.id != sky.id and item.box.area < sky.box.area]
    rows, columns = pixels.slices(sky.box)
    seen = pixels.visible(sky.box, holes=holes) > 0
    return pixels.lab[rows, columns][seen]


def _time_of_day(sky_lab: np.ndarray) -> Time:
    light, red, yellow = np.median(sky_lab, axis=0)
    if light < 36:
        return "night"
    return "dusk" if light < 88 and yellow + red > 22 else "day"


def _weather(pixels: Pixels, sky_lab: np.ndarray, *, time: Time, entities: Sequence[Entity]) -> str:
    streaks, specks = falling(pixels)
    if max(streaks, specks) > 1.0:
        return "rainy" if streaks > specks else "snowy"
    _, _, blue = np.median(sky_lab, axis=0)
    if any(entity.tag == "sun" for entity in entities):
        return "sunny"
    if time == "day":
        if blue < -12:
            return "sunny"
        return "cloudy"
    return "clear"


def falling(pixels: Pixels) -> tuple[float, float]:
    """How much the image looks as if rain (slanted streaks) or snow (round specks) fell: about 1 where it begins to.

    Lone pixels that are brighter than their surroundings are counted; a streak goes on below or beside, a speck ends.
    """
    from scipy.ndimage import median_filter

    light = pixels.lab[..., 0]
    if min(light.shape) < 16:
        return 0.0, 0.0
    bump = light - median_filter(light, size=(3, 7))
    bright = bump > 4.0
    going_on = bright[:-4] & (bright[4:] | np.roll(bright, 1, axis=1)[4:] | np.roll(bright, -1, axis=1)[4:])
    share, streak = float(bright.mean()), float(going_on.mean())
    return streak / 0.01, (share - streak) / 0.01


def _viewpoint(entities: Sequence[Entity]) -> str | None:
    grounds = [
        item.box.y1 for item in entities if item.box and item.tag in GROUND_TAGS and item.box.x2 - item.box.x1 > 0.8
    ]
    if not grounds:
        return None
    horizon = min(grounds)
    if horizon < 0.27:
        return "high"
    return "low" if horizon > 0.55 else None
