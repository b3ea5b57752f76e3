import pytest
import torch

from pancap.custom_kernels.box_loss import box_loss
from pancap.custom_kernels.box_loss.reference import expected_giou, soft_targets


def inputs(num_boxes=3, num_values=12, width=6, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(num_boxes, 4, width, generator=generator).to(dtype)
    weight = torch.randn(num_values, width, generator=generator).to(dtype)
    targets = torch.tensor([[1, 2, 8, 9], [0, 0, 11, 11], [5, 4, 6, 7]])[:num_boxes]
    return hidden, weight, targets


def test_the_parts_are_what_their_names_say():
    hidden, weight, targets = inputs()
    box_weights = torch.tensor([1.0, 0.5, 0.0])
    options = {"ce_weight": 2.0, "giou_weight": 0.7, "l1_weight": 0.3}
    found = box_loss(hidden, weight, targets, box_weights_M=box_weights, **options)
    logits = hidden @ weight.T
    ce = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view(3, 4)
    expected = logits.softmax(dim=2) @ (torch.arange(12, dtype=torch.float64) / 11)
    torch.testing.assert_close(found.ce, ce)
    torch.testing.assert_close(found.expected, expected)
    torch.testing.assert_close(found.l1, (expected - targets / 11).abs())
    per_box = 2.0 * ce.sum(dim=1) + 0.7 * (1 - found.giou) + 0.3 * found.l1.sum(dim=1)
    torch.testing.assert_close(found.total, (per_box * box_weights).sum())


def test_boxes_without_weights_are_averaged():
    hidden, weight, targets = inputs()
    found = box_loss(hidden, weight, targets, giou_weight=0.0)
    torch.testing.assert_close(found.total, found.ce.sum(dim=1).mean())


@pytest.mark.parametrize(
    ("box", "truth", "giou"),
    [
        ((0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0), 1.0),
        ((0.0, 0.0, 0.5, 1.0), (0.0, 0.0, 1.0, 1.0), 0.5),
        ((0.0, 0.0, 0.25, 1.0), (0.75, 0.0, 1.0, 1.0), -0.5),
        # Out of order: no area, hull from 0.5 to 1.
        ((1.0, 0.0, 0.5, 1.0), (0.5, 0.0, 0.75, 1.0), 0.0),
    ],
)
def test_giou_of_known_boxes(box, truth, giou):
    found = expected_giou(torch.tensor([box]), torch.tensor([truth]))
    torch.testing.assert_close(found, torch.tensor([giou]))


def test_a_bell_sums_to_one_also_at_the_ends():
    bins, shares = soft_targets(torch.tensor([[0, 3, 50, 100]]), 101, sigma=2.0)
    bell = torch.zeros(1, 4, 101, dtype=torch.float64).scatter_add(2, bins, shares)
    torch.testing.assert_close(bell.sum(dim=2), torch.ones(1, 4, dtype=torch.float64))
    assert bell.argmax(dim=2).tolist() == [[0, 3, 50, 100]]
    assert bell[0, 2, 50 - 7] > 0 and bell[0, 2, 50 - 8] == 0
    torch.testing.assert_close(
        bell[0, 2, 52] / bell[0, 2, 50], torch.tensor(0.5, dtype=torch.float64).exp().reciprocal()
    )


@pytest.mark.parametrize("sigma", [0.0, 1.5])
def test_the_gradient_is_the_derivative(sigma):
    hidden, weight, targets = inputs(num_boxes=2)
    bias = torch.zeros(12, dtype=torch.float64)

    def total(*leaves):
        return box_loss(leaves[0], leaves[1], targets, bias_K=leaves[2], sigma=sigma, l1_weight=0.5).total

    assert torch.autograd.gradcheck(total, [leaf.requires_grad_() for leaf in (hidden, weight, bias)])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_extreme_logits_give_finite_losses_and_gradients(dtype):
    hidden, weight, targets = inputs(dtype=dtype)
    leaf = (hidden * 1e30).requires_grad_()
    found = box_loss(leaf, weight, targets, sigma=1.0, l1_weight=1.0)
    (gradient,) = torch.autograd.grad(found.total, leaf)
    assert torch.isfinite(found.total) and torch.isfinite(gradient).all()


def test_no_boxes_cost_nothing():
    hidden, weight, targets = inputs()
    leaf = weight.requires_grad_()
    (gradient,) = torch.autograd.grad(box_loss(hidden[:0], leaf, targets[:0]).total, leaf)
    assert gradient.abs().sum() == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_M4H": torch.ones(3, 5, 6, dtype=torch.float64)}, r"need hidden \(M, 4, H\)"),
        ({"weight_KH": torch.ones(12, 6)}, "must share a dtype"),
        ({"targets_M4": torch.zeros(3, 4)}, "must be integers"),
        ({"targets_M4": torch.full((3, 4), 12)}, "must be 0..11"),
        ({"bias_K": torch.ones(3)}, "bias_K must be"),
        ({"box_weights_M": torch.ones(4)}, "box_weights_M must be"),
        ({"sigma": -1.0}, "sigma must be >= 0"),
        ({"giou_weight": float("nan")}, "giou_weight must be >= 0"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    hidden, weight, targets = inputs()
    with pytest.raises(ValueError, match=message):
        box_loss(**{"hidden_M4H": hidden, "weight_KH": weight, "targets_M4": targets, **change})
