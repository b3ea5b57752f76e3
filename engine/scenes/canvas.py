"""A canvas that paints colours, entity ids and light at once, and a pen that draws in an object's own frame."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pancap.engine.scenes.vocabulary import RGB, shade

SUPERSAMPLING = 2
"""Drawing happens at this multiple of the image size and is averaged down: smooth edges for one millisecond."""

Point = tuple[float, float]


@dataclass(kw_only=True)
class Draft:
    """What the painter knows of one entity while it draws.

    Args:
        id: value of its pixels in the id mask, from 1.
        tag: category label.
        role: `thing`, `stuff` or `part`.
        whole_id: the entity that a part belongs to.
        link: predicate between part and whole, with the whole as subject when `link_from_whole`.
        attributes: predicates, in the order of importance.
        fallback: predicates that the whole gets where the part itself is too small to be listed.
        texture: name of the surface noise.
        drawn_px: pixels painted, before anything nearer covered them.
        depth: 0 far .. 1 near, for fog.
        min_side: parts only: least visible side, in fractions of the image, for the part to be listed.
    """

    id: int
    tag: str
    role: str
    whole_id: int | None = None
    link: str = "is part of"
    link_from_whole: bool = False
    attributes: list[str] = field(default_factory=list)
    fallback: list[str] = field(default_factory=list)
    texture: str = "matte"
    drawn_px: int = 0
    depth: float = 1.0
    min_side: float = 0.0


class Canvas:
    """Three layers painted in step: colour, entity ids (exact, no anti-aliasing) and emitted light.

    Args:
        size_px: side of the final image; layers are `SUPERSAMPLING` times larger.
    """

    def __init__(self, size_px: int) -> None:
        self.side = size_px * SUPERSAMPLING
        self.size_px = size_px
        shape = (self.side, self.side)
        self.rgb = Image.new("RGB", shape)
        self.ids = Image.new("L", shape)
        self.light = Image.new("L", shape)
        self._rgb_draw = ImageDraw.Draw(self.rgb)
        self._ids_draw = ImageDraw.Draw(self.ids)
        self._light_draw = ImageDraw.Draw(self.light)
        self.drafts: list[Draft] = []
        self.has_light = False

    def register(self, tag: str, *, role: str, **details: Any) -> Draft:
        """Opens a new entity; its pixels carry `Draft.id`.

        Raises:
            ValueError: the id mask (one byte a pixel) is full.
        """
        if len(self.drafts) >= 255:
            raise ValueError(f"a scene holds at most 255 drawn entities, got one more ({tag}); draw fewer parts")
        draft = Draft(id=len(self.drafts) + 1, tag=tag, role=role, **details)
        self.drafts.append(draft)
        return draft

    def polygon(self, points: Sequence[Point], *, rgb: RGB, draft_id: int | None, glow: int = 0) -> None:
        """Fills a polygon given in pixels of the layers; `draft_id=None` leaves the ids (shadows, leashes)."""
        self._rgb_draw.polygon(points, fill=rgb)
        if draft_id is not None:
            self._ids_draw.polygon(points, fill=draft_id)
            self._emit("polygon", points, glow)

    def ellipse(self, corners: Sequence[float], *, rgb: RGB, draft_id: int | None, glow: int = 0) -> None:
        """Fills an ellipse inside pixel corners (x1, y1, x2, y2)."""
        self._rgb_draw.ellipse(corners, fill=rgb)
        if draft_id is not None:
            self._ids_draw.ellipse(corners, fill=draft_id)
            self._emit("ellipse", corners, glow)

    def rectangle(self, corners: Sequence[float], *, rgb: RGB, draft_id: int | None, glow: int = 0) -> None:
        """Fills a rectangle between pixel corners (x1, y1, x2, y2)."""
        self._rgb_draw.rectangle(corners, fill=rgb)
        if draft_id is not None:
            self._ids_draw.rectangle(corners, fill=draft_id)
            self._emit("rectangle", corners, glow)

    def line(self, points: Sequence[Point], *, width: int, rgb: RGB, draft_id: int | None) -> None:
        """Draws a polyline with round joints."""
        self._rgb_draw.line(points, fill=rgb, width=width, joint="curve")
        if draft_id is not None:
            self._ids_draw.line(points, fill=draft_id, width=width, joint="curve")
            self._emit("line", points, 0, width=width)

    def text(self, center: Point, *, words: str, height: float, rgb: RGB) -> None:
        """Writes words around a centre; the ids below stay (letters belong to what they stand on)."""
        self._rgb_draw.text(center, words, fill=rgb, font=_font(max(int(height), 6)), anchor="mm")

    def gradient(self, *, top: RGB, bottom: RGB, y1: int, y2: int, draft_id: int) -> None:
        """Fills the full width between two rows with a vertical gradient."""
        if y2 <= y1:
            return
        ramp = np.linspace(0.0, 1.0, y2 - y1, dtype=np.float32)[:, None]
        column = (np.array(top, np.float32) * (1 - ramp) + np.array(bottom, np.float32) * ramp).astype(np.uint8)
        band = Image.fromarray(column[:, None, :]).resize((self.side, y2 - y1), Image.Resampling.NEAREST)
        self.rgb.paste(band, (0, y1))
        self._ids_draw.rectangle((0, y1, self.side, y2 - 1), fill=draft_id)

    def id_mask(self) -> np.ndarray:
        """Entity ids at the final size: uint8 (size_px, size_px)."""
        return np.asarray(self.ids)[::SUPERSAMPLING, ::SUPERSAMPLING].copy()

    def _emit(self, shape: str, where: Any, glow: int, **details: Any) -> None:
        if glow or self.has_light:
            self.has_light = True
            getattr(self._light_draw, shape)(where, fill=glow, **details)


class Pen:
    """Draws one object in its own frame: origin at its foot, x to the right, y up, the object's height is 1.

    Args:
        canvas: where to paint.
        x, y: the foot in fractions of the image (y down).
        height: height of the object in fractions of the image.
        draft: the entity that pixels and attributes go to.
        flip: mirror left and right.
        pose: what the object does (`walk`, `sit`, `hold`, ...); kinds read it.
        is_night: lamps and windows may be lit.
    """

    def __init__(
        self,
        canvas: Canvas,
        *,
        x: float,
        y: float,
        height: float,
        draft: Draft,
        flip: bool = False,
        pose: str = "",
        is_night: bool = False,
    ) -> None:
        self.canvas = canvas
        self.draft = draft
        self.pose = pose
        self.is_night = is_night
        self._whole = draft
        self._x0 = x * canvas.side
        self._y0 = y * canvas.side
        self._unit = height * canvas.side
        self._sign = -1.0 if flip else 1.0

    def say(self, *attributes: str) -> None:
        """States predicates of the entity being drawn."""
        self.draft.attributes.extend(attributes)

    @contextmanager
    def part(
        self, tag: str, *attributes: str, fallback: Sequence[str] = (), link: str = "is part of", min_side: float = 0.0
    ) -> Iterator[None]:
        """Draws a part: an entity of its own inside the whole; `link="wears"` makes the whole the subject."""
        outer = self.draft
        self.draft = self.canvas.register(
            tag,
            role="part",
            whole_id=self._whole.id,
            link=link,
            link_from_whole=link != "is part of",
            attributes=list(attributes),
            fallback=list(fallback),
            depth=self._whole.depth,
            min_side=min_side,
        )
        try:
            yield
        finally:
            self.draft = outer

    def poly(self, *points: Point, rgb: RGB, glow: int = 0) -> None:
        """Fills a polygon."""
        self.canvas.polygon([self._at(*p) for p in points], rgb=rgb, draft_id=self.draft.id, glow=glow)

    def rect(self, x1: float, y1: float, x2: float, y2: float, *, rgb: RGB, glow: int = 0) -> None:
        """Fills a rectangle."""
        self.canvas.rectangle(self._corners(x1, y1, x2, y2), rgb=rgb, draft_id=self.draft.id, glow=glow)

    def oval(self, cx: float, cy: float, rx: float, ry: float, *, rgb: RGB, glow: int = 0) -> None:
        """Fills an ellipse around a centre."""
        corners = self._corners(cx - rx, cy - ry, cx + rx, cy + ry)
        self.canvas.ellipse(corners, rgb=rgb, draft_id=self.draft.id, glow=glow)

    def slab(self, x1: float, y1: float, x2: float, y2: float, *, radius: float, rgb: RGB) -> None:
        """Fills a rectangle with round corners."""
        self.rect(x1 + radius, y1, x2 - radius, y2, rgb=rgb)
        self.rect(x1, y1 + radius, x2, y2 - radius, rgb=rgb)
        for cx in (x1 + radius, x2 - radius):
            for cy in (y1 + radius, y2 - radius):
                self.oval(cx, cy, radius, radius, rgb=rgb)

    def line(self, *points: Point, width: float, rgb: RGB, owned: bool = True) -> None:
        """Draws a polyline; width in units of the object's height. `owned=False` leaves the id mask."""
        width_px = max(int(width * self._unit + 0.5), 1)
        self.canvas.line(
            [self._at(*p) for p in points], width=width_px, rgb=rgb, draft_id=self.draft.id if owned else None
        )

    def text(self, cx: float, cy: float, words: str, *, height: float, rgb: RGB) -> None:
        """Writes words (never mirrored) around a centre."""
        self.canvas.text(self._at(cx, cy), words=words, height=height * self._unit, rgb=rgb)

    def pattern(self, name: str, x1: float, y1: float, x2: float, y2: float, *, rgb: RGB, count: int = 4) -> None:
        """Lays stripes, checks or dots of a second colour over a rectangle."""
        step_x, step_y = (x2 - x1) / (2 * count), (y2 - y1) / (2 * count)
        if name == "striped":
            for i in range(count):
                self.rect(x1, y1 + (2 * i + 0.5) * step_y, x2, y1 + (2 * i + 1.5) * step_y, rgb=rgb)
            return
        for i in range(2 * count):
            for j in range(i % 2, 2 * count, 2):
                if name == "checkered":
                    self.rect(x1 + i * step_x, y1 + j * step_y, x1 + (i + 1) * step_x, y1 + (j + 1) * step_y, rgb=rgb)
                else:
                    radius = 0.45 * min(step_x, step_y)
                    self.oval(x1 + (i + 0.5) * step_x, y1 + (j + 0.5) * step_y, radius, radius, rgb=rgb)

    def shadow(self, half_width: float, *, x: float = 0.0, depth: float = 0.045) -> None:
        """Darkens the ground at the foot; the ground keeps its pixels in the id mask."""
        px, py = self._at(x, 0.0)
        side = self.canvas.side
        below = self.canvas.rgb.getpixel((int(min(max(px, 0), side - 1)), int(min(max(py, 0), side - 1))))
        corners = self._corners(x - half_width, -depth, x + half_width, depth)
        self.canvas.ellipse(corners, rgb=shade(below, factor=0.74), draft_id=None)  # type: ignore[arg-type]

    def _at(self, x: float, y: float) -> Point:
        return self._x0 + self._sign * x * self._unit, self._y0 - y * self._unit

    def _corners(self, x1: float, y1: float, x2: float, y2: float) -> tuple[float, float, float, float]:
        ax, ay = self._at(x1, y1)
        bx, by = self._at(x2, y2)
        return min(ax, bx), min(ay, by), max(ax, bx), max(ay, by)


@lru_cache(maxsize=128)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
