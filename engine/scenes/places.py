"""All places, how often each is shown, and how one is filled with things."""

from pancap.engine.scenes import indoor_places, outdoor_places
from pancap.engine.scenes.actions import ACTIONS
from pancap.engine.scenes.plan import Plan
from pancap.engine.scenes.settings import MAX_WHOLES, Place, Setting

PLACES: tuple[Place, ...] = (
    Place(name="street", is_indoor=False, build=outdoor_places.build_street, weight=2.0),
    Place(name="park", is_indoor=False, build=outdoor_places.build_park, weight=2.0),
    Place(name="farm", is_indoor=False, build=outdoor_places.build_farm, weight=1.4),
    Place(
        name="beach",
        is_indoor=False,
        build=outdoor_places.build_beach,
        weathers=("sunny", "sunny", "cloudy", "rainy"),
        weight=1.3,
    ),
    Place(
        name="harbour",
        is_indoor=False,
        build=outdoor_places.build_harbour,
        weathers=("sunny", "sunny", "cloudy", "foggy"),
        weight=1.2,
    ),
    Place(
        name="winter",
        is_indoor=False,
        build=outdoor_places.build_winter,
        weathers=("snowy", "snowy", "sunny", "cloudy"),
        weight=1.3,
    ),
    Place(
        name="desert",
        is_indoor=False,
        build=outdoor_places.build_desert,
        weathers=("sunny", "sunny", "cloudy"),
        weight=0.9,
    ),
    Place(name="railway", is_indoor=False, build=outdoor_places.build_railway, weight=0.8),
    Place(name="camp", is_indoor=False, build=outdoor_places.build_camp, weight=0.9),
    Place(name="living room", is_indoor=True, build=indoor_places.build_living_room, weight=1.7),
    Place(name="kitchen", is_indoor=True, build=indoor_places.build_kitchen, weight=1.1),
    Place(name="bedroom", is_indoor=True, build=indoor_places.build_bedroom, weight=1.1),
    Place(name="office", is_indoor=True, build=indoor_places.build_office, weight=1.0),
    Place(name="tabletop", is_indoor=True, build=indoor_places.build_tabletop, weight=1.6),
)

_MAIN_ZONE_SHARE = 0.75
"""How often each of a place's first two zones gets its thing before anything else."""
_NUM_ACTIONS: tuple[float, float, float] = (0.3, 0.5, 0.2)
"""Shares of scenes with no, one and two actions."""


def furnish(setting: Setting, plan: Plan) -> None:
    """Fills a plan: what the place is known for, then actions, then single things until the scene is full."""
    room = MAX_WHOLES - setting.num_stuff
    wanted = int(plan.rng.integers(2, room + 1, size=2).max())
    used = [0] * len(setting.zones)

    def place(index: int) -> None:
        zone = setting.zones[index]
        if len(plan.items) < wanted and used[index] < zone.most and plan.place(zone) is not None:
            used[index] += 1

    for index in range(2):
        if plan.chance(_MAIN_ZONE_SHARE):
            place(index)
    for _ in range(int(plan.rng.choice(3, p=_NUM_ACTIONS)) if setting.actions else 0):
        name, index = setting.actions[int(plan.rng.integers(len(setting.actions)))]
        if len(plan.items) + 2 <= room:
            ACTIONS[name](plan, setting.zones[index])
    for _ in range(40):
        place(int(plan.rng.integers(len(setting.zones))))
    plan.items = plan.without(set(range(room, len(plan.items))))
