"""What a place is: its paint, its zones, its actions."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pancap.engine.scenes.canvas import Canvas
from pancap.engine.scenes.plan import Zone
from pancap.engine.scenes.world import Weather, World

_ALL_WEATHER: tuple[Weather, ...] = ("sunny", "sunny", "sunny", "cloudy", "rainy", "foggy")

MAX_WHOLES = 7
"""Stuff and things of a scene; what is left of nine entities goes to parts."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A place in one world: how to paint it and where things go.

    Args:
        paint: paints all stuff, far to near.
        zones: where things may stand.
        actions: names from `actions.ACTIONS`, each tried in the zone of the given index.
        num_stuff: regions that `paint` makes.
    """

    paint: Callable[[Canvas, np.random.Generator], None]
    zones: tuple[Zone, ...]
    actions: tuple[tuple[str, int], ...] = ()
    num_stuff: int = 2


@dataclass(frozen=True, kw_only=True)
class Place:
    """A kind of place.

    Args:
        name: for records.
        is_indoor: a room.
        build: makes its setting for a world; may draw from rng.
        weathers: allowed outdoors.
        weight: how often it is chosen.
    """

    name: str
    is_indoor: bool
    build: Callable[[World, np.random.Generator], Setting]
    weathers: tuple[Weather, ...] = _ALL_WEATHER
    weight: float = 1.0
