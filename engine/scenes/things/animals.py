"""Animals, side view, facing right."""

import numpy as np

from pancap.engine.scenes.canvas import Pen
from pancap.engine.scenes.things.kinds import chance, kind
from pancap.engine.scenes.vocabulary import RGB, Paint, pick_paint, shade

_EYE: RGB = (24, 22, 22)


@kind("dog", height_m=0.85, aspect=1.35)
def draw_dog(pen: Pen, rng: np.random.Generator) -> None:
    """A dog: long muzzle, hanging ear, raised tail, sometimes spots or a collar."""
    coat = pick_paint(rng, "brown", "black", "white", "beige", "gray", "orange")
    pen.say(f"is {coat.name}")
    _legs(pen, coat, xs=(-0.36, -0.24, 0.18, 0.3), top=0.42, width=0.095)
    pen.line((-0.42, 0.52), (-0.6, 0.68), (-0.62, 0.82), width=0.07, rgb=coat.dark)
    pen.oval(-0.04, 0.5, 0.44, 0.19, rgb=coat.rgb)
    if chance(rng, 0.35):
        spot = shade(coat.rgb, factor=0.45 if coat.name != "black" else 2.0)
        for x, y, r in ((-0.24, 0.56, 0.09), (0.02, 0.5, 0.07), (0.2, 0.57, 0.06)):
            pen.oval(x, y, r, r * 0.8, rgb=spot)
        pen.say("has spots")
    pen.poly((0.16, 0.6), (0.34, 0.44), (0.5, 0.68), (0.36, 0.86), rgb=coat.rgb)
    pen.oval(0.44, 0.8, 0.17, 0.15, rgb=coat.rgb)
    pen.slab(0.46, 0.68, 0.74, 0.81, radius=0.05, rgb=coat.light)
    pen.oval(0.73, 0.78, 0.04, 0.035, rgb=_EYE)
    pen.oval(0.5, 0.84, 0.028, 0.03, rgb=_EYE)
    pen.oval(0.34, 0.76, 0.075, 0.15, rgb=coat.dark)
    if chance(rng, 0.5):
        collar = pick_paint(rng, "red", "blue", "green", "yellow")
        pen.line((0.24, 0.7), (0.44, 0.56), width=0.06, rgb=collar.rgb)
        pen.say(f"wears a {collar.name} collar")


@kind("cat", height_m=0.62, aspect=1.25)
def draw_cat(pen: Pen, rng: np.random.Generator) -> None:
    """A cat: round head, pointed ears, a curled tail; standing or sitting; plain or striped."""
    coat = pick_paint(rng, "gray", "orange", "black", "white", "brown", "beige")
    pen.say(f"is {coat.name}")
    has_stripes = chance(rng, 0.4) and coat.name not in {"black"}
    stripe = shade(coat.rgb, factor=0.6)
    if pen.pose == "sit":
        pen.line((-0.2, 0.08), (-0.46, 0.1), (-0.55, 0.26), width=0.09, rgb=coat.dark)
        pen.oval(-0.08, 0.27, 0.3, 0.28, rgb=coat.rgb)
        pen.poly((-0.12, 0.4), (0.24, 0.0), (0.3, 0.6), (0.05, 0.68), rgb=coat.rgb)
        pen.line((0.2, 0.35), (0.22, 0.03), width=0.1, rgb=coat.light)
        head_x, head_y = 0.18, 0.72
    else:
        _legs(pen, coat, xs=(-0.34, -0.22, 0.16, 0.28), top=0.36, width=0.085)
        pen.line((-0.4, 0.46), (-0.58, 0.52), (-0.66, 0.74), (-0.56, 0.86), width=0.07, rgb=coat.dark)
        pen.oval(-0.05, 0.44, 0.42, 0.17, rgb=coat.rgb)
        head_x, head_y = 0.4, 0.66
    if has_stripes:
        ys = (0.2, 0.55) if pen.pose != "sit" else (0.15, 0.45)
        for x in (-0.28, -0.16, -0.04, 0.08):
            pen.line((x, ys[1]), (x - 0.03, (ys[0] + ys[1]) / 2), width=0.045, rgb=stripe)
        pen.say("has stripes")
    for side in (-1, 1):
        pen.poly((head_x + 0.2 * side, head_y + 0.05), (head_x + 0.19 * side, head_y + 0.3),
                 (head_x + 0.03 * side, head_y + 0.15), rgb=coat.dark)  # fmt: skip
        pen.oval(head_x + 0.08 * side + 0.02, head_y + 0.04, 0.035, 0.045, rgb=(118, 176, 74))
        pen.line((head_x, head_y), (head_x, head_y), width=0.01, rgb=_EYE)
    pen.oval(head_x, head_y, 0.21, 0.18, rgb=coat.rgb)
    for side in (-1, 1):
        pen.oval(head_x + 0.08 * side + 0.02, head_y + 0.03, 0.035, 0.045, rgb=(150, 190, 70))
        pen.oval(head_x + 0.08 * side + 0.02, head_y + 0.03, 0.015, 0.04, rgb=_EYE)
    pen.oval(head_x + 0.03, head_y - 0.06, 0.03, 0.022, rgb=(222, 130, 140))


@kind("horse", height_m=1.95, aspect=1.15)
def draw_horse(pen: Pen, rng: np.random.Generator) -> None:
    """A horse: long neck, mane and tail."""
    coat = pick_paint(rng, "brown", "black", "white", "gray", "beige")
    mane = shade(coat.rgb, factor=0.5 if coat.name != "black" else 1.25)
    pen.say(f"is {coat.name}")
    pen.shadow(0.45)
    pen.line((-0.4, 0.62), (-0.52, 0.5), (-0.52, 0.24), width=0.07, rgb=mane)
    _legs(pen, coat, xs=(-0.34, -0.26, 0.16, 0.25), top=0.5, width=0.065)
    pen.oval(-0.05, 0.56, 0.38, 0.15, rgb=coat.rgb)
    pen.poly((0.12, 0.62), (0.3, 0.5), (0.46, 0.86), (0.32, 0.96), rgb=coat.rgb)
    pen.poly((0.32, 0.94), (0.4, 0.98), (0.62, 0.76), (0.55, 0.7), (0.42, 0.78), rgb=coat.rgb)
    pen.poly((0.34, 0.92), (0.36, 1.0), (0.4, 0.94), rgb=coat.dark)
    pen.line((0.1, 0.66), (0.2, 0.82), (0.33, 0.95), width=0.055, rgb=mane)
    pen.oval(0.44, 0.88, 0.016, 0.018, rgb=_EYE)
    if pen.pose == "saddle" or chance(rng, 0.3):
        saddle = pick_paint(rng, "red", "blue", "brown", "green")
        pen.poly((-0.14, 0.71), (0.06, 0.71), (0.08, 0.58), (-0.16, 0.58), rgb=saddle.rgb)
        pen.say(f"has a {saddle.name} saddle")
    pen.say(f"has a {'dark' if coat.name != 'black' else 'gray'} mane")


@kind("cow", height_m=1.5, aspect=1.4)
def draw_cow(pen: Pen, rng: np.random.Generator) -> None:
    """A cow: heavy body, horns, often patched."""
    coat = pick_paint(rng, "white", "brown", "black", "beige")
    pen.say(f"is {coat.name}")
    pen.shadow(0.5)
    pen.line((-0.5, 0.68), (-0.58, 0.5), (-0.56, 0.3), width=0.035, rgb=coat.dark)
    _legs(pen, coat, xs=(-0.42, -0.3, 0.18, 0.3), top=0.42, width=0.1)
    pen.slab(-0.52, 0.36, 0.4, 0.82, radius=0.14, rgb=coat.rgb)
    if chance(rng, 0.6):
        patch = (44, 40, 40) if coat.name in {"white", "beige"} else (236, 232, 226)
        for _ in range(int(rng.integers(2, 5))):
            x, y = rng.uniform(-0.36, 0.24), rng.uniform(0.5, 0.7)
            pen.oval(x, y, rng.uniform(0.07, 0.14), rng.uniform(0.06, 0.11), rgb=patch)
        pen.say("has spots")
    pen.oval(-0.1, 0.36, 0.08, 0.05, rgb=(232, 168, 168))
    pen.poly((0.34, 0.84), (0.36, 0.6), (0.62, 0.56), (0.64, 0.74), (0.54, 0.9), rgb=coat.rgb)
    pen.slab(0.52, 0.52, 0.7, 0.68, radius=0.06, rgb=(226, 178, 168))
    pen.line((0.44, 0.9), (0.4, 1.0), width=0.035, rgb=(224, 212, 186))
    pen.line((0.54, 0.9), (0.6, 1.0), width=0.035, rgb=(224, 212, 186))
    pen.oval(0.36, 0.84, 0.08, 0.04, rgb=coat.dark)
    pen.oval(0.53, 0.79, 0.025, 0.028, rgb=_EYE)


@kind("sheep", height_m=1.0, aspect=1.3)
def draw_sheep(pen: Pen, rng: np.random.Generator) -> None:
    """A sheep: a woolly cloud on thin legs."""
    wool = pick_paint(rng, "white", "white", "beige", "gray", "black")
    face = (58, 52, 50) if wool.name != "black" else (120, 112, 106)
    pen.say(f"is {wool.name}", "is woolly")
    pen.shadow(0.45)
    for x in (-0.3, -0.18, 0.16, 0.28):
        pen.rect(x - 0.04, 0.0, x + 0.04, 0.4, rgb=face)
    for x, y, r in ((-0.36, 0.55, 0.2), (-0.14, 0.68, 0.22), (0.12, 0.68, 0.22), (0.28, 0.54, 0.2), (-0.05, 0.48, 0.3)):
        pen.oval(x, y, r, r, rgb=wool.rgb)
        pen.oval(x - 0.03, y + 0.04, r * 0.55, r * 0.5, rgb=wool.light)
    pen.oval(0.5, 0.7, 0.13, 0.17, rgb=face)
    pen.oval(0.38, 0.8, 0.1, 0.05, rgb=face)
    pen.oval(0.46, 0.87, 0.14, 0.09, rgb=wool.rgb)
    pen.oval(0.55, 0.75, 0.025, 0.028, rgb=(240, 240, 240))


@kind("bird", height_m=0.5, aspect=1.3)
def draw_bird(pen: Pen, rng: np.random.Generator) -> None:
    """A small bird: perched, or flying with spread wings."""
    coat = pick_paint(rng, "red", "blue", "yellow", "brown", "black", "white", "gray")
    belly = shade(coat.rgb, factor=1.45)
    pen.say(f"is {coat.name}")
    if pen.pose == "fly":
        pen.poly((-0.1, 0.5), (-0.34, 1.0), (0.16, 0.56), rgb=coat.dark)
        pen.poly((-0.34, 0.5), (-0.66, 0.56), (-0.64, 0.36), rgb=coat.dark)
        pen.oval(0.0, 0.44, 0.38, 0.14, rgb=coat.rgb)
        pen.poly((-0.12, 0.46), (-0.3, 0.0), (0.14, 0.42), rgb=shade(coat.rgb, factor=0.6))
        head_x, head_y = 0.4, 0.52
        pen.say("is flying")
    else:
        for x in (-0.04, 0.08):
            pen.line((x, 0.2), (x + 0.03, 0.0), width=0.045, rgb=(220, 140, 50))
        pen.poly((-0.3, 0.42), (-0.68, 0.3), (-0.6, 0.48), rgb=coat.dark)
        pen.oval(-0.02, 0.42, 0.36, 0.25, rgb=coat.rgb)
        pen.oval(0.08, 0.36, 0.22, 0.17, rgb=belly)
        pen.poly((-0.32, 0.5), (0.1, 0.56), (-0.1, 0.28), rgb=coat.dark)
        head_x, head_y = 0.28, 0.74
    pen.oval(head_x, head_y, 0.2, 0.19, rgb=coat.rgb)
    pen.poly(
        (head_x + 0.17, head_y + 0.07), (head_x + 0.37, head_y), (head_x + 0.17, head_y - 0.06), rgb=(236, 160, 48)
    )
    pen.oval(head_x + 0.08, head_y + 0.05, 0.035, 0.04, rgb=_EYE)


@kind("duck", height_m=0.7, aspect=1.35)
def draw_duck(pen: Pen, rng: np.random.Generator) -> None:
    """A duck, floating or standing."""
    coat = pick_paint(rng, "white", "yellow", "brown", "green")
    pen.say(f"is {coat.name}")
    head = coat.rgb if coat.name != "brown" else (46, 110, 70)
    if pen.pose != "float":
        for x in (-0.06, 0.1):
            pen.line((x, 0.2), (x + 0.06, 0.01), width=0.05, rgb=(232, 130, 40))
    base = 0.05 if pen.pose == "float" else 0.12
    pen.poly((-0.3, base + 0.3), (-0.68, base + 0.46), (-0.46, base + 0.08), rgb=coat.dark)
    pen.oval(-0.06, base + 0.22, 0.46, 0.23, rgb=coat.rgb)
    pen.oval(-0.12, base + 0.26, 0.26, 0.13, rgb=coat.dark)
    pen.line((0.28, base + 0.26), (0.34, 0.72), width=0.17, rgb=head)
    pen.oval(0.36, 0.82, 0.18, 0.17, rgb=head)
    pen.poly((0.5, 0.86), (0.74, 0.78), (0.5, 0.72), rgb=(240, 150, 40))
    pen.oval(0.42, 0.86, 0.03, 0.035, rgb=_EYE)
    if pen.pose == "float":
        pen.say("is floating")
    else:
        pen.say("has an orange beak")


def _legs(pen: Pen, coat: Paint, *, xs: tuple[float, ...], top: float, width: float) -> None:
    for index, x in enumerate(xs):
        rgb = coat.dark if index % 2 == 0 else coat.rgb
        pen.rect(x - width / 2, 0.0, x + width / 2, top, rgb=rgb)
        pen.rect(x - width / 2, 0.0, x + width / 2 + 0.02, 0.05, rgb=shade(coat.rgb, factor=0.5))
