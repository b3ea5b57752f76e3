"""Counting the words and tokens of a caption: the goal is the shortest text that still carries the image."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from pancap.configs.errors import UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_BATCH_CAPTIONS = 256  # what the tokenizer says of a caption takes 25 kB
_BRACKETS = re.compile(r"\[[\[\]0-9.,;:\s-]*\]")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def count_words(caption: str) -> int:
    """Words of a caption, boxes left out.

    Example:
        >>> count_words("A dark-green car [[0.1, 0.2, 0.3, 0.4]] isn't moving.")
        5
    """
    return len(_WORD.findall(_BRACKETS.sub(" ", caption)))


def count_tokens(captions: Sequence[str]) -> list[int] | None:
    """Tokens of each caption, boxes included, in BERT's WordPiece vocabulary of 30,522.

    The vocabulary comes with all-MiniLM-L6-v2; None where its package is not installed. Counts of other vocabularies
    are near in ratio, not in number: one that splits digits counts a box at about 27.

    Example:
        >>> count_tokens(["A dog.", "A dog [[0.1, 0.2, 0.3, 0.4]]."])
        [3, 22]
    """
    tokenizer = _load_tokenizer()
    if tokenizer is None:
        return None
    counts: list[int] = []
    for start in range(0, len(captions), _BATCH_CAPTIONS):
        batch = captions[start : start + _BATCH_CAPTIONS]
        readable = [caption.encode("utf-8", "replace").decode() for caption in batch]  # no lone surrogates
        counts += map(len, tokenizer.encode_batch_fast(readable, add_special_tokens=False))
    return counts


@lru_cache(maxsize=1)
def _load_tokenizer() -> "Tokenizer | None":
    from pancap.scoring.encoder import find_minilm

    try:
        from tokenizers import Tokenizer

        path = find_minilm() / "tokenizer.json"
    except (ImportError, UsageError):
        return None
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
