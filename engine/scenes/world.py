"""The state of the world that one scene shows: camera, time of day, weather and light."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

Time = Literal["day", "dusk", "night"]
Weather = Literal["sunny", "clear", "cloudy", "rainy", "snowy", "foggy"]
Viewpoint = Literal["eye level", "high", "low"]
RoomLight = Literal["bright", "warm", "dim"]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What all things of a scene share.

    Args:
        is_indoor: a room, or under the sky.
        time: time of day (indoors: what windows show).
        weather: outdoors only.
        viewpoint: camera height.
        room_light: indoors only.
        horizon: row of the horizon, in fractions of the image (indoors: the vanishing line behind the wall).
        camera_m: camera height; a thing of h metres whose foot is at row y is `h * (y - horizon) / camera_m` high.
        floor: row where the ground begins (outdoors the horizon, indoors the foot of the wall).
    """

    is_indoor: bool
    time: Time
    weather: Weather
    viewpoint: Viewpoint
    room_light: RoomLight
    horizon: float
    camera_m: float
    floor: float

    @property
    def is_night(self) -> bool:
        """True when lamps are lit."""
        return self.time == "night"

    def scale_at(self, y: float) -> float:
        """Fractions of the image per metre for a foot at row y."""
        return (y - self.horizon) / self.camera_m

    def globals(self, *, num_people: int, num_lights: int) -> tuple[str, ...]:
        """Clauses about the whole image, each visible in its pixels."""
        view = {"high": "the viewpoint is high", "low": "the viewpoint is low"}.get(self.viewpoint)
        if self.is_indoor:
            mood = "cozy" if self.room_light == "warm" or num_lights else "calm"
            clauses = ["the scene is indoors", f"the lighting is {self.room_light}", f"the mood is {mood}"]
            return (*clauses, view) if view else tuple(clauses)
        times = {"day": "the scene is during the day", "dusk": "the scene is at dusk", "night": "the scene is at night"}
        clauses = ["the scene is outdoors", times[self.time], f"the weather is {self.weather}"]
        light = {"day": "bright" if self.weather == "sunny" else "soft", "dusk": "warm", "night": "dim"}[self.time]
        if view:
            clauses.append(view)
        elif num_people >= 2 and self.time == "day":
            clauses.append("the mood is lively")
        else:
            clauses.append(f"the lighting is {light}")
        return tuple(clauses)


def imagine_world(rng: np.random.Generator, *, is_indoor: bool, weathers: tuple[Weather, ...]) -> World:
    """Draws a world at random.

    Args:
        rng: source of chance.
        is_indoor: room or open air.
        weathers: what the place allows (no snow on a beach).
    """
    time: Time = ("day", "dusk", "night")[int(rng.choice(3, p=[0.62, 0.18, 0.2]))]
    weather = weathers[int(rng.integers(len(weathers)))]
    if time != "day" and weather == "sunny":
        weather = "clear"
    viewpoint: Viewpoint = ("eye level", "high", "low")[int(rng.choice(3, p=[0.7, 0.18, 0.12]))]
    if is_indoor:
        floor = float(rng.uniform(0.6, 0.7))
        horizon = floor - float(rng.uniform(0.29, 0.34))
        lights: tuple[RoomLight, ...] = ("bright", "warm", "dim") if time == "day" else ("warm", "warm", "dim")
        light = lights[int(rng.choice(3, p=[0.6, 0.2, 0.2]))]
        return World(
            is_indoor=True,
            time="night" if time == "night" else "day",
            weather="clear",
            viewpoint="eye level",
            room_light=light,
            horizon=horizon,
            camera_m=float(rng.uniform(1.4, 1.6)),
            floor=floor,
        )
    low, high, camera = {"eye level": (0.36, 0.46, 1.95), "high": (0.15, 0.21, 3.1), "low": (0.6, 0.66, 1.15)}[
        viewpoint
    ]
    horizon = float(rng.uniform(low, high))
    return World(
        is_indoor=False,
        time=time,
        weather=weather,
        viewpoint=viewpoint,
        room_light="bright",
        horizon=horizon,
        camera_m=camera * float(rng.uniform(0.92, 1.08)),
        floor=horizon,
    )
