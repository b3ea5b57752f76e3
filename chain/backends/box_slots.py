"""What may stand in a box while it is being written, in either spelling; vLLM's sampler is held to it.

A box is complete, ordered and inside the image; nothing else of an answer is touched. With coordinate tokens the next
coordinate is one of a range, and outside of a box there is none; with digits, whatever the tokenizer makes of them, a
token is possible if the box can go on from it. (`chain.decoding.grammar` rules whole answers where this package decodes
them.)
"""

from collections.abc import Mapping, Sequence

import torch

from pancap.caption.boxes import LETTERBOX_UNITS
from pancap.chain.boxtokens import Units

BOX_OPEN, BOX_CLOSE = "<box>", "</box>"
# The longest box is `<box>[[1000, 1000, 1000, 1000]]</box>`; as many tokens at most.
MAX_BOX_CHARS = 37

_OPEN, _SEPARATOR, _CLOSE = "[[", ", ", "]]" + BOX_CLOSE
_BOX_CHARS = frozenset("0123456789, []</box>")
_SPACE_MARKS = str.maketrans({"\u2581": " ", "\u0120": " "})  # how SentencePiece and byte-level BPE write a space


def read_slots(vocabulary: Mapping[str, int]) -> "TokenSlots | TextSlots":
    """How boxes are written with a vocabulary: by coordinate tokens where it has them."""
    if "<c0>" in vocabulary:
        return TokenSlots(vocabulary)
    return TextSlots(vocabulary)


class TokenSlots:
    """Boxes of five tokens."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        """Notes the ids."""
        self._box, self._first = vocabulary[BOX_OPEN], vocabulary["<c0>"]
        self._last = vocabulary[f"<c{LETTERBOX_UNITS}>"]

    def mask(self, output_ids: list[int], logits_V: torch.Tensor, *, limits: Units) -> torch.Tensor:
        """Takes away what would spoil a box."""
        tail = output_ids[-4:]
        begin = len(tail) - 1 - tail[::-1].index(self._box) if self._box in tail else None
        corners = None if begin is None else [token - self._first for token in tail[begin + 1 :]]
        if corners is None or len(corners) == 4:
            logits_V[self._first : self._last + 1] = float("-inf")
            return logits_V
        allowed = corner_range(corners, limits)
        masked = torch.full_like(logits_V, float("-inf"))
        span = slice(self._first + allowed.start, self._first + allowed.stop)
        masked[span] = logits_V[span]
        return masked


class TextSlots:
    """Boxes of digits."""

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        """Notes the texts of tokens, and those that can stand in a box."""
        self._texts = {index: token.translate(_SPACE_MARKS) for token, index in vocabulary.items()}
        self._in_box = {index: text for index, text in self._texts.items() if text and _BOX_CHARS.issuperset(text)}

    def mask(self, output_ids: list[int], logits_V: torch.Tensor, *, limits: Units) -> torch.Tensor:
        """Takes away what would spoil a box; a tokenizer that cannot write one is left alone."""
        text = "".join(self._texts.get(token, "") for token in output_ids[-MAX_BOX_CHARS:])
        begun = open_box(text)
        if begun is None:
            return logits_V
        allowed = [index for index, more in self._in_box.items() if continues_box(begun + more, limits)]
        if not allowed:
            return logits_V
        masked = torch.full_like(logits_V, float("-inf"))
        masked[allowed] = logits_V[allowed]
        return masked


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

    Example:
        >>> [continues_box(f"[[10, 20, {rest}", (0, 0, 1000, 1000)) for rest in ("1", "10, ", "11, 3", "2000")]
        [True, False, True, False]
    """
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


def open_box(text: str) -> str | None:
    """What stands behind the last `<box>`, if that box is not closed yet."""
    _, begin, rest = text.rpartition(BOX_OPEN)
    return rest if begin and BOX_CLOSE not in rest else None


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
