"""Lists that a language model learns to write down again."""

from random import Random

import pytest
import torch

from pancap.chain.boxtokens import TOKEN_BOX, BoxCodec
from pancap.chain.data.datasets import read_training_images
from pancap.chain.model import load_checkpoint, save_checkpoint
from pancap.chain.training.config import CopyingTrainConfig
from pancap.chain.training.copying import make_list, train_copying


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


def test_only_the_language_model_is_trained_and_learns(start, squares_parquet, tmp_path):
    out = tmp_path / "copying"
    config = CopyingTrainConfig(
        data=str(squares_parquet), out=str(out), init=str(start), steps=40, batch_size=8, lr=1e-2, num_threads=1,
        log_every=20,
    )  # fmt: skip
    figures = {}
    summary = train_copying(config, on_metrics=lambda step, values: figures.update({step: values["loss"]}))
    assert summary.steps == 40 and summary.lists == 320
    assert figures[40] < figures[20]
    before, after = (load_checkpoint(folder).model.state_dict() for folder in (start, out / "checkpoint"))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("language_model" in name for name in changed)
    assert not any("vision" in name or "projector" in name for name in changed)


def test_a_run_is_repeated_by_its_seed(start, squares_parquet, tmp_path):
    def train(name):
        config = CopyingTrainConfig(
            data=str(squares_parquet), out=str(tmp_path / name), init=str(start), steps=3, batch_size=4, num_threads=1
        )
        train_copying(config)
        return load_checkpoint(tmp_path / name / "checkpoint").model.state_dict()

    first, second = train("first"), train("second")
    assert all(torch.equal(first[name], second[name]) for name in first)
