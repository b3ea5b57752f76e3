import json
import pickle

import pytest
import torch

from pancap.chain.images import to_pixels
from pancap.chain.model import CheckpointMeta, build_model, image_features, load_checkpoint, save_checkpoint
from pancap.configs import UsageError


@pytest.fixture
def saved(token_checkpoint, tmp_path):
    meta = CheckpointMeta(coordinates="tokens", mode="chain", refines_boxes=True, provenance={"steps": 3})
    return save_checkpoint(
        token_checkpoint.model, tokenizer=token_checkpoint.tokenizer, directory=tmp_path / "checkpoint", meta=meta
    )


def test_a_checkpoint_comes_back_bit_equal(token_checkpoint, saved):
    loaded = load_checkpoint(saved)
    assert loaded.meta == CheckpointMeta(
        coordinates="tokens", mode="chain", refines_boxes=True, provenance={"steps": 3}
    )
    assert loaded.tokenizer.get_vocab() == token_checkpoint.tokenizer.get_vocab()
    for name, weight in token_checkpoint.model.state_dict().items():
        assert torch.equal(weight, loaded.model.state_dict()[name]), name
    assert loaded.model.lm_head.weight is loaded.model.get_input_embeddings().weight


def test_transformers_alone_loads_a_checkpoint(token_checkpoint, saved, pictures):
    from transformers import AutoTokenizer, LlavaForConditionalGeneration

    model = LlavaForConditionalGeneration.from_pretrained(saved, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(saved, local_files_only=True)
    ids = torch.tensor([[*token_checkpoint.prefix_ids, *tokenizer.encode("A red", add_special_tokens=False)]])
    pixels = to_pixels(pictures[:1], image_px=32)
    with torch.no_grad():
        theirs = model(input_ids=ids, pixel_values=pixels).logits
        ours = token_checkpoint.model(input_ids=ids, pixel_values=pixels).logits
    assert torch.equal(theirs, ours)


def test_image_features_are_llava_s_own(token_checkpoint, pictures):
    pixels = to_pixels(pictures[:2], image_px=32)
    with torch.no_grad():
        theirs = torch.stack(list(token_checkpoint.model.get_image_features(pixels).pooler_output))
        assert torch.equal(image_features(token_checkpoint.model, pixels), theirs)


def test_half_precision_storage_loads_in_single(token_checkpoint, tmp_path):
    folder = save_checkpoint(
        token_checkpoint.model,
        tokenizer=token_checkpoint.tokenizer,
        directory=tmp_path,
        meta=token_checkpoint.meta,
        storage="float16",
    )
    loaded = load_checkpoint(folder)
    weight = token_checkpoint.model.lm_head.weight
    assert loaded.model.lm_head.weight.dtype == torch.float32
    assert torch.allclose(loaded.model.lm_head.weight, weight, atol=1e-3)


def test_neighbouring_coordinates_start_alike(token_checkpoint):
    from pancap.chain.config import ModelConfig
    from pancap.chain.tokenizer import token_ids

    tokenizer = token_checkpoint.tokenizer
    weight = build_model(ModelConfig(), tokenizer=tokenizer, seed=1).get_input_embeddings().weight.detach()
    rows = weight[list(token_ids(tokenizer).coordinates)]
    near, far = (torch.cosine_similarity(rows[100:800], rows[100 + step : 800 + step]).mean() for step in (1, 200))
    assert near > 0.7 and near > far + 0.2
    assert near < 0.9, "and can be told apart, or they are learned to be copied much later (docs/LOG.md)"


def test_the_seed_decides_the_weights(token_checkpoint):
    from pancap.chain.config import ModelConfig

    config = ModelConfig(vision_layers=1, text_layers=1)
    first, same, other = (
        build_model(config, tokenizer=token_checkpoint.tokenizer, seed=seed).model.language_model.layers[0]
        for seed in (1, 1, 2)
    )
    assert torch.equal(first.mlp.up_proj.weight, same.mlp.up_proj.weight)
    assert not torch.equal(first.mlp.up_proj.weight, other.mlp.up_proj.weight)


def test_what_is_no_checkpoint_is_refused_in_one_sentence(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        load_checkpoint(tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"has no pancap\.json"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("damage", ["cut", "missing", "header", "meta", "config"])
def test_a_damaged_checkpoint_is_refused_in_one_sentence(saved, damage):
    """R29: what is not clean safetensors and JSON is not read."""
    weights = saved / "model.safetensors"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "missing":
        weights.unlink()
    elif damage == "header":
        weights.write_bytes(b"\xff" * 64)
    elif damage == "meta":
        (saved / "pancap.json").write_text(json.dumps({"format": 99}))
    else:
        (saved / "config.json").write_text("{}")
    with pytest.raises(UsageError) as caught:
        load_checkpoint(saved)
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_never_read(saved, tmp_path):
    """R29."""

    class Payload:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").mkdir, ())

    (saved / "model.safetensors").unlink()
    (saved / "pytorch_model.bin").write_bytes(pickle.dumps(Payload()))
    with pytest.raises(UsageError):
        load_checkpoint(saved)
    assert not (tmp_path / "ran").exists()
