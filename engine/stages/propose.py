"""Regions without names: the class-agnostic detector."""

from collections.abc import Sequence
from typing import ClassVar

from pancap.caption.arrow import box_to_row
from pancap.engine.detectors.base import Proposer
from pancap.engine.stages.base import Row, RowFailure, Stage
from pancap.engine.stages.load import row_pixels


class ProposeStage(Stage):
    """Finds where something is.

    Args:
        proposer: the detector.
    """

    name: ClassVar = "propose"
    inputs: ClassVar = ("width", "height", "rgb")
    outputs: ClassVar = ("regions",)

    def __init__(self, proposer: Proposer) -> None:
        """Keeps the detector."""
        self._proposer = proposer

    def process_rows(self, rows: Sequence[Row]) -> list[Row | RowFailure]:
        """Regions of all images in one call."""
        found = self._proposer.propose([row_pixels(row) for row in rows])
        return [
            {"regions": [{"box": box_to_row(region.box), "score": region.score} for region in regions]}
            for regions in found
        ]
