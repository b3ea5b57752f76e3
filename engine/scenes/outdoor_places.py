"""Places under the sky."""

import numpy as np

from pancap.engine.scenes.canvas import Canvas
from pancap.engine.scenes.plan import Zone
from pancap.engine.scenes.settings import Setting
from pancap.engine.scenes.stuff import (
    paint_ground,
    paint_path,
    paint_railroad,
    paint_ridge,
    paint_road,
    paint_sky,
    paint_water,
)
from pancap.engine.scenes.vocabulary import PEOPLE
from pancap.engine.scenes.world import World

_SKY: tuple[str, ...] = ("airplane", "bird", "hot air balloon", "cloud", "cloud", "kite")


def _sky_zone(world: World, *, kinds: tuple[str, ...] = _SKY) -> Zone:
    pose = "gray" if world.weather in {"rainy", "cloudy", "snowy"} else "fly"
    if world.weather in {"sunny", "clear"}:
        light = {"day": "sun", "dusk": "sun", "night": "moon"}[world.time]
        kinds = (*kinds, light, light, light)
    if world.is_night:
        kinds = tuple(tag for tag in kinds if tag not in {"cloud", "kite", "bird"})
    top = world.horizon
    return Zone(
        kinds=kinds,
        y=(top * 0.45, max(top * 0.62, 0.14)),
        height=(0.09, max(0.1, min(0.16, top * 0.42))),
        pose=pose,
        most=2,
    )


def _at(world: World, low: float, high: float) -> tuple[float, float]:
    """Rows at shares of the way from the horizon to the lower edge."""
    span = 1.0 - world.horizon
    return world.horizon + low * span, world.horizon + high * span


def build_street(world: World, rng: np.random.Generator) -> Setting:
    """A street along buildings: road, vehicles, and a pavement before or behind it with people."""
    is_near = rng.random() < 0.6
    shares = (0.16, 0.56, 1.0) if is_near else (0.12, 0.4, 1.0)
    first, second = (_at(world, share, 1.0)[0] for share in shares[:2])
    road_rows, walk_rows = ((first, second), (second, 1.0)) if is_near else ((second, 1.0), (first, second))
    is_wet = world.weather == "rainy"

    def paint(canvas: Canvas, chance: np.random.Generator) -> None:
        paint_sky(canvas, chance, world)
        paint_ground(canvas, chance, tag="grass", top=world.horizon, bottom=first + 0.01)
        paint_ground(canvas, chance, tag="sidewalk", top=walk_rows[0], bottom=walk_rows[1], depth=0.15)
        paint_road(canvas, chance, top=road_rows[0], bottom=road_rows[1], is_wet=is_wet)

    backs = Zone(
        kinds=("house", "house", "building", "building", "tree"),
        y=_at(world, shares[0] * 0.6, shares[0] * 0.95),
        ground="grass",
        grow=1.4,
    )
    walk = Zone(
        kinds=(
            *PEOPLE,
            *PEOPLE,
            "dog",
            "street lamp",
            "traffic light",
            "sign",
            "stop sign",
            "fire hydrant",
            "mailbox",
            "bench",
        ),
        y=(walk_rows[0] + 0.35 * (walk_rows[1] - walk_rows[0]), walk_rows[1] - 0.03),
        ground="sidewalk",
        most=3,
    )
    far, near = (0.45, 0.95) if is_near else (0.12, 0.6)
    span = road_rows[1] - road_rows[0]
    road = Zone(
        kinds=("car", "car", "bus", "truck", "bicycle", "car"),
        y=(road_rows[0] + far * span, road_rows[0] + near * span),
        ground="road",
        most=2,
    )
    actions = (("hold", 2), ("walk_dog", 2), ("sit", 2), ("ride", 0))
    return Setting(paint=paint, zones=(road, backs, walk), actions=actions, num_stuff=4)


def build_park(world: World, rng: np.random.Generator) -> Setting:
    """A park: lawn, path, trees, benches, play."""
    has_path, has_lake = rng.random() < 0.5, rng.random() < 0.35

    def paint(canvas: Canvas, chance: np.random.Generator) -> None:
        paint_sky(canvas, chance, world)
        paint_ground(canvas, chance, tag="grass", top=world.horizon)
        if has_lake:
            paint_water(canvas, chance, world, tag="lake", bottom=_at(world, 0.0, 0.42)[1])
        elif has_path:
            paint_path(canvas, chance, world)

    back = Zone(
        kinds=("tree", "tree", "pine tree", "bush", "street lamp"), y=_at(world, 0.18, 0.4), ground="grass", most=3
    )
    front = Zone(
        kinds=(
            *PEOPLE,
            *PEOPLE,
            "dog",
            "dog",
            "cat",
            "bird",
            "duck",
            "bench",
            "ball",
            "flower",
            "bush",
            "bicycle",
            "sign",
            "fence",
        ),
        y=_at(world, 0.42, 0.9),
        ground="grass",
        most=4,
    )
    zones = [back, front, _sky_zone(world)]
    if has_lake:
        zones.append(
            Zone(kinds=("duck", "boat"), y=_at(world, 0.22, 0.36), ground="lake", pose="float", grow=1.3, most=2)
        )
    actions = (
        ("sit", 1),
        ("walk_dog", 1),
        ("play_ball", 1),
        ("fly_kite", 1),
        ("hold", 1),
        ("ride", 1),
        ("pet_on_seat", 1),
    )
    return Setting(paint=paint, zones=tuple(zones), actions=actions, num_stuff=2 + (has_path or has_lake))


def build_farm(world: World, rng: np.random.Generator) -> Setting:
    """Farmland: barn, animals, fences, crops, hills."""
    ground = ("grass", "field")[int(rng.integers(2))]
    has_hill = rng.random() < 0.5

    def paint(canvas: Canvas, chance: np.random.Generator) -> None:
        paint_sky(canvas, chance, world)
        if has_hill:
            paint_ridge(canvas, chance, world, tag="hill")
        paint_ground(canvas, chance, tag=ground, top=world.horizon)

    back = Zone(kinds=("barn", "barn", "house", "windmill", "tree"), y=_at(world, 0.14, 0.32), ground=ground, most=2)
    front = Zone(
        kinds=("cow", "cow", "sheep", "sheep", "horse", "dog", "man", "woman", "fence", "duck", "bush", "truck"),
        y=_at(world, 0.38, 0.85),
        ground=ground,
        most=4,
    )
    actions = (("ride", 1), ("pet_on_seat", 1), ("walk_dog", 1))
    return Setting(paint=paint, zones=(back, front, _sky_zone(world)), actions=actions, num_stuff=2 + has_hill)


def build_beach(world: World, rng: np.random.Generator) -> Setting:
    """A beach: sea, sand, palms, boats."""
    shore = _at(world, 0.0, float(rng.uniform(0.26, 0.38)))[1]

    def paint(canvas: Canvas, chance: np.random.Generator) -> None:
        paint_sky(canvas, chance, world)
        paint_water(canvas, chance, world, tag="sea", bottom=shore)
        paint_ground(canvas, chance, tag="sand", top=shore)

    sea = Zone(
        kinds=("sailboat", "sailboat", "boat"),
        y=(min(world.horizon + 0.07, shore - 0.025), shore - 0.02),
        ground="sea",
        grow=1.25,
        most=2,
    )
    back = Zone(
        kinds=("palm tree", "palm tree", "house", "lighthouse"), y=(shore + 0.03, shore + 0.12), ground="sand", most=2
    )
    front = Zone(
        kinds=(*PEOPLE, *PEOPLE, "dog", "ball", "bird", "bench", "umbrella", "palm tree"),
        y=(shore + 0.12, 0.95),
        ground="sand",
        most=3,
    )
    actions = (("play_ball", 2), ("hold", 2), ("walk_dog", 2), ("fly_kite", 2), ("sit", 2))
    return Setting(paint=paint, zones=(sea, back, front, _sky_zone(world)), actions=actions, num_stuff=3)


def build_harbour(world: World, rng: np.random.Generator) -> Setting:
    """A shore seen from land: water, a lighthouse or mountains, boats, ducks."""
    shore = _at(world, 0.0, float(rng.uniform(0.5, 0.62)))[1]
    has_mountain = rng.random() < 0.6

    def paint(canvas: Canvas, chance: np.random.Generator) -> None:
        paint_sky(canvas, chance, world)
        if has_mountain:
            paint_ridge(canvas, chance, world, tag="mountain")
        paint_water(canvas, chance, world, tag="sea", bottom=shore)
        paint_ground(canvas, chance, tag="grass", top=shore)

    water = Zone(kinds=("boat", "sailboat", "sailboat"), y=(world.horizon + 0.1, shore - 0.03), ground="sea", most=2)
    land = Zone(
        kinds=("lighthouse", "lighthouse", "tree", "house", "pine tree"),
        y=(shore + 0.02, shore + 0.06),
        ground="grass",
        height=(0.34, 0.5),
        most=1,
    )
    front = Zone(
        kinds=(*PEOPLE, "bench", "dog", "cat", "flower", "bush", "sign", "fence", "suitcase"),
        y=(min(shore + 0.1, 0.95), 0.96),
        ground="grass",
        most=3,
    )
    ducks = Zone(
        kinds=("duck",), y=((world.horizon + shore) / 2, shore - 0.01), ground="sea", pose="float", grow=1.3, most=2
    )
    actions = (("sit", 2), ("walk_dog", 2), ("hold", 2))
    return Setting(
        paint=paint, zones=(water, land, front, ducks, _sky_zone(world)), actions=actions, num_stuff=3 + has_mountain
    )


def build_winter(world: World, rng: np.random.Generator) -> Setting:
    """Snow: pines, a house, a snowman, mountains."""
    has_mountain = rng.random() < 0.6

    def paint(canvas: Canvas, chance: np.random.Generator) -> None:
        paint_sky(canvas, chance, world)
        if has_mountain:
            paint_ridge(canvas, chance, world, tag="mountain")
        paint_ground(canvas, chance, tag="snow", top=world.horizon)

    pines = Zone(kinds=("pine tree",), y=_at(world, 0.16, 0.42), ground="snow", pose="snowy", most=2)
    back = Zone(kinds=("house", "house", "tree", "barn"), y=_at(world, 0.14, 0.3), ground="snow", pose="bare", most=1)
    front = Zone(
        kinds=("snowman", "snowman", *PEOPLE, "dog", "cat", "horse", "sign", "fence", "street lamp", "bench"),
        y=_at(world, 0.42, 0.85),
        ground="snow",
        most=3,
    )
    actions = (("walk_dog", 2), ("hold", 2), ("ride", 2), ("sit", 2))
    return Setting(
        paint=paint,
        zones=(pines, back, front, _sky_zone(world, kinds=("cloud", "airplane"))),
        actions=actions,
        num_stuff=2 + has_mountain,
    )


def build_desert(world: World, rng: np.random.Generator) -> Setting:
    """Sand, cacti, a road, mountains."""
    has_road = rng.random() < 0.4

    def paint(canvas: Canvas, chance: np.random.Generator) -> None:
        paint_sky(canvas, chance, world)
        paint_ridge(canvas, chance, world, tag="mountain")
        paint_ground(canvas, chance, tag="sand", top=world.horizon)
        if has_road:
            paint_path(canvas, chance, world, tag="road")

    back = Zone(kinds=("cactus", "cactus", "house", "palm tree"), y=_at(world, 0.2, 0.4), ground="sand", most=3)
    front = Zone(
        kinds=("cactus", "truck", "car", "horse", "man", "woman", "tent", "stop sign", "sign", "bird", "dog"),
        y=_at(world, 0.42, 0.8),
        ground="sand",
        most=3,
    )
    actions = (("ride", 1), ("walk_dog", 1), ("hold", 1))
    return Setting(paint=paint, zones=(back, front, _sky_zone(world)), actions=actions, num_stuff=3 + has_road)


def build_railway(world: World, rng: np.random.Generator) -> Setting:
    """A train in the country."""
    track = _at(world, 0.0, float(rng.uniform(0.34, 0.48)))[1]
    ground = ("grass", "field")[int(rng.integers(2))]
    has_ridge = rng.random() < 0.5

    def paint(canvas: Canvas, chance: np.random.Generator) -> None:
        paint_sky(canvas, chance, world)
        if has_ridge:
            paint_ridge(canvas, chance, world, tag="mountain" if chance.random() < 0.5 else "hill")
        paint_ground(canvas, chance, tag=ground, top=world.horizon)
        paint_railroad(canvas, chance, y=track, height=0.03)

    train = Zone(kinds=("train",), y=(track, track + 0.005), ground="railroad", height=(0.17, 0.24), most=1)
    back = Zone(kinds=("tree", "house", "pine tree", "windmill"), y=_at(world, 0.12, 0.22), ground=ground, most=1)
    front = Zone(
        kinds=("traffic light", "sign", "cow", "sheep", "bush", "man", "woman", "fence", "bench", "suitcase", "flower"),
        y=(track + 0.1, 0.95),
        ground=ground,
        most=3,
    )
    actions = (("hold", 2), ("sit", 2))
    return Setting(paint=paint, zones=(train, back, front, _sky_zone(world)), actions=actions, num_stuff=3 + has_ridge)


def build_camp(world: World, rng: np.random.Generator) -> Setting:
    """A camp site by a lake or under mountains."""
    has_lake = rng.random() < 0.5

    def paint(canvas: Canvas, chance: np.random.Generator) -> None:
        paint_sky(canvas, chance, world)
        paint_ridge(canvas, chance, world, tag="mountain")
        paint_ground(canvas, chance, tag="grass", top=world.horizon)
        if has_lake:
            paint_water(canvas, chance, world, tag="lake", bottom=_at(world, 0.0, 0.4)[1])

    back = Zone(kinds=("pine tree", "pine tree", "tree"), y=_at(world, 0.2, 0.44), ground="grass", most=3)
    front = Zone(
        kinds=("tent", "tent", *PEOPLE, "dog", "bicycle", "car", "bird", "flower", "bush"),
        y=_at(world, 0.46, 0.88),
        ground="grass",
        most=3,
    )
    zones = [back, front, _sky_zone(world)]
    if has_lake:
        zones.append(
            Zone(kinds=("duck", "boat", "sailboat"), y=_at(world, 0.2, 0.34), ground="lake", pose="float", most=1)
        )
    actions = (("walk_dog", 1), ("play_ball", 1), ("hold", 1), ("ride", 1))
    return Setting(paint=paint, zones=tuple(zones), actions=actions, num_stuff=3 + has_lake)
