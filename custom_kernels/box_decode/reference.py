"""Coordinate decoding in plain PyTorch: the definition of correct, and what runs without a GPU.

Legend: N rows, B boxes, K coordinate values, H width of the model.
"""

import torch

_WORD = 0xFFFFFFFF
_ROUND_KEYS = (0x9E3779B9, 0xBB67AE85)
_ROUND_FACTORS = (0xD2511F53, 0xCD9E8D57)


def decode_slots(
    hidden_NH: torch.Tensor,
    weight_KH: torch.Tensor,
    bias_K: torch.Tensor | None,
    lower_N: torch.Tensor | None,
    upper_N: torch.Tensor | None,
    seeds_N: torch.Tensor | None,
    temperature: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(bin, log-probability, expectation, standard deviation) of each row; see `box_decode`."""
    scores_NK = _scores(hidden_NH, weight_KH, bias_K, temperature)
    is_allowed_NK = _is_allowed(scores_NK, lower_N, upper_N)
    scores_NK = scores_NK.masked_fill(~is_allowed_NK, float("-inf"))
    log_probs_NK = scores_NK.log_softmax(dim=1)
    ranked_NK = scores_NK
    if seeds_N is not None:
        ranked_NK = scores_NK + gumbel_noise(seeds_N, scores_NK.shape[1]).to(scores_NK.dtype)
    bins_N = ranked_NK.argmax(dim=1)
    mean_N, std_N = _moments(log_probs_NK.exp())
    log_prob_N = log_probs_NK.gather(1, bins_N.unsqueeze(1)).squeeze(1)
    bins_N = bins_N.masked_fill(~is_allowed_NK.any(dim=1), -1)
    return bins_N, log_prob_N, mean_N, std_N


def decode_boxes(
    hidden_B4H: torch.Tensor,
    weight_KH: torch.Tensor,
    bias_K: torch.Tensor | None,
    lower_B4: torch.Tensor | None,
    upper_B4: torch.Tensor | None,
    temperature: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same of the best box with x1 < x2 and y1 < y2; see `box_decode_joint`.

    The best pair (i, j) with i < j: for every j the best i below it is a prefix maximum, so that K sums are enough.
    """
    num_boxes, _, width = hidden_B4H.shape
    num_values = weight_KH.shape[0]
    scores = _scores(hidden_B4H.reshape(-1, width), weight_KH, bias_K, temperature)
    scores_B4K = scores.view(num_boxes, 4, num_values)
    scores_B4K = scores_B4K.masked_fill(~_is_allowed(scores_B4K, lower_B4, upper_B4), float("-inf"))
    log_probs_B4K = scores_B4K.log_softmax(dim=2)
    best_low, best_low_at = scores_B4K[:, :2].cummax(dim=2)
    pairs_B2K = best_low[:, :, :-1] + scores_B4K[:, 2:, 1:]
    value_B2, at_B2 = pairs_B2K.max(dim=2)
    high_B2 = at_B2 + 1
    low_B2 = best_low_at.gather(2, at_B2.unsqueeze(2)).squeeze(2)
    is_possible_B2 = value_B2 > float("-inf")
    bins_B4 = torch.cat([low_B2, high_B2], dim=1)
    log_prob_B4 = log_probs_B4K.gather(2, bins_B4.unsqueeze(2)).squeeze(2)
    is_possible_B4 = torch.cat([is_possible_B2, is_possible_B2], dim=1)
    mean, std = _moments(log_probs_B4K.view(-1, num_values).exp())
    return (
        bins_B4.masked_fill(~is_possible_B4, -1),
        log_prob_B4.masked_fill(~is_possible_B4, float("nan")),
        mean.view(-1, 4),
        std.view(-1, 4),
    )


def gumbel_noise(seeds_N: torch.Tensor, num_values: int) -> torch.Tensor:
    """Standard Gumbel noise (N, K) float32, the same bits as the Triton kernel draws.

    Source: Philox4x32-10 (Salmon et al., SC 2011) with the row's seed as key and the bin as counter.
    """
    words_NK = _philox(seeds_N.to(torch.int64).unsqueeze(1), torch.arange(num_values, device=seeds_N.device))
    uniform_NK = ((words_NK >> 9).to(torch.float32) + 0.5) * 2.0**-23
    return -torch.log(-torch.log(uniform_NK))


def _philox(seeds_N1: torch.Tensor, counters_K: torch.Tensor) -> torch.Tensor:
    """First of the four words, 0..2^32-1, held in int64."""
    keys = [seeds_N1 & _WORD, (seeds_N1 >> 32) & _WORD]
    c0, c1, c2, c3 = counters_K & _WORD, *(torch.zeros_like(counters_K) for _ in range(3))
    for _ in range(10):
        high0, low0 = _multiply(c0, _ROUND_FACTORS[0])
        high2, low2 = _multiply(c2, _ROUND_FACTORS[1])
        c0, c1, c2, c3 = high2 ^ c1 ^ keys[0], low2, high0 ^ c3 ^ keys[1], low0
        keys = [(key + step) & _WORD for key, step in zip(keys, _ROUND_KEYS, strict=True)]
    return c0.expand(seeds_N1.shape[0], counters_K.shape[0])


def _multiply(word: torch.Tensor, factor: int) -> tuple[torch.Tensor, torch.Tensor]:
    """High and low 32 bits of a product; the wrapped int64 holds all 64 bits."""
    product = word * factor
    return (product >> 32) & _WORD, product & _WORD


def _scores(
    hidden_NH: torch.Tensor, weight_KH: torch.Tensor, bias_K: torch.Tensor | None, temperature: float
) -> torch.Tensor:
    wide = torch.float64 if hidden_NH.dtype == torch.float64 else torch.float32
    scores_NK = hidden_NH.to(wide) @ weight_KH.to(wide).T
    if bias_K is not None:
        scores_NK = scores_NK + bias_K.to(wide)
    return scores_NK / temperature


def _is_allowed(scores_K: torch.Tensor, lower: torch.Tensor | None, upper: torch.Tensor | None) -> torch.Tensor:
    """Of the shape of the scores (..., K); bounds (...)."""
    values_K = torch.arange(scores_K.shape[-1], device=scores_K.device)
    is_allowed = torch.ones_like(scores_K, dtype=torch.bool)
    if lower is not None:
        is_allowed &= values_K >= lower.unsqueeze(-1)
    if upper is not None:
        is_allowed &= values_K <= upper.unsqueeze(-1)
    return is_allowed


def _moments(probs_NK: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of the value k / (K - 1), the deviation around the mean, not as E[v^2] - E[v]^2."""
    values_K = torch.linspace(0, 1, probs_NK.shape[1], dtype=probs_NK.dtype, device=probs_NK.device)
    mean_N = probs_NK @ values_K
    return mean_N, (probs_NK * (values_K - mean_N.unsqueeze(1)) ** 2).sum(dim=1).sqrt()
