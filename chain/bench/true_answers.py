"""A backend whose first stages answer the truth: what the stages after them would be worth behind perfect ones."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from pancap.chain.backends.base import Answer, Backend, Follow, Opening, Question
from pancap.chain.boxtokens import Codec, Instance
from pancap.chain.stages import NO_INSTANCES, STAGES, StageName


class TrueAnswers:
    """Answers some stages with the truth, the others by a model.

    Args:
        backend: of the model.
        truth: the instances of each image, in the order in which the model lists them.
        stages: that answer the truth; the first ones of the mode.
    """

    def __init__(self, backend: Backend, *, truth: Sequence[Sequence[Instance]], stages: Sequence[StageName]) -> None:
        """Keeps its parts."""
        self.coordinates = backend.coordinates
        self._backend = backend
        self._truth = truth
        self._stages = frozenset(stages)

    def codec(self, image: np.ndarray) -> Codec:
        """See `Backend`."""
        return self._backend.codec(image)

    def converse(self, openings: Iterable[Opening], *, follow: Follow) -> Iterator[int]:
        """See `Backend`; the model is asked from the first stage on that is not answered by the truth."""
        return self._backend.converse(self._openings(openings, follow=follow), follow=follow)

    def _openings(self, openings: Iterable[Opening], *, follow: Follow) -> Iterator[Opening]:
        for place, (image, first) in enumerate(openings):
            question: Question | None = first
            while question and question.stage in self._stages:
                question = follow(place, Answer(text=self._answer(question, codec=self.codec(image))))
            if question is None:
                raise ValueError(f"expected a stage for the model, got the truth for all: {sorted(self._stages)}")
            yield image, question

    def _answer(self, question: Question, *, codec: Codec) -> str:
        instances = self._truth[question.image]
        if question.stage == "disc":
            return NO_INSTANCES
        if STAGES[question.stage].gives == "boxes":
            return codec.render_boxes(item.box for item in instances)
        return codec.render_instances(instances)
