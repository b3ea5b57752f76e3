"""The images of a captioning run: files, folders or Scenes folders."""

import hashlib
from collections.abc import Sequence
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


def find_images(sources: str | Path | Sequence[str | Path], *, limit: int | None = None) -> list[ImageFile]:
    """The images of one or several sources, in the order of the sources.

    Args:
        sources: files and folders. Of a folder its image files by their suffix, in order of their names; of one with an
            `images/` folder, what is in there.
        limit: take only so many.

    Raises:
        UsageError: nothing there, nothing that looks like an image, or two images of one name.
    """
    if isinstance(sources, str | Path):
        sources = [sources]
    found: dict[str, ImageFile] = {}
    for file in (file for source in sources for file in _find_in(Path(source))):
        same_name = found.setdefault(file.name, file)
        if same_name.path.resolve() != file.path.resolve():
            raise UsageError(
                f"{same_name.path} and {file.path} would both be called {file.name}; caption them into two folders"
            )
    return list(found.values())[:limit]


def _find_in(path: Path) -> list[ImageFile]:
    if path.is_file():
        return [ImageFile(path=path, name=path.name)]
    if not path.is_dir():
        raise UsageError(f"images {path} does not exist; give an image, a folder of images or a Scenes folder")
    folder = path / IMAGES_FOLDER if (path / IMAGES_FOLDER).is_dir() else path
    root = folder.parent if folder.name == IMAGES_FOLDER else folder
    found = sorted(file for file in folder.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
    if not found:
        raise UsageError(f"{folder} holds no image files ({', '.join(sorted(IMAGE_SUFFIXES))}); give another folder")
    return [ImageFile(path=file, name=file.relative_to(root).as_posix()) for file in found]


def read_image(file: ImageFile) -> ReadImage:
    """Decodes a file; a bad one comes with its reason."""
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
