"""The protocol between the stages and whatever runs the model."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np

from pancap.caption.boxes import Box
from pancap.chain.boxtokens import BoxCodec
from pancap.chain.config import Coordinates
from pancap.chain.stages import ChainState, StageName


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One stage asked of one image.

    Args:
        image: index in the encoded batch.
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
    """

    text: str = ""
    confidence: dict[Box, float] = field(default_factory=dict)


class EncodedImages(Protocol):
    """A batch of images, encoded once and kept by the backend for all stages."""

    @property
    def codecs(self) -> tuple[BoxCodec, ...]:
        """How each image spells boxes."""
        ...


EncodedT = TypeVar("EncodedT", bound=EncodedImages)


class Backend(Protocol[EncodedT]):
    """Answers the stages' questions about images."""

    coordinates: Coordinates

    def encode(self, images: Sequence[np.ndarray]) -> EncodedT:
        """Takes in a batch of (H, W, 3) uint8 images, each encoded once."""
        ...

    def answer(self, encoded: EncodedT, questions: Sequence[Question]) -> list[Answer]:
        """The model's answers, in the order of the questions."""
        ...
