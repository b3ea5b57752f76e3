"""Checkpoints scored beside a run, the best one kept."""

import os
from dataclasses import replace
from threading import Event, Thread

import pytest

from pancap.chain.model import load_checkpoint, read_meta, save_checkpoint
from pancap.chain.training.config import TrainConfig
from pancap.chain.training.run import run_training
from pancap.chain.training.validation import PENDING_FOLDER, VALIDATION_FILE, Validator, leave_for_validation
from pancap.configs import UsageError


@pytest.fixture
def config(squares_parquet, tiny_model, tmp_path):
    return TrainConfig(
        data=str(squares_parquet), out=str(tmp_path / "run"), model=tiny_model, steps=3, batch_size=4, num_workers=0,
        log_every=1, checkpoint_every=1, validation="held out",
    )  # fmt: skip


def steps_of(checkpoint):
    return read_meta(checkpoint).provenance["steps"]


def leave(out, *, step):
    """As the loop does."""
    checkpoint = out / "checkpoint"
    checkpoint.mkdir(exist_ok=True)
    (checkpoint / "weights").write_text(str(step))
    leave_for_validation(checkpoint, out=out, step=step)
    (checkpoint / "weights").unlink()


def score_weights(scores):
    return lambda checkpoint, scratch: {"overall": scores[int((checkpoint / "weights").read_text())]}


def score_all(validator, out, steps):
    """Every step scored before the next one comes."""
    found = []
    for step in steps:
        leave(out, step=step)
        while not any(item.step == step for item in found):
            found += [scored] if (scored := validator.poll()) else []
    return found + validator.finish()


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
    assert load_checkpoint(tmp_path / "run" / "best")
    assert not (tmp_path / "run" / PENDING_FOLDER).exists()


def test_the_best_checkpoint_stays_when_worse_ones_follow(tmp_path):
    scores = {1: 5.0, 2: 9.0, 3: 7.0}
    validator = Validator(tmp_path, data="", validate=score_weights(scores))
    assert [item.step for item in score_all(validator, tmp_path, scores)] == [1, 2, 3]
    assert validator.best.step == 2
    assert (tmp_path / "best" / "weights").read_text() == "2"


def test_while_one_is_scored_only_the_newest_of_the_others_waits(tmp_path):
    may_go_on, asked = Event(), []

    def validate(checkpoint, scratch):
        asked.append(int((checkpoint / "weights").read_text()))
        may_go_on.wait()
        return {"overall": 1.0}

    validator = Validator(tmp_path, data="", validate=validate)
    leave(tmp_path, step=1)
    assert validator.poll() is None
    for step in (2, 3, 4):
        leave(tmp_path, step=step)
    may_go_on.set()
    assert [item.step for item in validator.finish()] == [1, 4]
    assert asked == [1, 4]


def test_a_disk_without_hard_links_gets_copies(tmp_path, monkeypatch):
    """Every refused link once looked like a checkpoint being replaced just now: nothing was scored, nobody told."""

    def refuse(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    validator = Validator(tmp_path, data="", validate=score_weights({1: 5.0}))
    score_all(validator, tmp_path, [1])
    assert (tmp_path / "best" / "weights").read_text() == "1"


def test_a_kill_after_the_record_leaves_the_best_checkpoint_to_the_next_attempt(tmp_path, monkeypatch):
    """The record of a new best was written, its folder not yet in place: `best` was gone for good."""
    validator = Validator(tmp_path, data="", validate=score_weights({1: 5.0}))
    with monkeypatch.context() as patched:
        patched.setattr(Validator, "_settle", lambda self: None)
        leave(tmp_path, step=1)
        while not validator.poll():
            pass
    assert not (tmp_path / "best").exists()
    with (tmp_path / VALIDATION_FILE).open("a") as file:
        file.write('{"step": 2, "fig')
    again = Validator(tmp_path, data="", validate=score_weights({}))
    assert again.best.step == 1
    assert (tmp_path / "best" / "weights").read_text() == "1"


def test_figures_of_other_held_out_data_do_not_count(tmp_path):
    score_all(Validator(tmp_path, data="a", validate=score_weights({1: 99.0})), tmp_path, [1])
    other = Validator(tmp_path, data="b", validate=score_weights({2: 5.0}))
    assert other.best is None
    score_all(other, tmp_path, [2])
    assert (tmp_path / "best" / "weights").read_text() == "2"


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


def test_a_folder_without_something_that_scores_is_refused(config):
    with pytest.raises(UsageError, match="validation needs both"):
        run_training(config)


def test_two_threads_may_load_checkpoints_at_once(token_checkpoint, tmp_path):
    """transformers replaces a method of all models while it loads one; two loads at once left the replacement there,
    and every later checkpoint was refused as damaged."""
    save_checkpoint(
        token_checkpoint.model, tokenizer=token_checkpoint.tokenizer, directory=tmp_path, meta=token_checkpoint.meta
    )
    errors = []

    def load():
        try:
            for _ in range(3):
                load_checkpoint(tmp_path)
        except UsageError as error:
            errors.append(error)

    threads = [Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    load_checkpoint(tmp_path)
