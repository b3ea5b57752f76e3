"""Tiny random checkpoints as LLaVA 1.x, CLIP and peft write them, and what LLaVA would compute with them."""

import io
import json
from pathlib import Path

import torch

NUM_LAYERS, WIDTH, HEADS, MLP, ROWS = 2, 32, 2, 48, 403
IMAGE_PX, PATCH_PX, TOWER_WIDTH = 32, 16, 24
ADDED = {"<box>": 400, "</box>": 401, "<ref>": 402}
SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
TEXTS = (f"{SYSTEM} USER: ASSISTANT:", "Please localize all entities in this image.", "a cat [[12, 345, 678, 901]] sat")


def sentencepiece_model() -> bytes:
    """A tokenizer of Llama's kind with 400 pieces: BPE with bytes, a blank before every text."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 20), model_writer=model, vocab_size=400, model_type="bpe", byte_fallback=True,
        character_coverage=1.0, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
        unk_id=0, bos_id=1, eos_id=2, pad_id=-1, minloglevel=2, allow_whitespace_only_pieces=True,
    )  # fmt: skip
    return model.getvalue()


def language_model(seed: int = 0):
    """A random Llama whose head is its own."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=ROWS, hidden_size=WIDTH, intermediate_size=MLP, num_hidden_layers=NUM_LAYERS, rms_norm_eps=1e-5,
        num_attention_heads=HEADS, num_key_value_heads=HEADS, max_position_embeddings=256, rope_theta=5000.0,
        tie_word_embeddings=False, initializer_range=0.2, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()


def vision_tower(seed: int = 1):
    from transformers import CLIPVisionConfig, CLIPVisionModel

    config = CLIPVisionConfig(
        hidden_size=TOWER_WIDTH, intermediate_size=32, num_hidden_layers=3, num_attention_heads=2, image_size=IMAGE_PX,
        patch_size=PATCH_PX, projection_dim=16, hidden_act="quick_gelu", initializer_range=0.2,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CLIPVisionModel(config).eval()


def projector(seed: int = 2):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return torch.nn.Sequential(torch.nn.Linear(TOWER_WIDTH, WIDTH), torch.nn.GELU(), torch.nn.Linear(WIDTH, WIDTH))


def language_weights(model) -> dict[str, torch.Tensor]:
    """By LLaVA's names, and a constant that old versions stored."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()} | {
        "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)
    }


def projector_weights(module) -> dict[str, torch.Tensor]:
    return {f"model.mm_projector.{name}": value.detach().clone() for name, value in module.state_dict().items()}


def tower_weights(tower) -> dict[str, torch.Tensor]:
    """By the hub's names of CLIP; transformers 5 drops `vision_model.` in memory."""
    names = {name: value.detach().clone() for name, value in tower.state_dict().items()}
    return {f"vision_model.{name.removeprefix('vision_model.')}": value for name, value in names.items()}


def llava_settings(**changes) -> dict:
    """config.json of LLaVA 1.5, in small."""
    return {
        "_name_or_path": "vicuna", "architectures": ["LlavaLlamaForCausalLM"], "model_type": "llava",
        "vocab_size": ROWS, "hidden_size": WIDTH, "intermediate_size": MLP, "num_hidden_layers": NUM_LAYERS,
        "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "max_position_embeddings": 256,
        "rms_norm_eps": 1e-05, "rope_theta": 5000.0, "rope_scaling": None, "hidden_act": "silu",
        "tie_word_embeddings": False, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
        "mm_vision_tower": "tiny/clip", "mm_hidden_size": TOWER_WIDTH, "mm_projector_type": "mlp2x_gelu",
        "mm_vision_select_layer": -2, "mm_vision_select_feature": "patch", "mm_use_im_start_end": False,
        "mm_use_im_patch_token": False, "image_aspect_ratio": "pad", "use_mm_proj": True,
    } | changes  # fmt: skip


def write_tokenizer(folder: Path) -> None:
    """As transformers 4.31 wrote it: no flags for the added tokens."""
    (folder / "tokenizer.model").write_bytes(sentencepiece_model())
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "LlamaTokenizer", "legacy": False, "model_max_length": 2048})
    )
    (folder / "added_tokens.json").write_text(json.dumps(ADDED))


def write_shards(folder: Path, weights: dict[str, torch.Tensor], *, suffix: str = "bin", num: int = 2) -> None:
    """pytorch_model-*.bin or model-*.safetensors with their index."""
    from safetensors.torch import save_file

    stem = "pytorch_model" if suffix == "bin" else "model"
    names, held = sorted(weights), {}
    for number in range(num):
        part = {name: weights[name].contiguous() for name in names[number::num]}
        file = f"{stem}-{number + 1:05d}-of-{num:05d}.{suffix}"
        if suffix == "bin":
            torch.save(part, folder / file)
        else:
            save_file(part, str(folder / file), metadata={"format": "pt"})
        held |= dict.fromkeys(part, file)
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps({"weight_map": held}))


def write_llava(folder: Path, weights: dict[str, torch.Tensor], *, suffix: str = "bin", **settings) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(llava_settings(**settings)))
    write_tokenizer(folder)
    write_shards(folder, weights, suffix=suffix)
    return folder


def write_clip(folder: Path, tower) -> Path:
    """As openai/clip-vit-large-patch14-336: both towers in one file."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"vision_config": tower.config.to_dict(), "text_config": {}}))
    rest = {"logit_scale": torch.tensor(4.6), "text_model.final_layer_norm.bias": torch.ones(4)}
    position_ids = {"vision_model.embeddings.position_ids": torch.arange(5)[None]}
    torch.save(tower_weights(tower) | rest | position_ids, folder / "pytorch_model.bin")
    return folder


def llava_logits(model, tower, project, *, ids: list[int], image_at: int, pixels: torch.Tensor) -> torch.Tensor:
    """LLaVA's forward pass by hand: the image's features take the place of one token; (tokens, rows)."""
    with torch.no_grad():
        states = tower(pixel_values=pixels, output_hidden_states=True).hidden_states[-2]
        features = project(states[:, 1:])
        before, after = (
            model.get_input_embeddings()(torch.tensor([part])) for part in (ids[:image_at], ids[image_at + 1 :])
        )
        return model(inputs_embeds=torch.cat([before, features, after], dim=1)).logits[0]


def llava_ids(prompt: str) -> list[int]:
    """What LLaVA feeds for a prompt, -200 being the image: each part between images by sentencepiece alone."""
    import sentencepiece

    pieces = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model())
    before, after = f"{SYSTEM} USER: <image>\n{prompt} ASSISTANT:".split("<image>")
    return [1, *pieces.encode(before), -200, *pieces.encode(after)]
