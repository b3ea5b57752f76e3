"""`pancap score agreement`: two judges, or a judge and people, on the same captions."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from pancap.platform.console import show
from pancap.platform.tracking import score_file


def run(
    *, sources: Sequence[str], out: Path | None, num_resamples: int, seed: int, track: str | None, as_json: bool
) -> None:
    """Measures every two raters of the sources; with a folder, writes figures and a picture of each pair there."""
    from pancap.scoring.agreement import measure_agreement, merge_ratings, read_ratings

    read = []
    for source in sources:
        system, name = _split(source)
        read.append(read_ratings(score_file(name, track=track), system=system))
    ratings = merge_ratings(*read)
    report = measure_agreement(ratings, num_resamples=num_resamples, seed=seed)
    if out:
        from pancap.platform.charts import agreement_chart

        out.mkdir(parents=True, exist_ok=True)
        (out / "agreement.json").write_text(json.dumps(report.to_dict(), indent=1) + "\n", encoding="utf-8")
        for pair in report.pairs:
            agreement_chart(pair, ratings, out / f"{slug(pair.first)}__{slug(pair.second)}.png")
    show(report, as_json=as_json)


def slug(name: str) -> str:
    """A rater's name in letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")


def _split(source: str) -> tuple[str, str]:
    """(system, file) of `SYSTEM=FILE`; a file whose name holds a `=` is one all the same."""
    system, separator, name = source.partition("=")
    return (system, name) if separator and not Path(source).exists() else ("", source)
