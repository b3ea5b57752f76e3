"""The result of a scoring run: means over images, their intervals, and what produced them."""

import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from pancap.scoring.judges.base import StepReplies
from pancap.scoring.results import DIMENSION_TITLES, DIMENSIONS, Dimension, ImageScore, Interval, combine
from pancap.scoring.statistics import bootstrap_means, column_means, interval_95, overall_of_means
from pancap.scoring.words import count_tokens, count_words

_PACKAGES = ("pancap", "numpy", "scipy", "torch", "transformers")


@dataclass(frozen=True, slots=True, kw_only=True)
class DimensionReport:
    """Means of one dimension over the images that have it.

    Args:
        precision, recall, f1: means, 0..1. `f1` is the mean of the images' F1, not the F1 of the means.
        interval: 95 % bootstrap interval of f1; None without bootstrap.
        num_images: images where either caption has such an item.
    """

    precision: float
    recall: float
    f1: float
    interval: Interval | None
    num_images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreReport:
    """Everything a scoring run has to say.

    Args:
        overall: 0..410, tag + loc + att + rel + 0.1 * glo, the means' F1 in percent.
        overall_interval: its 95 % bootstrap interval over images.
        overall_without_location: 0..310.
        dimensions: figures of each; None where no image has such an item on either side.
        images: figures of each image, by its id.
        n: images scored.
        n_invalid: of them, candidates that were empty (scored 0, never left out).
        bad_boxes: brackets in captions of either side that are no box, each with its reason; their entities count as
            ones without a box.
        missing: images that only one side has; only with `allow_missing`.
        unjudged: images left out because the judge could not read one of their captions.
        words_per_caption, reference_words_per_caption: means, boxes left out.
        tokens_per_caption, reference_tokens_per_caption: means, boxes included (`words.count_tokens`); None where
            nothing counts them.
        judge, rules, encoder: what the figures were made with.
        judge_replies: how many replies of its model each step needed, and how many were invalid; empty without a model.
        judge_notes: what a reader must know of how the figures were judged.
        versions: of the packages that matter.
    """

    overall: float
    overall_interval: Interval | None
    overall_without_location: float
    dimensions: Mapping[Dimension, DimensionReport | None]
    images: Mapping[str, ImageScore]
    n: int
    n_invalid: int
    bad_boxes: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()
    words_per_caption: float
    reference_words_per_caption: float
    tokens_per_caption: float | None = None
    reference_tokens_per_caption: float | None = None
    judge: str
    rules: str
    encoder: str
    judge_replies: Mapping[str, StepReplies] = field(default_factory=dict)
    judge_notes: tuple[str, ...] = ()
    versions: Mapping[str, str]

    @property
    def overall_per_100_tokens(self) -> float | None:
        """Overall for every 100 tokens of a caption: what a token buys; None where tokens are not counted."""
        return 100 * self.overall / self.tokens_per_caption if self.tokens_per_caption else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the figures must know."""
        notes = []
        if self.judge.startswith("rule"):
            notes.append("the judge is rule-based: figures are not comparable with those of an LLM judge")
        absent = [DIMENSION_TITLES[name] for name in DIMENSIONS if self.dimensions[name] is None]
        if absent:
            notes.append(f"no caption on either side has {', '.join(absent)}: overall is scaled up from the rest")
        if self.n_invalid:
            notes.append(f"{self.n_invalid} of {self.n} candidates are empty and score 0")
        if self.bad_boxes:
            notes.append(f"{len(self.bad_boxes)} bad boxes count as none, the first: {self.bad_boxes[0]}")
        if self.unjudged:
            notes.append(f"{len(self.unjudged)} images were left out: the judge could not read one of their captions")
        invalid = [f"{step.num_invalid} of {step.num} of {name}" for name, step in self.judge_replies.items()]
        if invalid:
            notes.append(f"invalid replies of the judge's model, left out: {', '.join(invalid)}")
        tokens = [f"{name} {text}" for name, step in self.judge_replies.items() if (text := step.describe_tokens())]
        if tokens:
            notes.append(f"tokens of the judge's model in this run: {'; '.join(tokens)}")
        notes += self.judge_notes
        if self.missing:
            notes.append(f"{len(self.missing)} images stand on one side only and were left out")
        if self.encoder == "none":
            notes.append("no encoder: only equal tags and WordNet synonyms match")
        return tuple(notes)

    def metrics(self) -> dict[str, float]:
        """Flat figures for a tracking server: `overall`, `tag_f1`, `tag_precision`, ..., in percent."""
        figures = {"overall": self.overall, "overall_without_location": self.overall_without_location}
        if self.overall_interval:
            figures |= {"overall_low": self.overall_interval.low, "overall_high": self.overall_interval.high}
        for name, dimension in self.dimensions.items():
            if dimension:
                figures |= {
                    f"{name}_f1": 100 * dimension.f1,
                    f"{name}_precision": 100 * dimension.precision,
                    f"{name}_recall": 100 * dimension.recall,
                }
        if self.tokens_per_caption is not None and self.overall_per_100_tokens is not None:
            figures["tokens_per_caption"] = self.tokens_per_caption
            figures["overall_per_100_tokens"] = self.overall_per_100_tokens
        return figures | {"words_per_caption": self.words_per_caption, "n": self.n, "n_invalid": self.n_invalid}

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the images' own figures (see `images_to_dict`). F1 figures 0..1, overall in percent."""
        return {
            "overall": self.overall,
            "overall_interval": asdict(self.overall_interval) if self.overall_interval else None,
            "overall_without_location": self.overall_without_location,
            "dimensions": {name: asdict(value) if value else None for name, value in self.dimensions.items()},
            "n": self.n,
            "n_invalid": self.n_invalid,
            "bad_boxes": list(self.bad_boxes),
            "missing": list(self.missing),
            "unjudged": list(self.unjudged),
            "words_per_caption": self.words_per_caption,
            "reference_words_per_caption": self.reference_words_per_caption,
            "tokens_per_caption": self.tokens_per_caption,
            "reference_tokens_per_caption": self.reference_tokens_per_caption,
            "overall_per_100_tokens": self.overall_per_100_tokens,
            "judge": self.judge,
            "rules": self.rules,
            "encoder": self.encoder,
            "judge_replies": {name: step.to_dict() for name, step in self.judge_replies.items()},
            "versions": dict(self.versions),
            "notes": list(self.notes),
        }

    def images_to_dict(self) -> dict[str, Any]:
        """JSON-ready figures of each image."""
        return {image: score.to_dict() for image, score in self.images.items()}

    def to_json(self) -> str:
        """Everything as one JSON text, the images' figures under `images`: what `comparison.read_scores` reads."""
        return json.dumps(self.to_dict() | {"images": self.images_to_dict()}, indent=1) + "\n"

    def render(self) -> str:
        """A table for a terminal, in percent."""
        lines = [f"{'':<14}{'P':>7}{'R':>7}{'F1':>7}   {'95 % interval':<18}{'images':>7}"]
        for name, value in self.dimensions.items():
            title = DIMENSION_TITLES[name]
            if value is None:
                lines.append(f"{title:<14}{'-':>7}{'-':>7}{'-':>7}   {'':<18}{0:>7}")
                continue
            figures = "".join(f"{100 * figure:>7.2f}" for figure in (value.precision, value.recall, value.f1))
            lines.append(
                f"{title:<14}{figures}   {_render_interval(value.interval, scale=100):<18}{value.num_images:>7}"
            )
        lines.append(f"{'overall':<28}{self.overall:>7.2f}   {_render_interval(self.overall_interval):<18}{self.n:>7}")
        lines.append(self._render_lengths())
        lines.append(f"rules {self.rules} · judge {self.judge} · encoder {self.encoder}")
        return "\n".join(lines + [f"note: {note}" for note in self.notes])

    def _render_lengths(self) -> str:
        words = f"{self.words_per_caption:.0f} words a caption (reference {self.reference_words_per_caption:.0f})"
        if self.tokens_per_caption is None or self.reference_tokens_per_caption is None:
            return words
        per_100 = self.overall_per_100_tokens or 0.0
        return (
            f"{words} · {self.tokens_per_caption:.0f} tokens with boxes (reference "
            f"{self.reference_tokens_per_caption:.0f}) · {per_100:.1f} points for 100 tokens"
        )


def build_report(
    images: Mapping[str, ImageScore],
    *,
    bootstrap: int,
    seed: int,
    references: Sequence[str],
    bad_boxes: tuple[str, ...] = (),
    missing: tuple[str, ...] = (),
    unjudged: tuple[str, ...] = (),
    judge: str,
    judge_replies: Mapping[str, StepReplies] | None = None,
    judge_notes: tuple[str, ...] = (),
    rules: str,
    encoder: str,
) -> ScoreReport:
    """Means and intervals over images.

    Args:
        images: figures of each image.
        bootstrap: resamples; 0 for no intervals.
        seed: of the resampling.
        references: their reference captions, in the same order.
        bad_boxes, missing: see `ScoreReport`.
        unjudged: images that the judge could not read.
        judge, rules, encoder: what the figures were made with.
        judge_replies, judge_notes: see `ScoreReport`.
    """
    f1_ND = f1_matrix(images)
    samples_BD = bootstrap_means(f1_ND, num_resamples=bootstrap, seed=seed)
    means_D = column_means(f1_ND)
    overall = overall_of_means(means_D[None])[0]
    without_location = {name: float(means_D[i]) for i, name in enumerate(DIMENSIONS) if name != "loc"}
    return ScoreReport(
        overall=float(overall),
        overall_interval=interval_95(overall_of_means(samples_BD)),
        overall_without_location=combine(
            {name: f1 for name, f1 in without_location.items() if not np.isnan(f1)}, maximum=310.0
        ),
        dimensions={
            name: _dimension_report(images, name, interval=interval_95(samples_BD[:, i]))
            for i, name in enumerate(DIMENSIONS)
        },
        images=images,
        n=len(images),
        n_invalid=sum(not score.is_valid for score in images.values()),
        bad_boxes=bad_boxes,
        missing=missing,
        unjudged=unjudged,
        words_per_caption=sum(score.num_words for score in images.values()) / max(1, len(images)),
        reference_words_per_caption=sum(map(count_words, references)) / max(1, len(images)),
        tokens_per_caption=_mean([score.num_tokens for score in images.values()]),
        reference_tokens_per_caption=_mean(count_tokens(references) or []),
        judge=judge,
        rules=rules,
        encoder=encoder,
        judge_replies=judge_replies or {},
        judge_notes=judge_notes,
        versions=_versions(),
    )


def f1_matrix(images: Mapping[str, ImageScore]) -> np.ndarray:
    """F1 of each image (rows, in the mapping's order) and dimension (columns as `DIMENSIONS`); NaN where None."""
    rows = [
        [figures.f1 if (figures := score.dimension(name)) else np.nan for name in DIMENSIONS]
        for score in images.values()
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, len(DIMENSIONS))


def _dimension_report(
    images: Mapping[str, ImageScore], name: Dimension, *, interval: Interval | None
) -> DimensionReport | None:
    found = [figures for score in images.values() if (figures := score.dimension(name))]
    if not found:
        return None
    return DimensionReport(
        precision=float(np.mean([figures.precision for figures in found])),
        recall=float(np.mean([figures.recall for figures in found])),
        f1=float(np.mean([figures.f1 for figures in found])),
        interval=interval,
        num_images=len(found),
    )


def _mean(counts: Sequence[int | None]) -> float | None:
    """None where there is nothing, or something is not known."""
    known = [count for count in counts if count is not None]
    return sum(known) / len(known) if known and len(known) == len(counts) else None


def _render_interval(interval: Interval | None, *, scale: float = 1.0) -> str:
    return f"[{scale * interval.low:.2f}, {scale * interval.high:.2f}]" if interval else ""


def _versions() -> dict[str, str]:
    """Python and the packages that are installed."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
