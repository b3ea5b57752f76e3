"""What every generator takes and gives."""

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length", "filtered", "refused", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation.

    Args:
        role: whose turn it is.
        text: what is said.
        images: PNG files that stand before the text.
    """

    role: Role
    text: str
    images: tuple[bytes, ...] = ()

    def to_openai(self) -> dict[str, Any]:
        """The message as endpoints, vLLM and Ray Data read it, images inlined.

        Example:
            >>> Message(role="user", text="hello").to_openai()
            {'role': 'user', 'content': 'hello'}
        """
        if not self.images:
            return {"role": self.role, "content": self.text}
        urls = (f"data:image/png;base64,{base64.b64encode(image).decode()}" for image in self.images)
        parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return {"role": self.role, "content": [*parts, {"type": "text", "text": self.text}]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One conversation to be continued.

    Requests that are generated together should begin alike (what never changes first, what differs last) and stand next
    to each other: engines and endpoints compute a shared beginning once.

    Args:
        messages: the conversation; the last is the user's.
        max_tokens: the reply is cut after so many tokens.
        schema: JSON schema (as text) that the reply obeys; "" for none.
        choices: the reply is one of these, without quotes; at most one of `schema` and `choices` is given.
        temperature: 0 takes the likeliest token each time.
        seed: of the sampling; without effect at temperature 0.
        rules: for the logits processor that `vllm.engine.logits_processors` names, which finds it as
            `extra_args["rules"]`; only vLLM takes it.
        repeat_window: a reply that ends in copies of its last tokens, this many at most, is cut; 0 for never. Only vLLM
            in this process takes it.
        purpose: what the request is for; counted apart, never sent.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    schema: str = ""
    choices: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0
    rules: str = ""
    repeat_window: int = 0
    purpose: str = ""

    @property
    def has_images(self) -> bool:
        """A message of it holds one."""
        return any(message.images for message in self.messages)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back.

    Args:
        text: the reply; "" where there is none.
        finish: `stop` complete · `length` cut at `max_tokens` · `filtered` withheld by the endpoint's content filter ·
            `refused` this one request was not taken (too long, say) · `failed` no answer after all retries.
        error: one sentence where there is no text.
        prompt_tokens: tokens of the prompt.
        cached_tokens: of them, served from the prefix cache; None where that is not told.
        completion_tokens: tokens of the reply.
    """

    text: str
    finish: Finish
    error: str = ""
    prompt_tokens: int = 0
    cached_tokens: int | None = None
    completion_tokens: int = 0

    @property
    def is_final(self) -> bool:
        """Work was done for it, so it is kept; the others are asked again by the next run."""
        return self.finish in ("stop", "length", "filtered")


class Generator(Protocol):
    """Continues conversations in batches."""

    @property
    def model(self) -> str:
        """Name of the model, as a reader of results should see it."""
        ...

    @property
    def identity(self) -> str:
        """Everything beside the requests that changes the replies; part of the key under which they are kept."""
        ...

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Reply]]:
        """Replies with the places of their requests, each once, as they are completed, in any order.

        Raises:
            UsageError: nothing can be generated as configured.
            StoppedError: the engine or endpoint is gone; what was yielded before is good.
        """
        ...

    def close(self) -> None:
        """Frees the engine or the connections; a second call does nothing."""
        ...


Follow = Callable[[int, Reply], Request | None]


class RollingGenerator(Generator, Protocol):
    """A generator that also asks what a reply leads to, so that each conversation advances at its own pace."""

    def generate(self, requests: Iterable[Request], *, follow: Follow | None = None) -> Iterator[tuple[int, Reply]]:
        """See `Generator.generate`.

        Args:
            requests: taken one by one, each when there is room for it.
            follow: from a place and its reply to the next request of that place, or None where it has come to its end;
                called once for every reply, before that is given.
        """
        ...
