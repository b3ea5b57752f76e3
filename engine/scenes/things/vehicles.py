"""Vehicles, side view, front to the right."""

import numpy as np

from pancap.engine.scenes.canvas import Pen
from pancap.engine.scenes.things.kinds import chance, kind
from pancap.engine.scenes.vocabulary import RGB, SIGN_WORDS, pick_paint, shade

_GLASS: RGB = (166, 204, 222)
_LIT: RGB = (255, 226, 140)
_TYRE: RGB = (34, 34, 36)
_BODY_COLORS: tuple[str, ...] = ("red", "orange", "yellow", "green", "blue", "white", "black", "gray", "purple", "pink")


@kind("car", height_m=1.55, aspect=2.25)
def draw_car(pen: Pen, rng: np.random.Generator) -> None:
    """A car: saloon, estate or small; wheels, windows, lamps."""
    paint = pick_paint(rng, *_BODY_COLORS)
    pen.say(f"is {paint.name}")
    pen.shadow(1.12, depth=0.06)
    back = float(rng.uniform(-0.95, -0.45))
    front = float(rng.uniform(0.3, 0.5))
    roof = (back + 0.15, front - 0.28)
    pen.poly((back, 0.58), (roof[0], 0.98), (roof[1], 0.98), (front + 0.1, 0.58), rgb=paint.dark)
    pen.poly((back + 0.12, 0.6), (roof[0] + 0.07, 0.91), (-0.08, 0.91), (-0.08, 0.6), rgb=_glass(pen))
    pen.poly((0.0, 0.6), (0.0, 0.91), (roof[1] - 0.03, 0.91), (front - 0.05, 0.6), rgb=_glass(pen))
    pen.slab(-1.1, 0.2, 1.1, 0.64, radius=0.13, rgb=paint.rgb)
    pen.rect(-1.06, 0.2, 1.06, 0.3, rgb=paint.dark)
    pen.line((-0.04, 0.26), (-0.04, 0.6), width=0.012, rgb=paint.dark)
    pen.rect(0.05, 0.5, 0.17, 0.53, rgb=paint.dark)
    _lamps(pen, front=1.05, back=-1.08, y=0.46)
    for x in (-0.66, 0.66):
        _wheel(pen, x=x, radius=0.235)
    if pen.is_night:
        pen.say("has lit headlights")


@kind("bus", height_m=2.7, aspect=2.1)
def draw_bus(pen: Pen, rng: np.random.Generator) -> None:
    """A bus: a row of windows, a door, a destination text."""
    paint = pick_paint(rng, "red", "yellow", "blue", "green", "white", "orange")
    pen.say(f"is {paint.name}")
    pen.shadow(1.02)
    pen.slab(-1.04, 0.12, 1.04, 1.0, radius=0.07, rgb=paint.rgb)
    pen.rect(-1.04, 0.12, 1.04, 0.2, rgb=paint.dark)
    if chance(rng, 0.5):
        band = pick_paint(rng, "white") if paint.name != "white" else pick_paint(rng, "red", "blue")
        pen.rect(-1.04, 0.4, 1.04, 0.47, rgb=band.rgb)
        pen.say(f"has a {band.name} stripe")
    count = int(rng.integers(4, 6))
    width = 1.5 / count
    for i in range(count):
        x = -0.96 + i * width
        pen.rect(x, 0.54, x + width * 0.86, 0.86, rgb=_glass(pen), glow=210 if pen.is_night else 0)
    if pen.is_night:
        pen.say("has lit windows")
    with pen.part("door"):
        pen.say("is open" if (is_open := chance(rng, 0.3)) else "is closed")
        pen.rect(0.58, 0.14, 0.82, 0.86, rgb=(58, 62, 70) if is_open else shade(_GLASS, factor=0.8))
        if not is_open:
            pen.rect(0.695, 0.14, 0.705, 0.86, rgb=paint.dark)
    pen.rect(0.88, 0.5, 1.03, 0.86, rgb=_glass(pen))
    if chance(rng, 0.5):
        words = str(rng.integers(2, 99))
        pen.rect(-0.45, 0.88, 0.1, 0.985, rgb=(28, 28, 30))
        pen.text(-0.17, 0.932, words, height=0.1, rgb=(255, 196, 60))
        pen.say(f'shows the text "{words}"')
    _lamps(pen, front=1.0, back=-1.02, y=0.26)
    for x in (-0.66, 0.4):
        _wheel(pen, x=x, radius=0.155)


@kind("truck", height_m=2.6, aspect=2.1)
def draw_truck(pen: Pen, rng: np.random.Generator) -> None:
    """A truck: a cab and a box, sometimes lettered."""
    cab = pick_paint(rng, *_BODY_COLORS)
    box = pick_paint(rng, "white", "gray", "beige", "blue", "green", "brown", "orange")
    pen.say(f"has a {cab.name} cab", f"has a {box.name} cargo box")
    pen.shadow(1.02)
    pen.rect(-1.04, 0.14, 0.95, 0.24, rgb=(52, 52, 56))
    pen.rect(-1.04, 0.22, 0.4, 1.0, rgb=box.rgb)
    for x in np.linspace(-0.9, 0.26, 5):
        pen.line((x, 0.24), (x, 0.98), width=0.008, rgb=box.dark)
    if chance(rng, 0.45):
        words = SIGN_WORDS[int(rng.integers(len(SIGN_WORDS)))]
        pen.text(-0.32, 0.62, words, height=0.28, rgb=shade(box.rgb, factor=0.35))
        pen.say(f'shows the text "{words}"')
    pen.poly((0.45, 0.18), (0.45, 0.82), (0.82, 0.82), (0.98, 0.5), (1.02, 0.18), rgb=cab.rgb)
    pen.poly((0.62, 0.5), (0.62, 0.76), (0.79, 0.76), (0.91, 0.5), rgb=_glass(pen))
    pen.line((0.57, 0.2), (0.57, 0.78), width=0.01, rgb=cab.dark)
    _lamps(pen, front=0.97, back=-1.02, y=0.28)
    for x in (-0.78, -0.45, 0.7):
        _wheel(pen, x=x, radius=0.15)


@kind("bicycle", height_m=1.1, aspect=1.6)
def draw_bicycle(pen: Pen, rng: np.random.Generator) -> None:
    """A bicycle: two spoked wheels and a coloured frame."""
    paint = pick_paint(rng, "red", "blue", "green", "black", "yellow", "orange", "pink")
    pen.say(f"is {paint.name}")
    for x in (-0.5, 0.5):
        with pen.part("wheel", "is black"):
            _ring(pen, x=x, y=0.3, radius=0.29)
    hub, seat, bars, pedal = (-0.5, 0.3), (-0.2, 0.78), (0.36, 0.8), (-0.06, 0.28)
    for a, b in ((hub, seat), (seat, pedal), (pedal, hub), (seat, bars), (pedal, bars), (bars, (0.5, 0.3))):
        pen.line(a, b, width=0.05, rgb=paint.rgb)
    pen.line(bars, (0.33, 0.97), (0.46, 0.97), width=0.045, rgb=(46, 46, 48))
    pen.line(seat, (-0.23, 0.9), width=0.04, rgb=(46, 46, 48))
    pen.oval(-0.23, 0.92, 0.12, 0.04, rgb=(40, 34, 32))
    pen.oval(pedal[0], pedal[1], 0.06, 0.06, rgb=(70, 70, 74))


@kind("train", height_m=2.9, aspect=3.0)
def draw_train(pen: Pen, rng: np.random.Generator) -> None:
    """A train: an engine and carriages."""
    paint = pick_paint(rng, "red", "blue", "green", "orange", "yellow", "white")
    pen.say(f"is {paint.name}")
    for i, x in enumerate((-1.5, -0.45)):
        pen.slab(x, 0.14, x + 1.0, 0.96, radius=0.05, rgb=paint.rgb)
        pen.rect(x, 0.86, x + 1.0, 0.97, rgb=shade(paint.rgb, factor=0.55))
        for k in range(4):
            pen.rect(x + 0.08 + k * 0.22, 0.5, x + 0.25 + k * 0.22, 0.76, rgb=_glass(pen), glow=200 * pen.is_night)
        if i == 0:
            pen.rect(-0.5, 0.2, -0.45, 0.3, rgb=(40, 40, 44))
    pen.poly((0.6, 0.12), (0.6, 0.95), (1.15, 0.95), (1.45, 0.5), (1.5, 0.12), rgb=paint.dark)
    pen.poly((1.0, 0.56), (1.0, 0.84), (1.14, 0.84), (1.33, 0.56), rgb=_glass(pen))
    pen.rect(-1.5, 0.34, 1.44, 0.4, rgb=(240, 238, 230) if paint.name != "white" else (60, 90, 160))
    pen.say(f"has a {'white' if paint.name != 'white' else 'blue'} stripe")
    if pen.is_night:
        pen.oval(1.44, 0.24, 0.04, 0.04, rgb=_LIT, glow=255)
        pen.say("has lit windows")
    for x in np.arange(-1.35, 1.4, 0.28).tolist():
        pen.oval(x, 0.09, 0.085, 0.085, rgb=_TYRE)
        pen.oval(x, 0.09, 0.035, 0.035, rgb=(130, 130, 134))


@kind("boat", height_m=1.3, aspect=2.2)
def draw_boat(pen: Pen, rng: np.random.Generator) -> None:
    """A motor boat: hull and cabin."""
    paint = pick_paint(rng, "red", "blue", "green", "white", "orange", "brown", "yellow")
    cabin = pick_paint(rng, "white" if paint.name != "white" else "blue", "beige")
    pen.say(f"is {paint.name}", f"has a {cabin.name} cabin")
    pen.rect(-0.55, 0.45, 0.3, 0.9, rgb=cabin.rgb)
    pen.rect(-0.62, 0.88, 0.38, 0.97, rgb=cabin.dark)
    for x in (-0.42, -0.06):
        pen.rect(x, 0.58, x + 0.24, 0.8, rgb=_glass(pen), glow=220 * pen.is_night)
    pen.poly((-1.05, 0.5), (1.12, 0.56), (0.72, 0.0), (-0.9, 0.0), rgb=paint.rgb)
    pen.poly((-0.95, 0.14), (0.84, 0.14), (0.72, 0.0), (-0.9, 0.0), rgb=paint.dark)
    pen.line((-1.04, 0.47), (1.08, 0.52), width=0.05, rgb=paint.light)


@kind("sailboat", height_m=3.4, aspect=0.85)
def draw_sailboat(pen: Pen, rng: np.random.Generator) -> None:
    """A sailing boat: mast, sail and hull."""
    hull = pick_paint(rng, "brown", "white", "blue", "red", "black")
    sail = pick_paint(rng, "white", "red", "orange", "yellow", "blue", "pink")
    pen.say(f"has a {hull.name} hull")
    pen.line((0.0, 0.12), (0.0, 1.0), width=0.02, rgb=(96, 70, 48))
    with pen.part("sail", f"is {sail.name}", fallback=(f"has a {sail.name} sail",)):
        pen.poly((0.02, 0.22), (0.02, 0.98), (0.36, 0.22), rgb=sail.rgb)
        pen.poly((-0.02, 0.22), (-0.02, 0.9), (-0.27, 0.22), rgb=sail.dark)
        if chance(rng, 0.35):
            stripe = shade(sail.rgb, factor=0.55)
            for y in (0.32, 0.5, 0.68):
                pen.poly(
                    (0.02, y),
                    (0.02, y + 0.08),
                    (0.36 * (0.9 - y) / 0.76, y + 0.08),
                    (0.36 * (0.98 - y) / 0.76, y),
                    rgb=stripe,
                )
            pen.say("has a striped pattern")
    pen.poly((-0.4, 0.16), (0.42, 0.16), (0.28, 0.0), (-0.3, 0.0), rgb=hull.rgb)
    pen.line((-0.4, 0.15), (0.41, 0.15), width=0.02, rgb=hull.light)


@kind("airplane", height_m=2.0, aspect=2.7)
def draw_airplane(pen: Pen, rng: np.random.Generator) -> None:
    """An airplane in flight."""
    paint = pick_paint(rng, "red", "blue", "orange", "green", "yellow")
    pen.say("is white", f"has a {paint.name} tail")
    body = (236, 238, 240)
    pen.poly((-1.25, 0.5), (-1.32, 1.0), (-1.05, 1.0), (-0.75, 0.55), rgb=paint.rgb)
    pen.oval(0.0, 0.45, 1.32, 0.19, rgb=body)
    pen.rect(-1.2, 0.42, 1.1, 0.46, rgb=paint.rgb)
    for x in np.arange(-0.8, 0.9, 0.18).tolist():
        pen.oval(x, 0.54, 0.04, 0.045, rgb=(90, 120, 150), glow=200 * pen.is_night)
    pen.poly((1.08, 0.52), (1.0, 0.6), (0.88, 0.6), (0.9, 0.52), rgb=(80, 110, 140))
    pen.poly((-0.2, 0.42), (0.3, 0.42), (-0.35, 0.0), (-0.6, 0.0), rgb=shade(body, factor=0.78))
    pen.poly((-1.2, 0.48), (-0.95, 0.48), (-1.25, 0.32), (-1.4, 0.32), rgb=shade(body, factor=0.78))


@kind("hot air balloon", height_m=3.4, aspect=0.74)
def draw_hot_air_balloon(pen: Pen, rng: np.random.Generator) -> None:
    """A hot air balloon: gores in one or two colours, a basket."""
    first = pick_paint(rng, "red", "yellow", "blue", "purple", "orange", "green", "pink")
    pen.say(f"is {first.name}")
    for x in (-0.1, 0.1):
        pen.line((x * 2, 0.38), (x, 0.14), width=0.012, rgb=(70, 56, 44))
    pen.rect(-0.1, 0.0, 0.1, 0.13, rgb=(132, 88, 50))
    pen.poly((-0.32, 0.5), (0.32, 0.5), (0.12, 0.24), (-0.12, 0.24), rgb=first.dark)
    pen.oval(0.0, 0.65, 0.37, 0.35, rgb=first.rgb)
    if chance(rng, 0.6):
        second = pick_paint(rng, *(name for name in ("white", "yellow", "blue", "red") if name != first.name))
        for width in (0.27, 0.1):
            pen.oval(0.0, 0.65, width, 0.35, rgb=second.rgb if width > 0.2 else first.rgb)
            if width > 0.2:
                pen.oval(0.0, 0.65, 0.19, 0.35, rgb=first.rgb)
        pen.say("has a striped pattern")


def _glass(pen: Pen) -> RGB:
    return _LIT if pen.is_night else _GLASS


def _lamps(pen: Pen, *, front: float, back: float, y: float) -> None:
    glow = 255 if pen.is_night else 0
    pen.oval(front, y, 0.06, 0.05, rgb=(255, 244, 190), glow=glow)
    pen.oval(back, y, 0.04, 0.05, rgb=(214, 40, 36), glow=glow // 2)


def _wheel(pen: Pen, *, x: float, radius: float) -> None:
    with pen.part("wheel", "is black"):
        pen.oval(x, radius, radius, radius, rgb=_TYRE)
        pen.oval(x, radius, radius * 0.56, radius * 0.56, rgb=(176, 178, 182))
        pen.oval(x, radius, radius * 0.2, radius * 0.2, rgb=(90, 92, 96))


def _ring(pen: Pen, *, x: float, y: float, radius: float) -> None:
    angles = np.linspace(0.0, 2 * np.pi, 21)
    points = [(x + radius * float(np.cos(a)), y + radius * float(np.sin(a))) for a in angles]
    for k in range(0, 10, 2):
        pen.line(points[k], points[k + 10], width=0.012, rgb=(150, 150, 154))
    pen.line(*points, width=0.06, rgb=_TYRE)
