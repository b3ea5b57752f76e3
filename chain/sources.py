"""The images of a captioning run: a file, a folder, or a Scenes folder, read one batch at a time."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pancap.configs import UsageError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
IMAGES_FOLDER = "images"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """An image on disk.

    Args:
        path: where it is.
        name: what results call it: its path from the folder that was given; from that folder's parent where the
            folder is called `images`, as Scenes and SA-Pancap count.
    """

    path: Path
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadImage:
    """A decoded image, or the reason why there is none.

    Args:
        file: where it comes from.
        image_id: sha256 of the file's bytes.
        rgb: (H, W, 3) uint8, or None.
        refused: a sentence, empty for a good image.
    """

    file: ImageFile
    image_id: str
    rgb: np.ndarray | None
    refused: str = ""


def find_images(source: str | Path, *, limit: int | None = None) -> list[ImageFile]:
    """Image files by their suffix, in order of their names; of a folder with an `images/` folder, what is in there.

    Raises:
        UsageError: nothing there, or nothing that looks like an image.
    """
    path = Path(source)
    if path.is_file():
        return [ImageFile(path=path, name=path.name)]
    if not path.is_dir():
        raise UsageError(f"images {path} does not exist; give an image, a folder of images or a Scenes folder")
    folder = path / IMAGES_FOLDER if (path / IMAGES_FOLDER).is_dir() else path
    root = folder.parent if folder.name == IMAGES_FOLDER else folder
    found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
    if not found:
        raise UsageError(f"{folder} holds no image files ({', '.join(sorted(IMAGE_SUFFIXES))}); give another folder")
    return [ImageFile(path=file, name=file.relative_to(root).as_posix()) for file in found[:limit]]


def read_batches(files: Sequence[ImageFile], *, batch_size: int) -> Iterator[list[ReadImage]]:
    """Decodes the files, so many at a time; a bad one comes with its reason."""
    for start in range(0, len(files), batch_size):
        yield [_read(file) for file in files[start : start + batch_size]]


def _read(file: ImageFile) -> ReadImage:
    from pancap.caption.images import ImageRefusedError, load_image

    try:
        data = file.path.read_bytes()
    except OSError as error:
        return ReadImage(file=file, image_id="", rgb=None, refused=f"cannot be read: {error.strerror}")
    image_id = hashlib.sha256(data).hexdigest()
    try:
        return ReadImage(file=file, image_id=image_id, rgb=load_image(data).rgb)
    except ImageRefusedError as error:
        return ReadImage(file=file, image_id=image_id, rgb=None, refused=str(error))
