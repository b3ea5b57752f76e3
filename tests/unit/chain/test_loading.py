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
from pancap.chain.output import open_records
from pancap.chain.shards import weight_files
from pancap.chain.stages import STAGES
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


def config(backend="vllm", model="some/model", **changes):
    return CaptionConfig(model=model, images="photos", backend=backend, **changes)


@pytest.mark.parametrize("backend", ["vllm", "ray"])
def test_a_chain_s_checkpoint_is_written_for_vllm_while_the_run_lasts(
    backend, checkpoint_dir, asked_for, tmp_path, monkeypatch
):
    """It lay in the driver's temporary folder, where no other node of a Ray cluster finds it; now it is in `out`."""
    monkeypatch.chdir(tmp_path)
    with open_captioner(config(backend, model=str(checkpoint_dir), out="out")) as captioner:
        (generator_config,) = asked_for
        folder = Path(generator_config.model)
        assert folder.parent == tmp_path / "out"
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
    with open_captioner(config(model=str(checkpoint_dir))):
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
        replace(first, model="another"),
        replace(first, backend="vllm"),
        replace(first, prompting=replace(first.prompting, prompts="B")),
        replace(first, prompting=replace(first.prompting, max_pixels=9)),
        replace(first, endpoint=replace(endpoint, body={"top_p": 0.5})),
    ):
        assert describe_run(other, mode="one_stage") != run
    vllm = replace(first, backend="vllm")
    assert describe_run(vllm, mode="one_stage") == describe_run(replace(vllm, backend="ray"), mode="one_stage")


def test_no_secret_of_the_settings_stays_in_the_folder_or_is_printed(tmp_path):
    """R30: a token in the body, the engine's arguments or the system message was written to run.json, and printed when
    the folder was asked to take another run; so was one that an earlier version had left there.
    """
    canary = "sk-canary-4242"
    prompting = PromptingConfig(prompts="A", boxes="pixels", system=canary)
    endpoint = EndpointConfig(base_url="http://localhost:1/v1", body={"user": canary})
    first = config("openai", endpoint=endpoint, prompting=prompting)
    for asked in (first, replace(first, backend="vllm", vllm=VllmConfig(engine={"hf_token": canary}))):
        run = describe_run(asked, mode="one_stage")
        assert canary not in json.dumps(run)
        (tmp_path / "captions.jsonl").touch()
        (tmp_path / "run.json").write_text(json.dumps(run | {"mode": "chain", "endpoint.body": canary}))
        with pytest.raises(UsageError, match=r"\(endpoint.body, mode: chain -> one_stage\)") as caught:
            open_records(tmp_path, run=run, overwrite=False)
        assert canary not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "other", "prompts", "boxes"),
    [
        ("prompts.PROMPTS", {"B": {"one_stage": "Something else."}}, "B", "pixels"),
        ("prompts.BOX_FORMS", {"pixels": "[[x1, y1]] in {width} and {height}"}, "B", "pixels"),
        ("prompts._EXAMPLE", "A cat [[0.100, 0.200, 0.300, 0.400]].", "B", "pixels"),
        ("stages.STAGES", {"one_stage": replace(STAGES["one_stage"], head="Tell all.")}, "trained", "text"),
    ],
)
def test_other_prompt_texts_are_another_run(text, other, prompts, boxes, monkeypatch):
    """Only the outermost text counted: with another form or example in it captions of two prompts were mixed."""
    asked = config("openai", prompting=PromptingConfig(prompts=prompts, boxes=boxes))
    before = describe_run(asked, mode="one_stage")
    assert describe_run(asked, mode="one_stage") == before
    monkeypatch.setattr(f"pancap.chain.{text}", other)
    assert describe_run(asked, mode="one_stage")["prompting.texts"] != before["prompting.texts"]


def test_an_endpoint_s_model_is_no_checkpoint_even_if_one_has_its_name():
    assert loading.is_checkpoint(config("openai", model="nano")) is False
    assert describe_run(config("openai", model="nano"), mode="chain")["model"] == "nano"


def test_another_model_s_folder_counts_by_what_is_in_it(tmp_path):
    """It counted by its path: fine-tuned weights in the same place went on with the captions of the old ones."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "README.md").write_text("a model")
    seen = []
    for name, content in (("config.json", "{}"), ("a.safetensors", "1"), ("a.safetensors", "2"), ("a.gguf", "1")):
        (folder / name).write_text(content)
        seen.append(describe_run(config(model=str(folder)), mode="chain"))
    (folder / "README.md").write_text("a good model")
    assert describe_run(config("ray", model=str(folder.rename(tmp_path / "moved"))), mode="chain") == seen[-1]
    assert len({run["model"] for run in seen}) == 4
    weights = (tmp_path / "moved" / "a.gguf").rename(tmp_path / "a.gguf")
    assert describe_run(config(model=str(weights)), mode="chain")["model"] != str(weights)
    assert describe_run(config(model="hub/model"), mode="chain")["model"] == "hub/model"
