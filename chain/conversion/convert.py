"""The conversion: plans every weight before it writes one, then writes shard by shard."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pancap.chain.config import ChainMode
from pancap.chain.conversion.config import ConvertConfig, Family
from pancap.chain.conversion.names import llava_name
from pancap.chain.conversion.settings import read_settings, text_config, vision_config
from pancap.chain.conversion.summary import ConvertSummary
from pancap.chain.conversion.tokenizer import read_tokenizer
from pancap.chain.conversion.weights import EMBEDDINGS, VOCABULARY, LlavaWeights, target_shapes
from pancap.chain.export import processor_config
from pancap.chain.model import CheckpointMeta, write_meta
from pancap.chain.shards import write_weights
from pancap.chain.tokenizer import IMAGE
from pancap.configs import UsageError

if TYPE_CHECKING:
    import torch
    from transformers import LlavaConfig, PreTrainedTokenizerFast

Progress = Callable[[str, int, int | None], None]

MODES: dict[Family, ChainMode] = {"asmv2": "chain", "llava": "one_stage"}


def convert(config: ConvertConfig, *, family: Family, on_progress: Progress | None = None) -> ConvertSummary:
    """Writes a checkpoint in LLaVA 1.x layout as one that this chain, transformers and vLLM read.

    In memory at a time: one shard of the result (of it only what changes: another type, merged adapters), and one
    weight with its adapter in float32.

    Args:
        config: where from and where to.
        family: `asmv2` (and PancapChain) answers the four stages, `llava` is asked for one caption.
        on_progress: called with (what, done, total).

    Raises:
        UsageError: source is no such checkpoint, is damaged, or holds more or less than the model needs.
        OSError: out cannot be written.
    """
    folder = Path(config.out)
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; remove it, or give another folder with out=DIR")
    source, base = Path(config.source), Path(config.base or config.source)
    raw = read_settings(source)
    tokenizer = read_tokenizer(base)
    weights = LlavaWeights(source=source, base=base, vision=Path(config.vision) if config.vision else None)
    settings = _llava_config(raw, tokenizer=tokenizer, vision=config.vision)
    shapes = target_shapes(settings)
    weights.check(shapes, num_rows=raw["vocab_size"])
    settings.dtype = weights.read(EMBEDDINGS).dtype if config.storage == "source" else _dtype(config.storage)
    folder.mkdir(parents=True, exist_ok=True)
    files = write_weights(
        folder,
        sizes={name: math.prod(shape) * settings.dtype.itemsize for name, shape in shapes.items()},
        read=_reader(weights, shapes, settings=settings, tokenizer=tokenizer, on_progress=on_progress),
        max_bytes=config.shard_bytes,
    )
    num_merged = len(weights.adapter.factors) if weights.adapter else 0
    provenance = {"converted_from": source.name, "family": family, "base": base.name, "merged": num_merged}
    _write_rest(folder, settings=settings, tokenizer=tokenizer, family=family, provenance=provenance)
    return ConvertSummary(
        out=str(folder),
        num_parameters=sum(math.prod(shape) for shape in shapes.values()),
        num_files=len(files),
        num_bytes=sum(file.stat().st_size for file in files),
        num_merged=num_merged,
        storage=str(settings.dtype).removeprefix("torch."),
    )


def _reader(
    weights: LlavaWeights,
    shapes: Mapping[str, tuple[int, ...]],
    *,
    settings: "LlavaConfig",
    tokenizer: "PreTrainedTokenizerFast",
    on_progress: Progress | None,
) -> "Callable[[str], torch.Tensor]":
    """Gives each weight as it is written, by its name on the hub."""
    num_done = 0

    def read(name: str) -> "torch.Tensor":
        nonlocal num_done
        num_done += 1
        if on_progress:
            on_progress("weights", num_done, len(shapes))
        weight = weights.read(llava_name(name)).to(settings.dtype)
        if llava_name(name) in VOCABULARY:
            weight = _with_image_row(weight, tokenizer=tokenizer, num_rows=shapes[name][0])
        return weight.contiguous()

    return read


def _write_rest(
    folder: Path,
    *,
    settings: "LlavaConfig",
    tokenizer: "PreTrainedTokenizerFast",
    family: Family,
    provenance: dict[str, Any],
) -> None:
    """What belongs to the weights; pancap.json last."""
    settings.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    tower = settings.vision_config
    processor = processor_config(tower.image_size, patch_px=tower.patch_size, resample="bicubic")
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n")
    meta = CheckpointMeta(
        coordinates="text", mode=MODES[family], layout="vicuna", resample="bicubic", provenance=provenance
    )
    write_meta(folder, meta)


def _llava_config(raw: dict[str, Any], *, tokenizer: "PreTrainedTokenizerFast", vision: str | None) -> "LlavaConfig":
    from transformers import LlavaConfig

    text = text_config(raw)
    tower = vision_config(raw, folder=Path(vision) if vision else None)
    image = int(tokenizer.convert_tokens_to_ids(IMAGE))
    if image > text.vocab_size:
        raise UsageError(
            f"the tokenizer has {image} tokens, the model {text.vocab_size}; copy the tokenizer that belongs to it"
        )
    text.vocab_size = max(text.vocab_size, image + 1)
    special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")}
    for name, value in special.items():
        setattr(text, name, value)
    return LlavaConfig(
        architectures=["LlavaForConditionalGeneration"],
        vision_config=tower,
        text_config=text,
        image_token_index=image,
        vision_feature_layer=raw.get("mm_vision_select_layer", -2),
        vision_feature_select_strategy="default",
        projector_hidden_act="gelu",
        image_seq_length=(tower.image_size // tower.patch_size) ** 2,
        tie_word_embeddings=text.tie_word_embeddings,
        **special,
    )


def _with_image_row(weight: "torch.Tensor", *, tokenizer: "PreTrainedTokenizerFast", num_rows: int) -> "torch.Tensor":
    """Adds the image token as a copy of the unknown token, which no text holds: greedy decoding never chooses it."""
    import torch

    image, unknown = int(tokenizer.convert_tokens_to_ids(IMAGE)), int(tokenizer.unk_token_id)
    rows = torch.arange(num_rows)
    rows[image] = unknown
    return weight[rows]


def _dtype(storage: str) -> "torch.dtype":
    import torch

    dtype: torch.dtype = getattr(torch, storage)
    return dtype
