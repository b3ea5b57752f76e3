"""Checkpoints in LLaVA 1.x layout, converted: same logits, same ids, every weight used, every damage named."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from pancap.chain.conversion.config import ConvertConfig
from pancap.chain.conversion.convert import convert
from pancap.chain.images import to_pixels
from pancap.chain.model import load_checkpoint
from pancap.chain.tokenizer import decode, encode, encode_answer, encode_prompt, token_ids
from pancap.configs import UsageError

# Tests are no package, so what lies beside them is loaded by its path.
spec = importlib.util.spec_from_file_location("llava_checkpoints", Path(__file__).with_name("llava_checkpoints.py"))
llava = importlib.util.module_from_spec(spec)
spec.loader.exec_module(llava)

PROMPT = "Please localize all entities in this image."


@pytest.fixture(scope="module")
def parts():
    return llava.language_model(), llava.vision_tower(), llava.projector()


@pytest.fixture(scope="module")
def weights(parts):
    """Everything in one checkpoint, as LLaVA 1.5 is published."""
    model, tower, project = parts
    inner = {f"model.vision_tower.vision_tower.{name}": value for name, value in llava.tower_weights(tower).items()}
    return llava.language_weights(model) | llava.projector_weights(project) | inner


@pytest.fixture
def clip(parts, tmp_path):
    return llava.write_clip(tmp_path / "clip", parts[1])


def converted(tmp_path, family="asmv2", **settings):
    convert(ConvertConfig(out=str(tmp_path / "out"), **{k: str(v) for k, v in settings.items()}), family=family)
    return load_checkpoint(tmp_path / "out")


def logits_of(checkpoint, pictures):
    """Of the converted model after prefix and prompt, and the ids that LLaVA would take."""
    prompt = encode_prompt(checkpoint.tokenizer, PROMPT, layout=checkpoint.meta.layout)
    pixels = to_pixels(pictures[1:2], image_px=checkpoint.image_px, resample=checkpoint.meta.resample)
    with torch.no_grad():
        ids = torch.tensor([[*checkpoint.prefix_ids, *prompt]])
        return checkpoint.model(input_ids=ids, pixel_values=pixels).logits[0], pixels


def assert_same_logits(checkpoint, parts, pictures):
    ours, pixels = logits_of(checkpoint, pictures)
    ids = llava.llava_ids(PROMPT)
    theirs = llava.llava_logits(*parts, ids=ids, image_at=ids.index(-200), pixels=pixels)
    assert ours.shape[0] == theirs.shape[0]
    assert torch.allclose(ours[:, : llava.ROWS], theirs, atol=1e-4 * theirs.abs().max())
    assert torch.equal(ours.argmax(1), theirs.argmax(1))


@pytest.mark.parametrize("suffix", ["bin", "safetensors"])
def test_a_whole_checkpoint_gives_llava_s_logits(parts, weights, clip, tmp_path, pictures, suffix):
    source = llava.write_llava(tmp_path / "llava", weights, suffix=suffix)
    checkpoint = converted(tmp_path, source=source, vision=clip)
    assert_same_logits(checkpoint, parts, pictures)
    assert (checkpoint.meta.coordinates, checkpoint.meta.mode) == ("text", "chain")


def test_a_checkpoint_without_a_tower_takes_clip_s(parts, weights, clip, tmp_path, pictures):
    bare = {name: value for name, value in weights.items() if "vision_tower" not in name}
    source = llava.write_llava(tmp_path / "llava", bare)
    assert_same_logits(converted(tmp_path, "llava", source=source, vision=clip), parts, pictures)


@pytest.mark.parametrize("is_stabilized", [False, True])
def test_an_adapter_is_merged_as_peft_runs_it(parts, weights, clip, tmp_path, pictures, is_stabilized):
    from peft import LoraConfig, get_peft_model

    _, tower, project = parts
    base = llava.write_llava(tmp_path / "base", llava.language_weights(parts[0]) | llava.projector_weights(project))
    adapted = get_peft_model(
        llava.language_model(),
        LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], use_rslora=is_stabilized),
    ).eval()
    trained = llava.projector(seed=9)
    with torch.no_grad():
        for name, value in adapted.named_parameters():
            if "lora_B" in name:
                value.normal_(std=0.3)
    source = tmp_path / "lora"
    adapted.save_pretrained(source)
    (source / "config.json").write_text(json.dumps(llava.llava_settings()))
    wrapped = {f"base_model.model.{name}": value for name, value in llava.projector_weights(trained).items()}
    torch.save(wrapped, source / "non_lora_trainables.bin")
    checkpoint = converted(tmp_path, source=source, base=base, vision=clip)
    assert_same_logits(checkpoint, (adapted, tower, trained), pictures)
    assert checkpoint.meta.provenance["merged"] == 4


def test_ids_are_those_that_llava_makes(weights, clip, tmp_path):
    """Known boxes stand between added tokens: each piece starts with a word boundary, blanks around them go."""
    import sentencepiece

    source = llava.write_llava(tmp_path / "llava", weights)
    checkpoint = converted(tmp_path, source=source, vision=clip)
    tokenizer, image = checkpoint.tokenizer, token_ids(checkpoint.tokenizer).image
    ids = llava.llava_ids(PROMPT)
    at = ids.index(-200)
    assert checkpoint.prefix_ids == [*ids[:at], *[image] * 4]
    assert encode_prompt(tokenizer, PROMPT, layout="vicuna") == ids[at + 1 :]
    pieces = sentencepiece.SentencePieceProcessor(model_proto=llava.sentencepiece_model())
    boxed = [*pieces.encode("a cat"), 400, *pieces.encode("[[1, 2, 3, 4]]"), 401, *pieces.encode(", sat")]
    assert encode(tokenizer, "a cat <box>[[1, 2, 3, 4]]</box>, sat") == boxed
    answer = encode_answer(tokenizer, "a cat sat", layout="vicuna")
    assert answer == [*pieces.encode("ASSISTANT: a cat sat")[len(pieces.encode("ASSISTANT:")) :], 2]
    assert decode(tokenizer, [*answer, 0]) == "a cat sat"
    assert decode(tokenizer, boxed) == "a cat <box>[[1, 2, 3, 4]]</box>, sat"


def test_engines_that_are_sent_messages_make_the_same_ids(weights, clip, tmp_path):
    source = llava.write_llava(tmp_path / "llava", weights)
    tokenizer = converted(tmp_path, source=source, vision=clip).tokenizer
    content = [{"type": "image"}, {"type": "text", "text": PROMPT}]
    made = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=False
    )
    assert made == [token if token != -200 else 403 for token in llava.llava_ids(PROMPT)]


def test_images_are_prepared_as_llava_does(weights, clip, tmp_path, pictures):
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

    source = llava.write_llava(tmp_path / "llava", weights)
    checkpoint = converted(tmp_path, source=source, vision=clip)
    config = json.loads((tmp_path / "out" / "preprocessor_config.json").read_text())
    assert config["resample"] == 3
    theirs = LlavaImageProcessorPil(**config)(pictures[1], return_tensors="pt").pixel_values
    ours = to_pixels(pictures[1:2], image_px=checkpoint.image_px, resample=checkpoint.meta.resample)
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_image_token_is_never_chosen(weights, clip, tmp_path, pictures):
    source = llava.write_llava(tmp_path / "llava", weights)
    logits, _ = logits_of(converted(tmp_path, source=source, vision=clip), pictures)
    assert torch.equal(logits[:, llava.ROWS], logits[:, 0])  # as likely as the unknown token, which comes first


def test_a_large_checkpoint_is_written_in_shards(parts, weights, clip, tmp_path, pictures):
    from safetensors.torch import load_file

    source = llava.write_llava(tmp_path / "llava", weights)
    config = ConvertConfig(source=str(source), out=str(tmp_path / "out"), vision=str(clip), shard_bytes=100_000)
    summary = convert(config, family="asmv2")
    files = sorted((tmp_path / "out").glob("model-*.safetensors"))
    assert len(files) == summary.num_files > 2
    assert all(sum(tensor.nbytes for tensor in load_file(file).values()) <= 100_000 for file in files)
    assert_same_logits(load_checkpoint(tmp_path / "out"), parts, pictures)


def test_the_chain_runs_on_a_converted_checkpoint(weights, clip, tmp_path, pictures):
    from pancap.chain.captioner import load_captioner
    from pancap.chain.config import DecodingConfig

    short = DecodingConfig(**{f"max_new_tokens_{stage}": 12 for stage in ("loc", "tag", "disc", "cap")})
    source = llava.write_llava(tmp_path / "llava", weights)
    convert(ConvertConfig(source=str(source), out=str(tmp_path / "out"), vision=str(clip)), family="asmv2")
    results = load_captioner(tmp_path / "out", decoding=short).caption(pictures[:2])
    assert [set(result.stages) >= {"loc", "disc", "cap"} for result in results] == [True, True]


def test_training_goes_on_from_a_converted_checkpoint_to_vllm_s_layout(
    weights, clip, tmp_path, pictures, squares_parquet
):
    """The whole road of the published model: converted, adapters trained and merged, exported, same logits."""
    from transformers import LlavaForConditionalGeneration

    from pancap.chain.export import export_for_vllm
    from pancap.chain.training.config import LoraConfig, TrainConfig
    from pancap.chain.training.run import run_training

    source = llava.write_llava(tmp_path / "llava", weights)
    before = converted(tmp_path, source=source, vision=clip)
    summary = run_training(
        TrainConfig(
            data=str(squares_parquet),
            init=str(tmp_path / "out"),
            out=str(tmp_path / "run"),
            steps=2,
            batch_size=2,
            num_workers=0,
            lora=LoraConfig(rank=2, alpha=4),
            freeze_vision=True,
            max_tokens=4000,
            lr=1e-2,
            limit=4,
        )
    )
    after = load_checkpoint(summary.checkpoint)
    assert (after.meta.layout, after.meta.resample, after.meta.mode) == ("vicuna", "bicubic", "chain")
    logits, pixels = logits_of(after, pictures)
    assert not torch.allclose(logits, logits_of(before, pictures)[0], atol=1e-3)
    folder = export_for_vllm(after, directory=tmp_path / "export")
    exported = LlavaForConditionalGeneration.from_pretrained(folder, local_files_only=True)
    assert exported.config.vision_config.num_hidden_layers == 3 and exported.config.vision_feature_layer == -2
    ids = torch.tensor([[*after.prefix_ids, *encode_prompt(after.tokenizer, PROMPT, layout="vicuna")]])
    with torch.no_grad():
        assert torch.equal(exported(input_ids=ids, pixel_values=pixels).logits[0], logits)


def test_half_precision_is_kept_as_it_was_stored(weights, clip, tmp_path):
    from safetensors.torch import load_file

    source = llava.write_llava(tmp_path / "llava", {name: value.half() for name, value in weights.items()})
    converted(tmp_path, source=source, vision=clip)
    stored = load_file(tmp_path / "out" / "model.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.float16}
    name = "language_model.model.layers.1.mlp.up_proj.weight"
    assert torch.equal(stored[name], weights["model.layers.1.mlp.up_proj.weight"].half())
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "float16"


DAMAGES = {
    "missing": "lacks model.layers.1.mlp.up_proj.weight",
    "extra": "has no place for model.layers.7.mlp.up_proj.weight",
    "shape": r"model.norm.weight must be \(32,\) by config.json, got \(31,\)",
    "rows": r"model.embed_tokens.weight must be \(403, 32\)",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_weight_too_few_too_many_or_too_small_is_named(weights, clip, tmp_path, damage):
    changed = dict(weights)
    if damage == "missing":
        del changed["model.layers.1.mlp.up_proj.weight"]
    elif damage == "extra":
        changed["model.layers.7.mlp.up_proj.weight"] = torch.ones(2)
    elif damage == "shape":
        changed["model.norm.weight"] = torch.ones(31)
    else:
        changed["model.embed_tokens.weight"] = torch.ones(400, 32)
    source = llava.write_llava(tmp_path / "llava", changed)
    with pytest.raises(UsageError, match=DAMAGES[damage]):
        converted(tmp_path, source=source, vision=clip)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", ["bin", "safetensors"])
@pytest.mark.parametrize("damage", ["cut", "gone", "unlisted"])
def test_a_damaged_file_is_named(weights, clip, tmp_path, suffix, damage):
    source = llava.write_llava(tmp_path / "llava", weights, suffix=suffix)
    file = sorted(source.glob(f"*-00002.{suffix}"))[0]
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-1000])
    elif damage == "gone":
        file.unlink()
    else:
        index = next(source.glob("*.index.json"))
        listed = json.loads(index.read_text())
        listed["weight_map"]["model.ghost"] = file.name
        index.write_text(json.dumps(listed))
    with pytest.raises(UsageError, match="model.ghost" if damage == "unlisted" else file.name):
        converted(tmp_path, source=source, vision=clip)


def test_pickled_objects_are_never_run(clip, tmp_path):
    """R29: published checkpoints are pickles; only tensors are taken from them."""

    class Payload:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").mkdir, ())

    source = llava.write_llava(tmp_path / "llava", {"a": torch.ones(1)})
    torch.save({"a": Payload()}, source / "pytorch_model-00001-of-00002.bin")
    with pytest.raises(UsageError, match="cannot be read"):
        converted(tmp_path, source=source, vision=clip)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "settings",
    [{"image_aspect_ratio": "anyres"}, {"mm_projector_type": "linear"}, {"mm_use_im_start_end": True}],
    ids=lambda settings: next(iter(settings)),
)
def test_what_the_chain_cannot_do_is_refused(weights, clip, tmp_path, settings):
    source = llava.write_llava(tmp_path / "llava", weights, **settings)
    with pytest.raises(UsageError, match=next(iter(settings))):
        converted(tmp_path, source=source, vision=clip)


def test_what_is_missing_says_what_to_give(weights, clip, tmp_path):
    bare = {name: value for name, value in weights.items() if "vision_tower" not in name}
    source = llava.write_llava(tmp_path / "llava", bare)
    with pytest.raises(UsageError, match="vision=DIR"):
        converted(tmp_path, source=source)
    (source / "adapter_config.json").write_text("{}")
    with pytest.raises(UsageError, match="base=DIR"):
        converted(tmp_path, source=source, vision=clip)


def test_a_configuration_without_sizes_is_refused(weights, clip, tmp_path):
    source = llava.write_llava(tmp_path / "llava", weights)
    settings = json.loads((source / "config.json").read_text())
    del settings["vocab_size"]
    (source / "config.json").write_text(json.dumps(settings))
    with pytest.raises(UsageError, match="does not say vocab_size"):
        converted(tmp_path, source=source, vision=clip)


def test_openai_s_towers_are_known_by_name():
    from pancap.chain.conversion.settings import vision_config

    tower = vision_config({"mm_vision_tower": "openai/clip-vit-large-patch14-336"}, folder=None)
    assert (tower.image_size, tower.patch_size, tower.num_hidden_layers, tower.hidden_act) == (
        336,
        14,
        24,
        "quick_gelu",
    )
