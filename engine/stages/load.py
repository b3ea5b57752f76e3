"""First stage: the image file's bytes, checked and decoded."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from pancap.caption.images import ImageRefusedError, load_image
from pancap.engine.stages.base import Row, RowFailure, Stage


class LoadStage(Stage):
    """Decodes once; every later stage reads the same pixels."""

    name: ClassVar = "load"
    inputs: ClassVar = ("image_id", "uri")
    outputs: ClassVar = ("width", "height", "rgb")

    def process_rows(self, rows: Sequence[Row]) -> list[Row | RowFailure]:
        """Width, height and pixels of each image."""
        return [self._load(row) for row in rows]

    def _load(self, row: Row) -> Row | RowFailure:
        try:
            data = Path(row["uri"]).read_bytes()
        except OSError as error:
            return RowFailure(reason="unreadable", message=f"{row['uri']}: {error.strerror}")
        if hashlib.sha256(data).hexdigest() != row["image_id"]:
            return RowFailure(reason="changed", message=f"{row['uri']} is not the file that the run began with")
        try:
            image = load_image(data)
        except ImageRefusedError as error:
            return RowFailure(reason=error.reason, message=f"{row['uri']}: {error}")
        return {"width": image.width, "height": image.height, "rgb": image.rgb.tobytes()}


def row_pixels(row: Row) -> np.ndarray:
    """(H, W, 3) uint8 of a row that was loaded."""
    return np.frombuffer(row["rgb"], dtype=np.uint8).reshape(row["height"], row["width"], 3)
