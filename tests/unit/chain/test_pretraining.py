"""The loop that the pretrainings of the tower and of the language model share."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from pancap.chain.model import save_checkpoint
from pancap.chain.training.config import LanguageTrainConfig, VisionTrainConfig
from pancap.chain.training.language import train_language
from pancap.chain.training.vision import train_vision
from pancap.configs import UsageError

STEPS = 7
EARLY = {"num_threads": 1, "log_every": 1, "checkpoint_every": 2}


@pytest.fixture
def vision(squares_parquet, tiny_model, tmp_path):
    return VisionTrainConfig(
        data=str(squares_parquet), out=str(tmp_path / "run"), model=tiny_model, steps=STEPS, batch_size=4, **EARLY
    )


@pytest.fixture
def language(squares_parquet, token_checkpoint, tmp_path):
    start = tmp_path / "start"
    save_checkpoint(
        token_checkpoint.model, tokenizer=token_checkpoint.tokenizer, directory=start, meta=token_checkpoint.meta
    )
    return LanguageTrainConfig(
        data=str(squares_parquet), out=str(tmp_path / "run"), init=str(start), steps=STEPS, lists=4, captions=2, **EARLY
    )


@pytest.fixture(params=["vision", "language"])
def pretraining(request):
    """(train, its configuration, where its weights are)."""
    config = request.getfixturevalue(request.param)
    if request.param == "vision":
        return train_vision, config, "vision.safetensors"
    return train_language, config, "checkpoint/model.safetensors"


def dies_after(step):
    def on_metrics(done, figures):
        if done == step:
            raise KeyboardInterrupt

    return on_metrics


def test_a_run_killed_twice_ends_as_one_in_one_piece(pretraining, tmp_path):
    """R34; redone are the steps since the last state alone."""
    train, config, weights = pretraining
    whole = train(replace(config, out=str(tmp_path / "whole")))
    seen = []
    for died_after in (3, 5):
        with pytest.raises(KeyboardInterrupt):
            train(replace(config, resume=True), on_metrics=dies_after(died_after))
    resumed = train(replace(config, resume=True), on_metrics=lambda step, figures: seen.append(step))
    assert (resumed.resumed_from, resumed.steps, seen) == (4, STEPS, [5, 6, 7])
    assert resumed.to_dict().keys() == whole.to_dict().keys()
    ours, theirs = (load_file(folder / weights) for folder in (tmp_path / "run", tmp_path / "whole"))
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))


def test_a_finished_run_trains_no_more_unless_it_is_started_anew(pretraining):
    """R3."""
    train, config, _ = pretraining
    first = train(config)
    again = train(replace(config, resume=True))
    assert (again.resumed_from, again.steps) == (STEPS, STEPS)
    assert again.seconds == pytest.approx(first.seconds, abs=0.05)
    assert train(config).resumed_from == 0


def test_a_run_is_not_resumed_with_other_settings(pretraining):
    """R2."""
    train, config, _ = pretraining
    train(config)
    with pytest.raises(UsageError, match=r"started with lr=0.001, now 0.5; resume it with the same"):
        train(replace(config, lr=0.5, resume=True))
