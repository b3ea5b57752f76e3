"""Commands on a Ray cluster that somebody else has filled."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from pancap.platform.serving.server import free_port


@pytest.fixture(scope="module")
def full_cluster():
    """A real cluster of one CPU, held by an actor of another job."""
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    ray.init(address=cluster.address, log_to_driver=False, namespace="other")

    @ray.remote(num_cpus=1)
    class Holder:
        def ready(self):
            return True

    holder = Holder.remote()
    ray.get(holder.ready.remote())
    yield cluster.address
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("scenes", "out=scenes", "num=2", "--track", "none"), 4),
        (("engine", "run", "source=pictures", "out=engine", "start_timeout_s=2", "--track", "none"), 4),
        (("train", "chain", "data=nothing.parquet", "out=train", "num_workers=2", "--track", "none"), 2),
        (("serve", "model=nano", f"port={free_port()}"), 4),
    ],
)
def test_no_free_cpu_is_one_sentence_after_a_wait(full_cluster, arguments, code, tmp_path):
    import numpy as np
    from PIL import Image

    (tmp_path / "pictures").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "pictures" / "a.png")
    done = subprocess.run(
        [sys.executable, "-m", "pancap.platform.cli", *arguments],
        env={**os.environ, "RAY_ADDRESS": full_cluster, "PANCAP_CPU_TIMEOUT_S": "2"},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.returncode == code, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert "CPU" in last
    assert "Traceback" not in done.stderr


@pytest.fixture
def left_running():
    """The environment in which a cluster of `ray start` can be found, though no variable names it."""
    folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))  # short: Ray's sockets lie in it
    environment = {**os.environ, "RAY_TMPDIR": str(folder), "RAY_USAGE_STATS_ENABLED": "0"}
    started = subprocess.Popen(
        [
            *(Path(sys.executable).with_name("ray"), "start", "--head", "--block", "--num-cpus=1"),
            *("--include-dashboard=false", "--node-ip-address=127.0.0.1", f"--port={free_port()}"),
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (found := list(folder.glob("**/ray_current_cluster"))) and time.monotonic() < deadline:
        time.sleep(0.2)
    yield environment
    os.killpg(started.pid, signal.SIGTERM)
    started.wait(60)
    shutil.rmtree(folder, ignore_errors=True)
    assert found, "ray start left no trace by which it could be found"


def test_a_cluster_that_was_left_running_is_not_taken(left_running, tmp_path):
    """Ray by itself would join it, and refuse the CPUs that the command asks for."""
    done = subprocess.run(
        [sys.executable, "-m", "pancap.platform.cli", "scenes", "out=scenes", "num=2", "--track", "none"],
        env=left_running,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
