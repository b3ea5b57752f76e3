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


def furnish(setting: Setting, plan: Plan) -> None:
    """Fills a plan: one or two actions, then single things until the scene is full."""
    room = MAX_WHOLES - setting.num_stuff
    wanted = int(plan.rng.integers(2, room + 1))
    for _ in range(int(plan.rng.integers(0, 3)) if setting.actions else 0):
        name, zone_index = setting.actions[int(plan.rng.integers(len(setting.actions)))]
        if len(plan.items) + 3 <= room:
            ACTIONS[name](plan, setting.zones[zone_index])
    used = [0] * len(setting.zones)
    for _ in range(40):
        if len(plan.items) >= wanted:
            return
        index = int(plan.rng.integers(len(setting.zones)))
        if used[index] < setting.zones[index].most and plan.place(setting.zones[index]) is not None:
            used[index] += 1
