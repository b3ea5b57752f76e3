"""From settings to a captioner: which backend, in which dialect, over which model."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pancap.chain import loading
from pancap.chain.config import CaptionConfig, DecodingConfig, PromptingConfig
from pancap.chain.dialects import TrainedDialect, ZeroShotDialect
from pancap.chain.loading import BOX_PROCESSOR, describe_run, is_in_vllm_layout, open_captioner
from pancap.chain.model import save_checkpoint
from pancap.chain.shards import weight_files
from pancap.configs import UsageError
from pancap.llm.config import EndpointConfig, VllmConfig
from pancap.llm.scripted import ScriptedGenerator


@pytest.fixture
def asked_for(monkeypatch):
    """What would be loaded, without loading it."""
    seen = []

    def load(config):
        seen.append(config)
        generator = ScriptedGenerator(lambda request: "None")
        generator.close = lambda: seen.append("closed")
        return generator

    monkeypatch.setattr("pancap.llm.loading.load_generator", load)
    monkeypatch.setattr("pancap.llm.ray_data.check_image_stage", lambda: None)
    return seen


@pytest.fixture
def checkpoint_dir(token_checkpoint, tmp_path):
    meta = replace(token_checkpoint.meta, mode="loc_tag_cap")
    model, tokenizer = token_checkpoint.model, token_checkpoint.tokenizer
    return save_checkpoint(model, tokenizer=tokenizer, directory=tmp_path / "checkpoint", meta=meta)


def config(backend="vllm", checkpoint="some/model", **changes):
    return CaptionConfig(checkpoint=checkpoint, images="photos", backend=backend, **changes)


def test_a_chain_s_checkpoint_is_written_for_vllm_while_the_run_lasts(checkpoint_dir, asked_for):
    with open_captioner(config(checkpoint=str(checkpoint_dir))) as captioner:
        (generator_config,) = asked_for
        folder = Path(generator_config.model)
        assert is_in_vllm_layout(folder) and not is_in_vllm_layout(checkpoint_dir)
        assert "<image>" in (folder / "chat_template.jinja").read_text()
        dialect = captioner.backend.dialect
        assert (captioner.mode, dialect.coordinates, dialect.image_px) == ("loc_tag_cap", "tokens", 32)
        assert generator_config.vllm.engine["logits_processors"] == [BOX_PROCESSOR]
    assert asked_for[-1] == "closed" and not folder.exists()


def test_a_checkpoint_in_vllm_s_layout_is_taken_as_it_is(checkpoint_dir, asked_for):
    """Writing 26 GB for each run of a converted 13B model would take longer than the run."""
    from safetensors.torch import load_file, save_file

    (file,) = weight_files(checkpoint_dir)
    save_file({name.removeprefix("model."): value for name, value in load_file(file).items()}, file)
    with open_captioner(config(checkpoint=str(checkpoint_dir))):
        assert asked_for[0].model == str(checkpoint_dir)
    assert checkpoint_dir.exists()


@pytest.mark.parametrize(
    ("changes", "mode", "kind"),
    [
        ({}, "chain", TrainedDialect),
        ({"prompting": PromptingConfig(prompts="A", boxes="pixels")}, "one_stage", ZeroShotDialect),
        ({"prompting": PromptingConfig(prompts="C", boxes="pixels")}, "chain", ZeroShotDialect),
        (
            {"prompting": PromptingConfig(prompts="C", boxes="pixels"), "mode": "two_stage"},
            "two_stage",
            ZeroShotDialect,
        ),
    ],
)
@pytest.mark.parametrize("backend", ["vllm", "ray", "openai"])
def test_another_model_is_asked_as_the_settings_say(changes, mode, kind, backend, asked_for):
    with open_captioner(config(backend, **changes)) as captioner:
        assert (captioner.mode, type(captioner.backend.dialect)) == (mode, kind)
    assert (asked_for[0].model, asked_for[0].backend) == ("some/model", {"openai": "endpoint"}.get(backend, backend))
    is_held = kind is TrainedDialect and backend != "openai"
    assert ("logits_processors" in asked_for[0].vllm.engine) == is_held


def test_without_constraints_the_engine_needs_no_processor_and_the_user_s_own_stay(asked_for):
    own = VllmConfig(engine={"logits_processors": ["mine:Processor"]})
    with open_captioner(config(decoding=DecodingConfig(enable_constraints=False), vllm=own)):
        assert asked_for[0].vllm == own
    with open_captioner(config(vllm=own)):
        assert asked_for[-1].vllm.engine["logits_processors"] == ["mine:Processor", BOX_PROCESSOR]


def test_prompts_that_do_not_fit_the_mode_are_refused_before_anything_is_loaded(asked_for):
    asked = config(mode="chain", prompting=PromptingConfig(prompts="A", boxes="pixels"))
    with pytest.raises(UsageError, match="prompts=A does not go with mode=chain"), open_captioner(asked):
        pass
    assert asked_for == []


def test_what_makes_a_caption_decides_whether_a_run_may_go_on():
    """R2: the model, its prompts and limits count; where and how fast it runs does not."""
    endpoint = EndpointConfig(base_url="http://localhost:1/v1")
    first = config("openai", endpoint=endpoint, prompting=PromptingConfig(prompts="A", boxes="pixels"))
    run = describe_run(first, mode="one_stage")
    json.dumps(run)
    moved = replace(endpoint, base_url="http://elsewhere:1/v1", concurrency=3)
    assert describe_run(replace(first, endpoint=moved), mode="one_stage") == run
    for other in (
        replace(first, checkpoint="another"),
        replace(first, backend="vllm"),
        replace(first, prompting=replace(first.prompting, prompts="B")),
        replace(first, prompting=replace(first.prompting, max_pixels=9)),
        replace(first, endpoint=replace(endpoint, body={"top_p": 0.5})),
    ):
        assert describe_run(other, mode="one_stage") != run
    vllm = replace(first, backend="vllm")
    assert describe_run(vllm, mode="chain") == describe_run(replace(vllm, backend="ray"), mode="chain")


def test_other_prompt_texts_are_another_run(monkeypatch):
    asked = config("openai", prompting=PromptingConfig(prompts="A", boxes="pixels"))
    before = describe_run(asked, mode="one_stage")
    monkeypatch.setattr("pancap.chain.prompts.PROMPTS", {"A": {"one_stage": "Something else."}})
    assert describe_run(asked, mode="one_stage") != before
    assert loading.is_checkpoint(replace(asked, checkpoint="nano")) is False
