"""Ctrl-C and SIGTERM during `pancap train chain` (R34)."""

import signal
import subprocess
import sys
import time
from dataclasses import asdict
from functools import partial

import pytest

from pancap.chain.training.files import read_metrics
from pancap.chain.training.states import latest_state


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_step_and_leaves_a_state_to_go_on_from(number, code, squares_parquet, tiny_model, tmp_path):
    """Python was torn down under the training's thread, which aborted with 134; Ctrl-C ended with 0."""
    out = tmp_path / "run"
    settings = {
        "data": squares_parquet,
        "out": out,
        "steps": 100_000,
        "batch_size": 1,
        "num_workers": 0,
        "log_every": 1,
    }
    settings |= {f"model.{name}": value for name, value in asdict(tiny_model).items()}
    command = [sys.executable, "-m", "pancap.platform.cli", "train", "chain", "--track", "none"]
    command += [f"{name}={value}" for name, value in settings.items()]
    # What a shell starts in its background ignores SIGINT, and so do its children.
    heeded = partial(signal.signal, number, signal.SIG_DFL)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heeded) as training:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and training.poll() is None:
            if (out / "metrics.jsonl").is_file() and len(read_metrics(out / "metrics.jsonl")) > 2:
                break
            time.sleep(0.1)
        training.send_signal(number)
        try:
            _, said = training.communicate(timeout=120)
        finally:
            training.kill()
    assert training.returncode == code, said
    assert "terminate called" not in said
    found = latest_state(out / "state")
    assert found is not None
    assert found[1].step == read_metrics(out / "metrics.jsonl")[-1]["step"]
