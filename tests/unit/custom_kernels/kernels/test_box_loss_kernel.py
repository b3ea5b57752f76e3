import pytest
import torch

from pancap.custom_kernels.bench.case import poisoned, relative_error
from pancap.custom_kernels.box_loss import box_loss
from pancap.custom_kernels.box_loss import kernel as box_loss_kernel
from pancap.custom_kernels.box_loss.function import _box_loss_op, _scale_op


def inputs(num_boxes, num_values, width, device, seed=0):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(num_boxes, 4, width, generator=generator)
    weight = torch.randn(num_values, width, generator=generator) / width**0.5 * 3
    low = torch.randint(0, num_values - 1, (num_boxes, 2), generator=generator)
    high = low + 1 + (torch.rand(num_boxes, 2, generator=generator) * (num_values - 1 - low)).long()
    return hidden.to(device), weight.to(device), torch.cat([low, high], dim=1).to(device)


def gradients(hidden, weight, targets, backend, **options):
    leaves = [hidden.detach().requires_grad_(), weight.detach().requires_grad_()]
    loss = box_loss(*leaves, targets, backend=backend, **options)
    return loss, torch.autograd.grad(loss.total, leaves)


def test_a_wide_model_and_more_boxes_than_a_chunk(device, monkeypatch):
    monkeypatch.setattr(box_loss_kernel, "CHUNK_BOXES", 3)
    hidden, weight, targets = inputs(7, 20, 8192, device)
    with poisoned():
        found, grads = gradients(hidden, weight, targets, "triton", sigma=2.0)
    expected, wide = gradients(hidden.double().cpu(), weight.double().cpu(), targets.cpu(), "torch", sigma=2.0)
    assert relative_error(found.total.detach(), expected.total.detach()) < 1e-5
    for ours, theirs in zip(grads, wide, strict=True):
        assert relative_error(ours, theirs) < 1e-5


def test_no_boxes_cost_nothing_and_pull_at_nothing(device):
    hidden, weight, _ = inputs(2, 20, 64, device)
    none = torch.zeros(0, 4, dtype=torch.int64, device=device)
    loss, grads = gradients(hidden[:0], weight, none, "triton")
    assert loss.total == 0 and grads[0].shape == (0, 4, 64)
    assert grads[1].shape == weight.shape and grads[1].abs().sum() == 0


def test_strided_hidden_states_are_read_right(device):
    hidden, weight, targets = inputs(5, 20, 64, device)
    spread = torch.stack([hidden, torch.full_like(hidden, torch.nan)], dim=3)[..., 0]
    _, grads = gradients(spread, weight.T.contiguous().T, targets.T.contiguous().T, "triton")
    _, plain = gradients(hidden, weight, targets, "triton")
    for ours, theirs in zip(grads, plain, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("scale", [1e4, 1e30])
def test_extreme_logits_give_finite_losses_and_gradients(scale, device):
    hidden, weight, targets = inputs(3, 20, 64, device)
    loss, grads = gradients(hidden * scale, weight, targets, "triton", sigma=1.0, l1_weight=1.0)
    assert torch.isfinite(loss.total) and torch.isfinite(loss.giou).all()
    assert all(torch.isfinite(gradient).all() for gradient in grads)


def test_boxes_of_weight_zero_pull_at_nothing(device):
    hidden, weight, targets = inputs(2, 20, 64, device)
    box_weights = torch.tensor([1.0, 0.0], device=device)
    _, (by_hidden, _) = gradients(hidden, weight, targets, "triton", box_weights_M=box_weights)
    assert by_hidden[0].abs().sum() > 0 and by_hidden[1].abs().sum() == 0


def test_only_the_gradients_that_are_needed_are_made(device):
    hidden, weight, targets = inputs(2, 20, 64, device)
    leaf = hidden.requires_grad_()
    found = box_loss(leaf, weight, targets, backend="triton")
    (gradient,) = torch.autograd.grad(found.total, leaf)
    assert gradient.shape == hidden.shape and not gradient.requires_grad and not found.ce.requires_grad
    with torch.no_grad():
        assert not box_loss(leaf, weight, targets, backend="triton").total.requires_grad


def test_a_second_backward_pass_is_refused_and_not_wrong(device):
    """The first one scales the gradients where they lie."""
    hidden, weight, targets = inputs(2, 20, 64, device)
    leaf = hidden.requires_grad_()
    total = box_loss(leaf, weight, targets, backend="triton").total * 3
    torch.autograd.grad(total, leaf, retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(total, leaf)


def test_fifty_steps_of_training_lose_the_same_on_both_backends(device):
    hidden, weight, targets = inputs(3, 24, 16, device)
    losses = {}
    for backend in ("triton", "torch"):
        head = torch.nn.Parameter(weight.clone())
        mix = torch.nn.Parameter(torch.eye(16, device=device))
        optimizer = torch.optim.AdamW([head, mix], lr=0.02)
        losses[backend] = []
        for _ in range(50):
            total = box_loss(hidden @ mix, head, targets, sigma=1.0, l1_weight=0.5, backend=backend).total
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            losses[backend].append(total.item())
    assert losses["torch"][-1] < 0.5 * losses["torch"][0]
    torch.testing.assert_close(torch.tensor(losses["triton"]), torch.tensor(losses["torch"]), rtol=1e-4, atol=1e-4)


def test_the_registration_holds_what_torch_asks_of_an_op(device):
    hidden, weight, targets = inputs(2, 12, 16, device)
    weights = torch.ones(2, device=device)
    arguments = (hidden, weight, None, targets, weights, 1.0, 1.0, 1.0, 1.0)
    torch.library.opcheck(_box_loss_op, (*arguments, False, False, False))
    torch.library.opcheck(_scale_op, (torch.ones(5, device=device), torch.tensor(2.0, device=device)))
    # With gradients, `test_aot_dispatch_dynamic` compares all outputs, the gradients among them, with what they are
    # after the backward pass has scaled them; a caller never sees them. The next test compiles what a caller does.
    leaves = (hidden.requires_grad_(), weight.requires_grad_(), *arguments[2:])
    utilities = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(_box_loss_op, (*leaves, True, True, False), test_utils=utilities)


def test_a_compiled_step_has_the_gradients_of_an_eager_one(device):
    hidden, weight, targets = inputs(2, 12, 16, device)

    def step(hidden, weight):
        return 2 * box_loss(hidden * 3, weight, targets, backend="triton").total

    found = []
    for run in (step, torch.compile(step, backend="aot_eager")):
        leaves = [tensor.detach().requires_grad_() for tensor in (hidden, weight)]
        found.append(torch.autograd.grad(run(*leaves), leaves))
    torch.testing.assert_close(*found)
