"""A checkpoint in the names and layout that vLLM serves."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancap.chain.model import Checkpoint
from pancap.chain.shards import WEIGHTS_FILE
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

    vLLM normalizes the vision tower's output when it is asked for the very last layer, transformers does not. So the
    tower gets one more layer, which nothing reads, and the image tokens come from the last but one.

    Args:
        checkpoint: from `load_checkpoint`.
        directory: created if absent.
    """
    from safetensors.torch import save_file

    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {hub_name(name): value for name, value in _with_spare_layer(checkpoint).items()}
    save_file(weights, str(folder / WEIGHTS_FILE), metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(_vllm_config(checkpoint), indent=2) + "\n")
    checkpoint.tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(_processor(checkpoint), indent=2) + "\n")
    return folder


def hub_name(name: str) -> str:
    """A weight's name on the hub."""
    for ours, theirs in HUB_PREFIXES:
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return name


def _with_spare_layer(checkpoint: Checkpoint) -> "dict[str, torch.Tensor]":
    weights = {
        name: value.detach().contiguous()
        for name, value in checkpoint.model.state_dict().items()
        if name != "lm_head.weight" and value.is_floating_point()
    }
    num = checkpoint.model.config.vision_config.num_hidden_layers
    last, spare = (f"model.vision_tower.encoder.layers.{index}." for index in (num - 1, num))
    return weights | {
        name.replace(last, spare): value.clone() for name, value in weights.items() if name.startswith(last)
    }


def _vllm_config(checkpoint: Checkpoint) -> dict[str, Any]:
    config: dict[str, Any] = checkpoint.model.config.to_dict()
    config["architectures"] = ["LlavaForConditionalGeneration"]
    config["vision_config"]["num_hidden_layers"] += 1
    config["vision_feature_layer"] = -2
    return config


def _processor(checkpoint: Checkpoint) -> dict[str, object]:
    from pancap.chain.images import preprocessor_config

    return preprocessor_config(checkpoint.image_px) | {
        "processor_class": "LlavaProcessor",
        "patch_size": checkpoint.model.config.vision_config.patch_size,
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
        "image_token": IMAGE,
    }
