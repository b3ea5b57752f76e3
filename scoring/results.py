"""What a scoring run gives: figures of one image, and of all."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pancap.scoring.matching import Matching

Dimension = Literal["tag", "loc", "att", "rel", "glo"]
DIMENSIONS: tuple[Dimension, ...] = ("tag", "loc", "att", "rel", "glo")
DIMENSION_TITLES: Mapping[Dimension, str] = {
    "tag": "semantic tag",
    "loc": "location",
    "att": "attribute",
    "rel": "relation",
    "glo": "global state",
}
# Source: PAPER, PancapScore: overall = tag + loc + att + rel + 0.1 * glo, each in percent.
OVERALL_WEIGHTS: Mapping[Dimension, float] = {"tag": 1.0, "loc": 1.0, "att": 1.0, "rel": 1.0, "glo": 0.1}
MAX_OVERALL = 410.0
MAX_OVERALL_WITHOUT_LOCATION = 310.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionRecall:
    """Precision, recall and F1 of one dimension, each 0..1."""

    precision: float
    recall: float
    f1: float

    @classmethod
    def from_rates(cls, precision: float, recall: float) -> "PrecisionRecall":
        """With F1, the harmonic mean; 0 where both are."""
        total = precision + recall
        return cls(precision=precision, recall=recall, f1=2 * precision * recall / total if total else 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A 95 % bootstrap interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageScore:
    """One caption against its reference.

    Args:
        tag, loc, att, rel, glo: figures of each dimension; None where neither caption has such an item.
        matching: which entities stand for each other.
        num_words: words of the candidate, boxes left out.
        num_tokens: its tokens, boxes included (`words.count_tokens`); None where nothing counts them.
        is_valid: False where the candidate is empty (it then scores 0).
    """

    tag: PrecisionRecall | None
    loc: PrecisionRecall | None
    att: PrecisionRecall | None
    rel: PrecisionRecall | None
    glo: PrecisionRecall | None
    matching: Matching
    num_words: int
    num_tokens: int | None = None
    is_valid: bool = True

    def dimension(self, name: Dimension) -> PrecisionRecall | None:
        """The figures of a dimension by its name."""
        figures: PrecisionRecall | None = getattr(self, name)
        return figures

    @property
    def overall(self) -> float:
        """0..410: tag + loc + att + rel + 0.1 * glo in percent; dimensions of None are made up for by the others."""
        return combine({name: figures.f1 for name in DIMENSIONS if (figures := self.dimension(name))})

    @property
    def overall_without_location(self) -> float:
        """0..310: the same without location (the engine's agreement of two captions)."""
        return combine(
            {name: figures.f1 for name in DIMENSIONS if name != "loc" and (figures := self.dimension(name))},
            maximum=MAX_OVERALL_WITHOUT_LOCATION,
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, F1 figures 0..1 and overall in percent."""
        return {
            **{name: asdict(figures) if (figures := self.dimension(name)) else None for name in DIMENSIONS},
            "overall": self.overall,
            "overall_without_location": self.overall_without_location,
            "num_words": self.num_words,
            "num_tokens": self.num_tokens,
            "is_valid": self.is_valid,
        }


def combine(f1_by_dimension: Mapping[Dimension, float], *, maximum: float = MAX_OVERALL) -> float:
    """Weighted sum of F1 figures in percent, scaled to `maximum` where dimensions are missing; 0 where all are.

    Example:
        >>> combine({"tag": 1.0, "loc": 0.5, "att": 0.5, "rel": 0.5, "glo": 1.0})
        260.0
    """
    weight = sum(OVERALL_WEIGHTS[name] for name in f1_by_dimension)
    if not weight:
        return 0.0
    total = sum(OVERALL_WEIGHTS[name] * f1 for name, f1 in f1_by_dimension.items())
    return total * maximum / weight if abs(100 * weight - maximum) > 1e-9 else 100 * total
