"""A generator that follows a script, for tests and dry runs."""

from collections.abc import Callable, Iterable, Iterator

from pancap.llm.base import Follow, Reply, Request


class ScriptedGenerator:
    """Replies as a function says.

    Args:
        script: the reply to a request, or only its text.
        model: name in results.

    Example:
        >>> from pancap.llm.base import Message
        >>> generator = ScriptedGenerator(lambda request: request.messages[-1].text.upper())
        >>> request = Request(messages=(Message(role="user", text="hello"),), max_tokens=8)
        >>> [(place, reply.text) for place, reply in generator.generate([request])]
        [(0, 'HELLO')]
    """

    def __init__(self, script: Callable[[Request], Reply | str], *, model: str = "scripted") -> None:
        """Keeps every request in `asked`."""
        self.model = self.identity = model
        self.asked: list[Request] = []
        self._script = script

    def generate(self, requests: Iterable[Request], *, follow: Follow | None = None) -> Iterator[tuple[int, Reply]]:
        """In order, one at a time; each conversation to its end before the next."""
        for place, first in enumerate(requests):
            request: Request | None = first
            while request:
                self.asked.append(request)
                said = self._script(request)
                reply = Reply(text=said, finish="stop") if isinstance(said, str) else said
                request = follow(place, reply) if follow else None
                yield place, reply

    def close(self) -> None:
        """Holds nothing."""
