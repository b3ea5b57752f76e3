"""Runs in a real MLflow on sqlite."""

import numpy as np
import pytest

from pancap.platform.tracking import flatten, tracked_run


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_keeps_its_config_parameters_metrics_data_and_pictures(workspace):
    import mlflow

    (workspace / "data").mkdir()
    (workspace / "data" / "manifest.json").write_text("{}")
    config_text = "key: ${oc.env:SECRET_TOKEN}\ntrain:\n  lr: 0.1\n"
    with tracked_run(kind="training", name="a run", config_text=config_text) as run:
        run.log_metrics({"loss": 1.0, "nothing": float("nan")}, step=1)
        run.log_metrics({"loss": 0.5}, step=2)
        run.log_dataset(workspace / "data", role="training")
        run.log_image(np.zeros((4, 4, 3), np.uint8), "samples/00.png")
        run.log_summary({"images": 3, "parts": {"kept": 2}, "name": "text"})
    stored = mlflow.get_run(run.run_id)
    assert stored.info.status == "FINISHED"
    assert stored.data.params == {"key": "${oc.env:SECRET_TOKEN}", "train.lr": "0.1"}
    assert stored.data.metrics == {"loss": 0.5, "images": 3, "parts.kept": 2}
    assert [dataset.tags[0].value for dataset in stored.inputs.dataset_inputs] == ["training"]
    client = mlflow.MlflowClient()
    assert {file.path for file in client.list_artifacts(run.run_id)} == {"config.yaml", "samples", "summary.json"}
    assert len(client.get_metric_history(run.run_id, "loss")) == 2


def test_an_exception_marks_the_run_failed_and_passes_on(workspace):
    import mlflow

    with pytest.raises(RuntimeError, match="broke"), tracked_run(kind="engine", name="b", config_text="") as run:
        raise RuntimeError("broke")
    assert mlflow.get_run(run.run_id).info.status == "FAILED"


def test_a_dead_tracking_server_costs_a_warning_not_the_run(workspace, capsys):
    """R27, in part: nothing of the run is lost, since its own folder holds the same figures."""
    with tracked_run(kind="engine", name="c", config_text="a: 1\n", track="http://127.0.0.1:9") as run:
        run.log_metrics({"x": 1})
    assert run.run_id is None
    assert "not tracked" in capsys.readouterr().err


def test_tracking_can_be_switched_off(workspace):
    with tracked_run(kind="engine", name="d", config_text="", track="none") as run:
        run.log_metrics({"x": 1})
    assert run.run_id is None
    assert not (workspace / "runs").exists()


def test_nested_figures_become_dotted_keys():
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}
