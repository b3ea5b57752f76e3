"""What an answer may hold next: boxes that are complete, ordered, inside the image and, where given, known.

One `AnswerGrammar` follows one row of a batch, token by token. It is used with coordinate tokens only: there a box is
five tokens, so that the rules are ranges of ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pancap.chain.boxtokens import Units
from pancap.chain.stages import StageName
from pancap.chain.tokenizer import TokenIds

if TYPE_CHECKING:
    import torch

MAX_TAG_TOKENS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRules:
    """The boxes that an answer may hold.

    Args:
        stage: decides what may stand between boxes.
        limits: smallest and largest coordinate in the image, (x_min, y_min, x_max, y_max).
        known: boxes of the stages before: written in this order in `tag`; in `cap` the only ones allowed, each once.
        nothing: ids that begin the discovery stage's `None`, which is no caption.
        is_refined: the tag stage writes as many boxes as are known, but corrects them.
        known_tags: token ids of the known boxes' tags, for `cap`: right after one of these tags comes its own box.
        is_complete: a caption ends only when every known box is in it.
        window: how a coordinate of a new box is read from its distribution, see `read_coordinate`.
    """

    stage: StageName
    limits: Units
    known: tuple[Units, ...] = ()
    known_tags: tuple[tuple[int, ...], ...] = ()
    is_refined: bool = False
    nothing: tuple[int, ...] = ()
    is_complete: bool = False
    window: int = 0


class AnswerGrammar:
    """Follows one answer and chooses its next token among those that the rules allow.

    Args:
        rules: what the answer may hold.
        ids: named ids of a tokenizer with coordinate tokens.
    """

    def __init__(self, rules: AnswerRules, *, ids: TokenIds) -> None:
        """Starts before the first token."""
        self.rules = rules
        self.ids = ids
        self.corners: list[int] | None = None
        self.num_boxes = 0
        self.words: list[int] = []
        self.waiting = dict.fromkeys(range(len(rules.known)))

    def choose(self, logits_V: "torch.Tensor") -> int:
        """The allowed token with the highest logit; the grammar moves on past it."""
        token = self._choose_corner(logits_V) if self.corners is not None else self._choose_free(logits_V)
        self._advance(token)
        return token

    def _choose_corner(self, logits_V: "torch.Tensor") -> int:
        assert self.corners is not None
        allowed = self._allowed_corners()
        first = self.ids.coordinates.start
        if isinstance(allowed, range):
            scores = logits_V[first + allowed.start : first + allowed.stop]
            return first + allowed.start + read_coordinate(scores, window=self.rules.window)
        return first + max(allowed, key=lambda value: float(logits_V[first + value]))

    def _choose_free(self, logits_V: "torch.Tensor") -> int:
        forced = self._forced()
        if forced is not None:
            return forced
        ids, banned = self.ids, [self.ids.pad, self.ids.bos, self.ids.image]
        if self.rules.stage == "loc":
            return ids.box if logits_V[ids.box] > logits_V[ids.eos] else ids.eos
        if self.rules.stage == "tag":
            banned.append(ids.eos)
            if not self.words:
                banned.append(ids.box)
        if self.rules.stage == "cap" and not self.words:
            banned += self.rules.nothing
        if self.rules.stage == "cap" and self.rules.known:
            if not self.waiting:
                banned.append(ids.box)
            elif self.rules.is_complete:
                banned.append(ids.eos)
        scores = logits_V.clone()
        scores[banned] = float("-inf")
        scores[ids.coordinates.start : ids.coordinates.stop] = float("-inf")
        return int(scores.argmax())

    def _forced(self) -> int | None:
        """The only possible token outside a box, if there is one."""
        if self.rules.stage == "tag":
            if self.num_boxes == len(self.rules.known):
                return self.ids.eos
            if len(self.words) == MAX_TAG_TOKENS:
                return self.ids.box
        return None

    def _allowed_corners(self) -> Sequence[int]:
        """Values of the next coordinate."""
        assert self.corners is not None
        written, rules = tuple(self.corners), self.rules
        if rules.stage == "tag" and not rules.is_refined:
            return (rules.known[self.num_boxes][len(written)],)
        if rules.stage == "cap" and rules.known:
            fitting = (rules.known[index] for index in self._candidates())
            return tuple(dict.fromkeys(box[len(written)] for box in fitting if box[: len(written)] == written))
        x_min, y_min, x_max, y_max = rules.limits
        if len(written) < 2:
            return range(x_min, x_max) if not written else range(y_min, y_max)
        return range(written[0] + 1, x_max + 1) if len(written) == 2 else range(written[1] + 1, y_max + 1)

    def _candidates(self) -> Sequence[int]:
        """Known boxes that the caption may name now: those whose tag was just written, else all that are left."""
        if not self.rules.known_tags:
            return tuple(self.waiting)
        named = [index for index in self.waiting if self._has_just_said(self.rules.known_tags[index])]
        return named or tuple(self.waiting)

    def _has_just_said(self, tag: tuple[int, ...]) -> bool:
        words = self.words[:-1] if self.words and self.words[-1] == self.ids.box else self.words
        return bool(tag) and tuple(words[-len(tag) :]) == tag

    def _advance(self, token: int) -> None:
        if self.corners is None:
            self.words.append(token)
            if token == self.ids.box:
                self.corners = []
            return
        self.corners.append(token - self.ids.coordinates.start)
        if len(self.corners) == 4:
            if self.rules.stage == "cap":
                written = tuple(self.corners)
                candidates = [index for index in self._candidates() if self.rules.known[index] == written]
                for index in candidates[:1]:
                    del self.waiting[index]
            self.corners, self.num_boxes, self.words = None, self.num_boxes + 1, []


def read_coordinate(scores_K: "torch.Tensor", *, window: int) -> int:
    """A coordinate from the logits of its allowed values.

    Args:
        scores_K: one logit per value, ascending.
        window: 0 takes the most likely value; W > 0 finds the 2 W + 1 neighbouring values that are most likely
            together and takes their mean, so that a peak spread over neighbours counts as one.

    Returns:
        Index into the values.
    """
    import torch
    import torch.nn.functional as F

    if window == 0 or len(scores_K) == 1:
        return int(scores_K.argmax())
    probabilities_K = scores_K.float().softmax(dim=0).double()
    span = min(2 * window + 1, len(probabilities_K))
    sums = F.pad(probabilities_K.cumsum(0), (1, 0))
    start = int((sums[span:] - sums[:-span]).argmax())
    peak = probabilities_K[start : start + span]
    offsets = torch.arange(span, dtype=peak.dtype)
    return start + round(float((peak * offsets).sum() / peak.sum()))
