"""`pancap caption`: captions of images from a trained chain, or from any other model over the same stages."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pancap.configs import load_config
from pancap.platform.console import progress_bars, show
from pancap.platform.tracking import tracked_run


def run(
    *, images: Sequence[str], overrides: Sequence[str], config: str | None, track: str | None, as_json: bool
) -> None:
    """Captions with progress and tracks the run.

    Args:
        images: named without `images=`: taken letter for letter, whatever YAML or interpolation would read in them.
        overrides: settings, `key=value`.
        config: YAML file or preset name.
        track: see `tracked_run`.
        as_json: print the result as JSON.
    """
    from pancap.chain.config import CaptionConfig

    named = ["images=(arguments of the command)"] if images else []
    settings, config_text = load_config(CaptionConfig, config, [*overrides, *named])
    if images:
        settings = replace(settings, images=list(images))
    from pancap.chain.folder import caption_folder

    with progress_bars() as report:
        summary = caption_folder(settings, on_progress=report)
    sources = [settings.images] if isinstance(settings.images, str) else settings.images
    name = f"caption {Path(sources[0]).name}"
    with tracked_run(kind="captioning", name=name, config_text=config_text, track=track) as tracked:
        for source in sources:
            tracked.log_dataset(source, role="images")
        tracked.log_summary(summary.to_dict())
    show(summary, as_json=as_json)
