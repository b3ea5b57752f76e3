"""Runs in MLflow: parameters, metrics, datasets, the unresolved configuration, pictures, the five-dimension chart.

Tracking never decides whether a run succeeds: everything logged also lies in the run's own folder, and what a tracking
server does not take waits until it answers again (R27).
"""

import json
import os
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancap.configs import UsageError

if TYPE_CHECKING:
    from pancap.scoring.report import ScoreReport

DEFAULT_DATABASE = Path("runs") / "mlflow.db"
_DEFAULT_URI = f"sqlite:///{DEFAULT_DATABASE}"
# Read once: MLflow writes each address that it is given into the environment, for its children.
_ENVIRONMENT_URI = os.environ.get("MLFLOW_TRACKING_URI")
EXPERIMENT = "pancap"
# Without it MLflow's page opens on its view for language-model traces, where a training run is nowhere to be seen.
_OPENS_ON_RUNS = {"mlflow.experimentKind": "custom_model_development"}
SCORES_FILE = "scores.json"
RUN_FILE = "mlflow.json"  # in a training run's folder
RETRY_EVERY_S = 30.0  # while a server does not answer
_RUN_ID = re.compile(r"[0-9a-f]{32}")
MAX_PARAM_CHARS = 500  # MLflow's database refuses longer ones


class Run:
    """One tracked run. What cannot be sent waits in order; no method raises, whatever the server does."""

    def __init__(self, *, uri: str | None, begin: Callable[[Any], str] | None) -> None:
        """Made by `tracked_run`; begin starts the run and gives its id, None means tracking is off."""
        self.run_id: str | None = None
        self.uri = uri
        self._begin = begin
        self._waiting: list[Callable[[Any], None]] = []
        self._retry_at = 0.0
        self._sent_to: dict[str, int] = {}

    def log_metrics(self, metrics: Mapping[str, float], *, step: int = 0) -> None:
        """Numbers of one step; NaN and None are left out, and steps that the run had before it was resumed (R10)."""
        clean = {key: float(value) for key, value in metrics.items() if _is_number(value)}

        def log(mlflow: Any) -> None:
            new = {key: value for key, value in clean.items() if not step or step > self._sent_to.get(key, 0)}
            mlflow.log_metrics(new, step=step)

        self._try(log)

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

        def log(mlflow: Any) -> None:
            with tempfile.TemporaryDirectory() as folder:
                mlflow.log_artifact(str(five_dimensions_chart(reports, Path(folder) / "five_dimensions.png")))

        self._try(log)

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

    def close(self, status: str) -> None:
        """Ends the run, after a last attempt at what waits."""
        self._retry_at = 0.0
        self._try(lambda mlflow: mlflow.end_run(status))
        if self._waiting:
            lost = f"{len(self._waiting)} records did not reach {self.uri}"
            print(f"pancap: {lost}; the run's own folder holds its figures", file=sys.stderr)

    def _try(self, log: Callable[[Any], None]) -> None:
        if self._begin is None:
            return
        self._waiting.append(log)
        if time.monotonic() < self._retry_at:
            return
        import mlflow

        try:
            self._send(mlflow)
            self._retry_at = 0.0
        except Exception as error:  # whatever the server or its database says, the run goes on
            if not self._retry_at:
                what = "tracking waits" if self.run_id else "not tracked yet"
                print(
                    f"pancap: {what}, {self.uri} does not answer ({_first_line(error)}); the run goes on",
                    file=sys.stderr,
                )
            self._retry_at = time.monotonic() + RETRY_EVERY_S

    def _send(self, mlflow: Any) -> None:
        """Sends what waits.

        Raises:
            Exception: of MLflow, its server or database; the rest still waits.
        """
        assert self._begin is not None
        if self.run_id is None:
            self.run_id = self._begin(mlflow)
            self._sent_to = _last_steps(mlflow.MlflowClient(), self.run_id)
        while self._waiting:
            try:
                self._waiting[0](mlflow)
            except Exception as error:
                mlflow.MlflowClient().get_run(self.run_id)  # raises where the server is to blame, not the record
                print(f"pancap: a record was not tracked ({_first_line(error)}); the run goes on", file=sys.stderr)
            del self._waiting[0]


@contextmanager
def tracked_run(
    *,
    kind: str,
    name: str,
    config_text: str,
    track: str | None = None,
    tags: Mapping[str, str] | None = None,
    folder: Path | None = None,
    is_resumed: bool = False,
) -> Iterator[Run]:
    """One MLflow run around a verb.

    Args:
        kind: engine, training, scoring, scenes, ...; a tag of the run.
        name: shown in MLflow's list.
        config_text: the unresolved YAML; logged as artifact and, flattened, as parameters.
        track: tracking URI, `none`, or None for `MLFLOW_TRACKING_URI`, by default a sqlite database under runs/.
        tags: further tags (judge, models).
        folder: of a run that can be resumed; which MLflow run it is, is written down there.
        is_resumed: go on in the MLflow run of the attempt before.
    """
    if track == "none":
        yield Run(uri=None, begin=None)
        return
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")
    uri = track or _default_uri()
    all_tags = {"pancap.kind": kind, **_provenance(), **(tags or {})}
    record = folder / RUN_FILE if folder else None
    begin = partial(_begin, uri=uri, name=name, tags=all_tags, record=record, is_resumed=is_resumed)
    run = Run(uri=uri, begin=begin)
    if config_text:
        run.log_text(config_text, "config.yaml")
        parameters = _parameters(config_text)
        run._try(lambda mlflow: mlflow.log_params(parameters))
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    finally:
        run.close(status)


def _begin(mlflow: Any, *, uri: str, name: str, tags: Mapping[str, str], record: Path | None, is_resumed: bool) -> str:
    """Starts the run, or goes on with the one that `record` names."""
    mlflow.set_tracking_uri(uri)
    if mlflow.get_experiment_by_name(EXPERIMENT) is None:
        location = (DEFAULT_DATABASE.parent / "artifacts").resolve().as_uri() if uri == _DEFAULT_URI else None
        mlflow.create_experiment(EXPERIMENT, artifact_location=location, tags=_OPENS_ON_RUNS)
    mlflow.set_experiment(EXPERIMENT)
    known = json.loads(record.read_text()) if is_resumed and record and record.is_file() else {}
    run_id = _existing(mlflow, known["run_id"]) if known.get("uri") == uri else None
    run_id = mlflow.start_run(run_id=run_id, run_name=None if run_id else name, tags=dict(tags)).info.run_id
    if record:
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps({"uri": uri, "run_id": run_id}) + "\n")
    return str(run_id)


def _existing(mlflow: Any, run_id: str) -> str | None:
    """The id of a run that was not deleted."""
    try:
        is_there = mlflow.MlflowClient().get_run(run_id).info.lifecycle_stage == "active"
    except mlflow.exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        is_there = False
    return run_id if is_there else None


def _last_steps(client: Any, run_id: str) -> dict[str, int]:
    """The last step of each metric that a run has."""
    metrics = client.get_run(run_id).data.metrics
    return {name: max(point.step for point in client.get_metric_history(run_id, name)) for name in metrics}


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


def runs_page() -> str:
    """Path of the runs' list in MLflow's own page; its start page shows language-model traces instead."""
    import mlflow

    experiment = mlflow.MlflowClient(_default_uri()).get_experiment_by_name(EXPERIMENT)
    return f"/#/experiments/{experiment.experiment_id}/runs" if experiment else "/"


def score_file(name: str, *, track: str | None = None) -> Path:
    """The file that a path, or the id of a run of `pancap score`, stands for; a run's is copied here.

    Args:
        name: path, or run id of MLflow (a file of that name wins).
        track: tracking URI, or None for the usual one.

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
    if _ENVIRONMENT_URI:
        return _ENVIRONMENT_URI
    DEFAULT_DATABASE.parent.mkdir(parents=True, exist_ok=True)
    return _DEFAULT_URI


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
