"""Ray Train with two workers and DeepSpeed, a worker killed on the way."""

import itertools
import json
import os
import shutil
import signal
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from pancap.chain.config import ModelConfig
from pancap.chain.model import load_checkpoint
from pancap.chain.training.config import TrainConfig
from pancap.chain.training.files import read_metrics
from pancap.chain.training.run import run_training
from pancap.chain.training.states import latest_state
from pancap.configs import StoppedError

TINY = ModelConfig(
    image_px=32, patch_px=16, vision_hidden=16, vision_layers=1, vision_heads=1, vision_mlp=16,
    text_hidden=16, text_layers=1, text_heads=1, text_mlp=16, vocabulary_size=300,
)  # fmt: skip


@pytest.fixture(scope="module")
def ray_cluster():
    import ray

    ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.mark.timeout(900)
def test_two_workers_train_and_survive_the_death_of_one(ray_cluster, scenes_parquet, tmp_path, monkeypatch):
    """R10: the run goes on from the last whole state, and every step is reported once."""
    from pancap.chain.training import cluster

    out, mark = tmp_path / "run", tmp_path / "killed"

    def worker_that_dies_once(settings):
        import torch.distributed as dist

        from pancap.chain.training.cluster import train_worker

        def die_after_the_first_state():
            while not list((out / "state").glob("step_*/trainer.json")):
                time.sleep(0.01)
            mark.write_text("killed")
            os.kill(os.getpid(), signal.SIGKILL)

        if dist.get_rank() == 1 and not mark.exists():
            threading.Thread(target=die_after_the_first_state, daemon=True).start()
        train_worker(settings)

    monkeypatch.setattr(cluster, "train_worker", worker_that_dies_once)
    seen = []
    config = TrainConfig(
        data=str(scenes_parquet), out=str(out), model=TINY, steps=40, batch_size=4, num_workers=2, zero_stage=1,
        log_every=1, checkpoint_every=2, max_failures=1, lr=1e-3,
    )  # fmt: skip
    summary = run_training(config, on_metrics=lambda step, figures: seen.append(step))
    assert mark.exists(), "no worker died, the test shows nothing"
    assert summary.steps == 40 and summary.skipped_steps == 0
    assert seen == list(range(1, 41))
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 41))
    assert summary.last["loss"] < summary.first_loss
    assert load_checkpoint(summary.checkpoint).meta.provenance["images_seen"] == 160


@pytest.mark.timeout(900)
def test_a_run_killed_on_two_workers_goes_on_with_fewer(ray_cluster, scenes_parquet, tmp_path, monkeypatch):
    """R12, R33: on one worker, and in this process alone, it ends as a run that was never disturbed.

    A state was refused by any other number of workers. Had it not been, the model would have changed: each worker's
    loss was the mean over its own answers."""
    from pancap.chain.training import cluster

    calm = TrainConfig(
        data=str(scenes_parquet), out=str(tmp_path / "calm"), model=TINY, steps=12, batch_size=4, num_workers=0,
        zero_stage=0, log_every=1, checkpoint_every=4, max_failures=0, lr=1e-3, cache=str(tmp_path / "cache"),
    )  # fmt: skip
    run_training(calm)

    def worker_that_dies(settings):
        from pancap.chain.training import loop
        from pancap.chain.training.cluster import train_worker

        log = loop.Loop._log

        def log_and_die(self, state, *, progress):
            if latest_state(tmp_path / "killed" / "state"):
                os.kill(os.getpid(), signal.SIGKILL)
            return log(self, state, progress=progress)

        loop.Loop._log = log_and_die
        train_worker(settings)

    killed = replace(calm, out=str(tmp_path / "killed"), num_workers=2)
    with monkeypatch.context() as patched:
        patched.setattr(cluster, "train_worker", worker_that_dies)
        with pytest.raises(StoppedError, match="resume=true"):
            run_training(killed)
    shutil.copytree(killed.out, tmp_path / "alone")
    expected = load_checkpoint(f"{calm.out}/checkpoint").model.state_dict()
    for resumed in (replace(killed, num_workers=1), replace(calm, out=str(tmp_path / "alone"))):
        summary = run_training(replace(resumed, resume=True))
        assert 0 < summary.resumed_from < 12
        theirs, ours = (read_metrics(Path(out) / "metrics.jsonl") for out in (calm.out, resumed.out))
        assert [line["step"] for line in ours] == list(range(1, 13))
        assert [line["loss"] for line in ours] == pytest.approx([line["loss"] for line in theirs], rel=1e-5)
        found = load_checkpoint(summary.checkpoint).model.state_dict()
        for name, value in expected.items():
            assert torch.allclose(found[name], value, rtol=1e-4, atol=1e-5), name


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_three_deaths_leave_no_trace(ray_cluster, scenes_parquet, tmp_path, monkeypatch):
    """R10: killed at three steps, the run ends as the undisturbed one and repeats at most two intervals each time."""
    from pancap.chain.training import cluster

    interval, deaths = 4, (6, 15, 21)
    config = TrainConfig(
        data=str(scenes_parquet), out=str(tmp_path / "calm"), model=TINY, steps=24, batch_size=4, num_workers=2,
        zero_stage=2, log_every=1, checkpoint_every=interval, max_failures=3, lr=1e-3,
    )  # fmt: skip
    calm = run_training(config)
    out = tmp_path / "killed"
    trace = tmp_path / "trace"

    def worker_that_dies(settings):
        import torch.distributed as dist

        from pancap.chain.training import loop
        from pancap.chain.training.cluster import train_worker

        log = loop.Loop._log

        def log_and_die(self, state, *, progress):
            state = log(self, state, progress=progress)
            if dist.get_rank() == 0:
                with trace.open("a") as file:
                    file.write(f"{state.step}\n")
                mark = tmp_path / f"died_{state.step}"
                if state.step in deaths and not mark.exists():
                    mark.write_text("killed")
                    os.kill(os.getpid(), signal.SIGKILL)
            return state

        loop.Loop._log = log_and_die
        train_worker(settings)

    monkeypatch.setattr(cluster, "train_worker", worker_that_dies)
    killed = run_training(replace(config, out=str(out)))
    done = [int(line) for line in trace.read_text().splitlines()]
    assert [(tmp_path / f"died_{step}").exists() for step in deaths] == [True, True, True]
    restarts = [(before, after) for before, after in itertools.pairwise(done) if after <= before]
    assert [before for before, _ in restarts] == list(deaths)
    assert all(before - after + 1 <= 2 * interval for before, after in restarts)  # one, and the one being written
    assert killed.last["loss"] == calm.last["loss"]
    assert [line["step"] for line in map(json.loads, (out / "metrics.jsonl").open())] == list(range(1, 25))


@pytest.fixture
def two_nodes():
    """A cluster whose second machine can be lost; its workers have one CPU each."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    yield partial(cluster.remove_node, second, allow_graceful=False)
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_goes_on_with_the_machine_that_is_left(two_nodes, scenes_parquet, tmp_path):
    """R5, R12: two workers, one of whose machines goes away for ever; the end is that of an undisturbed run."""
    import ray

    calm = TrainConfig(
        data=str(scenes_parquet), out=str(tmp_path / "calm"), model=TINY, steps=120, batch_size=4, num_workers=0,
        zero_stage=0, log_every=1, checkpoint_every=4, max_failures=2, lr=1e-3, cache=str(tmp_path / "cache"),
    )  # fmt: skip
    run_training(calm)
    shrunk = replace(calm, out=str(tmp_path / "shrunk"), num_workers=2, min_workers=1)
    lost_at, idle_cpus = [], []

    def lose_the_second(step, figures):
        if not lost_at and latest_state(tmp_path / "shrunk" / "state"):
            lost_at.append(step)
            idle_cpus.append(ray.available_resources().get("CPU", 0))
            two_nodes()

    run_training(shrunk, on_metrics=lose_the_second)
    assert lost_at[0] < 60, "the machine was lost too late, the test shows nothing"
    assert idle_cpus == [0], "one machine was not in use, the test shows nothing"
    theirs, ours = (read_metrics(Path(out) / "metrics.jsonl") for out in (calm.out, shrunk.out))
    assert [line["step"] for line in ours] == list(range(1, 121))
    assert [line["loss"] for line in ours] == pytest.approx([line["loss"] for line in theirs], rel=1e-3)
