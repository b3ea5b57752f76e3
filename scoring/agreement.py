"""How far raters agree: two judges, or a judge with people, on the same captions.

A ratings file is a table of one caption a row: CSV with a header, or JSON / JSONL of objects. Columns: `image`;
`system` where captions of several systems were rated; every other column is a rater's figure of that caption, empty
where there is none. A column `NAME.tag` (or loc, att, rel, glo) is what NAME says of that dimension, `NAME` alone of
the caption as a whole; columns of one dimension are compared with each other. A score file (`pancap score --out`) is
read as ratings of one system by its judge, in shares of the maximum (0..1).
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from pancap.configs.errors import UsageError
from pancap.scoring.comparison import ImageScores, read_scores
from pancap.scoring.files import Pairs, parse_json, read_text
from pancap.scoring.results import DIMENSIONS, MAX_OVERALL, Interval, combine
from pancap.scoring.statistics import interval_95

MIN_CAPTIONS = 3
_KEYS = ("image", "system")

Caption = tuple[str, str]  # image, system


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficient:
    """A measure of agreement.

    Args:
        value: NaN where a rater gave every caption the same figure.
        interval: 95 % bootstrap interval, images resampled; None without value or resamples, or with one image alone.
    """

    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Two raters on the captions that both rated.

    Args:
        first, second: names of their columns.
        num_captions, num_images: rated by both.
        pearson: correlation, -1..1.
        one_minus_r2: squared differences of the two over the squared deviations of `first` from its mean; 0 is perfect,
            1 is as good as the mean. It needs both in one unit.
        kendall: tau-b, -1..1: of two captions, how much oftener they are ranked alike than not.
    """

    first: str
    second: str
    num_captions: int
    num_images: int
    pearson: Coefficient
    one_minus_r2: Coefficient
    kendall: Coefficient


@dataclass(frozen=True, kw_only=True)
class AgreementReport:
    """Agreement of every two raters of a dimension.

    Args:
        pairs: in the order of the columns.
        num_resamples: of the bootstrap.
    """

    pairs: tuple[Agreement, ...]
    num_resamples: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; what is not known is null."""
        return {"pairs": [_without_nan(asdict(pair)) for pair in self.pairs], "num_resamples": self.num_resamples}

    def render(self) -> str:
        """Two lines for every two raters."""
        lines = []
        for pair in self.pairs:
            figures = ("Pearson", pair.pearson), ("1 - R^2", pair.one_minus_r2), ("Kendall tau-b", pair.kendall)
            cells = [f"{title} {_render(figure)}" for title, figure in figures]
            lines += [f"{pair.first} and {pair.second}", "  " + "   ".join([*cells, f"{pair.num_captions} captions"])]
        lines.append("1 - R^2 compares the figures themselves: it says something only of raters with one unit")
        return "\n".join(lines)


def read_ratings(path: str | Path, *, system: str = "") -> dict[str, dict[Caption, float]]:
    """Figures of each rater by image and system.

    Args:
        path: a ratings file or a score file, see the module.
        system: whose captions are rated, where the file does not say.

    Raises:
        UsageError: the file is missing, of no known format, not UTF-8, cut off, has no rater, names a caption twice,
            or holds a figure that is no finite number.
    """
    path = Path(path)
    if not path.is_file():
        raise UsageError(f"ratings file {path} does not exist; give a .csv, .json or .jsonl file, or a score file")
    table = _read_table(path)
    if table is None:
        return ratings_of_scores(read_scores(path), system=system)
    raters: dict[str, dict[Caption, float]] = {}
    seen: set[Caption] = set()
    for where, row in table:
        if "image" not in row or row["image"] in (None, ""):
            raise UsageError(f"{where} of {path} must name its image, got {', '.join(map(str, row)) or 'nothing'}")
        caption = str(row["image"]), str(row.get("system") or system)
        if caption in seen:
            raise UsageError(f"{' of '.join(filter(None, caption))} stands twice in {path} (again in {where})")
        seen.add(caption)
        for name, figure in row.items():
            if name not in _KEYS and figure not in (None, ""):
                raters.setdefault(name, {})[caption] = _to_figure(figure, where=f"{where} of {path}, column {name}")
    if not raters:
        raise UsageError(f"{path} has no rater; give a column of figures beside image (and system)")
    return raters


def ratings_of_scores(scores: ImageScores, *, system: str = "") -> dict[str, dict[Caption, float]]:
    """A judge as a rater of one system's captions: overall (0..1), and F1 (0..1) under `JUDGE.tag` and so on."""
    name = scores.judge.replace("rules ", "").replace("encoder ", "")
    raters: dict[str, dict[Caption, float]] = {name: {}, **{f"{name}.{dimension}": {} for dimension in DIMENSIONS}}
    for image, figures in scores.f1.items():
        known = {dimension: f1 for dimension, f1 in figures.items() if f1 is not None}
        if known:
            raters[name][image, system] = combine(known) / MAX_OVERALL
        for dimension, f1 in known.items():
            raters[f"{name}.{dimension}"][image, system] = f1
    return {column: figures for column, figures in raters.items() if figures}


def merge_ratings(*sources: Mapping[str, Mapping[Caption, float]]) -> dict[str, dict[Caption, float]]:
    """The raters of several sources; one that stands in several rated other captions in each.

    Raises:
        UsageError: a rater rated a caption twice.
    """
    merged: dict[str, dict[Caption, float]] = {}
    for source in sources:
        for name, figures in source.items():
            known = merged.setdefault(name, {})
            twice = known.keys() & figures.keys()
            if twice:
                caption = " of ".join(filter(None, min(twice)))
                raise UsageError(f"{name} rated {caption} twice; name the systems, or leave one source out")
            known.update(figures)
    return merged


def measure_agreement(
    ratings: Mapping[str, Mapping[Caption, float]], *, num_resamples: int = 1000, seed: int = 0
) -> AgreementReport:
    """Agreement of every two raters of one dimension.

    Args:
        ratings: figures of each rater by image and system.
        num_resamples: bootstrap resamples of the images; 0 for no intervals.
        seed: of the resampling.

    Raises:
        UsageError: no two raters of a dimension have `MIN_CAPTIONS` captions in common.
    """
    pairs = []
    for first, second in combinations(ratings, 2):
        shared = sorted(ratings[first].keys() & ratings[second].keys())
        if _dimension(first) == _dimension(second) and len(shared) >= MIN_CAPTIONS:
            figures_N2 = np.array([[ratings[name][caption] for name in (first, second)] for caption in shared])
            images = np.unique([image for image, _ in shared], return_inverse=True)[1]
            measured = _measure(figures_N2, images, num_resamples=num_resamples, seed=seed)
            pairs.append(
                Agreement(
                    first=first,
                    second=second,
                    num_captions=len(shared),
                    num_images=int(images.max()) + 1,
                    pearson=measured[0],
                    one_minus_r2=measured[1],
                    kendall=measured[2],
                )
            )
    if not pairs:
        raise UsageError(
            f"no two raters of one dimension have {MIN_CAPTIONS} captions in common, got raters "
            f"{', '.join(ratings) or 'none'}; check that all name images and systems alike"
        )
    return AgreementReport(pairs=tuple(pairs), num_resamples=num_resamples)


def _measure(figures_N2: np.ndarray, images: np.ndarray, *, num_resamples: int, seed: int) -> list[Coefficient]:
    """Pearson, 1 - R^2 and Kendall, each with its interval: captions of one image are drawn together."""
    rows_of_image = [np.flatnonzero(images == image) for image in range(images.max() + 1)]
    rng = np.random.default_rng(seed)
    samples = np.full((num_resamples if len(rows_of_image) > 1 else 0, 3), np.nan)
    for sample in samples:
        drawn = rng.integers(0, len(rows_of_image), size=len(rows_of_image))
        sample[:] = _coefficients(figures_N2[np.concatenate([rows_of_image[image] for image in drawn])])
    values = _coefficients(figures_N2)
    return [
        Coefficient(value=value, interval=None if math.isnan(value) else interval_95(column))
        for value, column in zip(values, samples.T, strict=True)
    ]


def _coefficients(figures_N2: np.ndarray) -> tuple[float, float, float]:
    """Pearson, 1 - R^2 and Kendall's tau-b of two columns; NaN where one is constant."""
    from scipy.stats import kendalltau

    first, second = figures_N2.T
    deviations = first - first.mean()
    spread = float(deviations @ deviations)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan, math.nan, math.nan
    off = second - second.mean()
    pearson = float(deviations @ off) / math.sqrt(spread * float(off @ off))
    residual = float(((first - second) ** 2).sum()) / spread
    return pearson, residual, float(kendalltau(first, second).statistic)


def _dimension(rater: str) -> str:
    """What a column is about: the part after its last dot where that is a dimension, else the whole caption."""
    suffix = rater.rpartition(".")[2]
    return suffix if "." in rater and suffix in DIMENSIONS else ""


def _read_table(path: Path) -> list[tuple[str, dict[str, Any]]] | None:
    """The rows, each with where it stands; None for a score file."""
    text = read_text(path, suffixes=(".csv", ".json", ".jsonl"))
    if path.suffix == ".csv":
        return _read_csv(text, path=path)
    if path.suffix == ".jsonl":
        lines = [(f"line {number}", line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
        rows = [(where, parse_json(line, where=f"{path}, {where},")) for where, line in lines]
    else:
        parsed = parse_json(text, where=str(path))
        if isinstance(parsed, Pairs):
            return None
        if not isinstance(parsed, list):
            raise UsageError(f"{path} must be a list of objects or a score file, got {type(parsed).__name__}")
        rows = [(f"record {number}", row) for number, row in enumerate(parsed)]
    for where, row in rows:
        if not isinstance(row, Pairs):
            raise UsageError(f"{where} of {path} must be an object, got {type(row).__name__}")
        _check_names([name for name, _ in row], where=f"{where} of {path}")
    return [(where, dict(row)) for where, row in rows]


def _read_csv(text: str, *, path: Path) -> list[tuple[str, dict[str, Any]]]:
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        lines = [(reader.line_num, cells) for cells in reader if cells]
    except csv.Error as error:
        raise UsageError(f"{path} is not valid CSV ({error} in line {reader.line_num})") from error
    if not lines:
        return []
    (_, header), *rows = lines
    _check_names(header, where=f"the header of {path}")
    for number, cells in rows:
        if len(cells) != len(header):
            raise UsageError(f"line {number} of {path} must have as many cells as the header")
    return [(f"line {number}", dict(zip(header, cells, strict=True))) for number, cells in rows]


def _check_names(names: Sequence[str], *, where: str) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{where} must name each column once, got {twice} twice")


def _to_figure(value: Any, *, where: str) -> float:
    try:
        is_number = isinstance(value, str | int | float) and not isinstance(value, bool)
        figure = float(value) if is_number else math.nan
    except (ValueError, OverflowError):
        figure = math.nan
    if not math.isfinite(figure):
        raise UsageError(
            f"{where} must be a number, got {str(value)[:40]!r}; leave the cell empty where there is no rating"
        )
    return figure


def _render(figure: Coefficient) -> str:
    if math.isnan(figure.value):
        return "-"
    span = f" [{figure.interval.low:.2f}, {figure.interval.high:.2f}]" if figure.interval else ""
    return f"{figure.value:.2f}{span}"


def _without_nan(record: dict[str, Any]) -> dict[str, Any]:
    for value in record.values():
        if isinstance(value, dict) and math.isnan(value["value"]):
            value["value"] = None
    return record
