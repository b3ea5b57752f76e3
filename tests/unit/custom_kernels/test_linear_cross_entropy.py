import sys
import types

import pytest
import torch

from pancap.custom_kernels.linear_cross_entropy import function, linear_cross_entropy


def inputs():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(9, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(11, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([3, -100, 10, 0, -100, -100, 7, 1, -100])
    return hidden, weight, targets


def test_tokens_of_any_weights_pull_as_they_would_over_all_rows():
    hidden, weight, targets = inputs()
    bias = torch.linspace(-1, 1, 11, dtype=torch.float64, requires_grad=True)
    weights = torch.linspace(0, 2, 9, dtype=torch.float64)
    found = linear_cross_entropy(hidden, weight, targets, bias_V=bias)
    expected = torch.nn.functional.cross_entropy(hidden @ weight.T + bias, targets, reduction="none")
    torch.testing.assert_close(found, expected)
    leaves = [hidden, weight, bias]
    ours, theirs = (torch.autograd.grad((weights * nll).sum(), leaves) for nll in (found, expected))
    torch.testing.assert_close(ours, theirs)


def test_nothing_supervised_costs_nothing():
    hidden, weight, targets = inputs()
    loss = linear_cross_entropy(hidden, weight, torch.full_like(targets, -100))
    assert loss.tolist() == [0.0] * 9
    assert torch.autograd.grad(loss.sum(), hidden)[0].abs().sum() == 0


def test_half_precision_is_summed_in_float32():
    hidden, weight, targets = inputs()
    loss = linear_cross_entropy(hidden.to(torch.bfloat16), weight.to(torch.bfloat16), targets)
    assert loss.dtype == torch.float32


def test_liger_gets_the_supervised_rows(monkeypatch):
    hidden, weight, targets = inputs()
    seen = []

    def fused(hidden, weight, targets, *, bias, reduction):
        seen.append((tuple(hidden.shape), targets.tolist(), bias, reduction))
        return torch.nn.functional.cross_entropy(hidden @ weight.T, targets, reduction=reduction)

    package, module = types.ModuleType("liger_kernel.transformers"), types.ModuleType("functional")
    module.liger_fused_linear_cross_entropy = fused
    monkeypatch.setitem(sys.modules, "liger_kernel", types.ModuleType("liger_kernel"))
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers", package)
    monkeypatch.setitem(sys.modules, "liger_kernel.transformers.functional", module)
    monkeypatch.setattr(function, "has_liger", lambda: True)
    loss = linear_cross_entropy(hidden, weight, targets, backend="liger")
    assert seen == [((5, 5), [3, 10, 0, 7, 1], None, "none")]
    torch.testing.assert_close(loss, linear_cross_entropy(hidden, weight, targets, backend="torch"))


@pytest.mark.parametrize(("found", "is_fit"), [("0.8.1", False), ("0.8.2", True), ("0.10.0.dev3", True), (None, False)])
def test_a_liger_that_weighs_tokens_wrongly_counts_as_none(found, is_fit, monkeypatch):
    """Up to 0.8.1 its unreduced loss scaled every gradient by the first token's weight, and said nothing."""

    def version(name):
        if found is None:
            raise function.PackageNotFoundError(name)
        return found

    monkeypatch.setattr(function, "version", version)
    function.has_liger.cache_clear()
    assert function.has_liger() is is_fit
    function.has_liger.cache_clear()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_VH": torch.zeros(11, 4)}, r"need hidden \(N, H\)"),
        ({"targets_N": torch.zeros(3, dtype=torch.int64)}, r"targets_N must be \(9,\)"),
        ({"backend": "triton"}, "backend must be auto, liger or torch"),
        ({"backend": "liger"}, "needs liger-kernel 0.8.2 or later"),
    ],
)
def test_what_does_not_fit_is_refused(change, message, monkeypatch):
    monkeypatch.setattr(function, "has_liger", lambda: False)
    hidden, weight, targets = inputs()
    with pytest.raises(ValueError, match=message):
        linear_cross_entropy(**{"hidden_NH": hidden, "weight_VH": weight, "targets_N": targets, **change})
