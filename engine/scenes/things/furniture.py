"""Furniture and what hangs on walls."""

import numpy as np

from pancap.engine.scenes.canvas import Pen
from pancap.engine.scenes.things.kinds import chance, choose, kind
from pancap.engine.scenes.vocabulary import PATTERNS, Paint, pick_paint, shade

_FABRICS: tuple[str, ...] = ("red", "blue", "green", "gray", "brown", "purple", "orange", "yellow", "pink", "beige")
TABLE_TOP = 1.0
"""Height of the surface that objects stand on, in the frame of tables and desks."""


@kind("table", height_m=0.95, aspect=1.9)
def draw_table(pen: Pen, rng: np.random.Generator) -> None:
    """A table, wooden or with a coloured top."""
    _draw_board(pen, rng, half=0.92)


@kind("desk", height_m=0.98, aspect=1.9)
def draw_desk(pen: Pen, rng: np.random.Generator) -> None:
    """A desk: a table with drawers on one side."""
    paint = _draw_board(pen, rng, half=0.92)
    with pen.part("drawer", f"is {paint.name}", "is closed"):
        pen.rect(0.34, 0.2, 0.86, 0.86, rgb=paint.rgb)
        for y in (0.42, 0.64):
            pen.rect(0.34, y - 0.01, 0.86, y + 0.01, rgb=shade(paint.rgb, factor=0.55))
        for y in (0.31, 0.53, 0.75):
            pen.oval(0.6, y, 0.04, 0.03, rgb=(224, 206, 140))


@kind("chair", height_m=1.15, aspect=0.62)
def draw_chair(pen: Pen, rng: np.random.Generator) -> None:
    """A chair, side on: wooden, or with a cushion."""
    paint = pick_paint(rng, "brown", "brown", "white", "black", "red", "blue", "green", "yellow")
    pen.say(f"is {paint.name}")
    pen.shadow(0.32)
    for x, rgb in ((-0.24, paint.dark), (0.22, paint.dark)):
        pen.rect(x - 0.035, 0.0, x + 0.035, 0.45, rgb=rgb)
    pen.poly((-0.3, 0.42), (-0.22, 0.42), (-0.26, 1.0), (-0.34, 1.0), rgb=paint.rgb)
    pen.slab(-0.34, 0.62, -0.22, 1.0, radius=0.04, rgb=paint.rgb)
    pen.rect(-0.29, 0.4, 0.3, 0.49, rgb=paint.rgb)
    if chance(rng, 0.4):
        cushion = pick_paint(rng, *(name for name in ("red", "blue", "green", "yellow") if name != paint.name))
        pen.slab(-0.22, 0.47, 0.28, 0.56, radius=0.04, rgb=cushion.rgb)
        pen.say(f"has a {cushion.name} cushion")
    else:
        pen.say("is made of wood" if paint.name == "brown" else "is made of metal")


@kind("sofa", height_m=1.2, aspect=2.05)
def draw_sofa(pen: Pen, rng: np.random.Generator) -> None:
    """A sofa: two cushions, arms, perhaps a pattern."""
    paint = pick_paint(rng, *_FABRICS)
    pen.say(f"is {paint.name}")
    pen.shadow(1.02, depth=0.05)
    for x in (-0.86, 0.86):
        pen.rect(x - 0.05, 0.0, x + 0.05, 0.12, rgb=(74, 52, 36))
    pen.slab(-0.9, 0.3, 0.9, 1.0, radius=0.1, rgb=paint.rgb)
    if chance(rng, 0.35):
        pattern = choose(rng, *PATTERNS)
        pen.pattern(pattern, -0.74, 0.52, 0.74, 0.96, rgb=shade(paint.rgb, factor=1.5), count=5)
        pen.say(f"has a {pattern} pattern")
    pen.line((0.0, 0.52), (0.0, 0.96), width=0.012, rgb=paint.dark)
    for x in (-0.38, 0.38):
        pen.slab(x - 0.37, 0.3, x + 0.37, 0.54, radius=0.07, rgb=paint.light)
    pen.rect(-0.9, 0.1, 0.9, 0.34, rgb=paint.dark)
    for x in (-0.88, 0.88):
        pen.slab(x - 0.14, 0.1, x + 0.14, 0.68, radius=0.09, rgb=paint.rgb)


@kind("bed", height_m=1.2, aspect=1.9)
def draw_bed(pen: Pen, rng: np.random.Generator) -> None:
    """A bed, side on: frame, blanket, pillow."""
    wood = pick_paint(rng, "brown", "white", "black", "beige")
    blanket = pick_paint(rng, *_FABRICS)
    pen.say(f"has a {blanket.name} blanket", f"has a {wood.name} frame")
    pen.shadow(0.95, depth=0.05)
    pen.rect(-0.94, 0.0, -0.82, 1.0, rgb=wood.rgb)
    pen.rect(0.84, 0.0, 0.94, 0.62, rgb=wood.rgb)
    pen.rect(-0.84, 0.14, 0.86, 0.34, rgb=wood.dark)
    pen.rect(-0.82, 0.34, 0.84, 0.52, rgb=(238, 236, 230))
    pen.slab(-0.8, 0.48, -0.42, 0.68, radius=0.08, rgb=(250, 250, 248))
    pen.slab(-0.36, 0.2, 0.86, 0.6, radius=0.07, rgb=blanket.rgb)
    if chance(rng, 0.4):
        pattern = choose(rng, *PATTERNS)
        pen.pattern(pattern, -0.3, 0.24, 0.8, 0.56, rgb=shade(blanket.rgb, factor=1.55), count=5)
        pen.say(f"has a {pattern} pattern")


@kind("lamp", height_m=1.7, aspect=0.42)
def draw_lamp(pen: Pen, rng: np.random.Generator) -> None:
    """A lamp with a shade, on or off."""
    paint = pick_paint(rng, "white", "yellow", "red", "blue", "green", "orange", "beige")
    is_lit = pen.pose == "lit"
    pen.say(f"is {paint.name}", "is lit" if is_lit else "is unlit")
    pen.oval(0.0, 0.03, 0.15, 0.03, rgb=(70, 64, 60))
    pen.rect(-0.018, 0.03, 0.018, 0.72, rgb=(92, 84, 78))
    rgb = shade(paint.rgb, factor=1.4) if is_lit else paint.rgb
    pen.poly((-0.21, 0.68), (0.21, 0.68), (0.12, 1.0), (-0.12, 1.0), rgb=rgb, glow=255 * is_lit)
    pen.rect(-0.2, 0.68, 0.2, 0.7, rgb=paint.dark)


@kind("bookshelf", height_m=2.1, aspect=0.72)
def draw_bookshelf(pen: Pen, rng: np.random.Generator) -> None:
    """A shelf full of coloured books."""
    wood = pick_paint(rng, "brown", "brown", "white", "black")
    pen.say(f"is {wood.name}", "is full of books")
    pen.rect(-0.35, 0.0, 0.35, 1.0, rgb=wood.rgb)
    for row in range(4):
        y = 0.06 + row * 0.235
        pen.rect(-0.31, y, 0.31, y + 0.2, rgb=shade(wood.rgb, factor=0.5))
        x = -0.3
        while x < 0.26:
            width, height = float(rng.uniform(0.03, 0.06)), float(rng.uniform(0.12, 0.18))
            if chance(rng, 0.88):
                pen.rect(x, y, x + width - 0.006, y + height, rgb=pick_paint(rng).rgb)
            x += width


@kind("cabinet", height_m=1.1, aspect=1.25)
def draw_cabinet(pen: Pen, rng: np.random.Generator) -> None:
    """A cabinet with drawers."""
    wood = pick_paint(rng, "brown", "white", "gray", "green", "blue", "beige")
    pen.say(f"is {wood.name}", "is made of wood")
    pen.shadow(0.64)
    for x in (-0.52, 0.52):
        pen.rect(x - 0.05, 0.0, x + 0.05, 0.1, rgb=wood.dark)
    pen.rect(-0.6, 0.08, 0.6, 0.96, rgb=wood.rgb)
    pen.rect(-0.63, 0.93, 0.63, 1.0, rgb=wood.dark)
    is_open = chance(rng, 0.25)
    for i, y in enumerate((0.14, 0.42, 0.68)):
        with pen.part("drawer", f"is {wood.name}", "is open" if is_open and i == 1 else "is closed"):
            pen.rect(-0.53, y, 0.53, y + 0.22, rgb=shade(wood.rgb, factor=0.86))
            if is_open and i == 1:
                pen.rect(-0.53, y + 0.13, 0.53, y + 0.22, rgb=(40, 34, 32))
                pen.rect(-0.56, y - 0.05, 0.56, y + 0.15, rgb=wood.light)
            pen.oval(0.0, y + 0.1, 0.06, 0.025, rgb=(226, 208, 146))


@kind("refrigerator", height_m=2.0, aspect=0.5)
def draw_refrigerator(pen: Pen, rng: np.random.Generator) -> None:
    """A refrigerator with two doors."""
    paint = pick_paint(rng, "white", "white", "gray", "red", "blue", "black")
    pen.say(f"is {paint.name}", "is made of metal")
    pen.slab(-0.25, 0.02, 0.25, 1.0, radius=0.03, rgb=paint.rgb)
    pen.rect(0.19, 0.02, 0.25, 0.98, rgb=paint.dark)
    pen.rect(-0.25, 0.66, 0.25, 0.672, rgb=shade(paint.rgb, factor=0.5))
    for y1, y2 in ((0.5, 0.62), (0.71, 0.82)):
        pen.rect(-0.21, y1, -0.185, y2, rgb=(150, 152, 158))


@kind("stove", height_m=1.1, aspect=0.95)
def draw_stove(pen: Pen, rng: np.random.Generator) -> None:
    """A stove: oven door and knobs."""
    paint = pick_paint(rng, "white", "gray", "black", "red")
    is_hot = chance(rng, 0.35)
    pen.say(f"is {paint.name}", "is on" if is_hot else "is off")
    pen.rect(-0.47, 0.0, 0.47, 0.95, rgb=paint.rgb)
    pen.rect(-0.49, 0.93, 0.49, 1.0, rgb=(52, 52, 56))
    for x in (-0.34, -0.12, 0.12, 0.34):
        pen.oval(x, 0.84, 0.045, 0.045, rgb=(32, 32, 36) if paint.name != "black" else (176, 178, 182))
    pane, glow = ((244, 140, 40), 200) if is_hot else ((44, 46, 52), 0)
    pen.rect(-0.36, 0.14, 0.36, 0.66, rgb=shade(paint.rgb, factor=0.7))
    pen.rect(-0.28, 0.2, 0.28, 0.56, rgb=pane, glow=glow)
    pen.rect(-0.34, 0.6, 0.34, 0.64, rgb=(190, 192, 196))


@kind("television", height_m=0.95, aspect=1.6)
def draw_television(pen: Pen, rng: np.random.Generator) -> None:
    """A television, on or off."""
    is_on = chance(rng, 0.55)
    pen.say("is black", "is on" if is_on else "is off")
    pen.rect(-0.3, 0.0, 0.3, 0.05, rgb=(44, 44, 48))
    pen.rect(-0.05, 0.04, 0.05, 0.14, rgb=(44, 44, 48))
    pen.rect(-0.8, 0.12, 0.8, 1.0, rgb=(34, 34, 38))
    if not is_on:
        pen.rect(-0.75, 0.17, 0.75, 0.95, rgb=(58, 62, 70))
        pen.poly((-0.5, 0.17), (-0.2, 0.17), (0.3, 0.95), (0.0, 0.95), rgb=(72, 77, 86))
        return
    paint = pick_paint(rng, "blue", "green", "orange", "pink")
    with pen.part("screen", f"is {paint.name}", "is lit"):
        pen.rect(-0.75, 0.17, 0.75, 0.95, rgb=paint.light, glow=230)
        pen.poly((-0.75, 0.17), (-0.3, 0.58), (0.1, 0.17), rgb=paint.rgb, glow=230)
        pen.poly((-0.1, 0.17), (0.4, 0.7), (0.75, 0.17), rgb=paint.dark, glow=220)


@kind("window", height_m=1.3, aspect=1.0)
def draw_wall_window(pen: Pen, rng: np.random.Generator) -> None:
    """A window seen from inside: day or night outside, curtains sometimes."""
    frame = pick_paint(rng, "white", "brown", "white")
    pane, state = ((34, 42, 78), "is dark") if pen.is_night else ((172, 214, 240), "is bright")
    pen.say(state, f"has a {frame.name} frame")
    pen.rect(-0.5, 0.0, 0.5, 1.0, rgb=frame.rgb)
    pen.rect(-0.42, 0.07, 0.42, 0.93, rgb=pane, glow=0 if pen.is_night else 160)
    if pen.is_night:
        for _ in range(5):
            pen.oval(rng.uniform(-0.38, 0.38), rng.uniform(0.3, 0.9), 0.014, 0.014, rgb=(240, 240, 220))
    else:
        pen.poly((-0.42, 0.07), (-0.42, 0.3), (0.0, 0.38), (0.42, 0.26), (0.42, 0.07), rgb=(122, 176, 98))
    pen.rect(-0.02, 0.0, 0.02, 1.0, rgb=frame.rgb)
    pen.rect(-0.5, 0.5, 0.5, 0.54, rgb=frame.rgb)
    if chance(rng, 0.5):
        curtain = pick_paint(rng, "red", "blue", "green", "yellow", "pink", "purple")
        for side in (-1, 1):
            pen.poly(
                (0.56 * side, 1.04),
                (0.16 * side, 1.04),
                (0.34 * side, 0.4),
                (0.3 * side, -0.06),
                (0.56 * side, -0.06),
                rgb=curtain.rgb,
            )
            pen.line((0.45 * side, 1.0), (0.45 * side, 0.0), width=0.02, rgb=curtain.dark)
        pen.say(f"has {curtain.name} curtains")


@kind("picture", height_m=0.85, aspect=1.2)
def draw_picture(pen: Pen, rng: np.random.Generator) -> None:
    """A framed picture of something simple."""
    frame = pick_paint(rng, "brown", "black", "white", "yellow")
    motif = choose(rng, "a mountain", "the sea", "a flower", "a sunset")
    pen.say(f"has a {frame.name} frame", f"shows {motif}")
    pen.rect(-0.6, 0.0, 0.6, 1.0, rgb=frame.rgb)
    sky, low = {
        "a mountain": ((186, 216, 236), (116, 150, 100)),
        "the sea": ((206, 228, 240), (58, 112, 176)),
        "a flower": ((248, 240, 218), (248, 240, 218)),
        "a sunset": ((246, 170, 92), (92, 62, 112)),
    }[motif]
    pen.rect(-0.5, 0.1, 0.5, 0.9, rgb=sky)
    pen.rect(-0.5, 0.1, 0.5, 0.4, rgb=low)
    if motif == "a mountain":
        pen.poly((-0.45, 0.3), (-0.1, 0.8), (0.3, 0.3), rgb=(120, 112, 122))
        pen.poly((-0.19, 0.67), (-0.1, 0.8), (0.0, 0.67), rgb=(250, 250, 252))
    elif motif == "a sunset":
        pen.oval(0.1, 0.46, 0.17, 0.17, rgb=(250, 222, 110))
        pen.rect(-0.5, 0.1, 0.5, 0.36, rgb=low)
    elif motif == "a flower":
        pen.line((0.0, 0.15), (0.0, 0.55), width=0.05, rgb=(80, 140, 70))
        for dx, dy in ((-0.12, 0.0), (0.12, 0.0), (0.0, 0.12), (0.0, -0.12)):
            pen.oval(dx, 0.6 + dy, 0.1, 0.1, rgb=(220, 70, 96))
        pen.oval(0.0, 0.6, 0.08, 0.08, rgb=(246, 208, 70))
    else:
        pen.poly((-0.05, 0.42), (-0.05, 0.78), (0.2, 0.42), rgb=(250, 250, 248))
        pen.poly((-0.2, 0.4), (0.25, 0.4), (0.15, 0.3), (-0.12, 0.3), rgb=(150, 70, 50))


@kind("clock", height_m=0.6, aspect=1.0)
def draw_clock(pen: Pen, rng: np.random.Generator) -> None:
    """A round wall clock."""
    rim = pick_paint(rng, "black", "red", "brown", "blue", "yellow")
    pen.say("is round", f"has a {rim.name} rim")
    pen.oval(0.0, 0.5, 0.5, 0.5, rgb=rim.rgb)
    pen.oval(0.0, 0.5, 0.4, 0.4, rgb=(248, 246, 238))
    for k in range(12):
        a = k * np.pi / 6
        pen.oval(0.33 * float(np.cos(a)), 0.5 + 0.33 * float(np.sin(a)), 0.025, 0.025, rgb=(50, 50, 54))
    for length, width in ((0.2, 0.06), (0.3, 0.04)):
        a = float(rng.uniform(0, 2 * np.pi))
        pen.line(
            (0.0, 0.5), (length * float(np.cos(a)), 0.5 + length * float(np.sin(a))), width=width, rgb=(34, 34, 38)
        )


@kind("rug", height_m=0.55, aspect=4.2)
def draw_rug(pen: Pen, rng: np.random.Generator) -> None:
    """A rug on the floor, in perspective."""
    paint = pick_paint(rng, *_FABRICS)
    border = shade(paint.rgb, factor=1.5 if paint.name not in {"beige", "yellow"} else 0.65)
    pen.say(f"is {paint.name}")
    if chance(rng, 0.4):
        pen.oval(0.0, 0.5, 2.0, 0.5, rgb=border)
        pen.oval(0.0, 0.5, 1.75, 0.41, rgb=paint.rgb)
        pen.say("is round")
        return
    pen.poly((-2.1, 0.0), (2.1, 0.0), (1.7, 1.0), (-1.7, 1.0), rgb=border)
    pen.poly((-1.9, 0.1), (1.9, 0.1), (1.58, 0.9), (-1.58, 0.9), rgb=paint.rgb)
    if chance(rng, 0.5):
        for y in (0.25, 0.5, 0.75):
            half = 1.84 - 0.36 * y
            pen.rect(-half, y - 0.05, half, y + 0.05, rgb=border)
        pen.say("has a striped pattern")


def _draw_board(pen: Pen, rng: np.random.Generator, *, half: float) -> Paint:
    paint = pick_paint(rng, "brown", "brown", "white", "black", "gray", "beige")
    material = "wood" if paint.name in {"brown", "beige"} else choose(rng, "metal", "wood")
    pen.say(f"is {paint.name}", f"is made of {material}")
    pen.shadow(half, depth=0.05)
    for x in (-half + 0.1, half - 0.1):
        pen.rect(x - 0.05, 0.0, x + 0.05, 0.9, rgb=paint.dark)
    pen.rect(-half, 0.86, half, 0.96, rgb=paint.dark)
    pen.rect(-half, 0.94, half, 1.0, rgb=paint.light)
    return paint
