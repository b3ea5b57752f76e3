"""Adapters, recomputation and passes: what is trained, and that the answers stay the same."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pancap.chain.model import load_checkpoint, save_checkpoint
from pancap.chain.training.adapters import add_adapters, merged
from pancap.chain.training.config import LoraConfig, TrainConfig
from pancap.chain.training.run import run_training

LORA = LoraConfig(rank=4, alpha=8)
IDS = torch.tensor([[1, 7, 8, 9]])


@pytest.fixture
def config(squares_parquet, text_checkpoint, tmp_path):
    parts = {"tokenizer": text_checkpoint.tokenizer, "meta": text_checkpoint.meta}
    start = save_checkpoint(text_checkpoint.model, directory=tmp_path / "init", **parts)
    return TrainConfig(
        data=str(squares_parquet), out=str(tmp_path / "run"), init=str(start), steps=3, batch_size=4, num_workers=0,
        log_every=1, checkpoint_every=2, lr=1e-2, cache=str(tmp_path / "cache"),
    )  # fmt: skip


def changed(first, second):
    """Names of the weights that differ."""
    weights = second.model.state_dict()
    return {name for name, value in first.model.state_dict().items() if not torch.equal(value, weights[name])}


def test_adapters_train_the_language_model_s_layers_alone(config):
    before = load_checkpoint(config.init)
    summary = run_training(replace(config, lora=LORA, freeze_vision=True))
    names = changed(before, load_checkpoint(summary.checkpoint))
    assert {name.split(".")[1] for name in names} == {"language_model", "multi_modal_projector"}
    layers = {name for name in names if "language_model" in name}
    assert layers and all(name.endswith("proj.weight") for name in layers)


def test_a_merged_model_answers_as_the_adapted_one(config):
    model = load_checkpoint(config.init).model
    with torch.no_grad():
        plain = model(input_ids=IDS).logits
        add_adapters(model, config=LORA, seed=3)
        assert torch.equal(model(input_ids=IDS).logits, plain)  # adapters begin as nothing
        for name, value in model.named_parameters():
            if "lora_B" in name:
                value.normal_()
        adapted = model(input_ids=IDS).logits
        fresh = load_checkpoint(config.init).model
        fresh.load_state_dict(merged(model.state_dict(), config=LORA))
        assert not torch.allclose(adapted, plain, atol=1e-2)
        assert torch.allclose(fresh(input_ids=IDS).logits, adapted, atol=1e-4)


def test_a_run_with_adapters_goes_on_where_it_stopped(config):
    whole = run_training(replace(config, lora=LORA, steps=4, out=config.out + "_whole"))
    halved = replace(config, lora=LORA, steps=4)
    run_training(halved)
    shutil.rmtree(Path(halved.out) / "state" / "step_0000004")
    again = run_training(replace(halved, resume=True))
    assert again.resumed_from == 2
    assert not changed(load_checkpoint(whole.checkpoint), load_checkpoint(again.checkpoint))


@pytest.mark.parametrize("saving", [{"gradient_checkpointing": True}, {"images_per_pass": 1}], ids=str)
def test_recomputation_and_passes_change_nothing(config, saving):
    plain = run_training(config)
    saved = run_training(replace(config, out=config.out + "_saving", **saving))
    assert saved.last["loss"] == pytest.approx(plain.last["loss"], rel=1e-5)


def test_settings_that_have_no_effect_are_refused(config):
    for wrong in ({"offload": "optimizer", "zero_stage": 1}, {"offload": "all", "zero_stage": 2}):
        with pytest.raises(ValueError, match="offload"):
            replace(config, num_workers=0, **wrong)
