import pytest

from pancap.configs.errors import UsageError
from pancap.scoring import PancapScore, ScoreConfig

CONFIG = ScoreConfig(encoder="none", bootstrap=0)
ONE = {"1.jpg": "A red dog [[0.1, 0.1, 0.9, 0.9]] sits on a mat [[0.0, 0.5, 1.0, 1.0]]."}
TWO = {"2.jpg": "A tree [[0.1, 0.1, 0.4, 0.9]] stands beside a house [[0.5, 0.2, 0.9, 0.9]]."}


def test_an_image_is_counted_once():
    metric = PancapScore(CONFIG)
    metric.update(ONE, ONE)
    with pytest.raises(UsageError, match=r"a candidate of image 1\.jpg was added before"):
        metric.update(ONE, ONE)
    other = PancapScore(CONFIG)
    other.update(ONE, ONE)
    with pytest.raises(UsageError, match="was added before"):
        metric.merge(other)


def test_metrics_of_different_configurations_do_not_merge():
    with pytest.raises(UsageError, match="must have one configuration"):
        PancapScore(CONFIG).merge(PancapScore(ScoreConfig(encoder="none", seed=1)))


def test_the_order_of_batches_does_not_matter_and_reset_forgets():
    first, second = PancapScore(CONFIG), PancapScore(CONFIG)
    for metric, batches in ((first, (ONE, TWO)), (second, (TWO, ONE))):
        for batch in batches:
            metric.update(batch, batch)
    assert first.compute() == second.compute()
    assert first.compute().n == 2
    first.reset()
    with pytest.raises(UsageError, match="no image in common"):
        first.compute()
