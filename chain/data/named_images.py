"""The images that a dataset in JSON names: files below one folder, identified and measured, not decoded yet."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pancap.caption.images import ImageRefusedError, read_size
from pancap.chain.tuples import TrainingImage
from pancap.configs import UsageError

MAX_SHOWN = 100  # characters of a name in a message


class LeftOutError(ValueError):
    """What a dataset says of an image cannot be trained on; the message is a reason, short enough to count by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedImage:
    """An image file.

    Args:
        path: where it lies.
        image_id: sha256 of the file's bytes.
        width, height: pixels, standing upright.
    """

    path: Path
    image_id: str
    width: int
    height: int


class Described(Protocol):
    """What a dataset says of one image."""

    @property
    def name(self) -> str:
        """The image's path, as the dataset writes it."""
        ...

    def to_image(self, file: NamedImage) -> TrainingImage:
        """Something to train on, once the file is known.

        Raises:
            LeftOutError: what is said is not enough for it.
        """
        ...


def measure_image(name: str, *, root: Path) -> NamedImage:
    """Finds an image and reads its size from its header.

    Args:
        name: path from `root`, or an absolute one inside it.
        root: the folder that no image may lie outside of.

    Raises:
        UsageError: the name, links followed, leads out of the folder.
        LeftOutError: there is no such file, or it is no image.
    """
    path = _confine(name, root=root)
    try:
        data = path.read_bytes()
        width, height = read_size(data)
    except FileNotFoundError as error:
        raise LeftOutError("no such file") from error
    except OSError as error:
        raise LeftOutError("unreadable file") from error
    except ImageRefusedError as error:
        raise LeftOutError(f"image refused ({error.reason})") from error
    return NamedImage(path=path, image_id=hashlib.sha256(data).hexdigest(), width=width, height=height)


def _confine(name: str, *, root: Path) -> Path:
    """The absolute path of a name (R22)."""
    top = root.resolve()
    try:
        path = (top / name).resolve()
    except (OSError, RuntimeError, ValueError):  # endless link, NUL
        path = None
    if path is None or not path.is_relative_to(top):
        raise UsageError(
            f"expected images inside {top}, got {name[:MAX_SHOWN]!r}; set images=FOLDER to one that holds them all"
        )
    return path
