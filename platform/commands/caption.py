"""`pancap caption`: captions of images from a trained chain, or from any other model over the same stages."""

import json
from collections.abc import Sequence
from pathlib import Path

from pancap.configs import load_config
from pancap.platform.console import progress_bars, show
from pancap.platform.tracking import tracked_run


def run(
    *, images: Sequence[str], overrides: Sequence[str], config: str | None, track: str | None, as_json: bool
) -> None:
    """Captions with progress and tracks the run; `images` are those named without `images=`."""
    from pancap.chain.config import CaptionConfig

    overrides = [*overrides, *([f"images={json.dumps(list(images))}"] if images else [])]
    settings, config_text = load_config(CaptionConfig, config, overrides)
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
