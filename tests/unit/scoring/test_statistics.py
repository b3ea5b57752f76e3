import itertools

import numpy as np
import pytest

from pancap.scoring.statistics import bootstrap_means, interval_95, overall_of_means, paired_difference


def test_an_interval_covers_the_true_mean_about_95_times_in_100():
    rng = np.random.default_rng(1)
    covered = 0
    for trial in range(200):
        values = rng.normal(0.5, 0.2, size=(60, 1))
        interval = interval_95(bootstrap_means(values, num_resamples=300, seed=trial)[:, 0])
        covered += interval.low <= 0.5 <= interval.high
    assert 180 <= covered <= 198


def test_the_same_seed_gives_the_same_resamples_and_chunks_do_not_matter(monkeypatch):
    values = np.random.default_rng(0).random((50, 3))
    whole = bootstrap_means(values, num_resamples=40, seed=7)
    monkeypatch.setattr("pancap.scoring.statistics._CHUNK_CELLS", 500)
    assert np.allclose(bootstrap_means(values, num_resamples=40, seed=7), whole, rtol=0, atol=1e-15)
    assert not np.allclose(bootstrap_means(values, num_resamples=40, seed=8), whole)


def test_cells_without_a_figure_are_left_out_of_their_column_only():
    values = np.array([[1.0, np.nan], [3.0, np.nan]])
    means = bootstrap_means(values, num_resamples=20, seed=0)
    assert not np.isnan(means[:, 0]).any() and np.isnan(means[:, 1]).all()
    assert interval_95(means[:, 1]) is None


def test_overall_weighs_global_state_a_tenth_and_scales_absent_dimensions():
    rows = np.array([[1.0, 1, 1, 1, 1], [0.5, 0.5, 0.5, 0.5, 0.0], [1.0, np.nan, 1, 1, 1], [np.nan] * 5])
    assert overall_of_means(rows) == pytest.approx([410.0, 200.0, 410.0, 0.0])


def test_a_paired_difference_is_sharper_than_the_spread_of_the_images():
    rng = np.random.default_rng(0)
    hard = rng.random((200, 1))
    difference = paired_difference(hard, hard + 0.01 + rng.normal(0, 0.01, (200, 1)))
    assert difference.mean == pytest.approx(0.01, abs=0.005)
    assert difference.interval.low > 0 and difference.p_value < 0.01
    same = paired_difference(hard, hard)
    assert (same.mean, same.p_value) == (0.0, 1.0)


def test_the_permutation_test_agrees_with_every_swap_counted():
    gains = np.array([0.3, 0.1, -0.05, 0.2, 0.15])
    means = [np.mean(gains * signs) for signs in itertools.product((1, -1), repeat=5)]
    exact = np.mean(np.abs(means) >= gains.mean() - 1e-12)
    found = paired_difference(np.zeros((5, 1)), gains[:, None], num_permutations=20_000).p_value
    assert found == pytest.approx(exact, abs=0.01)


def test_a_paired_difference_leaves_cells_without_a_figure_out_of_the_means():
    a = np.array([[0.5], [np.nan], [0.7]])
    b = np.array([[0.6], [0.9], [np.nan]])
    difference = paired_difference(a, b)
    assert (difference.a, difference.b) == (pytest.approx(0.6), pytest.approx(0.75))


def test_a_paired_difference_needs_the_same_images():
    with pytest.raises(ValueError, match="one shape"):
        paired_difference(np.zeros((3, 1)), np.zeros((4, 1)))
    with pytest.raises(ValueError, match="no image"):
        paired_difference(np.array([[np.nan]]), np.array([[1.0]]))
