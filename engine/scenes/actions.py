"""Things that belong together: riders, walkers of dogs, cups on tables. Each returns False when it does not fit."""

from collections.abc import Callable

from pancap.engine.scenes.plan import SURFACES, Item, Plan, Zone
from pancap.engine.scenes.things import KINDS
from pancap.engine.scenes.things.people import HAND
from pancap.engine.scenes.vocabulary import PEOPLE

Action = Callable[[Plan, Zone], bool]

_NEAR = 0.001
"""Step of the painter's order within a group."""
_SIT_HIP = 0.46
_TABLE_OBJECTS: tuple[str, ...] = (
    "cup",
    "bottle",
    "vase",
    "book",
    "laptop",
    "apple",
    "orange",
    "banana",
    "bowl",
    "plate",
    "candle",
    "teddy bear",
    "lamp",
    "potted plant",
)
HELD: tuple[str, ...] = ("umbrella", "umbrella", "balloon", "suitcase")
"""What people hold."""


def ride(plan: Plan, zone: Zone) -> bool:
    """Someone rides a bicycle or a horse."""
    mount_tag = "bicycle" if zone.ground in {"road", "path", "sidewalk"} else plan.choose("bicycle", "horse", "horse")
    index = plan.place(zone, tag=mount_tag, pose="saddle")
    if index is None:
        return False
    mount = plan.items[index]
    ratio, seat_x, seat_y = (1.5, -0.2, 0.93) if mount_tag == "bicycle" else (0.82, -0.04, 0.7)
    height = mount.height * ratio
    rider = plan.make(
        plan.choose(*PEOPLE[:2]),
        x=mount.x + seat_x * mount.height * mount.sign,
        y=mount.y - seat_y * mount.height + _SIT_HIP * height,
        height=height,
        pose="ride",
        order=mount.order + _NEAR,
        flip=mount.flip,
    )
    if rider.y - rider.height < 0.0:
        plan.items.pop()
        return False
    plan.items[plan.add(rider)].links.append(("rides", index))
    return True


def hold(plan: Plan, zone: Zone) -> bool:
    """Someone holds an umbrella or a balloon, or carries a suitcase."""
    prop_tag = plan.choose(*HELD)
    index = plan.place(zone, tag=plan.choose(*PEOPLE), pose="carry" if prop_tag == "suitcase" else "hold")
    if index is None:
        return False
    person = plan.items[index]
    if prop_tag == "suitcase":
        x, y, height, order = person.x + 0.18 * person.height * person.sign, person.y, 0.42 * person.height, _NEAR
    else:
        x = person.x + HAND[0] * person.height * person.sign
        y = person.y - HAND[1] * person.height
        height = person.height * (0.68 if prop_tag == "umbrella" else 0.62)
        order = -_NEAR
    prop = plan.make(prop_tag, x=x, y=y, height=height, order=person.order + order)
    if y - height < -0.03:
        plan.items.pop()
        return False
    person.links.append(("holds", plan.add(prop)))
    return True


def walk_dog(plan: Plan, zone: Zone) -> bool:
    """Someone walks a dog on a leash."""
    index = plan.place(zone, tag=plan.choose(*PEOPLE), pose="walk")
    if index is None:
        return False
    person = plan.items[index]
    height = KINDS["dog"].height_m / KINDS[person.tag].height_m * person.height
    dog = plan.make(
        "dog",
        x=person.x + (0.3 * person.height + 0.7 * height) * person.sign,
        y=person.y + 0.01,
        height=height,
        order=person.order + _NEAR,
        ground=zone.ground,
        flip=person.flip,
    )
    if not (0.06 < dog.x < 0.94) or height < 0.08 or not plan.fits(dog, most_covered=0.5):
        plan.items.pop()
        return False
    hand = (person.x + 0.2 * person.height * person.sign, person.y - 0.52 * person.height)
    dog.cord = (*hand, dog.x + 0.3 * height * dog.sign, dog.y - 0.62 * height)
    person.links.append(("walks", plan.add(dog)))
    return True


def play_ball(plan: Plan, zone: Zone) -> bool:
    """A child or a dog plays with a ball."""
    index = plan.place(zone, tag=plan.choose("boy", "girl", "dog"), pose="walk")
    if index is None:
        return False
    player = plan.items[index]
    height = KINDS["ball"].height_m / KINDS[player.tag].height_m * player.height * 0.9
    reach = 0.32 * player.height if player.tag != "dog" else 0.85 * player.height
    ball = plan.make(
        "ball",
        x=player.x + (reach + height / 2) * player.sign,
        y=player.y + 0.01,
        height=height,
        order=player.order + _NEAR,
        ground=zone.ground,
    )
    if not (0.05 < ball.x < 0.95) or height < 0.055 or not plan.fits(ball, most_covered=0.5):
        plan.items.pop()
        return False
    player.links.append(("plays with", plan.add(ball)))
    return True


def fly_kite(plan: Plan, zone: Zone) -> bool:
    """A child flies a kite."""
    index = plan.place(zone, tag=plan.choose("boy", "girl", "woman", "man"), pose="hold")
    if index is None:
        return False
    person = plan.items[index]
    kite = plan.make(
        "kite",
        x=person.x + plan.rng.uniform(0.15, 0.35) * person.sign,
        y=max(person.y - person.height, 0.3) - 0.06,
        height=float(plan.rng.uniform(0.15, 0.22)),
        order=person.order - _NEAR,
    )
    if not (0.06 < kite.x < 0.94) or not 0.18 < kite.y < 0.6 or not plan.fits(kite):
        plan.items.pop()
        return False
    hand = (person.x + HAND[0] * person.height * person.sign, person.y - HAND[1] * person.height)
    kite.cord = (*hand, kite.x, kite.y - 0.4 * kite.height)
    person.links.append(("flies", plan.add(kite)))
    return True


def sit(plan: Plan, zone: Zone) -> bool:
    """Someone sits on a bench, a sofa, a chair or a bed."""
    seats = tuple(tag for tag in ("bench", "sofa", "chair", "bed") if tag in zone.kinds)
    support = _support(plan, zone, seats)
    if support is None:
        return False
    seat = plan.items[support]
    tag = plan.choose(*PEOPLE)
    height = KINDS[tag].height_m / KINDS[seat.tag].height_m * seat.height * 0.95
    shift = 0.0 if seat.tag == "chair" else float(plan.rng.uniform(-0.25, 0.25)) * seat.width
    surface = seat.y - SURFACES[seat.tag] * seat.height
    flip = seat.flip if seat.tag == "chair" else None
    person = plan.make(
        tag,
        x=seat.x + shift,
        y=surface + _SIT_HIP * height,
        height=height,
        pose="sit",
        order=seat.order + _NEAR,
        flip=flip,
    )
    if person.y - height < 0.0:
        return False
    plan.items[plan.add(person)].links.append(("sits on", support))
    return True


def pet_on_seat(plan: Plan, zone: Zone) -> bool:
    """A cat or a bird sits on furniture or a fence."""
    supports = tuple(tag for tag in ("sofa", "chair", "bed", "bench", "fence", "cabinet", "table") if tag in zone.kinds)
    support = _support(plan, zone, supports)
    if support is None:
        return False
    seat = plan.items[support]
    tag = "bird" if seat.tag == "fence" else plan.choose("cat", "cat", "teddy bear" if plan.world.is_indoor else "bird")
    height = KINDS[tag].height_m / KINDS[seat.tag].height_m * seat.height * (1.3 if tag == "bird" else 1.0)
    pet = _on_top(plan, seat, tag, height=height, pose="sit")
    if pet is None:
        return False
    pet.links.append(("is on top of" if tag == "teddy bear" else "sits on", support))
    plan.add(pet)
    return True


def lay_table(plan: Plan, zone: Zone) -> bool:
    """One to three objects stand on a table, desk or cabinet."""
    supports = tuple(tag for tag in ("table", "desk", "cabinet") if tag in zone.kinds)
    support = _support(plan, zone, supports)
    if support is None:
        return False
    seat = plan.items[support]
    placed = 0
    for _ in range(int(plan.rng.integers(1, 4))):
        tag = plan.choose(*_TABLE_OBJECTS)
        height = KINDS[tag].height_m / KINDS[seat.tag].height_m * seat.height * (0.5 if tag == "lamp" else 1.15)
        pose = "lit" if tag == "lamp" and plan.chance(0.6) else ""
        item = _on_top(plan, seat, tag, height=height, pose=pose)
        if item is None or any(other.tag == tag for other in plan.items):
            continue
        item.links.append(("is on top of", support))
        plan.add(item)
        placed += 1
    return placed > 0


ACTIONS: dict[str, Action] = {
    "ride": ride,
    "hold": hold,
    "walk_dog": walk_dog,
    "play_ball": play_ball,
    "fly_kite": fly_kite,
    "sit": sit,
    "pet_on_seat": pet_on_seat,
    "lay_table": lay_table,
}


def _support(plan: Plan, zone: Zone, tags: tuple[str, ...]) -> int | None:
    if not tags:
        return None
    for index, item in enumerate(plan.items):
        if item.tag in tags and item.tag in SURFACES:
            return index
    return plan.place(zone, tag=plan.choose(*tags))


def _on_top(plan: Plan, seat: Item, tag: str, *, height: float, pose: str) -> Item | None:
    width = height * KINDS[tag].aspect
    for _ in range(6):
        reach = max(seat.width * 0.44 - width / 2, 0.0)
        x = seat.x + float(plan.rng.uniform(-reach, reach))
        item = plan.make(
            tag,
            x=x,
            y=seat.y - SURFACES[seat.tag] * seat.height,
            height=height,
            pose=pose,
            order=seat.order + 2 * _NEAR,
        )
        inside = 0.02 < x < 0.98 and item.y - height > -0.02
        clear = all(
            abs(other.x - x) > 0.48 * (other.width + width)
            for other in plan.items
            if other is not seat and abs(other.y - item.y) < 0.12
        )
        if inside and clear and height > 0.045:
            return item
    return None
