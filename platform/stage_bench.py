"""Where a chain loses its points: scored with the true answers of its first stages, more of them each time.

What a row gains over the one above is what the stage that was answered for it loses. The truth goes into prompts here,
so these are no results of a model: they say which stage to work on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancap.chain.config import DecodingConfig
from pancap.chain.stages import STAGES_OF_MODE, StageName
from pancap.chain.tuples import EntityOrder
from pancap.configs import UsageError
from pancap.platform.console import Progress

if TYPE_CHECKING:
    from pancap.scoring.report import ScoreReport

SCENES_TABLE = "scenes.parquet"


@dataclass(frozen=True, kw_only=True)
class StageBenchConfig:
    """Which model is asked about which scenes."""

    held_out: str
    """Scenes folder that nothing was trained on: images/ and scenes.parquet."""
    model: str = "nano"
    """Checkpoint folder, or `nano` for the shipped chain."""
    limit: int = 200
    """Use only the first scenes."""
    order: EntityOrder = "left_to_right"
    """Order in which the model was trained to list entities."""
    batch_size: int = 32
    """Images under way at a time."""
    decoding: DecodingConfig = field(default_factory=DecodingConfig)
    """Limits and constraints."""

    def __post_init__(self) -> None:
        """Refuses numbers below one."""
        for name in ("limit", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}; set a positive number")


@dataclass(frozen=True, kw_only=True)
class StageBench:
    """What one run found.

    Args:
        reports: by the stages that answered the truth, from none to all but the last.
        model: folder or name.
    """

    reports: "Mapping[tuple[StageName, ...], ScoreReport]"
    model: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "model": self.model,
            "num_images": self._first.n,
            "judge": self._first.judge,
            "rows": [
                {
                    "true": list(stages),
                    "overall": report.overall,
                    "interval": None
                    if report.overall_interval is None
                    else [report.overall_interval.low, report.overall_interval.high],
                    "f1": {name: figures and figures.f1 for name, figures in report.dimensions.items()},
                }
                for stages, report in self.reports.items()
            ],
        }

    def render(self) -> str:
        """A line for each row."""
        names = tuple(self._first.dimensions)
        lines = [f"{'true answers of':<20}" + "".join(f"{name:>7}" for name in names) + f"{'overall':>10}{'gain':>8}"]
        before: float | None = None
        for stages, report in self.reports.items():
            cells = "".join(
                f"{100 * figures.f1:>7.1f}" if (figures := report.dimensions[name]) else f"{'-':>7}" for name in names
            )
            gain = "" if before is None else f"{report.overall - before:>+8.1f}"
            lines.append(f"{' '.join(stages) or 'none':<20}{cells}{report.overall:>10.1f}{gain}")
            before = report.overall
        lines.append(f"{self._first.n} scenes, {self.model}; judge {self._first.judge}")
        return "\n".join(lines)

    @property
    def _first(self) -> "ScoreReport":
        return self.reports[()]


def bench_stages(config: StageBenchConfig, *, on_progress: Progress | None = None) -> StageBench:
    """Captions the scenes once for every row, and scores them.

    Args:
        config: the model and the scenes.
        on_progress: called with what is done, how many, of how many.

    Raises:
        UsageError: no such scenes or checkpoint, or a model of one stage.
    """
    from pancap.caption.images import load_image
    from pancap.chain.bench.true_answers import TrueAnswers
    from pancap.chain.captioner import Captioner, load_captioner
    from pancap.chain.data.datasets import read_training_images
    from pancap.chain.model import checkpoint_folder
    from pancap.chain.tuples import order_instances
    from pancap.scoring.score import score_captions

    scenes = read_training_images(Path(config.held_out) / SCENES_TABLE, limit=config.limit)
    chain = load_captioner(checkpoint_folder(config.model), batch_size=config.batch_size, decoding=config.decoding)
    stages = STAGES_OF_MODE[chain.mode]
    if len(stages) < 2:
        raise UsageError(f"expected a model of several stages, got mode {chain.mode}; give the checkpoint of a chain")
    truth = [order_instances(scene.instances, order=config.order) for scene in scenes]
    pictures = [load_image(scene.path.read_bytes()).rgb for scene in scenes]
    references = {scene.path.name: scene.caption for scene in scenes}
    reports = {}
    for num_true in range(len(stages)):
        given = stages[:num_true]
        captioner = Captioner(
            TrueAnswers(chain.backend, truth=truth, stages=given) if given else chain.backend,
            mode=chain.mode,
            same_tag_max_iou=chain.same_tag_max_iou,
            has_own_boxes=chain.has_own_boxes,
        )
        captions: dict[str, str] = {}
        for place, result in captioner.caption_each(pictures):
            captions[scenes[place].path.name] = result.caption
            if on_progress:
                on_progress(f"captions, true {' '.join(given) or 'none'}", len(captions), len(scenes))
        reports[given] = score_captions(captions, references, on_progress=on_progress)
    return StageBench(reports=reports, model=config.model)
