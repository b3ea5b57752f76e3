"""The two captions of an image: the one that is kept, and the one that checks it."""

from collections.abc import Sequence
from typing import ClassVar

from pancap.engine.captioners.base import Captioner
from pancap.engine.detections import Detection
from pancap.engine.merging import join_detections
from pancap.engine.rows import detections_from_rows
from pancap.engine.stages.base import Row, RowFailure, Stage
from pancap.engine.stages.load import row_pixels


class CaptionStage(Stage):
    """Writes the caption of the found entities; an image without any gets none.

    Args:
        captioner: the writer.
    """

    name: ClassVar = "caption"
    inputs: ClassVar[tuple[str, ...]] = ("width", "height", "rgb", "entities")
    outputs: ClassVar[tuple[str, ...]] = ("caption",)

    def __init__(self, captioner: Captioner) -> None:
        """Keeps the writer."""
        self._captioner = captioner

    def process_rows(self, rows: Sequence[Row]) -> list[Row | RowFailure]:
        """The text of each image under this stage's one output column."""
        return [self._write(row) for row in rows]

    def _write(self, row: Row) -> Row | RowFailure:
        (column,) = self.outputs
        detections = self._detections(row)
        if not detections:
            return {column: None}
        text = self._captioner.caption(row_pixels(row), detections)
        if not text.strip():
            return RowFailure(reason="empty_caption", message="the captioner gave an empty text")
        return {column: text}

    def _detections(self, row: Row) -> list[Detection]:
        return detections_from_rows(row["entities"])


class VerifyStage(CaptionStage):
    """Writes the second caption, with another captioner and with the detectors in the opposite order.

    Here the class-aware detections lead and the tagged proposals fill in. A caption of the same entities would agree
    with the first about every tag, and so say nothing about the tags.

    Args:
        captioner: the writer.
        max_iou: highest IoU at which a tagged proposal fills in, 0..1.
    """

    name: ClassVar = "verify"
    inputs: ClassVar = ("width", "height", "rgb", "tagged", "grounded")
    outputs: ClassVar[tuple[str, ...]] = ("verify_caption",)

    def __init__(self, captioner: Captioner, *, max_iou: float) -> None:
        """Keeps the writer and the threshold."""
        super().__init__(captioner)
        self._max_iou = max_iou

    def _detections(self, row: Row) -> list[Detection]:
        tagged, grounded = detections_from_rows(row["tagged"]), detections_from_rows(row["grounded"])
        return join_detections(grounded, [tagged], max_iou=self._max_iou)
