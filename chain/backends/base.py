"""The protocol between the stages and whatever runs the model."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from pancap.caption.boxes import Box
from pancap.chain.boxtokens import Codec
from pancap.chain.config import Coordinates
from pancap.chain.stages import ChainState, StageName


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One stage asked of one image.

    Args:
        image: place of the image among those of a conversation.
        stage: which question.
        state: what the stages before found; the prompt and the constraints follow from it.
    """

    image: int
    stage: StageName
    state: ChainState


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model says to a question.

    Args:
        text: model text.
        confidence: how sure the model is of where each box lies that it placed in this answer, 0..1; without entries
            where the backend does not know.
        error: why there is no answer; the image is given up.
    """

    text: str = ""
    confidence: dict[Box, float] = field(default_factory=dict)
    error: str = ""


Opening = tuple[np.ndarray, Question]
Follow = Callable[[int, Answer], Question | None]


class Backend(Protocol):
    """Answers questions while others are under way: every image goes through its stages at its own pace."""

    coordinates: Coordinates

    def codec(self, image: np.ndarray) -> Codec:
        """How boxes are spelled for an (H, W, 3) image."""
        ...

    def converse(self, openings: Iterable[Opening], *, follow: Follow) -> Iterator[int]:
        """Asks what is asked first of each image, and what follows.

        Args:
            openings: (H, W, 3) uint8 images with their first questions, taken one by one, each when there is room;
                `Question.image` is the image's place among them.
            follow: from an image's place and an answer to its next question, None where there is none; called once for
                every answer.

        Returns:
            The place of the image after each answer, in the order of the answers.
        """
        ...
