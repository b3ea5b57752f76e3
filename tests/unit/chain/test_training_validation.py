"""Checkpoints scored beside a run, the best one kept."""

import json
from dataclasses import replace

import pytest

from pancap.chain.config import ModelConfig
from pancap.chain.model import read_meta
from pancap.chain.training.config import TrainConfig
from pancap.chain.training.run import run_training
from pancap.chain.training.validation import VALIDATION_FILE, Validator

TINY = ModelConfig(
    image_px=32, patch_px=8, vision_hidden=32, vision_layers=1, vision_heads=2, vision_mlp=64,
    text_hidden=32, text_layers=1, text_heads=2, text_mlp=64, vocabulary_size=400,
)  # fmt: skip


@pytest.fixture
def config(squares_parquet, tmp_path):
    return TrainConfig(
        data=str(squares_parquet), out=str(tmp_path / "run"), model=TINY, steps=3, batch_size=4, num_workers=0,
        log_every=1, checkpoint_every=1,
    )  # fmt: skip


def steps_of(checkpoint):
    return read_meta(checkpoint).provenance["steps"]


def write_checkpoint(out, *, step):
    """As the loop does: a new folder in place of the old one."""
    unfinished = out / "unfinished"
    unfinished.mkdir(parents=True)
    record = {"format": 1, "coordinates": "tokens", "mode": "chain", "provenance": {"steps": step}}
    (unfinished / "pancap.json").write_text(json.dumps(record))
    if (out / "checkpoint").exists():
        (out / "checkpoint" / "pancap.json").unlink()
        (out / "checkpoint").rmdir()
    unfinished.rename(out / "checkpoint")


def test_the_last_checkpoint_is_always_scored_and_its_figures_are_handed_on(config, tmp_path):
    seen = {}
    summary = run_training(
        config,
        on_metrics=lambda step, figures: seen.update({step: figures} if "val_overall" in figures else {}),
        validate=lambda checkpoint, scratch: {"overall": float(steps_of(checkpoint))},
    )
    assert seen[3] == {"val_overall": 3.0}
    assert (summary.best.step, summary.best.overall) == (3, 3.0)
    assert "best validated: step 3" in summary.render()
    assert steps_of(tmp_path / "run" / "best") == 3


def test_the_best_checkpoint_stays_when_worse_ones_follow(tmp_path):
    scores = {1: 5.0, 2: 9.0, 3: 7.0}
    validator = Validator(tmp_path, validate=lambda checkpoint, scratch: {"overall": scores[steps_of(checkpoint)]})
    found = []
    for step in scores:
        write_checkpoint(tmp_path, step=step)
        while not any(item.step == step for item in found):
            found += [scored] if (scored := validator.poll()) else []
    assert validator.finish() == []
    assert [item.step for item in found] == [1, 2, 3]
    assert validator.best.step == steps_of(tmp_path / "best") == 2
    assert not (tmp_path / ".validation").exists()


def test_a_resumed_run_knows_what_was_scored_and_a_new_one_does_not(config, tmp_path):
    asked = []

    def validate(checkpoint, scratch):
        asked.append(steps_of(checkpoint))
        return {"overall": 100.0 - asked[-1]}

    run_training(config, validate=validate)
    first, best = list(asked), steps_of(tmp_path / "run" / "best")
    resumed = run_training(replace(config, resume=True, steps=4), validate=validate)
    assert asked[len(first) :] == [4]
    assert resumed.best.step == best == steps_of(tmp_path / "run" / "best")
    run_training(replace(config, steps=1), validate=validate)
    assert (tmp_path / "run" / VALIDATION_FILE).read_text().count("\n") == 1


def test_training_goes_on_when_validation_fails_and_says_so_at_the_end(config, tmp_path):
    def validate(checkpoint, scratch):
        raise ValueError("the judge is gone")

    with pytest.raises(ValueError, match="the judge is gone"):
        run_training(config, validate=validate)
    assert steps_of(tmp_path / "run" / "checkpoint") == 3
