import pytest
import torch

from pancap.custom_kernels.box_decode import BoxDecoder, box_decode, box_decode_joint
from pancap.custom_kernels.box_decode.reference import gumbel_noise


def inputs(num_rows=4, num_values=30, width=16, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(num_rows, width, generator=generator).to(dtype)
    return hidden, torch.randn(num_values, width, generator=generator).to(dtype)


def test_figures_are_those_of_the_distribution_over_the_allowed_bins():
    hidden, weight = inputs()
    bias = torch.randn(30, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    found = box_decode(
        hidden,
        weight,
        bias_K=bias,
        lower_N=torch.tensor([0, 5, 10, 29]),
        upper_N=torch.tensor([29, 20, 11, 29]),
        temperature=1.7,
        embedding_KH=weight,
    )
    for row, (low, high) in enumerate([(0, 29), (5, 20), (10, 11), (29, 29)]):
        probs = ((weight[low : high + 1] @ hidden[row] + bias[low : high + 1]) / 1.7).softmax(dim=0)
        values = torch.arange(low, high + 1, dtype=torch.float64) / 29
        mean = (probs * values).sum()
        assert found.bins[row] == low + probs.argmax()
        torch.testing.assert_close(found.log_prob[row], probs.max().log())
        torch.testing.assert_close(found.expected[row], mean)
        torch.testing.assert_close(found.std[row], (probs * (values - mean) ** 2).sum().sqrt())
    assert torch.equal(found.next_embedding, weight[found.bins])


def test_the_noise_is_philox_as_published():
    """Philox4x32-10, key and counter 0: first word 0x6627e8d5 (known answers of the Random123 library)."""
    uniform = torch.exp(-torch.exp(-gumbel_noise(torch.tensor([0]), 1).double()))
    assert abs(uniform.item() - ((0x6627E8D5 >> 9) + 0.5) / 2**23) < 1e-6


def test_draws_follow_the_distribution():
    hidden, weight = inputs(num_rows=1, num_values=4, dtype=torch.float32)
    many = 4000
    seeds = torch.arange(many) * 2654435761
    found = box_decode(hidden.expand(many, -1), weight, seeds_N=seeds, temperature=6.0)
    shares = torch.bincount(found.bins, minlength=4) / many
    probs = (hidden @ weight.T / 6.0).softmax(dim=1)[0]
    # Four standard errors of a share are at most 0.032.
    assert (shares - probs).abs().max() < 0.032
    torch.testing.assert_close(found.log_prob, probs.log()[found.bins])


def test_a_seed_is_a_draw():
    hidden, weight = inputs(num_rows=1)
    bins = [box_decode(hidden, weight, seeds_N=torch.tensor([s]), temperature=9.0).bins.item() for s in (3, 3, 4, 5, 6)]
    assert bins[0] == bins[1] and len(set(bins)) > 1


def test_the_joint_box_is_the_best_of_all_ordered_ones():
    hidden, weight = inputs(num_rows=12, num_values=9)
    found = box_decode_joint(hidden.view(3, 4, 16), weight, embedding_KH=weight)
    log_probs = (hidden @ weight.T).log_softmax(dim=1).view(3, 4, 9)
    for box in range(3):
        for low, high in ((0, 2), (1, 3)):
            sums = {(i, j): log_probs[box, low, i] + log_probs[box, high, j] for i in range(9) for j in range(i + 1, 9)}
            best = max(sums, key=lambda pair: sums[pair].item())
            assert (found.bins[box, low].item(), found.bins[box, high].item()) == best
            torch.testing.assert_close(found.log_prob[box, low] + found.log_prob[box, high], sums[best])
    assert found.next_embedding.shape == (3, 4, 16)


def test_a_decoder_gives_what_the_functions_give():
    hidden, weight = inputs()
    decoder = BoxDecoder(weight, embedding_KH=weight)
    assert torch.equal(decoder(hidden).log_prob, box_decode(hidden, weight).log_prob)
    joint = decoder.decode_boxes(hidden.unsqueeze(0))
    assert torch.equal(joint.bins, box_decode_joint(hidden.unsqueeze(0), weight).bins)
    assert not decoder.state_dict()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_extreme_logits_give_finite_figures(dtype):
    hidden, weight = inputs(dtype=dtype)
    found = box_decode(hidden * 1e30, weight)
    for figure in (found.log_prob, found.expected, found.std):
        assert figure.dtype == torch.float32 and torch.isfinite(figure).all()


def test_no_rows_give_no_results():
    hidden, weight = inputs(num_rows=0)
    assert box_decode(hidden, weight, embedding_KH=weight).next_embedding.shape == (0, 16)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight_KH": torch.ones(5, 8, dtype=torch.float64)}, "must end in the width"),
        ({"weight_KH": torch.ones(5, 16)}, "must share a dtype"),
        ({"weight_KH": torch.ones(1, 16, dtype=torch.float64)}, "at least 2 rows"),
        ({"bias_K": torch.ones(4)}, "bias_K must be"),
        ({"embedding_KH": torch.ones(4, 16)}, "embedding_KH must be"),
        ({"temperature": 0.0}, "temperature must be > 0"),
        ({"temperature": float("nan")}, "temperature must be > 0"),
        ({"lower_N": torch.zeros(3, dtype=torch.int64)}, "lower must be integers"),
        ({"lower_N": torch.zeros(4)}, "lower must be integers"),
        ({"lower_N": torch.full((4,), 30)}, "no bin left"),
        ({"upper_N": torch.full((4,), -1)}, "no bin left"),
        ({"seeds_N": torch.zeros(3, dtype=torch.int64)}, "seeds_N must be"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    hidden, weight = inputs()
    with pytest.raises(ValueError, match=message):
        box_decode(**{"hidden_NH": hidden, "weight_KH": weight, **change})


def test_joint_decoding_wants_four_slots():
    hidden, weight = inputs()
    with pytest.raises(ValueError, match=r"must be \(B, 4, H\)"):
        box_decode_joint(hidden.view(2, 2, 16), weight)
