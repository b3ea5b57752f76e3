"""Names for the proposed regions, from their crops."""

from collections.abc import Sequence
from typing import ClassVar

from pancap.caption.arrow import box_from_row
from pancap.engine.detections import Detection
from pancap.engine.detectors.base import UNKNOWN_TAG, Tagger
from pancap.engine.merging import drop_doubles
from pancap.engine.rows import detections_to_rows
from pancap.engine.stages.base import Row, RowFailure, Stage
from pancap.engine.stages.load import row_pixels


class TagStage(Stage):
    """Names regions; those that the tagger is not sure of are left to the class-aware pass.

    Args:
        tagger: the model.
        source: name of the proposer, kept with each entity.
        same_tag_max_iou: of two regions of one name that overlap more, only the better one stays.
    """

    name: ClassVar = "tag"
    inputs: ClassVar = ("width", "height", "rgb", "regions")
    outputs: ClassVar = ("tagged",)

    def __init__(self, tagger: Tagger, *, source: str, same_tag_max_iou: float) -> None:
        """Keeps the model."""
        self._tagger = tagger
        self._same_tag_max_iou = same_tag_max_iou
        self._source = source

    def process_rows(self, rows: Sequence[Row]) -> list[Row | RowFailure]:
        """Named regions of each image."""
        return [{"tagged": detections_to_rows(self._tag(row))} for row in rows]

    def _tag(self, row: Row) -> list[Detection]:
        boxes = [box_from_row(region["box"]) for region in row["regions"]]
        known = [box for box in boxes if box is not None]
        guesses = self._tagger.tag(row_pixels(row), known)
        named = [
            Detection(tag=guess.tag, box=box, score=region["score"], source=self._source)
            for guess, box, region in zip(guesses, known, row["regions"], strict=True)
            if guess.tag != UNKNOWN_TAG
        ]
        return drop_doubles(named, max_iou=self._same_tag_max_iou)
