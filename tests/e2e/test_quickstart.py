"""The whole road, in small: what `make demo` runs, with every part the real one."""

import json
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quickstart")
    arguments = ["num_scenes=12", "num_held_out=4", "train_steps=2", "out=road"]
    done = subprocess.run(
        [sys.executable, "-m", "pancap.platform.cli", "quickstart", *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "road", done


@pytest.mark.timeout(700)
def test_every_step_leaves_its_result(run):
    out, _ = run
    summary = json.loads((out / "summary.json").read_text())
    assert set(summary["scores"]) == {"nano", "trained", "one stage"}
    assert all(report["n"] == 4 for report in summary["scores"].values())
    assert summary["endpoint"]["caption"]
    assert [(out / f"overlay_{index}.png").stat().st_size > 1000 for index in (1, 2)] == [True, True]
    assert (out / "train" / "checkpoint" / "model.safetensors").exists()
    assert (out / "engine" / "export" / "llava_four_stage.json").exists()


def test_the_training_goes_on_with_what_nano_can(run):
    """It learned from the engine's captions: localization cost 8.4 nats a token at the first step, nano knowing exact
    boxes, and the table showed that training ruins a model."""
    out, _ = run
    first = json.loads((out / "train" / "metrics.jsonl").read_text().splitlines()[0])
    assert first["loss_loc"] < 4
    training = json.loads((out / "summary.json").read_text())["training"]
    assert training["names"] == ["nano", "trained"]


def test_the_screen_shows_steps_and_a_table_and_no_wall_of_warnings(run):
    _, done = run
    assert "[7/7]" in done.stderr
    assert "overall (410)" in done.stdout
    assert "mlflow" in done.stdout
    assert "Warning" not in done.stderr
    assert len(done.stderr.splitlines()) < 120


def test_the_runs_are_in_mlflow(run):
    """By an absolute path: MLflow keeps a store by its URI, and other tests have databases of the same relative one."""
    import mlflow

    out, _ = run
    mlflow.set_tracking_uri(f"sqlite:///{out.parent / 'runs' / 'mlflow.db'}")
    runs = mlflow.search_runs(experiment_names=["pancap"], output_format="list")
    assert sorted({run.data.tags["pancap.kind"] for run in runs}) == ["engine", "scoring", "training"]
    assert all(run.info.status == "FINISHED" for run in runs)
    training = next(run for run in runs if run.data.tags["pancap.kind"] == "training")
    assert training.inputs.dataset_inputs
    assert "lr" in training.data.params
