"""PancapScore as an object that is fed batch by batch, for evaluators that work that way."""

from collections.abc import Mapping
from typing import Self

from pancap.configs.errors import UsageError
from pancap.scoring.config import ScoreConfig
from pancap.scoring.report import ScoreReport
from pancap.scoring.score import score_captions


class PancapScore:
    """update / merge / compute / reset over `score_captions`; workers' metrics merge in any order.

    It keeps captions, not sums: intervals and the judge's batches need all of them. docs/SCORING.md has more examples.

    Args:
        config: rules, judge, encoder, intervals; the defaults if None.

    Example:
        >>> metric = PancapScore(ScoreConfig(encoder="none", bootstrap=0))
        >>> metric.update({"1.jpg": "A dog [[0.1, 0.1, 0.9, 0.9]]."}, {"1.jpg": "A dog [[0.1, 0.1, 0.9, 0.9]]."})
        >>> metric.compute().dimensions["tag"].f1
        1.0
        >>> other = PancapScore(metric.config)
        >>> other.update({"2.jpg": "A cat [[0.1, 0.1, 0.9, 0.9]]."}, {"2.jpg": "A dog [[0.1, 0.1, 0.9, 0.9]]."})
        >>> metric.merge(other)
        >>> metric.compute().n, metric.compute().dimensions["tag"].f1
        (2, 0.5)
    """

    def __init__(self, config: ScoreConfig | None = None) -> None:
        """Starts empty."""
        self.config = config or ScoreConfig()
        self._candidates: dict[str, str] = {}
        self._references: dict[str, str] = {}

    def update(self, candidates: Mapping[str, str], references: Mapping[str, str]) -> None:
        """Adds captions of images, by image id.

        Raises:
            UsageError: an image was added before (counting it twice would change the means).
        """
        _add(self._candidates, candidates, what="candidate")
        _add(self._references, references, what="reference")

    def merge(self, other: Self) -> None:
        """Adds everything that another metric of the same configuration was fed.

        Raises:
            UsageError: the configurations differ, or both have an image.
        """
        if other.config != self.config:
            raise UsageError(f"metrics to merge must have one configuration, got {self.config} and {other.config}")
        self.update(other._candidates, other._references)

    def compute(self) -> ScoreReport:
        """The score of all images so far; images are taken in the order of their ids, so that merges commute.

        Raises:
            UsageError: see `score_captions`.
        """
        candidates, references = (dict(sorted(side.items())) for side in (self._candidates, self._references))
        return score_captions(candidates, references, self.config)

    def reset(self) -> None:
        """Forgets everything."""
        self._candidates.clear()
        self._references.clear()


def _add(into: dict[str, str], captions: Mapping[str, str], *, what: str) -> None:
    twice = [image for image in captions if image in into]
    if twice:
        raise UsageError(f"a {what} of image {twice[0]} was added before; give each image once")
    into.update(captions)
