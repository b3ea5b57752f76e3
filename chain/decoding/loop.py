"""Batched greedy decoding: each image encoded once, each stage a branch on its cached prefix, finished rows leave.

A step may carry a draft: tokens that are likely to come (`chain.decoding.drafts`). One forward pass gives the model's
choice behind each of them; the draft counts as far as it is what the model chooses, so that answers don't depend on
drafts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pancap.chain.boxtokens import Units
from pancap.chain.decoding.cache import KeyValueCache
from pancap.chain.decoding.drafts import Drafter, DraftRules
from pancap.chain.decoding.grammar import AnswerGrammar, AnswerRules
from pancap.chain.model import Checkpoint, image_features
from pancap.chain.tokenizer import token_ids

if TYPE_CHECKING:
    import torch

# N images, B rows, S positions of a step, C places of the cache, H width of the model, V ids, K coordinate values.
MIN_REPEATED_TOKENS = 12
MIN_COPIES = 3
CHECK_EVERY = 8
# The share of rows still going below which the others leave the batch: copies of the cache against idle work.
COMPACT_SHARE = 0.75


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One answer to write.

    Args:
        image: row of the image in the prefix cache.
        prompt_ids: ids from the prefix to where the answer begins.
        max_new_tokens: longest answer.
        rules: constraints on boxes, or None for plain greedy decoding.
        drafts: what drafts are made of, or None for one token a step.
    """

    image: int
    prompt_ids: tuple[int, ...]
    max_new_tokens: int
    rules: AnswerRules | None = None
    drafts: DraftRules | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The answer of a branch.

    Args:
        ids: without the end token.
        confidence: of each new box in it, see `box_confidence`; empty without rules.
        num_steps: forward passes after that of the prompt.
    """

    ids: list[int]
    confidence: dict[Units, float]
    num_steps: int


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
        positions_NS = torch.arange(len(prefix)).expand(len(pixels), -1)
        cache.place(positions_NS, num_places=len(prefix))
        is_past_SS = torch.ones(len(prefix), len(prefix), dtype=torch.bool).tril()
        model.model.language_model(
            inputs_embeds=embeds,
            position_ids=positions_NS,
            attention_mask=is_past_SS[None, None],
            past_key_values=cache,
            use_cache=True,
        )
    return cache


def decode_branches(
    checkpoint: Checkpoint,
    prefix: KeyValueCache,
    *,
    branches: Sequence[Branch],
    repeat_window: int = 120,
    step_tokens: int = 32,
) -> list[Decoded]:
    """Writes one answer per branch, greedily.

    With rules, the coordinates of new boxes come from `box_decode`: the coordinate rows of the head instead of all of
    it. Rows whose next token is certain (copied boxes) reach no head.

    Args:
        checkpoint: the model.
        prefix: from `encode_prefix`.
        branches: any number of them per image.
        repeat_window: longest repeated sequence that ends a runaway answer.
        step_tokens: of all rows together; drafts take what the rows leave of it.

    Returns:
        The answers in the order of the branches.
    """
    import torch

    if not branches:
        return []
    with torch.inference_mode():
        return Decoder(
            checkpoint, prefix, branches=branches, repeat_window=repeat_window, step_tokens=step_tokens
        ).run()


def add_token(answer: list[int], token: int, *, limit: int, window: int) -> bool:
    """Adds a token to an answer, from which a runaway end is cut; False if nothing may follow.

    Args:
        answer: changed in place.
        token: not the end token.
        limit: tokens that an answer may have.
        window: see `cut_runaway`; looked for every `CHECK_EVERY` tokens.
    """
    answer.append(token)
    length = cut_runaway(answer, window=window) if len(answer) % CHECK_EVERY == 0 else None
    if length is not None:
        del answer[length:]
    return length is None and len(answer) < limit


def cut_runaway(ids: Sequence[int], *, window: int) -> int | None:
    """Length to cut an answer to if it ends in copies of itself, else None.

    Two copies are kept: where they begin is not certain (the box before may have ended in the same number), and of two
    one is whole.

    Example:
        >>> cut_runaway([7, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2], window=4)
        5
    """
    for period in range(1, window + 1):
        copies = max(MIN_COPIES, -(-MIN_REPEATED_TOKENS // period))
        span = period * copies
        if len(ids) < span or ids[-1] != ids[-1 - period]:
            continue
        tail = ids[-span:]
        if all(tail[index] == tail[index - period] for index in range(period, span)):
            return len(ids) - span + 2 * period
    return None


class Decoder:
    """The state of one call of `decode_branches`."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        prefix: KeyValueCache,
        *,
        branches: Sequence[Branch],
        repeat_window: int,
        step_tokens: int,
    ) -> None:
        """Starts before the prompts."""
        import torch

        from pancap.custom_kernels.box_decode import BoxDecoder

        self.model = checkpoint.model
        self.ids = token_ids(checkpoint.tokenizer)
        self.branches = branches
        self.repeat_window = repeat_window
        self.step_tokens = step_tokens
        self.answers: list[list[int]] = [[] for _ in branches]
        self.num_steps = [0] * len(branches)
        self.grammars = [
            AnswerGrammar(branch.rules, ids=self.ids) if branch.rules and self.ids.coordinates else None
            for branch in branches
        ]
        self.drafters = [
            Drafter(branch.drafts, prompt_ids=branch.prompt_ids) if branch.drafts else None for branch in branches
        ]
        first, stop = self.ids.coordinates.start, self.ids.coordinates.stop
        self.box_decoder = BoxDecoder(self.model.lm_head.weight[first:stop], max_rows=len(branches))
        self.active = list(range(len(branches)))
        self.is_finished = [False] * len(branches)
        self.cache = prefix.rows(torch.tensor([branch.image for branch in branches]))
        self.lengths = [prefix.num_places] * len(branches)

    def run(self) -> list[Decoded]:
        """Writes all answers."""
        given = [list(branch.prompt_ids) for branch in self.branches]
        while True:
            room = max(self.step_tokens // len(self.active) - 1, 0)
            drafts = [self._draft(branch)[:room] if room else () for branch in self.active]
            hidden_BSH = self._forward([[*ids, *draft] for ids, draft in zip(given, drafts, strict=True)])
            tokens = self._verify(hidden_BSH, starts=[len(ids) - 1 for ids in given], drafts=drafts)
            going = [row for row, branch in enumerate(self.active) if not self.is_finished[branch]]
            if not going:
                return self._decoded()
            if len(going) <= COMPACT_SHARE * len(self.active):
                self._keep(going)
                tokens = [tokens[row] for row in going]
            given = [[token] for token in tokens]
            for branch in self.active:
                self.num_steps[branch] += not self.is_finished[branch]

    def _decoded(self) -> list[Decoded]:
        return [
            Decoded(ids=ids, confidence=grammar.confidence if grammar else {}, num_steps=num_steps)
            for ids, grammar, num_steps in zip(self.answers, self.grammars, self.num_steps, strict=True)
        ]

    def _draft(self, branch: int) -> Sequence[int]:
        drafter = self.drafters[branch]
        return drafter.propose() if drafter and not self.is_finished[branch] else ()

    def _forward(self, ids: list[list[int]]) -> "torch.Tensor":
        """Hidden states behind the next ids of each row; rows are padded on the right, where nothing looks at it."""
        import torch

        longest = max(map(len, ids))
        positions_BS = torch.tensor(self.lengths).unsqueeze(1) + torch.arange(longest)
        num_places = max(self.lengths) + longest
        self.cache.place(positions_BS, num_places=num_places)
        is_past_BSC = torch.arange(num_places) <= positions_BS.unsqueeze(2)
        hidden_BSH: torch.Tensor = self.model.model.language_model(
            input_ids=torch.tensor([[*row, *[self.ids.pad] * (longest - len(row))] for row in ids]),
            position_ids=positions_BS,
            attention_mask=is_past_BSC.unsqueeze(1),
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state
        return hidden_BSH

    def _verify(
        self, hidden_BSH: "torch.Tensor", *, starts: Sequence[int], drafts: Sequence[Sequence[int]]
    ) -> list[int]:
        """Records the tokens that the model chooses, on and on where it chooses what the draft holds.

        Args:
            hidden_BSH: behind what each row was given and its draft.
            starts: place of the last token in it that is certain.
            drafts: of each row.

        Returns:
            The token of each row that comes next and no forward pass has seen; of a finished row, padding.
        """
        import torch

        tokens = [self.ids.pad] * len(self.active)
        rows = [row for row, branch in enumerate(self.active) if not self.is_finished[branch]]
        places_B = torch.tensor(starts)
        every_row_B = torch.arange(len(starts))
        for row in rows:
            self.lengths[row] += starts[row] + 1
        for offset in range(hidden_BSH.shape[1]):
            if not rows:
                break
            hidden_BH = hidden_BSH[every_row_B, (places_B + offset).clamp(max=hidden_BSH.shape[1] - 1)]
            chosen = self._next_tokens(hidden_BH, rows)
            tokens = [chosen.get(row, token) for row, token in enumerate(tokens)]
            rows = [row for row, token in chosen.items() if tuple(drafts[row][offset : offset + 1]) == (token,)]
            for row in rows:
                self.lengths[row] += 1
        return tokens

    def _next_tokens(self, hidden_BH: "torch.Tensor", rows: Sequence[int]) -> dict[int, int]:
        """Chooses and records the next token of some rows; those whose answer ends here are left out."""
        tokens: dict[int, int | None] = {}
        free: list[int] = []
        bounds: dict[int, tuple[int, int]] = {}
        for row in rows:
            grammar = self.grammars[self.active[row]]
            forced = grammar.forced() if grammar else None
            corner = grammar.bounds() if grammar else None
            if forced is not None:
                tokens[row] = self._take(self.active[row], forced)
            elif corner is not None:
                bounds[row] = corner
            else:
                free.append(row)
        if bounds:
            for row, value, std in self._decode_corners(hidden_BH, bounds):
                tokens[row] = self._take(self.active[row], self.ids.coordinates.start + value, std=std)
        if free:
            for row, logits_V in zip(free, self.model.lm_head(hidden_BH[free]), strict=True):
                tokens[row] = self._take(self.active[row], self._choose(self.active[row], logits_V))
        return {row: token for row, token in tokens.items() if token is not None}

    def _choose(self, branch: int, logits_V: "torch.Tensor") -> int:
        grammar = self.grammars[branch]
        return grammar.choose(logits_V) if grammar else int(logits_V.argmax())

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
        if grammar := self.grammars[branch]:
            grammar.advance(token, std=std)
        if drafter := self.drafters[branch]:
            drafter.advance(token)
        limit = self.branches[branch].max_new_tokens
        if token != self.ids.eos and add_token(self.answers[branch], token, limit=limit, window=self.repeat_window):
            return token
        self.is_finished[branch] = True
        return None

    def _keep(self, rows: list[int]) -> None:
        """Goes on with these rows alone."""
        import torch

        self.active = [self.active[row] for row in rows]
        self.lengths = [self.lengths[row] for row in rows]
        self.cache = self.cache.rows(torch.tensor(rows))
