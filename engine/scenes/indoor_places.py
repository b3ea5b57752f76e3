"""Rooms and tables."""

import numpy as np

from pancap.engine.scenes.canvas import Canvas
from pancap.engine.scenes.plan import Zone
from pancap.engine.scenes.settings import Setting
from pancap.engine.scenes.stuff import paint_floor, paint_wall
from pancap.engine.scenes.vocabulary import PEOPLE, pick_paint, shade
from pancap.engine.scenes.world import World


def _room(
    world: World,
    *,
    standing: tuple[str, ...],
    hanging: tuple[str, ...],
    front: tuple[str, ...],
    actions: tuple[tuple[str, int], ...],
    has_rug: bool,
) -> Setting:
    def paint(canvas: Canvas, chance: np.random.Generator) -> None:
        wall = paint_wall(canvas, chance, world)
        paint_floor(canvas, chance, world, unlike=wall)

    floor = world.floor
    furniture = Zone(
        kinds=standing,
        y=(floor + 0.02, floor + 0.09),
        ground="floor",
        most=3,
        pose="lit" if world.room_light == "warm" else "",
    )
    wall = Zone(kinds=hanging, y=(floor * 0.36, floor * 0.48), height=(0.14, 0.24), most=2)
    near = Zone(kinds=front, y=(floor + 0.12, 0.95), ground="floor", most=2)
    rug = Zone(kinds=("rug",), y=(floor + 0.22, 0.97), ground="floor", height=(0.13, 0.18), most=1)
    zones = (furniture, wall, near, rug) if has_rug else (furniture, wall, near)
    return Setting(paint=paint, zones=zones, actions=actions)


def build_living_room(world: World, rng: np.random.Generator) -> Setting:
    """Sofa, lamp, pictures, television, pets."""
    return _room(
        world,
        standing=("sofa", "sofa", "lamp", "bookshelf", "cabinet", "potted plant", "chair", "table", "television"),
        hanging=("picture", "window", "clock", "picture", "window"),
        front=("dog", "cat", "ball", "teddy bear", *PEOPLE),
        has_rug=bool(rng.random() < 0.6),
        actions=(("sit", 0), ("pet_on_seat", 0), ("lay_table", 0), ("pet_on_seat", 0)),
    )


def build_kitchen(world: World, rng: np.random.Generator) -> Setting:
    """Refrigerator, stove, a laid table."""
    return _room(
        world,
        standing=("refrigerator", "stove", "cabinet", "table", "table", "chair", "chair"),
        hanging=("window", "clock", "window", "picture"),
        front=("cat", "dog", "chair", *PEOPLE),
        has_rug=False,
        actions=(("lay_table", 0), ("lay_table", 0), ("sit", 0)),
    )


def build_bedroom(world: World, rng: np.random.Generator) -> Setting:
    """Bed, lamp, cabinet, toys."""
    return _room(
        world,
        standing=("bed", "bed", "lamp", "cabinet", "chair", "bookshelf", "potted plant"),
        hanging=("window", "picture", "clock", "picture"),
        front=("cat", "dog", "teddy bear", "ball", "suitcase", "boy", "girl"),
        has_rug=bool(rng.random() < 0.6),
        actions=(("pet_on_seat", 0), ("lay_table", 0), ("sit", 0)),
    )


def build_office(world: World, rng: np.random.Generator) -> Setting:
    """Desk with a laptop, shelves, a clock."""
    return _room(
        world,
        standing=("desk", "desk", "chair", "bookshelf", "potted plant", "lamp", "cabinet"),
        hanging=("clock", "window", "picture"),
        front=("man", "woman", "suitcase", "chair"),
        has_rug=False,
        actions=(("lay_table", 0), ("lay_table", 0), ("sit", 0)),
    )


def build_tabletop(world: World, rng: np.random.Generator) -> Setting:
    """A close view of a table with small objects."""
    top = world.floor - 0.08

    def paint(canvas: Canvas, chance: np.random.Generator) -> None:
        wall = paint_wall(canvas, chance, world)
        wall.depth = 0.0
        _paint_table_top(canvas, chance, top=top)

    objects = (
        "cup",
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
        "potted plant",
        "lamp",
    )
    back = Zone(kinds=objects, y=(top + 0.05, top + 0.14), ground="table", grow=2.6, most=3)
    front = Zone(kinds=objects[:-3], y=(top + 0.2, 0.95), ground="table", grow=1.9, most=3)
    wall = Zone(kinds=("picture", "clock", "window"), y=(top - 0.26, top - 0.18), height=(0.18, 0.26), most=1)
    return Setting(paint=paint, zones=(back, front, wall), num_stuff=2)


def _paint_table_top(canvas: Canvas, rng: np.random.Generator, *, top: float) -> None:
    paint = pick_paint(rng, "brown", "brown", "beige", "white", "gray", "blue")
    draft = canvas.register("table", role="thing", attributes=[f"is {paint.name}"], texture="matte", depth=0.6)
    side = canvas.side
    y1 = int(top * side)
    canvas.gradient(top=shade(paint.rgb, factor=0.92), bottom=paint.light, y1=y1, y2=side, draft_id=draft.id)
    canvas.rectangle((0, y1, side, y1 + 5), rgb=paint.light, draft_id=draft.id)
    if paint.name in {"brown", "beige"}:
        draft.attributes.append("is made of wood")
        for y in np.cumsum([0.03, 0.05, 0.08, 0.12, 0.16]).tolist():
            canvas.rectangle((0, (top + y) * side, side, (top + y) * side + 2), rgb=paint.dark, draft_id=draft.id)
    elif paint.name == "blue":
        draft.attributes.append("has a checkered pattern")
        y, step, row = top + 0.01, 0.03, 0
        while y < 1.0:
            for k in range(-1, 12):
                if (k + row) % 2 == 0:
                    corners = (k * 0.09 * side, y * side, (k + 1) * 0.09 * side, (y + step) * side)
                    canvas.rectangle(corners, rgb=(240, 240, 238), draft_id=draft.id)
            y, step, row = y + step, step * 1.25, row + 1
