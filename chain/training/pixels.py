"""Decoded images of a dataset as one memory map, made once and shared by all workers and later runs."""

import hashlib
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from pancap.chain.images import Resample
from pancap.chain.training.squares import SquareWriter, Written
from pancap.chain.tuples import TrainingImage
from pancap.configs import UsageError

Progress = Callable[[str, int, int | None], None]
Gaps = dict[str, dict[str, str]]
"""Rows without an image, as they are kept: `refused` and `missing` (see `Written`), each with its reason."""
REPORT_EVERY = 100
_NUM_THREADS = 2

_logger = logging.getLogger(__name__)


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

    An image that is refused stays so. One whose file is missing or cannot be read is left out of this run, with a
    warning that counts them, and tried again by the next call.

    Args:
        images: the dataset, in order: row i of the map is image i.
        image_px: side of the square.
        folder: where the map lies; its name is a fingerprint of images, size and way of resizing.
        resample: see `to_square`.
        on_ray: decode on the Ray cluster that this process is connected to, instead of in two threads of it; all nodes
            must see images and folder under the same paths. The map is the same, byte for byte.
        on_progress: called with (what, done, total).

    Returns:
        The map's file; read it with `open_pixels`. Its `.json`, written last, lists the rows that hold no image.

    Raises:
        UsageError: no image can be read.
        StoppedError: the Ray cluster could not do it.
    """
    size = str(image_px) if resample == "bilinear" else f"{image_px} {resample}"
    digest = hashlib.sha256("\n".join([size, *(image.image_id for image in images)]).encode()).hexdigest()
    path = Path(folder) / f"pixels_{digest[:16]}.npy"
    done = path.with_suffix(".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path.parent)
    fill = partial(_fill, image_px=image_px, resample=resample, on_ray=on_ray, on_progress=on_progress)
    if path.is_file() and done.is_file():
        before: Gaps = json.loads(done.read_text())
        again = {int(row): images[int(row)] for row in before.get("missing", ())}
        if not again:
            return path
        gaps = fill(again, file=path)
        gaps["refused"] |= before["refused"]
    else:
        gaps = _make_map(path, images, image_px=image_px, fill=fill)
    if gaps["missing"]:
        _logger.warning(
            "%d of %d images cannot be read now and are left out of this run (the first: %s); the next run tries again",
            len(gaps["missing"]), len(images), next(iter(gaps["missing"].values())),
        )  # fmt: skip
    aside = _aside(done)
    aside.write_text(json.dumps(gaps))
    aside.replace(done)
    return path


def open_pixels(path: str | Path) -> tuple[np.ndarray, frozenset[int]]:
    """The map, (N, S, S, 3) uint8, and the rows of it that hold no image."""
    gaps: Gaps = json.loads(Path(path).with_suffix(".json").read_text())
    return np.load(path, mmap_mode="r"), frozenset(int(row) for reasons in gaps.values() for row in reasons)


def _make_map(path: Path, images: Sequence[TrainingImage], *, image_px: int, fill: Callable[..., Gaps]) -> Gaps:
    """A map that has its name once it is whole."""
    aside = _aside(path)
    try:
        _write_zeros(aside, shape=(len(images), image_px, image_px, 3))
        gaps = fill(dict(enumerate(images)), file=aside)
        reasons = [*gaps["refused"].values(), *gaps["missing"].values()]
        if len(reasons) == len(images):
            raise UsageError(f"none of the {len(images)} images can be read: {reasons[0]}; check their uri")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return gaps


def _aside(path: Path) -> Path:
    """Where this process writes a file that is not whole yet."""
    return path.with_name(f"{path.stem}.{socket.gethostname()}.{os.getpid()}{path.suffix}")


def _remove_leftovers(folder: Path) -> None:
    """Removes what killed processes of this machine were writing: a map may be of many gigabytes."""
    for left in folder.glob("pixels_*.*.*"):
        host, _, pid = left.stem.partition(".")[2].rpartition(".")
        if host != socket.gethostname() or not pid.isdigit():
            continue
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            left.unlink(missing_ok=True)
        except PermissionError:
            continue  # it runs, as another user


def _write_zeros(path: Path, *, shape: tuple[int, ...]) -> None:
    """A new memory map of zeros whose bytes are all there, so that a full disk shows now.

    Later it would stop one writer in the middle, or kill the process that writes to the map.
    """
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    try:
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def _fill(
    images: Mapping[int, TrainingImage],
    *,
    file: Path,
    image_px: int,
    resample: Resample,
    on_ray: bool,
    on_progress: Progress | None,
) -> Gaps:
    """Decodes images into their rows of a map."""
    if on_ray:
        from pancap.chain.training.ray_squares import write_on_ray as write
    else:
        write = _write_in_threads
    offset = int(np.lib.format.open_memmap(file, mode="r").offset)
    writer = SquareWriter(file=file, offset=offset, image_px=image_px, resample=resample)
    gaps: Gaps = {"refused": {}, "missing": {}}
    reported = 0
    for num_done, written in enumerate(write(images, writer), start=1):
        for kind, reasons in gaps.items():
            if reason := getattr(written, kind):
                reasons[str(written.row)] = reason
        if on_progress and (num_done >= reported + REPORT_EVERY or num_done == len(images)):
            reported = num_done
            on_progress("decoding images", num_done, len(images))
    return {kind: dict(sorted(reasons.items(), key=lambda item: int(item[0]))) for kind, reasons in gaps.items()}


def _write_in_threads(images: Mapping[int, TrainingImage], writer: SquareWriter) -> Iterator[Written]:
    with ThreadPoolExecutor(_NUM_THREADS) as pool:
        yield from pool.map(writer.write, images, (image.path for image in images.values()))
