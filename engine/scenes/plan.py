"""The plan of a scene: which things stand where, found without drawing."""

from dataclasses import dataclass, field

import numpy as np

from pancap.engine.scenes.things import KINDS
from pancap.engine.scenes.world import World

SURFACES: dict[str, float] = {
    "table": 1.0,
    "desk": 1.0,
    "cabinet": 1.0,
    "bench": 0.48,
    "sofa": 0.53,
    "chair": 0.48,
    "bed": 0.6,
    "fence": 0.98,
}
"""Height of the surface that things stand or sit on, in heights of the support."""

_SINGLE: frozenset[str] = frozenset({"sun", "moon", "refrigerator", "stove", "train"})
"""Kinds of which a scene shows one at most."""
_HANGING_OVERLAP = 0.05
"""Largest covered share between two things on a wall or in the sky."""
_MIN_HEIGHT = 0.075
_MAX_HEIGHT = 0.9


@dataclass(kw_only=True)
class Item:
    """One planned thing.

    Args:
        tag: kind to draw.
        x, y: foot in fractions of the image.
        height: height in fractions of the image.
        seed: of its own drawing, so that leaving another thing out changes nothing of this one.
        order: painter's order; larger is nearer.
        ground: tag of the stuff it stands on, if any.
        flip, pose: as the pen takes them.
        links: (predicate, index of the other item) with this item as subject.
        cord: fractions (x1, y1, x2, y2) of a thin line to draw before it (leash, kite string).
    """

    tag: str
    x: float
    y: float
    height: float
    seed: int
    order: float
    ground: str | None = None
    flip: bool = False
    pose: str = ""
    links: list[tuple[str, int]] = field(default_factory=list)
    cord: tuple[float, float, float, float] | None = None

    @property
    def sign(self) -> float:
        """-1 when it faces left."""
        return -1.0 if self.flip else 1.0

    @property
    def width(self) -> float:
        """Expected width in fractions of the image."""
        return self.height * KINDS[self.tag].aspect

    def extent(self) -> tuple[float, float, float, float]:
        """Expected box (x1, y1, x2, y2), not clipped."""
        return self.x - self.width / 2, self.y - self.height, self.x + self.width / 2, self.y


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A strip where some kinds may stand.

    Args:
        kinds: tags; repeat one to make it likelier.
        y: lowest and highest row of the foot.
        ground: stuff underfoot; `None` for the air and walls.
        height: (least, greatest) height in fractions for things without perspective (sky, walls), else by the camera.
        pose: pose of whatever stands here.
        grow: factor on the perspective height (close-ups).
        most: largest number of things here.
    """

    kinds: tuple[str, ...]
    y: tuple[float, float]
    ground: str | None = None
    height: tuple[float, float] | None = None
    pose: str = ""
    grow: float = 1.0
    most: int = 3


class Plan:
    """Collects items, keeping them mostly inside the image and mostly uncovered."""

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self.world = world
        self.rng = rng
        self.items: list[Item] = []

    def chance(self, share: float) -> bool:
        """True with the given probability."""
        return bool(self.rng.random() < share)

    def choose(self, *options: str) -> str:
        """One of the options."""
        return options[int(self.rng.integers(len(options)))]

    def place(self, zone: Zone, *, tag: str | None = None, pose: str | None = None, tries: int = 12) -> int | None:
        """Puts one thing into a zone; None when nothing fits."""
        for _ in range(tries):
            kind = KINDS[tag or zone.kinds[int(self.rng.integers(len(zone.kinds)))]]
            y = float(self.rng.uniform(*zone.y))
            if zone.height:
                height = float(self.rng.uniform(*zone.height))
            else:
                height = kind.height_m * self.world.scale_at(y) * zone.grow * float(self.rng.uniform(0.92, 1.1))
            width = height * kind.aspect
            if not (_MIN_HEIGHT <= height <= _MAX_HEIGHT and 0.05 <= width <= 1.1) and not zone.height:
                continue
            reach = max(width / 2 - 0.12 * width, 0.02)
            x = 0.5 if reach >= 0.5 else float(self.rng.uniform(reach, 1 - reach))
            item = self.make(
                kind.tag,
                x=x,
                y=y,
                height=height,
                pose=zone.pose if pose is None else pose,
                ground=zone.ground,
                order=y if zone.ground else y - 1.0,
            )
            if self.fits(item):
                return self.add(item)
        return None

    def make(
        self,
        tag: str,
        *,
        x: float,
        y: float,
        height: float,
        order: float,
        pose: str = "",
        ground: str | None = None,
        flip: bool | None = None,
    ) -> Item:
        """A new item with a drawing seed of its own."""
        seed = int(self.rng.integers(2**31))
        side = self.chance(0.5) if flip is None else flip
        return Item(tag=tag, x=x, y=y, height=height, seed=seed, order=order, pose=pose, ground=ground, flip=side)

    def add(self, item: Item) -> int:
        """Keeps an item; its index."""
        self.items.append(item)
        return len(self.items) - 1

    def fits(self, item: Item, *, most_covered: float = 0.4) -> bool:
        """True when neither the item nor what is there already would be covered too much."""
        ax1, ay1, ax2, ay2 = item.extent()
        if ay1 < -0.06:
            return False
        for other in self.items:
            bx1, by1, bx2, by2 = other.extent()
            shared = max(min(ax2, bx2) - max(ax1, bx1), 0.0) * max(min(ay2, by2) - max(ay1, by1), 0.0)
            far = item if item.order < other.order else other
            if other.tag == "rug" or item.tag == "rug":
                continue
            if shared > most_covered * far.width * far.height:
                return False
            if other.tag == item.tag and item.tag in _SINGLE:
                return False
            if shared > _HANGING_OVERLAP * far.width * far.height and item.ground is None and other.ground is None:
                return False
            if other.tag == item.tag and shared > 0.12 * far.width * far.height:
                return False
        return True

    def without(self, dropped: set[int]) -> list[Item]:
        """The items that stay when some are left out; links to what is gone are cut, indices renumbered."""
        kept = [index for index in range(len(self.items)) if index not in dropped]
        renumbered = {old: new for new, old in enumerate(kept)}
        items = []
        for index in kept:
            item = self.items[index]
            item.links = [(text, renumbered[end]) for text, end in item.links if end in renumbered]
            items.append(item)
        return items
