"""Last stage: which captions are good enough to keep."""

from collections.abc import Sequence
from typing import ClassVar

from pancap.engine.stages.base import Row, RowFailure, Stage


class CurateStage(Stage):
    """Gives a reason to drop an image, or none; nothing is deleted here.

    Args:
        min_agreement: lowest overall agreement that is kept, 0..310.
        max_entities: highest number of entities that is kept.
    """

    name: ClassVar = "curate"
    inputs: ClassVar = ("entities", "agreement")
    outputs: ClassVar = ("drop_reason",)

    def __init__(self, *, min_agreement: float, max_entities: int) -> None:
        """Keeps the thresholds."""
        self._min_agreement = min_agreement
        self._max_entities = max_entities

    def process_rows(self, rows: Sequence[Row]) -> list[Row | RowFailure]:
        """`no_entities`, `too_many_entities`, `low_agreement` or null."""
        return [{"drop_reason": self._judge(row)} for row in rows]

    def _judge(self, row: Row) -> str | None:
        if not row["entities"]:
            return "no_entities"
        if len(row["entities"]) > self._max_entities:
            return "too_many_entities"
        if row["agreement"] is None or row["agreement"]["overall"] < self._min_agreement:
            return "low_agreement"
        return None
