"""Agreement of raters: known coefficients, intervals, and files that people bring."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from pancap.configs import UsageError
from pancap.scoring import ScoreConfig, score_captions
from pancap.scoring.agreement import measure_agreement, merge_ratings, ratings_of_scores, read_ratings
from pancap.scoring.comparison import ImageScores


def rated(values):
    return {(f"{index:03}.jpg", ""): float(value) for index, value in enumerate(values)}


def test_coefficients_equal_those_of_scipy_and_the_definition():
    rng = np.random.default_rng(0)
    human = rng.integers(0, 6, 60) / 5
    judge = np.clip(human + rng.normal(0, 0.3, 60), 0, 1)
    (pair,) = measure_agreement({"human": rated(human), "judge": rated(judge)}).pairs
    assert pair.pearson.value == pytest.approx(stats.pearsonr(human, judge).statistic)
    assert pair.kendall.value == pytest.approx(stats.kendalltau(human, judge).statistic)
    assert pair.one_minus_r2.value == pytest.approx(((human - judge) ** 2).sum() / ((human - human.mean()) ** 2).sum())
    for figure in (pair.pearson, pair.one_minus_r2, pair.kendall):
        assert figure.interval.low < figure.value < figure.interval.high
    assert (pair.num_captions, pair.num_images) == (60, 60)


def test_equal_and_reversed_raters_and_one_without_an_opinion():
    values = [0.1, 0.4, 0.5, 0.9]
    ratings = {"a": rated(values), "b": rated(values), "c": rated([-v for v in values]), "d": rated([1, 1, 1, 1])}
    report = measure_agreement(ratings, num_resamples=50)
    by_names = {(pair.first, pair.second): pair for pair in report.pairs}
    same, reverse, none = by_names["a", "b"], by_names["a", "c"], by_names["a", "d"]
    assert (same.pearson.value, same.one_minus_r2.value, same.kendall.value) == pytest.approx((1, 0, 1))
    assert (reverse.pearson.value, reverse.kendall.value) == pytest.approx((-1, -1))
    assert math.isnan(none.kendall.value) and none.kendall.interval is None
    as_json = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert as_json["pairs"][2]["kendall"]["value"] is None
    assert "a and d\n  Pearson -   1 - R^2 -   Kendall tau-b -   4 captions" in report.render()


@pytest.mark.parametrize("constant", [[0.1, 0.1, 0.1], [1.0, 1.0, 1.0]])
def test_a_rater_without_an_opinion_has_no_agreement_on_either_side(constant):
    for first, second in ((constant, [0.3, 0.5, 0.9]), ([0.3, 0.5, 0.9], constant)):
        (pair,) = measure_agreement({"a": rated(first), "b": rated(second)}, num_resamples=20).pairs
        assert math.isnan(pair.pearson.value) and math.isnan(pair.one_minus_r2.value)


def test_resamples_in_which_a_rater_is_constant_do_not_spoil_the_interval():
    ratings = {"a": rated([0.1] * 5 + [0.9]), "b": rated([0.2, 0.3, 0.1, 0.2, 0.3, 0.8])}
    (pair,) = measure_agreement(ratings).pairs
    assert pair.one_minus_r2.interval.high < 100


def test_one_image_gives_no_interval():
    ratings = {
        name: {("1.jpg", system): v for system, v in zip("abc", values, strict=True)}
        for name, values in {"h": [0.1, 0.4, 0.9], "j": [0.2, 0.4, 0.8]}.items()
    }
    (pair,) = measure_agreement(ratings).pairs
    assert pair.num_images == 1 and pair.pearson.interval is None


def test_an_image_of_which_nothing_is_known_is_not_rated():
    nothing = dict.fromkeys(("tag", "loc", "att", "rel", "glo"))
    assert ratings_of_scores(ImageScores(f1={"1": nothing}, judge="rule v2")) == {}


def test_captions_of_one_image_are_resampled_together():
    """Copies of a caption add no information: the interval stays as wide as without them."""
    rng = np.random.default_rng(1)
    human, judge = rng.uniform(size=(2, 30))
    once = measure_agreement({"h": rated(human), "j": rated(judge)}).pairs[0]
    copies = [
        {(image, system): value for (image, _), value in rated(values).items() for system in "abcd"}
        for values in (human, judge)
    ]
    often = measure_agreement({"h": copies[0], "j": copies[1]}).pairs[0]
    assert (often.num_captions, often.num_images) == (120, 30)
    assert often.pearson.interval.low == pytest.approx(once.pearson.interval.low)


def test_dimensions_are_compared_with_their_like():
    values = [0.1, 0.5, 0.4, 0.9]
    names = ("human", "human.tag", "judge", "judge.tag", "v1.5")
    report = measure_agreement({name: rated(values) for name in names}, num_resamples=0)
    found = [(pair.first, pair.second) for pair in report.pairs]
    assert found == [("human", "judge"), ("human", "v1.5"), ("human.tag", "judge.tag"), ("judge", "v1.5")]
    assert report.pairs[0].pearson.interval is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r.csv", "image,system,human,other\n1.jpg,a,0.5,\n1.jpg,b,0.25,3\n"),
        (
            "r.jsonl",
            '{"image": "1.jpg", "system": "a", "human": 0.5}\n\n'
            '{"image": "1.jpg", "system": "b", "human": 0.25, "other": "3"}\n',
        ),
        (
            "r.json",
            '[{"image": "1.jpg", "system": "a", "human": 0.5, "other": null},'
            ' {"image": "1.jpg", "system": "b", "human": 0.25, "other": 3}]',
        ),
    ],
)
def test_a_table_reads_alike_in_every_format(tmp_path, name, text):
    path = tmp_path / name
    path.write_text("\ufeff" + text, encoding="utf-8")
    assert read_ratings(path) == {
        "human": {("1.jpg", "a"): 0.5, ("1.jpg", "b"): 0.25},
        "other": {("1.jpg", "b"): 3.0},
    }


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.csv", "name,human\n1,2\n", "line 2 of .* must name its image"),
        ("r.csv", "image,human\n1,2\n1,3\n", "1 stands twice in .* line 3"),
        ("r.csv", "image,human\n1,good\n", "line 2 of .*, column human must be a number, got 'good'"),
        ("r.csv", "image,human\n1,nan\n", "must be a number, got 'nan'"),
        ("r.csv", "image,human\n1,2,3\n", "as many cells as the header"),
        ("r.csv", 'image,human\n"1,2\n', "not valid CSV"),
        ("r.csv", "image,system\n1,a\n", "has no rater"),
        ("r.csv", "", "has no rater"),
        ("r.json", '[{"image": "1", "hum', "not valid JSON"),
        ("r.json", "[1]", "record 0 of .* must be an object, got int"),
        ("r.json", "{}", "no score file"),
        ("r.csv", "image,anna,anna\n1,2,3\n", "the header of .* must name each column once, got anna twice"),
        ("r.json", '[{"image": "1", "a": 1, "a": 2}]', "must name each column once, got a twice"),
        ("r.json", '[{"image": "1", "a": true}]', "must be a number, got 'True'"),
        ("r.json", '[{"image": "1", "a": 1' + "0" * 400 + "}]", "must be a number, got '1000"),
        ("r.json", '[{"image": "1", "a": 1' + "0" * 5000 + "}]", "not valid JSON"),
        ("r.json", "5", "must be a list of objects or a score file, got int"),
        ("r.txt", "image", "must be a .csv, .json, .jsonl file"),
    ],
)
def test_a_bad_table_is_one_sentence(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_ratings(path)


def test_bytes_that_are_no_text_and_a_missing_file_are_one_sentence(tmp_path):
    path = tmp_path / "r.csv"
    path.write_bytes(b"image,human\n\xff,1\n")
    with pytest.raises(UsageError, match="must be UTF-8"):
        read_ratings(path)
    with pytest.raises(UsageError, match="does not exist"):
        read_ratings(tmp_path / "none.csv")


def test_score_files_are_ratings_of_a_system(tmp_path):
    references = {
        f"{index}.jpg": f"A {tag} [[0.1, 0.1, 0.9, 0.9]] is red." for index, tag in enumerate(["dog", "car", "tree"])
    }
    report = score_captions(references, references, ScoreConfig(encoder="none", bootstrap=0))
    path = tmp_path / "scores.json"
    path.write_text(report.to_json())
    found = read_ratings(path, system="ours")
    assert set(found) == {f"rule v2, strict, none{suffix}" for suffix in ("", ".tag", ".loc", ".att")}
    assert found["rule v2, strict, none"] == {(f"{index}.jpg", "ours"): 1.0 for index in range(3)}


def test_one_rater_of_two_systems_merges_and_of_one_caption_twice_does_not():
    scores = ImageScores(f1={"1": {"tag": 0.5, "loc": None, "att": None, "rel": None, "glo": None}}, judge="rule v2")
    first, second = (ratings_of_scores(scores, system=system) for system in "ab")
    assert merge_ratings(first, second)["rule v2"] == {("1", "a"): 0.5, ("1", "b"): 0.5}
    with pytest.raises(UsageError, match="rated 1 of a twice; name the systems"):
        merge_ratings(first, first)


def test_raters_without_captions_in_common_are_refused_with_what_to_check():
    with pytest.raises(UsageError, match=r"no two raters .* got raters a, b; check that all name images"):
        measure_agreement({"a": rated([1, 2, 3]), "b": {("x", ""): 1.0, ("y", ""): 2.0, ("z", ""): 3.0}})
