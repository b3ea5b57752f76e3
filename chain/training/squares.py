"""One image into its row of the pixel map, whoever decodes it: a thread, or a task on another machine."""

from dataclasses import dataclass
from pathlib import Path

from pancap.caption.images import ImageRefusedError, load_image
from pancap.chain.images import Resample, to_square


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What became of a row of the map; without a reason, it holds its image.

    Args:
        row: which one.
        refused: why the file is no image that can be taken; it will not be one later either.
        missing: why the file could not be read just now; it may be there the next time.
    """

    row: int
    refused: str = ""
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareWriter:
    """Writes squares into the file of a map.

    Rows are written as files are, not through a map of one's own: on a network file system, two machines that have
    mapped a page which holds the end of one row and the start of the next would overwrite each other's part of it.

    Args:
        file: the map's file, of its full size.
        offset: bytes before its first row.
        image_px: side of a square.
        resample: see `to_square`.
    """

    file: Path
    offset: int
    image_px: int
    resample: Resample

    def write(self, row: int, path: Path) -> Written:
        """Decodes an image into a row; writing it again changes nothing. Reasons are one line."""
        try:
            square = to_square(load_image(path.read_bytes()).rgb, image_px=self.image_px, resample=self.resample)
        except ImageRefusedError as error:
            return Written(row=row, refused=str(error).splitlines()[0])
        except OSError as error:
            return Written(row=row, missing=str(error).splitlines()[0])
        with self.file.open("r+b") as file:
            file.seek(self.offset + row * square.nbytes)
            file.write(square.tobytes())
        return Written(row=row)
