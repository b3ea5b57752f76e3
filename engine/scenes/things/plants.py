"""Trees, bushes, flowers and cacti."""

import numpy as np

from pancap.engine.scenes.canvas import Pen
from pancap.engine.scenes.things.kinds import chance, kind
from pancap.engine.scenes.vocabulary import RGB, Paint, pick_paint, shade

_BARK: RGB = (110, 76, 48)


@kind("tree", height_m=4.6, aspect=0.75)
def draw_tree(pen: Pen, rng: np.random.Generator) -> None:
    """A leafy tree, green or in autumn colours, bearing fruit now and then, bare in winter."""
    pen.shadow(0.3, depth=0.03)
    pen.draft.texture = "leaves"
    if pen.pose == "bare":
        _branches(pen, rng)
        pen.say("is brown", "is bare")
        return
    leaf = pick_paint(rng, "green", "green", "green", "orange", "yellow", "red")
    pen.say(f"is {leaf.name}")
    pen.poly((-0.06, 0.0), (0.06, 0.0), (0.035, 0.45), (-0.035, 0.45), rgb=_BARK)
    _crown(pen, rng, leaf, cx=0.0, cy=0.66, rx=0.33, ry=0.31)
    if chance(rng, 0.2) and leaf.name == "green":
        for _ in range(9):
            a, r = rng.uniform(0, 6.28), rng.uniform(0.05, 0.26)
            pen.oval(r * float(np.cos(a)), 0.66 + r * float(np.sin(a)), 0.03, 0.03, rgb=(214, 50, 42))
        pen.say("has red fruit")


@kind("pine tree", height_m=4.6, aspect=0.55)
def draw_pine_tree(pen: Pen, rng: np.random.Generator) -> None:
    """A conifer, in snow sometimes covered."""
    leaf = pick_paint(rng, "green")
    deep = Paint("green", shade(leaf.rgb, factor=0.68))
    is_snowy = pen.pose == "snowy"
    pen.say("is green")
    pen.shadow(0.22, depth=0.025)
    pen.draft.texture = "leaves"
    pen.rect(-0.04, 0.0, 0.04, 0.2, rgb=_BARK)
    tiers = int(rng.integers(3, 5))
    for i in range(tiers):
        low = 0.12 + i * 0.66 / tiers
        top = min(low + 0.42, 1.0)
        half = 0.28 * (1 - i / (tiers + 0.6))
        pen.poly((-half, low), (half, low), (0.0, top), rgb=shade(deep.rgb, factor=1 + 0.06 * i))
        pen.poly((half * 0.1, low), (half, low), (0.0, top), rgb=deep.dark)
        if is_snowy:
            pen.poly(
                (-half * 0.45, (low + top) / 2 + 0.02), (half * 0.4, (low + top) / 2), (0.0, top), rgb=(244, 248, 252)
            )
    if is_snowy:
        pen.say("is covered with snow")


@kind("palm tree", height_m=4.4, aspect=0.8)
def draw_palm_tree(pen: Pen, rng: np.random.Generator) -> None:
    """A palm with a leaning trunk."""
    leaf = pick_paint(rng, "green")
    pen.say("is green", "has a curved trunk")
    pen.shadow(0.2, depth=0.025)
    lean = float(rng.uniform(-0.16, 0.16))
    pen.line((0.0, 0.0), (lean * 0.25, 0.35), (lean, 0.8), width=0.055, rgb=(142, 104, 66))
    for y in np.arange(0.08, 0.75, 0.09).tolist():
        pen.line((lean * y * y - 0.03, y), (lean * y * y + 0.03, y), width=0.01, rgb=(110, 78, 48))
    for k, (dx, dy) in enumerate(((-0.36, -0.1), (-0.3, 0.1), (-0.12, 0.2), (0.12, 0.2), (0.3, 0.1), (0.36, -0.1))):
        rgb = leaf.rgb if k % 2 else leaf.dark
        mid = (lean + dx * 0.6, 0.84 + dy * 0.9 + 0.05)
        pen.poly((lean, 0.83), mid, (lean + dx, 0.78 + dy), (lean + dx * 0.55, 0.76 + dy * 0.75), rgb=rgb)
    if chance(rng, 0.5):
        for dx in (-0.05, 0.04):
            pen.oval(lean + dx, 0.78, 0.035, 0.035, rgb=(104, 66, 38))


@kind("bush", height_m=1.1, aspect=1.5)
def draw_bush(pen: Pen, rng: np.random.Generator) -> None:
    """A bush, sometimes in bloom."""
    leaf = pick_paint(rng, "green")
    pen.say("is green")
    pen.shadow(0.7)
    pen.draft.texture = "leaves"
    for x, y, r in ((-0.4, 0.34, 0.34), (0.4, 0.34, 0.34), (-0.15, 0.56, 0.42), (0.2, 0.54, 0.4), (0.0, 0.32, 0.34)):
        jitter = float(rng.uniform(0.9, 1.05))
        pen.oval(x, y, r * jitter, r * jitter * 0.95, rgb=shade(leaf.rgb, factor=0.82))
        pen.oval(x - 0.05, y + 0.08, r * 0.7, r * 0.62, rgb=leaf.rgb)
    if chance(rng, 0.45):
        bloom = pick_paint(rng, "red", "pink", "yellow", "white", "purple")
        for _ in range(14):
            pen.oval(rng.uniform(-0.55, 0.55), rng.uniform(0.2, 0.75), 0.06, 0.06, rgb=bloom.rgb)
        pen.say(f"has {bloom.name} flowers")


@kind("flower", height_m=0.8, aspect=0.55)
def draw_flower(pen: Pen, rng: np.random.Generator) -> None:
    """A single large flower."""
    petal = pick_paint(rng, "red", "yellow", "pink", "purple", "white", "orange", "blue")
    middle = (120, 76, 36) if petal.name in {"yellow", "orange", "white"} else (246, 208, 64)
    pen.say(f"is {petal.name}")
    pen.line((0.0, 0.0), (0.02, 0.35), (0.0, 0.72), width=0.05, rgb=(70, 136, 62))
    for side in (-1, 1):
        pen.poly((0.0, 0.2), (0.24 * side, 0.42), (0.06 * side, 0.4), rgb=(82, 152, 70))
    count = int(rng.integers(5, 8))
    for k in range(count):
        a = 2 * np.pi * k / count + 0.3
        pen.oval(0.16 * float(np.cos(a)), 0.74 + 0.16 * float(np.sin(a)), 0.11, 0.11, rgb=petal.rgb)
    pen.oval(0.0, 0.74, 0.1, 0.1, rgb=middle)


@kind("cactus", height_m=2.4, aspect=0.6)
def draw_cactus(pen: Pen, rng: np.random.Generator) -> None:
    """A column cactus with one or two arms."""
    leaf = pick_paint(rng, "green")
    pen.say("is green", "has spines")
    pen.shadow(0.25)
    pen.slab(-0.1, 0.0, 0.1, 1.0, radius=0.09, rgb=leaf.rgb)
    for side in (-1, 1) if chance(rng, 0.7) else (1,):
        y = float(rng.uniform(0.35, 0.5))
        pen.line((0.0, y), (0.24 * side, y), width=0.12, rgb=leaf.dark)
        pen.oval(0.24 * side, y, 0.065, 0.065, rgb=leaf.dark)
        pen.line((0.24 * side, y), (0.24 * side, y + 0.28), width=0.12, rgb=leaf.dark)
        pen.oval(0.24 * side, y + 0.28, 0.06, 0.06, rgb=leaf.dark)
    for x in (-0.05, 0.0, 0.05):
        pen.line((x, 0.05), (x, 0.95), width=0.012, rgb=shade(leaf.rgb, factor=1.35))


@kind("potted plant", height_m=1.0, aspect=0.75)
def draw_potted_plant(pen: Pen, rng: np.random.Generator) -> None:
    """A plant in a coloured pot."""
    pot = pick_paint(rng, "brown", "orange", "white", "blue", "black", "yellow")
    leaf = pick_paint(rng, "green")
    pen.say("is green", f"has a {pot.name} pot")
    for k in range(int(rng.integers(5, 8))):
        a = float(rng.uniform(-1.1, 1.1)) if k > 2 else (k - 1) * 0.8
        tip = (0.4 * np.sin(a), 0.4 + 0.58 * np.cos(a))
        side = 0.09 * float(np.cos(a)), 0.09 * float(np.sin(a))
        middle = (tip[0] * 0.6, 0.36 + (tip[1] - 0.36) * 0.6)
        pen.poly(
            (0.0, 0.34),
            (middle[0] - side[0], middle[1] + side[1]),
            (float(tip[0]), float(tip[1])),
            (middle[0] + side[0], middle[1] - side[1]),
            rgb=shade(leaf.rgb, factor=float(rng.uniform(0.75, 1.15))),
        )
    pen.poly((-0.21, 0.38), (0.21, 0.38), (0.15, 0.0), (-0.15, 0.0), rgb=pot.rgb)
    pen.rect(-0.24, 0.32, 0.24, 0.4, rgb=pot.dark)


def _crown(pen: Pen, rng: np.random.Generator, leaf: Paint, *, cx: float, cy: float, rx: float, ry: float) -> None:
    angles = np.linspace(0.0, 2 * np.pi, 9)[:-1] + float(rng.uniform(0, 0.7))
    for tone, scale, lift in ((0.74, 1.0, -0.02), (0.92, 0.85, 0.0), (1.1, 0.6, 0.05)):
        rgb = shade(leaf.rgb, factor=tone)
        for a in angles:
            x, y = cx + rx * 0.62 * scale * float(np.cos(a)), cy + lift + ry * 0.62 * scale * float(np.sin(a))
            pen.oval(x, y, rx * 0.4 * scale, ry * 0.4 * scale, rgb=rgb)
        pen.oval(cx, cy + lift, rx * 0.66 * scale, ry * 0.66 * scale, rgb=rgb)


def _branches(pen: Pen, rng: np.random.Generator) -> None:
    pen.poly((-0.06, 0.0), (0.06, 0.0), (0.02, 0.7), (-0.02, 0.7), rgb=_BARK)
    for side in (-1, 1):
        for y in (0.36, 0.5, 0.64):
            reach = float(rng.uniform(0.16, 0.3)) * side
            tip = (reach, y + float(rng.uniform(0.2, 0.32)))
            pen.line((0.0, y), (reach * 0.6, y + 0.12), tip, width=0.03, rgb=_BARK)
            pen.line((reach * 0.6, y + 0.12), (reach * 0.95, y + 0.13), width=0.02, rgb=_BARK)
