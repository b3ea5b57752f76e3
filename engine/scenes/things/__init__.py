"""Everything that Scenes can draw, one function a kind; importing this package fills `kinds.KINDS`."""

from pancap.engine.scenes.things import (
    animals,
    buildings,
    furniture,
    people,
    plants,
    sky_objects,
    small_objects,
    street,
    vehicles,
)
from pancap.engine.scenes.things.kinds import KINDS, Kind

__all__ = [
    "KINDS",
    "Kind",
    "animals",
    "buildings",
    "furniture",
    "people",
    "plants",
    "sky_objects",
    "small_objects",
    "street",
    "vehicles",
]
