"""What the weights are called in LLaVA 1.x, and on the hub's transformers checkpoints, which vLLM reads too."""

import re

# Hub to LLaVA; the first that fits is used.
PREFIXES = (
    ("language_model.model.", "model."),
    ("language_model.lm_head.", "lm_head."),
    ("multi_modal_projector.linear_1.", "model.mm_projector.0."),
    ("multi_modal_projector.linear_2.", "model.mm_projector.2."),
    ("vision_tower.vision_model.", "model.vision_tower.vision_tower.vision_model."),
)
TOWER_PREFIX = PREFIXES[-1][1]
# Constants that old versions stored with the weights.
BUFFERS = re.compile(r".*(rotary_emb\.inv_freq|embeddings\.position_ids)")
# The rest of a CLIP model beside its vision tower.
CLIP_REST = re.compile(r"text_model\..*|(text|visual)_projection\..*|logit_scale")


def llava_name(hub_name: str) -> str:
    """A weight's name in LLaVA 1.x.

    Example:
        >>> llava_name("multi_modal_projector.linear_2.bias")
        'model.mm_projector.2.bias'
    """
    for hub, llava in PREFIXES:
        if hub_name.startswith(hub):
            return llava + hub_name.removeprefix(hub)
    raise KeyError(hub_name)


def trainable_name(name: str) -> str:
    """A weight of non_lora_trainables.bin without the wrappings that peft put around the model.

    Example:
        >>> trainable_name("base_model.model.model.mm_projector.0.weight")
        'model.mm_projector.0.weight'
    """
    name = name.removeprefix("base_model.")
    return name.removeprefix("model.") if name.startswith(("model.model.", "model.lm_head.")) else name
