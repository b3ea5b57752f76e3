"""Runs in a real MLflow on sqlite."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

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


@pytest.fixture
def server(workspace):
    """Starts and kills one real MLflow server with a database, always at the same address."""
    from pancap.platform.serving.server import free_port

    port, processes = free_port(), []

    def start():
        command = [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
        ]
        command += [
            "--backend-store-uri",
            f"sqlite:///{workspace}/server.db",
            "--artifacts-destination",
            str(workspace),
        ]
        processes.append(
            subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2):
                    return f"http://127.0.0.1:{port}"
            except OSError:
                time.sleep(0.3)
        raise TimeoutError("MLflow's server did not start")

    def kill():
        os.killpg(processes.pop().pid, signal.SIGKILL)

    yield start, kill
    while processes:
        kill()


def test_a_dead_tracking_server_costs_a_warning_not_the_run(workspace, capsys):
    """R27, at the end too: nothing of the run is lost, since its own folder holds the same figures."""
    with tracked_run(kind="engine", name="c", config_text="a: 1\n", track="http://127.0.0.1:9") as run:
        run.log_metrics({"x": 1})
    assert run.run_id is None
    said = capsys.readouterr().err
    assert "not tracked yet" in said and "4 records did not reach http://127.0.0.1:9" in said


def test_what_a_killed_server_missed_is_sent_when_it_is_back(server, monkeypatch, capsys):
    """R27: down at the start, in the middle of a run, back before its end."""
    import mlflow

    start, kill = server
    uri = start()
    kill()
    monkeypatch.setattr("pancap.platform.tracking.RETRY_EVERY_S", 0.0)
    with tracked_run(kind="training", name="e", config_text="a: 1\n", track=uri) as run:
        run.log_metrics({"loss": 3.0}, step=1)
        assert run.run_id is None
        start()
        run.log_metrics({"loss": 2.0}, step=2)
        kill()
        run.log_metrics({"loss": 1.0}, step=3)
        run.log_text("kept", "note.txt")
        start()
    stored = mlflow.MlflowClient(uri).get_run(run.run_id)
    assert stored.info.status == "FINISHED" and stored.data.params == {"a": "1"}
    points = mlflow.MlflowClient(uri).get_metric_history(run.run_id, "loss")
    assert sorted((point.step, point.value) for point in points) == [(1, 3.0), (2, 2.0), (3, 1.0)]
    assert "did not reach" not in capsys.readouterr().err


def test_a_record_that_cannot_be_tracked_does_not_hold_up_the_others(workspace, capsys):
    import mlflow

    with tracked_run(kind="engine", name="f", config_text="") as run:
        run.log_file(workspace / "absent.png")
        run.log_metrics({"x": 1})
    assert mlflow.get_run(run.run_id).data.metrics == {"x": 1}
    assert "a record was not tracked" in capsys.readouterr().err


def test_a_resumed_run_goes_on_in_its_mlflow_run_and_doubles_no_step(workspace):
    """R10."""
    import mlflow

    ids = []
    for is_resumed, steps in ((False, (1, 2, 3)), (True, (3, 4))):  # step 3 was done after the last state
        with tracked_run(
            kind="training", name="g", config_text="a: 1\n", folder=workspace / "out", is_resumed=is_resumed
        ) as run:
            for step in steps:
                run.log_metrics({"loss": 1.0 / step}, step=step)
        ids.append(run.run_id)
    assert ids[0] == ids[1]
    points = mlflow.MlflowClient().get_metric_history(ids[0], "loss")
    assert [point.step for point in points] == [1, 2, 3, 4]
    with tracked_run(kind="training", name="g", config_text="", folder=workspace / "out") as run:
        pass
    assert run.run_id != ids[0]


def test_the_environment_names_a_server_as_mlflow_itself_understands_it(tmp_path):
    import mlflow

    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/team.db"}
    command = [Path(sys.executable).with_name("pancap"), "scenes", "out=scenes", "num=2", "num_workers=0"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    client = mlflow.MlflowClient(environment["MLFLOW_TRACKING_URI"])
    (run,) = client.search_runs([client.get_experiment_by_name("pancap").experiment_id])
    assert run.info.status == "FINISHED"
    assert not (tmp_path / "runs" / "mlflow.db").exists()


def test_tracking_can_be_switched_off(workspace):
    with tracked_run(kind="engine", name="d", config_text="", track="none") as run:
        run.log_metrics({"x": 1})
    assert run.run_id is None
    assert not (workspace / "runs").exists()


def test_nested_figures_become_dotted_keys():
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}
