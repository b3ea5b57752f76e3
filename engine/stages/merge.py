"""One list of entities from the tagged proposals and the class-aware detections."""

from collections.abc import Sequence
from typing import ClassVar

from pancap.engine.merging import join_detections
from pancap.engine.rows import detections_from_rows, detections_to_rows
from pancap.engine.stages.base import Row, RowFailure, Stage


class MergeStage(Stage):
    """Lets class-aware detections join where nothing stands yet.

    Args:
        max_iou: highest IoU with a region already there, 0..1.
    """

    name: ClassVar = "merge"
    inputs: ClassVar = ("tagged", "grounded")
    outputs: ClassVar = ("entities",)

    def __init__(self, *, max_iou: float) -> None:
        """Keeps the threshold."""
        self._max_iou = max_iou

    def process_rows(self, rows: Sequence[Row]) -> list[Row | RowFailure]:
        """Entities of each image."""
        return [{"entities": detections_to_rows(self._merge(row))} for row in rows]

    def _merge(self, row: Row) -> list:
        tagged, grounded = detections_from_rows(row["tagged"]), detections_from_rows(row["grounded"])
        return join_detections(tagged, [grounded], max_iou=self._max_iou)
