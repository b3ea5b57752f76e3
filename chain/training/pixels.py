"""Decoded images of a dataset as one memory map, made once and shared by all workers and later runs."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pancap.chain.images import Resample
from pancap.chain.training.squares import SquareWriter
from pancap.chain.tuples import TrainingImage
from pancap.configs import UsageError

Progress = Callable[[str, int, int | None], None]
REPORT_EVERY = 100
_NUM_THREADS = 2


def cache_pixels(
    images: Sequence[TrainingImage],
    *,
    image_px: int,
    folder: str | Path,
    resample: Resample = "bilinear",
    on_ray: bool = False,
    on_progress: Progress | None = None,
) -> Path:
    """Decodes, pads and resizes every image once; a second call with the same images finds them done.

    Args:
        images: the dataset, in order: row i of the map is image i.
        image_px: side of the square.
        folder: where the map lies; its name is a fingerprint of images, size and way of resizing.
        resample: see `to_square`.
        on_ray: decode on the Ray cluster that this process is connected to, instead of in two threads of it; all nodes
            must see images and folder under the same paths. The map is the same, byte for byte.
        on_progress: called with (what, done, total).

    Returns:
        The map's file; read it with `open_pixels`. Its `.json`, written last, lists the rows that could not be read.

    Raises:
        UsageError: no image can be read.
        StoppedError: the Ray cluster could not do it.
    """
    size = str(image_px) if resample == "bilinear" else f"{image_px} {resample}"
    digest = hashlib.sha256("\n".join([size, *(image.image_id for image in images)]).encode()).hexdigest()
    path = Path(folder) / f"pixels_{digest[:16]}.npy"
    done = path.with_suffix(".json")
    if done.is_file() and path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.stem}.{os.getpid()}.npy")
    try:
        offset = _new_map(partial, shape=(len(images), image_px, image_px, 3))
        writer = SquareWriter(file=partial, offset=offset, image_px=image_px, resample=resample)
        refused = _write_all(images, writer, on_ray=on_ray, on_progress=on_progress)
        if len(refused) == len(images):
            raise UsageError(
                f"none of the {len(images)} images can be read: {next(iter(refused.values()))}; check their uri"
            )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    done.write_text(json.dumps({"refused": refused}))
    return path


def open_pixels(path: str | Path) -> tuple[np.ndarray, frozenset[int]]:
    """The map, (N, S, S, 3) uint8, and the rows of it that hold no image."""
    refused = json.loads(Path(path).with_suffix(".json").read_text())["refused"]
    return np.load(path, mmap_mode="r"), frozenset(int(index) for index in refused)


def _new_map(path: Path, *, shape: tuple[int, ...]) -> int:
    """A new memory map of zeros whose bytes are all there, so that a full disk shows now; where its rows begin.

    Later it would stop one writer in the middle, or kill the process that writes to the map.
    """
    offset = int(np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape).offset)
    try:
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    return offset


def _write_all(
    images: Sequence[TrainingImage], writer: SquareWriter, *, on_ray: bool, on_progress: Progress | None
) -> dict[str, str]:
    """Fills the map; returns rows without an image, each with its reason."""
    if on_ray:
        from pancap.chain.training.ray_squares import write_on_ray as write
    else:
        write = _write_in_threads
    refused: dict[str, str] = {}
    reported = 0
    for num_done, (row, reason) in enumerate(write(images, writer), start=1):
        if reason:
            refused[str(row)] = reason
        if on_progress and (num_done >= reported + REPORT_EVERY or num_done == len(images)):
            reported = num_done
            on_progress("decoding images", num_done, len(images))
    return dict(sorted(refused.items(), key=lambda item: int(item[0])))


def _write_in_threads(images: Sequence[TrainingImage], writer: SquareWriter) -> Iterator[tuple[int, str]]:
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        yield from enumerate(pool.map(writer.write, range(len(images)), (image.path for image in images)))
