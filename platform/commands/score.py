"""`pancap score`: PancapScore of candidate captions against references."""

from collections.abc import Sequence
from pathlib import Path

from pancap.configs import load_config
from pancap.platform.console import progress_bars, show
from pancap.platform.tracking import tracked_run


def run(
    *,
    candidate: Path,
    reference: Path,
    overrides: Sequence[str],
    config: str | None,
    track: str | None,
    as_json: bool,
) -> None:
    """Scores two files and prints the table."""
    from pancap.scoring.config import ScoreConfig

    settings, config_text = load_config(ScoreConfig, config, overrides)
    from pancap.scoring.files import score_files

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
        tracked.log_summary(report.to_dict())
        tracked.log_scores({candidate.stem: report})
    show(report, as_json=as_json)
