"""Whether a reply is one, and why not."""

import json
from typing import Any

from pancap.llm.base import Reply


class InvalidReplyError(ValueError):
    """A reply that cannot be read; the message is its reason, a few words."""


def reply_text(reply: Reply) -> str:
    """The text of a complete reply.

    Raises:
        InvalidReplyError: it was cut, withheld, refused, failed or empty.
    """
    if reply.finish == "length":
        raise InvalidReplyError("cut at max_tokens")
    if reply.finish != "stop":
        raise InvalidReplyError(f"{reply.finish}: {reply.error}"[:120])
    if not reply.text.strip():
        raise InvalidReplyError("empty")
    return reply.text


def read_object(text: str) -> dict[str, Any]:
    """The JSON object in a text; what stands around its braces (a code fence, say) is ignored.

    Raises:
        InvalidReplyError: there is none.
    """
    try:
        value = json.loads(text[text.find("{") : text.rfind("}") + 1], strict=False)
    except (ValueError, RecursionError) as error:
        raise InvalidReplyError("not JSON") from error
    if not isinstance(value, dict):
        raise InvalidReplyError("not JSON")
    return value
