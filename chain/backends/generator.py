"""The chain over any generator: vLLM in this process or on Ray Data, or an OpenAI-compatible endpoint.

Each image goes through its stages at its own pace. Every request of an image begins with the picture, so that an
engine with a prefix cache computes it once; vLLM's key of that cache holds the picture's hash.
"""

from collections.abc import Iterable, Iterator
from io import BytesIO

import numpy as np

from pancap.chain.backends.base import Answer, Follow, Opening, Question
from pancap.chain.boxtokens import Codec, without_open_box
from pancap.chain.config import DecodingConfig
from pancap.chain.dialects import Dialect
from pancap.chain.stages import STAGES, StageName
from pancap.llm.base import Message, Reply, Request, RollingGenerator


class GeneratorBackend:
    """Asks a generator in one model's dialect.

    Args:
        generator: prompts and pictures in, text out.
        dialect: how its model is spoken to.
        decoding: limits.
    """

    def __init__(
        self, generator: RollingGenerator, *, dialect: Dialect, decoding: DecodingConfig | None = None
    ) -> None:
        """Asks nothing yet."""
        self.generator = generator
        self.dialect = dialect
        self.decoding = decoding or DecodingConfig()
        self.coordinates = dialect.coordinates
        self.has_rules = dialect.has_rules and self.decoding.enable_constraints

    def codec(self, image: np.ndarray) -> Codec:
        """See `Backend`."""
        codec: Codec = self.dialect.codec(image)
        return codec

    def converse(self, openings: Iterable[Opening], *, follow: Follow) -> Iterator[int]:
        """See `Backend`.

        Raises:
            UsageError: nothing can be generated as configured.
            StoppedError: the engine or endpoint is gone.
        """
        begun: dict[int, _Begun] = {}

        def first_requests() -> Iterator[Request]:
            for place, (image, question) in enumerate(openings):
                begun[place] = _Begun(self.dialect, image, stage=question.stage)
                yield self._request(question, begun[place])

        def next_request(place: int, reply: Reply) -> Request | None:
            question = follow(place, read_reply(reply, stage=begun[place].stage, has_rules=self.has_rules))
            if question is not None:
                return self._request(question, begun[place])
            del begun[place]
            return None

        for place, _ in self.generator.generate(first_requests(), follow=next_request):
            yield place

    def close(self) -> None:
        """Frees the engine or the connections."""
        self.generator.close()

    def _request(self, question: Question, begun: "_Begun") -> Request:
        begun.stage = question.stage
        prompt = self.dialect.prompt(question.stage, question.state, codec=begun.codec)
        system = (Message(role="system", text=self.dialect.system),) if self.dialect.system else ()
        return Request(
            messages=(*system, Message(role="user", text=prompt, images=(begun.png,))),
            max_tokens=self.decoding.max_new_tokens(question.stage),
            rules=self.dialect.rules(begun.codec) if self.has_rules else "",
            repeat_window=self.decoding.repeat_window,
            purpose=question.stage,
        )


class _Begun:
    """An image on its way: its codec, its picture as a file, the stage that it is in."""

    def __init__(self, dialect: Dialect, image: np.ndarray, *, stage: StageName) -> None:
        from PIL import Image

        self.stage = stage
        self.codec = dialect.codec(image)
        file = BytesIO()
        Image.fromarray(dialect.picture(image)).save(file, "PNG", compress_level=1)
        self.png = file.getvalue()


def read_reply(reply: Reply, *, stage: StageName, has_rules: bool) -> Answer:
    """A reply as an answer; one that was withheld, refused or lost gives the image up.

    Args:
        reply: what came back; cut at its limit, it is read as it is.
        stage: what was asked.
        has_rules: on boxes; a cut reply may still end inside one, which is left out.
    """
    if reply.finish not in ("stop", "length"):
        return Answer(error=f"{reply.finish}: {reply.error or 'no reason given'}")
    text = without_open_box(reply.text) if has_rules else reply.text
    if STAGES[stage].gives == "caption" and not text.strip():
        return Answer(error="empty: the model wrote no caption")
    return Answer(text=text)
