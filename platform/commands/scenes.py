"""`pancap scenes`: procedural images with exact captions."""

from collections.abc import Sequence

from pancap.configs import load_config
from pancap.platform.cluster import ray_session
from pancap.platform.console import progress_bars, show
from pancap.platform.tracking import tracked_run


def run(*, overrides: Sequence[str], config: str | None, track: str | None, as_json: bool) -> None:
    """Draws, shows progress, prints the summary."""
    from pancap.engine.scenes.config import ScenesConfig

    settings, config_text = load_config(ScenesConfig, config, overrides)
    from pancap.engine.scenes.generate import generate_scenes

    with (
        ray_session(num_cpus=1),
        tracked_run(kind="scenes", name=f"scenes {settings.num}", config_text=config_text, track=track) as tracked,
        progress_bars() as report,
    ):
        summary = generate_scenes(settings, config_text=config_text, on_progress=report)
        tracked.log_summary(summary.to_dict())
    show(summary, as_json=as_json)
