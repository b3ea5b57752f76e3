"""LoRA on the language model (peft's layers), and its merging where a checkpoint is written.

Every linear layer of the language model gets two factors, and they and the projector are all that is trained of it:
W' = W + alpha / rank B A.

Source: Hu et al. 2021; the layers are those that LLaVA 1.5 adapts.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pancap.chain.training.config import LoraConfig

if TYPE_CHECKING:
    import torch
    from transformers import LlavaForConditionalGeneration

LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
BASE, FIRST, SECOND = ".base_layer.weight", ".lora_A.default.weight", ".lora_B.default.weight"


def add_adapters(model: "LlavaForConditionalGeneration", *, config: LoraConfig, seed: int) -> None:
    """Puts adapters into a model; its language model, embeddings and head are trained no more."""
    import peft
    import torch

    settings = peft.LoraConfig(
        r=config.rank, lora_alpha=config.alpha, lora_dropout=config.dropout, target_modules=list(LAYERS)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        peft.inject_adapter_in_model(settings, model.model.language_model)
    model.lm_head.requires_grad_(False)


def merged(weights: "Mapping[str, torch.Tensor]", *, config: LoraConfig) -> "dict[str, torch.Tensor]":
    """The weights of the model without adapters that answers as the one with them does.

    Args:
        weights: of a model with adapters, by name; one without comes back as it is.
        config: of the adapters.
    """
    scale = config.alpha / max(config.rank, 1)
    plain = {}
    for name, weight in weights.items():
        if name.endswith(BASE):
            layer = name.removesuffix(BASE)
            first, second = (weights[layer + factor].to("cpu").float() for factor in (FIRST, SECOND))
            plain[f"{layer}.weight"] = weight.to("cpu").float().addmm(second, first, alpha=scale).to(weight.dtype)
        elif not name.endswith((FIRST, SECOND)):
            plain[name] = weight
    return plain
