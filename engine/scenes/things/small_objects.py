"""Things that stand on tables, are held in hands, or float."""

import numpy as np

from pancap.engine.scenes.canvas import Pen
from pancap.engine.scenes.things.kinds import chance, choose, kind
from pancap.engine.scenes.vocabulary import PATTERNS, RGB, pick_paint, shade

_BRIGHT: tuple[str, ...] = ("red", "orange", "yellow", "green", "blue", "purple", "pink")


@kind("cup", height_m=0.34, aspect=1.0)
def draw_cup(pen: Pen, rng: np.random.Generator) -> None:
    """A cup with a handle, sometimes patterned."""
    paint = pick_paint(rng, *_BRIGHT, "white", "black")
    pen.say(f"is {paint.name}")
    angles = np.linspace(-1.3, 1.3, 9)
    pen.line(
        *[(0.38 + 0.2 * float(np.cos(a)), 0.52 + 0.25 * float(np.sin(a))) for a in angles], width=0.09, rgb=paint.dark
    )
    pen.poly((-0.4, 0.95), (0.4, 0.95), (0.33, 0.0), (-0.33, 0.0), rgb=paint.rgb)
    pen.oval(0.0, 0.93, 0.4, 0.08, rgb=paint.dark)
    if chance(rng, 0.4):
        pattern = choose(rng, *PATTERNS)
        ink = (248, 246, 240) if paint.name != "white" else (70, 110, 190)
        pen.pattern(pattern, -0.32, 0.12, 0.32, 0.78, rgb=ink, count=3)
        pen.say(f"has a {pattern} pattern")


@kind("bottle", height_m=0.75, aspect=0.32)
def draw_bottle(pen: Pen, rng: np.random.Generator) -> None:
    """A glass bottle with a label."""
    paint = pick_paint(rng, "green", "brown", "blue", "red", "white")
    label = pick_paint(rng, *(name for name in ("white", "yellow", "red") if name != paint.name))
    pen.say(f"is {paint.name}", f"has a {label.name} label")
    pen.slab(-0.15, 0.0, 0.15, 0.64, radius=0.05, rgb=paint.rgb)
    pen.poly((-0.15, 0.6), (0.15, 0.6), (0.055, 0.76), (-0.055, 0.76), rgb=paint.rgb)
    pen.rect(-0.055, 0.74, 0.055, 0.95, rgb=paint.dark)
    pen.rect(-0.07, 0.93, 0.07, 1.0, rgb=(60, 50, 44))
    pen.rect(-0.15, 0.2, 0.15, 0.46, rgb=label.rgb)
    pen.rect(-0.12, 0.05, -0.08, 0.6, rgb=paint.light)


@kind("vase", height_m=0.75, aspect=0.6)
def draw_vase(pen: Pen, rng: np.random.Generator) -> None:
    """A vase, usually with flowers in it."""
    paint = pick_paint(rng, *_BRIGHT, "white")
    pen.say(f"is {paint.name}")
    if chance(rng, 0.75):
        bloom = pick_paint(rng, *(name for name in ("red", "yellow", "pink", "purple", "white") if name != paint.name))
        for x, y in ((-0.2, 0.84), (0.0, 0.92), (0.2, 0.85)):
            pen.line((0.0, 0.45), (x, y), width=0.025, rgb=(74, 136, 66))
            pen.oval(x, y, 0.1, 0.085, rgb=bloom.rgb)
            pen.oval(x, y, 0.035, 0.03, rgb=(248, 214, 90) if bloom.name != "yellow" else (130, 80, 40))
        pen.say(f"holds {bloom.name} flowers")
    pen.oval(0.0, 0.22, 0.22, 0.22, rgb=paint.rgb)
    pen.poly((-0.1, 0.55), (0.1, 0.55), (0.18, 0.3), (-0.18, 0.3), rgb=paint.rgb)
    pen.oval(0.0, 0.55, 0.11, 0.03, rgb=paint.dark)
    pen.rect(-0.12, 0.0, 0.12, 0.05, rgb=paint.dark)


@kind("book", height_m=0.16, aspect=2.6)
def draw_book(pen: Pen, rng: np.random.Generator) -> None:
    """One or more closed books lying flat, or an open one."""
    paint = pick_paint(rng, *_BRIGHT, "brown", "black")
    pen.say(f"is {paint.name}")
    if chance(rng, 0.35):
        pen.poly((-1.2, 0.0), (1.2, 0.0), (1.1, 0.3), (-1.1, 0.3), rgb=paint.rgb)
        for side in (-1, 1):
            pen.poly((0.0, 0.1), (1.1 * side, 0.2), (0.95 * side, 1.0), (0.0, 0.75), rgb=(248, 244, 232))
            for y in (0.4, 0.6):
                pen.line((0.15 * side, y), (0.9 * side, y + 0.15), width=0.04, rgb=(170, 166, 158))
        pen.say("is open")
        return
    pen.rect(-1.2, 0.0, 1.2, 1.0, rgb=paint.rgb)
    pen.rect(-1.1, 0.16, 1.22, 0.84, rgb=(246, 240, 224))
    pen.rect(-1.24, 0.0, -1.05, 1.0, rgb=paint.dark)
    pen.rect(-1.2, 0.84, 1.22, 1.0, rgb=paint.light)
    pen.say("is closed")


@kind("laptop", height_m=0.55, aspect=1.5)
def draw_laptop(pen: Pen, rng: np.random.Generator) -> None:
    """An open laptop."""
    body = pick_paint(rng, "gray", "black", "white")
    screen = pick_paint(rng, "blue", "green", "purple", "orange")
    pen.say(f"is {body.name}", "is open")
    pen.rect(-0.6, 0.1, 0.6, 1.0, rgb=body.rgb)
    with pen.part("screen", f"is {screen.name}", fallback=(f"has a {screen.name} screen",)):
        pen.rect(-0.54, 0.18, 0.54, 0.94, rgb=screen.rgb, glow=120)
        pen.rect(-0.45, 0.7, 0.1, 0.84, rgb=screen.light, glow=120)
        for y in (0.34, 0.46, 0.58):
            pen.rect(-0.45, y, 0.35 - 0.3 * (y - 0.3), y + 0.05, rgb=screen.light, glow=120)
    pen.poly((-0.6, 0.12), (0.6, 0.12), (0.76, 0.0), (-0.76, 0.0), rgb=body.dark)


@kind("apple", height_m=0.26, aspect=1.0)
def draw_apple(pen: Pen, rng: np.random.Generator) -> None:
    """An apple with a leaf."""
    paint = pick_paint(rng, "red", "green", "yellow", "red")
    pen.say(f"is {paint.name}")
    for x in (-0.17, 0.17):
        pen.oval(x, 0.44, 0.33, 0.42, rgb=paint.rgb)
    pen.oval(-0.2, 0.56, 0.1, 0.14, rgb=paint.light)
    pen.line((0.0, 0.78), (0.06, 1.0), width=0.07, rgb=(92, 62, 38))
    pen.poly((0.06, 0.88), (0.34, 1.0), (0.26, 0.82), rgb=(86, 158, 70))


@kind("orange", height_m=0.26, aspect=1.0)
def draw_orange(pen: Pen, rng: np.random.Generator) -> None:
    """An orange: round, dimpled."""
    paint = pick_paint(rng, "orange")
    pen.say("is orange", "is round")
    pen.oval(0.0, 0.48, 0.48, 0.48, rgb=paint.rgb)
    pen.oval(-0.14, 0.62, 0.18, 0.16, rgb=paint.light)
    for x, y in ((0.12, 0.3), (0.26, 0.5), (-0.1, 0.2), (0.08, 0.62), (-0.3, 0.42)):
        pen.oval(x, y, 0.025, 0.025, rgb=paint.dark)
    pen.oval(0.02, 0.93, 0.07, 0.05, rgb=(86, 140, 62))


@kind("banana", height_m=0.26, aspect=1.9)
def draw_banana(pen: Pen, rng: np.random.Generator) -> None:
    """A curved banana."""
    paint = pick_paint(rng, "yellow", "yellow", "green")
    pen.say(f"is {paint.name}", "is curved")
    outer = [(0.9 * float(np.cos(a)), 0.95 + 0.95 * float(np.sin(a))) for a in np.linspace(np.pi, 2 * np.pi, 13)]
    inner = [(0.8 * float(np.cos(a)), 1.0 + 0.55 * float(np.sin(a))) for a in np.linspace(2 * np.pi, np.pi, 13)]
    pen.poly(*outer, *inner, rgb=paint.rgb)
    pen.line(*outer[3:10], width=0.07, rgb=paint.dark)
    pen.rect(-0.94, 0.86, -0.8, 1.0, rgb=(104, 82, 44))
    pen.rect(0.8, 0.86, 0.92, 1.0, rgb=(104, 82, 44))


@kind("bowl", height_m=0.3, aspect=1.9)
def draw_bowl(pen: Pen, rng: np.random.Generator) -> None:
    """A bowl, empty or with fruit."""
    paint = pick_paint(rng, *_BRIGHT, "white", "brown")
    pen.say(f"is {paint.name}")
    if chance(rng, 0.5):
        for x, name in ((-0.45, "red"), (0.0, "orange"), (0.42, "green")):
            pen.oval(x, 0.72, 0.3, 0.28, rgb=pick_paint(rng, name).rgb)
        pen.say("is full of fruit")
    else:
        pen.oval(0.0, 0.72, 0.92, 0.16, rgb=paint.dark)
        pen.say("is empty")
    pen.poly((-0.92, 0.72), (0.92, 0.72), (0.66, 0.24), (0.34, 0.05), (-0.34, 0.05), (-0.66, 0.24), rgb=paint.rgb)
    pen.rect(-0.34, 0.0, 0.34, 0.08, rgb=paint.dark)
    pen.line((-0.92, 0.71), (0.92, 0.71), width=0.06, rgb=paint.light)


@kind("plate", height_m=0.13, aspect=4.4)
def draw_plate(pen: Pen, rng: np.random.Generator) -> None:
    """A plate seen from the side and a little above."""
    paint = pick_paint(rng, "white", "blue", "yellow", "pink", "green")
    pen.say(f"is {paint.name}", "is round")
    pen.oval(0.0, 0.4, 2.2, 0.42, rgb=paint.dark)
    pen.oval(0.0, 0.55, 2.2, 0.42, rgb=paint.rgb)
    pen.oval(0.0, 0.55, 1.4, 0.25, rgb=paint.light)


@kind("candle", height_m=0.5, aspect=0.34)
def draw_candle(pen: Pen, rng: np.random.Generator) -> None:
    """A candle, burning or not."""
    paint = pick_paint(rng, "white", "red", "yellow", "purple", "blue")
    is_lit = chance(rng, 0.65)
    pen.say(f"is {paint.name}", "is lit" if is_lit else "is unlit")
    pen.oval(0.0, 0.04, 0.2, 0.05, rgb=(150, 130, 90))
    pen.rect(-0.1, 0.04, 0.1, 0.72, rgb=paint.rgb)
    pen.rect(0.04, 0.04, 0.1, 0.72, rgb=paint.dark)
    pen.line((0.0, 0.7), (0.0, 0.8), width=0.025, rgb=(50, 44, 40))
    if is_lit:
        pen.oval(0.0, 0.87, 0.075, 0.13, rgb=(255, 176, 60), glow=255)
        pen.oval(0.0, 0.84, 0.035, 0.07, rgb=(255, 244, 190), glow=255)


@kind("teddy bear", height_m=0.75, aspect=0.75)
def draw_teddy_bear(pen: Pen, rng: np.random.Generator) -> None:
    """A sitting teddy bear with a ribbon."""
    fur = pick_paint(rng, "brown", "beige", "white", "pink", "gray")
    ribbon = pick_paint(rng, *(name for name in ("red", "blue", "green", "yellow") if name != fur.name))
    pen.say(f"is {fur.name}", f"has a {ribbon.name} ribbon")
    pen.oval(0.0, 0.3, 0.25, 0.28, rgb=fur.rgb)
    pen.oval(0.0, 0.28, 0.15, 0.18, rgb=fur.light)
    for side in (-1, 1):
        pen.oval(0.25 * side, 0.1, 0.13, 0.1, rgb=fur.dark)
        pen.oval(0.28 * side, 0.4, 0.1, 0.13, rgb=fur.dark)
        pen.oval(0.19 * side, 0.92, 0.09, 0.08, rgb=fur.dark)
    pen.oval(0.0, 0.74, 0.25, 0.22, rgb=fur.rgb)
    pen.oval(0.0, 0.67, 0.11, 0.08, rgb=fur.light)
    for x in (-0.09, 0.09):
        pen.oval(x, 0.79, 0.025, 0.025, rgb=(28, 24, 24))
    pen.oval(0.0, 0.69, 0.035, 0.025, rgb=(28, 24, 24))
    for side in (-1, 1):
        pen.poly((0.0, 0.52), (0.12 * side, 0.58), (0.12 * side, 0.46), rgb=ribbon.rgb)


@kind("ball", height_m=0.5, aspect=1.0)
def draw_ball(pen: Pen, rng: np.random.Generator) -> None:
    """A ball: plain, striped or dotted."""
    paint = pick_paint(rng, *_BRIGHT, "white")
    other: RGB = (248, 246, 240) if paint.name not in {"white", "yellow"} else (60, 104, 190)
    pen.say(f"is {paint.name}")
    pen.shadow(0.45, depth=0.08)
    pen.oval(0.0, 0.5, 0.5, 0.5, rgb=paint.rgb)
    style = int(rng.integers(3))
    if style == 1:
        pen.oval(0.0, 0.5, 0.3, 0.5, rgb=other)
        pen.oval(0.0, 0.5, 0.12, 0.5, rgb=paint.rgb)
        pen.say("has a striped pattern")
    elif style == 2:
        for x, y in ((-0.22, 0.66), (0.2, 0.7), (0.0, 0.42), (-0.28, 0.34), (0.28, 0.38), (0.02, 0.14)):
            pen.oval(x, y, 0.09, 0.09, rgb=other)
        pen.say("has a dotted pattern")
    pen.oval(-0.17, 0.72, 0.1, 0.08, rgb=paint.light)


@kind("umbrella", height_m=1.1, aspect=1.3)
def draw_umbrella(pen: Pen, rng: np.random.Generator) -> None:
    """An open umbrella, plain or with gores of two colours."""
    paint = pick_paint(rng, *_BRIGHT, "black", "white")
    pen.say(f"is {paint.name}", "is open")
    pen.line((0.0, 0.0), (0.0, 0.96), width=0.035, rgb=(90, 70, 54))
    edge = [(x, 0.5 + 0.46 * float(np.sqrt(max(1 - (x / 0.65) ** 2, 0.0)))) for x in np.linspace(-0.65, 0.65, 15)]
    scallop = [
        (0.52, 0.56),
        (0.39, 0.5),
        (0.26, 0.56),
        (0.13, 0.5),
        (0.0, 0.56),
        (-0.13, 0.5),
        (-0.26, 0.56),
        (-0.39, 0.5),
        (-0.52, 0.56),
    ]
    pen.poly(*edge, *scallop, rgb=paint.rgb)
    gore = paint.dark
    if chance(rng, 0.4):
        gore = (248, 246, 240) if paint.name != "white" else (206, 56, 56)
        pen.say("has a striped pattern")
    pen.poly((-0.39, 0.5), (0.0, 0.96), (-0.13, 0.5), rgb=gore)
    pen.poly((0.39, 0.5), (0.0, 0.96), (0.13, 0.5), rgb=gore)
    pen.oval(0.0, 0.98, 0.02, 0.03, rgb=(60, 50, 46))


@kind("suitcase", height_m=0.75, aspect=0.85)
def draw_suitcase(pen: Pen, rng: np.random.Generator) -> None:
    """A suitcase with a handle."""
    paint = pick_paint(rng, "brown", "red", "blue", "black", "green", "orange")
    pen.say(f"is {paint.name}", "is closed")
    pen.line((-0.14, 0.78), (-0.14, 0.97), (0.14, 0.97), (0.14, 0.78), width=0.06, rgb=(60, 56, 54))
    pen.slab(-0.42, 0.04, 0.42, 0.84, radius=0.08, rgb=paint.rgb)
    for x in (-0.25, 0.25):
        pen.rect(x - 0.04, 0.04, x + 0.04, 0.84, rgb=shade(paint.rgb, factor=0.6))
        pen.oval(x, 0.03, 0.06, 0.05, rgb=(34, 34, 36))


@kind("balloon", height_m=0.95, aspect=0.5)
def draw_balloon(pen: Pen, rng: np.random.Generator) -> None:
    """A balloon on a string."""
    paint = pick_paint(rng, *_BRIGHT)
    pen.say(f"is {paint.name}")
    pen.line((0.0, 0.45), (0.03, 0.25), (0.0, 0.0), width=0.015, rgb=(96, 92, 90))
    pen.poly((-0.05, 0.4), (0.05, 0.4), (0.0, 0.48), rgb=paint.dark)
    pen.oval(0.0, 0.72, 0.24, 0.28, rgb=paint.rgb)
    pen.oval(-0.08, 0.82, 0.06, 0.08, rgb=paint.light)


@kind("kite", height_m=1.4, aspect=0.6)
def draw_kite(pen: Pen, rng: np.random.Generator) -> None:
    """A kite with a tail."""
    first = pick_paint(rng, *_BRIGHT)
    second = pick_paint(rng, *(name for name in _BRIGHT if name != first.name))
    pen.say(f"is {first.name} and {second.name}", "is flying")
    pen.line((0.0, 0.4), (0.1, 0.28), (-0.04, 0.15), (0.06, 0.0), width=0.02, rgb=(80, 76, 74))
    for x, y in ((0.08, 0.28), (-0.02, 0.15)):
        pen.poly((x - 0.06, y + 0.03), (x + 0.06, y - 0.03), (x + 0.06, y + 0.03), (x - 0.06, y - 0.03), rgb=second.rgb)
    pen.poly((0.0, 1.0), (0.28, 0.74), (0.0, 0.36), (-0.28, 0.74), rgb=first.rgb)
    pen.poly((0.0, 1.0), (0.28, 0.74), (0.0, 0.74), rgb=second.rgb)
    pen.poly((0.0, 0.36), (-0.28, 0.74), (0.0, 0.74), rgb=second.rgb)
