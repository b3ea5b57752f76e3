"""`pancap train detectors`: the engine's embedded detectors and tagger."""

from collections.abc import Sequence
from pathlib import Path

from pancap.configs import load_config
from pancap.platform.console import progress_bars, show
from pancap.platform.tracking import tracked_run


def run(*, overrides: Sequence[str], config: str | None, track: str | None, as_json: bool) -> None:
    """Trains in this process with progress."""
    from pancap.engine.detectors.config import DetectorTrainConfig

    settings, config_text = load_config(DetectorTrainConfig, config, overrides)
    from pancap.engine.detectors.train import train_detectors

    name = f"detectors {Path(settings.out).name}"
    with (
        tracked_run(kind="training", name=name, config_text=config_text, track=track) as tracked,
        progress_bars() as report,
    ):
        summary = train_detectors(settings, on_progress=report)
        tracked.log_summary(summary.to_dict())
    show(summary, as_json=as_json)
