import pytest
import torch

from pancap.custom_kernels.bench.case import poisoned, relative_error
from pancap.custom_kernels.box_decode import BoxDecoder, box_decode, box_decode_joint
from pancap.custom_kernels.box_decode.function import _box_decode_op, new_counters


def inputs(num_rows, num_values, width, device, seed=0):
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(num_rows, width, generator=generator)
    weight = torch.randn(num_values, width, generator=generator) / width**0.5 * 3
    return hidden.to(device), weight.to(device)


def test_a_wide_model_is_cut_and_summed_right(device):
    hidden, weight = inputs(2, 20, 8192, device)
    found = box_decode(hidden, weight, backend="triton")
    expected = box_decode(hidden.double().cpu(), weight.double().cpu(), backend="torch")
    assert torch.equal(found.bins.cpu(), expected.bins)
    assert relative_error(found.log_prob, expected.log_prob) < 1e-5
    assert relative_error(found.std, expected.std) < 1e-5


def test_the_chains_own_number_of_values(device):
    """1001 bins: the last block of 16 holds 9."""
    hidden, weight = inputs(4, 1001, 64, device)
    joint = box_decode_joint(hidden.view(1, 4, 64), weight, backend="triton")
    expected = box_decode_joint(hidden.view(1, 4, 64).double().cpu(), weight.double().cpu(), backend="torch")
    assert torch.equal(joint.bins.cpu(), expected.bins)
    assert relative_error(joint.log_prob, expected.log_prob) < 1e-5
    assert relative_error(joint.expected, expected.expected) < 1e-5
    last = torch.full((4,), 1000, device=device)
    assert torch.equal(box_decode(hidden, weight, lower_N=last, backend="triton").bins, last)


def test_strided_rows_are_read_where_they_lie(device):
    hidden, weight = inputs(6, 40, 64, device)
    spread_hidden = torch.stack([hidden, torch.full_like(hidden, torch.nan)], dim=1)[:, 0]
    spread_weight = torch.cat([weight, torch.full_like(weight, torch.nan)], dim=1)[:, :64]
    assert not spread_hidden.is_contiguous() and not spread_weight.is_contiguous()
    found = box_decode(spread_hidden, spread_weight, embedding_KH=spread_weight, backend="triton")
    plain = box_decode(hidden, weight, embedding_KH=weight, backend="triton")
    assert torch.equal(found.log_prob, plain.log_prob)
    assert torch.equal(found.next_embedding, plain.next_embedding)
    columns = box_decode(hidden.T.contiguous().T, weight.T.contiguous().T, backend="triton")
    assert torch.equal(columns.log_prob, plain.log_prob)


def test_no_rows_give_no_results(device):
    hidden, weight = inputs(0, 40, 64, device)
    found = box_decode(hidden, weight, embedding_KH=weight, backend="triton")
    assert found.bins.shape == (0,) and found.next_embedding.shape == (0, 64)
    assert box_decode_joint(hidden.view(0, 4, 64), weight, backend="triton").bins.shape == (0, 4)


@pytest.mark.parametrize("scale", [1e4, 1e30])
def test_extreme_logits_give_finite_figures(scale, device):
    hidden, weight = inputs(3, 40, 64, device)
    with poisoned():
        found = box_decode(hidden * scale, weight, backend="triton")
    for figure in (found.log_prob, found.expected, found.std):
        assert torch.isfinite(figure).all()
    joint = box_decode_joint((hidden * scale)[:1].expand(4, -1).reshape(1, 4, 64), weight, backend="triton")
    assert torch.isfinite(joint.log_prob).all()


def test_one_bin_left_is_taken_with_certainty(device):
    hidden, weight = inputs(3, 40, 64, device)
    bounds = torch.tensor([39, 0, 17], device=device)
    found = box_decode(hidden, weight, lower_N=bounds, upper_N=bounds, backend="triton")
    assert torch.equal(found.bins, bounds)
    assert found.log_prob.abs().max() == 0 and found.std.abs().max() == 0
    torch.testing.assert_close(found.expected, bounds / 39)


def test_a_row_without_bins_is_marked_and_not_made_up(device):
    """The CPU refuses such bounds; on a GPU the check would wait, so the kernel answers -1 and NaN."""
    hidden, weight = inputs(2, 40, 64, device)
    lower, upper = torch.tensor([5, 9], device=device), torch.tensor([20, 8], device=device)
    counters = new_counters(2, 40, device=device)
    bins, log_prob, mean, _, embedding = _box_decode_op(
        hidden, weight, None, lower, upper, None, weight, counters, 1.0, False
    )
    assert bins[0] >= 5 and bins[1] == -1
    assert log_prob[0].isfinite() and log_prob[1].isnan() and mean[1].isnan()
    assert torch.equal(embedding[1], torch.zeros_like(embedding[1]))


def test_the_joint_box_is_the_best_of_all_ordered_ones(device):
    hidden, weight = inputs(8, 24, 64, device)
    found = box_decode_joint(hidden.view(2, 4, 64), weight, temperature=0.5, backend="triton")
    log_probs = (hidden @ weight.T / 0.5).log_softmax(dim=1).view(2, 4, 24).cpu()
    for box in range(2):
        for axis in range(2):
            sums = log_probs[box, axis][:, None] + log_probs[box, axis + 2][None, :]
            best = sums[torch.triu(torch.ones(24, 24, dtype=torch.bool), diagonal=1)].max()
            ours = found.log_prob[box, axis] + found.log_prob[box, axis + 2]
            assert found.bins[box, axis] < found.bins[box, axis + 2]
            torch.testing.assert_close(ours.cpu(), best)


def test_a_decoder_is_used_again_and_again(device):
    """The kernel leaves its counters at zero: a second launch waits for as many programs as the first."""
    hidden, weight = inputs(20, 40, 1024, device)
    decoder = BoxDecoder(weight, embedding_KH=weight, max_rows=20, backend="triton")
    first = decoder(hidden)
    assert decoder.counters.abs().sum() == 0
    again = decoder(hidden)
    assert torch.equal(first.log_prob, again.log_prob)
    joint = decoder.decode_boxes(hidden.view(5, 4, 1024))
    assert decoder.counters.abs().sum() == 0
    assert (joint.bins[:, :2] < joint.bins[:, 2:]).all()


def test_a_row_draws_the_same_bin_in_any_batch(device):
    hidden, weight = inputs(20, 40, 64, device)
    seeds = torch.arange(20, device=device) * 7919
    together = box_decode(hidden, weight, seeds_N=seeds, temperature=2.0, backend="triton")
    alone = box_decode(hidden[13:14], weight, seeds_N=seeds[13:14], temperature=2.0, backend="triton")
    assert together.bins[13] == alone.bins[0]


def test_the_registration_holds_what_torch_asks_of_an_op(device):
    hidden, weight = inputs(3, 20, 64, device)
    bounds = torch.zeros(3, dtype=torch.int64, device=device), torch.full((3,), 19, device=device)
    arguments = (hidden, weight, None, *bounds, None, weight, new_counters(3, 20, device=device), 1.0, False)
    torch.library.opcheck(_box_decode_op, arguments)
