"""Presets for clusters: complete, with the published figures, and in DeepSpeed's own schema."""

import re
from types import SimpleNamespace

import pytest

from pancap.chain.training.config import LanguageTrainConfig, TrainConfig, VisionTrainConfig
from pancap.chain.training.engines import deepspeed_config
from pancap.configs import UsageError, load_config, preset_names, preset_path

ZERO = {  # stage and offload of each
    "pancapchain_13b_4xa100": (2, "none"),
    "pancapchain_13b_8xh100": (2, "none"),
    "pancapchain_13b_1x24gb": (3, "all"),
    "llava15_7b_4xa100": (2, "none"),
}
PRESETS = tuple(ZERO)
SCHEMAS = {"train/nano_vision": VisionTrainConfig, "train/nano_language": LanguageTrainConfig}
GIVEN = ["data=DATA", "out=OUT", "init=START"]


def preset(name, *more):
    return load_config(TrainConfig, f"train/{name}", [*GIVEN, *more])[0]


def load(name):
    """A preset of training, with all that it asks for given."""
    asked = re.findall(r"^(\w+): \?\?\?", preset_path(name).read_text(), re.MULTILINE)
    given = [f"{key}=GIVEN" for key in ("data", "out", *asked)]
    return load_config(SCHEMAS.get(name, TrainConfig), name, given)[0]


def test_every_preset_loads_and_every_zero_stage_has_one():
    loaded = [load(name) for name in preset_names() if name.startswith("train/")]
    chains = [config for config in loaded if isinstance(config, TrainConfig)]
    assert {config.zero_stage for config in chains} == {0, 1, 2, 3}
    assert {config.offload for config in chains} >= {"none", "all"}


@pytest.mark.parametrize("name", PRESETS)
def test_a_cluster_preset_has_the_published_figures(name):
    config = preset(name)
    assert (config.lora.rank, config.lora.alpha, config.lr, config.vision_lr) == (128, 256, 2e-4, 2e-5)
    assert (config.warmup, config.weight_decay) == (0.03, 0.0)
    assert (config.zero_stage, config.offload) == ZERO[name]
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
