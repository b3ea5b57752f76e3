"""Arguments and options that several verbs share, and how a verb finds its work."""

from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

Overrides = Annotated[list[str] | None, typer.Argument(metavar="[key=value]...", help="Settings; see `pancap config`.")]
ConfigFile = Annotated[str | None, typer.Option("--config", help="YAML file or preset name; key=value wins over it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")]
Track = Annotated[
    str | None,
    typer.Option("--track", help="MLflow tracking URI or none; $MLFLOW_TRACKING_URI, or else a database under runs/."),
]
CandidateContent = Annotated[Path, typer.Option("--candidate-content", help="`all_content` of the candidates.")]
ReferenceQuestions = Annotated[Path, typer.Option("--reference-questions", help="`questions` of the references.")]
CandidateAnswers = Annotated[Path, typer.Option("--candidate-answers", help="`answers` from the candidates.")]
ReferenceAnswers = Annotated[Path, typer.Option("--reference-answers", help="`answers` from the references.")]


def run_command(command: str, *, entry: str = "run", **arguments: Any) -> None:
    """Calls a function of `platform/commands/`, which is imported no earlier."""
    getattr(import_module(f"pancap.platform.commands.{command}"), entry)(**arguments)
