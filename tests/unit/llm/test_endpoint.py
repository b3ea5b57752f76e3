"""How a reply of an endpoint is read; tests/integration/llm has the endpoint itself."""

import json

import pytest

from pancap.llm.base import Message, Request
from pancap.llm.endpoint import read_completion

REQUEST = Request(messages=(Message(role="user", text="hello"),), max_tokens=8)


def read(content, request=REQUEST):
    body = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    return read_completion(json.loads(json.dumps(body)), request=request).text


def test_half_an_emoji_does_not_lose_the_reply():
    """An endpoint that cuts inside a surrogate pair sends JSON that can be read but not written: a paid reply was lost."""
    assert read("a cat \ud83d") == "a cat \ufffd"
    assert read("a cat \U0001f600") == "a cat \U0001f600"
    choices = Request(messages=REQUEST.messages, max_tokens=8, choices=("yes",))
    assert read('{"answer": "yes\\ud83d"}', choices) == "yes\ufffd"


def test_a_reply_in_parts_is_their_text():
    """Some servers send the content as a list, which ended the run with an AttributeError."""
    parts = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a "}, {"type": "text", "text": "cat"}]
    assert (read(parts), read([]), read(None)) == ("a cat", "", "")


@pytest.mark.parametrize("content", [7, {"text": "a cat"}, ["a cat"], [{"type": "text"}]], ids=str)
def test_content_of_another_kind_is_no_chat_completion(content):
    with pytest.raises((TypeError, AttributeError, KeyError)):  # what makes the generator ask again
        read(content)
