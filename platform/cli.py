"""The command line: `pancap <verb> [--config FILE] [key=value ...]`. Each verb's work is in `platform/commands/`."""

import errno
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import typer.core

from pancap.configs.errors import StoppedError, TooManyBadRowsError, UsageError
from pancap.platform.cli_bench import bench_app
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

app = typer.Typer(
    name="pancap",
    help="Panoptic captioning on Ray: images to training data, a trained captioner, an endpoint and a score.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
)
train_app = typer.Typer(help="Train the chain, its vision tower or the engine's detectors.", no_args_is_help=True)
weights_app = typer.Typer(help="Checkpoints: published ones converted, trained ones halved.", no_args_is_help=True)
engine_app = typer.Typer(help="PancapEngine: images to panoptic-caption training data.", no_args_is_help=True)
app.add_typer(engine_app, name="engine")
app.add_typer(train_app, name="train")
app.add_typer(bench_app, name="bench")
app.add_typer(weights_app, name="weights")


class ScoreGroup(typer.core.TyperGroup):
    """`pancap score CAND REF` is short for `pancap score captions CAND REF`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts the default command before arguments that name none."""
        if args and args[0] not in (*self.commands, "--help"):
            args = ["captions", *args]
        return super().parse_args(ctx, args)


score_app = typer.Typer(
    cls=ScoreGroup, help="PancapScore: `pancap score CANDIDATE REFERENCE`, or saved judge output.", no_args_is_help=True
)
app.add_typer(score_app, name="score")

_FULL_DISK_TEXTS = ("No space left on device", "database or disk is full", "PytorchStreamWriter failed writing file")


@app.command()
def quickstart(overrides: Overrides = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """The whole road on this machine: scenes, engine, training, score, endpoint."""
    run_command("quickstart", overrides=overrides or [], config=config, as_json=as_json)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check this machine: versions, memory, disk, shipped models, Ray."""
    run_command("doctor", as_json=as_json)


@app.command()
def scenes(
    overrides: Overrides = None, config: ConfigFile = None, track: Track = None, as_json: AsJson = False
) -> None:
    """Draw procedural scenes with exact panoptic captions: out=DIR num=1000 seed=0."""
    run_command("scenes", overrides=overrides or [], config=config, track=track, as_json=as_json)


@engine_app.command("run")
def engine_run(
    overrides: Overrides = None, config: ConfigFile = None, track: Track = None, as_json: AsJson = False
) -> None:
    """Detect, caption and cross-check a folder of images: source=DIR out=DIR."""
    run_command("engine", overrides=overrides or [], config=config, track=track, as_json=as_json)


@train_app.command("chain")
def train_chain(
    overrides: Overrides = None, config: ConfigFile = None, track: Track = None, as_json: AsJson = False
) -> None:
    """Stage-wise fine-tuning on Ray Train and DeepSpeed: data=PARQUET out=DIR init=nano."""
    run_command("train_chain", overrides=overrides or [], config=config, track=track, as_json=as_json)


@train_app.command("vision")
def train_vision(
    overrides: Overrides = None, config: ConfigFile = None, track: Track = None, as_json: AsJson = False
) -> None:
    """Pretrain the chain's vision tower on boxes and tags: data=PARQUET out=DIR."""
    run_command("pretrain", entry="run_vision", overrides=overrides or [], config=config, track=track, as_json=as_json)


@train_app.command("language")
def train_language(
    overrides: Overrides = None, config: ConfigFile = None, track: Track = None, as_json: AsJson = False
) -> None:
    """Pretrain a small chain's language model to read its prompts: data=PARQUET out=DIR vision=DIR."""
    run_command(
        "pretrain", entry="run_language", overrides=overrides or [], config=config, track=track, as_json=as_json
    )


@train_app.command("detectors")
def train_detectors(
    overrides: Overrides = None, config: ConfigFile = None, track: Track = None, as_json: AsJson = False
) -> None:
    """Train the engine's embedded detectors and tagger on scenes: out=DIR."""
    run_command("train_detectors", overrides=overrides or [], config=config, track=track, as_json=as_json)


@app.command()
def caption(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[IMAGES] [key=value]", help="Files, folders; settings as in `pancap config caption`."),
    ] = None,
    config: ConfigFile = None,
    draw: Annotated[bool, typer.Option("--draw", help="Also write every image with its boxes.")] = False,
    track: Track = None,
    as_json: AsJson = False,
) -> None:
    """Caption images with a chain, or any other model: photos out=DIR model=nano; resumes when run again."""
    given = arguments or []
    images = [argument for argument in given if "=" not in argument or os.path.exists(argument)]
    overrides = [*(argument for argument in given if argument not in images), *(["draw=true"] if draw else [])]
    run_command("caption", images=images, overrides=overrides, config=config, track=track, as_json=as_json)


@score_app.command("captions")
def score_captions(
    candidate: Annotated[Path, typer.Argument(help="Captions to score: JSON, JSONL or a parquet folder.")],
    reference: Annotated[Path, typer.Argument(help="Reference captions, same formats.")],
    overrides: Overrides = None,
    config: ConfigFile = None,
    allow_missing: Annotated[bool, typer.Option("--allow-missing", help="Score the images both files have.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Keep every image's figures in this JSON file.")] = None,
    track: Track = None,
    as_json: AsJson = False,
) -> None:
    """PancapScore of candidate captions against references, with intervals (the word `captions` may be left out)."""
    overrides = [*(overrides or []), *(["allow_missing=true"] if allow_missing else [])]
    run_command(
        "score",
        candidate=candidate,
        reference=reference,
        overrides=overrides,
        config=config,
        track=track,
        out=out,
        as_json=as_json,
    )


RulesOption = Annotated[
    Literal["strict", "official"], typer.Option("--rules", help="`official`: the published scripts.")
]
EncoderOption = Annotated[str, typer.Option("--encoder", help="minilm, none or a model folder.")]
OutFile = Annotated[Path, typer.Option("--out", help="JSON file to write.")]


@score_app.command("replay")
def score_replay(
    candidate_content: CandidateContent,
    reference_questions: ReferenceQuestions,
    candidate_answers: CandidateAnswers,
    reference_answers: ReferenceAnswers,
    out: OutFile,
    rules: RulesOption = "strict",
    encoder: EncoderOption = "minilm",
    as_json: AsJson = False,
) -> None:
    """Score saved judge output in the published file formats; no model is asked."""
    run_command(
        "score_replay",
        entry="run_replay",
        candidate_content=candidate_content,
        reference_questions=reference_questions,
        candidate_answers=candidate_answers,
        reference_answers=reference_answers,
        rules=rules,
        encoder=encoder,
        out=out,
        as_json=as_json,
    )


@score_app.command("match")
def score_match(
    candidate_content: CandidateContent,
    reference_questions: ReferenceQuestions,
    out: OutFile,
    rules: RulesOption = "official",
    encoder: EncoderOption = "minilm",
    as_json: AsJson = False,
) -> None:
    """Write the references' questions with the candidate's entity ids, for the judge to answer."""
    run_command(
        "score_replay",
        entry="run_match",
        candidate_content=candidate_content,
        reference_questions=reference_questions,
        rules=rules,
        encoder=encoder,
        out=out,
        as_json=as_json,
    )


@score_app.command("agreement")
def score_agreement(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="[SYSTEM=]FILE...", help="Ratings (CSV, JSON, JSONL), score files, or MLflow run ids."),
    ],
    out: Annotated[Path | None, typer.Option("--out", help="Folder for figures and pictures.")] = None,
    bootstrap: Annotated[int, typer.Option("--bootstrap", min=0, help="Resamples for the intervals.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Of the resampling.")] = 0,
    track: Track = None,
    as_json: AsJson = False,
) -> None:
    """How far raters agree, two judges or a judge with people: Pearson, 1 - R^2 and Kendall with intervals."""
    run_command(
        "score_agreement",
        sources=sources,
        out=out,
        num_resamples=bootstrap,
        seed=seed,
        track=track,
        as_json=as_json,
    )


@app.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="Captions, a score file, or an MLflow run's id.")],
    second: Annotated[str | None, typer.Argument(metavar="B", help="The same of the other system.")] = None,
    reference: Annotated[Path | None, typer.Option("--reference", help="Reference captions, if A and B are.")] = None,
    images: Annotated[Path | None, typer.Option("--images", help="Folder of images, for pictures of losses.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder for the comparison and its pictures.")] = None,
    paper: Annotated[bool, typer.Option("--paper", help="Show the published results beside A (and B).")] = False,
    track: Track = None,
    as_json: AsJson = False,
) -> None:
    """Two systems on the same images: paired intervals, permutation tests, the largest losses."""
    run_command(
        "compare",
        first=first,
        second=second,
        with_paper=paper,
        reference=reference,
        images=images,
        out=out,
        track=track,
        as_json=as_json,
    )


@weights_app.command("convert")
def weights_convert(
    family: Annotated[Literal["asmv2", "llava"], typer.Argument(help="`asmv2`: PancapChain too.")],
    overrides: Overrides = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """A LLaVA 1.x checkpoint, LoRA merged or not, for chain, transformers and vLLM: source=DIR out=DIR."""
    run_command(
        "weights", entry="run_convert", family=family, overrides=overrides or [], config=config, as_json=as_json
    )


@weights_app.command("store")
def weights_store(overrides: Overrides = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """A trained checkpoint in half the size: checkpoint=DIR out=DIR [storage=float16]."""
    run_command("weights", entry="run_store", overrides=overrides or [], config=config, as_json=as_json)


@app.command()
def serve(overrides: Overrides = None, config: ConfigFile = None) -> None:
    """Serve a trained chain over HTTP with Ray Serve: model=nano port=8000."""
    run_command("serve", overrides=overrides or [], config=config)


@app.command("config")
def show_config(
    verb: Annotated[str | None, typer.Argument(help="scenes, engine, chain, vision, language, caption, ...")] = None,
) -> None:
    """List the settings of a verb with their defaults, and the presets."""
    run_command("show_config", verb=verb)


def main() -> None:
    """Runs the command line and turns errors into one sentence and an exit code."""
    from pancap.platform.quiet import silence_libraries

    silence_libraries()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    interrupted = "interrupted; run the same command again to continue"
    try:
        # Typer turns a KeyboardInterrupt into the value that this returns.
        if app(standalone_mode=False) == 130:
            _fail(interrupted, 130)
    except KeyboardInterrupt:
        _fail(interrupted, 130)
    except typer.Abort:
        _fail("interrupted", 130)
    except UsageError as error:
        _fail(str(error), 2)
    except TooManyBadRowsError as error:
        _fail(str(error), 3)
    except StoppedError as error:
        _fail(str(error), 4)
    except Exception as error:
        if path := _full_disk(error):
            _fail(f"no space left on the disk while writing {path}; free some, then run it again", 4)
        # Typer's own usage errors (unknown option, missing argument) carry their exit code and message.
        if not hasattr(error, "exit_code") or not hasattr(error, "format_message"):
            raise
        _fail(error.format_message(), error.exit_code)


def _full_disk(error: BaseException) -> str | None:
    """What was being written when the disk was full; None if that is not what went wrong.

    Only Python's own files raise OSError with a number; Rust, SQL and C++ writers say it in their texts.
    """
    names: list[str] = []
    is_full = False
    link: BaseException | None = error
    while link is not None:
        is_full |= getattr(link, "errno", None) == errno.ENOSPC or any(text in str(link) for text in _FULL_DISK_TEXTS)
        names += [str(name)] if (name := getattr(link, "filename", None)) else []
        link = link.__cause__ or link.__context__
    return (names[0] if names else "output") if is_full else None


def _fail(message: str, code: int) -> None:
    typer.echo(f"pancap: {message}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
