import numpy as np
import pytest

from pancap.scoring.statistics import bootstrap_means, interval_95, overall_of_means, paired_bootstrap


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
    hard = rng.random(200)
    difference = paired_bootstrap(hard + 0.01 + rng.normal(0, 0.01, 200), hard)
    assert difference.mean == pytest.approx(0.01, abs=0.005)
    assert difference.interval.low > 0 and difference.p_value < 0.01
    same = paired_bootstrap(hard, hard)
    assert (same.mean, same.p_value) == (0.0, 1.0)


def test_a_paired_difference_needs_the_same_images():
    with pytest.raises(ValueError, match="one length"):
        paired_bootstrap(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="no image"):
        paired_bootstrap(np.array([np.nan]), np.array([1.0]))
