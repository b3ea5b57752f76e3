"""`pancap caption`: captions of a folder of images from a trained chain."""

from collections.abc import Sequence
from pathlib import Path

from pancap.configs import load_config
from pancap.platform.console import progress_bars, show
from pancap.platform.tracking import tracked_run


def run(*, overrides: Sequence[str], config: str | None, track: str | None, as_json: bool) -> None:
    """Captions with progress and tracks the run."""
    from pancap.chain.config import CaptionConfig

    settings, config_text = load_config(CaptionConfig, config, overrides)
    from pancap.chain.captioner import caption_folder

    with progress_bars() as report:
        summary = caption_folder(settings, on_progress=report)
    name = f"caption {Path(settings.images).name}"
    with tracked_run(kind="captioning", name=name, config_text=config_text, track=track) as tracked:
        tracked.log_dataset(settings.images, role="images")
        tracked.log_summary(summary.to_dict())
    show(summary, as_json=as_json)
