"""What stands along streets, in parks and in snow."""

import numpy as np

from pancap.engine.scenes.canvas import Pen
from pancap.engine.scenes.things.kinds import chance, choose, kind
from pancap.engine.scenes.vocabulary import RGB, SIGN_WORDS, pick_paint, shade

_STEEL: RGB = (112, 116, 122)


@kind("bench", height_m=0.95, aspect=1.9)
def draw_bench(pen: Pen, rng: np.random.Generator) -> None:
    """A park bench."""
    paint = pick_paint(rng, "brown", "brown", "green", "red", "blue", "gray")
    pen.say(f"is {paint.name}", "is made of wood")
    pen.shadow(0.9)
    for x in (-0.75, 0.75):
        pen.rect(x - 0.05, 0.0, x + 0.05, 0.95, rgb=(58, 58, 62))
        pen.rect(x - 0.05, 0.3, x + 0.12, 0.38, rgb=(58, 58, 62))
    for y in (0.58, 0.76, 0.92):
        pen.rect(-0.92, y - 0.06, 0.92, y + 0.06, rgb=paint.rgb)
    pen.rect(-0.94, 0.36, 0.94, 0.48, rgb=paint.dark)
    pen.rect(-0.94, 0.44, 0.94, 0.5, rgb=paint.light)


@kind("street lamp", height_m=3.8, aspect=0.28)
def draw_street_lamp(pen: Pen, rng: np.random.Generator) -> None:
    """A street lamp: lantern or arm; lit at night."""
    paint = pick_paint(rng, "black", "gray", "green")
    pen.say(f"is {paint.name}")
    pen.rect(-0.05, 0.0, 0.05, 0.05, rgb=paint.dark)
    pen.rect(-0.018, 0.0, 0.018, 0.86, rgb=paint.rgb)
    glass, glow = ((255, 236, 168), 255) if pen.is_night else ((226, 232, 230), 0)
    if chance(rng, 0.5):
        pen.poly((-0.05, 0.86), (0.05, 0.86), (0.075, 0.96), (-0.075, 0.96), rgb=glass, glow=glow)
        pen.poly((-0.09, 0.96), (0.09, 0.96), (0.0, 1.0), rgb=paint.rgb)
    else:
        pen.line((0.0, 0.85), (0.05, 0.96), (0.16, 0.97), width=0.03, rgb=paint.rgb)
        pen.oval(0.17, 0.945, 0.06, 0.035, rgb=glass, glow=glow)
    pen.say("is lit" if pen.is_night else "is unlit")


@kind("traffic light", height_m=3.0, aspect=0.3)
def draw_traffic_light(pen: Pen, rng: np.random.Generator) -> None:
    """A traffic light showing one colour."""
    state = choose(rng, "red", "yellow", "green")
    pen.say("is black", f"shows a {state} light")
    pen.rect(-0.022, 0.0, 0.022, 0.6, rgb=_STEEL)
    pen.slab(-0.11, 0.52, 0.11, 1.0, radius=0.03, rgb=(40, 42, 44))
    for name, y, on, off in (
        ("red", 0.91, (250, 52, 40), (84, 34, 32)),
        ("yellow", 0.76, (255, 208, 50), (86, 76, 34)),
        ("green", 0.61, (60, 226, 96), (30, 70, 42)),
    ):
        is_on = name == state
        pen.oval(0.0, y, 0.062, 0.062, rgb=on if is_on else off, glow=250 * is_on)


@kind("sign", height_m=2.2, aspect=0.75)
def draw_sign(pen: Pen, rng: np.random.Generator) -> None:
    """A board with a word on a post."""
    paint = pick_paint(rng, "blue", "green", "yellow", "white", "brown", "red", "black")
    words = SIGN_WORDS[int(rng.integers(len(SIGN_WORDS)))]
    ink = (30, 30, 34) if paint.name in {"white", "yellow"} else (250, 250, 246)
    pen.say(f"is {paint.name}", f'shows the text "{words}"')
    for x in (-0.22, 0.22):
        pen.rect(x - 0.025, 0.0, x + 0.025, 0.6, rgb=_STEEL)
    pen.slab(-0.42, 0.54, 0.42, 1.0, radius=0.04, rgb=ink)
    pen.slab(-0.39, 0.57, 0.39, 0.97, radius=0.04, rgb=paint.rgb)
    pen.text(0.0, 0.77, words, height=min(0.3, 1.15 / len(words)), rgb=ink)


@kind("stop sign", height_m=2.2, aspect=0.42)
def draw_stop_sign(pen: Pen, rng: np.random.Generator) -> None:
    """The red octagon."""
    pen.say("is red", 'shows the text "STOP"')
    pen.rect(-0.025, 0.0, 0.025, 0.62, rgb=_STEEL)
    for radius, rgb in ((0.22, (244, 244, 240)), (0.2, pick_paint(rng, "red").rgb)):
        angles = np.pi / 8 + np.arange(8) * np.pi / 4
        pen.poly(*[(radius * float(np.cos(a)), 0.78 + radius * float(np.sin(a))) for a in angles], rgb=rgb)
    pen.text(0.0, 0.78, "STOP", height=0.14, rgb=(250, 250, 246))


@kind("fire hydrant", height_m=0.9, aspect=0.6)
def draw_fire_hydrant(pen: Pen, rng: np.random.Generator) -> None:
    """A hydrant."""
    paint = pick_paint(rng, "red", "yellow", "red", "blue")
    pen.say(f"is {paint.name}", "is made of metal")
    pen.shadow(0.3)
    pen.rect(-0.24, 0.0, 0.24, 0.1, rgb=paint.dark)
    pen.rect(-0.17, 0.08, 0.17, 0.74, rgb=paint.rgb)
    pen.oval(0.0, 0.78, 0.19, 0.14, rgb=paint.rgb)
    pen.rect(-0.05, 0.86, 0.05, 1.0, rgb=paint.dark)
    pen.rect(-0.21, 0.7, 0.21, 0.77, rgb=paint.dark)
    for x in (-0.23, 0.23):
        pen.oval(x, 0.5, 0.08, 0.09, rgb=paint.dark)
    pen.oval(0.0, 0.46, 0.1, 0.1, rgb=paint.light)


@kind("mailbox", height_m=1.2, aspect=0.6)
def draw_mailbox(pen: Pen, rng: np.random.Generator) -> None:
    """A mailbox on a post or a pillar box."""
    paint = pick_paint(rng, "blue", "red", "yellow", "green", "white")
    pen.say(f"is {paint.name}")
    pen.shadow(0.28)
    if chance(rng, 0.5):
        pen.rect(-0.05, 0.0, 0.05, 0.6, rgb=(120, 84, 54))
        pen.slab(-0.3, 0.56, 0.3, 1.0, radius=0.14, rgb=paint.rgb)
        pen.rect(0.2, 0.56, 0.3, 0.9, rgb=paint.dark)
        pen.rect(-0.2, 0.86, -0.14, 1.0, rgb=(214, 52, 44) if paint.name != "red" else (250, 250, 246))
    else:
        pen.rect(-0.2, 0.0, 0.2, 0.1, rgb=shade(paint.rgb, factor=0.5))
        pen.slab(-0.26, 0.08, 0.26, 1.0, radius=0.16, rgb=paint.rgb)
        pen.rect(-0.16, 0.72, 0.16, 0.77, rgb=(36, 34, 36))
        pen.rect(-0.12, 0.48, 0.12, 0.62, rgb=(246, 244, 238))


@kind("fence", height_m=1.0, aspect=3.2)
def draw_fence(pen: Pen, rng: np.random.Generator) -> None:
    """A wooden fence: pickets or rails."""
    paint = pick_paint(rng, "white", "brown", "brown", "beige")
    pen.say(f"is {paint.name}", "is made of wood")
    for y in (0.32, 0.7):
        pen.rect(-1.6, y - 0.06, 1.6, y + 0.06, rgb=paint.dark)
    step = 0.22 if chance(rng, 0.5) else 0.62
    for x in np.arange(-1.5, 1.55, step).tolist():
        pen.rect(x - 0.06, 0.0, x + 0.06, 0.9, rgb=paint.rgb)
        pen.poly((x - 0.06, 0.9), (x + 0.06, 0.9), (x, 1.0), rgb=paint.rgb)


@kind("snowman", height_m=1.6, aspect=0.68)
def draw_snowman(pen: Pen, rng: np.random.Generator) -> None:
    """A snowman with a scarf."""
    scarf = pick_paint(rng, "red", "green", "blue", "purple", "orange")
    pen.say("is white", f"wears a {scarf.name} scarf")
    pen.shadow(0.34)
    for y, r in ((0.27, 0.29), (0.62, 0.21)):
        pen.oval(0.0, y, r, r * 0.95, rgb=(232, 238, 246))
        pen.oval(-0.04, y + 0.04, r * 0.7, r * 0.66, rgb=(250, 252, 255))
    for side in (-1, 1):
        pen.line((0.18 * side, 0.64), (0.36 * side, 0.78), width=0.025, rgb=(92, 64, 42))
    pen.oval(0.0, 0.85, 0.145, 0.14, rgb=(248, 250, 254))
    pen.rect(-0.15, 0.7, 0.15, 0.77, rgb=scarf.rgb)
    pen.rect(0.05, 0.55, 0.12, 0.72, rgb=scarf.dark)
    for x in (-0.045, 0.055):
        pen.oval(x, 0.89, 0.018, 0.018, rgb=(30, 30, 32))
    pen.poly((0.01, 0.86), (0.01, 0.81), (0.15, 0.83), rgb=(238, 132, 44))
    for y in (0.52, 0.62):
        pen.oval(0.0, y, 0.018, 0.018, rgb=(30, 30, 32))
    if chance(rng, 0.5):
        with pen.part("hat", "is black", fallback=("wears a black hat",), link="wears"):
            pen.rect(-0.17, 0.94, 0.17, 0.965, rgb=(36, 36, 40))
            pen.rect(-0.1, 0.96, 0.1, 1.09, rgb=(42, 42, 46))
