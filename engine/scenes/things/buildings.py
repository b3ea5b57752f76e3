"""Buildings, front view."""

import numpy as np

from pancap.engine.scenes.canvas import Pen
from pancap.engine.scenes.things.kinds import chance, choose, kind
from pancap.engine.scenes.vocabulary import RGB, SIGN_WORDS, Paint, pick_paint, shade

_LIT: RGB = (255, 222, 132)
_PANE: RGB = (150, 186, 206)
_DARK_PANE: RGB = (70, 92, 112)


@kind("house", height_m=4.4, aspect=1.15)
def draw_house(pen: Pen, rng: np.random.Generator) -> None:
    """A house: gable or hip roof, one or two windows, a door open or closed, perhaps a chimney and bricks."""
    wall = pick_paint(rng, "white", "beige", "yellow", "red", "blue", "pink", "gray", "green", "orange")
    roof = pick_paint(rng, *(name for name in ("red", "brown", "gray", "black", "orange") if name != wall.name))
    door = pick_paint(rng, *(name for name in ("brown", "red", "green", "blue", "black") if name != wall.name))
    half = float(rng.uniform(0.42, 0.6))
    eave = float(rng.uniform(0.52, 0.62))
    pen.say(f"is {wall.name}")
    if chance(rng, 0.5):
        _chimney(pen, x=half * 0.5, top=0.98)
    pen.rect(-half, 0.0, half, eave, rgb=wall.rgb)
    if chance(rng, 0.3):
        _bricks(pen, wall, -half, 0.0, half, eave)
        pen.say("is made of brick")
    with pen.part("roof", f"is {roof.name}", fallback=(f"has a {roof.name} roof",)):
        inset = float(rng.choice([1.0, 0.55]))
        pen.poly(
            (-half - 0.09, eave),
            (half + 0.09, eave),
            (half * (1 - inset), 0.95),
            (-half * (1 - inset), 0.95),
            rgb=roof.rgb,
        )
        pen.rect(-half - 0.09, eave - 0.02, half + 0.09, eave + 0.015, rgb=roof.dark)
    side = -1 if chance(rng, 0.5) else 1
    _door(pen, rng, door, x=side * half * 0.5, width=0.17, height=min(0.36, eave * 0.66))
    lit = pen.is_night and chance(rng, 0.75)
    for x in (-side * half * 0.5, *((0.0,) if half > 0.52 else ())):
        _window(pen, x=x, y=eave * 0.58, width=0.19, height=0.2, is_lit=lit)


@kind("barn", height_m=4.2, aspect=1.3)
def draw_barn(pen: Pen, rng: np.random.Generator) -> None:
    """A barn: gambrel roof, a big crossed door."""
    wall = pick_paint(rng, "red", "brown", "gray", "white")
    roof = pick_paint(rng, *(name for name in ("gray", "black", "brown", "white") if name != wall.name))
    pen.say(f"is {wall.name}", "is made of wood")
    pen.poly((-0.6, 0.0), (-0.6, 0.52), (-0.42, 0.8), (0.0, 0.96), (0.42, 0.8), (0.6, 0.52), (0.6, 0.0), rgb=wall.rgb)
    for x in np.arange(-0.54, 0.6, 0.09).tolist():
        pen.line((x, 0.0), (x, 0.52), width=0.006, rgb=wall.dark)
    with pen.part("roof", f"is {roof.name}", fallback=(f"has a {roof.name} roof",)):
        pen.line((-0.66, 0.48), (-0.44, 0.83), (0.0, 1.0), (0.44, 0.83), (0.66, 0.48), width=0.075, rgb=roof.rgb)
    is_open = chance(rng, 0.35)
    with pen.part("door", "is open" if is_open else "is closed"):
        if is_open:
            pen.rect(-0.22, 0.0, 0.22, 0.42, rgb=(46, 34, 28))
            pen.poly((0.22, 0.0), (0.22, 0.42), (0.36, 0.46), (0.36, -0.03), rgb=wall.dark)
        else:
            pen.rect(-0.22, 0.0, 0.22, 0.42, rgb=(238, 234, 226) if wall.name != "white" else wall.dark)
            pen.rect(-0.19, 0.03, 0.19, 0.39, rgb=wall.rgb)
            for sign in (-1, 1):
                pen.line((-0.19 * sign, 0.03), (0.19 * sign, 0.39), width=0.025, rgb=(238, 234, 226))
    pen.rect(-0.1, 0.6, 0.1, 0.76, rgb=_LIT if pen.is_night else (64, 46, 38), glow=220 * pen.is_night)


@kind("building", height_m=7.0, aspect=0.62)
def draw_building(pen: Pen, rng: np.random.Generator) -> None:
    """A city building: rows of windows, lit at night."""
    wall = pick_paint(rng, "gray", "beige", "brown", "blue", "white", "orange", "pink")
    half = float(rng.uniform(0.24, 0.34))
    material = "glass" if wall.name == "blue" else choose(rng, "concrete", "brick", "plain")
    pen.say(f"is {wall.name}")
    pen.rect(-half, 0.0, half, 1.0, rgb=wall.rgb)
    pen.rect(half * 0.8, 0.0, half, 1.0, rgb=wall.dark)
    pen.rect(-half - 0.015, 0.97, half + 0.015, 1.0, rgb=wall.dark)
    if material == "brick":
        _bricks(pen, wall, -half, 0.0, half, 0.97)
    if material != "plain":
        pen.say(f"is made of {material}")
    rows, columns = int(rng.integers(5, 8)), int(rng.integers(3, 5))
    step_x, step_y = 2 * half / columns, 0.73 / rows
    lit = rng.random((rows, columns)) < 0.5
    for i in range(rows):
        for j in range(columns):
            x, y = -half + (j + 0.2) * step_x, 0.22 + i * step_y
            on = pen.is_night and bool(lit[i, j])
            pane = _LIT if on else (_PANE if not pen.is_night else _DARK_PANE)
            pen.rect(x, y, x + step_x * 0.6, y + step_y * 0.62, rgb=pane, glow=230 * on)
    if pen.is_night:
        pen.say("has lit windows")
    _door(pen, rng, pick_paint(rng, "brown", "black", "red", "green"), x=0.0, width=0.13, height=0.11)
    if chance(rng, 0.35):
        _shop_board(pen, rng, y=0.13, half=half * 0.72)


@kind("lighthouse", height_m=7.0, aspect=0.34)
def draw_lighthouse(pen: Pen, rng: np.random.Generator) -> None:
    """A lighthouse: a striped or plain tower with a lamp room."""
    paint = pick_paint(rng, "red", "blue", "black", "orange")
    pen.say("is white")
    pen.poly((-0.15, 0.0), (0.15, 0.0), (0.1, 0.78), (-0.1, 0.78), rgb=(242, 242, 238))
    if chance(rng, 0.75):
        for y in (0.1, 0.36, 0.62):
            left, right = 0.15 - 0.064 * y, 0.15 - 0.064 * (y + 0.13)
            pen.poly((-left, y), (left, y), (right, y + 0.13), (-right, y + 0.13), rgb=paint.rgb)
        pen.say(f"has {paint.name} stripes")
    pen.rect(-0.13, 0.77, 0.13, 0.8, rgb=(60, 60, 64))
    pen.rect(-0.075, 0.8, 0.075, 0.9, rgb=_LIT if pen.is_night else (196, 216, 224), glow=255 * pen.is_night)
    pen.poly((-0.1, 0.9), (0.1, 0.9), (0.0, 1.0), rgb=paint.rgb)
    pen.rect(-0.035, 0.0, 0.035, 0.09, rgb=(96, 62, 40))
    if pen.is_night:
        pen.say("is lit")


@kind("windmill", height_m=5.4, aspect=0.85)
def draw_windmill(pen: Pen, rng: np.random.Generator) -> None:
    """A windmill: a tapering tower and four vanes."""
    wall = pick_paint(rng, "white", "beige", "brown", "gray")
    cap = pick_paint(rng, "red", "brown", "black", "blue")
    pen.say(f"is {wall.name}", f"has a {cap.name} cap")
    pen.poly((-0.19, 0.0), (0.19, 0.0), (0.12, 0.62), (-0.12, 0.62), rgb=wall.rgb)
    pen.poly((-0.14, 0.61), (0.14, 0.61), (0.07, 0.74), (-0.07, 0.74), rgb=cap.rgb)
    _door(pen, rng, pick_paint(rng, "brown", "green"), x=0.0, width=0.1, height=0.16)
    pen.rect(-0.04, 0.34, 0.04, 0.43, rgb=_LIT if pen.is_night else _PANE, glow=230 * pen.is_night)
    turn = float(rng.uniform(0.2, 1.3))
    for k in range(4):
        a = turn + k * np.pi / 2
        dx, dy = float(np.cos(a)), float(np.sin(a))
        tip = (0.37 * dx, 0.62 + 0.37 * dy)
        pen.poly(
            (0.1 * dx, 0.62 + 0.1 * dy),
            tip,
            (tip[0] - 0.1 * dy, tip[1] + 0.1 * dx),
            (0.1 * dx - 0.1 * dy, 0.62 + 0.1 * dy + 0.1 * dx),
            rgb=(240, 234, 220),
        )
        pen.line((0.0, 0.62), tip, width=0.022, rgb=(104, 74, 50))


@kind("tent", height_m=1.7, aspect=1.7)
def draw_tent(pen: Pen, rng: np.random.Generator) -> None:
    """A camping tent, open or closed."""
    paint = pick_paint(rng, "orange", "green", "blue", "red", "yellow", "purple")
    is_open = chance(rng, 0.6)
    pen.say(f"is {paint.name}", "is open" if is_open else "is closed")
    pen.poly((-0.75, 0.0), (0.0, 1.0), (0.85, 0.0), rgb=paint.dark)
    pen.poly((-0.75, 0.0), (-0.2, 0.98), (0.35, 0.0), rgb=paint.rgb)
    if is_open:
        inside, glow = ((255, 214, 130), 230) if pen.is_night else ((52, 44, 44), 0)
        pen.poly((-0.42, 0.0), (-0.2, 0.72), (0.02, 0.0), rgb=inside, glow=glow)
    else:
        pen.line((-0.2, 0.96), (-0.2, 0.0), width=0.02, rgb=paint.dark)


def _shop_board(pen: Pen, rng: np.random.Generator, *, y: float, half: float) -> None:
    """Letters a board over an entrance."""
    words = SIGN_WORDS[int(rng.integers(len(SIGN_WORDS)))]
    pen.rect(-half, y, half, y + 0.09, rgb=(40, 44, 60))
    pen.text(0.0, y + 0.045, words, height=0.085, rgb=(250, 240, 214))
    pen.say(f'shows the text "{words}"')


def _chimney(pen: Pen, *, x: float, top: float) -> None:
    with pen.part("chimney", "is made of brick", fallback=("has a chimney",)):
        pen.rect(x - 0.065, 0.6, x + 0.065, top, rgb=(150, 78, 60))
        pen.rect(x - 0.085, top - 0.03, x + 0.085, top + 0.01, rgb=(116, 60, 48))


def _bricks(pen: Pen, wall: Paint, x1: float, y1: float, x2: float, y2: float) -> None:
    mortar = shade(wall.rgb, factor=0.8)
    rows = max(int((y2 - y1) / 0.07), 3)
    step = (y2 - y1) / rows
    for i in range(rows):
        y = y1 + i * step
        pen.rect(x1, y, x2, y + 0.006, rgb=mortar)
        for x in np.arange(x1 + (0.08 if i % 2 else 0.0), x2, 0.16).tolist():
            pen.rect(x, y, x + 0.006, y + step, rgb=mortar)


def _door(pen: Pen, rng: np.random.Generator, paint: Paint, *, x: float, width: float, height: float) -> None:
    is_open = chance(rng, 0.3)
    state = "open" if is_open else "closed"
    with pen.part("door", f"is {paint.name}", f"is {state}", fallback=(f"has a {paint.name} door",)):
        pen.rect(x - width / 2 - 0.015, 0.0, x + width / 2 + 0.015, height + 0.015, rgb=shade(paint.rgb, factor=0.55))
        if is_open:
            pen.rect(x - width / 2, 0.0, x + width / 2, height, rgb=(40, 32, 30))
            pen.poly(
                (x - width / 2, 0.0),
                (x - width / 2, height),
                (x + width * 0.02, height - 0.03),
                (x + width * 0.02, -0.02),
                rgb=paint.rgb,
            )
        else:
            pen.rect(x - width / 2, 0.0, x + width / 2, height, rgb=paint.rgb)
            pen.oval(x + width * 0.32, height * 0.45, 0.012, 0.012, rgb=(240, 210, 110))


def _window(pen: Pen, *, x: float, y: float, width: float, height: float, is_lit: bool) -> None:
    x1, x2, y1, y2 = x - width / 2, x + width / 2, y - height / 2, y + height / 2
    pane = _LIT if is_lit else (_DARK_PANE if pen.is_night else _PANE)
    state = ("is lit",) if is_lit else ("is dark",) if pen.is_night else ("is closed",)
    with pen.part("window", *state, fallback=("has lit windows",) if is_lit else ()):
        pen.rect(x1 - 0.02, y1 - 0.02, x2 + 0.02, y2 + 0.02, rgb=(246, 246, 242))
        pen.rect(x1, y1, x2, y2, rgb=pane, glow=240 * is_lit)
        pen.rect(x - 0.008, y1, x + 0.008, y2, rgb=(246, 246, 242))
        pen.rect(x1, y - 0.008, x2, y + 0.008, rgb=(246, 246, 242))
