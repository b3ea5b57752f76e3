"""What every generator takes and gives."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length", "filtered", "refused", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn of a conversation."""

    role: Role
    text: str


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
        purpose: what the request is for; counted apart, never sent.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    schema: str = ""
    choices: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0
    purpose: str = ""


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
