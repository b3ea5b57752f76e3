"""Two scored systems on the same images: paired intervals, permutation tests, and where the second got worse."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pancap.configs.errors import UsageError
from pancap.scoring.report import ScoreReport
from pancap.scoring.results import DIMENSION_TITLES, DIMENSIONS, Dimension
from pancap.scoring.statistics import PairedDifference, column_means, overall_of_means, paired_difference

_REPLAY_NAMES: Mapping[Dimension, str] = dict(zip(DIMENSIONS, ("ef1", "lf1", "af1", "rf1", "gf1"), strict=True))
TIE = 0.5  # of 410: two captions of an image that differ by less count as equal


@dataclass(frozen=True, kw_only=True)
class ImageScores:
    """F1 (0..1) of each image and dimension under one system; None where neither caption has such an item.

    Args:
        f1: by image, then by dimension.
        judge: who judged; figures of different judges are not compared.
    """

    f1: Mapping[str, Mapping[Dimension, float | None]]
    judge: str

    @classmethod
    def of_report(cls, report: ScoreReport) -> "ImageScores":
        """The images' figures of a scoring run."""
        f1 = {
            image: {name: figures.f1 if (figures := score.dimension(name)) else None for name in DIMENSIONS}
            for image, score in report.images.items()
        }
        return cls(f1=f1, judge=f"{report.judge}, rules {report.rules}, encoder {report.encoder}")

    def means(self) -> tuple[float, ...]:
        """Mean F1 of each dimension in percent (NaN where no image has it), and overall of 410."""
        means = column_means(_matrix(self.f1, list(self.f1)))
        return (*(float(100.0 * mean) for mean in means), float(overall_of_means(means[None])[0]))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How system b differs from system a.

    Args:
        names: what a and b are called.
        dimensions: b minus a in percent, None where no image has such an item.
        overall: b minus a, of 410.
        wins, ties, losses: images on which b is better, equal within `TIE`, worse.
        worst: images by how much b lost, largest loss first: (image, a, b).
        num_images: images compared.
        num_left_out: images that only one of the two has.
        judge: of both.
    """

    names: tuple[str, str]
    dimensions: Mapping[Dimension, PairedDifference | None]
    overall: PairedDifference
    wins: int
    ties: int
    losses: int
    worst: tuple[tuple[str, float, float], ...]
    num_images: int
    num_left_out: int
    judge: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        record = asdict(self)
        record["worst"] = [{"image": image, "a": a, "b": b} for image, a, b in self.worst]
        return record

    def render(self) -> str:
        """A table for a terminal: both figures, the difference with its interval, the p-value."""
        first, second = (name if len(name) <= 22 else f"...{name[-19:]}" for name in self.names)
        lines = [f"{'':<14}{first:>24}{second:>24}{'difference':>12}  {'95 % interval':<18}{'p':>8}"]
        for name, difference in self.dimensions.items():
            lines.append(_row(DIMENSION_TITLES[name], difference))
        lines.append(_row("overall", self.overall))
        lines.append(
            f"{self.num_images} images: {self.wins} better, {self.ties} equal, {self.losses} worse"
            + (f"; {self.num_left_out} that only one of them has were left out" if self.num_left_out else "")
        )
        lines.append(f"judge {self.judge}")
        if self.worst:
            lines.append("largest losses")
            lines += [f"  {image}: {a:.1f} -> {b:.1f}" for image, a, b in self.worst]
        return "\n".join(lines)


def compare_scores(
    a: ImageScores,
    b: ImageScores,
    *,
    names: tuple[str, str] = ("a", "b"),
    num_worst: int = 5,
    num_resamples: int = 1000,
    seed: int = 0,
) -> Comparison:
    """Compares two systems image by image.

    Args:
        a, b: their figures.
        names: what to call them.
        num_worst: regressions to list.
        num_resamples: of the bootstrap; the permutation test takes ten times as many.
        seed: of both.

    Raises:
        UsageError: the judges differ, or no image is in both.
    """
    if a.judge != b.judge:
        raise UsageError(f"both must be judged alike, got {a.judge} and {b.judge}; score one of them again")
    shared = sorted(a.f1.keys() & b.f1.keys())
    if not shared:
        raise UsageError(f"{names[0]} and {names[1]} have no image in common; score both against one reference")
    sides = [_matrix(side.f1, shared) for side in (a, b)]
    differ = partial(paired_difference, num_resamples=num_resamples, num_permutations=10 * num_resamples, seed=seed)
    dimensions: dict[Dimension, PairedDifference | None] = {}
    for index, name in enumerate(DIMENSIONS):
        columns = [100.0 * side[:, index : index + 1] for side in sides]
        has_figures = all((~np.isnan(column)).any() for column in columns)
        dimensions[name] = differ(columns[0], columns[1]) if has_figures else None
    overall = differ(sides[0], sides[1], combine=overall_of_means)
    by_image = [overall_of_means(side) for side in sides]
    gains = by_image[1] - by_image[0]
    order = [index for index in np.argsort(gains, kind="stable") if gains[index] < -TIE][:num_worst]
    return Comparison(
        names=names,
        dimensions=dimensions,
        overall=overall,
        wins=int((gains > TIE).sum()),
        ties=int((np.abs(gains) <= TIE).sum()),
        losses=int((gains < -TIE).sum()),
        worst=tuple((shared[index], float(by_image[0][index]), float(by_image[1][index])) for index in order),
        num_images=len(shared),
        num_left_out=len(a.f1.keys() ^ b.f1.keys()),
        judge=a.judge,
    )


def read_scores(path: str | Path) -> ImageScores:
    """Figures of each image from a file of `pancap score CAND REF --out FILE` or `pancap score replay --out FILE`.

    Raises:
        UsageError: the file is missing, or neither of the two.
    """
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(f"score file {path} does not exist; write it with pancap score CAND REF --out FILE") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid JSON ({error}); write it again with pancap score") from error
    try:
        if "per_image" in record:
            f1 = {
                image: {name: figures[key] for name, key in _REPLAY_NAMES.items()}
                for image, figures in record["per_image"].items()
            }
            return ImageScores(f1=f1, judge=f"replayed, rules {record['rules']}, encoder {record['encoder']}")
        f1 = {
            image: {name: figures[name]["f1"] if figures[name] else None for name in DIMENSIONS}
            for image, figures in record["images"].items()
        }
        judge = f"{record['judge']}, rules {record['rules']}, encoder {record['encoder']}"
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} is no score file ({error!r} in it); write one with pancap score CAND REF --out FILE"
        ) from error
    return ImageScores(f1=f1, judge=judge)


def _matrix(f1: Mapping[str, Mapping[Dimension, float | None]], images: list[str]) -> np.ndarray:
    rows = [[np.nan if (value := f1[image][name]) is None else value for name in DIMENSIONS] for image in images]
    return np.array(rows, dtype=np.float64).reshape(-1, len(DIMENSIONS))


def _row(title: str, difference: PairedDifference | None) -> str:
    if difference is None:
        return f"{title:<14}{'-':>24}{'-':>24}"
    span = f"[{difference.interval.low:+.2f}, {difference.interval.high:+.2f}]"
    figures = f"{difference.a:>24.2f}{difference.b:>24.2f}{difference.mean:>+12.2f}"
    return f"{title:<14}{figures}  {span:<18}{difference.p_value:>8.4f}"
