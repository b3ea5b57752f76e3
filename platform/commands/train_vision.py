"""`pancap train vision`: the chain's vision tower on what each patch shows."""

from collections.abc import Sequence
from pathlib import Path

from pancap.configs import load_config
from pancap.platform.console import progress_bars, show
from pancap.platform.tracking import tracked_run


def run(*, overrides: Sequence[str], config: str | None, track: str | None, as_json: bool) -> None:
    """Trains in this process with progress."""
    from pancap.chain.training.config import VisionTrainConfig

    settings, config_text = load_config(VisionTrainConfig, config, overrides)
    from pancap.chain.training.vision import train_vision

    name = f"vision {Path(settings.out).name}"
    with (
        tracked_run(kind="training", name=name, config_text=config_text, track=track) as tracked,
        progress_bars() as report,
    ):
        tracked.log_dataset(settings.data, role="training")
        summary = train_vision(settings, config_text=config_text, on_progress=report)
        tracked.log_summary(summary.to_dict())
        curves = tracked.log_curves(settings.out)
    show(summary, as_json=as_json)
    if curves and not as_json:
        print(f"curves {curves}")
