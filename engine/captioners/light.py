"""The state of the whole image, from its pixels: place, time of day, weather, light and viewpoint."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pancap.caption.boxes import Box
from pancap.caption.content import Entity
from pancap.engine.captioners.pixels import Pixels
from pancap.engine.captioners.sky import Time, read_sky
from pancap.engine.captioners.tags import GROUND_TAGS, INDOOR_TAGS, OUTDOOR_TAGS, PERSON_TAGS, SKY_TAGS

# Light that multiplies surface colours, as (red, green, blue): twilight is reddish, night bluish, lamps yellowish.
AMBIENT: dict[str, tuple[float, float, float]] = {
    "day": (1.0, 1.0, 1.0),
    "dusk": (0.9, 0.72, 0.62),
    "night": (0.38, 0.42, 0.56),
    "bright": (1.0, 1.0, 1.0),
    "warm": (0.96, 0.84, 0.68),
    "dim": (0.6, 0.58, 0.6),
}
_OVERCAST = 0.9
# 98th percentiles of the red and blue values of a room: dim rooms stay below the first, lamp light below the second.
_MAX_DIM_RED = 188.0
_MAX_WARM_BLUE = 182.0
_HIGH_HORIZON, _LOW_HORIZON = 0.28, 0.54


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
        red, green, blue = AMBIENT[self.lighting if self.is_indoor else self.time]
        share = _OVERCAST if self.weather in {"cloudy", "rainy", "foggy"} else 1.0
        return red * share, green * share, blue * share

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
    if is_indoor(entities):
        return SceneState(is_indoor=True, time="day", weather=None, lighting=_room_light(pixels), num_people=num_people)
    box, holes = _sky_region(entities)
    sky = read_sky(pixels, box or Box(0.0, 0.0, 1.0, 0.33), holes=holes)
    weather = sky.weather if box else None
    lighting = {"day": "bright" if weather == "sunny" else "soft", "dusk": "warm", "night": "dim"}[sky.time]
    return SceneState(
        is_indoor=False, time=sky.time, weather=weather, lighting=lighting, viewpoint=_viewpoint(entities),
        num_people=num_people,
    )  # fmt: skip


def is_indoor(entities: Sequence[Entity]) -> bool:
    """Whether the tags speak of a room: no sky, and more of what stands in rooms than of what stands outside."""
    tags = [entity.tag for entity in entities]
    if any(tag in SKY_TAGS for tag in tags):
        return False
    return sum(tag in INDOOR_TAGS for tag in tags) > sum(tag in OUTDOOR_TAGS for tag in tags)


def _room_light(pixels: Pixels) -> str:
    red, _, blue = np.percentile(pixels.rgb.reshape(-1, 3), 98, axis=0)
    if red < _MAX_DIM_RED:
        return "dim"
    return "warm" if blue < _MAX_WARM_BLUE else "bright"


def _sky_region(entities: Sequence[Entity]) -> tuple[Box | None, list[Box]]:
    sky = max(
        (item.box for item in entities if item.tag in SKY_TAGS and item.box), key=lambda box: box.area, default=None
    )
    if sky is None:
        return None, []
    return sky, [item.box for item in entities if item.box and item.box != sky and item.box.intersection(sky) > 0]


def _viewpoint(entities: Sequence[Entity]) -> str | None:
    boxes = [item.box for item in entities if item.box and item.tag in GROUND_TAGS]
    tops = [box.y1 for box in boxes if box.x2 - box.x1 > 0.8]
    if not tops:
        return None
    horizon = min(tops)
    if horizon < _HIGH_HORIZON:
        return "high"
    return "low" if horizon > _LOW_HORIZON else None
