"""A checkpoint in the names and layout that vLLM serves."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancap.chain.images import Resample, preprocessor_config
from pancap.chain.model import Checkpoint
from pancap.chain.shards import write_weights
from pancap.chain.tokenizer import IMAGE

if TYPE_CHECKING:
    import torch

# transformers' names in memory and the hub's, which vLLM reads; the first that fits is used.
HUB_PREFIXES = (
    ("model.vision_tower.", "vision_tower.vision_model."),
    ("model.multi_modal_projector.", "multi_modal_projector."),
    ("model.language_model.", "language_model.model."),
    ("lm_head.", "language_model.lm_head."),
)


def export_for_vllm(checkpoint: Checkpoint, *, directory: str | Path) -> Path:
    """Writes a folder that vLLM (and transformers) load as a LLaVA model with the same outputs.

    vLLM normalizes the vision tower's output when it is asked for the very last layer, transformers does not. So a
    tower that is read there gets one more layer, which nothing reads, and the image tokens come from the last but one.

    Args:
        checkpoint: from `load_checkpoint`.
        directory: created if absent.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {hub_name(name): value for name, value in _weights(checkpoint).items()}
    sizes = {name: value.nbytes for name, value in weights.items()}
    write_weights(folder, sizes=sizes, read=weights.__getitem__)
    (folder / "config.json").write_text(json.dumps(_vllm_config(checkpoint), indent=2) + "\n")
    checkpoint.tokenizer.save_pretrained(folder)
    patch_px = checkpoint.model.config.vision_config.patch_size
    processor = processor_config(checkpoint.image_px, patch_px=patch_px, resample=checkpoint.meta.resample)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n")
    return folder


def hub_name(name: str) -> str:
    """A weight's name on the hub."""
    for ours, theirs in HUB_PREFIXES:
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return name


def processor_config(image_px: int, *, patch_px: int, resample: Resample) -> dict[str, object]:
    """preprocessor_config.json as vLLM reads it: images, and how many tokens each takes."""
    return preprocessor_config(image_px, resample=resample) | {
        "processor_class": "LlavaProcessor",
        "patch_size": patch_px,
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
        "image_token": IMAGE,
    }


def _needs_spare_layer(checkpoint: Checkpoint) -> bool:
    return int(checkpoint.model.config.vision_feature_layer) == -1


def _weights(checkpoint: Checkpoint) -> "dict[str, torch.Tensor]":
    config = checkpoint.model.config
    weights = {
        name: value.detach().contiguous()
        for name, value in checkpoint.model.state_dict().items()
        if value.is_floating_point() and not (name == "lm_head.weight" and config.tie_word_embeddings)
    }
    if not _needs_spare_layer(checkpoint):
        return weights
    num = config.vision_config.num_hidden_layers
    last, spare = (f"model.vision_tower.encoder.layers.{index}." for index in (num - 1, num))
    return weights | {
        name.replace(last, spare): value.clone() for name, value in weights.items() if name.startswith(last)
    }


def _vllm_config(checkpoint: Checkpoint) -> dict[str, Any]:
    config: dict[str, Any] = checkpoint.model.config.to_dict()
    config["architectures"] = ["LlavaForConditionalGeneration"]
    if _needs_spare_layer(checkpoint):
        config["vision_config"]["num_hidden_layers"] += 1
        config["vision_feature_layer"] = -2
    return config
