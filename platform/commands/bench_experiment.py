"""`pancap bench coordinates` and `pancap bench ablation`: ways of training compared on held-out images."""

from collections.abc import Sequence
from pathlib import Path

from pancap.configs import load_config
from pancap.platform.console import progress_bars, show
from pancap.platform.tracking import tracked_run


def run(*, preset: str, overrides: Sequence[str], config: str | None, track: str | None, as_json: bool) -> None:
    """Runs what is not done yet, tracks and prints the comparison."""
    from pancap.platform.experiment import CHART_FILE, ExperimentConfig, run_experiment, slug

    settings, config_text = load_config(ExperimentConfig, config or preset, overrides)
    with progress_bars() as report:
        result = run_experiment(settings, on_progress=report)
    with tracked_run(kind="experiment", name=preset, config_text=config_text, track=track) as tracked:
        tracked.log_dataset(settings.data, role="training")
        tracked.log_dataset(settings.held_out, role="held out")
        by_slug = {slug(name): figures for name, figures in result.to_dict()["variants"].items()}
        tracked.log_summary(result.to_dict() | {"variants": by_slug})
        tracked.log_file(Path(settings.out) / CHART_FILE)
    show(result, as_json=as_json)
