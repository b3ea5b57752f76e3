"""A generator that follows a script, for tests and dry runs."""

from collections.abc import Callable, Iterator, Sequence

from pancap.llm.base import Reply, Request


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

    def generate(self, requests: Sequence[Request]) -> Iterator[tuple[int, Reply]]:
        """In order, one at a time."""
        for place, request in enumerate(requests):
            self.asked.append(request)
            reply = self._script(request)
            yield place, Reply(text=reply, finish="stop") if isinstance(reply, str) else reply

    def close(self) -> None:
        """Holds nothing."""
