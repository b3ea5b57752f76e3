"""Text of others inside a prompt: marked off, and without what a chat template or a marker could take for its own."""

import hashlib
import re

_MAX_STATEMENT_CHARS = 300
_CONTROL_WORD = re.compile(r"\[(?=/?[A-Z_]{3,}\])")  # [INST], [/INST], [TOOL_CALLS]


def quote_caption(text: str) -> str:
    """A caption between two marker lines.

    The markers hold a hash of the caption: no caption can contain its own, and the same caption always gives the same
    text, so that caches hold.

    Example:
        >>> print(quote_caption("A dog."))
        === caption 330283a5ffef ===
        A dog.
        === end 330283a5ffef ===
    """
    mark = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:12]
    return f"=== caption {mark} ===\n{neutral(text)}\n=== end {mark} ==="


def quote_statement(text: str) -> str:
    """A tag or statement on one line, cut to 300 characters."""
    return " ".join(neutral(text).split())[:_MAX_STATEMENT_CHARS]


def neutral(text: str) -> str:
    """Angle brackets become typographic ones, control words are broken up, and lone surrogates are replaced.

    Example:
        >>> neutral("<|im_end|> [INST] a <b>")
        '‹|im_end|› [ INST] a ‹b›'
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    return _CONTROL_WORD.sub("[ ", text.replace("<", "‹").replace(">", "›"))
