"""The class-aware pass: more instances of the names that the tagger gave."""

from collections.abc import Sequence
from typing import ClassVar

from pancap.engine.detections import Detection
from pancap.engine.detectors.base import Grounder
from pancap.engine.rows import detections_to_rows
from pancap.engine.stages.base import Row, RowFailure, Stage
from pancap.engine.stages.load import row_pixels


class GroundStage(Stage):
    """Looks for each tag of an image again, with every class-aware detector.

    Args:
        grounders: the detectors, in the order in which their regions may join.
    """

    name: ClassVar = "ground"
    inputs: ClassVar = ("width", "height", "rgb", "tagged")
    outputs: ClassVar = ("grounded",)

    def __init__(self, grounders: Sequence[Grounder]) -> None:
        """Keeps the detectors."""
        self._grounders = tuple(grounders)

    def process_rows(self, rows: Sequence[Row]) -> list[Row | RowFailure]:
        """Detections of all images, one call a detector."""
        images = [row_pixels(row) for row in rows]
        tags = [sorted({entity["tag"] for entity in row["tagged"]}) for row in rows]
        found: list[list[Detection]] = [[] for _ in rows]
        for grounder in self._grounders:
            for detections, new in zip(found, grounder.ground(images, tags), strict=True):
                detections += new
        return [{"grounded": detections_to_rows(detections)} for detections in found]
