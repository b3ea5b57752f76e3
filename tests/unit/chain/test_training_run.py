"""Training runs in this process: vision tower, chain, states, metrics."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from pancap.chain.data.datasets import read_training_images
from pancap.chain.model import load_checkpoint, read_meta
from pancap.chain.training.config import LoraConfig, TrainConfig, VisionTrainConfig
from pancap.chain.training.patches import collect_classes, patch_targets
from pancap.chain.training.run import run_training
from pancap.chain.training.schedule import cosine_with_warmup, progress_of_run
from pancap.chain.training.states import MANIFEST
from pancap.chain.training.vision import TOWER_FILE, mirrored, train_vision
from pancap.configs import StoppedError, UsageError, load_config


@pytest.fixture
def config(squares_parquet, tiny_model, tmp_path):
    return TrainConfig(
        data=str(squares_parquet), out=str(tmp_path / "run"), model=tiny_model, steps=4, batch_size=4, num_workers=0,
        log_every=1, checkpoint_every=2, lr=1e-3,
    )  # fmt: skip


def losses(out):
    return {
        (line := json.loads(text))["step"]: line["loss"] for text in (out / "metrics.jsonl").read_text().splitlines()
    }


def test_run_writes_a_checkpoint_and_reports_every_step_once(config, tmp_path):
    seen = []
    summary = run_training(config, config_text="steps: 4\n", on_metrics=lambda step, figures: seen.append(step))
    assert seen == [1, 2, 3, 4]
    assert (summary.steps, summary.images, summary.resumed_from) == (4, 16, 0)
    assert read_meta(summary.checkpoint).mode == "chain"
    assert load_checkpoint(summary.checkpoint).meta.provenance["steps"] == 4
    assert (tmp_path / "run" / "config.yaml").read_text() == "steps: 4\n"
    assert "4 steps" in summary.render()
    json.dumps(summary.to_dict())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_resumed_run_goes_on_as_if_it_had_never_stopped(config, tmp_path, precision):
    """R10: same losses as the run in one piece, no step logged twice; R11: a state whose manifest was cut is none."""
    config = replace(config, precision=precision)
    whole = replace(config, out=str(tmp_path / "whole"))
    run_training(whole)

    state = tmp_path / "run" / "state"
    run_training(config)
    for folder in state.glob("step_0000004"):
        folder.joinpath(MANIFEST).write_text('{"st')
    seen = []
    summary = run_training(replace(config, resume=True), on_metrics=lambda step, figures: seen.append(step))
    assert summary.resumed_from == 2
    assert seen[-2:] == [3, 4]
    assert losses(tmp_path / "run") == losses(tmp_path / "whole")


def test_without_resume_a_run_starts_anew(config):
    run_training(config)
    assert run_training(config).resumed_from == 0


def test_state_that_is_shared_out_among_workers_is_refused(config, tmp_path):
    """R12."""
    run_training(config)
    manifest = tmp_path / "run" / "state" / "step_0000004" / MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"made_with": {"layout": "ZeRO 1 of 2"}}))
    with pytest.raises(UsageError, match=r"layout ZeRO 1 of 2, now whole.*init=.*checkpoint"):
        run_training(replace(config, resume=True))


def test_bfloat16_learns_as_float32_does(config, tmp_path):
    """Without DeepSpeed, as on a GPU machine that has torch alone."""
    config = replace(config, steps=12, lr=1e-2)
    run_training(config)
    summary = run_training(replace(config, precision="bfloat16", out=str(tmp_path / "rounded")))
    theirs, ours = losses(tmp_path / "run"), losses(tmp_path / "rounded")
    assert theirs[12] < 0.8 * theirs[1]
    assert ours == pytest.approx(theirs, rel=2e-2) and ours != theirs
    assert summary.skipped_steps == 0


def test_steps_too_small_for_bfloat16_add_up(config, tmp_path):
    """Its weights have three digits: steps of a millionth would leave most of them where they are for ever."""
    run_training(replace(config, precision="bfloat16", lr=1e-6, vision_lr=1e-6))
    state = torch.load(tmp_path / "run" / "state" / "step_0000004" / "engine.pt")
    exact = torch.cat([weight.flatten() for weight in state["exact"]])
    assert exact.dtype == torch.float32
    assert (exact != exact.bfloat16()).float().mean() > 0.9


def test_resuming_with_other_adapters_is_refused(config):
    """R2: another alpha would rescale what the factors have learned, another rank drop it."""
    run_training(config)
    with pytest.raises(UsageError, match=r"lora .*'rank': 0.*, now .*'rank': 4"):
        run_training(replace(config, resume=True, lora=LoraConfig(rank=4)))


def test_nan_loss_is_skipped_then_ends_the_run(config, monkeypatch):
    """R13: two bad steps are survived and counted, three in a row end it."""
    from pancap.chain.training import engines

    calls = {"num": 0, "bad": {1, 2}}
    forward = engines.PlainEngine.forward

    def poisoned(self, batch):
        calls["num"] += 1
        parts = forward(self, batch)
        return replace(parts, total=parts.total * float("nan")) if calls["num"] in calls["bad"] else parts

    monkeypatch.setattr(engines.PlainEngine, "forward", poisoned)
    summary = run_training(replace(config, max_bad_steps=3))
    assert summary.skipped_steps == 2
    assert all(torch.isfinite(p).all() for p in load_checkpoint(summary.checkpoint).model.parameters())
    calls.update(num=0, bad={2, 3, 4})
    with pytest.raises(StoppedError, match="NaN or infinite in 3 steps in a row"):
        run_training(replace(config, max_bad_steps=3))


def test_dataset_of_over_long_images_is_refused(config):
    """R14."""
    with pytest.raises(UsageError, match="max_tokens=5"):
        run_training(replace(config, max_tokens=5))


def test_one_stage_and_sequential_runs_train(config, tmp_path):
    one = run_training(replace(config, mode="one_stage", steps=2))
    assert set(one.last) >= {"loss_one_stage"} and "loss_loc" not in one.last
    run_training(replace(config, stages="sequential", out=str(tmp_path / "sequential")))
    lines = [json.loads(line) for line in (tmp_path / "sequential" / "metrics.jsonl").read_text().splitlines()]
    assert [[key for key in line if key.startswith("loss_")] for line in lines] == [
        ["loss_loc", "loss_patches"], ["loss_tag", "loss_patches"], ["loss_disc", "loss_patches"], ["loss_cap", "loss_patches"],
    ]  # fmt: skip


def test_run_starts_from_a_checkpoint_or_a_vision_tower(config, squares_parquet, tiny_model, tmp_path):
    vision = VisionTrainConfig(
        data=str(squares_parquet), out=str(tmp_path / "vision"), model=tiny_model, steps=3, batch_size=4, num_threads=1
    )
    summary = train_vision(vision)
    assert (tmp_path / "vision" / TOWER_FILE).is_file() and summary.images == 12
    run_training(replace(config, vision=vision.out, steps=1))
    start = load_checkpoint(tmp_path / "run" / "start")
    from safetensors.torch import load_file

    tower = load_file(str(tmp_path / "vision" / TOWER_FILE))
    found = start.model.model.vision_tower.state_dict()
    assert all(torch.equal(found[name], value) for name, value in tower.items())
    again = replace(config, init=str(tmp_path / "run" / "checkpoint"), out=str(tmp_path / "again"), steps=1)
    run_training(again)
    assert load_checkpoint(tmp_path / "again" / "start").tokenizer.get_vocab() == start.tokenizer.get_vocab()
    with pytest.raises(UsageError, match="other sizes"):
        run_training(replace(config, vision=vision.out, model=replace(tiny_model, vision_layers=2)))


def test_a_patch_belongs_to_the_smallest_box_around_its_centre(squares_parquet):
    images = read_training_images(squares_parquet, with_content=True)
    classes = collect_classes(images, max_tags=8)
    assert classes.tags[0] == "square" and {"is red", "is green", "is blue"} >= set(classes.attributes)
    for image in images[:4]:
        targets = patch_targets(image, classes=classes, grid=8)
        for patch in range(64):
            x, y = (patch % 8 + 0.5) / 8, (patch // 8 + 0.5) / 8
            around = [
                item.box
                for item in image.instances
                if item.box.x1 <= x < item.box.x2 and item.box.y1 <= y < item.box.y2
            ]
            if not around:
                assert targets.tags_P[patch] == -1
            else:
                smallest = min(around, key=lambda box: box.area)
                np.testing.assert_allclose(targets.boxes_P4[patch], smallest.as_tuple(), atol=1e-3)
                assert targets.attributes_PA[patch].sum() == 1
        twice = mirrored(mirrored(targets, grid=8), grid=8)
        np.testing.assert_allclose(
            twice.boxes_P4[targets.tags_P >= 0], targets.boxes_P4[targets.tags_P >= 0], atol=1e-6
        )


def test_rate_rises_falls_and_follows_the_clock():
    assert progress_of_run(10, steps=100, elapsed_s=50, time_limit_s=100) == 0.5
    assert progress_of_run(10, steps=100, elapsed_s=50, time_limit_s=None) == 0.1
    rates = [cosine_with_warmup(step / 100, warmup=0.1) for step in range(101)]
    assert max(rates) == rates[10] == 1.0 and rates[100] == 0.0
    assert rates[:11] == sorted(rates[:11]) and rates[10:] == sorted(rates[10:], reverse=True)


def test_nano_and_its_baseline_are_trained_on_one_budget():
    chain, alone = (
        load_config(TrainConfig, f"train/{name}", ["data=d", "out=o", "init=i"])[0]
        for name in ("nano_scenes_cpu", "nano_one_stage")
    )
    names = ("steps", "batch_size", "lr", "vision_lr", "warmup", "freeze_vision", "order", "seed")
    assert [getattr(chain, name) for name in names] == [getattr(alone, name) for name in names]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("batch_size=3", "multiple of num_workers"),
        ("min_workers=3", "in 1..num_workers, got 3 and 2"),
        ("min_workers=1", "needs zero_stage=0"),
        ("lr=-1", "lr must be > 0"),
        ("loss.box.giou=-1", "loss.box.giou must be"),
    ],
)
def test_senseless_settings_are_refused(override, message):
    with pytest.raises(UsageError, match=message):
        load_config(TrainConfig, None, ["data=d", "out=o", override])
