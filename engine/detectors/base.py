"""What the engine asks of a detector and of a tagger, whatever model stands behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pancap.caption.boxes import Box
from pancap.engine.detections import Detection

UNKNOWN_TAG = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A place where something is, without a name.

    Args:
        box: where.
        score: how well the box fits, 0..1.
    """

    box: Box
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TagGuess:
    """The name of a region.

    Args:
        tag: lower-case noun phrase, or `UNKNOWN_TAG` where the tagger is not sure enough to name it.
        score: confidence of the best name, 0..1.
    """

    tag: str
    score: float


class Proposer(Protocol):
    """Finds regions without naming them (class-agnostic)."""

    def propose(self, images: Sequence[np.ndarray]) -> list[list[Region]]:
        """Regions of each image (H, W, 3 uint8 RGB), best first."""
        ...


class Tagger(Protocol):
    """Names regions."""

    def tag(self, image: np.ndarray, boxes: Sequence[Box]) -> list[TagGuess]:
        """One guess for each box of the image, in order."""
        ...


class Grounder(Protocol):
    """Finds instances of given names (class-aware)."""

    def ground(self, images: Sequence[np.ndarray], tags: Sequence[Sequence[str]]) -> list[list[Detection]]:
        """Detections of each image, only of the tags asked for it, best first."""
        ...
