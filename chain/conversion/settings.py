"""config.json of a LLaVA 1.x checkpoint as transformers' configuration; what it asks for beyond that is refused."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancap.configs import UsageError

if TYPE_CHECKING:
    from transformers import CLIPVisionConfig, LlamaConfig

# What this chain can do of each setting; absent means the first.
SUPPORTED: dict[str, tuple[Any, ...]] = {
    "image_aspect_ratio": ("pad",),
    "mm_projector_type": ("mlp2x_gelu",),
    "mm_vision_select_feature": ("patch",),
    "mm_use_im_start_end": (False,),
    "mm_patch_merge_type": ("flat",),
}
SIZES = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
TEXT_FIELDS = (
    *SIZES, "num_key_value_heads", "hidden_act", "max_position_embeddings", "initializer_range", "rms_norm_eps",
    "rope_theta", "rope_scaling", "tie_word_embeddings", "attention_bias", "pad_token_id", "bos_token_id",
    "eos_token_id",
)  # fmt: skip
# Sizes of OpenAI's CLIP ViT-L/14, by the name that a checkpoint gives its tower.
KNOWN_TOWERS = {"openai/clip-vit-large-patch14-336": 336, "openai/clip-vit-large-patch14": 224}


def read_settings(folder: Path) -> dict[str, Any]:
    """config.json of a LLaVA 1.x checkpoint.

    Raises:
        UsageError: it is not one, or asks for something that this chain does not do.
    """
    path = folder / "config.json"
    raw = read_json(path)
    if "mm_vision_tower" not in raw:
        raise UsageError(f"{path} has no mm_vision_tower, so it is no LLaVA 1.x checkpoint; give the folder of one")
    absent = [name for name in SIZES if name not in raw]
    if absent:
        raise UsageError(f"{path} does not say {', '.join(absent)}; copy the checkpoint's own")
    for name, supported in SUPPORTED.items():
        value = raw.get(name, supported[0])
        if value not in supported:
            raise UsageError(
                f"{path} has {name}={value}, this converter knows {supported[0]} alone; give another model"
            )
    return raw


def text_config(raw: dict[str, Any]) -> "LlamaConfig":
    """Sizes of the language model."""
    from transformers import LlamaConfig

    given = {name: raw[name] for name in TEXT_FIELDS if raw.get(name) is not None}
    return LlamaConfig(**{"tie_word_embeddings": False, **given})


def vision_config(raw: dict[str, Any], *, folder: Path | None) -> "CLIPVisionConfig":
    """Sizes of the vision tower: of the CLIP folder if one is given, else of OpenAI's towers by their names.

    Raises:
        UsageError: neither says them.
    """
    from transformers import CLIPVisionConfig

    if folder is not None:
        clip = read_json(folder / "config.json")
        return CLIPVisionConfig(**{**clip.get("vision_config", clip), "architectures": ["CLIPVisionModel"]})
    tower = raw["mm_vision_tower"]
    if tower not in KNOWN_TOWERS:
        raise UsageError(
            f"the sizes of the vision tower {tower} are not known; give its folder with vision=DIR "
            f"(known are {', '.join(KNOWN_TOWERS)})"
        )
    return CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=KNOWN_TOWERS[tower],
        patch_size=14,
        projection_dim=768,
        hidden_act="quick_gelu",
    )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        UsageError: there is none.
    """
    try:
        held = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {type(error).__name__}; copy it again") from error
    if not isinstance(held, dict):
        raise UsageError(f"{path} must hold a JSON object, it holds a {type(held).__name__}; copy it again")
    return held
