"""`pancap bench <part>`: one part measured against its target."""

from pathlib import Path
from typing import Annotated

import typer

from pancap.platform.cli_options import (
    AsJson,
    CandidateAnswers,
    CandidateContent,
    ConfigFile,
    Overrides,
    ReferenceAnswers,
    ReferenceQuestions,
    Track,
    run_command,
)

bench_app = typer.Typer(help="Measure a part against its target.", no_args_is_help=True)


@bench_app.command("scenes")
def bench_scenes(as_json: AsJson = False) -> None:
    """Scenes drawn a second on one core, without writing."""
    run_command("bench", entry="run_scenes", as_json=as_json)


@bench_app.command("detectors")
def bench_detectors(
    images: Annotated[
        Path | None, typer.Option(help="A COCO panoptic folder (images/, masks/, panoptic.json).")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Recall and precision of the embedded detectors on held-out scenes, or recall on annotated photographs."""
    run_command("bench", entry="run_detectors", images=images, as_json=as_json)


@bench_app.command("kernels")
def bench_kernels(as_json: AsJson = False) -> None:
    """Every kernel checked and timed against its peers; on a machine without a GPU the plain PyTorch paths."""
    run_command("bench", entry="run_kernels", as_json=as_json)


@bench_app.command("judge")
def bench_judge(overrides: Overrides = None, as_json: AsJson = False) -> None:
    """What an evaluation asks of a judge's model, without one: captions=FILE candidates=FILE num=200."""
    run_command("bench", entry="run_judge", overrides=overrides or [], as_json=as_json)


@bench_app.command("chain")
def bench_chain(overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Decode steps and time of the chain by replay of real captions, without a model: captions=FILE."""
    run_command("bench", entry="run_chain", overrides=overrides or [], as_json=as_json)


@bench_app.command("stages")
def bench_stages(overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Where a chain loses its points: its later stages behind true answers of the first ones: held_out=DIR."""
    run_command("bench", entry="run_stages", overrides=overrides or [], as_json=as_json)


@bench_app.command("replay")
def bench_replay(
    candidate_content: CandidateContent,
    reference_questions: ReferenceQuestions,
    candidate_answers: CandidateAnswers,
    reference_answers: ReferenceAnswers,
    as_json: AsJson = False,
) -> None:
    """A replay's processor time, against encoding tags one at a time as the published scripts do."""
    run_command(
        "bench",
        entry="run_replay",
        candidate_content=candidate_content,
        reference_questions=reference_questions,
        candidate_answers=candidate_answers,
        reference_answers=reference_answers,
        as_json=as_json,
    )


@bench_app.command("training")
def bench_training(overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Images a second of training on prefix trees, against Hugging Face's Trainer over DeepSpeed."""
    run_command("bench", entry="run_training", overrides=overrides or [], as_json=as_json)


@bench_app.command("coordinates")
def bench_coordinates(
    overrides: Overrides = None, config: ConfigFile = None, track: Track = None, as_json: AsJson = False
) -> None:
    """Text coordinates, coordinate tokens and the box loss, trained alike: data=FILE held_out=DIR."""
    run_command(
        "bench_experiment",
        preset="bench/coordinates",
        overrides=overrides or [],
        config=config,
        track=track,
        as_json=as_json,
    )


@bench_app.command("ablation")
def bench_ablation(
    overrides: Overrides = None, config: ConfigFile = None, track: Track = None, as_json: AsJson = False
) -> None:
    """One stage, two, three and all four, trained alike: data=FILE held_out=DIR."""
    run_command(
        "bench_experiment",
        preset="bench/ablation",
        overrides=overrides or [],
        config=config,
        track=track,
        as_json=as_json,
    )
