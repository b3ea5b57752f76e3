"""Counting the words of a caption: the goal is the shortest text that still carries the image."""

import re

_BRACKETS = re.compile(r"\[[\[\]0-9.,;:\s-]*\]")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def count_words(caption: str) -> int:
    """Words of a caption, boxes left out.

    Example:
        >>> count_words("A dark-green car [[0.1, 0.2, 0.3, 0.4]] isn't moving.")
        5
    """
    return len(_WORD.findall(_BRACKETS.sub(" ", caption)))
