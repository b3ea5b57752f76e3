"""Presets for clusters: complete, with the published figures, and in DeepSpeed's own schema."""

from types import SimpleNamespace

import pytest

from pancap.chain.training.config import TrainConfig
from pancap.chain.training.engines import deepspeed_config
from pancap.configs import UsageError, load_config

PRESETS = ("pancapchain_13b_4xa100", "pancapchain_13b_8xh100", "llava15_7b_4xa100")
GIVEN = ["data=DATA", "out=OUT", "init=START"]


def preset(name, *more):
    return load_config(TrainConfig, f"train/{name}", [*GIVEN, *more])[0]


@pytest.mark.parametrize("name", PRESETS)
def test_a_cluster_preset_has_the_published_figures(name):
    config = preset(name)
    assert (config.lora.rank, config.lora.alpha, config.lr, config.vision_lr) == (128, 256, 2e-4, 2e-5)
    assert (config.warmup, config.weight_decay, config.zero_stage) == (0.03, 0.0, 2)
    assert (config.precision, config.gradient_checkpointing, config.device) == ("bfloat16", True, "cuda")
    samples = 4 * config.batch_size  # one for each stage
    epochs = {128: 2, 512: 1}[samples]
    assert config.steps * config.batch_size == pytest.approx(epochs * 9000, rel=0.01)


@pytest.mark.parametrize("name", PRESETS)
def test_a_cluster_preset_asks_for_its_start(name):
    with pytest.raises(UsageError, match="init"):
        load_config(TrainConfig, f"train/{name}", GIVEN[:2])


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("more", [(), ("zero_stage=3", "offload=all"), ("offload=optimizer",)], ids=str)
def test_deepspeed_accepts_the_preset(name, more, monkeypatch):
    from pancap.chain.training.cluster import prepare_deepspeed

    prepare_deepspeed()
    from deepspeed.runtime.config import DeepSpeedConfig

    monkeypatch.setattr("deepspeed.comm.get_rank", lambda: 0)  # else it takes this process for the whole cluster
    config = preset(name, *more)
    workers = SimpleNamespace(get_data_parallel_world_size=lambda: config.num_workers)
    parsed = DeepSpeedConfig(deepspeed_config(config, world_size=config.num_workers), mpu=workers)
    assert parsed.train_batch_size == config.batch_size
    assert parsed.zero_config.stage == config.zero_stage
    assert parsed.bfloat16_config.enabled
    offload = parsed.zero_config.offload_optimizer
    assert (offload is not None and offload.device == "cpu") == (config.offload != "none")
    assert parsed._param_dict["optimizer"]["params"]["torch_adam"]
