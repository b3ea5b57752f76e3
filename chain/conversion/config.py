"""Configuration of a conversion."""

from dataclasses import dataclass
from typing import Literal

from pancap.chain.model import StorageType
from pancap.chain.shards import MAX_SHARD_BYTES

Family = Literal["asmv2", "llava"]


@dataclass(frozen=True, kw_only=True)
class ConvertConfig:
    """One checkpoint in LLaVA 1.x layout in, one of this chain out."""

    source: str
    """Folder of the checkpoint, or of a LoRA adapter with its non_lora_trainables.bin."""
    out: str
    """Folder that receives the converted checkpoint; new or empty."""
    base: str | None = None
    """Folder of the model that the adapter was trained on; its tokenizer is taken too."""
    vision: str | None = None
    """Folder of the CLIP model, where source has no vision tower of its own or one of unknown sizes."""
    storage: Literal["source", "float32", "float16", "bfloat16"] = "source"
    """Type of the written weights; `source` takes that of the language model's embeddings."""
    shard_bytes: int = MAX_SHARD_BYTES
    """Largest weight file; so much is in memory at a time."""

    def __post_init__(self) -> None:
        """Refuses shards below one byte."""
        if self.shard_bytes < 1:
            raise ValueError(f"shard_bytes must be >= 1, got {self.shard_bytes}; set a positive number")


@dataclass(frozen=True, kw_only=True)
class StoreConfig:
    """One of this chain's checkpoints in, the same with weights of another type out."""

    checkpoint: str
    """Folder of the checkpoint, or `nano` for the shipped one."""
    out: str
    """Folder that receives the other one; new or empty."""
    storage: StorageType = "float16"
    """Type of the written weights."""
