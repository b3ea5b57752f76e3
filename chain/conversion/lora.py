"""LoRA adapters as peft writes them, to be added to the weights they were trained on.

W' = W + scale B A, scale = alpha / r (rank-stabilized: alpha / sqrt(r)); A is (r, in), B is (out, r).

Source: Hu et al. 2021, section 4.1.
"""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pancap.chain.conversion.tensors import StoredTensor, read_folder
from pancap.configs import UsageError

if TYPE_CHECKING:
    import torch

CONFIG_FILE = "adapter_config.json"
ADAPTER_FILES = ("adapter_model.safetensors", "adapter_model.bin")
KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])(?:\.default)?\.weight")
# What changes the formula; an adapter that uses it is refused.
UNSUPPORTED = ("use_dora", "fan_in_fan_out", "rank_pattern", "alpha_pattern", "modules_to_save", "lora_bias")


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """The two factors of every adapted weight, by the name of the weight."""

    rank: int
    scale: float
    factors: dict[str, tuple[StoredTensor, StoredTensor]]

    def shape(self, name: str) -> tuple[int, int]:
        """Shape of what is added to a weight."""
        first, second = self.factors[name]
        return second.shape[0], first.shape[1]

    def merge(self, name: str, weight: "torch.Tensor") -> "torch.Tensor":
        """The weight with its adapter, in float32; a weight that has none comes back as it is."""
        if name not in self.factors:
            return weight
        first, second = (factor.read().float() for factor in self.factors[name])
        return weight.float().addmm(second, first, alpha=self.scale)


def read_adapter(folder: Path) -> Adapter:
    """The adapter of a folder.

    Raises:
        UsageError: it is of another kind, or damaged.
    """
    path = folder / CONFIG_FILE
    try:
        config = json.loads(path.read_text())
        rank, alpha = int(config["r"]), float(config["lora_alpha"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} cannot be read: {type(error).__name__} {error}; copy it again") from error
    used = [name for name in UNSUPPORTED if config.get(name)]
    if config.get("bias", "none") != "none":
        used.append("bias")
    if config.get("peft_type") != "LORA" or used:
        names = ", ".join(used) or config.get("peft_type")
        raise UsageError(f"{path} must describe a plain LoRA adapter, it has {names}; merge it with peft first")
    sides: dict[str, dict[str, StoredTensor]] = {}
    for key, stored in read_folder(folder, names=ADAPTER_FILES).items():
        match = KEY.fullmatch(key)
        if match is None:
            raise UsageError(f"{folder} holds {key}, which is no LoRA factor; merge the adapter with peft first")
        sides.setdefault(f"{match['module']}.weight", {})[match["side"]] = stored
    factors = {}
    for name, pair in sides.items():
        if set(pair) != {"A", "B"} or pair["A"].shape[0] != rank or pair["B"].shape[1] != rank:
            raise UsageError(f"{folder} must hold both factors of {name} with rank {rank}; copy it again")
        factors[name] = (pair["A"], pair["B"])
    scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
    return Adapter(rank=rank, scale=scale, factors=factors)
