"""Men, women, boys and girls, in the poses that actions need."""

from dataclasses import dataclass

import numpy as np

from pancap.engine.scenes.canvas import Pen
from pancap.engine.scenes.things.kinds import chance, choose, kind
from pancap.engine.scenes.vocabulary import PATTERNS, RGB, SHIRT_WORDS, Paint, pick_paint

SKIN_TONES: tuple[RGB, ...] = ((246, 212, 180), (232, 188, 148), (198, 146, 104), (150, 102, 68), (104, 70, 48))
HAIR: tuple[str, ...] = ("black", "brown", "yellow", "orange", "gray")
CLOTHES: tuple[str, ...] = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "black", "gray")
HAND: tuple[float, float] = (0.25, 0.56)
"""Where the leading hand is in the pose `hold`, in the person's frame."""
_SHIRT_SIDE = 0.08
"""A shirt narrower than this share of the image is an attribute of its wearer, not an entity."""


@dataclass(frozen=True, kw_only=True)
class _Look:
    skin: RGB
    hair: Paint
    top: Paint
    bottom: Paint
    head: float
    has_long_hair: bool
    has_dress: bool


@kind("man", height_m=1.78, aspect=0.42)
def draw_man(pen: Pen, rng: np.random.Generator) -> None:
    """A man: short hair, shirt and trousers."""
    _draw_person(pen, rng, _look(rng, head=0.072, has_long_hair=False, has_dress=False))


@kind("woman", height_m=1.68, aspect=0.42)
def draw_woman(pen: Pen, rng: np.random.Generator) -> None:
    """A woman: long hair, a dress or trousers."""
    _draw_person(pen, rng, _look(rng, head=0.07, has_long_hair=True, has_dress=chance(rng, 0.5)))


@kind("boy", height_m=1.2, aspect=0.5)
def draw_boy(pen: Pen, rng: np.random.Generator) -> None:
    """A boy: a child's proportions, short hair."""
    _draw_person(pen, rng, _look(rng, head=0.105, has_long_hair=False, has_dress=False))


@kind("girl", height_m=1.15, aspect=0.5)
def draw_girl(pen: Pen, rng: np.random.Generator) -> None:
    """A girl: a child's proportions, long hair."""
    _draw_person(pen, rng, _look(rng, head=0.105, has_long_hair=True, has_dress=chance(rng, 0.5)))


def _look(rng: np.random.Generator, *, head: float, has_long_hair: bool, has_dress: bool) -> _Look:
    skin = SKIN_TONES[int(rng.integers(len(SKIN_TONES)))]
    top = pick_paint(rng, *CLOTHES)
    others = [name for name in ("blue", "black", "gray", "brown", "beige", "white") if name != top.name]
    return _Look(
        skin=skin,
        hair=pick_paint(rng, *HAIR),
        top=top,
        bottom=pick_paint(rng, *others),
        head=head,
        has_long_hair=has_long_hair,
        has_dress=has_dress,
    )


def _draw_person(pen: Pen, rng: np.random.Generator, look: _Look) -> None:
    seated = pen.pose in {"sit", "ride"}
    if not seated:
        pen.shadow(0.2)
    neck = 1.0 - 2 * look.head
    hip = 0.46 if look.head < 0.09 else 0.4
    _legs(pen, look, hip=hip)
    _arm(pen, look, shoulder=neck - 0.06, side=-1.0)
    _torso(pen, rng, look, hip=hip, neck=neck)
    _arm(pen, look, shoulder=neck - 0.06, side=1.0)
    _head(pen, rng, look)
    hair = {"yellow": "blond", "orange": "red"}.get(look.hair.name, look.hair.name)
    if not look.has_dress:
        pen.say(f"wears {look.bottom.name} pants")
    pen.say(f"has {'long ' if look.has_long_hair else 'short '}{hair} hair")


def _legs(pen: Pen, look: _Look, *, hip: float) -> None:
    shoe = (48, 40, 38)
    rgb, width = (look.skin, 0.065) if look.has_dress else (look.bottom.rgb, 0.1)
    if pen.pose == "sit":
        for dx in (0.0, 0.05):
            pen.line((dx - 0.02, hip), (0.2 + dx, hip - 0.02), (0.21 + dx, hip - 0.23), width=width, rgb=rgb)
            pen.oval(0.24 + dx, hip - 0.25, 0.06, 0.025, rgb=shoe)
        return
    if pen.pose == "ride":
        pen.line((0.0, hip), (0.17, hip - 0.1), (0.08, 0.08), width=width, rgb=rgb)
        pen.oval(0.12, 0.05, 0.06, 0.025, rgb=shoe)
        return
    spread = 0.13 if pen.pose == "walk" else 0.05
    for side, tone in ((-1, 0.85), (1, 1.0)):
        leg = (int(rgb[0] * tone), int(rgb[1] * tone), int(rgb[2] * tone))
        pen.line((0.035 * side, hip + 0.02), (spread * side, 0.03), width=width, rgb=leg)
        pen.oval(spread * side + 0.025, 0.02, 0.062, 0.026, rgb=shoe)


def _torso(pen: Pen, rng: np.random.Generator, look: _Look, *, hip: float, neck: float) -> None:
    half = 0.125 if look.head < 0.09 else 0.14
    pen.rect(-0.03, neck - 0.03, 0.03, neck + 0.04, rgb=look.skin)
    garment = "dress" if look.has_dress else "shirt"
    plain = f"wears a {look.top.name} {garment}"
    if look.has_dress:
        pen.say(plain)
        pen.slab(-half, hip, half, neck, radius=0.04, rgb=look.top.rgb)
        pen.poly(
            (-half, hip + 0.14),
            (half, hip + 0.14),
            (half + 0.07, hip - 0.16),
            (-half - 0.07, hip - 0.16),
            rgb=look.top.rgb,
        )
        return
    style = int(rng.integers(4))
    pen.rect(-half * 0.9, hip - 0.04, half * 0.9, hip, rgb=look.bottom.rgb)
    if style not in {1, 2} or (style == 1 and look.top.name == "white"):
        pen.say(plain)
        pen.slab(-half, hip - 0.02, half, neck, radius=0.04, rgb=look.top.rgb)
        return
    with pen.part("shirt", f"is {look.top.name}", fallback=(plain,), link="wears", min_side=_SHIRT_SIDE):
        pen.slab(-half, hip - 0.02, half, neck, radius=0.04, rgb=look.top.rgb)
        ink = look.top.dark if look.top.name in {"white", "yellow", "beige", "pink"} else (244, 244, 240)
        if style == 1:
            words = SHIRT_WORDS[int(rng.integers(len(SHIRT_WORDS)))]
            pen.text(0.0, neck - 0.14, words, height=0.15 if len(words) < 3 else 0.11, rgb=ink)
            pen.say(f'shows the text "{words}"')
        else:
            pattern = choose(rng, *PATTERNS)
            pen.pattern(pattern, -half, hip, half, neck - 0.04, rgb=ink, count=3 if pattern != "striped" else 4)
            pen.say(f"has a {pattern} pattern")
            pen.draft.fallback[:] = [f"wears a {pattern} {look.top.name} {garment}"]


def _arm(pen: Pen, look: _Look, *, shoulder: float, side: float) -> None:
    sleeve = look.top.dark if side < 0 else look.top.rgb
    x = 0.12 * side
    if pen.pose == "hold" and side > 0:
        hand = HAND
        elbow = (0.2, shoulder - 0.18)
    elif pen.pose == "carry" and side > 0:
        elbow, hand = (0.15, shoulder - 0.16), (0.18, 0.44)
    elif pen.pose == "ride":
        elbow, hand = (0.14, shoulder - 0.12), (0.26, shoulder - 0.14)
    elif pen.pose == "walk":
        elbow, hand = (x * 1.4, shoulder - 0.15), (x * 1.8, shoulder - 0.27)
    else:
        elbow, hand = (x * 1.25, shoulder - 0.15), (x * 1.3, shoulder - 0.3)
    pen.line((x, shoulder), elbow, width=0.07, rgb=sleeve)
    pen.line(elbow, hand, width=0.05, rgb=look.skin)
    pen.oval(hand[0], hand[1], 0.03, 0.03, rgb=look.skin)


def _head(pen: Pen, rng: np.random.Generator, look: _Look) -> None:
    r = look.head
    cy = 1.0 - r
    if look.has_long_hair:
        pen.slab(-r * 1.12, cy - 1.9 * r, r * 1.12, cy + 0.6 * r, radius=r * 0.5, rgb=look.hair.rgb)
    pen.oval(0.0, cy + 0.12 * r, r * 1.05, r * 0.95, rgb=look.hair.rgb)
    pen.oval(0.1 * r, cy - 0.12 * r, r * 0.86, r * 0.9, rgb=look.skin)
    pen.poly(
        (-0.9 * r, cy + 0.2 * r),
        (r, cy + 0.35 * r),
        (0.5 * r, cy + 0.95 * r),
        (-0.6 * r, cy + 0.9 * r),
        rgb=look.hair.rgb,
    )
    for eye in (-0.15, 0.5):
        pen.oval(eye * r, cy - 0.1 * r, 0.1 * r, 0.14 * r, rgb=(30, 26, 26))
    pen.line((0.0, cy - 0.55 * r), (0.4 * r, cy - 0.55 * r), width=0.012, rgb=(150, 60, 60))
    if chance(rng, 0.25):
        hat = pick_paint(rng, "red", "blue", "green", "yellow", "black", "purple", "beige")
        with pen.part("hat", f"is {hat.name}", fallback=(f"wears a {hat.name} hat",), link="wears"):
            pen.oval(0.0, cy + 0.5 * r, 1.5 * r, 0.2 * r, rgb=hat.dark)
            pen.slab(-0.85 * r, cy + 0.45 * r, 0.85 * r, cy + 1.35 * r, radius=0.3 * r, rgb=hat.rgb)
