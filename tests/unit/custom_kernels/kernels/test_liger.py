import pytest
import torch

from pancap.custom_kernels.bench.case import relative_error
from pancap.custom_kernels.linear_cross_entropy import linear_cross_entropy


def test_ligers_gradients_know_the_weight_of_each_token(device):
    pytest.importorskip("liger_kernel", reason="needs liger-kernel")
    generator = torch.Generator().manual_seed(0)
    hidden, weight = (torch.randn(size, 24, generator=generator) for size in (37, 50))
    targets = torch.randint(0, 50, (37,), generator=generator).index_fill(0, torch.arange(0, 37, 5), -100)
    weights = torch.rand(37, generator=generator)
    found = {}
    for backend, place, dtype in (("liger", device, torch.float32), ("torch", "cpu", torch.float64)):
        leaves = [tensor.to(place, dtype).requires_grad_() for tensor in (hidden, weight)]
        nll = linear_cross_entropy(*leaves, targets.to(place), backend=backend)
        grads = torch.autograd.grad((weights.to(place, dtype) * nll).sum(), leaves)
        found[backend] = (nll.detach(), *grads)
    for ours, expected in zip(found["liger"], found["torch"], strict=True):
        assert relative_error(ours, expected) < 1e-5
