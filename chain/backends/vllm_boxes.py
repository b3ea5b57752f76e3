"""A logits processor for vLLM: no malformed box can come out. Loaded by the engine, by name, and by nothing else.

It acts on requests that carry the corners of their image as rules (`pancap.chain.dialects`).
"""

import json
from typing import TYPE_CHECKING, Any

import torch
from vllm.v1.sample.logits_processor import AdapterLogitsProcessor

from pancap.chain.decoding.box_masks import read_masks

if TYPE_CHECKING:
    from vllm import SamplingParams
    from vllm.config import VllmConfig


class BoxProcessor(AdapterLogitsProcessor):
    """Holds each request's boxes to the corners that it carries."""

    def __init__(self, vllm_config: "VllmConfig", device: torch.device, is_pin_memory: bool) -> None:
        """Reads the vocabulary."""
        from transformers import AutoTokenizer

        super().__init__(vllm_config, device, is_pin_memory)
        tokenizer = AutoTokenizer.from_pretrained(vllm_config.model_config.tokenizer, trust_remote_code=False)
        self._masks = read_masks(tokenizer.get_vocab())

    def is_argmax_invariant(self) -> bool:
        """It changes which token is the likeliest."""
        return False

    def new_req_logits_processor(self, params: "SamplingParams") -> Any:
        """The rules of one request; None where it carries none."""
        rules = (params.extra_args or {}).get("rules")
        if not rules:
            return None
        limits = tuple(json.loads(rules))
        return lambda output_ids, logits_V: self._masks.mask(output_ids, logits_V, limits=limits)
