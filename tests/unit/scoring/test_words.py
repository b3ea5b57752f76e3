import pytest

from pancap.scoring import ScoreConfig, score_captions, words
from pancap.scoring.words import count_tokens, count_words

CAPTION = "A dog [[0.1, 0.1, 0.9, 0.9]] sits on a mat [[0.0, 0.5, 1.0, 1.0]]."


def test_boxes_are_no_words():
    assert count_words("The man's well-lit face [[0.1, 0.2, 0.3, 0.4]], [[0.5, 0.5, 1.0, 1.0]] smiles.") == 5
    assert count_words("") == count_words("[[0.1, 0.2, 0.3, 0.4]]") == 0


def test_tokens_count_boxes_and_long_captions_whole():
    short, boxed, long, empty, odd = count_tokens(
        ["A dog.", "A dog [[0.1, 0.2, 0.3, 0.4]].", "dog " * 2000, "", "\ud800"]
    )
    assert (short, long, empty) == (3, 2000, 0)
    assert boxed > short + 4 * 3
    assert odd >= 1


def test_a_report_gives_length_in_tokens_and_what_they_buy():
    report = score_captions({"1": "A dog sits on a mat."}, {"1": CAPTION}, ScoreConfig(encoder="none", bootstrap=0))
    assert report.tokens_per_caption == 7 < report.reference_tokens_per_caption
    assert report.overall_per_100_tokens == pytest.approx(100 * report.overall / 7)
    assert report.metrics()["tokens_per_caption"] == 7
    assert report.images["1"].to_dict()["num_tokens"] == 7
    assert "7 tokens with boxes" in report.render()


def test_without_the_vocabulary_tokens_are_unknown_not_zero(monkeypatch):
    monkeypatch.setattr(words, "_load_tokenizer", lambda: None)
    report = score_captions({"1": CAPTION}, {"1": CAPTION}, ScoreConfig(encoder="none", bootstrap=0))
    assert report.tokens_per_caption is report.overall_per_100_tokens is None
    assert "tokens" not in report.render() and "tokens_per_caption" not in report.metrics()
