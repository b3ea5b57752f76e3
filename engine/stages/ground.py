"""The class-aware pass: instances of given names, the first pass's and more."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from pancap.configs.errors import UsageError
from pancap.engine.detections import Detection
from pancap.engine.detectors.base import Grounder
from pancap.engine.rows import detections_to_rows
from pancap.engine.stages.base import Row, RowFailure, Stage
from pancap.engine.stages.load import row_pixels


class GroundStage(Stage):
    """Looks for names in an image, with every class-aware detector.

    Args:
        grounders: the detectors, in the order in which their regions may join.
        ground_for: `tags` to look for each tag that the tagger gave the image, `vocabulary` for all a detector knows.

    Raises:
        UsageError: a detector of an open vocabulary was asked for all it knows.
    """

    name: ClassVar = "ground"
    inputs: ClassVar = ("width", "height", "rgb", "tagged")
    outputs: ClassVar = ("grounded",)

    def __init__(self, grounders: Sequence[Grounder], *, ground_for: Literal["tags", "vocabulary"]) -> None:
        """Keeps the detectors."""
        self._grounders = tuple(grounders)
        self._vocabularies = [_vocabulary(grounder) if ground_for == "vocabulary" else None for grounder in grounders]

    def process_rows(self, rows: Sequence[Row]) -> list[Row | RowFailure]:
        """Detections of all images, one call a detector."""
        images = [row_pixels(row) for row in rows]
        tags = [sorted({entity["tag"] for entity in row["tagged"]}) for row in rows]
        found: list[list[Detection]] = [[] for _ in rows]
        for grounder, vocabulary in zip(self._grounders, self._vocabularies, strict=True):
            wanted = tags if vocabulary is None else [vocabulary] * len(rows)
            for detections, new in zip(found, grounder.ground(images, wanted), strict=True):
                detections += new
        return [{"grounded": detections_to_rows(detections)} for detections in found]


def _vocabulary(grounder: Grounder) -> list[str]:
    vocabulary = getattr(grounder, "vocabulary", None)
    if not vocabulary:
        name = getattr(grounder, "name", type(grounder).__name__)
        raise UsageError(
            f"ground_for=vocabulary needs a detector that lists its names, got {name}; set ground_for=tags"
        )
    return list(vocabulary)
