"""What may stand in a box while it is being written, in either spelling, whoever runs the model.

A box is complete, ordered and inside the image; nothing else of an answer is touched. With digits, whatever the
tokenizer makes of them, a token is possible if the box can go on from it: backend transformers and vLLM's sampler are
both held to that. With coordinate tokens the next coordinate is one of a range, and outside of a box there is none:
that is for vLLM's sampler (`chain.decoding.grammar` rules whole answers where this package decodes them).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pancap.caption.boxes import LETTERBOX_UNITS
from pancap.chain.boxtokens import Units

if TYPE_CHECKING:
    import torch

# V ids of the vocabulary.
BOX_OPEN, BOX_CLOSE = "<box>", "</box>"
# The longest box is `<box> [[1000, 1000, 1000, 1000]]</box>`; as many tokens at most.
MAX_BOX_CHARS = 38

_OPEN, _SEPARATOR, _CLOSE = "[[", ", ", "]]" + BOX_CLOSE
_SHAPE = " [[0, 0, 0, 0]]</box>"  # of a box, each number as one 0
_NUMBER = re.compile(r"[0-9]+")
_SPACE_MARKS = str.maketrans({"\u2581": " ", "\u0120": " "})  # how SentencePiece and byte-level BPE write a space


def read_masks(vocabulary: Mapping[str, int]) -> "TokenMasks | TextMasks":
    """How boxes are written with a vocabulary: by coordinate tokens where it has them."""
    return TokenMasks(vocabulary) if "<c0>" in vocabulary else TextMasks(vocabulary)


class TokenMasks:
    """Boxes of five tokens."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        """Notes the ids."""
        self._box, self._first = vocabulary[BOX_OPEN], vocabulary["<c0>"]
        self._last = vocabulary[f"<c{LETTERBOX_UNITS}>"]

    def mask(self, ids: Sequence[int], logits_V: "torch.Tensor", *, limits: Units) -> "torch.Tensor":
        """Takes away what would spoil a box.

        Args:
            ids: the answer so far.
            logits_V: of its next token; may be changed.
            limits: see `corner_range`.
        """
        tail = list(ids[-4:])
        begin = len(tail) - 1 - tail[::-1].index(self._box) if self._box in tail else None
        corners = None if begin is None else [token - self._first for token in tail[begin + 1 :]]
        if corners is None or len(corners) == 4:
            logits_V[self._first : self._last + 1] = float("-inf")
            return logits_V
        allowed = corner_range(corners, limits)
        return _only(logits_V, slice(self._first + allowed.start, self._first + allowed.stop))


class TextMasks:
    """Boxes of digits."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        """Notes the texts of tokens: of all, of the few that can stand in a box, and of those that end one."""
        self._texts = {index: token.translate(_SPACE_MARKS) for token, index in vocabulary.items()}
        texts = self._texts.items()
        self._inside = {index: text for index, text in texts if text and _shape(text) in _SHAPE}
        self._closing = [index for index, text in texts if BOX_CLOSE in text]
        self._following: dict[str, list[int]] = {}  # by the shape of what is begun

    def allows(self, ids: Sequence[int], token: int, *, limits: Units) -> bool:
        """Whether `mask` leaves a token, found without looking at the others."""
        begun = self._begun(ids)
        if begun is None:
            return token not in self._closing
        return token in self._inside and continues_box(begun + self._inside[token], limits)

    def mask(self, ids: Sequence[int], logits_V: "torch.Tensor", *, limits: Units) -> "torch.Tensor":
        """Takes away what would spoil a box, and the end of one where none is open; see `TokenMasks.mask`.

        A tokenizer that cannot write a box is left alone in it.
        """
        begun = self._begun(ids)
        if begun is None:
            for token in self._closing:
                logits_V[token] = float("-inf")
            return logits_V
        allowed = self._allowed(begun, limits)
        return _only(logits_V, allowed) if allowed else logits_V

    def _begun(self, ids: Sequence[int]) -> str | None:
        """What stands behind the last `<box>`, if that box is not closed yet."""
        text = "".join(self._texts.get(token, "") for token in ids[-MAX_BOX_CHARS:])
        _, begin, rest = text.rpartition(BOX_OPEN)
        return rest if begin and BOX_CLOSE not in rest else None

    def _allowed(self, begun: str, limits: Units) -> list[int]:
        shape = _shape(begun)
        if shape not in self._following:
            ends = ((index, _shape(shape + more)) for index, more in self._inside.items())
            self._following[shape] = [index for index, end in ends if _SHAPE.startswith(" " + end.removeprefix(" "))]
        return [index for index in self._following[shape] if continues_box(begun + self._inside[index], limits)]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRules:
    """Boxes of digits in an answer that is decoded here: each as it must be; which ones, and where, is free.

    Args:
        masks: of the tokenizer.
        limits: see `corner_range`.
    """

    masks: TextMasks
    limits: Units

    def allows(self, ids: Sequence[int], token: int) -> bool:
        """Whether an answer may go on with a token."""
        return self.masks.allows(ids, token, limits=self.limits)

    def choose(self, ids: Sequence[int], logits_V: "torch.Tensor") -> int:
        """The allowed token with the highest logit behind an answer."""
        return int(self.masks.mask(ids, logits_V, limits=self.limits).argmax())


def corner_range(corners: Sequence[int], limits: Units) -> range:
    """Values of the coordinate after these, so that room for the rest remains.

    Args:
        corners: those written, three at most.
        limits: smallest and largest units inside the image, (x_min, y_min, x_max, y_max).

    Example:
        >>> corner_range((), (0, 0, 1000, 500)), corner_range((40, 30), (0, 0, 1000, 500))
        (range(0, 1000), range(41, 1001))
    """
    axis = len(corners) % 2
    low, high = limits[axis], limits[axis + 2]
    return range(low, high) if len(corners) < 2 else range(corners[axis] + 1, high + 1)


def continues_box(text: str, limits: Units) -> bool:
    """Whether a text behind `<box>` is the beginning, or the whole, of `[[x1, y1, x2, y2]]</box>`.

    One blank may stand before it: Llama's tokenizer, after an added token, has no other way to write brackets.

    Example:
        >>> [continues_box(f"[[10, 20, {rest}", (0, 0, 1000, 1000)) for rest in ("1", "10, ", "11, 3", "2000")]
        [True, False, True, False]
    """
    text = text.removeprefix(" ")
    if len(text) <= len(_OPEN):
        return _OPEN.startswith(text)
    if not text.startswith(_OPEN):
        return False
    numbers, bracket, rest = text.removeprefix(_OPEN).partition("]")
    *whole, last = numbers.split(_SEPARATOR)
    if bracket or last.endswith(","):
        whole, last = [*whole, last if bracket else last[:-1]], ""
    corners: list[int] = []
    for number in whole:
        if len(corners) == 4 or not _is_number(number) or int(number) not in corner_range(corners, limits):
            return False
        corners.append(int(number))
    if bracket:
        return len(corners) == 4 and _CLOSE.startswith(bracket + rest)
    return len(corners) < 4 and _begins_number(last, corner_range(corners, limits))


def _shape(text: str) -> str:
    """A text of a box with 0 for each number."""
    return _NUMBER.sub("0", text)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and str(int(text)) == text


def _begins_number(text: str, allowed: range) -> bool:
    """Some allowed number begins so; none is longer than four digits."""
    if not text:
        return True
    if not _is_number(text):
        return False
    first = int(text)
    spans = ((first * 10**more, (first + 1) * 10**more) for more in range(1 if first == 0 else 5 - len(text)))
    return any(low < allowed.stop and high > allowed.start for low, high in spans)


def _only(logits_V: "torch.Tensor", allowed: slice | list[int]) -> "torch.Tensor":
    masked = logits_V.new_full(logits_V.shape, float("-inf"))
    masked[allowed] = logits_V[allowed]
    return masked
