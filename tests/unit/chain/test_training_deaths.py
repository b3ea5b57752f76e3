"""A run whose process is killed again and again ends as the undisturbed one, bit for bit (R10, R11)."""

import itertools
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from pancap.chain.training import loop
from pancap.chain.training.config import TrainConfig
from pancap.chain.training.run import run_training

INTERVAL, STEPS = 4, 24
DEATHS = (6, 15, 20)  # the last one before the state of its step is written


def train_until(config, *, trace: Path, death: int | None) -> int:
    """Trains in a process of its own, which kills itself at a step, and writes each step down; how it ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    log = loop.Loop._log

    def log_and_die(self, state, *, progress):
        state = log(self, state, progress=progress)
        with trace.open("a") as file:
            file.write(f"{state.step}\n")
        if state.step == death:
            os.kill(os.getpid(), signal.SIGKILL)
        return state

    loop.Loop._log = log_and_die
    try:
        run_training(config)
    except BaseException:
        os._exit(1)
    os._exit(0)


def losses(out):
    return {(line := json.loads(text))["step"]: line["loss"] for text in (Path(out) / "metrics.jsonl").open()}


def assert_same_weights(out, other):
    ours, theirs = (load_file(Path(folder) / "checkpoint" / "model.safetensors") for folder in (out, other))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_three_deaths_leave_no_trace(squares_parquet, tiny_model, tmp_path):
    config = TrainConfig(
        data=str(squares_parquet), out=str(tmp_path / "calm"), model=tiny_model, steps=STEPS, batch_size=4, num_workers=0,
        log_every=1, checkpoint_every=INTERVAL, lr=1e-3, cache=str(tmp_path / "cache"),
    )  # fmt: skip
    run_training(config)
    killed = replace(config, out=str(tmp_path / "killed"), resume=True)
    trace = tmp_path / "trace"
    ends = [train_until(killed, trace=trace, death=death) for death in (*DEATHS, None)]
    assert ends == [-signal.SIGKILL] * 3 + [0]
    done = [int(line) for line in trace.read_text().splitlines()]
    restarts = [(before, after) for before, after in itertools.pairwise(done) if after <= before]
    assert [before for before, _ in restarts] == list(DEATHS)
    lost = [before - after + 1 for before, after in restarts]
    assert max(lost) <= 2 * INTERVAL  # one interval, and the one whose state was being written
    assert losses(killed.out) == losses(config.out)
    assert list(losses(killed.out)) == list(range(1, STEPS + 1))
    assert_same_weights(killed.out, config.out)
