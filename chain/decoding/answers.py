"""One answer in the making: what it is to be, its tokens so far, where it ends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pancap.chain.boxtokens import Units
from pancap.chain.decoding.box_masks import TextRules
from pancap.chain.decoding.drafts import Drafter, DraftRules
from pancap.chain.decoding.grammar import AnswerGrammar, AnswerRules
from pancap.chain.tokenizer import TokenIds

if TYPE_CHECKING:
    import torch

# V ids of the vocabulary.
MIN_REPEATED_TOKENS = 12
MIN_COPIES = 3
CHECK_EVERY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One answer to write.

    Args:
        prompt_ids: ids from the image's prefix to where the answer begins.
        max_new_tokens: longest answer.
        rules: constraints on boxes, of coordinate tokens or of digits; None for plain greedy decoding.
        drafts: what drafts are made of, or None for one token a step.
    """

    prompt_ids: tuple[int, ...]
    max_new_tokens: int
    rules: AnswerRules | TextRules | None = None
    drafts: DraftRules | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The answer of a branch.

    Args:
        ids: without the end token.
        confidence: of each new box in it, see `box_confidence`; empty without rules and for boxes of digits.
        num_steps: forward passes after that of the prompt.
    """

    ids: list[int]
    confidence: dict[Units, float]
    num_steps: int


class Row:
    """A branch under way in a slot.

    Args:
        branch: what is written.
        slot: where.
        ids: named ids of the tokenizer.
        repeat_window: see `cut_runaway`.

    Attributes:
        given: certain tokens that no forward pass has seen: at first the prompt.
        draft: likely tokens behind them.
        place: in the step under way, the token whose successor is chosen next.
        grammar: of the rules over coordinate tokens.
        plain: without a grammar, the model's choices behind the last given token and each of the draft.
        ids: the answer so far.
    """

    def __init__(self, branch: Branch, *, slot: int, ids: TokenIds, repeat_window: int) -> None:
        """Starts before the prompt."""
        self.branch = branch
        self.slot = slot
        self.grammar = AnswerGrammar(branch.rules, ids=ids) if isinstance(branch.rules, AnswerRules) else None
        self.given: list[int] = list(branch.prompt_ids)
        self.draft: Sequence[int] = ()
        self.place = 0
        self.plain: Iterator[int] = iter(())
        self.ids: list[int] = []
        self.num_steps = -1
        self.is_finished = False
        self._drafter = Drafter(branch.drafts, prompt_ids=branch.prompt_ids) if branch.drafts else None
        self._text_rules = branch.rules if isinstance(branch.rules, TextRules) else None
        self._eos = ids.eos
        self._repeat_window = repeat_window

    def begin_step(self, *, max_draft: int) -> list[int]:
        """The tokens that go into the next forward pass."""
        self.draft = self._drafter.propose(room=max_draft) if self._drafter and max_draft else ()
        self.num_steps += 1
        return [*self.given, *self.draft]

    def allows(self, token: int) -> bool:
        """Without a grammar: whether the model's own choice may stand."""
        return self._text_rules is None or self._text_rules.allows(self.ids, token)

    def choose(self, logits_V: "torch.Tensor") -> int:
        """The best token that the rules leave, where they decide."""
        if self.grammar:
            return self.grammar.choose(logits_V)
        assert self._text_rules is not None
        return self._text_rules.choose(self.ids, logits_V)

    def take(self, token: int, *, std: float = 0.0) -> bool:
        """Records the next token; True if it is what the draft holds, so that what comes after it is known too."""
        if self.grammar:
            self.grammar.advance(token, std=std)
        if self._drafter:
            self._drafter.advance(token)
        limit = self.branch.max_new_tokens
        if token == self._eos or not add_token(self.ids, token, limit=limit, window=self._repeat_window):
            self.is_finished = True
            return False
        if self.draft and self.draft[0] == token:
            self.draft, self.place = self.draft[1:], self.place + 1
            return True
        self.given = [token]
        return False

    def decoded(self) -> Decoded:
        """The answer, when it is finished; where it was cut it may end inside a box."""
        confidence = self.grammar.confidence if self.grammar else {}
        return Decoded(ids=self.ids, confidence=confidence, num_steps=self.num_steps)


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
