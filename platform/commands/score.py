"""`pancap score`: PancapScore of candidate captions against references."""

from collections.abc import Sequence
from pathlib import Path

from pancap.configs import UsageError, load_config
from pancap.platform.console import progress_bars, show
from pancap.platform.tracking import tracked_run


def run(
    *,
    candidate: Path,
    reference: Path,
    overrides: Sequence[str],
    config: str | None,
    track: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Scores two files, prints the table and keeps every image's figures."""
    from pancap.scoring.config import ScoreConfig

    settings, config_text = load_config(ScoreConfig, config, overrides)
    from pancap.scoring.files import score_files

    if out and not out.parent.is_dir():
        raise UsageError(f"folder {out.parent} does not exist; make it first, so that no work is lost at the end")
    with progress_bars() as progress:
        report = score_files(candidate, reference, settings, on_progress=progress)
    with tracked_run(
        kind="scoring",
        name=f"score {candidate.name}",
        config_text=config_text,
        track=track,
        tags={"judge": report.judge},
    ) as tracked:
        tracked.log_dataset(candidate, role="candidate")
        tracked.log_dataset(reference, role="reference")
        tracked.log_report(candidate.stem, report)
    if out:
        out.write_text(report.to_json(), encoding="utf-8")
    show(report, as_json=as_json)
