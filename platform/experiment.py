"""Ways of training a chain, compared on held-out images: every way with every seed, trained, captioned, scored.

Each step leaves its result in the experiment's folder, under a digest of the settings that made it, and is not done
again: a killed experiment goes on where it was, ways that begin alike share that phase, changed settings start anew.

OUT/phases/DIGEST/              a training phase: `pancap train chain`
OUT/captions/NAME_SEED_DIGEST/  captions of the held-out images: `pancap caption`
OUT/experiment.json, .png       the comparison
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancap.chain.config import CaptionConfig
from pancap.chain.training.config import TrainConfig
from pancap.configs import UsageError, load_config
from pancap.platform.console import Progress
from pancap.platform.stage_texts import StageTexts, mean_texts, read_stage_texts

if TYPE_CHECKING:
    import numpy as np

    from pancap.scoring.report import ScoreReport

_HASHED = {".json", ".parquet", ".safetensors"}
# What an experiment decides itself, in a phase and in captioning.
_OWN_TRAIN = {"data", "seed", "out", "cache", "resume"}
_OWN_CAPTION = {"model", "images", "out", "limit", "overwrite"}
RESULT_FILE = "experiment.json"
CHART_FILE = "experiment.png"
NUM_RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class ExperimentConfig:
    """Which ways of training are compared, on what."""

    data: str
    """Parquet file or folder to train on (pancap scenes, pancap engine)."""
    held_out: str
    """Scenes folder that nothing was trained on: images/ and captions.json."""
    variants: dict[str, list[dict[str, Any]]]
    """The ways, by name: each a list of training phases, each phase settings of `pancap train chain`. A phase starts
    from the checkpoint of the one before it."""
    baseline: str
    """The way that the others are compared with."""
    train: dict[str, Any] = field(default_factory=dict)
    """Settings of every phase of every way, where the phase does not say otherwise."""
    caption: dict[str, Any] = field(default_factory=dict)
    """Settings of `pancap caption` for every way."""
    seeds: list[int] = field(default_factory=lambda: [0, 1, 2])
    """Every way is trained once with each."""
    out: str = "runs/experiment"
    """Folder of everything."""

    def __post_init__(self) -> None:
        """Refuses what cannot be compared."""
        if self.baseline not in self.variants:
            raise UsageError(f"baseline must be one of {', '.join(self.variants)}, got {self.baseline!r}")
        if not self.seeds or not all(self.variants.values()):
            raise UsageError("an experiment needs a seed, and a phase for every variant; add them")
        if len(set(self.seeds)) < len(self.seeds):
            raise UsageError(f"seeds must differ, got {self.seeds}; a repeated one measures nothing new")
        for where, settings, own in (
            ("train", self.train, _OWN_TRAIN),
            ("caption", self.caption, _OWN_CAPTION),
            *((f"variant {name}", phase, _OWN_TRAIN) for name, phases in self.variants.items() for phase in phases),
        ):
            if taken := sorted(own & settings.keys()):
                raise UsageError(f"{where} sets {', '.join(taken)}, which the experiment decides itself; leave it out")
        if len({slug(name) for name in self.variants}) < len(self.variants):
            raise UsageError("two variants have the same letters and digits in their names; rename one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def render(self) -> str:
        """`51.3 [50.0, 52.5]`."""
        return f"{self.value:.1f} [{self.low:.1f}, {self.high:.1f}]"


@dataclass(frozen=True, kw_only=True)
class VariantResult:
    """What one way of training gave, over all seeds.

    Args:
        overall: of 410; the interval is of images drawn anew, each counted with the mean over its seeds.
        dimensions: F1 in percent, likewise; None where no caption has such an item.
        gain: overall minus the baseline's on the same images; None for the baseline.
        overall_by_seed: of each seed alone.
        mean_iou: percent, of the boxes of matched entities.
        seconds_per_image: of captioning, wall time, by stage in the shares that images spend in each; mean over seeds.
        texts: what each stage wrote, mean over seeds.
        num_steps, num_images: of training, all phases.
    """

    overall: Measured
    dimensions: Mapping[str, Measured | None]
    gain: Measured | None
    overall_by_seed: Mapping[int, float]
    mean_iou: float
    seconds_per_image: Mapping[str, float]
    texts: Mapping[str, StageTexts]
    num_steps: int
    num_images: int


@dataclass(frozen=True, kw_only=True)
class ExperimentResult:
    """All ways side by side.

    Args:
        variants: by name.
        baseline: what gains are measured against.
        num_held_out: images that were captioned.
        judge: who judged.
        out: folder of everything.
    """

    variants: Mapping[str, VariantResult]
    baseline: str
    num_held_out: int
    judge: str
    out: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    def render(self) -> str:
        """A table with a line for each way."""
        width = max(map(len, self.variants)) + 2
        names = ("tag", "loc", "att", "rel", "glo")
        titles = "".join(f"{name:>7}" for name in names)
        lines = [f"{'':<{width}}{titles}{'IoU':>7}   {'overall':<24}{'gain':<24}{'seeds':<16}{'s/image':>8}"]
        for name, result in self.variants.items():
            known = (result.dimensions[key] for key in names)
            cells = "".join(f"{item.value:>7.1f}" if item else f"{'-':>7}" for item in known)
            gain = result.gain.render() if result.gain else "baseline"
            seeds = " ".join(f"{value:.0f}" for value in result.overall_by_seed.values())
            seconds = sum(result.seconds_per_image.values())
            lines.append(
                f"{name:<{width}}{cells}{result.mean_iou:>7.1f}   {result.overall.render():<24}{gain:<24}{seeds:<16}"
                f"{seconds:>8.2f}"
            )
        for name, result in self.variants.items():
            stages = (
                f"{stage} {result.seconds_per_image[stage]:.3f} s, {texts.render()}"
                for stage, texts in result.texts.items()
            )
            lines.append(f"{name}: {'; '.join(stages)}; {result.num_steps} steps, {result.num_images} images a seed")
        lines.append(f"{self.num_held_out} held-out images; judge {self.judge}; {Path(self.out) / CHART_FILE}")
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """One way with one seed."""

    report: "ScoreReport"
    seconds_per_image: Mapping[str, float]
    texts: Mapping[str, StageTexts]
    num_steps: int
    num_images: int


def run_experiment(config: ExperimentConfig, *, on_progress: Progress) -> ExperimentResult:
    """Does what is not done yet, then compares.

    Args:
        config: the experiment.
        on_progress: called with what is done, how many, of how many.

    Raises:
        UsageError: a setting, the data or the held-out folder cannot be used.
    """
    from pancap.platform.charts import experiment_chart

    reference = Path(config.held_out) / "captions.json"
    if not reference.is_file():
        raise UsageError(f"{reference} does not exist; give a folder of pancap scenes as held_out")
    load_config(CaptionConfig, config.caption | {"model": "", "images": ""})
    for name in config.variants:  # a typo in the last way shows before the first is trained
        for phase in phases_of(config, name, seed=0):
            load_config(TrainConfig, phase | {"out": ""})
    out = Path(config.out)
    trials: dict[str, dict[int, _Trial]] = {name: {} for name in config.variants}
    for seed in config.seeds:
        for name in config.variants:
            trials[name][seed] = _run_trial(config, name, seed=seed, reference=reference, on_progress=on_progress)
    matrices = {name: _mean_f1([trial.report for trial in found.values()]) for name, found in trials.items()}
    first = next(iter(trials[config.baseline].values())).report
    result = ExperimentResult(
        variants={
            name: _sum_up(found, matrices[name], None if name == config.baseline else matrices[config.baseline])
            for name, found in trials.items()
        },
        baseline=config.baseline,
        num_held_out=first.n,
        judge=first.judge,
        out=str(out),
    )
    (out / RESULT_FILE).write_text(json.dumps(result.to_dict(), indent=1) + "\n", encoding="utf-8")
    experiment_chart(result, out / CHART_FILE)
    return result


def _run_trial(config: ExperimentConfig, name: str, *, seed: int, reference: Path, on_progress: Progress) -> _Trial:
    from pancap.chain.model import load_checkpoint
    from pancap.scoring.files import score_files

    report_as = partial(_report_as, on_progress, f"{name}, seed {seed}")
    checkpoint, num_steps, num_images = _train(config, name, seed=seed, on_progress=report_as)
    made_of = [checkpoint.parent.name, config.caption, fingerprint(reference)]
    captions = Path(config.out) / "captions" / f"{slug(name)}_{seed}_{_digest(made_of)}"
    summary = _caption(config, checkpoint=checkpoint, out=captions, on_progress=report_as)
    report = score_files(captions / "captions.json", reference, on_progress=report_as)
    model = load_checkpoint(checkpoint)
    return _Trial(
        report=report,
        seconds_per_image=_seconds_by_stage(summary),
        texts=read_stage_texts(
            captions / "captions.jsonl",
            reference=reference,
            coordinates=model.meta.coordinates,
            count_tokens=lambda text: len(model.tokenizer.encode(text, add_special_tokens=False)),
        ),
        num_steps=num_steps,
        num_images=num_images,
    )


def _seconds_by_stage(summary: Mapping[str, Any]) -> dict[str, float]:
    """Wall time of captioning an image, shared out by the time that images spent in each stage, many side by side."""
    stages: Mapping[str, float] = summary["stage_seconds"]
    per_image = summary["seconds"] / summary["num_images"]
    return {stage: per_image * seconds / sum(stages.values()) for stage, seconds in stages.items()}


def _train(config: ExperimentConfig, name: str, *, seed: int, on_progress: Progress) -> tuple[Path, int, int]:
    """The checkpoint of the last phase, and the steps and images of all."""
    from pancap.chain.model import checkpoint_folder
    from pancap.chain.training.run import run_training

    checkpoint: Path | None = None
    num_steps = num_images = 0
    for settings in phases_of(config, name, seed=seed):
        paths = {key: checkpoint_folder(settings[key]) for key in ("data", "vision", "init") if settings.get(key)}
        made_of = settings | {key: fingerprint(path) for key, path in paths.items()}
        if checkpoint:
            made_of |= {"init": checkpoint.parent.name, "vision": None}
        out = Path(config.out) / "phases" / _digest(made_of)
        if checkpoint:
            settings |= {"init": str(checkpoint), "vision": None}
        done = out / "done.json"
        if not done.is_file():
            where = {"out": str(out), "cache": str(Path(config.out) / "cache"), "resume": True}
            train, text = load_config(TrainConfig, settings | where)
            summary = run_training(train, config_text=text, on_progress=on_progress)
            done.write_text(json.dumps({"steps": summary.steps, "images": summary.images}) + "\n", encoding="utf-8")
        figures = json.loads(done.read_text(encoding="utf-8"))
        checkpoint = out / "checkpoint"
        num_steps += figures["steps"]
        num_images += figures["images"]
    assert checkpoint is not None
    return checkpoint, num_steps, num_images


def phases_of(config: ExperimentConfig, name: str, *, seed: int) -> list[dict[str, Any]]:
    """Settings of `pancap train chain` for each phase of a way: its own over those of all."""
    from omegaconf import OmegaConf

    own = {"data": config.data, "seed": seed}
    merged = [OmegaConf.merge({"num_workers": 0}, config.train, phase, own) for phase in config.variants[name]]
    return [dict(OmegaConf.to_container(phase)) for phase in merged]  # type: ignore[arg-type]


def fingerprint(path: Path) -> str:
    """Of what a file or folder holds, pictures aside: they are named by their content in the tables beside them."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in _HASHED)
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.relative_to(path).as_posix().encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _caption(config: ExperimentConfig, *, checkpoint: Path, out: Path, on_progress: Progress) -> dict[str, Any]:
    """Figures of the captioning run, kept beside its captions."""
    from pancap.chain.folder import caption_folder

    kept = out / "summary.json"
    if not kept.is_file():
        # Anew: the time of an interrupted run is not known.
        own = {"model": str(checkpoint), "images": config.held_out, "out": str(out), "overwrite": True}
        summary = caption_folder(load_config(CaptionConfig, config.caption | own)[0], on_progress=on_progress)
        kept.write_text(json.dumps(summary.to_dict()) + "\n", encoding="utf-8")
    record: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return record


def _mean_f1(reports: "list[ScoreReport]") -> "np.ndarray":
    """(images, dimensions) F1 of each image, the mean over seeds; NaN where no seed has the dimension."""
    import numpy as np

    from pancap.scoring.report import f1_matrix

    images = sorted(reports[0].images)
    stacked = np.stack([f1_matrix({image: report.images[image] for image in images}) for report in reports])
    known = ~np.isnan(stacked)
    with np.errstate(invalid="ignore"):
        mean: np.ndarray = np.where(known, stacked, 0.0).sum(axis=0) / known.sum(axis=0)
    return mean


def _sum_up(trials: Mapping[int, _Trial], f1_ND: "np.ndarray", baseline_ND: "np.ndarray | None") -> VariantResult:
    import numpy as np

    from pancap.scoring.results import DIMENSIONS
    from pancap.scoring.statistics import bootstrap_means, column_means, overall_of_means

    def measure(figure: "Callable[[np.ndarray], np.ndarray]", ours: "np.ndarray") -> Measured | None:
        value = float(figure(column_means(ours)[None])[0])
        if np.isnan(value):
            return None
        samples = figure(bootstrap_means(ours, num_resamples=NUM_RESAMPLES, seed=0))
        low, high = np.nanpercentile(samples, [2.5, 97.5])
        return Measured(value=value, low=float(low), high=float(high))

    num = len(DIMENSIONS)
    overall = measure(overall_of_means, f1_ND)
    assert overall is not None
    gain = None
    if baseline_ND is not None:
        both = np.concatenate([f1_ND, baseline_ND], axis=1)
        gain = measure(lambda means: overall_of_means(means[:, :num]) - overall_of_means(means[:, num:]), both)
    ious = [
        pair.iou
        for trial in trials.values()
        for score in trial.report.images.values()
        for pair in score.matching.pairs
        if pair.iou is not None
    ]
    first = next(iter(trials.values()))
    return VariantResult(
        overall=overall,
        dimensions={
            name: measure(lambda means, place=place: 100 * means[:, place], f1_ND)  # type: ignore[misc]
            for place, name in enumerate(DIMENSIONS)
        },
        gain=gain,
        overall_by_seed={seed: trial.report.overall for seed, trial in trials.items()},
        mean_iou=100 * float(np.mean(ious)) if ious else 0.0,
        seconds_per_image=_mean_by_key([trial.seconds_per_image for trial in trials.values()]),
        texts={stage: mean_texts([trial.texts[stage] for trial in trials.values()]) for stage in first.texts},
        num_steps=first.num_steps,
        num_images=first.num_images,
    )


def _mean_by_key(records: list[Mapping[str, float]]) -> dict[str, float]:
    return {key: sum(record[key] for record in records) / len(records) for key in records[0]}


def _digest(settings: Any) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def slug(name: str) -> str:
    """A name in letters, digits and underscores, for folders and for MLflow."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _report_as(on_progress: Progress, label: str, what: str, done: int, total: int | None) -> None:
    on_progress(f"{label}: {what}", done, total)
