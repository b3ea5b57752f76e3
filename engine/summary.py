"""What a run did: the figures that it ends with."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Mean and quantiles of a figure over images; None where there is no image.

    Args:
        mean: arithmetic mean.
        quantiles: at 5, 25, 50, 75 and 95 %.
    """

    mean: float | None
    quantiles: tuple[float, ...] = ()

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of some values."""
        if not len(values):
            return cls(mean=None)
        quantiles = np.quantile(np.asarray(values, dtype=np.float64), QUANTILES)
        return cls(mean=round(float(np.mean(values)), 3), quantiles=tuple(round(float(q), 3) for q in quantiles))

    def render(self) -> str:
        """`mean 6.1   5 % 3 · 25 % 5 · ...`."""
        if self.mean is None:
            return "no image"
        at = " · ".join(f"{share:.0%} {value:g}" for share, value in zip(QUANTILES, self.quantiles, strict=True))
        return f"mean {self.mean:.2f}   ({at})"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSummary:
    """Figures of a run.

    Args:
        source: folder of images.
        out: folder of the run.
        num_in: images that went in, each content once.
        num_kept: rows in `dataset.parquet`.
        dropped: rows that curation dropped, by reason.
        quarantined: rows that failed, by `stage/reason`.
        num_duplicates: files left out because another has the same bytes.
        num_unreadable: files left out because they could not be read.
        num_outside: links left out because they lead out of the folder.
        entities: entities an image, over the kept rows.
        sources: kept entities by the detector that found them.
        words: words a caption, boxes left out, over the kept rows.
        agreement: overall agreement of the two captions (0..310), over all rows that have one.
        seconds: of this start of the run.
        num_resumed: rows that an earlier start had written.
        is_repeat: True when the run was complete before and nothing was done.
    """

    source: str
    out: str
    num_in: int
    num_kept: int
    dropped: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    num_duplicates: int = 0
    num_unreadable: int = 0
    num_outside: int = 0
    entities: Spread
    sources: dict[str, int] = field(default_factory=dict)
    words: Spread
    agreement: Spread
    seconds: float = 0.0
    num_resumed: int = 0
    is_repeat: bool = False

    @property
    def num_quarantined(self) -> int:
        """Rows that failed."""
        return sum(self.quarantined.values())

    @property
    def bad_fraction(self) -> float:
        """Share of the images that failed."""
        num_bad = self.num_quarantined + self.num_unreadable
        return num_bad / max(1, self.num_in + self.num_unreadable)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "EngineSummary":
        """The summary that `to_dict` gave (lists of JSON become tuples again)."""
        spreads = {
            name: Spread(mean=content[name]["mean"], quantiles=tuple(content[name]["quantiles"]))
            for name in ("entities", "words", "agreement")
        }
        return cls(**{**content, **spreads})

    def render(self) -> str:
        """A table for a terminal."""
        lines = [f"engine: {self.source} -> {self.out}" + ("   (already complete)" if self.is_repeat else "")]
        lines += [f"  images in             {self.num_in}"]
        lines += [f"  kept                  {self.num_kept}"]
        lines += _render_counts("dropped", self.dropped)
        lines += _render_counts("quarantined", self.quarantined)
        left_out = {
            "duplicate files": self.num_duplicates,
            "unreadable files": self.num_unreadable,
            "links out of the folder": self.num_outside,
        }
        lines += [f"  {name:<21} {count}" for name, count in left_out.items() if count]
        lines += [f"  entities per image    {self.entities.render()}"]
        lines += _render_counts("entities found by", self.sources)
        lines += [f"  words per caption     {self.words.render()}"]
        lines += [f"  agreement (0..310)    {self.agreement.render()}"]
        num_new = self.num_in - self.num_resumed
        if self.seconds and not self.is_repeat:
            resumed = f", {self.num_resumed} resumed" if self.num_resumed else ""
            lines += [f"  time                  {self.seconds:.1f} s, {num_new / self.seconds:.1f} images/s{resumed}"]
        return "\n".join(lines)


def count_rows(rows: pa.Table) -> dict[str, Any]:
    """The summary's fields that come from the rows.

    Args:
        rows: all rows of a run, with `KEPT_ROW_SCHEMA`.
    """
    failed = rows.filter(pc.is_valid(rows["error"]))
    healthy = rows.filter(pc.is_null(rows["error"]))
    dropped = healthy.filter(pc.is_valid(healthy["drop_reason"]))
    kept = healthy.filter(pc.is_null(healthy["drop_reason"]))
    overall = [row["overall"] for row in healthy["agreement"].to_pylist() if row is not None]
    entities = kept["entities"].to_pylist()
    return {
        "num_in": len(rows),
        "num_kept": len(kept),
        "dropped": _count(dropped["drop_reason"].to_pylist()),
        "quarantined": _count([error.split(":", 1)[0] for error in failed["error"].to_pylist()]),
        "entities": Spread.of([len(row) for row in entities]),
        "sources": _count([entity["source"] for row in entities for entity in row]),
        "words": Spread.of([_count_words(caption) for caption in kept["caption"].to_pylist()]),
        "agreement": Spread.of(overall),
    }


def _count(values: Sequence[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _count_words(caption: str) -> int:
    from pancap.caption.formats import sapancap

    pieces = sapancap.parse(caption).segments
    return sum(len(piece.split()) for piece in pieces if isinstance(piece, str))


def _render_counts(title: str, counts: dict[str, int]) -> list[str]:
    total = f"  {title:<21} {sum(counts.values())}"
    return [total, *(f"    {name:<19} {count}" for name, count in counts.items())]
