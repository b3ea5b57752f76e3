"""Every preset of `pancap caption` is complete: it needs the images and nothing else."""

import pytest

from pancap.chain.config import CaptionConfig
from pancap.chain.prompts import check_prompts
from pancap.configs import UsageError, load_config, preset_names
from pancap.llm.config import GeneratorConfig

PRESETS = [name for name in preset_names() if name.startswith("caption/")]


def test_every_model_and_baseline_of_the_paper_has_one():
    assert {name.removeprefix("caption/") for name in PRESETS} >= {
        "nano_chain",
        "nano_loc_tag_cap",
        "nano_two_stage",
        "nano_one_stage",
        "pancapchain_13b_vllm_1gpu",
        "pancapchain_13b_transformers_1gpu",
        "internvl2.5_78b_vllm_4gpu",
        "qwen2.5-vl-72b_vllm_4gpu",
        "gpt-4o_openai",
        "gemini_openai",
    }


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_taken_as_it_is(name):
    config, _ = load_config(CaptionConfig, name, ["images=photos"])
    if config.backend == "transformers":
        return
    backend = "endpoint" if config.backend == "openai" else config.backend
    GeneratorConfig(backend=backend, model=config.model, endpoint=config.endpoint, vllm=config.vllm).check()
    if config.prompting.prompts != "trained":
        check_prompts(config.prompting.prompts, config.mode)
    longest = max(config.decoding.max_new_tokens(stage) for stage in ("loc", "tag", "disc", "cap"))
    assert config.backend == "openai" or longest < config.vllm.max_model_len / 2


@pytest.mark.parametrize("name", [name for name in PRESETS if "vl" in name.split("_")[0] or "openai" in name])
@pytest.mark.parametrize(
    "overrides", [["mode=two_stage"], ["mode=loc_tag_cap"], ["mode=one_stage", "prompting.prompts=B"]], ids=str
)
def test_the_baselines_that_a_preset_names_can_be_had(name, overrides):
    config, _ = load_config(CaptionConfig, name, ["images=photos", *overrides])
    check_prompts(config.prompting.prompts, config.mode)


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["prompting.prompts=A"], "boxes=text does not go with prompting.prompts=A"),
        (["prompting.boxes=pixels"], "boxes=pixels does not go with prompting.prompts=trained"),
        (["prompting.prompts=A", "prompting.boxes=pixels", "prompting.multiple_px=0"], "multiple_px must be >= 1"),
        (["images=[]"], "images must name"),
        (["max_bad_fraction=2"], "max_bad_fraction must be in 0..1"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(overrides, says):
    with pytest.raises(UsageError, match=says):
        load_config(CaptionConfig, None, ["model=m", "images=photos", *overrides])


def test_prompts_refuse_a_mode_that_they_do_not_ask_for():
    with pytest.raises(UsageError, match=r"prompts=A does not go with mode=chain; A and B take one_stage"):
        check_prompts("A", "chain")
    with pytest.raises(UsageError, match="mode=one_stage"):
        check_prompts("C", "one_stage")
