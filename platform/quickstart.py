"""The whole road on one machine: scenes, engine, training, captions, score, endpoint. Every step is the real one."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancap.configs import UsageError, load_config
from pancap.platform.cluster import ray_session
from pancap.platform.console import Progress
from pancap.platform.tracking import runs_page, tracked_run

if TYPE_CHECKING:
    from pancap.scoring.comparison import Comparison
    from pancap.scoring.report import ScoreReport

SHIPPED = "nano"
BASELINE = "nano_one_stage"
HELD_OUT_SEED_OFFSET = 500_000


@dataclass(frozen=True, kw_only=True)
class QuickstartConfig:
    """Sizes of the demonstration; the defaults fit two cores and five minutes."""

    out: str = ""
    """Run folder; empty for the next free runs/quickstart-NNN. An unfinished folder is continued."""
    num_scenes: int = 96
    """Scenes that the engine captions, and whose own captions the short training learns from."""
    num_held_out: int = 48
    """Scenes that the three models are scored on."""
    train_steps: int = 30
    """Optimizer steps of the short training run."""
    seed: int = 0
    """Seed of the scenes and of the training."""

    def __post_init__(self) -> None:
        """Refuses sizes that show nothing."""
        for name in ("num_scenes", "num_held_out", "train_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}; set a positive number")
        if not 0 <= self.seed < HELD_OUT_SEED_OFFSET:
            raise ValueError(f"seed must be in 0..{HELD_OUT_SEED_OFFSET - 1}, got {self.seed}; the rest is held out")


@dataclass(frozen=True, kw_only=True)
class QuickstartSummary:
    """What was made and how well it scored.

    Args:
        out: run folder.
        reports: scores by what was scored.
        staging: the shipped chain against its one-stage baseline, image by image.
        training: the shortly trained chain against the shipped one.
        pictures: two box overlays.
        endpoint: what the endpoint answered.
        step_seconds: wall time by step.
        runs_page: where MLflow's page lists the runs.
    """

    out: Path
    reports: "dict[str, ScoreReport]"
    staging: "Comparison"
    training: "Comparison"
    pictures: tuple[Path, ...]
    endpoint: dict[str, Any]
    step_seconds: dict[str, float]
    runs_page: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "out": str(self.out),
            "scores": {name: report.to_dict() for name, report in self.reports.items()},
            "staging": self.staging.to_dict(),
            "training": self.training.to_dict(),
            "pictures": [str(path) for path in self.pictures],
            "endpoint": self.endpoint,
            "step_seconds": self.step_seconds,
        }

    def render(self) -> str:
        """The closing summary: table, pictures, what to do next."""
        from pancap.platform.comparison import comparison_table

        steps = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.step_seconds.items())
        lines = [
            "",
            comparison_table(self.reports),
            f"four stages (nano) against one stage of the same training budget: {_gain(self.staging)}",
            f"the shortly trained one against nano: {_gain(self.training)}",
            "",
            f"pictures    {'  '.join(str(path) for path in self.pictures)}",
            f"endpoint    answered in {self.endpoint['seconds']:.2f} s with {self.endpoint['num_entities']} entities",
            f"time        {steps}",
            f"everything  {self.out}",
            "",
            "next",
            "  .venv/bin/mlflow ui --backend-store-uri sqlite:///runs/mlflow.db",
            f"      then look at http://127.0.0.1:5000{self.runs_page}",
            "  .venv/bin/pancap serve model=nano port=8000                         # keep the endpoint up",
            f"  .venv/bin/pancap caption model={self.out}/train/checkpoint images=DIR out=captions",
        ]
        return "\n".join(lines)


@dataclass
class _Road:
    """Folders, clock and voice shared by the steps."""

    config: QuickstartConfig
    out: Path
    report: Progress
    announce: Callable[[str], None]
    seconds: dict[str, float]

    def step(self, name: str, sentence: str, work: Callable[[], Any]) -> Any:
        """Announces, runs and times one step."""
        self.announce(f"[{len(self.seconds) + 1}/7] {sentence}")
        started = time.perf_counter()
        result = work()
        self.seconds[name] = round(time.perf_counter() - started, 1)
        return result


def run_quickstart(
    config: QuickstartConfig, *, on_progress: Progress, announce: Callable[[str], None]
) -> QuickstartSummary:
    """Runs every step in order; each can be continued when the command is run again on the same folder.

    Args:
        config: sizes.
        on_progress: bars inside a step.
        announce: one line a step.
    """
    from pancap.platform.commands.doctor import diagnose

    road = _Road(config=config, out=_run_folder(config), report=on_progress, announce=announce, seconds={})
    diagnosis = road.step("doctor", "doctor: is this machine fit?", diagnose)
    if not diagnosis.is_ok:
        raise UsageError(f"this machine lacks something the platform needs:\n{diagnosis.render()}")
    with ray_session():
        road.step("scenes", f"scenes: drawing {config.num_scenes} + {config.num_held_out}", lambda: _draw(road))
        road.step("engine", "engine: detect, caption and cross-check them", lambda: _engine(road))
        road.step("train", f"train: nano, {config.train_steps} steps on the scenes' captions", lambda: _train(road))
        road.step("caption", "caption: three models on the held-out scenes", lambda: _caption(road))
        reports = road.step("score", "score: PancapScore with the rule-based judge", lambda: _score(road))
        endpoint = road.step("endpoint", "endpoint: start, call over HTTP, stop", lambda: _endpoint(road))
    summary = QuickstartSummary(
        out=road.out,
        reports=reports,
        staging=_compare(reports, "one stage", "nano"),
        training=_compare(reports, "nano", "trained"),
        pictures=_pictures(road),
        endpoint=endpoint,
        step_seconds=road.seconds,
        runs_page=runs_page(),
    )
    (road.out / "summary.json").write_text(json.dumps(summary.to_dict(), indent=1), encoding="utf-8")
    return summary


def _run_folder(config: QuickstartConfig) -> Path:
    if config.out:
        return Path(config.out)
    number = 1
    while (folder := Path("runs") / f"quickstart-{number:03d}").joinpath("summary.json").exists():
        number += 1
    return folder


def _draw(road: _Road) -> None:
    from pancap.engine.scenes.config import ScenesConfig
    from pancap.engine.scenes.generate import generate_scenes

    seed = road.config.seed
    for folder, num, first_seed in (
        ("scenes", road.config.num_scenes, seed),
        ("held_out", road.config.num_held_out, seed + HELD_OUT_SEED_OFFSET),
    ):
        overrides = [f"out={road.out / folder}", f"num={num}", f"seed={first_seed}"]
        settings, text = load_config(ScenesConfig, None, overrides)
        generate_scenes(settings, config_text=text, on_progress=road.report)


def _engine(road: _Road) -> None:
    from pancap.engine.config import EngineConfig
    from pancap.platform.commands.engine import run_and_export

    overrides = [f"source={road.out / 'scenes'}", f"out={road.out / 'engine'}"]
    settings, text = load_config(EngineConfig, None, overrides)
    with tracked_run(kind="engine", name=f"{road.out.name} engine", config_text=text) as tracked:
        summary = run_and_export(settings, config_text=text, tracked=tracked, on_progress=road.report)
    road.announce(summary.render())


def _train(road: _Road) -> None:
    """On the scenes' own captions: the engine's, made by detectors of a megabyte, would teach nano to be worse."""
    from pancap.chain.training.config import TrainConfig
    from pancap.chain.training.run import run_training

    overrides = [
        f"data={road.out / 'scenes' / 'scenes.parquet'}",
        f"out={road.out / 'train'}",
        f"steps={road.config.train_steps}",
        f"seed={road.config.seed}",
    ]
    settings, text = load_config(TrainConfig, "train/quick", overrides)
    with tracked_run(kind="training", name=f"{road.out.name} train", config_text=text) as tracked:
        tracked.log_dataset(settings.data, role="training")
        summary = run_training(
            settings,
            config_text=text,
            on_progress=road.report,
            on_metrics=lambda step, metrics: tracked.log_metrics(metrics, step=step),
        )
        tracked.log_summary(summary.to_dict())


def _models(road: _Road) -> dict[str, str]:
    return {"nano": SHIPPED, "trained": str(road.out / "train" / "checkpoint"), "one stage": BASELINE}


def _caption(road: _Road) -> None:
    from pancap.chain.config import CaptionConfig
    from pancap.chain.folder import caption_folder

    for name, checkpoint in _models(road).items():
        overrides = [
            f"model={checkpoint}",
            f"images={road.out / 'held_out'}",
            f"out={_captions(road, name).parent}",
            "overwrite=true",
        ]
        settings, _ = load_config(CaptionConfig, None, overrides)
        caption_folder(settings, on_progress=partial(_report_as, road.report, name))


def _report_as(report: Progress, name: str, what: str, done: int, total: int | None) -> None:
    report(f"{what} of {name}", done, total)


def _captions(road: _Road, name: str) -> Path:
    return road.out / "captions" / name.replace(" ", "_") / "captions.json"


def _score(road: _Road) -> "dict[str, ScoreReport]":
    from pancap.scoring.config import ScoreConfig
    from pancap.scoring.files import score_files

    settings, text = load_config(ScoreConfig)
    reports = {}
    for name in _models(road):
        reference = road.out / "held_out" / "captions.json"
        reports[name] = score_files(_captions(road, name), reference, settings)
        with tracked_run(kind="scoring", name=f"{road.out.name} {name}", config_text=text) as tracked:
            tracked.log_dataset(reference, role="reference")
            tracked.log_report(name, reports[name])
    return reports


def _compare(reports: "dict[str, ScoreReport]", first: str, second: str) -> "Comparison":
    from pancap.scoring.comparison import ImageScores, compare_scores

    scores = [ImageScores.of_report(reports[name]) for name in (first, second)]
    return compare_scores(*scores, names=(first, second))


def _gain(comparison: "Comparison") -> str:
    gain = comparison.overall
    return f"{gain.mean:+.1f} [{gain.interval.low:+.1f}, {gain.interval.high:+.1f}], p = {gain.p_value:.3f}"


def _endpoint(road: _Road) -> dict[str, Any]:
    import httpx

    from pancap.chain.captioner import load_captioner
    from pancap.platform.serving.app import build_app
    from pancap.platform.serving.config import ServeConfig
    from pancap.platform.serving.server import free_port, running_endpoint

    settings = ServeConfig(model=SHIPPED, port=free_port())
    app = build_app(settings, load=load_captioner)
    picture = sorted((road.out / "held_out" / "images").iterdir())[0]
    with running_endpoint(settings, app, api_key=None) as url:
        started = time.perf_counter()
        answer = httpx.post(f"{url}/v1/caption", files={"image": picture.read_bytes()}, timeout=120).raise_for_status()
        seconds = time.perf_counter() - started
    body = answer.json()
    (road.out / "endpoint_answer.json").write_text(json.dumps(body, indent=1), encoding="utf-8")
    return {"seconds": round(seconds, 2), "num_entities": len(body["entities"]), "caption": body["caption"]}


def _pictures(road: _Road) -> tuple[Path, ...]:
    """Two held-out scenes: the boxes of their true captions beside those of the shipped model's captions."""
    from pancap.caption.images import load_image
    from pancap.platform.comparison import side_by_side
    from pancap.scoring.files import load_captions
    from pancap.scoring.judges.rule import RuleJudge

    judge = RuleJudge()
    written = load_captions(_captions(road, "nano"))["image_path"]
    true = load_captions(road.out / "held_out" / "captions.json")["image_path"]
    paths = []
    for index, name in enumerate(sorted(written)[:2], start=1):
        rgb = load_image((road.out / "held_out" / "images" / Path(name).name).read_bytes()).rgb
        paths.append(
            side_by_side(
                rgb,
                left=judge.extract(true[name]).entities,
                right=judge.extract(written[name]).entities,
                titles=("true caption", "nano chain"),
                path=road.out / f"overlay_{index}.png",
            )
        )
    return tuple(paths)
