"""The language model over slots: sequences of different lengths that grow side by side, nothing padded.

Tokens of all sequences go through the linear layers as one list; attention alone looks at one sequence after another,
each over the keys and values of its own slot. So a prompt of hundreds of tokens costs the other slots nothing but its
own work, and a short sequence does not pay for a long one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pancap.configs import UsageError

if TYPE_CHECKING:
    import torch
    from transformers import LlamaConfig, LlamaModel

# N slots held, C places of a slot, T new tokens of all slots, S of one, A attention heads, G those of keys, D their
# width, H width of the model.
# Places by which full buffers grow: a trade of copies against memory.
GROWTH = 128
LANGUAGE_MODELS = ("llama", "mistral", "qwen2")  # by `model_type`: those whose attention is written out below


@dataclass(frozen=True, slots=True)
class _Span:
    """New tokens of one slot: where they stand in the step (`start`, `stop`), and what each of them may see."""

    slot: int
    start: int
    stop: int
    num_places: int
    mask_SC: "torch.Tensor | None"


class Slots:
    """Sequences in the making, each in a slot with its keys and values.

    Args:
        model: one that `refuse_other_attention` lets through, whose layers are used as they are, on its device.
        num_slots: sequences at a time; memory is taken up to the highest slot in use.

    Attributes:
        lengths: of each slot, places that count. Who believes in new tokens adds to it, who doesn't leaves it: what
            stands behind is seen by nobody and overwritten.
    """

    def __init__(self, model: "LlamaModel", *, num_slots: int) -> None:
        """Starts empty; memory is taken as sequences grow."""
        config: LlamaConfig = model.config
        self.lengths = [0] * num_slots
        self._model = model
        self._head_dim = model.layers[0].self_attn.head_dim
        self._is_grouped = config.num_key_value_heads != config.num_attention_heads
        empty = model.embed_tokens.weight.new_empty(0, config.num_key_value_heads, 0, self._head_dim)
        self._keys_NGCD = [empty] * config.num_hidden_layers
        self._values_NGCD = [empty] * config.num_hidden_layers

    def read(self, embeds_TH: "torch.Tensor", *, slots: Sequence[int], sizes: Sequence[int]) -> "torch.Tensor":
        """Hidden states of new tokens, whose keys and values are written behind what counts in their slots.

        Args:
            embeds_TH: their embeddings, slot after slot.
            slots: which, each at most once.
            sizes: new tokens of each.

        Returns:
            (T, H), behind the last norm.
        """
        import torch

        model = self._model
        spans = self._spans(slots, sizes, like=embeds_TH)
        self._make_room(num_slots=max(slots) + 1, num_places=max(span.num_places for span in spans))
        device = embeds_TH.device
        slots_T = torch.tensor(slots, device=device).repeat_interleave(torch.tensor(sizes, device=device))
        positions_T = torch.cat(
            [torch.arange(self.lengths[span.slot], span.num_places, device=device) for span in spans]
        )
        turns_TD = [turn[0] for turn in model.rotary_emb(embeds_TH, position_ids=positions_T.unsqueeze(0))]
        hidden_TH = embeds_TH
        for index, layer in enumerate(model.layers):
            normed_TH = layer.input_layernorm(hidden_TH)
            queries_TAD = self._write(layer.self_attn, normed_TH, turns_TD, slots_T=slots_T, positions_T=positions_T)
            seen_TAD = self._attend(queries_TAD, spans, layer=index)
            hidden_TH = hidden_TH + layer.self_attn.o_proj(seen_TAD.flatten(1))
            hidden_TH = hidden_TH + layer.mlp(layer.post_attention_layernorm(hidden_TH))
        normed: torch.Tensor = model.norm(hidden_TH)
        return normed

    def _spans(self, slots: Sequence[int], sizes: Sequence[int], *, like: "torch.Tensor") -> list[_Span]:
        """Where the tokens of each slot stand; a lone token sees all places, of several each those up to its own."""
        spans, start = [], 0
        for slot, size in zip(slots, sizes, strict=True):
            length = self.lengths[slot]
            mask_SC = None
            if size > 1:
                mask_SC = like.new_full((size, length + size), float("-inf")).triu_(length + 1)
            spans.append(_Span(slot=slot, start=start, stop=start + size, num_places=length + size, mask_SC=mask_SC))
            start += size
        return spans

    def _write(
        self,
        attention: "torch.nn.Module",
        normed_TH: "torch.Tensor",
        turns_TD: "Sequence[torch.Tensor]",
        *,
        slots_T: "torch.Tensor",
        positions_T: "torch.Tensor",
    ) -> "torch.Tensor":
        """Puts keys and values of a layer in their places; gives the queries."""
        from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

        queries_TAD, keys_TGD, values_TGD = (
            project(normed_TH).unflatten(1, (-1, self._head_dim))
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        queries_TAD, keys_TGD = apply_rotary_pos_emb(queries_TAD, keys_TGD, *turns_TD, unsqueeze_dim=1)
        self._keys_NGCD[attention.layer_idx][slots_T, :, positions_T] = keys_TGD
        self._values_NGCD[attention.layer_idx][slots_T, :, positions_T] = values_TGD
        return queries_TAD

    def _attend(self, queries_TAD: "torch.Tensor", spans: Sequence[_Span], *, layer: int) -> "torch.Tensor":
        """What the new tokens of each slot see in it."""
        import torch
        from torch.nn.functional import scaled_dot_product_attention

        keys_NGCD, values_NGCD = self._keys_NGCD[layer], self._values_NGCD[layer]
        seen_1ASD = [
            scaled_dot_product_attention(
                queries_TAD[span.start : span.stop].transpose(0, 1).unsqueeze(0),
                keys_NGCD[span.slot : span.slot + 1, :, : span.num_places],
                values_NGCD[span.slot : span.slot + 1, :, : span.num_places],
                attn_mask=span.mask_SC,
                enable_gqa=self._is_grouped,
            )
            for span in spans
        ]
        return torch.cat(seen_1ASD, dim=2)[0].transpose(0, 1)

    def _make_room(self, *, num_slots: int, num_places: int) -> None:
        """Grows buffers that are too small by copying; what was never written is never read."""
        held_slots, num_heads, held_places, head_dim = self._keys_NGCD[0].shape
        if num_slots <= held_slots and num_places <= held_places:
            return
        num_slots = max(num_slots, held_slots)
        num_places = held_places if num_places <= held_places else num_places + GROWTH
        for buffers in (self._keys_NGCD, self._values_NGCD):
            for layer, buffer in enumerate(buffers):
                buffers[layer] = buffer.new_empty(num_slots, num_heads, num_places, head_dim)
                buffers[layer][:held_slots, :, :held_places] = buffer


def refuse_other_attention(model: "LlamaModel") -> None:
    """Refuses models of which `Slots` would leave something out without a word.

    Raises:
        UsageError: the model has norms of queries, a sliding window, or turns that depend on the longest neighbour.
    """
    name, turns = model.config.model_type, model.rotary_emb.rope_type
    window = getattr(model.config, "sliding_window", None)
    if name not in LANGUAGE_MODELS or window is not None or turns in ("dynamic", "longrope"):
        raise UsageError(
            f"backend=transformers runs language models of type {', '.join(LANGUAGE_MODELS)} without a sliding window "
            f"and without rope_type dynamic or longrope, got {name} with sliding_window {window} and rope_type {turns} "
            "in the checkpoint's config.json; set backend=vllm"
        )
