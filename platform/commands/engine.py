"""`pancap engine run`: images to a dataset of panoptic captions, and its exports."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pancap.configs import load_config
from pancap.platform.cluster import ray_session
from pancap.platform.console import Progress, Summary, progress_bars, show
from pancap.platform.tracking import Run, tracked_run

if TYPE_CHECKING:
    import numpy as np

    from pancap.engine.config import EngineConfig

NUM_PICTURES = 6


def run(*, overrides: Sequence[str], config: str | None, track: str | None, as_json: bool) -> None:
    """Runs the engine with progress, tracks it, prints the summary."""
    from pancap.engine.config import EngineConfig
    from pancap.engine.sources import find_root

    settings, config_text = load_config(EngineConfig, config, overrides)
    find_root(settings.source)  # a missing source is refused before Ray starts
    with (
        ray_session(),
        tracked_run(
            kind="engine", name=f"engine {Path(settings.source).name}", config_text=config_text, track=track
        ) as tracked,
        progress_bars() as report,
    ):
        summary = run_and_export(settings, config_text=config_text, tracked=tracked, on_progress=report)
    show(summary, as_json=as_json)


def run_and_export(settings: "EngineConfig", *, config_text: str, tracked: Run, on_progress: Progress) -> Summary:
    """The engine, the four-stage LLaVA export (which the chain owns), and what MLflow keeps of both."""
    from pancap.chain.data.datasets import read_training_images
    from pancap.chain.data.llava_json import export_llava
    from pancap.engine.run import run_engine

    summary = run_engine(settings, config_text=config_text, on_progress=on_progress)
    out = Path(settings.out)
    export_llava(read_training_images(out / "dataset.parquet"), out / "export" / "llava_four_stage.json")
    tracked.log_summary(summary.to_dict())
    tracked.log_dataset(settings.source, role="source")
    tracked.log_dataset(out, role="dataset")
    for index, picture in enumerate(overlay_pictures(out / "dataset.parquet", limit=NUM_PICTURES)):
        tracked.log_image(picture, f"samples/{index:02d}.png")
    return summary


def overlay_pictures(dataset: Path, *, limit: int) -> "list[np.ndarray]":
    """The first images of a dataset with their entities' boxes drawn."""
    import pyarrow.parquet as pq

    from pancap.caption import Box, Entity
    from pancap.caption.images import load_image
    from pancap.caption.overlay import draw_boxes

    pictures = []
    for row in pq.read_table(dataset, columns=["uri", "entities"]).slice(0, limit).to_pylist():
        entities = [
            Entity(id=index, tag=entity["tag"], box=Box(*entity["box"]) if entity["box"] else None)
            for index, entity in enumerate(row["entities"], start=1)
        ]
        pictures.append(draw_boxes(load_image(Path(row["uri"]).read_bytes()).rgb, entities))
    return pictures
