"""`pancap bench`: one part measured against its target."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pancap.platform.console import Progress, Summary, progress_bars, show


def run_scenes(*, as_json: bool) -> None:
    """Scenes drawn a second."""
    from pancap.engine.scenes.bench import bench_scenes

    _measure(lambda report: bench_scenes(), as_json=as_json)


def run_kernels(*, as_json: bool) -> None:
    """Every kernel against its peers."""
    from pancap.custom_kernels.bench.run import bench_kernels

    _measure(lambda report: bench_kernels(on_progress=report), as_json=as_json)


def run_judge(*, overrides: Sequence[str], as_json: bool) -> None:
    """What an evaluation asks of a judge's model."""
    from pancap.configs import load_config
    from pancap.scoring.judges.llm.bench import JudgeBenchConfig, bench_judge

    config, _ = load_config(JudgeBenchConfig, overrides=overrides)
    _measure(lambda report: bench_judge(config, on_progress=report), as_json=as_json)


def run_chain(*, overrides: Sequence[str], as_json: bool) -> None:
    """The chain's decode steps and time by replay."""
    from pancap.chain.bench.chain import ChainBenchConfig, bench_chain
    from pancap.configs import load_config

    config, _ = load_config(ChainBenchConfig, overrides=overrides)
    _measure(lambda report: bench_chain(config, on_progress=report), as_json=as_json)


def run_stages(*, overrides: Sequence[str], as_json: bool) -> None:
    """A chain behind true answers of its first stages."""
    from pancap.configs import load_config
    from pancap.platform.stage_bench import StageBenchConfig, bench_stages

    config, _ = load_config(StageBenchConfig, overrides=overrides)
    _measure(lambda report: bench_stages(config, on_progress=report), as_json=as_json)


def run_training(*, overrides: Sequence[str], as_json: bool) -> None:
    """Training on prefix trees against Hugging Face's Trainer."""
    from pancap.chain.bench.training import TrainingBenchConfig, bench_training
    from pancap.configs import load_config

    config, _ = load_config(TrainingBenchConfig, overrides=overrides)
    _measure(lambda report: bench_training(config, on_progress=report), as_json=as_json)


def run_replay(
    *,
    candidate_content: Path,
    reference_questions: Path,
    candidate_answers: Path,
    reference_answers: Path,
    as_json: bool,
) -> None:
    """The deterministic part of scoring against the published way of encoding tags."""
    from pancap.scoring.bench import bench_replay

    _measure(
        lambda report: bench_replay(
            candidate_content=candidate_content,
            reference_questions=reference_questions,
            candidate_answers=candidate_answers,
            reference_answers=reference_answers,
            on_progress=report,
        ),
        as_json=as_json,
    )


def run_detectors(*, images: Path | None, as_json: bool) -> None:
    """The embedded detectors on held-out scenes, or on annotated photographs."""
    from pancap.engine.detectors.evaluate import evaluate_on_photographs, evaluate_on_scenes
    from pancap.engine.registry import load_grounder, load_proposer, load_tagger
    from pancap.engine.scenes.vocabulary import PARTS, STUFF, THINGS

    def measure(report: Progress) -> Summary:
        if images is not None:
            return evaluate_on_photographs(load_proposer("nano"), images, on_progress=report)
        return evaluate_on_scenes(
            load_proposer("nano"),
            load_tagger("nano"),
            load_grounder("nano"),
            vocabulary=[*THINGS, *STUFF, *PARTS],
            on_progress=report,
        )

    _measure(measure, as_json=as_json)


def _measure(work: Callable[[Progress], Summary], *, as_json: bool) -> None:
    with progress_bars() as report:
        summary = work(report)
    show(summary, as_json=as_json)
