"""Lists and captions that a language model learns to write without images."""

from random import Random

import pytest
import torch

from pancap.chain.boxtokens import TOKEN_BOX, BoxCodec
from pancap.chain.data.datasets import read_training_images
from pancap.chain.model import load_checkpoint, save_checkpoint
from pancap.chain.training.config import LanguageTrainConfig
from pancap.chain.training.language import make_caption, make_list, train_language


@pytest.fixture
def start(token_checkpoint, tmp_path):
    folder = tmp_path / "start"
    save_checkpoint(
        token_checkpoint.model, tokenizer=token_checkpoint.tokenizer, directory=folder, meta=token_checkpoint.meta
    )
    return folder


def test_the_answer_holds_the_prompts_boxes_and_no_other(squares_parquet):
    pool = [item for image in read_training_images(squares_parquet) for item in image.instances]
    codec, rng, orders = BoxCodec(coordinates="tokens"), Random(0), set()
    for _ in range(40):
        prompt, answer = make_list(rng.sample(pool, 5), codec=codec, rng=rng)
        asked, written = (TOKEN_BOX.findall(text) for text in (prompt, answer))
        assert sorted(asked) == sorted(written)
        orders.add(asked == written)
    assert orders == {True, False}


def test_a_caption_is_asked_for_with_all_its_boxes(squares_parquet):
    for image in read_training_images(squares_parquet):
        asked, written = (set(TOKEN_BOX.findall(text)) for text in make_caption(image, coordinates="tokens"))
        assert written and written <= asked


def test_only_the_language_model_is_trained_and_learns(start, squares_parquet, tmp_path):
    out = tmp_path / "language"
    config = LanguageTrainConfig(
        data=str(squares_parquet), out=str(out), init=str(start), steps=40, lists=8, captions=4, lr=1e-2, num_threads=1,
        log_every=20,
    )  # fmt: skip
    figures = {}
    summary = train_language(config, on_metrics=lambda step, values: figures.update({step: values["loss"]}))
    assert summary.steps == 40 and summary.texts == 30 * 8 + 10 * 4  # lists alone at first, then in turn
    assert figures[40] < figures[20]
    before, after = (load_checkpoint(folder).model.state_dict() for folder in (start, out / "checkpoint"))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("language_model" in name for name in changed)
    assert not any("vision" in name or "projector" in name for name in changed)


def test_a_run_is_repeated_by_its_seed(start, squares_parquet, tmp_path):
    def train(name):
        config = LanguageTrainConfig(
            data=str(squares_parquet),
            out=str(tmp_path / name),
            init=str(start),
            steps=3,
            lists=4,
            captions=2,
            num_threads=1,
        )
        train_language(config)
        return load_checkpoint(tmp_path / name / "checkpoint").model.state_dict()

    first, second = train("first"), train("second")
    assert all(torch.equal(first[name], second[name]) for name in first)
