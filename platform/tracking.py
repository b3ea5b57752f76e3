"""Runs in MLflow: parameters, metrics, datasets, the unresolved configuration, pictures, the five-dimension chart.

Tracking never decides whether a run succeeds: everything logged also lies in the run's own folder, and a tracking
server that stops answering costs one warning.
"""

import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancap.configs import UsageError

if TYPE_CHECKING:
    from pancap.scoring.report import ScoreReport

DEFAULT_DATABASE = Path("runs") / "mlflow.db"
EXPERIMENT = "pancap"
# Without it MLflow's page opens on its view for language-model traces, where a training run is nowhere to be seen.
_OPENS_ON_RUNS = {"mlflow.experimentKind": "custom_model_development"}
SCORES_FILE = "scores.json"
_RUN_ID = re.compile(r"[0-9a-f]{32}")
MAX_PARAM_CHARS = 500  # MLflow's database refuses longer ones


class Run:
    """One tracked run; every method is safe to call when the server is gone."""

    def __init__(self, *, run_id: str | None, uri: str | None) -> None:
        """Made by `tracked_run`; run_id None means tracking is off."""
        self.run_id = run_id
        self.uri = uri
        self._has_failed = run_id is None

    def log_metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Numbers of one step; NaN and None are left out."""
        clean = {key: float(value) for key, value in metrics.items() if _is_number(value)}
        self._try(lambda mlflow: mlflow.log_metrics(clean, step=step))

    def log_dataset(self, path: str | Path, *, role: str) -> None:
        """Lineage: which data went in (`role`: training, reference, source, ...), with its manifest's digest."""

        def log(mlflow: Any) -> None:
            from mlflow.data.dataset_source_registry import resolve_dataset_source
            from mlflow.data.meta_dataset import MetaDataset

            with warnings.catch_warnings():  # MLflow finds two source classes of one name for a folder
                warnings.simplefilter("ignore")
                source = resolve_dataset_source(str(path))
            mlflow.log_input(MetaDataset(source, name=Path(path).name, digest=_digest(Path(path))), context=role)

        self._try(log)

    def log_text(self, text: str, file: str) -> None:
        """A text artifact."""
        self._try(lambda mlflow: mlflow.log_text(text, file))

    def log_image(self, rgb: Any, file: str) -> None:
        """A picture artifact from an array (H, W, 3) uint8."""
        self._try(lambda mlflow: mlflow.log_image(rgb, file))

    def log_file(self, path: str | Path) -> None:
        """A file as an artifact."""
        self._try(lambda mlflow: mlflow.log_artifact(str(path)))

    def log_summary(self, summary: Mapping[str, Any]) -> None:
        """A summary's figures as metrics, and the whole of it as an artifact."""
        self.log_metrics({key: value for key, value in flatten(summary).items() if _is_number(value)})
        self._try(lambda mlflow: mlflow.log_dict(dict(summary), "summary.json"))

    def log_report(self, name: str, report: "ScoreReport") -> None:
        """A score report: figures, the chart, and every image's figures in SCORES_FILE, which `compare` reads."""
        self.log_summary(report.to_dict())
        self.log_text(report.to_json(), SCORES_FILE)
        self.log_scores({name: report})

    def log_scores(self, reports: Mapping[str, "ScoreReport"]) -> None:
        """The five-dimension chart of one or more score reports, by the name of what was scored."""
        from pancap.platform.charts import five_dimensions_chart

        with tempfile.TemporaryDirectory() as folder:
            chart = five_dimensions_chart(reports, Path(folder) / "five_dimensions.png")
            self._try(lambda mlflow: mlflow.log_artifact(str(chart)))

    def log_curves(self, out: str | Path) -> Path | None:
        """Draws the metrics of a training run's folder beside them, and keeps the picture; None without one."""
        from pancap.platform.charts import training_chart

        try:
            chart = training_chart(Path(out) / "metrics.jsonl", Path(out) / "curves.png")
        except OSError as error:  # the run itself has succeeded
            print(f"pancap: the curves could not be drawn ({error})", file=sys.stderr)
            return None
        if chart:
            self.log_file(chart)
        return chart

    def _try(self, log: Callable[[Any], None]) -> None:
        if self._has_failed:
            return
        import mlflow

        try:
            log(mlflow)
        except Exception as error:  # whatever the server or its database says, the run goes on
            self._has_failed = True
            first_line = (str(error) or type(error).__name__).splitlines()[0]
            print(f"pancap: tracking stopped ({first_line[:200]}); the run goes on", file=sys.stderr)


@contextmanager
def tracked_run(
    *, kind: str, name: str, config_text: str, track: str | None = None, tags: Mapping[str, str] | None = None
) -> Iterator[Run]:
    """One MLflow run around a verb.

    Args:
        kind: engine, training, scoring, scenes, ...; a tag of the run.
        name: shown in MLflow's list.
        config_text: the unresolved YAML; logged as artifact and, flattened, as parameters.
        track: tracking URI, `none`, or None for a sqlite database under runs/.
        tags: further tags (judge, models).
    """
    if track == "none":
        yield Run(run_id=None, uri=None)
        return
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    import mlflow

    uri = track or _default_uri()
    try:
        mlflow.set_tracking_uri(uri)
        if mlflow.get_experiment_by_name(EXPERIMENT) is None:
            location = (DEFAULT_DATABASE.parent / "artifacts").resolve().as_uri() if track is None else None
            mlflow.create_experiment(EXPERIMENT, artifact_location=location, tags=_OPENS_ON_RUNS)
        mlflow.set_experiment(EXPERIMENT)
        active = mlflow.start_run(run_name=name, tags={"pancap.kind": kind, **_provenance(), **(tags or {})})
    except Exception as error:  # whatever the server or its database says, the run goes on
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        print(f"pancap: not tracked, {uri} does not answer ({first_line[:200]})", file=sys.stderr)
        yield Run(run_id=None, uri=None)
        return
    run = Run(run_id=active.info.run_id, uri=uri)
    status = "FAILED"
    try:
        if config_text:
            run.log_text(config_text, "config.yaml")
            parameters = _parameters(config_text)
            run._try(lambda mlflow: mlflow.log_params(parameters))
        yield run
        status = "FINISHED"
    finally:
        run._try(lambda mlflow: mlflow.end_run(status))


def runs_page() -> str:
    """Path of the runs' list in MLflow's own page; its start page shows language-model traces instead."""
    import mlflow

    experiment = mlflow.MlflowClient(_default_uri()).get_experiment_by_name(EXPERIMENT)
    return f"/#/experiments/{experiment.experiment_id}/runs" if experiment else "/"


def score_file(name: str, *, track: str | None = None) -> Path:
    """The file that a path, or the id of a run of `pancap score`, stands for; a run's is copied here.

    Args:
        name: path, or run id of MLflow (a file of that name wins).
        track: tracking URI, or None for the database under runs/.

    Raises:
        UsageError: the run is not there, or is none of `pancap score`.
    """
    if Path(name).exists() or not _RUN_ID.fullmatch(name):
        return Path(name)
    import mlflow

    uri = track or _default_uri()
    try:
        return Path(mlflow.artifacts.download_artifacts(run_id=name, artifact_path=SCORES_FILE, tracking_uri=uri))
    except (mlflow.exceptions.MlflowException, OSError) as error:
        raise UsageError(
            f"run {name} in {uri} has no {SCORES_FILE} ({str(error).splitlines()[0][:200]}); give a run of pancap score"
        ) from error


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings to dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def git_commit() -> str | None:
    """The commit of the code that runs, where it is a checkout."""
    import subprocess

    root = Path(__file__).resolve().parent.parent
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def _provenance() -> dict[str, str]:
    from importlib.metadata import version

    return {"pancap.version": version("pancap"), "pancap.commit": git_commit() or "not a checkout"}


def _default_uri() -> str:
    DEFAULT_DATABASE.parent.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{DEFAULT_DATABASE}"


def _parameters(config_text: str) -> dict[str, str]:
    import yaml

    flat = flatten(yaml.safe_load(config_text) or {})
    return {key: str(value)[:MAX_PARAM_CHARS] for key, value in flat.items()}


def _digest(path: Path) -> str:
    import hashlib

    manifest = path / "manifest.json" if path.is_dir() else path
    if not manifest.is_file():
        manifest = path.parent / "manifest.json"
    content = manifest.read_bytes() if manifest.is_file() else str(path).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
