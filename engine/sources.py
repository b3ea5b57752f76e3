"""Where images come from: a folder, searched once when a run begins."""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pancap.configs.errors import UsageError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"})
INDEX_SCHEMA = pa.schema([("image_id", pa.string()), ("uri", pa.string())])
MAX_PATH_BYTES = 4096
_NUM_HASHING_THREADS = 4
_HASH_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceImages:
    """The images of a run.

    Args:
        index: columns `image_id` and `uri`, in the order of the paths, each id once.
        num_duplicates: files left out because another has the same bytes.
        num_unreadable: files left out because they could not be read.
        num_outside: links left out because they lead out of the folder.
    """

    index: pa.Table
    num_duplicates: int
    num_unreadable: int
    num_outside: int


def index_images(
    source: str, *, limit: int | None = None, on_progress: Callable[[str, int, int | None], None] | None = None
) -> SourceImages:
    """Finds the images of a folder and names each by its content.

    Args:
        source: folder of images, or a folder that `pancap scenes` wrote (of which only the images are read).
        limit: take only the first, in the order of their paths.
        on_progress: called with what is done, how many images, of how many.

    Raises:
        UsageError: no such folder, or no image in it.
    """
    root = find_root(source)
    paths, num_outside = list_images(root)
    if not paths:
        raise UsageError(_describe_empty(root))
    paths = paths[:limit]
    uris: dict[str, str] = {}
    num_unreadable = 0
    with ThreadPoolExecutor(_NUM_HASHING_THREADS) as pool:
        for done, (path, image_id) in enumerate(zip(paths, pool.map(_hash_file, paths), strict=True), start=1):
            num_unreadable += image_id is None
            if image_id is not None:
                uris.setdefault(image_id, str(path))
            if on_progress:
                on_progress("index", done, len(paths))
    index = pa.table({"image_id": list(uris), "uri": list(uris.values())}, schema=INDEX_SCHEMA)
    return SourceImages(
        index=index,
        num_duplicates=len(paths) - num_unreadable - len(uris),
        num_unreadable=num_unreadable,
        num_outside=num_outside,
    )


def find_root(source: str) -> Path:
    """The folder that holds the images.

    Raises:
        UsageError: the source is no folder.
    """
    root = Path(source)
    if not root.is_dir():
        what = "is a file" if root.exists() else "does not exist"
        raise UsageError(f"source must be a folder of images, but {source} {what}; give source=FOLDER")
    is_scenes = (root / "scenes.parquet").exists() and (root / "images").is_dir()
    return (root / "images" if is_scenes else root).resolve()


def list_images(root: Path) -> tuple[list[Path], int]:
    """Files with an image's suffix below a folder, sorted, and how many links were left out.

    Links are followed only to files inside the folder; hidden files and folders are skipped.
    """
    paths: list[Path] = []
    num_outside = 0
    for path in _walk(root):
        if path.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        if is_confined(path, root=root):
            paths.append(path)
        else:
            num_outside += 1
    return sorted(paths, key=lambda path: path.relative_to(root).parts), num_outside


def is_confined(path: Path, *, root: Path) -> bool:
    """True when the path, links followed, is a file below the root (R22)."""
    try:
        resolved = path.resolve(strict=True)
        return resolved.is_relative_to(root.resolve()) and resolved.is_file()
    except (OSError, RuntimeError, ValueError):  # broken link, endless link, NUL
        return False


def confine(root: Path, relative: str) -> Path:
    """The file of a relative path that came from outside (a list, an archive).

    Raises:
        UsageError: the path is absolute, climbs out of the root, leads out by a link, or names no file.
    """
    if "\0" in relative or len(os.fsencode(relative.replace("\0", ""))) > MAX_PATH_BYTES:
        raise UsageError(f"expected a path of at most {MAX_PATH_BYTES} bytes without NUL, got {relative[:60]!r}...")
    path = root / relative
    if os.path.isabs(relative) or ".." in Path(relative).parts or not is_confined(path, root=root):
        raise UsageError(f"expected a file inside {root}, got {relative!r}; name it relative to that folder")
    return path


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder) / name for name in files if not name.startswith("."))


def _hash_file(path: Path) -> str | None:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_HASH_CHUNK_BYTES):
                digest.update(chunk)
    except OSError:
        return None
    return digest.hexdigest()


def _describe_empty(root: Path) -> str:
    num_files = sum(1 for _ in _walk(root))
    got = f"{num_files} files of other kinds" if num_files else "an empty folder"
    return f"expected images ({', '.join(sorted(IMAGE_SUFFIXES))}) in {root}, got {got}; give another source=FOLDER"
