"""From flat painting to picture: surface noise, shading, time of day, fog, rain, snow and glowing lamps."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from pancap.engine.scenes.canvas import SUPERSAMPLING, Canvas, Draft
from pancap.engine.scenes.world import World

_TEXTURES: dict[str, float] = {
    "matte": 0.025,
    "fine": 0.055,
    "grass": 0.09,
    "crop": 0.1,
    "leaves": 0.14,
    "water": 0.05,
    "waves": 0.1,
    "rough": 0.12,
    "smooth": 0.03,
    "sky": 0.012,
}
"""Relative strength of the noise of each surface."""

_AMBIENT: dict[str, tuple[float, float, float]] = {
    "day": (1.0, 1.0, 1.0),
    "dusk": (0.96, 0.8, 0.7),
    "night": (0.46, 0.5, 0.68),
    "bright": (1.0, 1.0, 1.0),
    "warm": (0.96, 0.84, 0.66),
    "dim": (0.64, 0.62, 0.64),
}
_VEIL: dict[str, tuple[float, tuple[int, int, int]]] = {
    "foggy": (0.6, (206, 208, 212)),
    "rainy": (0.22, (150, 156, 166)),
    "snowy": (0.2, (222, 226, 232)),
}
"""Weather: share of the veil colour at the horizon, and the colour by day."""


def finish(canvas: Canvas, world: World, rng: np.random.Generator) -> np.ndarray:
    """Turns the painted layers into the final image.

    Args:
        canvas: painted layers.
        world: time of day, weather, room light.
        rng: source of chance (noise offsets, drops).

    Returns:
        uint8 (size, size, 3).
    """
    size = canvas.size_px
    rgb = np.asarray(canvas.rgb.reduce(SUPERSAMPLING), dtype=np.float32)
    ids = canvas.id_mask()
    gain = _surface(canvas.drafts, ids, rng)
    gain += _relief(canvas.drafts, ids)
    rgb = rgb * gain[..., None]
    ambient = np.array(_AMBIENT[world.room_light if world.is_indoor else world.time], dtype=np.float32)
    if not world.is_indoor and world.weather in {"cloudy", "rainy", "foggy"}:
        ambient = ambient * np.float32(0.9)
    if ambient.min() < 1.0 or world.weather == "foggy":
        lit = _light_share(canvas, ids)
        rgb = rgb * (ambient + (1.0 - ambient) * lit[..., None])
    if canvas.has_light and (world.is_night or world.room_light != "bright"):
        rgb = rgb + _halo(canvas)
    if not world.is_indoor and world.weather in _VEIL:
        rgb = _veil(rgb, canvas, ids, world)
    image = np.clip(rgb, 0.0, 255.0).astype(np.uint8)
    if not world.is_indoor and world.weather in {"rainy", "snowy"}:
        image = _falling(image, rng, size=size, is_snow=world.weather == "snowy", is_night=world.is_night)
    return image


def _surface(drafts: list[Draft], ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Noise of every surface, 1 + small."""
    size = ids.shape[0]
    gain = np.ones(ids.shape, dtype=np.float32)
    for texture in sorted({draft.texture for draft in drafts}):
        weights = np.zeros(256, dtype=np.float32)
        weights[[draft.id for draft in drafts if draft.texture == texture]] = _TEXTURES[texture]
        atlas = _atlas(texture, size)
        dx, dy = rng.integers(0, size, size=2)
        gain += weights[ids] * atlas[dy : dy + size, dx : dx + size]
    return gain


def _relief(drafts: list[Draft], ids: np.ndarray) -> np.ndarray:
    """Lighter above and to the left, darker below and to the right, within each thing's own extent."""
    size = ids.shape[0]
    top, left = np.zeros(256, np.float32), np.zeros(256, np.float32)
    per_y, per_x = np.zeros(256, np.float32), np.zeros(256, np.float32)
    for draft, box in zip(drafts, mask_extents(ids, count=len(drafts)), strict=True):
        if box is None or draft.role == "stuff":
            continue
        x1, y1, x2, y2 = box
        top[draft.id], left[draft.id] = (y1 + y2) / 2, (x1 + x2) / 2
        per_y[draft.id], per_x[draft.id] = -0.17 / max(y2 - y1, 4), -0.1 / max(x2 - x1, 4)
    rows = np.arange(size, dtype=np.float32)[:, None]
    columns = np.arange(size, dtype=np.float32)[None, :]
    return (rows - top[ids]) * per_y[ids] + (columns - left[ids]) * per_x[ids]


def mask_extents(ids: np.ndarray, *, count: int) -> list[tuple[int, int, int, int] | None]:
    """Pixel extent (x1, y1, x2, y2; right and bottom exclusive) of ids 1..count, None where an id has no pixel."""
    from scipy.ndimage import find_objects

    boxes: list[tuple[int, int, int, int] | None] = []
    for found in find_objects(ids, max_label=count):
        boxes.append(None if found is None else (found[1].start, found[0].start, found[1].stop, found[0].stop))
    return boxes


def _light_share(canvas: Canvas, ids: np.ndarray) -> np.ndarray:
    """0 where the ambient light rules, 1 where something shines (lamps, the sky)."""
    share = np.zeros(ids.shape, dtype=np.float32)
    if canvas.has_light:
        share = np.asarray(canvas.light.reduce(SUPERSAMPLING), dtype=np.float32) / 255.0
    sky = np.zeros(256, dtype=np.float32)
    sky[[draft.id for draft in canvas.drafts if draft.texture == "sky"]] = 1.0
    return np.maximum(share, sky[ids])


def _halo(canvas: Canvas) -> np.ndarray:
    """A warm bloom around what shines."""
    small = canvas.light.reduce(8)
    radius = max(canvas.size_px // 50, 2)
    bloom = small.filter(ImageFilter.BoxBlur(radius)).filter(ImageFilter.BoxBlur(radius))
    full = bloom.resize((canvas.size_px, canvas.size_px), Image.Resampling.BILINEAR)
    return np.asarray(full, dtype=np.float32)[..., None] * np.array([0.42, 0.34, 0.18], dtype=np.float32)


def _veil(rgb: np.ndarray, canvas: Canvas, ids: np.ndarray, world: World) -> np.ndarray:
    """Fog, rain or snow air: the farther, the paler."""
    strength, color = _VEIL[world.weather]
    tone = {"day": 1.0, "dusk": 0.74, "night": 0.34}[world.time]
    depth = np.zeros(256, dtype=np.float32)
    for draft in canvas.drafts:
        depth[draft.id] = draft.depth
    size = ids.shape[0]
    rows = np.linspace(0.0, 1.0, size, dtype=np.float32)[:, None]
    ground = np.clip((rows - world.horizon) / max(1.0 - world.horizon, 0.1), 0.0, 1.0)
    is_stuff = np.zeros(256, dtype=bool)
    is_stuff[[draft.id for draft in canvas.drafts if draft.role == "stuff"]] = True
    nearness = np.where(is_stuff[ids], ground, depth[ids])
    share = (strength * (1.0 - nearness) ** 1.5)[..., None]
    return rgb * (1.0 - share) + np.array(color, dtype=np.float32) * np.float32(tone) * share


def _falling(image: np.ndarray, rng: np.random.Generator, *, size: int, is_snow: bool, is_night: bool) -> np.ndarray:
    """Streaks of rain or flakes of snow."""
    layer = Image.new("L", (size, size))
    draw = ImageDraw.Draw(layer)
    unit = size / 256
    xs, ys = rng.random(150) * size * 1.1, rng.random(150) * size
    for x, y, strength in zip(xs.tolist(), ys.tolist(), rng.random(150).tolist(), strict=True):
        if is_snow:
            r = (0.6 + 1.2 * strength) * unit
            draw.ellipse((x - r, y - r, x + r, y + r), fill=int(150 + 90 * strength))
        else:
            length = (7 + 9 * strength) * unit
            draw.line((x, y, x - length * 0.3, y + length), fill=int(70 + 90 * strength), width=max(int(unit), 1))
    alpha = np.asarray(layer, dtype=np.float32)[..., None] / 255.0
    color = np.array((250, 252, 255) if is_snow else (214, 222, 234), dtype=np.float32) * (0.75 if is_night else 1.0)
    return (image * (1.0 - alpha) + color * alpha).astype(np.uint8)


@lru_cache(maxsize=32)
def _atlas(texture: str, size: int) -> np.ndarray:
    """Noise of unit variance, twice the image's side, the same in every process."""
    rng = np.random.default_rng(np.random.SeedSequence((7, sorted(_TEXTURES).index(texture))))
    side = 2 * size
    grain = rng.standard_normal((side, side), dtype=np.float32)

    def stretched(width: int, height: int) -> np.ndarray:
        coarse = Image.fromarray(rng.standard_normal((height, width), dtype=np.float32))
        return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))

    if texture in {"grass", "crop"}:
        field = 0.7 * stretched(side // 2, side // 8) + 0.5 * stretched(side // 32, side // 32)
        if texture == "crop":
            field = field + 1.2 * np.sin(np.arange(side, dtype=np.float32) * (0.55 * 256 / size))[:, None]
    elif texture in {"water", "waves"}:
        field = stretched(side // 24, side // 4) + 0.4 * stretched(side // 8, side // 2)
    elif texture == "leaves":
        field = 0.9 * stretched(side // 6, side // 6) + 0.5 * grain
    elif texture == "rough":
        field = stretched(side // 16, side // 10) + 0.5 * stretched(side // 4, side // 4) + 0.3 * grain
    elif texture in {"smooth", "sky"}:
        field = stretched(side // 40, side // 60)
    else:
        field = 0.8 * grain + 0.5 * stretched(side // 24, side // 24)
    return field / max(float(field.std()), 1e-6)
