"""Decoded images of a dataset as one memory map, made once and shared by all workers and later runs."""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from pancap.caption.images import ImageRefusedError, load_image
from pancap.chain.images import Resample, to_square
from pancap.chain.tuples import TrainingImage
from pancap.configs import UsageError

Progress = Callable[[str, int, int | None], None]
REPORT_EVERY = 100


def cache_pixels(
    images: Sequence[TrainingImage],
    *,
    image_px: int,
    folder: str | Path,
    resample: Resample = "bilinear",
    on_progress: Progress | None = None,
) -> Path:
    """Decodes, pads and resizes every image once; a second call with the same images finds them done.

    Args:
        images: the dataset, in order: row i of the map is image i.
        image_px: side of the square.
        folder: where the map lies; its name is a fingerprint of images, size and way of resizing.
        resample: see `to_square`.
        on_progress: called with (what, done, total).

    Returns:
        The map's file; read it with `open_pixels`. Its `.json`, written last, lists the rows that could not be read.
    """
    size = str(image_px) if resample == "bilinear" else f"{image_px} {resample}"
    digest = hashlib.sha256("\n".join([size, *(image.image_id for image in images)]).encode()).hexdigest()
    path = Path(folder) / f"pixels_{digest[:16]}.npy"
    done = path.with_suffix(".json")
    if done.is_file() and path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.npy")
    pixels = _new_map(partial, shape=(len(images), image_px, image_px, 3))
    refused: dict[str, str] = {}

    def decode(index: int) -> None:
        try:
            rgb = load_image(images[index].path.read_bytes()).rgb
            pixels[index] = to_square(rgb, image_px=image_px, resample=resample)
        except (OSError, ImageRefusedError) as error:
            refused[str(index)] = str(error).splitlines()[0]

    with ThreadPoolExecutor(max_workers=2) as pool:
        for count, _ in enumerate(pool.map(decode, range(len(images))), start=1):
            if on_progress and (count % REPORT_EVERY == 0 or count == len(images)):
                on_progress("decoding images", count, len(images))
    if len(refused) == len(images):
        raise UsageError(
            f"none of the {len(images)} images can be read: {next(iter(refused.values()))}; check their uri"
        )
    pixels.flush()
    partial.replace(path)
    done.write_text(json.dumps({"refused": refused}))
    return path


def _new_map(path: Path, *, shape: tuple[int, ...]) -> "np.memmap[Any, Any]":
    """A new memory map whose bytes are there: a map on a disk that is full kills the process when it is written to."""
    pixels: np.memmap[Any, Any] = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    try:
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from error
    return pixels


def open_pixels(path: str | Path) -> tuple[np.ndarray, frozenset[int]]:
    """The map, (N, S, S, 3) uint8, and the rows of it that hold no image."""
    refused = json.loads(Path(path).with_suffix(".json").read_text())["refused"]
    return np.load(path, mmap_mode="r"), frozenset(int(index) for index in refused)
