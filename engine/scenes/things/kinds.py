"""The register of drawable kinds."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pancap.engine.scenes.canvas import Pen

Draw = Callable[[Pen, np.random.Generator], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of thing.

    Args:
        tag: its label.
        draw: paints it in a frame of height 1 and states its attributes.
        height_m: storybook height in metres (small things are enlarged, towers are lowered, so that all can be seen).
        aspect: width over height, for placing.
    """

    tag: str
    draw: Draw
    height_m: float
    aspect: float


KINDS: dict[str, Kind] = {}


def kind(tag: str, *, height_m: float, aspect: float) -> Callable[[Draw], Draw]:
    """Registers a drawing function.

    Raises:
        ValueError: the tag is taken.
    """

    def register(draw: Draw) -> Draw:
        if tag in KINDS:
            raise ValueError(f"kind {tag!r} is drawn twice; give each drawing its own tag")
        KINDS[tag] = Kind(tag=tag, draw=draw, height_m=height_m, aspect=aspect)
        return draw

    return register


def chance(rng: np.random.Generator, share: float) -> bool:
    """True with the given probability."""
    return bool(rng.random() < share)


def choose(rng: np.random.Generator, *options: str) -> str:
    """One of the options, each as likely."""
    return options[int(rng.integers(len(options)))]
