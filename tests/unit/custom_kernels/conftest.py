"""One thread for tiny tensors."""

import pytest


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """More threads gain nothing here and lose much on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
