"""Sun, moon and clouds."""

import numpy as np

from pancap.engine.scenes.canvas import Pen
from pancap.engine.scenes.things.kinds import chance, kind
from pancap.engine.scenes.vocabulary import pick_paint, shade


@kind("sun", height_m=1.0, aspect=1.0)
def draw_sun(pen: Pen, rng: np.random.Generator) -> None:
    """The sun: yellow by day, orange at dusk."""
    paint = pick_paint(rng, "orange" if pen.pose == "dusk" else "yellow")
    pen.say(f"is {paint.name}", "is round")
    pen.oval(0.0, 0.5, 0.5, 0.5, rgb=paint.light, glow=255)
    pen.oval(0.0, 0.5, 0.42, 0.42, rgb=paint.rgb, glow=255)


@kind("moon", height_m=1.0, aspect=1.0)
def draw_moon(pen: Pen, rng: np.random.Generator) -> None:
    """The moon: full, or a crescent."""
    pen.say("is white")
    if chance(rng, 0.5):
        pen.oval(0.0, 0.5, 0.5, 0.5, rgb=(244, 242, 226), glow=250)
        for x, y, r in ((-0.15, 0.62, 0.1), (0.17, 0.45, 0.08), (-0.05, 0.3, 0.06)):
            pen.oval(x, y, r, r, rgb=(214, 212, 198), glow=230)
        pen.say("is round")
        return
    outer = [(0.5 * float(np.cos(a)), 0.5 + 0.5 * float(np.sin(a))) for a in np.linspace(-1.9, 1.9, 15)]
    inner = [(-0.16 + 0.42 * float(np.cos(a)) * 0.7, 0.5 + 0.47 * float(np.sin(a))) for a in np.linspace(1.6, -1.6, 11)]
    pen.poly(*outer, *inner, rgb=(246, 244, 224), glow=250)
    pen.say("has a crescent shape")


@kind("cloud", height_m=1.0, aspect=2.3)
def draw_cloud(pen: Pen, rng: np.random.Generator) -> None:
    """One puffy cloud; gray in rain."""
    base = (166, 172, 182) if pen.pose == "gray" else (250, 250, 252)
    pen.say("is gray" if pen.pose == "gray" else "is white", "is fluffy")
    for x, y, r in ((-0.75, 0.34, 0.3), (-0.35, 0.55, 0.42), (0.2, 0.58, 0.42), (0.72, 0.34, 0.32), (0.0, 0.32, 0.32)):
        jitter = float(rng.uniform(0.92, 1.08))
        pen.oval(x, y * jitter, r * 1.2, r * jitter, rgb=base)
    pen.oval(0.0, 0.18, 0.95, 0.18, rgb=shade(base, factor=0.93))
