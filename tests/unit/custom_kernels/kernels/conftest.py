"""The kernels themselves: on a GPU as they are, elsewhere only in the process that `test_interpreter.py` starts.

TRITON_INTERPRET must be set before Triton is imported and changes every kernel of a process, so that it cannot be set
here for these tests alone.
"""

import os
import shutil

import pytest


def pytest_ignore_collect(collection_path, config):
    return True if os.environ.get("TRITON_INTERPRET") != "1" and shutil.which("nvidia-smi") is None else None


@pytest.fixture(scope="session")
def device():
    import torch

    if os.environ.get("TRITON_INTERPRET") == "1":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device, or TRITON_INTERPRET=1")
    return torch.device("cuda")
