"""`pancap train chain`: stage-wise fine-tuning of PancapChain."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from pancap.configs import load_config
from pancap.platform.cluster import ray_session
from pancap.platform.console import progress_bars, show
from pancap.platform.tracking import tracked_run


def run(*, overrides: Sequence[str], config: str | None, track: str | None, as_json: bool) -> None:
    """Trains with progress; the loss curve goes to MLflow as it grows."""
    from pancap.chain.training.config import TrainConfig

    settings, config_text = load_config(TrainConfig, config, overrides)
    from pancap.chain.training.run import run_training
    from pancap.platform.validation import validate_on

    validate = validate_on(settings.validation, limit=settings.validation_limit) if settings.validation else None

    with (
        ray_session(num_cpus=settings.num_workers) if settings.num_workers else nullcontext(),
        tracked_run(
            kind="training",
            name=f"train {Path(settings.out).name}",
            config_text=config_text,
            track=track,
            folder=Path(settings.out),
            is_resumed=settings.resume,
        ) as tracked,
        progress_bars() as report,
    ):
        tracked.log_dataset(settings.data, role="training")
        summary = run_training(
            settings,
            config_text=config_text,
            on_progress=report,
            on_metrics=lambda step, metrics: tracked.log_metrics(metrics, step=step),
            validate=validate,
        )
        tracked.log_summary(summary.to_dict())
        curves = tracked.log_curves(settings.out)
    show(summary, as_json=as_json)
    if curves and not as_json:
        print(f"curves {curves}")
