"""Stuff: the regions that things stand on and before. Each function paints one and returns its draft."""

import numpy as np

from pancap.engine.scenes.canvas import Canvas, Draft
from pancap.engine.scenes.vocabulary import RGB, pick_paint, shade
from pancap.engine.scenes.world import World

_SKIES: dict[str, tuple[RGB, RGB]] = {
    "sunny": ((74, 144, 222), (178, 216, 242)),
    "clear": ((74, 144, 222), (178, 216, 242)),
    "cloudy": ((148, 158, 172), (196, 202, 210)),
    "rainy": ((104, 112, 126), (152, 160, 170)),
    "snowy": ((176, 184, 196), (216, 222, 230)),
    "foggy": ((190, 194, 200), (212, 214, 218)),
}


def paint_sky(canvas: Canvas, rng: np.random.Generator, world: World) -> Draft:
    """The sky down to the horizon; its colours are final (light does not change them)."""
    if world.time == "night":
        top, bottom, words = (12, 16, 42), (36, 46, 88), ["is dark"]
    elif world.time == "dusk":
        top, bottom = [((88, 70, 138), (250, 164, 92)), ((196, 96, 84), (252, 196, 120))][int(rng.integers(2))]
        words = ["is orange"]
    else:
        top, bottom = _SKIES[world.weather]
        words = ["is blue"] if world.weather in {"sunny", "clear"} else ["is gray"]
    draft = canvas.register("sky", role="stuff", attributes=words, texture="sky", depth=0.0)
    rows = int(world.horizon * canvas.side) + 2
    canvas.gradient(top=top, bottom=bottom, y1=0, y2=rows, draft_id=draft.id)
    if world.weather == "cloudy":
        draft.attributes.append("is cloudy")
        _overcast(canvas, rng, draft, rows=rows, base=bottom if world.time == "day" else shade(bottom, factor=0.8))
    elif world.time == "night" and world.weather == "clear":
        draft.attributes.append("is full of stars")
        for x, y in rng.random((36, 2)):
            px, py = x * canvas.side, y * rows * 0.9
            size = 1.0 if x < 0.7 else 1.8
            canvas.ellipse((px, py, px + size, py + size), rgb=(236, 236, 220), draft_id=draft.id)
    elif world.weather in {"sunny", "clear"}:
        draft.attributes.append("is clear")
    return draft


def paint_ground(
    canvas: Canvas, rng: np.random.Generator, *, tag: str, top: float, bottom: float = 1.0, depth: float = 0.1
) -> Draft:
    """A full-width band of a plain ground between two rows."""
    far, near, texture, words = _ground_look(rng, tag)
    draft = canvas.register(tag, role="stuff", attributes=words, texture=texture, depth=depth)
    y1, y2 = int(top * canvas.side), int(min(bottom, 1.0) * canvas.side)
    canvas.gradient(top=far, bottom=near, y1=y1, y2=y2, draft_id=draft.id)
    if tag == "sidewalk":
        _paving(canvas, draft, y1=y1, y2=y2, rgb=shade(near, factor=0.86), rng=rng)
    return draft


def paint_road(canvas: Canvas, rng: np.random.Generator, *, top: float, bottom: float, is_wet: bool) -> Draft:
    """A road across the image with kerbs and a dashed line."""
    tone = int(rng.integers(86, 108))
    draft = canvas.register("road", role="stuff", attributes=["is gray"], texture="fine", depth=0.2)
    draft.attributes.append("is wet" if is_wet else "has white markings")
    side = canvas.side
    y1, y2 = int(top * side), int(bottom * side)
    low = tone - 26 if is_wet else tone
    canvas.gradient(top=(tone, tone, tone + 4), bottom=(low, low, low + 8), y1=y1, y2=y2, draft_id=draft.id)
    for y, height in ((y1, 4), (y2 - 5, 5)):
        canvas.rectangle((0, y, side, y + height), rgb=(186, 184, 178), draft_id=draft.id)
    middle = y1 + int((y2 - y1) * 0.48)
    start = float(rng.uniform(-0.2, 0.0))
    for x in np.arange(start, 1.0, 0.2).tolist():
        canvas.rectangle((x * side, middle, (x + 0.11) * side, middle + 5), rgb=(228, 228, 222), draft_id=draft.id)
    return draft


def paint_path(canvas: Canvas, rng: np.random.Generator, world: World, *, tag: str = "path") -> Draft:
    """A path (or road) that runs from the viewer to the horizon."""
    paint = pick_paint(rng, "beige", "brown", "gray") if tag == "path" else pick_paint(rng, "gray")
    draft = canvas.register(tag, role="stuff", attributes=[f"is {paint.name}"], texture="fine", depth=0.2)
    side = canvas.side
    start, end = float(rng.uniform(0.3, 0.7)), float(rng.uniform(0.25, 0.75))
    half = float(rng.uniform(0.13, 0.2)) if tag == "path" else float(rng.uniform(0.26, 0.34))
    rows = np.linspace(world.horizon + 0.015, 1.0, 14)
    share = (rows - rows[0]) / (rows[-1] - rows[0])
    bend = float(rng.uniform(-0.1, 0.1)) * np.sin(share * np.pi) * share
    middle = end + (start - end) * share + bend
    width = 0.012 + half * share
    left = [(float(m - w) * side, float(y) * side) for m, w, y in zip(middle, width, rows, strict=True)]
    right = [(float(m + w) * side, float(y) * side) for m, w, y in zip(middle, width, rows, strict=True)]
    canvas.polygon(left + right[::-1], rgb=paint.rgb, draft_id=draft.id)
    if tag == "road":
        draft.attributes.append("has white markings")
        for k in range(1, 13, 2):
            (mx, my), (nx, ny) = [((left[i][0] + right[i][0]) / 2, left[i][1]) for i in (k, k + 1)]
            w = width[k] * side * 0.06
            canvas.polygon(
                [(mx - w, my), (mx + w, my), (nx + w, ny), (nx - w, ny)], rgb=(232, 232, 226), draft_id=draft.id
            )
    return draft


def paint_water(canvas: Canvas, rng: np.random.Generator, world: World, *, tag: str, bottom: float) -> Draft:
    """Sea (a band from the horizon) or a lake (an oval in the land)."""
    is_rough = tag == "sea" and bool(rng.random() < 0.4)
    draft = canvas.register(
        tag,
        role="stuff",
        attributes=["is blue", "is wavy" if is_rough else "is calm"],
        texture="waves" if is_rough else "water",
        depth=0.05,
    )
    jitter = int(rng.integers(-10, 11))
    far, near = (54, 112 + jitter, 176), (70, 150 + jitter, 200)
    side = canvas.side
    if tag == "sea":
        canvas.gradient(top=far, bottom=near, y1=int(world.horizon * side), y2=int(bottom * side), draft_id=draft.id)
        if is_rough:
            for _ in range(26):
                y = float(rng.uniform(world.horizon + 0.02, bottom - 0.01))
                reach = 0.02 + 0.1 * (y - world.horizon)
                x = float(rng.random())
                canvas.line(
                    [((x - reach) * side, y * side), (x * side, (y - 0.006) * side), ((x + reach) * side, y * side)],
                    width=2,
                    rgb=(214, 234, 242),
                    draft_id=draft.id,
                )
        return draft
    cx = float(rng.uniform(0.3, 0.7))
    rx, ry = float(rng.uniform(0.34, 0.5)), (bottom - world.horizon) * 0.5
    cy = (world.horizon + bottom) / 2 + 0.03
    for grow, rgb, owner in ((1.05, (150, 134, 96), None), (1.0, near, draft.id)):
        corners = ((cx - rx * grow) * side, (cy - ry * grow) * side, (cx + rx * grow) * side, (cy + ry * grow) * side)
        canvas.ellipse(corners, rgb=rgb, draft_id=owner)
    return draft


def paint_ridge(canvas: Canvas, rng: np.random.Generator, world: World, *, tag: str) -> Draft:
    """Mountains (jagged, perhaps snow-capped) or hills (smooth, green) behind everything."""
    side = canvas.side
    base = world.horizon + 0.01
    xs = np.linspace(-0.05, 1.05, 13 if tag == "mountain" else 23)
    if tag == "hill":
        phase = rng.uniform(0, 6.28, size=2)
        swell = 0.5 + 0.3 * np.sin(xs * 5 + phase[0]) + 0.2 * np.sin(xs * 9 + phase[1])
        rise = (0.05 + 0.1 * swell) * min(world.horizon / 0.4, 1.2)
        paint, texture, words = pick_paint(rng, "green"), "grass", ["is green"]
        rgb = shade(paint.rgb, factor=0.86)
    else:
        peaks = np.where(np.arange(len(xs)) % 2 == 1, rng.uniform(0.5, 1.0, len(xs)), rng.uniform(0.12, 0.42, len(xs)))
        rise = 0.6 * peaks * world.horizon
        paint, texture, words = pick_paint(rng, "gray", "brown", "blue"), "rough", []
        rgb = shade(paint.rgb, factor=1.12)
        words = [f"is {paint.name}"]
    draft = canvas.register(tag, role="stuff", attributes=words, texture=texture, depth=0.02)
    crest = [(float(x) * side, float(base - r) * side) for x, r in zip(xs, rise, strict=True)]
    canvas.polygon([*crest, (side * 1.05, base * side), (-side * 0.05, base * side)], rgb=rgb, draft_id=draft.id)
    if tag == "mountain":
        for k in range(1, len(xs) - 1, 2):
            (ax, ay), (px, py), (bx, by) = crest[k - 1], crest[k], crest[k + 1]
            low = base * side
            canvas.polygon(
                [(px, py), (bx, by), (bx, low), (px + (bx - px) * 0.15, low)],
                rgb=shade(rgb, factor=0.82),
                draft_id=draft.id,
            )
            if world.weather == "snowy" or rise[k] > 0.62 * 0.6 * world.horizon:
                t = 0.34
                cap = [
                    (px, py),
                    (px + (bx - px) * t, py + (by - py) * t),
                    (px + (bx - px) * 0.1, py + (by - py) * 0.26),
                    (px + (ax - px) * 0.1, py + (ay - py) * 0.34),
                    (px + (ax - px) * t, py + (ay - py) * t),
                ]
                canvas.polygon(cap, rgb=(244, 247, 250), draft_id=draft.id)
                if len(draft.attributes) < 2:
                    draft.attributes.append("has snowy peaks")
    return draft


def paint_railroad(canvas: Canvas, rng: np.random.Generator, *, y: float, height: float) -> Draft:
    """A track across the image: ballast, sleepers, two rails."""
    draft = canvas.register(
        "railroad", role="stuff", attributes=["is gray", "is made of metal"], texture="rough", depth=0.2
    )
    side = canvas.side
    canvas.rectangle((0, (y - height) * side, side, (y + height) * side), rgb=(140, 130, 122), draft_id=draft.id)
    for x in np.arange(float(rng.uniform(-0.03, 0.0)), 1.0, 0.045).tolist():
        corners = (x * side, (y - height * 0.8) * side, (x + 0.018) * side, (y + height * 0.8) * side)
        canvas.rectangle(corners, rgb=(88, 66, 50), draft_id=draft.id)
    for dy in (-0.5, 0.45):
        top = (y + dy * height) * side
        canvas.rectangle((0, top, side, top + 3), rgb=(184, 186, 192), draft_id=draft.id)
    return draft


def paint_wall(canvas: Canvas, rng: np.random.Generator, world: World) -> Draft:
    """The back wall of a room: plain, papered in stripes, tiled or of brick."""
    paint = pick_paint(rng, "beige", "white", "yellow", "blue", "green", "pink", "gray", "orange")
    soft = shade(paint.rgb, factor=1.42 if paint.name in {"blue", "green", "orange", "gray"} else 1.2)
    draft = canvas.register("wall", role="stuff", attributes=[f"is {paint.name}"], texture="matte", depth=0.0)
    side = canvas.side
    y2 = int(world.floor * side)
    canvas.gradient(top=soft, bottom=shade(soft, factor=0.93), y1=0, y2=y2, draft_id=draft.id)
    style = int(rng.integers(5))
    line = shade(soft, factor=0.87)
    if style == 0:
        for x in np.arange(0.0, 1.0, 0.08).tolist():
            canvas.rectangle((x * side, 0, (x + 0.04) * side, y2), rgb=line, draft_id=draft.id)
        draft.attributes.append("has a striped pattern")
    elif style in {1, 2}:
        step = 0.05 if style == 1 else 0.075
        for i, y in enumerate(np.arange(0.0, world.floor - 0.01, step).tolist()):
            canvas.rectangle((0, y * side, side, y * side + 1), rgb=line, draft_id=draft.id)
            for x in np.arange(step * (i % 2) if style == 1 else 0.0, 1.0, step * 2 if style == 1 else step).tolist():
                corners = (x * side, y * side, x * side + 1, min(y + step, world.floor) * side - 1)
                canvas.rectangle(corners, rgb=line, draft_id=draft.id)
        draft.attributes.append("is made of brick" if style == 1 else "is made of tile")
    canvas.rectangle((0, y2 - 8, side, y2), rgb=(242, 240, 234), draft_id=draft.id)
    return draft


def paint_floor(canvas: Canvas, rng: np.random.Generator, world: World, *, unlike: Draft) -> Draft:
    """The floor of a room: boards or tiles in perspective, or a carpet; not of the wall's colour."""
    style = int(rng.integers(3))
    names = (("brown", "beige"), ("white", "gray", "beige"), ("gray", "blue", "green", "red"))[style]
    paint = pick_paint(rng, *(name for name in names if f"is {name}" not in unlike.attributes))
    rgb = shade(paint.rgb, factor=1.12)
    draft = canvas.register(
        "floor", role="stuff", attributes=[f"is {paint.name}"], depth=0.0, texture="fine" if style == 2 else "matte"
    )
    side = canvas.side
    y1 = int(world.floor * side)
    canvas.gradient(top=shade(rgb, factor=0.86), bottom=rgb, y1=y1, y2=side, draft_id=draft.id)
    draft.attributes.append(("is made of wood", "is made of tile", "is covered with carpet")[style])
    if style == 2:
        return draft
    line = shade(rgb, factor=0.78)
    vanish = world.horizon - 0.5
    for x in np.arange(-1.0, 2.01, 0.11).tolist():
        near = 0.5 + (x - 0.5) * (1.0 - vanish) / (world.floor - vanish)
        canvas.line([(x * side, y1), (near * side, side)], width=2, rgb=line, draft_id=draft.id)
    if style == 1:
        y, step = world.floor, 0.03
        while y < 1.0:
            canvas.rectangle((0, y * side, side, y * side + 1), rgb=line, draft_id=draft.id)
            y, step = y + step, step * 1.3
    return draft


def _ground_look(rng: np.random.Generator, tag: str) -> tuple[RGB, RGB, str, list[str]]:
    tone = int(rng.integers(-10, 11))
    looks: dict[str, tuple[RGB, RGB, str, list[str]]] = {
        "grass": ((104 + tone, 158 + tone, 78), (84 + tone, 144 + tone, 60), "grass", ["is green"]),
        "sand": ((232, 212 + tone // 2, 168), (222, 194 + tone // 2, 146), "fine", ["is beige"]),
        "snow": ((238, 242, 248), (250, 251, 253), "smooth", ["is white"]),
        "sidewalk": (
            (182 + tone, 180 + tone, 176 + tone),
            (170 + tone, 168 + tone, 164 + tone),
            "fine",
            ["is gray", "is made of concrete"],
        ),
    }
    if tag != "field":
        return looks[tag]
    if rng.random() < 0.5:
        return (226, 196 + tone, 96), (206, 170 + tone, 72), "crop", ["is yellow"]
    return (128 + tone, 168 + tone, 84), (98 + tone, 146 + tone, 60), "crop", ["is green"]


def _overcast(canvas: Canvas, rng: np.random.Generator, draft: Draft, *, rows: int, base: RGB) -> None:
    for _ in range(16):
        x, y = rng.uniform(-0.1, 1.1) * canvas.side, rng.uniform(-0.05, 0.75) * rows
        rx, ry = rng.uniform(0.08, 0.22) * canvas.side, rng.uniform(0.04, 0.12) * rows
        tone = shade(base, factor=float(rng.uniform(0.86, 1.12)))
        canvas.ellipse((x - rx, y - ry, x + rx, min(y + ry, rows - 3)), rgb=tone, draft_id=draft.id)


def _paving(canvas: Canvas, draft: Draft, *, y1: int, y2: int, rgb: RGB, rng: np.random.Generator) -> None:
    side = canvas.side
    shift = float(rng.uniform(0, 0.1))
    for x in np.arange(-0.3, 1.3, 0.1).tolist():
        canvas.line(
            [((x + shift) * side, y1), ((0.5 + (x + shift - 0.5) * 1.25) * side, y2)],
            width=1,
            rgb=rgb,
            draft_id=draft.id,
        )
    for y in (y1 + (y2 - y1) * 0.3, y1 + (y2 - y1) * 0.65):
        canvas.rectangle((0, int(y), side, int(y) + 1), rgb=rgb, draft_id=draft.id)
