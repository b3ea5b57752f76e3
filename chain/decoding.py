"""Batched greedy decoding: each image encoded once, each stage a branch on its cached prefix, finished rows leave."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pancap.chain.boxtokens import Units
from pancap.chain.grammar import AnswerGrammar, AnswerRules
from pancap.chain.model import Checkpoint, image_features
from pancap.chain.tokenizer import token_ids

if TYPE_CHECKING:
    import torch

# N images, B rows, L layers, A attention heads, S positions of prefix, prompt and answer, D width of a head, H width of
# the model, V ids, K coordinate values.
MIN_REPEATED_TOKENS = 12
MIN_COPIES = 3
CHECK_EVERY = 8
# Positions by which a full buffer grows, and the share of rows still going below which the others leave the batch:
# both trade copies of the cache against idle work.
GROWTH = 128
COMPACT_SHARE = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One answer to write.

    Args:
        image: row of the image in the prefix cache.
        prompt_ids: ids from the prefix to where the answer begins.
        max_new_tokens: longest answer.
        rules: constraints on boxes, or None for plain greedy decoding.
    """

    image: int
    prompt_ids: tuple[int, ...]
    max_new_tokens: int
    rules: AnswerRules | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The answer of a branch.

    Args:
        ids: without the end token.
        confidence: of each new box in it, see `box_confidence`; empty without rules.
    """

    ids: list[int]
    confidence: dict[Units, float]


class KeyValueCache:
    """Keys and values of a batch in growing buffers: the part of transformers' cache that attention calls.

    Writing a step copies that step alone, not the whole past.
    """

    def __init__(
        self, keys_LBASD: "list[torch.Tensor]", values_LBASD: "list[torch.Tensor]", *, length: int = 0
    ) -> None:
        """Starts from buffers of which `length` positions are filled, or from empty lists."""
        self.keys = keys_LBASD
        self.values = values_LBASD
        self.length = length

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Positions held."""
        return self.length

    def update(
        self, keys: "torch.Tensor", values: "torch.Tensor", layer_idx: int, *_: Any, **__: Any
    ) -> "tuple[torch.Tensor, torch.Tensor]":
        """Adds a step of one layer and returns all that layer holds."""
        if layer_idx == len(self.keys):
            self.keys.append(keys)
            self.values.append(values)
        else:
            start = self.length if layer_idx == 0 else self.length - keys.shape[2]
            self.keys[layer_idx] = _write(self.keys[layer_idx], keys, start)
            self.values[layer_idx] = _write(self.values[layer_idx], values, start)
        if layer_idx == 0:
            self.length += keys.shape[2]
        return self.keys[layer_idx][:, :, : self.length], self.values[layer_idx][:, :, : self.length]

    def rows(self, rows: "torch.Tensor") -> "KeyValueCache":
        """A cache of its own with some of the rows, in that order."""
        return KeyValueCache(
            [keys.index_select(0, rows) for keys in self.keys],
            [values.index_select(0, rows) for values in self.values],
            length=self.length,
        )


def encode_prefix(checkpoint: Checkpoint, pixels: "torch.Tensor") -> KeyValueCache:
    """Runs vision tower and prefix of a batch of images once.

    Args:
        checkpoint: the model.
        pixels: (N, 3, S, S) from `chain.images`.

    Returns:
        The cache that every stage of these images starts from; `decode_branches` leaves it as it is.
    """
    import torch

    model = checkpoint.model
    with torch.inference_mode():
        prefix = torch.tensor(checkpoint.prefix_ids)
        embeds = model.get_input_embeddings()(prefix).expand(len(pixels), -1, -1).clone()
        embeds[:, prefix == token_ids(checkpoint.tokenizer).image] = image_features(model, pixels)
        cache = KeyValueCache([], [])
        is_past_SS = torch.ones(len(prefix), len(prefix), dtype=torch.bool).tril()
        model.model.language_model(
            inputs_embeds=embeds,
            position_ids=torch.arange(len(prefix)).expand(len(pixels), -1),
            attention_mask=is_past_SS[None, None],
            past_key_values=cache,
            use_cache=True,
        )
    return cache


def decode_branches(
    checkpoint: Checkpoint, prefix: KeyValueCache, *, branches: Sequence[Branch], repeat_window: int = 40
) -> list[Decoded]:
    """Writes one answer per branch, greedily.

    With rules, the coordinates of new boxes come from `box_decode`: the coordinate rows of the head instead of all of
    it. Rows whose next token is certain (copied boxes) reach no head.

    Args:
        checkpoint: the model.
        prefix: from `encode_prefix`.
        branches: any number of them per image.
        repeat_window: longest repeated sequence that ends a runaway answer.

    Returns:
        The answers in the order of the branches.
    """
    import torch

    if not branches:
        return []
    with torch.inference_mode():
        return _Decoder(checkpoint, prefix, branches=branches, repeat_window=repeat_window).run()


def cut_runaway(ids: Sequence[int], *, window: int) -> int | None:
    """Length to cut an answer to if it ends in copies of itself, else None; one copy is kept.

    Example:
        >>> cut_runaway([7, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2], window=4)
        3
    """
    for period in range(1, window + 1):
        copies = max(MIN_COPIES, -(-MIN_REPEATED_TOKENS // period))
        span = period * copies
        if len(ids) < span:
            continue
        tail = ids[-span:]
        if all(tail[index] == tail[index - period] for index in range(period, span)):
            return len(ids) - span + period
    return None


class _Decoder:
    """The state of one call of `decode_branches`."""

    def __init__(
        self, checkpoint: Checkpoint, prefix: KeyValueCache, *, branches: Sequence[Branch], repeat_window: int
    ) -> None:
        import torch

        from pancap.custom_kernels.box_decode import BoxDecoder

        self.model = checkpoint.model
        self.ids = token_ids(checkpoint.tokenizer)
        self.branches = branches
        self.repeat_window = repeat_window
        self.answers: list[list[int]] = [[] for _ in branches]
        self.grammars = [
            AnswerGrammar(branch.rules, ids=self.ids) if branch.rules and self.ids.coordinates else None
            for branch in branches
        ]
        first, stop = self.ids.coordinates.start, self.ids.coordinates.stop
        self.box_decoder = BoxDecoder(self.model.lm_head.weight[first:stop], max_rows=len(branches))
        self.active = list(range(len(branches)))
        self.is_finished = [False] * len(branches)
        self.cache = prefix.rows(torch.tensor([branch.image for branch in branches]))
        self.prefix_length = prefix.length

    def run(self) -> list[Decoded]:
        hidden_BH = self._prompts()
        while True:
            tokens = self._next_tokens(hidden_BH)
            going = [row for row, token in enumerate(tokens) if token is not None]
            if not going:
                return [
                    Decoded(ids=ids, confidence=grammar.confidence if grammar else {})
                    for ids, grammar in zip(self.answers, self.grammars, strict=True)
                ]
            if len(going) <= COMPACT_SHARE * len(self.active):
                self._keep(going)
                tokens = [tokens[row] for row in going]
            hidden_BH = self._step([self.ids.pad if token is None else token for token in tokens])

    def _prompts(self) -> "torch.Tensor":
        """Runs all prompts, padded on the left."""
        import torch

        lengths = [len(branch.prompt_ids) for branch in self.branches]
        longest = max(lengths)
        padded = [[self.ids.pad] * (longest - len(b.prompt_ids)) + list(b.prompt_ids) for b in self.branches]
        pads_B = torch.tensor([longest - length for length in lengths])
        steps = torch.arange(longest)
        is_real_BS = steps >= pads_B.unsqueeze(1)
        self.positions_B = self.prefix_length + torch.tensor(lengths)
        prefix_BS = torch.ones(len(lengths), self.prefix_length, dtype=torch.bool)
        self.visible_BS = torch.cat([prefix_BS, is_real_BS], dim=1)
        is_past_SS = steps.unsqueeze(1) >= steps
        inner = is_past_SS & is_real_BS.unsqueeze(1)
        mask = torch.cat([prefix_BS.unsqueeze(1).expand(-1, longest, -1), inner], dim=2)
        positions_BS = (self.prefix_length + steps - pads_B.unsqueeze(1)).clamp(min=0)
        return self._forward(torch.tensor(padded), positions_BS, mask.unsqueeze(1))

    def _step(self, tokens: list[int]) -> "torch.Tensor":
        """Runs one token of each active row."""
        import torch

        self.visible_BS = torch.cat([self.visible_BS, torch.ones(len(tokens), 1, dtype=torch.bool)], dim=1)
        hidden_BH = self._forward(
            torch.tensor(tokens).unsqueeze(1), self.positions_B.unsqueeze(1), self.visible_BS[:, None, None]
        )
        self.positions_B = self.positions_B + 1
        return hidden_BH

    def _forward(self, ids_BS: "torch.Tensor", positions_BS: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
        hidden_BSH: torch.Tensor = self.model.model.language_model(
            input_ids=ids_BS,
            position_ids=positions_BS,
            attention_mask=mask,
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state
        return hidden_BSH[:, -1]

    def _next_tokens(self, hidden_BH: "torch.Tensor") -> list[int | None]:
        """Chooses and records each row's next token; None if its answer ends here or ended before."""
        tokens: list[int | None] = [None] * len(self.active)
        free: list[int] = []
        bounds: dict[int, tuple[int, int]] = {}
        for row, branch in enumerate(self.active):
            grammar = self.grammars[branch]
            if self.is_finished[branch]:
                continue
            forced = grammar.forced() if grammar else None
            corner = grammar.bounds() if grammar else None
            if forced is not None:
                tokens[row] = self._take(branch, forced)
            elif corner is not None:
                bounds[row] = corner
            else:
                free.append(row)
        if bounds:
            for row, value, std in self._decode_corners(hidden_BH, bounds):
                tokens[row] = self._take(self.active[row], self.ids.coordinates.start + value, std=std)
        if free:
            for row, logits_V in zip(free, self.model.lm_head(hidden_BH[free]), strict=True):
                grammar = self.grammars[self.active[row]]
                token = grammar.choose(logits_V) if grammar else int(logits_V.argmax())
                tokens[row] = self._take(self.active[row], token)
        return tokens

    def _decode_corners(
        self, hidden_BH: "torch.Tensor", bounds: dict[int, tuple[int, int]]
    ) -> Iterator[tuple[int, int, float]]:
        """(row, coordinate, its standard deviation) of the rows that place a box."""
        import torch

        lower_N, upper_N = torch.tensor(list(bounds.values())).unbind(1)
        found = self.box_decoder(hidden_BH[list(bounds)], lower_N=lower_N, upper_N=upper_N)
        return zip(bounds, found.bins.tolist(), found.std.tolist(), strict=True)

    def _take(self, branch: int, token: int, *, std: float = 0.0) -> int | None:
        """Records a branch's next token; None if its answer ends with it."""
        grammar = self.grammars[branch]
        if grammar:
            grammar.advance(token, std=std)
        if token != self.ids.eos and self._record(
            self.answers[branch], token, limit=self.branches[branch].max_new_tokens
        ):
            return token
        self.is_finished[branch] = True
        return None

    def _record(self, answer: list[int], token: int, *, limit: int) -> bool:
        """Adds a token to an answer; False if nothing may follow."""
        answer.append(token)
        length = cut_runaway(answer, window=self.repeat_window) if len(answer) % CHECK_EVERY == 0 else None
        if length is not None:
            del answer[length:]
        return length is None and len(answer) < limit

    def _keep(self, rows: list[int]) -> None:
        """Goes on with these rows alone."""
        import torch

        index = torch.tensor(rows)
        self.active = [self.active[row] for row in rows]
        self.cache = self.cache.rows(index)
        self.visible_BS = self.visible_BS.index_select(0, index)
        self.positions_B = self.positions_B.index_select(0, index)


def _write(buffer: "torch.Tensor", step: "torch.Tensor", start: int) -> "torch.Tensor":
    """Writes a step into a buffer, which grows by copying when it is full."""
    stop = start + step.shape[2]
    if stop > buffer.shape[2]:
        grown = buffer.new_empty((*buffer.shape[:2], stop + GROWTH, buffer.shape[3]))
        grown[:, :, :start] = buffer[:, :, :start]
        buffer = grown
    buffer[:, :, start:stop] = step
    return buffer
