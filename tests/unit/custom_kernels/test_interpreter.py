"""Runs the tests of `kernels/` in a process of their own, where Triton interprets its kernels on the CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


def test_the_kernels_agree_with_their_references_when_interpreted():
    if os.environ.get("TRITON_INTERPRET") == "1":
        pytest.skip("this process interprets already: the tests of kernels/ run in it")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", str(HERE / "kernels")]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
