"""Two systems on the same images."""

import json

import numpy as np
import pytest

from pancap.configs import UsageError
from pancap.scoring import ScoreConfig, score_captions
from pancap.scoring.comparison import ImageScores, compare_scores, read_scores

CONFIG = ScoreConfig(encoder="none", bootstrap=0)


def scores(tag, judge="rule"):
    f1 = {
        f"{index}.jpg": {"tag": value, "loc": value, "att": None, "rel": 0.5, "glo": 1.0}
        for index, value in enumerate(tag)
    }
    return ImageScores(f1=f1, judge=judge)


def test_equal_systems_tie_and_differ_by_nothing():
    a = scores(np.linspace(0, 1, 20))
    result = compare_scores(a, a)
    assert (result.wins, result.ties, result.losses) == (0, 20, 0)
    assert result.overall.mean == 0
    assert result.overall.p_value == 1.0
    assert result.dimensions["att"] is None
    assert result.worst == ()


def test_a_small_steady_gain_is_told_from_noise_in_pairs():
    rng = np.random.default_rng(0)
    base = rng.uniform(0.1, 0.8, 100)
    result = compare_scores(scores(base), scores(base + 0.02))
    assert result.overall.p_value < 0.01
    assert result.overall.interval.low > 0
    assert result.dimensions["tag"].mean == pytest.approx(2.0)
    assert (result.wins, result.losses) == (100, 0)
    noise = compare_scores(scores(base), scores(rng.permutation(base)))
    assert noise.overall.p_value > 0.05
    assert noise.overall.interval.low < 0 < noise.overall.interval.high


def test_the_largest_losses_come_first():
    result = compare_scores(scores([0.9, 0.9, 0.9]), scores([0.9, 0.1, 0.5]), num_worst=5)
    assert [image for image, _, _ in result.worst] == ["1.jpg", "2.jpg"]
    assert result.losses == 2
    assert "largest losses" in result.render()
    json.dumps(result.to_dict())


def test_images_of_one_side_are_left_out_and_counted():
    result = compare_scores(scores([0.5, 0.5]), scores([0.5, 0.5, 0.5]))
    assert (result.num_images, result.num_left_out) == (2, 1)


def test_judges_that_differ_or_no_shared_image_are_refused():
    with pytest.raises(UsageError, match="judged alike"):
        compare_scores(scores([0.5]), scores([0.5], judge="llm"))
    other = ImageScores(f1={"x.jpg": scores([0.5]).f1["0.jpg"]}, judge="rule")
    with pytest.raises(UsageError, match="no image in common"):
        compare_scores(scores([0.5]), other)


def test_a_score_file_gives_the_same_figures_as_the_report(tmp_path):
    report = score_captions({"1": "A dog [[0.1, 0.1, 0.9, 0.9]] runs."}, {"1": "A dog [[0.1, 0.1, 0.8, 0.9]]."}, CONFIG)
    path = tmp_path / "scores.json"
    path.write_text(report.to_json())
    assert read_scores(path) == ImageScores.of_report(report)


def test_a_replay_file_is_read_too(tmp_path):
    figures = {"ef1": 0.5, "lf1": 0.25, "af1": None, "rf1": 1.0, "gf1": 0.0}
    path = tmp_path / "replay.json"
    path.write_text(json.dumps({"per_image": {"1": figures}, "rules": "strict", "encoder": "none"}))
    assert read_scores(path).f1["1"] == {"tag": 0.5, "loc": 0.25, "att": None, "rel": 1.0, "glo": 0.0}


@pytest.mark.parametrize("text", ["[]", "{}", '{"images": {"1": {}}}', "{"])
def test_another_file_is_refused_in_one_sentence(tmp_path, text):
    path = tmp_path / "scores.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="pancap score"):
        read_scores(path)
