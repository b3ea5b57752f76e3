"""The words and colours that Scenes draw with: one list for the painter, the detectors and the measuring of pixels."""

from typing import NamedTuple

import numpy as np

RGB = tuple[int, int, int]

COLORS: dict[str, RGB] = {
    "red": (204, 44, 44),
    "orange": (236, 132, 36),
    "yellow": (240, 206, 62),
    "green": (66, 150, 68),
    "blue": (52, 104, 196),
    "purple": (128, 72, 168),
    "pink": (238, 146, 178),
    "brown": (124, 80, 48),
    "beige": (216, 192, 152),
    "black": (40, 40, 44),
    "gray": (134, 138, 144),
    "white": (240, 240, 236),
}
"""Basic colour names and the sRGB anchor that each is drawn around (daylight, before weather and light)."""

PATTERNS: tuple[str, ...] = ("striped", "checkered", "dotted")
MATERIALS: tuple[str, ...] = ("wood", "brick", "stone", "metal", "glass", "tile", "concrete", "fabric")

PEOPLE: tuple[str, ...] = ("man", "woman", "boy", "girl")
ANIMALS: tuple[str, ...] = ("dog", "cat", "horse", "cow", "sheep", "bird", "duck")
VEHICLES: tuple[str, ...] = (
    "car", "bus", "truck", "bicycle", "boat", "sailboat", "airplane", "hot air balloon", "train",
)  # fmt: skip
BUILDINGS: tuple[str, ...] = ("house", "building", "barn", "lighthouse", "windmill", "tent")
PLANTS: tuple[str, ...] = ("tree", "pine tree", "palm tree", "bush", "flower", "cactus", "potted plant")
STREET_FURNITURE: tuple[str, ...] = (
    "bench", "street lamp", "traffic light", "sign", "stop sign", "fire hydrant", "mailbox", "fence", "snowman",
)  # fmt: skip
FURNITURE: tuple[str, ...] = (
    "table", "desk", "chair", "sofa", "bed", "lamp", "bookshelf", "cabinet", "refrigerator", "stove",
    "television", "window", "picture", "clock", "rug",
)  # fmt: skip
SMALL_OBJECTS: tuple[str, ...] = (
    "cup", "bottle", "vase", "book", "laptop", "apple", "orange", "banana", "bowl", "plate", "candle", "teddy bear",
    "ball", "umbrella", "suitcase", "balloon", "kite",
)  # fmt: skip
SKY_OBJECTS: tuple[str, ...] = ("sun", "moon", "cloud")

THINGS: tuple[str, ...] = (
    *PEOPLE, *ANIMALS, *VEHICLES, *BUILDINGS, *PLANTS, *STREET_FURNITURE, *FURNITURE, *SMALL_OBJECTS, *SKY_OBJECTS,
)  # fmt: skip
"""Tags of countable entities."""

STUFF: tuple[str, ...] = (
    "sky", "grass", "field", "road", "sidewalk", "path", "sand", "sea", "lake", "snow", "mountain", "hill",
    "railroad", "wall", "floor",
)  # fmt: skip
"""Tags of regions without a shape of their own."""

PARTS: tuple[str, ...] = ("wheel", "door", "window", "roof", "shirt", "hat", "sail", "drawer", "screen", "chimney")
"""Tags of parts; each is an entity of its own only where it is drawn large enough to be seen."""

OUTDOOR_STUFF: frozenset[str] = frozenset(STUFF) - {"wall", "floor"}

SMALL_AREA = 0.012
"""A thing whose box covers less of the image than this `is small`."""
LARGE_AREA = 0.14
"""A thing whose box covers more of the image than this `is large`."""

SIGN_WORDS: tuple[str, ...] = (
    "CAFE", "HOTEL", "OPEN", "SHOP", "TAXI", "PARK", "BANK", "BAR", "ZOO", "EXIT", "FOOD", "BOOKS",
)  # fmt: skip
SHIRT_WORDS: tuple[str, ...] = ("GO", "HI", "YES", "WOW", "42", "7", "10", "USA")


class Paint(NamedTuple):
    """A colour with the name that a caption gives it."""

    name: str
    rgb: RGB

    @property
    def dark(self) -> RGB:
        """The colour in shadow."""
        return shade(self.rgb, factor=0.72)

    @property
    def light(self) -> RGB:
        """The colour in full light."""
        return shade(self.rgb, factor=1.22)


def shade(rgb: RGB, *, factor: float) -> RGB:
    """Darkens (factor < 1) or lightens (factor > 1: towards white) a colour."""
    if factor <= 1.0:
        return int(rgb[0] * factor), int(rgb[1] * factor), int(rgb[2] * factor)
    lift = min(factor - 1.0, 1.0)
    return (
        int(rgb[0] + (255 - rgb[0]) * lift),
        int(rgb[1] + (255 - rgb[1]) * lift),
        int(rgb[2] + (255 - rgb[2]) * lift),
    )


def pick_paint(rng: np.random.Generator, *names: str) -> Paint:
    """A slightly varied colour of one of the names (any basic colour when none is given)."""
    choices = names or tuple(COLORS)
    name = choices[int(rng.integers(len(choices)))]
    jitter = rng.integers(-12, 13, size=3)
    tone = float(rng.uniform(0.92, 1.06))
    red, green, blue = (int(min(max(v * tone + j, 0), 255)) for v, j in zip(COLORS[name], jitter, strict=True))
    return Paint(name, (red, green, blue))
