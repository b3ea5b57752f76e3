"""`pancap train vision` and `pancap train language`: parts of a chain by themselves, in this process."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pancap.configs import load_config
from pancap.platform.console import progress_bars, show
from pancap.platform.tracking import tracked_run


def run_vision(*, overrides: Sequence[str], config: str | None, track: str | None, as_json: bool) -> None:
    """The vision tower on what each patch shows."""
    from pancap.chain.training.config import VisionTrainConfig

    settings, config_text = load_config(VisionTrainConfig, config, overrides)
    from pancap.chain.training.vision import train_vision

    _pretrain("vision", train_vision, settings, config_text=config_text, track=track, as_json=as_json)


def run_language(*, overrides: Sequence[str], config: str | None, track: str | None, as_json: bool) -> None:
    """The language model on lists and captions without images."""
    from pancap.chain.training.config import LanguageTrainConfig

    settings, config_text = load_config(LanguageTrainConfig, config, overrides)
    from pancap.chain.training.language import train_language

    _pretrain("language", train_language, settings, config_text=config_text, track=track, as_json=as_json)


def _pretrain(
    what: str, train: Callable[..., Any], settings: Any, *, config_text: str, track: str | None, as_json: bool
) -> None:
    name = f"{what} {Path(settings.out).name}"
    with (
        tracked_run(
            kind="training",
            name=name,
            config_text=config_text,
            track=track,
            folder=Path(settings.out),
            is_resumed=settings.resume,
        ) as tracked,
        progress_bars() as report,
    ):
        tracked.log_dataset(settings.data, role="training")
        summary = train(
            settings,
            config_text=config_text,
            on_progress=report,
            on_metrics=lambda step, metrics: tracked.log_metrics(metrics, step=step),
        )
        tracked.log_summary(summary.to_dict())
        curves = tracked.log_curves(settings.out)
    show(summary, as_json=as_json)
    if curves and not as_json:
        print(f"curves {curves}")
