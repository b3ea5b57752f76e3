"""How far the two captions of an image agree."""

from collections.abc import Sequence
from typing import ClassVar

from pancap.engine.stages.base import Row, RowFailure, Stage


class AgreeStage(Stage):
    """Scores the caption against the second one, by PancapScore without location.

    Args:
        encoder: similarity of tags: `none`, `minilm` or a model folder.

    Source: PAPER, PancapEngine, step 6.
    """

    name: ClassVar = "agree"
    inputs: ClassVar = ("caption", "verify_caption")
    outputs: ClassVar = ("agreement",)

    def __init__(self, *, encoder: str) -> None:
        """Keeps the encoder's name; `pancap.scoring` keeps the model."""
        self._encoder = encoder

    def process_rows(self, rows: Sequence[Row]) -> list[Row | RowFailure]:
        """F1 of each dimension (0..1) and the overall figure (0..310); nothing for an image without captions."""
        return [{"agreement": self._score(row)} for row in rows]

    def _score(self, row: Row) -> dict[str, float | None] | None:
        from pancap.scoring import score_pair

        if row["caption"] is None or row["verify_caption"] is None:
            return None
        score = score_pair(row["caption"], row["verify_caption"], encoder=self._encoder)
        parts = {"tag": score.tag, "att": score.att, "rel": score.rel, "glo": score.glo}
        figures: dict[str, float | None] = {name: part.f1 if part else None for name, part in parts.items()}
        return {**figures, "overall": score.overall_without_location}
